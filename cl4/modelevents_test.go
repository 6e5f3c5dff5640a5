package cl4

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	"pgregory.net/rapid"

	"meower/core"
)

// What the events of the model are about.
var (
	postIDs    = []string{"51", "52"}
	commentIDs = []string{"61", "62"}
	chatIDs    = []string{"71", "72", "73"}
	messageIDs = []string{"81", "82"}
)

// deed is something that can happen at a node.
type deed struct {
	name string
	do   func(m *model, name string, node int)
}

// plainDeeds are events that change nothing but what they tell of: all kinds, and
// those more often about which there is more to say.
var plainDeeds = []deed{
	{core.EventSyncUpdated, aboutPerson},
	{core.EventSessionCreated, aboutPerson},
	{core.EventSessionUpdated, aboutPerson},
	{core.EventNotificationCount, aboutPerson},
	{core.EventInfractionCreated, aboutPerson},
	{core.EventInfractionUpdated, aboutPerson},
	{core.EventInfractionDeleted, aboutPerson},
	{core.EventPostStatusUpdated, aboutStatus},
	{core.EventCommentStatusUpdated, aboutStatus},
	{core.EventUserUpdated, aboutProfile},
	{core.EventUserUpdated, aboutProfile},
	{core.EventUserUpdated, aboutProfile},
	{core.EventPostCreated, newPost},
	{core.EventPostCreated, newPost},
	{core.EventPostCreated, newPost},
	{core.EventPostCreated, newPost},
	{core.EventPostCreated, newPost},
	{core.EventPostUpdated, aboutPost},
	{core.EventPostDeleted, aboutPost},
	{core.EventCommentCreated, aboutComment},
	{core.EventCommentCreated, aboutComment},
	{core.EventCommentUpdated, aboutComment},
	{core.EventCommentDeleted, aboutComment},
	{core.EventChatUpdated, aboutChat},
	{core.EventTypingStart, aboutChat},
	{core.EventMessageCreated, aboutMessage},
	{core.EventMessageCreated, aboutMessage},
	{core.EventMessageCreated, aboutMessage},
	{core.EventMessageUpdated, aboutMessage},
	{core.EventMessageDeleted, aboutMessage},
	{core.EventDirect, aDirect},
	{core.EventDirect, aDirect},
}

// changes are those that change who hears what.
var changes = []deed{
	{core.EventChatCreated, aMembership},
	{core.EventChatCreated, aMembership},
	{core.EventChatCreated, aMembership},
	{core.EventChatDeleted, aMembership},
	{core.EventChatDeleted, aMembership},
	{"block", aBlock},
	{"block", aBlock},
	{"block", aBlock},
	{"unblock", aBlock},
	{"unblock", aBlock},
	{"unblock", aBlock},
	{"revoke", aRevocation},
	{"ban", aBan},
	{"delete user", aDeletedUser},
}

// happen has one of several things happen.
func (m *model) happen(what []deed) {
	d := rapid.SampledFrom(what).Draw(m.t, "what")
	node := m.pickNode()
	m.t.Logf("%s at node %d", d, node)
	d.do(m, d.name, node)
}

// publish publishes an event as it is. value is without its end, to which a
// number is added, so that every packet is another.
func (m *model) publish(node int, h happening, value string) {
	value += `,"n":` + m.number() + `}`
	h.node = node
	if h.packet == "" {
		h.packet = eventPacketOf(h.name, value)
	}
	m.tell(h)
	m.nodes[node].publish(h.name, h.whom, value)
}

func (m *model) pickPerson(label string) *person {
	return rapid.SampledFrom(m.people).Draw(m.t, label)
}

func (m *model) pickID(label string, from []string) string {
	return rapid.SampledFrom(from).Draw(m.t, label)
}

func (p *person) live() []*session {
	return slices.DeleteFunc(slices.Clone(p.sessions), func(s *session) bool { return s.revoked })
}

func sorted(members map[string]bool) []string { return slices.Sorted(maps.Keys(members)) }

func aboutPerson(m *model, name string, node int) {
	who := m.pickPerson("whose")
	m.before(node, false)
	m.publish(node, happening{name: name, whom: who.id(), about: who}, `{"id":"`+m.number()+`"`)
}

// aboutStatus is what a user did to a post or a comment.
func aboutStatus(m *model, name string, node int) {
	who, kind, ids := m.pickPerson("whose"), "post/", postIDs
	if name == core.EventCommentStatusUpdated {
		kind, ids = "comment/", commentIDs
	}
	id := m.pickID("of", ids)
	m.before(node, false)
	m.publish(node, happening{name: name, whom: who.id(), about: who, object: kind + id}, `{"id":"`+id+`","liked":true`)
}

// aboutProfile is for everyone, or for the user alone.
func aboutProfile(m *model, name string, node int) {
	who := m.pickPerson("whose")
	private := rapid.Bool().Draw(m.t, "private")
	m.before(node, false)
	h := happening{name: name, to: toProfile, whom: who.id(), about: who, object: "user/" + who.id(), node: node}
	n := m.number()
	value := `{"flags":` + n + `,"id":"` + who.id() + `"}`
	if !private {
		value = `{"flags":` + n + `,"id":"` + who.id() + `","quote":"` + n + `"}`
		h.public = eventPacketOf(name, `{"id":"`+who.id()+`","quote":"`+n+`"}`)
	}
	h.packet = eventPacketOf(name, value)
	m.tell(h)
	m.nodes[node].publish(name, who.id(), value)
}

func newPost(m *model, name string, node int) {
	author := m.pickPerson("author")
	m.before(node, false)
	post := m.nodes[node].post(author.sessions[0].user, "post "+m.number())
	value, err := json.Marshal(post)
	must(m.modelStage.t, err)
	m.tell(happening{
		name: name, to: toNewPosts, whom: author.id(), author: author, object: "post/" + post.ID,
		packet: eventPacketOf(name, string(value)), node: node,
	})
}

func aboutPost(m *model, name string, node int) {
	id := m.pickID("post", postIDs)
	m.before(node, false)
	m.publish(node, happening{
		name: name, to: toPostOf, whom: id, object: "post/" + id, deletes: name == core.EventPostDeleted,
	}, `{"id":"`+id+`"`)
}

func aboutComment(m *model, name string, node int) {
	post, id := m.pickID("post", postIDs), m.pickID("comment", commentIDs)
	m.before(node, false)
	m.publish(node, happening{
		name: name, to: toCommentsOf, whom: post, object: "comment/" + id, within: "post/" + post,
		deletes: name == core.EventCommentDeleted,
	}, `{"id":"`+id+`","post_id":"`+post+`"`)
}

func aboutChat(m *model, name string, node int) {
	id := m.pickID("chat", chatIDs)
	m.before(node, false)
	m.publish(node, happening{name: name, to: toChatOf, whom: id}, `{"id":"`+id+`"`)
}

func aboutMessage(m *model, name string, node int) {
	chat, id := m.pickID("chat", chatIDs), m.pickID("message", messageIDs)
	m.before(node, false)
	m.publish(node, happening{
		name: name, to: toChatOf, whom: chat, object: "message/" + id, deletes: name == core.EventMessageDeleted,
	}, `{"id":"`+id+`","chat_id":"`+chat+`"`)
}

// aDirect is refused where one of the two blocks the other.
func aDirect(m *model, name string, node int) {
	from, to := m.pickPerson("from"), m.pickPerson("to")
	m.before(node, false)
	value := json.RawMessage(m.number())
	origin := from.sessions[0].principal
	err := m.nodes[node].core.Direct(context.Background(), origin, to.id(), value)
	if hidden(from, to) {
		if err == nil {
			m.t.Fatalf("%s could write to %s", from.name, to.name)
		}
		return
	}
	must(m.nodes[node].t, err)
	m.tell(happening{
		name: name, whom: to.id(), about: to, author: from, node: node,
		packet: `{"cmd":"direct","val":` + string(value) + `,"origin":{"id":"` + from.id() + `","username":"` + from.name + `"}}`,
	})
}

func aMembership(m *model, name string, node int) {
	who, chat, in := m.pickPerson("who"), m.pickID("chat", chatIDs), name == core.EventChatCreated
	if who.chats[chat] == in {
		return // so it is already
	}
	m.before(node, true)
	m.store.setMember(chat, who.id(), in)
	m.publish(node, happening{name: name, whom: who.id(), about: who}, `{"id":"`+chat+`"`)
	m.joins(who, chat, in)
}

func aBlock(m *model, name string, node int) {
	who, whom, blocks := m.pickPerson("who"), m.pickPerson("whom"), name == "block"
	if who == whom || who.blocks[whom] == blocks {
		return // so it is already
	}
	// Where the server has not seen a connection's end yet, it keeps for it what is
	// hidden a little later.
	m.noticed()
	m.before(node, true)
	ctx, w, word := context.Background(), m.nodes[node], "false"
	if blocks {
		word = "true"
		must(w.t, w.store.Block(ctx, who.id(), whom.id(), who.sessions[0].principal.User.Created))
	} else {
		must(w.t, w.store.Unblock(ctx, who.id(), whom.id()))
	}
	m.publish(node, happening{name: core.EventRelationshipUpdated, whom: who.id(), about: who},
		`{"id":"`+whom.id()+`","following":false,"blocked":`+word)
	put(who.blocks, whom, blocks)
}

func aRevocation(m *model, _ string, node int) {
	who := m.pickPerson("whose")
	s := pick(m, "session", who.live())
	if len(who.live()) < 2 {
		return // none would be left
	}
	m.before(node, true)
	must(m.nodes[node].t, m.nodes[node].core.RevokeSession(context.Background(), s.principal, s.principal.SessionID))
	s.revoked = true
	m.tell(happening{
		name: core.EventSessionDeleted, whom: who.id(), about: who, node: node,
		packet: eventPacketOf(core.EventSessionDeleted, `{"id":"`+s.principal.SessionID+`"}`),
	})
	m.ends(closeSessionRevoked, func(l *modelConn) bool { return l.session == s })
	m.reap()
}

// aBan is one that is lifted at once, so that the user can come back.
func aBan(m *model, _ string, node int) {
	who := m.pickPerson("whom")
	m.before(node, true)
	m.publish(node, happening{name: core.EventInfractionCreated, whom: who.id(), about: who}, `{"id":"1","action":2`)
	m.ends(closeBanned, func(l *modelConn) bool { return l.who == who })
	m.reap()
}

// aDeletedUser is still heard of in the model, so that it shows who still
// listens, but is not deleted again.
func aDeletedUser(m *model, _ string, node int) {
	who := m.pickPerson("whom")
	if who.deleted {
		return
	}
	who.deleted = true
	m.noticed() // as with a block
	m.before(node, true)
	name, value := core.EventUserUpdated, `{"deleted":true,"id":"`+who.id()+`"}`
	packet := eventPacketOf(name, value)
	m.tell(happening{
		name: name, to: toProfile, whom: who.id(), about: who, packet: packet, public: packet,
		object: "user/" + who.id(), deletes: true, node: node,
	})
	m.nodes[node].publish(name, who.id(), value)
	for _, l := range m.links {
		delete(l.topics, "users/"+who.id())
	}
	m.ends(closeAccountDeleted, func(l *modelConn) bool { return l.who == who })
	m.reap()
}
