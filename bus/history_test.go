package bus_test

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"meower/bus"
)

func (n *node) position() (p bus.Position) {
	n.Between(func(now bus.Position) { p = now })
	return p
}

func (n *node) wantNoHistory(t *testing.T, from bus.Position) {
	t.Helper()
	if _, err := n.Missed(t.Context(), from, n.position()); !errors.Is(err, bus.ErrNoHistory) {
		t.Errorf("missed: %v, want ErrNoHistory", err)
	}
}

// keeping returns a constructor for nodes that keep so much.
func keeping(h bus.History) constructor {
	return func(client redis.UniversalClient, name string, _ bus.History, log *slog.Logger) *bus.Redis {
		return bus.NewFastRedis(client, name, h, log)
	}
}

func TestHistoryIsBounded(t *testing.T) {
	t.Parallel()
	server := runMiniredis(t)
	a := newNode(t, keeping(bus.History{Events: 10, For: time.Hour}), "a", server.Addr())
	a.waitReady(t)
	long := a.position()
	for i := range 100 {
		a.publish(t, event("post_created", strconv.Itoa(i)))
	}
	client := newClient(t, server.Addr())
	if n := client.XLen(t.Context(), "meower:history").Val(); n > 20 {
		t.Errorf("%d entries are kept", n)
	}
	a.wantNoHistory(t, long)
}

func TestHistoryEnds(t *testing.T) {
	t.Parallel()
	server := runMiniredis(t)
	a := newNode(t, bus.NewFastRedis, "a", server.Addr())
	a.waitReady(t)
	long := a.position()
	now := time.Now()
	server.SetTime(now.Add(history.For * 2))
	a.publish(t, event("post_created", "1"))
	a.wantNoHistory(t, long)
}

func TestLostHistory(t *testing.T) {
	t.Parallel()
	server := runMiniredis(t)
	a := newNode(t, bus.NewFastRedis, "a", server.Addr())
	a.waitReady(t)
	before := a.position()
	server.FlushAll()
	server.SetTime(time.Now().Add(time.Second)) // in the same millisecond the id could be the same
	a.publish(t, event("post_created", "1"))
	a.wantNoHistory(t, before)
}

func TestHistoryWithoutRedis(t *testing.T) {
	t.Parallel()
	server := runMiniredis(t)
	a := newNode(t, bus.NewFastRedis, "a", server.Addr())
	a.waitReady(t)
	before := a.position()
	server.Close()
	a.wantNoHistory(t, before)
}

// TestLostEventsShowInTheHistory: neither the node that could not publish nor
// another one may say later that nothing was missed.
func TestLostEventsShowInTheHistory(t *testing.T) {
	t.Parallel()
	server := runMiniredis(t)
	a, b := newNode(t, bus.NewFastRedis, "a", server.Addr()), newNode(t, bus.NewFastRedis, "b", server.Addr())
	a.waitReady(t)
	b.waitReady(t)
	before := b.position()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.Publish(ctx, event("post_created", "1")); err == nil {
		t.Fatal("published")
	}
	a.wantNoHistory(t, before)
	await(t, b.gaps, "the gap")
	a.reported(t)
	b.wantNoHistory(t, before)
	a.wantNoHistory(t, before)
}

// TestMarksKeepPositionsYoung: where nothing happens for long, what a connection
// left behind must still be good.
func TestMarksKeepPositionsYoung(t *testing.T) {
	t.Parallel()
	server := runMiniredis(t)
	a := newNode(t, keeping(bus.History{Events: 100, For: 400 * time.Millisecond}), "a", server.Addr())
	a.waitReady(t)
	first := a.position()
	waitUntil(t, "another mark", func() bool { return a.position().Seen != first.Seen })
}

// TestWithoutHistory: no entry is made, and no position known.
func TestWithoutHistory(t *testing.T) {
	t.Parallel()
	server := runMiniredis(t)
	a := newNode(t, keeping(bus.History{}), "a", server.Addr())
	a.waitReady(t)
	a.publish(t, event("post_created", "1"))
	if a.position() != (bus.Position{}) || server.Exists("meower:history") {
		t.Errorf("position %v", a.position())
	}
	a.wantNoHistory(t, bus.Position{})
}
