package cl4

import (
	"maps"
	"sync"

	"meower/core"
)

// identity is who a connection belongs to. It is safe for concurrent use.
type identity struct {
	userID    string
	sessionID string // empty for bots
	username  string // when the connection was authenticated

	mu sync.RWMutex
	// The users whom this one blocks, and those who block them. Until learned,
	// false is what an event has said: it outranks what is read of the store.
	blocked, blockedBy map[string]bool
	learned            bool
}

func newIdentity(p *core.Principal) *identity {
	return &identity{
		userID:    p.User.ID,
		sessionID: p.SessionID,
		username:  p.User.Username,
		blocked:   map[string]bool{},
		blockedBy: map[string]bool{},
	}
}

// learn takes what the store says. Events that came meanwhile are newer, or say
// the same.
func (i *identity) learn(blocked, blockedBy []string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	merge(i.blocked, blocked)
	merge(i.blockedBy, blockedBy)
	i.learned = true
}

// merge adds the ids that no event has spoken of, and then drops those that are
// blocked no more.
func merge(told map[string]bool, ids []string) {
	for _, id := range ids {
		if _, known := told[id]; !known {
			told[id] = true
		}
	}
	maps.DeleteFunc(told, func(_ string, blocks bool) bool { return !blocks })
}

// set needs the lock.
func (i *identity) set(told map[string]bool, other string, blocks bool) {
	if !blocks && i.learned {
		delete(told, other)
		return
	}
	told[other] = blocks
}

// setBlocked records that the user blocks another, or does no more.
func (i *identity) setBlocked(other string, blocks bool) {
	i.mu.Lock()
	i.set(i.blocked, other, blocks)
	i.mu.Unlock()
}

// setBlockedBy records that another blocks the user, or does no more.
func (i *identity) setBlockedBy(other string, blocks bool) {
	i.mu.Lock()
	i.set(i.blockedBy, other, blocks)
	i.mu.Unlock()
}

// hides reports whether one of the two blocks the other.
func (i *identity) hides(other string) bool {
	i.mu.RLock()
	defer i.mu.RUnlock()
	return i.blocked[other] || i.blockedBy[other]
}
