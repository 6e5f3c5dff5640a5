package bus_test

import (
	"testing"

	"meower/bus"
	"meower/bus/bustest"
	"meower/e2e/containers"
)

// TestRealRedis keeps to one server, and to the timing of production.
func TestRealRedis(t *testing.T) {
	t.Parallel()
	server := containers.Redis(t)
	t.Run("contract", func(t *testing.T) {
		bustest.Run(t, func(t *testing.T) (a, b bus.Bus) {
			t.Helper()
			return openPair(t, newClient(t, server.Addr), newClient(t, server.Addr))
		})
	})
	t.Run("outage", func(t *testing.T) {
		a, b := newNode(t, bus.NewRedis, "a", server.Addr), newNode(t, bus.NewRedis, "b", server.Addr)
		testOutage(t, a, b, func() { server.Stop(t) }, func() { server.Start(t) })
	})
	t.Run("black hole", func(t *testing.T) {
		hole := newProxy(t, server.Addr)
		a, b := newNode(t, bus.NewRedis, "a", hole.addr()), newNode(t, bus.NewRedis, "b", server.Addr)
		testBlackHole(t, a, b, hole)
	})
}
