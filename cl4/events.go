package cl4

import (
	"encoding/json"
	"log/slog"
	"time"

	"github.com/gorilla/websocket"

	"meower/bus"
	"meower/core"
	"meower/store"
)

// route says what becomes of an event.
type route struct {
	// deliveries are the packets about it and who gets them.
	deliveries func(*Server, bus.Event) []delivery
	// then changes what connections are told from now on, or ends them. nil is
	// nothing.
	then func(*Server, bus.Event)
}

// delivery is one packet for the connections in a topic.
type delivery struct {
	topic string
	// admits says who of them gets it; nil is all.
	admits func(*identity) bool
	packet func() []byte
}

// routes are the events of clients by name. It is filled once and only read
// after.
var routes = map[string]route{
	core.EventUserUpdated:          {(*Server).userUpdated, (*Server).userGone},
	core.EventSyncUpdated:          {deliveries: toUser},
	core.EventSessionCreated:       {deliveries: toUser},
	core.EventSessionUpdated:       {deliveries: toUser},
	core.EventSessionDeleted:       {toUser, (*Server).sessionGone},
	core.EventNotificationCount:    {deliveries: toUser},
	core.EventInfractionCreated:    {toUser, (*Server).banned},
	core.EventInfractionUpdated:    {toUser, (*Server).banned},
	core.EventInfractionDeleted:    {deliveries: toUser},
	core.EventRelationshipUpdated:  {toUser, (*Server).relationshipChanged},
	core.EventPostStatusUpdated:    {deliveries: toUser},
	core.EventCommentStatusUpdated: {deliveries: toUser},
	core.EventPostCreated:          {deliveries: postCreated},
	core.EventPostUpdated:          {deliveries: toPost},
	core.EventPostDeleted:          {deliveries: toPost},
	core.EventCommentCreated:       {deliveries: toComments},
	core.EventCommentUpdated:       {deliveries: toComments},
	core.EventCommentDeleted:       {deliveries: toComments},
	core.EventChatCreated:          {toUser, (*Server).chatJoined},
	core.EventChatDeleted:          {toUser, (*Server).chatLeft},
	core.EventChatUpdated:          {deliveries: toChat},
	core.EventTypingStart:          {deliveries: toChat},
	core.EventMessageCreated:       {deliveries: toChat},
	core.EventMessageUpdated:       {deliveries: toChat},
	core.EventMessageDeleted:       {deliveries: toChat},
	core.EventDirect:               {deliveries: directed},
}

// internals are the events between the websocket servers of all nodes. It is
// filled once and only read after.
var internals = map[string]func(*Server, bus.Event){
	eventSocketClaimed:  (*Server).socketClaimed,
	eventSocketReleased: (*Server).socketReleased,
	eventRosterChanged:  (*Server).rosterTold,
	eventRosterAsked:    (*Server).rosterTold,
	eventRoomMessage:    (*Server).roomMessage,
	eventRoomPrivate:    (*Server).roomPrivate,
}

// privateUserFields are what only the user themselves hears of.
var privateUserFields = []string{"flags", "admin", "bot_session", "redirect_to", "delete_after"}

// onEvent is the bus's handler. It never blocks: connections have queues.
func (s *Server) onEvent(e bus.Event) {
	if internal := internals[e.Name]; internal != nil {
		internal(s, e)
		return
	}
	route, known := routes[e.Name]
	if !known {
		return
	}
	for _, d := range route.deliveries(s, e) {
		s.fanOut(d, e.Prior)
	}
	if route.then != nil {
		route.then(s, e)
	}
}

// fanOut queues a packet for many. It is encoded once, whatever their number,
// and not at all where there is nobody. prior is the position before the event
// that the packet is about, zero where there is none that can be had again.
func (s *Server) fanOut(d delivery, prior bus.Position) {
	conns := s.hub.in(d.topic)
	if len(conns) == 0 {
		return
	}
	f := s.sharedFrame(d.packet())
	if prior != (bus.Position{}) {
		f.prior = &prior
	}
	claimed := make([]*conn, 0, len(conns))
	for _, c := range conns {
		if d.admits != nil {
			if who := c.who.Load(); who == nil || !d.admits(who) {
				continue
			}
		}
		if c.deliver(f) {
			claimed = append(claimed, c)
		}
	}
	s.writers.add(claimed...)
}

// sharedFrame makes a frame for many connections.
func (s *Server) sharedFrame(packet []byte) *frame {
	f := &frame{kind: websocket.TextMessage, data: packet, at: time.Now()}
	if s.compression {
		prepared, err := websocket.NewPreparedMessage(f.kind, packet)
		if err != nil {
			panic(err) // no text is refused
		}
		f.prepared = prepared
	}
	return f
}

// onGap tells everyone to read again, since events may have been lost on their
// way to this node.
func (s *Server) onGap() {
	f := s.sharedFrame([]byte(resyncPacket))
	var claimed []*conn
	for _, c := range s.hub.all() {
		if c.who.Load() != nil && c.deliver(f) {
			claimed = append(claimed, c)
		}
	}
	s.writers.add(claimed...)
}

// eventPacket is {"cmd":name,"val":value} without encoding the value again.
func eventPacket(name string, value []byte) []byte {
	b := make([]byte, 0, len(name)+len(value)+24)
	b = append(b, `{"cmd":"`...)
	b = append(b, name...)
	b = append(b, `","val":`...)
	b = append(b, value...)
	return append(b, '}')
}

// plain is a delivery of the event as it is.
func plain(topic string, e bus.Event) []delivery {
	return []delivery{{topic: topic, packet: func() []byte { return eventPacket(e.Name, e.Value) }}}
}

func toUser(_ *Server, e bus.Event) []delivery { return plain(topicMe+e.Whom, e) }

func toPost(_ *Server, e bus.Event) []delivery { return plain("posts/"+e.Whom, e) }

func toComments(_ *Server, e bus.Event) []delivery { return plain("comments/"+e.Whom, e) }

func toChat(_ *Server, e bus.Event) []delivery { return plain(topicChats+e.Whom, e) }

// postCreated goes to those who want new posts, but not between users of whom
// one blocks the other.
func postCreated(_ *Server, e bus.Event) []delivery {
	deliveries := plain(topicNewPosts, e)
	deliveries[0].admits = func(who *identity) bool { return !who.hides(e.Whom) }
	return deliveries
}

// directed carries val and origin at the root, as the event's value has them.
func directed(s *Server, e bus.Event) []delivery {
	var direct core.DirectEvent
	if !s.read(e, &direct) || direct.Value == nil {
		return nil
	}
	return []delivery{{
		topic:  topicMe + e.Whom,
		admits: func(who *identity) bool { return !who.hides(direct.Origin.ID) },
		packet: func() []byte { return append([]byte(`{"cmd":"direct",`), e.Value[1:]...) },
	}}
}

// userUpdated tells the user everything and their subscribers what is public.
func (s *Server) userUpdated(e bus.Event) []delivery {
	var fields map[string]json.RawMessage
	if !s.read(e, &fields) {
		return nil
	}
	deliveries := plain(topicMe+e.Whom, e)
	if isDeleted(fields) {
		fields = map[string]json.RawMessage{"id": fields["id"], "deleted": fields["deleted"]}
	}
	for _, private := range privateUserFields {
		delete(fields, private)
	}
	public, err := json.Marshal(fields)
	if err != nil || len(fields) < 2 {
		return deliveries // nothing but the id is left
	}
	return append(deliveries, delivery{
		topic:  topicUsers + e.Whom,
		admits: func(who *identity) bool { return who.userID != e.Whom }, // who has been told more
		packet: func() []byte { return eventPacket(e.Name, public) },
	})
}

func isDeleted(user map[string]json.RawMessage) bool { return string(user["deleted"]) == "true" }

// userGone ends what a deleted user had, and keeps the others' names up to date.
func (s *Server) userGone(e bus.Event) {
	var fields map[string]json.RawMessage
	if !s.read(e, &fields) {
		return
	}
	var name string
	if json.Unmarshal(fields["username"], &name) == nil && name != "" {
		for _, c := range s.hub.in(topicMe + e.Whom) {
			if who := c.who.Load(); who != nil {
				who.username.Store(&name)
			}
		}
		if s.presence != nil {
			s.presence.renamed(e.Whom, name)
		}
	}
	if isDeleted(fields) {
		s.hub.dropTopic(topicUsers + e.Whom)
		s.closeUser(e.Whom, closeAccountDeleted, "Account deleted")
	}
}

// closeUser closes all connections of a user.
func (s *Server) closeUser(id string, code int, reason string) {
	for _, c := range s.hub.in(topicMe + id) {
		c.close(code, reason)
	}
}

// sessionGone closes the connections of the session, and no others.
func (s *Server) sessionGone(e bus.Event) {
	var session struct {
		ID string `json:"id"`
	}
	if !s.read(e, &session) || session.ID == "" {
		return
	}
	for _, c := range s.hub.in(topicMe + e.Whom) {
		if who := c.who.Load(); who != nil && who.sessionID == session.ID {
			c.close(closeSessionRevoked, "Session revoked")
		}
	}
}

// banned closes all connections of a user who has been banned.
func (s *Server) banned(e bus.Event) {
	var infraction struct {
		Action  int    `json:"action"`
		Status  int    `json:"status"`
		Expires *int64 `json:"expires"`
	}
	if !s.read(e, &infraction) || infraction.Action != store.ActionBan || infraction.Status == store.InfractionOverturned {
		return
	}
	if infraction.Expires == nil || time.Unix(*infraction.Expires, 0).After(time.Now()) {
		s.closeUser(e.Whom, closeBanned, "Banned")
	}
}

// relationshipChanged changes what both users' connections get of each other.
func (s *Server) relationshipChanged(e bus.Event) {
	other, blocked, ok := s.relationshipOf(e)
	if !ok {
		return
	}
	for _, c := range s.hub.in(topicMe + e.Whom) {
		if who := c.who.Load(); who != nil {
			who.setBlocked(other, blocked)
		}
	}
	for _, c := range s.hub.in(topicMe + other) {
		if who := c.who.Load(); who != nil {
			who.setBlockedBy(e.Whom, blocked)
		}
	}
}

// relationshipOf returns whom a relationship's event is about, and whether they
// are blocked now.
func (s *Server) relationshipOf(e bus.Event) (other string, blocked, ok bool) {
	var relationship struct {
		ID      string `json:"id"`
		Blocked *bool  `json:"blocked"`
	}
	if !s.read(e, &relationship) || relationship.Blocked == nil {
		return "", false, false
	}
	return relationship.ID, *relationship.Blocked, true
}

// rosterTold hands on what another node tells of one of the lists that all nodes
// share.
func (s *Server) rosterTold(e bus.Event) {
	for _, r := range s.rosters {
		if r.list == e.Whom {
			r.onEvent(e)
		}
	}
}

func (s *Server) chatJoined(e bus.Event) { s.setMember(e, true) }

func (s *Server) chatLeft(e bus.Event) { s.setMember(e, false) }

// setMember has a user's connections hear of a chat from now on, or no more.
func (s *Server) setMember(e bus.Event, in bool) {
	chat, ok := s.chatOf(e)
	if !ok {
		return
	}
	for _, c := range s.hub.in(topicMe + e.Whom) {
		if who := c.who.Load(); who != nil {
			who.setMember(chat, in)
		}
		if in {
			s.hub.join(c, topicChats+chat)
		} else {
			s.hub.part(c, topicChats+chat)
		}
	}
}

// chatOf returns the id of the chat that an event is about.
func (s *Server) chatOf(e bus.Event) (id string, ok bool) {
	var chat struct {
		ID string `json:"id"`
	}
	ok = s.read(e, &chat) && chat.ID != ""
	return chat.ID, ok
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
