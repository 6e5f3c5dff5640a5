package cl4

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"meower/core"
	"meower/store"
	"meower/store/memory"
)

// gatedStore lets a test say who is in which chat, which a store cannot
// change yet, and stop a connection while ready is assembled.
type gatedStore struct {
	store.Store
	mu    sync.Mutex
	chats map[string][]string
	gate  *gate // for the next who asks; nil is none
}

// gate is where an authentication waits.
type gate struct {
	stale         bool  // the store is read before
	err           error // what the store answers
	entered, open chan struct{}
}

func newGatedStore() *gatedStore {
	return &gatedStore{Store: memory.New(), chats: map[string][]string{}}
}

func (s *gatedStore) ChatIDsOf(ctx context.Context, userID string) ([]string, error) {
	s.mu.Lock()
	chats, gate := slices.Clone(s.chats[userID]), s.gate
	s.gate = nil
	s.mu.Unlock()
	if gate == nil {
		return chats, nil
	}
	close(gate.entered)
	select {
	case <-gate.open:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if !gate.stale {
		s.mu.Lock()
		chats = slices.Clone(s.chats[userID])
		s.mu.Unlock()
	}
	return chats, gate.err
}

// forget has nobody be in a chat.
func (s *gatedStore) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.chats)
}

func newGate() *gate { return &gate{entered: make(chan struct{}), open: make(chan struct{})} }

func (s *gatedStore) setGate(g *gate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gate = g
}

func (s *gatedStore) setMember(chat, userID string, in bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if in {
		s.chats[userID] = append(s.chats[userID], chat)
		return
	}
	s.chats[userID] = slices.DeleteFunc(s.chats[userID], func(other string) bool { return other == chat })
}

// begin dials and begins to authenticate; the store is asked, and has not
// answered.
func (s *gatedStore) begin(w *world, u user, g *gate) *client {
	s.setGate(g)
	c := w.dial()
	c.send(`{"cmd":"authenticate","token":"` + u.token + `"}`)
	<-g.entered
	return c
}

// TestStoreFailsAfterRevocation: it once took the server down that a connection
// which could not be authenticated had been told of something.
func TestStoreFailsAfterRevocation(t *testing.T) {
	gated := newGatedStore()
	w := newClusterOn(t, 1, gated, nil).nodes[0]
	alice := w.register("alice")
	gate := newGate()
	gate.err = errors.New("the store fails")
	c := gated.begin(w, alice, gate)
	must(t, w.core.Logout(t.Context(), alice.principal))
	w.publish(core.EventSyncUpdated, alice.id, `{}`)
	close(gate.open)
	c.expectClose(closeSessionRevoked)
	w.dial().expectEmptyAfterShutdown(w)
}

// TestChatJoinedWhileAuthenticating: who is told of a chat hears what goes on in
// it from then on, also before ready.
func TestChatJoinedWhileAuthenticating(t *testing.T) {
	for _, stale := range []bool{false, true} {
		gated := newGatedStore()
		w := newClusterOn(t, 1, gated, nil).nodes[0]
		alice := w.register("alice")
		gated.setMember("70", alice.id, true)
		gate := newGate()
		gate.stale = stale
		c := gated.begin(w, alice, gate)
		w.publish(core.EventChatCreated, alice.id, `{"id":"71"}`)
		w.publish(core.EventChatUpdated, "71", `{"id":"71","nickname":"x"}`)
		gated.setMember("71", alice.id, true)
		gated.setMember("70", alice.id, false)
		w.publish(core.EventChatDeleted, alice.id, `{"id":"70"}`)
		close(gate.open)
		c.read() // 100
		c.read() // ready
		c.expect(`{"cmd":"chat_created","val":{"id":"71"}}`)
		c.expect(`{"cmd":"chat_updated","val":{"id":"71","nickname":"x"}}`)
		c.expect(`{"cmd":"chat_deleted","val":{"id":"70"}}`)
		w.publish(core.EventChatUpdated, "70", `{"id":"70"}`)
		w.publish(core.EventChatUpdated, "71", `{"id":"71"}`)
		c.expect(`{"cmd":"chat_updated","val":{"id":"71"}}`)
		c.barrier()
	}
}
