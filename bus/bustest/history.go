package bustest

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"

	"meower/bus"
)

// testOneAtATime has events of both nodes, and Between, come at once.
func testOneAtATime(t *testing.T, a, b bus.Bus) {
	const publishers, events = 4, 50
	inside, calls := 0, 0 // of a's handlers; only their order protects them
	enter := func() {
		if inside++; inside != 1 {
			t.Error("two calls at once")
		}
		calls++
		inside--
	}
	defer a.Subscribe(func(bus.Event) { enter() })()
	inbox := Listen(t, a)
	var wg sync.WaitGroup
	for i := range publishers {
		node := []bus.Bus{a, b}[i%2]
		wg.Go(func() {
			for n := range events {
				publish(t, node, numbered(fmt.Sprint(i), n))
				a.Between(func(bus.Position) { enter() })
			}
		})
	}
	wg.Wait()
	for range publishers * events {
		inbox.Next()
	}
	a.Between(func(bus.Position) {
		if want := 2 * publishers * events; calls != want {
			t.Errorf("%d calls, want %d", calls, want)
		}
	})
}

// position returns where a node is.
func position(node bus.Bus) (p bus.Position) {
	node.Between(func(now bus.Position) { p = now })
	return p
}

// recorder keeps what a node hands out, and can be cut with its position.
type recorder struct {
	node   bus.Bus
	events []string // under the node's order
}

func record(t *testing.T, node bus.Bus) *recorder {
	r := &recorder{node: node}
	t.Cleanup(node.Subscribe(func(e bus.Event) { r.events = append(r.events, text(e)) }))
	return r
}

func text(e bus.Event) string { return e.Whom + string(e.Value) }

// cut returns the node's position and what it has handed out up to then.
func (r *recorder) cut() (at bus.Position, events []string) {
	r.node.Between(func(p bus.Position) { at, events = p, slices.Clone(r.events) })
	return at, events
}

// cuts is how often nodes are cut while both publish.
const cuts = 40

// publishOnBoth has both nodes publish, and returns what records them and what
// waits for the end.
func publishOnBoth(t *testing.T, a, b bus.Bus) (nodes []*recorder, published *sync.WaitGroup) {
	t.Helper()
	const publishers, events = 6, 60
	nodes, published = []*recorder{record(t, a), record(t, b)}, new(sync.WaitGroup)
	for i := range publishers {
		published.Go(func() {
			for n := range events {
				publish(t, nodes[i%2].node, numbered(fmt.Sprint(i), n))
			}
		})
	}
	return nodes, published
}

// testMissed cuts two nodes at random moments while both publish. What the one
// had by then, together with what it missed since, must be what the other had.
func testMissed(t *testing.T, a, b bus.Bus) {
	if position(a).Seen == "" {
		t.Skip("this bus has no history")
	}
	nodes, published := publishOnBoth(t, a, b)
	for range cuts {
		from, to := nodes[rand.N(2)], nodes[rand.N(2)]
		before, had := from.cut()
		for range rand.N(1000) {
			runtime.Gosched() // the others go on meanwhile
		}
		after, has := to.cut()
		missed, err := to.node.Missed(t.Context(), before, after)
		if err != nil {
			t.Fatalf("missed: %v", err)
		}
		compareMissed(t, had, missed, has)
	}
	published.Wait()
}

// testReach cuts nodes at random moments while both publish. What the one had by
// then, the other has once it has reached that, whatever it misses of its own.
func testReach(t *testing.T, a, b bus.Bus) {
	if position(a).Seen == "" {
		t.Skip("this bus has no history")
	}
	nodes, published := publishOnBoth(t, a, b)
	for range cuts {
		from, to := nodes[rand.N(2)], nodes[rand.N(2)]
		before, had := from.cut()
		settled, err := from.node.Settle(t.Context(), before)
		if err != nil {
			t.Fatalf("settle: %v", err)
		}
		if err := to.node.Reach(t.Context(), settled); err != nil {
			t.Fatalf("reach: %v", err)
		}
		_, has := to.cut()
		for _, event := range had {
			if !slices.Contains(has, event) {
				t.Fatalf("%s is yet to come", event)
			}
		}
	}
	published.Wait()
	for _, unknown := range []bus.Position{{}, position(a)} {
		if err := b.Reach(t.Context(), unknown); !errors.Is(err, bus.ErrNoHistory) {
			t.Errorf("reach of what has not been settled: %v", err)
		}
	}
}

// compareMissed checks that what was missed is has without had, in an order that
// every publisher's events keep.
func compareMissed(t *testing.T, had []string, missed []bus.Event, has []string) {
	t.Helper()
	known := map[string]bool{}
	for _, e := range had {
		known[e] = true
	}
	var want []string
	for _, e := range has {
		if !known[e] {
			want = append(want, e)
		}
	}
	var got []string
	next := map[string]int{}
	for _, e := range missed {
		got = append(got, text(e))
		var value struct{ Number int }
		if err := json.Unmarshal(e.Value, &value); err != nil {
			t.Fatal(err)
		}
		if value.Number < next[e.Whom] {
			t.Errorf("%s came after %d", text(e), next[e.Whom])
		}
		next[e.Whom] = value.Number
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Fatalf("missed %d events %v, want %d %v", len(got), got, len(want), want)
	}
}

func testTransient(t *testing.T, a, b bus.Bus) {
	before := position(b)
	if before.Seen == "" {
		t.Skip("this bus has no history")
	}
	atB := Listen(t, b)
	passing := numbered("a", 0)
	passing.Transient = true
	publish(t, a, passing)
	publish(t, a, numbered("a", 1))
	first, second := atB.Next(), atB.Next()
	if first.Prior != (bus.Position{}) || second.Prior == (bus.Position{}) {
		t.Errorf("positions before the events: %v, %v", first.Prior, second.Prior)
	}
	missed, err := b.Missed(t.Context(), before, position(b))
	if err != nil || len(missed) != 1 || !equal(missed[0], numbered("a", 1)) {
		t.Errorf("missed %v, %v", missed, err)
	}
	// From before an event on, it is missed again.
	if missed, err = b.Missed(t.Context(), second.Prior, position(b)); err != nil || len(missed) != 1 {
		t.Errorf("missed since then %v, %v", missed, err)
	}
}

func testUnknownPositions(t *testing.T, a, _ bus.Bus) {
	now := position(a)
	for _, from := range []bus.Position{{}, {Seen: "x", Node: "a"}, {Seen: "1-1", Node: "a"}} {
		if _, err := a.Missed(t.Context(), from, now); !errors.Is(err, bus.ErrNoHistory) {
			t.Errorf("from %v: %v, want ErrNoHistory", from, err)
		}
	}
}
