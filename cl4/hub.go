package cl4

import (
	"slices"
	"strings"
	"sync"
)

// Topics are what connections get events about. Clients subscribe to those of
// subscribe.go; "me/" and the user's id, and "chats/" and a chat's id, come with
// authentication, and changes of the list of users with the handshake. "rooms/"
// and a room's name are those of the room commands.
const (
	topicMe       = "me/"
	topicChats    = "chats/"
	topicUserList = "ulist"
	topicRooms    = "rooms/"
)

// needsUser reports whether a topic comes with authentication.
func needsUser(topic string) bool {
	return topic != topicUserList && !strings.HasPrefix(topic, topicRooms)
}

// hub knows which connections get what. It is safe for concurrent use; nothing
// is sent while its lock is held.
type hub struct {
	mu        sync.Mutex
	conns     set
	addresses map[string]int
	topics    map[string]*set
}

// set is a set of connections. Its members may be handed out and read without
// the lock, since they are replaced rather than changed where someone may be
// reading them.
type set struct {
	members []*conn
	index   map[*conn]int // where each is; nil while a look at all is quicker
	lent    bool
}

// indexed is from how many members on a set has an index.
const indexed = 32

func (s *set) find(c *conn) int {
	if s.index == nil {
		return slices.Index(s.members, c)
	}
	if i, ok := s.index[c]; ok {
		return i
	}
	return -1
}

// add adds a connection that is not in the set. Behind the end of a list that
// has been lent nobody reads.
func (s *set) add(c *conn) {
	s.members = append(s.members, c)
	switch n := len(s.members); {
	case s.index != nil:
		s.index[c] = n - 1
	case n == indexed:
		s.index = make(map[*conn]int, 2*indexed)
		for i, member := range s.members {
			s.index[member] = i
		}
	}
}

// remove removes a connection, if it is there.
func (s *set) remove(c *conn) {
	i := s.find(c)
	if i < 0 {
		return
	}
	if s.lent {
		s.members = slices.Clone(s.members)
		s.lent = false
	}
	last := len(s.members) - 1
	moved := s.members[last]
	s.members[i], s.members[last] = moved, nil
	s.members = s.members[:last]
	if s.index != nil {
		s.index[moved] = i
		delete(s.index, c)
	}
}

func (s *set) list() []*conn {
	s.lent = true
	return s.members[:len(s.members):len(s.members)]
}

func newHub() *hub {
	return &hub{addresses: map[string]int{}, topics: map[string]*set{}}
}

// add takes a new connection in. It returns false where its address has limit
// connections already; 0 is no limit.
func (h *hub) add(c *conn, limit int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if limit > 0 && h.addresses[c.address] >= limit {
		return false
	}
	h.addresses[c.address]++
	h.conns.add(c)
	return true
}

// remove forgets a connection and all that it subscribed to. A connection that
// was not taken in is left alone.
func (h *hub) remove(c *conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.conns.find(c) < 0 {
		return
	}
	h.conns.remove(c)
	if h.addresses[c.address]--; h.addresses[c.address] == 0 {
		delete(h.addresses, c.address)
	}
	for _, topic := range c.topics {
		h.drop(c, topic)
	}
	c.topics, c.subscriptions = nil, 0
}

// register makes the connection one of who's. It returns false where they have
// limit connections already; 0 is no limit.
func (h *hub) register(c *conn, who *identity, limit int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	topic := topicMe + who.userID
	if mine := h.topics[topic]; limit > 0 && mine != nil && len(mine.members) >= limit {
		return false
	}
	h.enter(c, topic)
	c.who.Store(who)
	return true
}

// unregister undoes register.
func (h *hub) unregister(c *conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c.topics = slices.DeleteFunc(c.topics, func(topic string) bool {
		if needsUser(topic) {
			h.drop(c, topic)
			return true
		}
		return false
	})
	c.subscriptions = 0
	c.who.Store(nil)
}

// listen adds a topic that does not need authentication. A connection that has
// ended, or was never taken in, is left alone.
func (h *hub) listen(c *conn, topic string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.conns.find(c) >= 0 && !slices.Contains(c.topics, topic) {
		h.enter(c, topic)
	}
}

// join adds a topic that comes with authentication; one that is there stays.
func (h *hub) join(c *conn, topic string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c.who.Load() != nil && !slices.Contains(c.topics, topic) {
		h.enter(c, topic)
	}
}

// part undoes join, and listen.
func (h *hub) part(c *conn, topic string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.leave(c, topic)
}

// subscribe adds a subscription; one that exists stays one. It returns false
// where the connection has too many.
func (h *hub) subscribe(c *conn, topic string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if slices.Contains(c.topics, topic) {
		return true
	}
	if c.subscriptions >= maxSubscriptions {
		return false
	}
	c.subscriptions++
	h.enter(c, topic)
	return true
}

// unsubscribe removes a subscription, if there is one.
func (h *hub) unsubscribe(c *conn, topic string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.leave(c, topic) {
		c.subscriptions--
	}
}

// dropTopic ends everyone's subscription to a topic.
func (h *hub) dropTopic(topic string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s := h.topics[topic]; s != nil {
		for _, c := range s.list() {
			h.leave(c, topic)
			c.subscriptions--
			c.lost = append(c.lost, topic)
		}
	}
}

// topicsOf returns a connection's topics, and those that dropTopic took from it.
func (h *hub) topicsOf(c *conn) (topics, lost []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(c.topics), slices.Clone(c.lost)
}

// enter needs the lock. The connection is not in the topic yet.
func (h *hub) enter(c *conn, topic string) {
	s := h.topics[topic]
	if s == nil {
		s = &set{}
		h.topics[topic] = s
	}
	s.add(c)
	c.topics = append(c.topics, topic)
}

// leave needs the lock. It returns false where the connection is not in the
// topic.
func (h *hub) leave(c *conn, topic string) bool {
	i := slices.Index(c.topics, topic)
	if i < 0 {
		return false
	}
	c.topics = slices.Delete(c.topics, i, i+1)
	h.drop(c, topic)
	return true
}

// drop needs the lock. It leaves the connection's own list alone.
func (h *hub) drop(c *conn, topic string) {
	s := h.topics[topic]
	s.remove(c)
	if len(s.members) == 0 {
		delete(h.topics, topic)
	}
}

// all returns every connection. Like all lists of the hub it must not be changed.
func (h *hub) all() []*conn {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.conns.list()
}

// in returns the connections that are in a topic.
func (h *hub) in(topic string) []*conn {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s := h.topics[topic]; s != nil {
		return s.list()
	}
	return nil
}
