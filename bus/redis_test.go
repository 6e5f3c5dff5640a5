package bus_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"

	"meower/bus"
	"meower/bus/bustest"
)

func TestMiniredis(t *testing.T) {
	t.Parallel()
	server := runMiniredis(t)
	bustest.Run(t, func(t *testing.T) (a, b bus.Bus) {
		t.Helper()
		return openPair(t, newClient(t, server.Addr()), newClient(t, server.Addr()))
	})
}

func TestClusterClient(t *testing.T) {
	t.Parallel()
	server := runMiniredis(t)
	newClient := func(t *testing.T) redis.UniversalClient {
		t.Helper()
		client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{server.Addr()}, ContextTimeoutEnabled: true})
		t.Cleanup(func() { _ = client.Close() })
		return client
	}
	bustest.Run(t, func(t *testing.T) (a, b bus.Bus) {
		t.Helper()
		return openPair(t, newClient(t), newClient(t))
	})
}

// TestClusterGetsAllEventsAtOneNode has two nodes of a Redis Cluster. They pass
// events on to each other, but each only keeps the order of its own.
func TestClusterGetsAllEventsAtOneNode(t *testing.T) {
	t.Parallel()
	const slots = 16384
	left, right := runMiniredis(t).Addr(), runMiniredis(t).Addr()
	told := make(chan string, 100)
	client := redis.NewClusterClient(&redis.ClusterOptions{
		ClusterSlots: func(context.Context) ([]redis.ClusterSlot, error) {
			return []redis.ClusterSlot{
				{Start: 0, End: slots/2 - 1, Nodes: []redis.ClusterNode{{Addr: left}}},
				{Start: slots / 2, End: slots - 1, Nodes: []redis.ClusterNode{{Addr: right}}},
			}, nil
		},
		Dialer: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, addr)
			return &spiedConn{Conn: conn, published: func() { told <- addr }}, err
		},
	})
	t.Cleanup(func() { _ = client.Close() })
	a := bus.NewRedis(client, "a", history, slog.New(new(logged)))
	t.Cleanup(func() { _ = a.Close() })

	names := []string{"message_created", "message_updated", "message_deleted", "post_created", "post_updated", "typing_start"}
	addrs := map[string]bool{}
	for _, name := range names {
		if err := a.Publish(t.Context(), event(name, "1")); err != nil {
			t.Fatal(err)
		}
		addrs[<-told] = true
	}
	if len(addrs) != 1 {
		t.Errorf("events went to %d nodes", len(addrs))
	}
}

// openPair returns two ready nodes with the timing of production.
func openPair(t *testing.T, clientA, clientB redis.UniversalClient) (a, b *bus.Redis) {
	t.Helper()
	log := slog.New(new(logged))
	a, b = bus.NewRedis(clientA, "a", history, log), bus.NewRedis(clientB, "b", history, log)
	for _, r := range []*bus.Redis{a, b} {
		t.Cleanup(func() { _ = r.Close() })
		await(t, r.Ready(), "the subscription")
	}
	return a, b
}

func TestWireFormat(t *testing.T) {
	t.Parallel()
	server := runMiniredis(t)
	a := newNode(t, bus.NewRedis, "a", server.Addr())
	a.waitReady(t)
	client := newClient(t, server.Addr())
	raw := client.PSubscribe(t.Context(), "*")
	defer func() { _ = raw.Close() }()
	if _, err := raw.Receive(t.Context()); err != nil {
		t.Fatal(err)
	}

	a.publish(t, event("post_created", "1"))
	message, err := raw.ReceiveMessage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	entries, err := client.XRevRangeN(t.Context(), "meower:history", "+", "-", 1).Result()
	if err != nil {
		t.Fatal(err)
	}
	const payload = `{"i":"1","m":{"id":"1"},"n":"a"`
	if want := payload + `,"s":"` + entries[0].ID + `"}`; message.Channel != "meower:post_created" || message.Payload != want {
		t.Errorf("sent %s on %s, want %s on meower:post_created", message.Payload, message.Channel, want)
	}
	kept := map[string]any{"e": "post_created", "o": "1", "p": payload + "}"}
	if !maps.Equal(entries[0].Values, kept) {
		t.Errorf("kept %v, want %v", entries[0].Values, kept)
	}
	if ttl := client.PTTL(t.Context(), "meower:history").Val(); ttl <= 0 {
		t.Errorf("the history has no end: %v", ttl)
	}

	// What is for the moment is not kept.
	passing := event("typing_start", "2")
	passing.Transient = true
	a.publish(t, passing)
	if message, err = raw.ReceiveMessage(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := `{"i":"2","m":{"id":"2"},"n":"a"}`; message.Channel != "meower:typing_start" || message.Payload != want {
		t.Errorf("sent %s on %s, want %s on meower:typing_start", message.Payload, message.Channel, want)
	}
	a.inbox.Next()

	// And in, from somebody who writes JSON in his own way.
	a.inbox.Next()
	if err := client.Publish(t.Context(), "meower:post_created", `{"n":"z", "m":{"id":"1"}, "i":"1"}`).Err(); err != nil {
		t.Fatal(err)
	}
	a.inbox.Want(event("post_created", "1"))
}

func TestGarbageIsLoggedAndSkipped(t *testing.T) {
	t.Parallel()
	server := runMiniredis(t)
	a := newNode(t, bus.NewRedis, "a", server.Addr())
	a.waitReady(t)
	garbage := []struct{ channel, payload string }{
		{"meower:post_created", ""},
		{"meower:post_created", `{"i":"1","m":{`},
		{"meower:post_created", "\x00\xff"},
		{"meower:post_created", strings.Repeat(`{"i":`, 1<<20)},
		{"meower:", `{"i":"1","m":1,"n":"z"}`},
		{bus.Channel(bus.GapEvent), `{"i":"","m":"long ago","n":"z"}`},
	}
	for _, g := range garbage {
		server.Publish(g.channel, g.payload)
	}
	// These are nobody's fault: another prefix, and our own coming back.
	server.Publish("other:post_created", `{"i":"1","m":1,"n":"z"}`)
	server.Publish("meower:post_created", `{"i":"1","m":1,"n":"a"}`)
	server.Publish("meower:post_created", `{"n":"a","m":1,"i":"1"}`)
	server.Publish("meower:post_created", `{"i":"2","m":{"id":"2"},"n":"z"}`)

	a.inbox.Want(event("post_created", "2"))
	a.log.want(t, slices.Repeat([]string{unreadable}, len(garbage))...)
	a.noGaps(t)
}

// TestUnansweredPublishIsNotRepeated has a client that repeats commands, and a
// connection that breaks between a command and its answer.
func TestUnansweredPublishIsNotRepeated(t *testing.T) {
	t.Parallel()
	server := runMiniredis(t)
	var breaks atomic.Bool
	overBreakingConn := func(_ redis.UniversalClient, name string, _ bus.History, log *slog.Logger) *bus.Redis {
		client := redis.NewClient(&redis.Options{
			Addr:                  server.Addr(),
			ContextTimeoutEnabled: true,
			MaxRetries:            3,
			Dialer: func(ctx context.Context, network, addr string) (net.Conn, error) {
				conn, err := new(net.Dialer).DialContext(ctx, network, addr)
				spied := &spiedConn{Conn: conn}
				spied.published = func() { spied.broken.Store(breaks.CompareAndSwap(true, false)) }
				return spied, err
			},
		})
		t.Cleanup(func() { _ = client.Close() })
		return bus.NewFastRedis(client, name, history, log)
	}
	a, b := newNode(t, overBreakingConn, "a", server.Addr()), newNode(t, bus.NewFastRedis, "b", server.Addr())
	a.waitReady(t)
	b.waitReady(t)

	breaks.Store(true)
	if err := a.Publish(t.Context(), event("post_created", "1")); !errors.Is(err, io.EOF) {
		t.Errorf("publish without an answer: %v, want EOF", err)
	}
	// The second goes over another connection, which could overtake the first.
	b.inbox.Want(event("post_created", "1"))
	a.publish(t, event("post_created", "2"))
	b.inbox.Want(event("post_created", "2"))
	await(t, b.gaps, "the gap")
}

// TestPanicOfReaderEndsProcess runs itself again, as a process of its own.
func TestPanicOfReaderEndsProcess(t *testing.T) {
	t.Parallel()
	const marker = "BUS_TEST_PANIC"
	if os.Getenv(marker) != "" {
		server := runMiniredis(t)
		a, b := newNode(t, bus.NewRedis, "a", server.Addr()), newNode(t, bus.NewRedis, "b", server.Addr())
		a.waitReady(t)
		b.waitReady(t)
		b.Subscribe(func(bus.Event) { panic("broken handler") })
		a.publish(t, event("post_created", "1"))
		await(t, t.Context().Done(), "the end")
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$") //nolint:gosec // this very program
	cmd.Env = append(os.Environ(), marker+"=1")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "panic: broken handler") {
		t.Errorf("%v, without the panic in:\n%s", err, out)
	}
}
