package bus_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"meower/bus"
	"meower/bus/bustest"
)

// patience is how long something may take on a busy machine.
const patience = 30 * time.Second

// node is one of several that share a Redis, with all that it hears.
type node struct {
	*bus.Redis
	inbox *bustest.Inbox
	gaps  chan struct{}
	log   *logged
}

type constructor func(redis.UniversalClient, string, bus.History, *slog.Logger) *bus.Redis

// history is what the server keeps by default.
var history = bus.History{Events: 10_000, For: 2 * time.Minute}

// newNode returns a node whose Redis is at this address. It may not be ready.
func newNode(t *testing.T, construct constructor, name, addr string) *node {
	t.Helper()
	log := new(logged)
	b := construct(newClient(t, addr), name, history, slog.New(log))
	t.Cleanup(func() { _ = b.Close() })
	n := &node{Redis: b, inbox: bustest.Listen(t, b), gaps: make(chan struct{}, 100), log: log}
	b.OnGap(func() { n.gaps <- struct{}{} })
	return n
}

// newClient returns a client with the settings that matter as the server has
// them, among them that commands are repeated.
func newClient(t *testing.T, addr string) *redis.Client {
	t.Helper()
	client := redis.NewClient(&redis.Options{
		Addr:                  addr,
		ContextTimeoutEnabled: true,
		MaxRetries:            3,
	})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func (n *node) waitReady(t *testing.T) {
	t.Helper()
	await(t, n.Ready(), "the subscription")
}

func (n *node) publish(t *testing.T, event bus.Event) {
	t.Helper()
	if err := n.Publish(t.Context(), event); err != nil {
		t.Error(err)
	}
}

// reported waits until the other nodes have been told of a gap.
func (n *node) reported(t *testing.T) {
	t.Helper()
	waitUntil(t, "the report of the gap", func() bool { return !n.Owes() })
}

// waitUntil polls, for what nobody announces.
func waitUntil(t *testing.T, what string, done func() bool) {
	t.Helper()
	poll := time.NewTicker(time.Millisecond)
	defer poll.Stop()
	deadline := time.After(patience)
	for !done() {
		select {
		case <-poll.C:
		case <-deadline:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// noGaps fails the test when a gap has been reported.
func (n *node) noGaps(t *testing.T) {
	t.Helper()
	if len(n.gaps) > 0 {
		t.Errorf("%d gaps too many", len(n.gaps))
	}
}

func await(t *testing.T, done <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", what)
	}
}

func event(name, whom string) bus.Event {
	return bus.Event{Name: name, Whom: whom, Value: json.RawMessage(`{"id":"` + whom + `"}`)}
}

func runMiniredis(t *testing.T) *miniredis.Miniredis {
	t.Helper()
	server, err := miniredis.Run()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	return server
}

// logged is a slog.Handler that keeps the messages.
type logged struct {
	mu       sync.Mutex
	messages []string
}

var _ slog.Handler = (*logged)(nil)

func (l *logged) Enabled(context.Context, slog.Level) bool { return true }
func (l *logged) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *logged) WithGroup(string) slog.Handler            { return l }

func (l *logged) Handle(_ context.Context, record slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.messages = append(l.messages, record.Message)
	return nil
}

// wait waits until the message has been logged.
func (l *logged) wait(t *testing.T, message string) {
	t.Helper()
	waitUntil(t, message, func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return slices.Contains(l.messages, message)
	})
}

// want fails the test when other messages than these have been logged.
func (l *logged) want(t *testing.T, messages ...string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Equal(l.messages, messages) {
		t.Errorf("logged %q, want %q", l.messages, messages)
	}
}

const (
	cutOff      = "events of other nodes are cut off"
	arriveAgain = "events of other nodes arrive again"
	unreadable  = "unreadable event skipped"
)
