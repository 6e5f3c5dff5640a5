package cl4

import (
	"context"
	"flag"
	"fmt"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"meower/bus"
)

// modelChecks is how many random sequences are tried where the command line does
// not say.
const modelChecks = "60"

// TestModel does random things to one node and to two, and compares what every
// connection gets with what a simple model says (modelsays_test.go).
func TestModel(t *testing.T) {
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "rapid.checks" })
	if !given {
		old := flag.Lookup("rapid.checks").Value.String()
		must(t, flag.Set("rapid.checks", modelChecks))
		t.Cleanup(func() { _ = flag.Set("rapid.checks", old) })
	}
	for _, nodes := range []int{1, 2} {
		t.Run(fmt.Sprintf("%d nodes", nodes), func(t *testing.T) {
			s := newModelStage(t, nodes)
			rapid.Check(t, func(check *rapid.T) {
				m := s.newModel(check)
				check.Repeat(m.steps())
				m.readAll()
			})
			for _, w := range s.nodes {
				w.dial().expectEmptyAfterShutdown(w)
			}
		})
	}
}

// modelStage is what all checks share, since it takes long to make.
type modelStage struct {
	t      *testing.T
	nodes  []*world
	store  *gatedStore
	people []*person
	heard  []chan int // by node, the marks that its bus has brought
	marked int        // the latest mark
}

func newModelStage(t *testing.T, nodes int) *modelStage {
	s := &modelStage{t: t, store: newGatedStore()}
	s.nodes = newClusterOn(t, nodes, s.store, nil).nodes
	for _, w := range s.nodes {
		heard := make(chan int, 1000)
		// After the server's own handler, so that what has been heard has been
		// delivered.
		cancel := w.bus.Subscribe(func(e bus.Event) {
			if e.Name == "model_mark" {
				mark, _ := strconv.Atoi(e.Whom)
				heard <- mark
			}
		})
		t.Cleanup(cancel)
		s.heard = append(s.heard, heard)
	}
	for _, name := range []string{"alice", "bob", "carol"} {
		p := &person{name: name}
		p.sessions = []*session{{user: s.nodes[0].register(name), name: "first"}, {user: s.nodes[0].login(name), name: "second"}}
		s.people = append(s.people, p)
	}
	return s
}

// checkTB has the helpers of the tests fail a check, not the whole test.
type checkTB struct {
	testing.TB
	check *rapid.T
}

func (tb checkTB) Helper()                           { tb.check.Helper() }
func (tb checkTB) Fatal(args ...any)                 { tb.check.Fatal(args...) }
func (tb checkTB) Fatalf(format string, args ...any) { tb.check.Fatalf(format, args...) }
func (tb checkTB) Cleanup(f func())                  { tb.check.Cleanup(f) }

// newModel begins a check, in which nobody is connected, nor in a chat, nor
// blocked.
func (s *modelStage) newModel(check *rapid.T) *model {
	tb := checkTB{s.t, check}
	m := &model{modelStage: s, t: check, unheard: map[int]bool{}}
	for _, w := range s.nodes {
		node := *w
		node.t = tb
		m.nodes = append(m.nodes, &node)
	}
	s.store.forget()
	for _, p := range s.people {
		p.blocks, p.chats, p.deleted = map[*person]bool{}, map[string]bool{}, false
		for i, session := range p.sessions {
			if session.revoked {
				session.user, session.revoked = s.nodes[0].login(p.name), false
				p.sessions[i] = session
			}
		}
		blocked, err := s.store.Blocked(context.Background(), p.id())
		must(s.t, err)
		for _, other := range blocked {
			must(s.t, s.store.Unblock(context.Background(), p.id(), other))
		}
	}
	m.settle() // the events of signing in
	return m
}

// model is what must be so, and the connections that are to show it.
type model struct {
	*modelStage
	t     *rapid.T
	nodes []*world
	links []*modelConn
	log   []happening
	spent []*modelConn // whose resume tokens have been used
	count int          // of what was numbered

	// unheard are the nodes whose events others may not have heard yet, and
	// whether one of them changes who hears what.
	unheard map[int]bool
}

func (m *model) steps() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"connect":     func(*rapid.T) { m.connect() },
		"disconnect":  func(*rapid.T) { m.disconnect(pick(m, "who", m.linksThat(online))) },
		"resume":      func(*rapid.T) { m.resume(pick(m, "who", m.linksThat(offline))) },
		"go over":     func(*rapid.T) { m.resume(pick(m, "who", m.linksThat(online))) },
		"subscribe":   func(*rapid.T) { m.subscribe(pick(m, "who", m.linksThat(online))) },
		"unsubscribe": func(*rapid.T) { m.unsubscribe(pick(m, "who", m.linksThat(online))) },
		"publish":     func(*rapid.T) { m.happen(plainDeeds) },
		"publish 2":   func(*rapid.T) { m.happen(plainDeeds); m.happen(plainDeeds) },
		"publish 5": func(*rapid.T) {
			for range 5 {
				m.happen(plainDeeds)
			}
		},
		"change":   func(*rapid.T) { m.happen(changes) },
		"change 2": func(*rapid.T) { m.happen(changes); m.happen(plainDeeds) },
		"read":     func(*rapid.T) { m.readAll() },
	}
}
