package cl4

import (
	"encoding/json"
	"log/slog"

	"github.com/gorilla/websocket"

	"meower/bus"
	"meower/core"
)

// routes say who gets an event. It is filled once and only read after.
var routes = map[string]func(*Server, bus.Event){
	core.EventUserUpdated:         (*Server).userUpdated,
	core.EventSessionCreated:      (*Server).toUser,
	core.EventSessionUpdated:      (*Server).toUser,
	core.EventSessionDeleted:      (*Server).sessionDeleted,
	core.EventRelationshipUpdated: (*Server).relationshipUpdated,
	core.EventPostCreated:         (*Server).postCreated,
	core.EventPostUpdated:         (*Server).toPost,
	core.EventPostDeleted:         (*Server).toPost,
	core.EventDirect:              (*Server).directed,
}

// privateUserFields are what only the user themselves hears of.
var privateUserFields = []string{"flags", "admin", "bot_session", "redirect_to", "delete_after"}

// onEvent is the bus's handler. It never blocks: connections have queues.
func (s *Server) onEvent(e bus.Event) {
	if route := routes[e.Name]; route != nil {
		route(s, e)
	}
}

// eventFrame is {"cmd":name,"val":value} without encoding the value again.
func eventFrame(name string, value []byte) []byte {
	b := make([]byte, 0, len(name)+len(value)+24)
	b = append(b, `{"cmd":"`...)
	b = append(b, name...)
	b = append(b, `","val":`...)
	b = append(b, value...)
	return append(b, '}')
}

// fanOut sends one frame to many. It is prepared once, whatever their number.
func (s *Server) fanOut(to []*conn, frame []byte) {
	if len(to) == 0 {
		return
	}
	prepared, err := websocket.NewPreparedMessage(websocket.TextMessage, frame)
	if err != nil {
		s.log.Error("event cannot be prepared", slog.Any("error", err))
		return
	}
	for _, c := range to {
		c.deliver(prepared, len(frame))
	}
}

func (s *Server) toUser(e bus.Event) {
	if to := s.hub.userConns(e.Whom); len(to) > 0 {
		s.fanOut(to, eventFrame(e.Name, e.Value))
	}
}

func (s *Server) toPost(e bus.Event) {
	if to := s.hub.subscribers("posts/" + e.Whom); len(to) > 0 {
		s.fanOut(to, eventFrame(e.Name, e.Value))
	}
}

// postCreated goes to those who want new posts, but not between users of whom
// one blocks the other.
func (s *Server) postCreated(e bus.Event) {
	subscribers := s.hub.subscribers(topicNewPosts)
	to := make([]*conn, 0, len(subscribers))
	for _, c := range subscribers {
		if who := c.who.Load(); who != nil && !who.hides(e.Whom) {
			to = append(to, c)
		}
	}
	if len(to) > 0 {
		s.fanOut(to, eventFrame(e.Name, e.Value))
	}
}

// directed carries val and origin at the root, as the event's value has them.
func (s *Server) directed(e bus.Event) {
	if to := s.hub.userConns(e.Whom); len(to) > 0 && len(e.Value) > 2 {
		s.fanOut(to, append([]byte(`{"cmd":"direct",`), e.Value[1:]...))
	}
}

// sessionDeleted tells all connections of the user and then closes those of the
// session, and no others.
func (s *Server) sessionDeleted(e bus.Event) {
	s.toUser(e)
	var session struct {
		ID string `json:"id"`
	}
	if !s.read(e, &session) || session.ID == "" {
		return
	}
	for _, c := range s.hub.userConns(e.Whom) {
		if who := c.who.Load(); who != nil && who.sessionID == session.ID {
			c.close(closeSessionRevoked, "Session revoked")
		}
	}
}

// relationshipUpdated also changes what both users' connections get of each
// other from now on.
func (s *Server) relationshipUpdated(e bus.Event) {
	var relationship struct {
		ID      string `json:"id"`
		Blocked *bool  `json:"blocked"`
	}
	if s.read(e, &relationship) && relationship.Blocked != nil {
		for _, c := range s.hub.userConns(e.Whom) {
			if who := c.who.Load(); who != nil {
				who.setBlocked(relationship.ID, *relationship.Blocked)
			}
		}
		for _, c := range s.hub.userConns(relationship.ID) {
			if who := c.who.Load(); who != nil {
				who.setBlockedBy(e.Whom, *relationship.Blocked)
			}
		}
	}
	s.toUser(e)
}

// userUpdated tells the user everything and their subscribers what is public.
func (s *Server) userUpdated(e bus.Event) {
	var fields map[string]json.RawMessage
	if !s.read(e, &fields) {
		return
	}
	if name := (packet{keys: fields}).text("username"); name != "" {
		s.hub.rename(e.Whom, name)
	}
	s.toUser(e)
	deleted := string(fields["deleted"]) == "true"
	if deleted {
		fields = map[string]json.RawMessage{"id": fields["id"], "deleted": fields["deleted"]}
	}
	for _, private := range privateUserFields {
		delete(fields, private)
	}
	if public, err := json.Marshal(fields); err == nil && len(fields) > 1 {
		s.fanOut(s.others(e.Whom), eventFrame(e.Name, public))
	}
	if deleted {
		s.hub.dropTopic("users/" + e.Whom)
		for _, c := range s.hub.userConns(e.Whom) {
			c.close(closeAccountDeleted, "Account deleted")
		}
	}
}

// others returns a user's subscribers but for the user, who has been told more.
func (s *Server) others(userID string) []*conn {
	subscribers := s.hub.subscribers("users/" + userID)
	to := make([]*conn, 0, len(subscribers))
	for _, c := range subscribers {
		if who := c.who.Load(); who != nil && who.userID != userID {
			to = append(to, c)
		}
	}
	return to
}

// read decodes an event's value. Another node may run another version, so what
// cannot be read is logged and not fatal.
func (s *Server) read(e bus.Event, into any) bool {
	if err := json.Unmarshal(e.Value, into); err != nil {
		s.log.Error("event cannot be read", slog.String("event", e.Name), slog.Any("error", err))
		return false
	}
	return true
}
