package cl4

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"sync"
	"time"

	"meower/bus"
	"meower/core"
)

// The events between nodes about rosters. Whom is the list's name.
const (
	eventRosterChanged = "roster_changed" // a node's members are others, or as they were
	eventRosterAsked   = "roster_asked"   // a node wants to know who is there
)

// rosterWait is how long a roster waits for Redis.
const rosterWait = 2 * time.Second

// rosterTiming is how long a roster takes for things.
type rosterTiming struct {
	collect time.Duration // changes that come together go out together
	beat    time.Duration // between signs of life
	life    time.Duration // of a node without one
}

var defaultRosterTiming = rosterTiming{
	collect: 50 * time.Millisecond,
	beat:    core.RosterLife / 3,
	life:    core.RosterLife,
}

// roster is a list that all nodes share, such as that of the users who are
// connected: each has members of its own, tells the others what changes, and
// keeps a copy of theirs, so that asking costs nothing. Who misses a change sees
// by its number that it has, and reads the other's members from Redis, where
// every node writes its own before it tells of them.
type roster struct {
	core   *core.Core
	shared *core.Roster
	list   string
	node   string
	log    *slog.Logger
	timing rosterTiming
	// heard is called with the lock held when another node's member comes, gets
	// another value, or goes (in false).
	heard func(node, member, value string, in bool)

	mu     sync.Locker // the owner's
	own    map[string]string
	dirty  map[string]struct{} // of own, since the latest flush
	number int64
	others map[string]*colleague
	stale  map[string]struct{} // the nodes whose members must be read

	wake chan struct{}
	quit chan struct{}
	done chan struct{}
	// unsaved says that Redis does not have what it should; the goroutine's own.
	unsaved bool
}

// colleague is another node.
type colleague struct {
	number  int64
	members map[string]string
	seen    time.Time
}

// rosterChange is the value of eventRosterChanged. Without anything set or gone
// it is a sign of life.
type rosterChange struct {
	Node   string            `json:"node"`
	Number int64             `json:"number"`
	Set    map[string]string `json:"set,omitempty"`
	Gone   []string          `json:"gone,omitempty"`
	Bye    bool              `json:"bye,omitempty"`
}

// newRoster returns the node's view of a list, under the owner's lock.
func newRoster(s *Server, list string, mu sync.Locker, heard func(node, member, value string, in bool)) *roster {
	return &roster{
		core:   s.core,
		shared: s.core.Roster(list, s.name),
		list:   list,
		node:   s.name,
		log:    s.log,
		timing: defaultRosterTiming,
		heard:  heard,
		mu:     mu,
		own:    map[string]string{},
		dirty:  map[string]struct{}{},
		others: map[string]*colleague{},
		stale:  map[string]struct{}{},
		wake:   make(chan struct{}, 1),
		quit:   make(chan struct{}),
		done:   make(chan struct{}),
	}
}

// start begins to tell and to listen, until stop.
func (r *roster) start() { go r.run() }

func (r *roster) stop() {
	close(r.quit)
	<-r.done
}

// put makes something a member, or gives it another value. It needs the lock.
func (r *roster) put(member, value string) {
	r.own[member] = value
	r.touch(member)
}

// remove makes something no member any more. It needs the lock.
func (r *roster) remove(member string) {
	delete(r.own, member)
	r.touch(member)
}

func (r *roster) touch(member string) {
	r.dirty[member] = struct{}{}
	r.rouse()
}

// rouse has the goroutine look at what there is to do.
func (r *roster) rouse() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

func (r *roster) run() {
	defer close(r.done)
	beat := time.NewTicker(r.timing.beat)
	defer beat.Stop()
	r.core.Tell(context.Background(), eventRosterAsked, r.list, rosterChange{Node: r.node})
	for {
		select {
		case <-r.quit:
			r.leave()
			return
		case <-beat.C:
			r.beat()
		case <-r.wake:
			r.pause()
			r.flush()
			r.catchUp()
		}
	}
}

// pause waits for what else may come.
func (r *roster) pause() {
	timer := time.NewTimer(r.timing.collect)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.quit:
	}
}

// flush writes and tells what has changed.
func (r *roster) flush() {
	change := rosterChange{Node: r.node}
	r.mu.Lock()
	if len(r.dirty) == 0 {
		r.mu.Unlock()
		return
	}
	for member := range r.dirty {
		if value, in := r.own[member]; in {
			if change.Set == nil {
				change.Set = map[string]string{}
			}
			change.Set[member] = value
		} else {
			change.Gone = append(change.Gone, member)
		}
	}
	clear(r.dirty)
	r.number++
	change.Number = r.number
	r.mu.Unlock()

	ctx, cancel := context.WithTimeout(context.Background(), rosterWait)
	defer cancel()
	// Whoever hears of the change must be able to read it.
	if err := r.shared.Change(ctx, change.Set, change.Gone, change.Number); err != nil {
		r.failed(err)
	}
	r.core.Tell(ctx, eventRosterChanged, r.list, change)
}

// beat gives a sign of life, writes what could not be written, and forgets the
// nodes that gave none.
func (r *roster) beat() {
	ctx, cancel := context.WithTimeout(context.Background(), rosterWait)
	defer cancel()
	there, err := r.shared.Renew(ctx)
	r.mu.Lock()
	number, all := r.number, maps.Clone(r.own)
	r.mu.Unlock()
	if err == nil && (r.unsaved || !there && len(all) > 0) {
		err = r.shared.Replace(ctx, all, number)
		r.unsaved = err != nil
	}
	if err != nil {
		r.failed(err)
	}
	r.core.Tell(ctx, eventRosterChanged, r.list, rosterChange{Node: r.node, Number: number})
	r.expire(err != nil)
	r.catchUp()
}

func (r *roster) failed(err error) {
	r.unsaved = true
	r.log.Warn("list is not shared", slog.String("list", r.list), slog.Any("error", err))
}

// expire forgets the nodes without a sign of life. During an outage none can be
// heard, and everyone is taken to be still there.
func (r *roster) expire(outage bool) {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	for node, other := range r.others {
		switch {
		case outage:
			other.seen = now
		case now.Sub(other.seen) > r.timing.life:
			r.forget(node)
		}
	}
}

// forget needs the lock.
func (r *roster) forget(node string) {
	if other := r.others[node]; other != nil {
		delete(r.others, node)
		for member, value := range other.members {
			r.heard(node, member, value, false)
		}
	}
	delete(r.stale, node)
}

// catchUp reads the members of nodes that have told of changes which did not
// reach this one.
func (r *roster) catchUp() {
	r.mu.Lock()
	stale := maps.Clone(r.stale)
	r.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), rosterWait)
	defer cancel()
	for node := range stale {
		members, number, err := r.shared.Of(ctx, node)
		if err != nil {
			r.failed(err)
			return // with the next beat again
		}
		r.replace(node, members, number)
	}
}

// replace takes what a node has written as its members, unless it is older than
// what it has told.
func (r *roster) replace(node string, members map[string]string, number int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	other := r.others[node]
	if other == nil || number < other.number {
		return // forgotten meanwhile, or for the next beat
	}
	delete(r.stale, node)
	other.number = number
	for member := range other.members {
		if _, in := members[member]; !in {
			r.set(node, other, member, nil)
		}
	}
	for member, value := range members {
		r.set(node, other, member, &value)
	}
}

// set changes one member of another node; nil removes it. It needs the lock.
func (r *roster) set(node string, other *colleague, member string, value *string) {
	before, was := other.members[member]
	switch {
	case value == nil && was:
		delete(other.members, member)
		r.heard(node, member, before, false)
	case value != nil && (!was || before != *value):
		other.members[member] = *value
		r.heard(node, member, *value, true)
	}
}

// onEvent takes what another node tells. Like every handler of the bus it does
// not block.
func (r *roster) onEvent(e bus.Event) {
	var change rosterChange
	if err := json.Unmarshal(e.Value, &change); err != nil || change.Node == "" {
		r.log.Error("event cannot be read", slog.String("event", e.Name), slog.Any("error", err))
		return
	}
	if change.Node == r.node {
		return
	}
	if e.Name == eventRosterAsked {
		r.answerAsked()
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if change.Bye {
		r.forget(change.Node)
		return
	}
	other := r.others[change.Node]
	if other == nil {
		other = &colleague{members: map[string]string{}}
		r.others[change.Node] = other
	}
	other.seen = time.Now()
	r.apply(other, change)
}

// apply needs the lock.
func (r *roster) apply(other *colleague, change rosterChange) {
	changes := len(change.Set) + len(change.Gone)
	switch {
	case change.Number == other.number+1 && changes > 0:
		other.number = change.Number
		for _, member := range change.Gone {
			r.set(change.Node, other, member, nil)
		}
		for member, value := range change.Set {
			r.set(change.Node, other, member, &value)
		}
	case change.Number > other.number:
		r.stale[change.Node] = struct{}{}
		r.rouse()
	}
}

// answerAsked has the node give a sign of life soon, by way of a change that
// changes nothing.
func (r *roster) answerAsked() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for member := range r.own {
		r.touch(member)
		return
	}
}

// leave takes the node's members away, at the end.
func (r *roster) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), rosterWait)
	defer cancel()
	if err := r.shared.Leave(ctx); err != nil {
		r.failed(err)
	}
	r.core.Tell(ctx, eventRosterChanged, r.list, rosterChange{Node: r.node, Bye: true})
}
