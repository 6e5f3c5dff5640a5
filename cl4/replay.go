package cl4

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/websocket"

	"meower/bus"
	"meower/core"
)

// absence is a connection as it would have been while its client was away.
type absence struct {
	topics map[string]bool
	who    *identity
}

// absenceFrom returns how it was before the first of the events that were
// missed. The connection may have heard of some of its user's chats before its
// end was seen, although the client has not: the first event about a chat says
// how it was before that.
func (s *Server) absenceFrom(who *identity, before *departure, events []bus.Event) *absence {
	a := &absence{topics: map[string]bool{}, who: &identity{userID: who.userID}}
	a.who.learn(before.Blocked, before.BlockedBy, nil)
	for _, topic := range before.Topics {
		a.topics[topic] = true
	}
	for _, e := range slices.Backward(events) {
		// A subscription that was lost counts where the client has not been told why.
		if topic := topicUsers + e.Whom; deletesUser(e) && slices.Contains(before.Lost, topic) {
			a.topics[topic] = true
		}
		if chat, joined, ok := a.membership(s, e); ok {
			a.topics[topicChats+chat] = !joined
		}
	}
	return a
}

// membership returns the chat that the user joins or leaves with an event.
func (a *absence) membership(s *Server, e bus.Event) (chat string, joined, ok bool) {
	joined = e.Name == core.EventChatCreated
	if e.Whom != a.who.userID || !joined && e.Name != core.EventChatDeleted {
		return "", false, false
	}
	chat, ok = s.chatOf(e)
	return chat, joined, ok
}

// follow changes what an event changes for those after it.
func (a *absence) follow(c *conn, e bus.Event) {
	switch e.Name {
	case core.EventChatCreated, core.EventChatDeleted:
		if chat, joined, ok := a.membership(c.server, e); ok {
			a.topics[topicChats+chat] = joined
		}
	case core.EventRelationshipUpdated:
		other, blocked, ok := c.server.relationshipOf(e)
		if ok && e.Whom == a.who.userID {
			a.who.setBlocked(other, blocked)
		}
		if ok && other == a.who.userID {
			a.who.setBlockedBy(e.Whom, blocked)
		}
	case core.EventUserUpdated:
		if deletesUser(e) {
			delete(a.topics, topicUsers+e.Whom)
			c.server.hub.unsubscribe(c, topicUsers+e.Whom)
		}
	}
}

// replay sends what a connection would have got of these events, had it been
// there, and returns how many that were. What the user may no longer see is left
// out.
func (c *conn) replay(who *identity, before *departure, events []bus.Event) (count int) {
	s := c.server
	then, now := s.absenceFrom(who, before, events), map[string]bool{}
	topics, _ := s.hub.topicsOf(c)
	for _, topic := range slices.Concat(topics, before.Lost) {
		now[topic] = true
	}
	gone := deletions(events)
	for i, e := range events {
		if route, known := routes[e.Name]; known && !gone.after(e, i) {
			for _, d := range route.deliveries(s, e) {
				if then.topics[d.topic] && now[d.topic] && (d.admits == nil || d.admits(then.who) && d.admits(who)) {
					c.answerPaced(&frame{kind: websocket.TextMessage, data: d.packet(), at: time.Now(), prior: &e.Prior})
					count++
				}
			}
		}
		then.follow(c, e)
	}
	return count
}

// gone says for every object that an event deletes which of them does.
type gone map[string]int

func deletions(events []bus.Event) gone {
	g := gone{}
	for i, e := range events {
		if strings.HasSuffix(e.Name, "_deleted") || deletesUser(e) {
			if object := objectOf(e); object != "" {
				g[object] = i
			}
		}
	}
	return g
}

// after reports whether what an event is about, or what that is part of, is
// deleted after it.
func (g gone) after(e bus.Event, i int) bool {
	if len(g) == 0 {
		return false
	}
	switch e.Name {
	case core.EventCommentCreated, core.EventCommentUpdated, core.EventCommentDeleted:
		if g["post/"+e.Whom] > i {
			return true
		}
	}
	return g[objectOf(e)] > i
}

// objectOf returns what a post's, comment's or message's event, or one about a
// user's profile, is about, empty for others.
func objectOf(e bus.Event) string {
	if e.Name == core.EventUserUpdated {
		return "user/" + e.Whom
	}
	kind, _, _ := strings.Cut(e.Name, "_")
	if kind != "post" && kind != "comment" && kind != "message" {
		return ""
	}
	var object struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(e.Value, &object) != nil || object.ID == "" {
		return ""
	}
	return kind + "/" + object.ID
}

// deletesUser reports whether an event says that a user has been deleted.
func deletesUser(e bus.Event) bool {
	var fields map[string]json.RawMessage
	return e.Name == core.EventUserUpdated && json.Unmarshal(e.Value, &fields) == nil && isDeleted(fields)
}

// answerPaced is answerFrame for what may be a lot: it waits for the client where
// too much is queued.
func (c *conn) answerPaced(f *frame) {
	c.answerFrame(f)
	c.mu.Lock()
	full := c.bytes > paceQueued
	c.mu.Unlock()
	if full {
		c.flush()
		c.waitWritten()
	}
}
