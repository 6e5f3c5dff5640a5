package cl4

import "sync"

// hub knows which connections get what. It is safe for concurrent use; nothing
// is sent while its lock is held.
type hub struct {
	mu        sync.Mutex
	conns     set
	addresses map[string]int
	users     map[string]*account
	topics    map[string]*set
	// of holds each connection's topics, so that all can be removed with it.
	of map[*conn]map[string]struct{}
}

// account is a user with at least one connection.
type account struct {
	set
	username string
}

// listedUser is a user in a list of users.
type listedUser struct {
	ID       string `json:"id"`
	Username string `json:"username"`
}

// set is a set of connections with a snapshot that is made anew only when the
// set has changed.
type set struct {
	members  map[*conn]struct{}
	snapshot []*conn // nil when out of date; never changed once made
}

func (s *set) add(c *conn) {
	if s.members == nil {
		s.members = map[*conn]struct{}{}
	}
	s.members[c] = struct{}{}
	s.snapshot = nil
}

func (s *set) remove(c *conn) {
	delete(s.members, c)
	s.snapshot = nil
}

func (s *set) list() []*conn {
	if s.snapshot == nil && len(s.members) > 0 {
		s.snapshot = make([]*conn, 0, len(s.members))
		for c := range s.members {
			s.snapshot = append(s.snapshot, c)
		}
	}
	return s.snapshot
}

func newHub() *hub {
	return &hub{
		addresses: map[string]int{},
		users:     map[string]*account{},
		topics:    map[string]*set{},
		of:        map[*conn]map[string]struct{}{},
	}
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
	if _, known := h.conns.members[c]; !known {
		return
	}
	h.conns.remove(c)
	if h.addresses[c.address]--; h.addresses[c.address] == 0 {
		delete(h.addresses, c.address)
	}
	h.forgetUser(c)
	for topic := range h.of[c] {
		h.drop(c, topic)
	}
}

// register makes the connection one of who's. It returns false where they have
// limit connections already; 0 is no limit.
func (h *hub) register(c *conn, who *identity, limit int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	a := h.users[who.userID]
	if a == nil {
		a = &account{}
		h.users[who.userID] = a
	}
	if limit > 0 && len(a.members) >= limit {
		return false
	}
	a.username = who.username
	a.add(c)
	c.who.Store(who)
	return true
}

// unregister undoes register.
func (h *hub) unregister(c *conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.forgetUser(c)
}

func (h *hub) forgetUser(c *conn) {
	who := c.who.Swap(nil)
	if who == nil {
		return
	}
	a := h.users[who.userID]
	a.remove(c)
	if len(a.members) == 0 {
		delete(h.users, who.userID)
	}
}

// subscribe adds a subscription; one that exists stays one. It returns false
// where the connection has too many.
func (h *hub) subscribe(c *conn, topic string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	mine := h.of[c]
	if _, subscribed := mine[topic]; subscribed {
		return true
	}
	if len(mine) >= maxSubscriptions {
		return false
	}
	if mine == nil {
		mine = map[string]struct{}{}
		h.of[c] = mine
	}
	mine[topic] = struct{}{}
	if h.topics[topic] == nil {
		h.topics[topic] = &set{}
	}
	h.topics[topic].add(c)
	return true
}

// unsubscribe removes a subscription, if there is one.
func (h *hub) unsubscribe(c *conn, topic string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, subscribed := h.of[c][topic]; subscribed {
		h.drop(c, topic)
	}
}

// dropTopic ends everyone's subscription to a topic.
func (h *hub) dropTopic(topic string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s := h.topics[topic]; s != nil {
		for _, c := range s.list() {
			h.drop(c, topic)
		}
	}
}

func (h *hub) drop(c *conn, topic string) {
	s := h.topics[topic]
	s.remove(c)
	if len(s.members) == 0 {
		delete(h.topics, topic)
	}
	delete(h.of[c], topic)
	if len(h.of[c]) == 0 {
		delete(h.of, c)
	}
}

// all returns every connection. Like all lists of the hub it must not be changed.
func (h *hub) all() []*conn {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.conns.list()
}

// userConns returns a user's connections.
func (h *hub) userConns(userID string) []*conn {
	h.mu.Lock()
	defer h.mu.Unlock()
	if a := h.users[userID]; a != nil {
		return a.list()
	}
	return nil
}

// subscribers returns the connections that are subscribed to a topic.
func (h *hub) subscribers(topic string) []*conn {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s := h.topics[topic]; s != nil {
		return s.list()
	}
	return nil
}

// rename records a user's new name.
func (h *hub) rename(userID, username string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if a := h.users[userID]; a != nil {
		a.username = username
	}
}

// userList returns up to limit users who are connected to this node.
func (h *hub) userList(limit int) []listedUser {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := make([]listedUser, 0, min(limit, len(h.users)))
	for id, a := range h.users {
		if len(list) == limit {
			break
		}
		list = append(list, listedUser{ID: id, Username: a.username})
	}
	return list
}
