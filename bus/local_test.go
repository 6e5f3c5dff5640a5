package bus_test

import (
	"encoding/json"
	"testing"

	"meower/bus"
	"meower/bus/bustest"
)

func TestLocal(t *testing.T) {
	t.Parallel()
	bustest.Run(t, func(t *testing.T) (a, b bus.Bus) {
		t.Helper()
		local := bus.NewLocal()
		t.Cleanup(func() { _ = local.Close() })
		return local, local
	})
}

func TestPanicOfOwnHandlerGoesToPublisher(t *testing.T) {
	t.Parallel()
	local := bus.NewLocal()
	cancel := local.Subscribe(func(bus.Event) { panic("broken") })
	func() {
		defer func() {
			if got := recover(); got != "broken" {
				t.Errorf("recovered %v", got)
			}
		}()
		_ = local.Publish(t.Context(), event("post_created", "1"))
	}()
	// Both would wait for ever for a call that is still counted.
	cancel()
	if err := local.Close(); err != nil {
		t.Error(err)
	}
}

func BenchmarkLocalPublish(b *testing.B) {
	local := bus.NewLocal()
	defer func() { _ = local.Close() }()
	heard := 0
	local.Subscribe(func(bus.Event) { heard++ })
	event := bus.Event{Name: "post_created", Whom: "1234567890123456789", Value: json.RawMessage(`{"id":"1"}`)}
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		if err := local.Publish(ctx, event); err != nil {
			b.Fatal(err)
		}
	}
	if heard < b.N {
		b.Fatalf("heard %d of %d", heard, b.N)
	}
}
