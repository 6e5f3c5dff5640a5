// Package bustest holds the contract of a bus as tests, which every
// implementation passes.
package bustest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"meower/bus"
)

// patience is how long an event may take to arrive on a busy machine.
const patience = 20 * time.Second

// Run tests two nodes that hear each other. open returns them ready, and closes
// them with the test; it is called for one subtest after the other. Both may be
// the same bus where that serves several nodes. Nobody else may publish to them.
func Run(t *testing.T, open func(t *testing.T) (a, b bus.Bus)) {
	t.Helper()
	for _, test := range []struct {
		name string
		run  func(t *testing.T, a, b bus.Bus)
	}{
		{"every node gets an event once", testOnce},
		{"every handler gets an event once", testSeveralHandlers},
		{"own handlers are called before Publish returns", testOwnHandlersFirst},
		{"values keep their bytes", testValues},
		{"one publisher's order is kept", testOrder},
		{"concurrent publishers keep their own order", testConcurrentOrder},
		{"a cancelled handler is not called", testCancel},
		{"cancel waits for a call under way", testCancelWaits},
		{"handlers come and go while others publish", testComeAndGo},
		{"a handler may subscribe another", testSubscribeInHandler},
		{"an undisturbed bus has no gaps", testNoGap},
		{"handlers are called one at a time", testOneAtATime},
		{"nothing is missed and nothing comes twice", testMissed},
		{"nothing of what was reached comes later", testReach},
		{"what is for the moment is not kept", testTransient},
		{"unknown positions are refused", testUnknownPositions},
		{"a closed bus is silent", testClose},
	} {
		t.Run(test.name, func(t *testing.T) {
			a, b := open(t)
			test.run(t, a, b)
		})
	}
}

func testOnce(t *testing.T, a, b bus.Bus) {
	atA, atB := Listen(t, a), Listen(t, b)
	event := bus.Event{Name: "post_created", Whom: "1234567890123456789", Value: json.RawMessage(`{"id":"1"}`)}
	publish(t, a, event)
	publish(t, b, bus.Event{Name: "user_updated", Whom: "2", Value: json.RawMessage(`{"id":"2"}`)})
	for _, inbox := range []*Inbox{atA, atB} {
		got := map[string]int{}
		for range 2 {
			next := inbox.Next()
			got[next.Name]++
			if next.Name == event.Name && (next.Whom != event.Whom || !bytes.Equal(next.Value, event.Value)) {
				t.Errorf("got %s, want %s", show(next), show(event))
			}
		}
		if got["post_created"] != 1 || got["user_updated"] != 1 {
			t.Errorf("got %v, want one of each", got)
		}
	}
	nothingElse(t, a, atA, atB)
	nothingElse(t, b, atA, atB)
}

func testSeveralHandlers(t *testing.T, a, b bus.Bus) {
	inboxes := []*Inbox{Listen(t, a), Listen(t, a), Listen(t, b), Listen(t, b), Listen(t, b)}
	publish(t, a, numbered("a", 0))
	for _, inbox := range inboxes {
		inbox.Want(numbered("a", 0))
	}
	nothingElse(t, a, inboxes...)
}

func testOwnHandlersFirst(t *testing.T, a, _ bus.Bus) {
	called := false
	cancel := a.Subscribe(func(bus.Event) { called = true })
	defer cancel()
	publish(t, a, numbered("a", 0))
	if !called {
		t.Error("Publish returned before its own node's handler was called")
	}
}

func testValues(t *testing.T, a, b bus.Bus) {
	atA, atB := Listen(t, a), Listen(t, b)
	for _, value := range []string{
		`{}`, `null`, `true`, `""`, `[]`, `0`,
		`{"n":"other","i":"9","m":{"n":"x"}}`,
		`12345678901234567890.123456789012345678901234567890e-400`,
		`{ "spaces" : [ 1 ,	2 ] }`,
		`"Grüße, 世界, 👩‍👩‍👧 \ud83d\ude00 \u0000 \/ <b>&amp;</b>` + "\u2028" + `"`,
		`"` + strings.Repeat("long ", 200_000) + `"`,
		strings.Repeat("[", 1000) + strings.Repeat("]", 1000),
	} {
		event := bus.Event{Name: "message_created", Whom: "1", Value: json.RawMessage(value)}
		publish(t, a, event)
		atA.Want(event)
		atB.Want(event)
	}
	for _, whom := range []string{"", "1234567890123456789", `"},{"`, "\x00\n\\", "zoë 👋", "<&>"} {
		event := bus.Event{Name: "direct", Whom: whom, Value: json.RawMessage(`1`)}
		publish(t, a, event)
		atA.Want(event)
		atB.Want(event)
	}
}

func testOrder(t *testing.T, a, b bus.Bus) {
	atA, atB := Listen(t, a), Listen(t, b)
	const events = 300
	names := []string{"message_created", "message_updated", "message_deleted"}
	for i := range events {
		event := numbered("a", i)
		event.Name = names[i%len(names)]
		publish(t, a, event)
	}
	for i := range events {
		event := numbered("a", i)
		event.Name = names[i%len(names)]
		atA.Want(event)
		atB.Want(event)
	}
}

func testConcurrentOrder(t *testing.T, a, b bus.Bus) {
	const publishers, events = 8, 100
	inboxes := []*Inbox{Listen(t, a), Listen(t, b)}
	var wg sync.WaitGroup
	for i := range publishers {
		node := []bus.Bus{a, b}[i%2]
		wg.Go(func() {
			for n := range events {
				publish(t, node, numbered(strconv.Itoa(i), n))
			}
		})
	}
	wg.Wait()
	for _, inbox := range inboxes {
		next := map[string]int{}
		for range publishers * events {
			event := inbox.Next()
			if want := numbered(event.Whom, next[event.Whom]); !equal(event, want) {
				t.Fatalf("got %s, want %s", show(event), show(want))
			}
			next[event.Whom]++
		}
	}
	nothingElse(t, a, inboxes...)
	nothingElse(t, b, inboxes...)
}

func testCancel(t *testing.T, a, b bus.Bus) {
	stays := Listen(t, a)
	for _, node := range []bus.Bus{a, b} {
		cancel := node.Subscribe(func(event bus.Event) { t.Errorf("cancelled handler got %s", show(event)) })
		cancel()
		cancel()
	}
	for i := range 10 {
		publish(t, b, numbered("b", i))
		stays.Want(numbered("b", i))
	}
	nothingElse(t, b, stays)
}

func testCancelWaits(t *testing.T, a, b bus.Bus) {
	for _, node := range []bus.Bus{a, b} {
		entered, release, finished := make(chan struct{}), make(chan struct{}), false
		cancel := node.Subscribe(func(bus.Event) {
			close(entered)
			<-release
			finished = true
		})
		var wg sync.WaitGroup
		wg.Go(func() { publish(t, a, numbered("a", 0)) })
		await(t, entered)
		wg.Go(func() { close(release) })
		cancel()
		if !finished {
			t.Error("cancel returned while the handler was being called")
		}
		wg.Wait()
	}
}

func testComeAndGo(t *testing.T, a, b bus.Bus) {
	stays := Listen(t, b)
	const events = 200
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range events {
			publish(t, a, numbered("a", i))
		}
	})
	for _, node := range []bus.Bus{a, b, b} {
		wg.Go(func() {
			for range events {
				var gone atomic.Bool
				cancel := node.Subscribe(func(bus.Event) {
					if gone.Load() {
						t.Error("handler called after its cancel returned")
					}
				})
				cancel()
				gone.Store(true)
			}
		})
	}
	for i := range events {
		stays.Want(numbered("a", i))
	}
	wg.Wait()
}

func testSubscribeInHandler(t *testing.T, a, b bus.Bus) {
	late := make(chan bus.Event, 10)
	var once sync.Once
	first := Listen(t, b)
	cancel := b.Subscribe(func(bus.Event) {
		once.Do(func() { b.Subscribe(func(event bus.Event) { late <- event }) })
	})
	defer cancel()
	publish(t, a, numbered("a", 0))
	publish(t, a, numbered("a", 1))
	first.Want(numbered("a", 0))
	first.Want(numbered("a", 1))
	nothingElse(t, a, first)
	if len(late) != 2 || !equal(<-late, numbered("a", 1)) {
		t.Errorf("%d more events than the one after the subscription", len(late)-1)
	}
}

func testNoGap(t *testing.T, a, b bus.Bus) {
	atA, atB := Listen(t, a), Listen(t, b)
	for _, node := range []bus.Bus{a, b} {
		cancel := node.OnGap(func() { t.Error("gap without an outage") })
		defer cancel()
	}
	publish(t, a, numbered("a", 0))
	publish(t, b, numbered("b", 0))
	for range 2 {
		atA.Next()
		atB.Next()
	}
}

func testClose(t *testing.T, a, b bus.Bus) {
	a.Subscribe(func(event bus.Event) { t.Errorf("handler of a closed bus got %s", show(event)) })
	for range 2 {
		if err := a.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	if err := a.Publish(t.Context(), numbered("a", 0)); !errors.Is(err, bus.ErrClosed) {
		t.Errorf("publish on a closed bus: %v, want ErrClosed", err)
	}
	a.Subscribe(func(event bus.Event) { t.Errorf("handler of a closed bus got %s", show(event)) })()
	a.OnGap(func() { t.Error("gap on a closed bus") })()
	// An error is as good, where both are the same bus.
	_ = b.Publish(t.Context(), numbered("b", 0))
	if err := b.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

// Inbox collects the events that one handler gets. Its methods fail the test
// when an event does not come; they are for the test's own goroutine.
type Inbox struct {
	t      testing.TB
	events chan bus.Event
}

// Listen subscribes an inbox to the node until the end of the test.
func Listen(t testing.TB, node bus.Bus) *Inbox {
	t.Helper()
	const plenty = 10_000
	inbox := &Inbox{t: t, events: make(chan bus.Event, plenty)}
	t.Cleanup(node.Subscribe(func(event bus.Event) { inbox.events <- event }))
	return inbox
}

// Next waits for an event and returns it.
func (i *Inbox) Next() bus.Event {
	i.t.Helper()
	select {
	case event := <-i.events:
		return event
	case <-time.After(patience):
		i.t.Fatal("an event did not arrive")
		panic("unreachable")
	}
}

// Want waits for an event, which is to be this one.
func (i *Inbox) Want(want bus.Event) {
	i.t.Helper()
	if got := i.Next(); !equal(got, want) {
		i.t.Fatalf("got %s, want %s", show(got), show(want))
	}
}

// nothingElse publishes a last event, which is to be the next one in all
// inboxes: whatever the node published before would have come earlier.
func nothingElse(t *testing.T, node bus.Bus, inboxes ...*Inbox) {
	t.Helper()
	last := bus.Event{Name: "last", Whom: "1", Value: json.RawMessage(`{}`)}
	publish(t, node, last)
	for _, inbox := range inboxes {
		inbox.Want(last)
	}
}

func numbered(whom string, number int) bus.Event {
	return bus.Event{Name: "post_created", Whom: whom, Value: fmt.Appendf(nil, `{"number":%d}`, number)}
}

func publish(t *testing.T, node bus.Bus, event bus.Event) {
	t.Helper()
	if err := node.Publish(t.Context(), event); err != nil {
		t.Error(err)
	}
}

func await(t *testing.T, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatal("waited in vain")
	}
}

func equal(a, b bus.Event) bool {
	return a.Name == b.Name && a.Whom == b.Whom && bytes.Equal(a.Value, b.Value)
}

func show(event bus.Event) string {
	const enough = 200
	return fmt.Sprintf("%s %q %.*q", event.Name, event.Whom, enough, event.Value)
}
