package cl4

import (
	"maps"
	"sync"
	"sync/atomic"

	"meower/core"
)

// identity is who a connection belongs to. It is safe for concurrent use.
type identity struct {
	userID    string
	sessionID string // empty for bots
	resume    string // what the client may name to go on with another connection

	username atomic.Pointer[string]
	// hidden are the users of whom and this one, one blocks the other. The set is
	// replaced, never changed, since it is read for every event. nil is empty.
	hidden atomic.Pointer[map[string]struct{}]

	mu sync.Mutex
	// The users whom this one blocks, those who block them, and the chats they
	// are in.
	blocked, blockedBy, chats overlay
}

// overlay is a set of ids that events change from the start, and that is read of
// the store a little later: what an event has said by then outranks what is
// read.
type overlay struct {
	ids     map[string]bool // false is known not to be in the set; only until learned
	learned bool
}

func (o *overlay) set(id string, in bool) {
	if o.ids == nil {
		o.ids = map[string]bool{}
	}
	if !in && o.learned {
		delete(o.ids, id)
		return
	}
	o.ids[id] = in
}

// learn adds what has been read, and returns all that is in the set.
func (o *overlay) learn(read []string) []string {
	for _, id := range read {
		if _, told := o.ids[id]; !told {
			o.set(id, true)
		}
	}
	o.learned = true
	maps.DeleteFunc(o.ids, func(_ string, in bool) bool { return !in })
	return o.list()
}

// list returns what is known to be in the set.
func (o *overlay) list() []string {
	all := make([]string, 0, len(o.ids))
	for id, in := range o.ids {
		if in {
			all = append(all, id)
		}
	}
	return all
}

func newIdentity(p *core.Principal, resume string) *identity {
	i := &identity{userID: p.User.ID, sessionID: p.SessionID, resume: resume}
	i.username.Store(&p.User.Username)
	return i
}

// learn takes what the store says and returns the chats that the user is in.
func (i *identity) learn(blocked, blockedBy, chats []string) []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.blocked.learn(blocked)
	i.blockedBy.learn(blockedBy)
	i.hide()
	in := i.chats.learn(chats)
	i.chats.ids = nil // from here on the hub knows
	return in
}

// setBlocked records that the user blocks another, or does no more.
func (i *identity) setBlocked(other string, blocks bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.blocked.set(other, blocks)
	i.hide()
}

// setBlockedBy records that another blocks the user, or does no more.
func (i *identity) setBlockedBy(other string, blocks bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.blockedBy.set(other, blocks)
	i.hide()
}

// blocks returns whom the user blocks and who blocks them.
func (i *identity) blocks() (blocked, blockedBy []string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.blocked.list(), i.blockedBy.list()
}

// setMember records that the user is in a chat, or is no more. Once the chats
// have been read, the hub knows them.
func (i *identity) setMember(chat string, in bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.chats.learned {
		i.chats.set(chat, in)
	}
}

// hide makes hidden anew. It needs the lock.
func (i *identity) hide() {
	var hidden map[string]struct{}
	for _, o := range [...]*overlay{&i.blocked, &i.blockedBy} {
		for id, in := range o.ids {
			if in {
				if hidden == nil {
					hidden = map[string]struct{}{}
				}
				hidden[id] = struct{}{}
			}
		}
	}
	if hidden == nil {
		i.hidden.Store(nil)
		return
	}
	i.hidden.Store(&hidden)
}

// hides reports whether one of the two blocks the other.
func (i *identity) hides(other string) bool {
	hidden := i.hidden.Load()
	if hidden == nil {
		return false
	}
	_, hides := (*hidden)[other]
	return hides
}
