package cl4

import (
	"fmt"
	"slices"
	"strings"
)

// This is the model of TestModel: who must get which packet. It knows nothing of
// how the server finds that out.

// person is a user of the model.
type person struct {
	name     string
	sessions []*session
	blocks   map[*person]bool
	chats    map[string]bool
	deleted  bool
}

type session struct {
	user
	name    string
	revoked bool
}

func (p *person) id() string { return p.sessions[0].id }

// hidden reports whether one of the two blocks the other.
func hidden(a, b *person) bool { return a.blocks[b] || b.blocks[a] }

// audience says who gets an event.
type audience int

const (
	toPerson audience = iota // all connections of whom
	toProfile
	toNewPosts
	toPostOf
	toCommentsOf
	toChatOf
)

// happening is an event of the model.
type happening struct {
	name   string
	to     audience
	whom   string  // an id
	about  *person // with toPerson and toProfile, whom
	author *person // nil where blocks do not matter
	packet string
	public string // with toProfile, what others get; empty is nothing
	// object is what cannot be seen any more once it, or what it is part of, has
	// been deleted.
	object, within string
	deletes        bool
	node           int // where it was published
}

// state is how far a connection is.
type state int

const (
	entering state = iota // known to the server, without ready
	online
	offline // its client may come back
	ended   // and will not be heard of again
)

// modelConn is a connection of the model. It outlives its client: to a client that
// comes back, it is as though it had been there.
type modelConn struct {
	name    string
	who     *person
	session *session
	node    int
	client  *client
	state   state
	topics  map[string]bool // that it has subscribed to
	chats   map[string]bool // that it hears of
	due     []int           // what it has not got yet, by place in the log
	late    []string        // events that have come since its client last sent something
	known   bool            // to the server; then it can be closed
	closed  int             // the code with which it must be closed; 0 is none
	gone    <-chan struct{} // closed when the server has seen its end
}

// String and GoString make failing sequences readable.
func (l *modelConn) String() string   { return l.name }
func (l *modelConn) GoString() string { return l.name }
func (p *person) GoString() string    { return p.name }
func (s *session) GoString() string   { return s.name }
func (d deed) String() string         { return d.name }
func (d deed) GoString() string       { return d.name }

// packetFor returns what a connection gets of an event, empty for nothing.
func (l *modelConn) packetFor(h happening) string {
	if l.state == ended || l.closed != 0 {
		return ""
	}
	hears := false
	switch h.to {
	case toPerson:
		hears = l.who == h.about && (h.author == nil || !hidden(l.who, h.author))
	case toProfile:
		if l.who != h.about {
			if l.topics["users/"+h.whom] {
				return h.public
			}
			return ""
		}
		hears = true
	case toNewPosts:
		hears = l.topics["new_posts/"] && !hidden(l.who, h.author)
	case toPostOf:
		hears = l.topics["posts/"+h.whom]
	case toCommentsOf:
		hears = l.topics["comments/"+h.whom]
	case toChatOf:
		hears = l.chats[h.whom]
	}
	if !hears {
		return ""
	}
	return h.packet
}

// tell has everyone who must get an event expect it.
func (m *model) tell(h happening) {
	m.log = append(m.log, h)
	for _, l := range m.links {
		if l.packetFor(h) != "" {
			l.due = append(l.due, len(m.log)-1)
		}
	}
}

// take takes off what is due to a connection what it has got. Events of one node
// have an order, those of several have none.
func (m *model) take(l *modelConn, packet string) bool {
	later := map[int]bool{}
	for i, place := range l.due {
		h := m.log[place]
		if later[h.node] {
			continue
		}
		if h.packet == packet || h.to == toProfile && l.who != h.about && h.public == packet {
			l.due = slices.Delete(l.due, i, i+1)
			return true
		}
		later[h.node] = true
	}
	return false
}

// forget leaves out of what a connection has missed what its user may not see
// any more.
func (m *model) forget(l *modelConn) {
	l.due = slices.DeleteFunc(l.due, func(place int) bool { return !m.visible(l.who, place) })
}

func (m *model) visible(who *person, place int) bool {
	h := m.log[place]
	if h.author != nil && hidden(who, h.author) || h.to == toChatOf && !who.chats[h.whom] {
		return false
	}
	return !slices.ContainsFunc(m.log[place+1:], func(later happening) bool {
		return later.deletes && (later.object == h.object || later.object == h.within)
	})
}

// dueTo returns the packets that a connection has not got, for people to read.
func (m *model) dueTo(l *modelConn) string {
	var b strings.Builder
	for _, place := range l.due {
		fmt.Fprintf(&b, "\n  %s (node %d)", l.packetOf(m.log[place]), m.log[place].node)
	}
	return b.String()
}

func (l *modelConn) packetOf(h happening) string {
	if h.to == toProfile && l.who != h.about {
		return h.public
	}
	return h.packet
}

// joins has a user's connections hear of a chat, or no more.
func (m *model) joins(who *person, chat string, in bool) {
	put(who.chats, chat, in)
	for _, l := range m.links {
		if l.who == who {
			put(l.chats, chat, in)
		}
	}
}

func put[K comparable](members map[K]bool, member K, in bool) {
	if in {
		members[member] = true
		return
	}
	delete(members, member)
}

// ends has connections closed with a code.
func (m *model) ends(code int, which func(*modelConn) bool) {
	for _, l := range m.links {
		if l.known && l.closed == 0 && which(l) {
			l.closed = code
		}
	}
}

// eventPacketOf is the packet of most events.
func eventPacketOf(name, value string) string {
	return `{"cmd":"` + name + `","val":` + value + `}`
}
