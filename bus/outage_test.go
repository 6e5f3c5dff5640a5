package bus_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"meower/bus"
)

// TestFailedPublishIsAGapElsewhere is about nodes whose own subscription is
// fine, so that they cannot know by themselves.
func TestFailedPublishIsAGapElsewhere(t *testing.T) {
	t.Parallel()
	server := runMiniredis(t)
	a, b := newNode(t, bus.NewFastRedis, "a", server.Addr()), newNode(t, bus.NewFastRedis, "b", server.Addr())
	a.waitReady(t)
	b.waitReady(t)

	for i := range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		lost := event("post_created", strconv.Itoa(i))
		if err := a.Publish(ctx, lost); !errors.Is(err, context.Canceled) {
			t.Errorf("publish: %v, want context.Canceled", err)
		}
		a.inbox.Want(lost)
		await(t, b.gaps, "the gap")
		a.reported(t)
	}

	a.publish(t, event("post_created", "9"))
	b.inbox.Want(event("post_created", "9"))
	b.noGaps(t)
	a.noGaps(t)
	b.log.want(t)
}

func TestOutage(t *testing.T) {
	t.Parallel()
	server := runMiniredis(t)
	a, b := newNode(t, bus.NewFastRedis, "a", server.Addr()), newNode(t, bus.NewFastRedis, "b", server.Addr())
	testOutage(t, a, b, server.Close, func() {
		if err := server.Restart(); err != nil {
			t.Fatal(err)
		}
	})
}

// testOutage stops and starts the Redis of two nodes.
func testOutage(t *testing.T, a, b *node, stop, start func()) {
	t.Helper()
	a.waitReady(t)
	b.waitReady(t)
	hearEachOther(t, a, b)

	for outage := range 2 {
		stop()
		for _, n := range []*node{a, b} {
			began := time.Now()
			if err := n.Publish(t.Context(), event("post_created", "2")); err == nil {
				t.Error("Publish says that the others were told, without Redis")
			}
			// A second, and a machine that is busy with other tests.
			if took := time.Since(began); took > 2500*time.Millisecond {
				t.Errorf("Publish took %v without Redis", took)
			}
			n.inbox.Want(event("post_created", "2"))
		}
		start()

		await(t, a.gaps, "the gap")
		await(t, b.gaps, "the gap")
		a.reported(t)
		b.reported(t)
		hearEachOther(t, a, b)
		for _, n := range []*node{a, b} {
			n.noGaps(t)
			n.log.want(t, slices.Repeat([]string{cutOff, arriveAgain}, outage+1)...)
		}
	}
}

// hearEachOther publishes on both nodes and finds the events, and no others, on
// both.
func hearEachOther(t *testing.T, a, b *node) {
	t.Helper()
	for i, n := range []*node{a, b} {
		heard := event("message_created", strconv.Itoa(i))
		n.publish(t, heard)
		a.inbox.Want(heard)
		b.inbox.Want(heard)
	}
}

func TestBlackHole(t *testing.T) {
	t.Parallel()
	server := runMiniredis(t)
	hole := newProxy(t, server.Addr())
	a, b := newNode(t, bus.NewFastRedis, "a", hole.addr()), newNode(t, bus.NewFastRedis, "b", server.Addr())
	testBlackHole(t, a, b, hole)
}

// testBlackHole makes the connections of a, which go through the proxy, lead
// nowhere for a time. Those of b are fine.
func testBlackHole(t *testing.T, a, b *node, hole *proxy) {
	t.Helper()
	a.waitReady(t)
	b.waitReady(t)
	hearEachOther(t, a, b)

	hole.lose(true)
	began := time.Now()
	if err := a.Publish(t.Context(), event("post_created", "2")); err == nil {
		t.Error("Publish says that the others were told, through a black hole")
	}
	if took := time.Since(began); took > 2500*time.Millisecond {
		t.Errorf("Publish took %v through a black hole", took)
	}
	a.inbox.Want(event("post_created", "2"))
	b.publish(t, event("post_created", "3")) // which a misses
	b.inbox.Want(event("post_created", "3"))
	a.log.wait(t, cutOff)
	t.Logf("noticed after %v", time.Since(began).Round(time.Millisecond))
	hole.lose(false)
	hole.hangUp()

	await(t, a.gaps, "the gap of the node that heard nothing")
	await(t, b.gaps, "the gap of the node that was not told")
	a.reported(t)
	hearEachOther(t, a, b)
	a.noGaps(t)
	b.noGaps(t)
	a.log.want(t, cutOff, arriveAgain)
	b.log.want(t)
}

func TestStartWithoutRedis(t *testing.T) {
	t.Parallel()
	server := runMiniredis(t)
	addr := server.Addr()
	server.Close()
	a := newNode(t, bus.NewFastRedis, "a", addr)
	if err := a.Publish(t.Context(), event("post_created", "1")); err == nil {
		t.Error("Publish says that the others were told, without Redis")
	}
	a.inbox.Want(event("post_created", "1"))
	a.log.wait(t, cutOff)
	select {
	case <-a.Ready():
		t.Error("ready without Redis")
	default:
	}

	late := miniredis.NewMiniRedis()
	if err := late.StartAddr(addr); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(late.Close)
	a.waitReady(t)
	await(t, a.gaps, "the gap")
	late.Publish("meower:post_created", `{"i":"2","m":{"id":"2"},"n":"z"}`)
	a.inbox.Want(event("post_created", "2"))
	a.noGaps(t)
}

// TestCloseWithoutAnswers closes a bus whose Redis is there but says nothing.
func TestCloseWithoutAnswers(t *testing.T) {
	t.Parallel()
	server := runMiniredis(t)
	hole := newProxy(t, server.Addr())
	a := newNode(t, bus.NewFastRedis, "a", hole.addr())
	a.waitReady(t)
	hole.lose(true)
	if err := a.Publish(t.Context(), event("post_created", "1")); err == nil {
		t.Error("Publish says that the others were told, through a black hole")
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	if err := a.Publish(t.Context(), event("post_created", "2")); !errors.Is(err, bus.ErrClosed) {
		t.Errorf("publish on a closed bus: %v, want ErrClosed", err)
	}
}
