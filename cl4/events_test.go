package cl4

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"meower/bus"
	"meower/core"
)

const subscribeNewPosts = `{"cmd":"subscribe","type":"new_posts"}`

func (w *world) post(u user, content string) core.Post {
	w.t.Helper()
	post, err := w.core.CreatePost(context.Background(), u.principal, content)
	must(w.t, err)
	return post
}

func (w *world) publish(name, whom, value string) {
	w.t.Helper()
	must(w.t, w.bus.Publish(context.Background(), bus.Event{Name: name, Whom: whom, Value: json.RawMessage(value)}))
}

func TestPostEvents(t *testing.T) {
	w := newWorld(t, nil)
	alice, bob := w.register("alice"), w.register("bob")
	one, two, deaf := w.connect(alice), w.connect(alice), w.connect(bob)
	one.subscribe(subscribeNewPosts)
	one.subscribe(subscribeNewPosts) // still one subscription
	two.subscribe(subscribeNewPosts)

	post := w.post(bob, "hi")
	view, err := json.Marshal(post)
	must(t, err)
	for _, c := range []*client{one, two} {
		c.expect(`{"cmd":"post_created","val":` + string(view) + `}`)
		c.barrier()
	}
	deaf.barrier()

	one.subscribe(`{"cmd":"subscribe","type":"posts","id":"` + post.ID + `"}`)
	_, err = w.core.EditPost(context.Background(), bob.principal, post.ID, "hello")
	must(t, err)
	one.expect(`{"cmd":"post_updated","val":{"id":"` + post.ID + `","content":"hello","filtered_content":null,"public_flags":8}}`)
	must(t, w.core.DeletePost(context.Background(), bob.principal, post.ID))
	one.expect(`{"cmd":"post_deleted","val":{"id":"` + post.ID + `"}}`)

	one.subscribe(`{"cmd":"unsubscribe","type":"new_posts"}`)
	w.post(bob, "again")
	one.barrier()
}

func TestBlockedAuthorIsNotDelivered(t *testing.T) {
	w := newWorld(t, nil)
	alice, bob, carol := w.register("alice"), w.register("bob"), w.register("carol")
	must(t, w.store.Block(context.Background(), alice.id, bob.id, alice.principal.User.Created))
	ofAlice, ofBob := w.connect(alice), w.connect(bob)
	ofAlice.subscribe(subscribeNewPosts)
	ofBob.subscribe(subscribeNewPosts)

	w.post(bob, "not for alice")
	if got := ofBob.read(); !strings.Contains(got, "not for alice") {
		t.Fatal(got)
	}
	ofAlice.barrier()
	w.post(alice, "not for bob")
	if got := ofAlice.read(); !strings.Contains(got, "not for bob") {
		t.Fatal(got)
	}
	ofBob.barrier()

	// The sets follow the events.
	value := `{"id":"` + bob.id + `","following":false,"blocked":false}`
	w.publish(core.EventRelationshipUpdated, alice.id, value)
	ofAlice.expect(`{"cmd":"relationship_updated","val":` + value + `}`)
	w.publish(core.EventRelationshipUpdated, carol.id, `{"id":"`+alice.id+`","following":false,"blocked":true}`)
	w.post(carol, "not for alice either")
	w.post(bob, "for alice now")
	if got := ofAlice.read(); !strings.Contains(got, "for alice now") {
		t.Fatal(got)
	}
}

func TestSessionRevokedClosesOnlyItsConnections(t *testing.T) {
	w := newWorld(t, nil)
	first := w.register("alice")
	second := w.login("alice")
	stays, goes, goesToo := w.connect(first), w.connect(second), w.connect(second)
	must(t, w.core.RevokeSession(context.Background(), first.principal, second.principal.SessionID))
	for _, c := range []*client{stays, goes, goesToo} {
		c.expect(`{"cmd":"session_deleted","val":{"id":"` + second.principal.SessionID + `"}}`)
	}
	goes.expectClose(closeSessionRevoked)
	goesToo.expectClose(closeSessionRevoked)
	stays.barrier()
}

func TestDirect(t *testing.T) {
	w := newWorld(t, nil)
	alice, bob := w.register("alice"), w.register("bob")
	from, one, two := w.connect(alice), w.connect(bob), w.connect(bob)
	from.subscribe(`{"cmd":"direct","id":"` + bob.id + `","val":"123"}`)
	for _, c := range []*client{one, two} {
		c.expect(`{"cmd":"direct","val":"123","origin":{"id":"` + alice.id + `","username":"alice"}}`)
	}
}

func TestUserUpdated(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.UserList = true })
	alice, bob := w.register("alice"), w.register("bob")
	own, other := w.connect(alice), w.connect(bob)
	for _, c := range []*client{own, other} {
		c.subscribe(`{"cmd":"subscribe","type":"users","id":"` + alice.id + `"}`)
	}
	full := `{"id":"` + alice.id + `","username":"alicia","flags":8,"public_flags":0,"admin":1,"bot_session":2,"redirect_to":"1","delete_after":5}`
	w.publish(core.EventUserUpdated, alice.id, full)
	own.expect(`{"cmd":"user_updated","val":` + full + `}`)
	own.barrier()
	other.expect(`{"cmd":"user_updated","val":{"id":"` + alice.id + `","public_flags":0,"username":"alicia"}}`)

	w.publish(core.EventUserUpdated, alice.id, `{"id":"`+alice.id+`","flags":8}`)
	own.read()
	other.barrier()

	w.publish(core.EventUserUpdated, alice.id, `{"id":"`+alice.id+`","deleted":true,"quote":"x"}`)
	own.expectClose(closeAccountDeleted)
	other.expect(`{"cmd":"user_updated","val":{"deleted":true,"id":"` + alice.id + `"}}`)
	if left := w.server.hub.in("users/" + alice.id); len(left) != 0 {
		t.Fatalf("%d still subscribed", len(left))
	}
}

// TestUnreadableEvents: another node may run another version.
func TestUnreadableEvents(t *testing.T) {
	w := newWorld(t, nil)
	alice := w.register("alice")
	c := w.connect(alice)
	w.publish(core.EventUserUpdated, alice.id, `5`)
	w.publish(core.EventDirect, alice.id, `{}`)
	w.publish("unheard_of", alice.id, `{}`)
	c.barrier()
}

// TestIdentityLearns: what an event says while the store is read outranks it.
func TestIdentityLearns(t *testing.T) {
	who := newIdentity(&core.Principal{}, "")
	who.setBlocked("1", false)
	who.setBlockedBy("2", true)
	who.setMember("7", false)
	who.setMember("8", true)
	chats := who.learn([]string{"1", "3"}, []string{"4"}, []string{"6", "7"})
	slices.Sort(chats)
	if !slices.Equal(chats, []string{"6", "8"}) {
		t.Errorf("in chats %v", chats)
	}
	for id, want := range map[string]bool{"1": false, "2": true, "3": true, "4": true, "5": false} {
		if got := who.hides(id); got != want {
			t.Errorf("hides %s: %t", id, got)
		}
	}
	who.setBlocked("3", false)
	if who.hides("3") || len(who.blocked.ids) != 0 {
		t.Errorf("%v is left", who.blocked)
	}
}
