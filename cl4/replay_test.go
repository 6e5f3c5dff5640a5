package cl4

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"meower/bus"
	"meower/core"
)

// TestResumeAsItWas: what the client would not have heard at the time does not
// come later, nor what is gone by now.
func TestResumeAsItWas(t *testing.T) {
	cluster := newCluster(t, 2, nil)
	a, b := cluster.nodes[0], cluster.nodes[1]
	alice, bob, carol := a.register("alice"), a.register("bob"), a.register("carol")
	ctx := context.Background()
	must(t, a.store.Block(ctx, alice.id, bob.id, alice.principal.User.Created))
	must(t, a.store.Block(ctx, carol.id, alice.id, alice.principal.User.Created))
	old := a.connect(alice)
	for _, topic := range []string{
		`"new_posts"`, `"comments","id":"51"`, `"comments","id":"52"`, `"users","id":"` + bob.id + `"`, `"users","id":"` + carol.id + `"`,
	} {
		old.subscribe(`{"cmd":"subscribe","type":` + topic + `}`)
	}
	old.drop()

	a.post(bob, "while alice blocks bob")
	a.post(carol, "while carol blocks alice")
	must(t, a.store.Unblock(ctx, alice.id, bob.id))
	a.publish(core.EventRelationshipUpdated, alice.id, `{"id":"`+bob.id+`","following":false,"blocked":false}`)
	must(t, a.store.Unblock(ctx, carol.id, alice.id))
	a.publish(core.EventRelationshipUpdated, carol.id, `{"id":"`+alice.id+`","following":false,"blocked":false}`)
	a.post(bob, "one")
	a.post(carol, "two")
	a.publish(core.EventCommentCreated, "51", `{"id":"61","post_id":"51","content":"on a post that is deleted"}`)
	a.publish(core.EventPostDeleted, "51", `{"id":"51"}`)
	a.publish(core.EventCommentCreated, "52", `{"id":"62","post_id":"52"}`)
	a.publish(core.EventUserUpdated, bob.id, `{"id":"`+bob.id+`","quote":"of someone who is deleted"}`)
	a.publish(core.EventUserUpdated, bob.id, `{"id":"`+bob.id+`","deleted":true}`)
	witness := b.connect(carol)
	a.publish(core.EventUserUpdated, carol.id, `{"id":"`+carol.id+`","quote":"x"}`)
	witness.read() // so the node has them all

	c := b.goOn(alice, old.resume)
	c.expect(`{"cmd":"relationship_updated","val":{"id":"` + bob.id + `","following":false,"blocked":false}}`)
	c.expectPosts("one", "two")
	c.expect(`{"cmd":"comment_created","val":{"id":"62","post_id":"52"}}`)
	c.expect(`{"cmd":"user_updated","val":{"deleted":true,"id":"` + bob.id + `"}}`)
	c.expect(`{"cmd":"user_updated","val":{"id":"` + carol.id + `","quote":"x"}}`)
	c.expect(resumedFrame(6))
	c.barrier()
	if left := b.server.hub.in("users/" + bob.id); len(left) != 0 {
		t.Errorf("%d still subscribed to who is deleted", len(left))
	}
}

// TestResumeAfterADeletion: a client that has been told of it does not hear of the
// deleted user again.
func TestResumeAfterADeletion(t *testing.T) {
	a := newCluster(t, 1, nil).nodes[0]
	alice, bob := a.register("alice"), a.register("bob")
	old := a.connect(alice)
	old.subscribe(`{"cmd":"subscribe","type":"users","id":"` + bob.id + `"}`)
	a.publish(core.EventUserUpdated, bob.id, `{"id":"`+bob.id+`","deleted":true}`)
	old.expect(`{"cmd":"user_updated","val":{"deleted":true,"id":"` + bob.id + `"}}`)
	old.barrier() // so the server knows that it has arrived
	_, id, _ := strings.Cut(old.resume, ".")
	ended := a.server.resumes.wait(id)
	old.drop()
	<-ended
	a.publish(core.EventUserUpdated, bob.id, `{"id":"`+bob.id+`","quote":"x"}`)
	c := a.goOn(alice, old.resume)
	c.expect(resumedFrame(0))
	c.barrier()
}

// TestAbsence: between a client's last word and its end as the server sees it,
// the connection may have joined and left chats.
func TestAbsence(t *testing.T) {
	event := func(name, whom, id string) bus.Event {
		return bus.Event{Name: name, Whom: whom, Value: json.RawMessage(`{"id":"` + id + `"}`)}
	}
	s := newWorld(t, nil).server
	who := newIdentity(&core.Principal{}, "")
	who.userID = "1"
	a := s.absenceFrom(who, &departure{Topics: []string{"chats/5", "chats/6", "chats/7"}, Lost: []string{"users/5", "users/6"}}, []bus.Event{
		{Name: core.EventUserUpdated, Whom: "5", Value: json.RawMessage(`{"id":"5","deleted":true}`)},
		event(core.EventChatCreated, "1", "6"),
		event(core.EventChatCreated, "2", "7"),
		event(core.EventChatDeleted, "1", "8"),
		event(core.EventChatCreated, "1", "8"),
	})
	for topic, want := range map[string]bool{"users/5": true, "users/6": false, "chats/5": true, "chats/6": false, "chats/7": true, "chats/8": true, "chats/9": false} {
		if a.topics[topic] != want {
			t.Errorf("in %s at first: %t", topic, !want)
		}
	}
}

// TestResumeOfAReplay: a client that is lost again while it is told what it has
// missed misses none of it.
func TestResumeOfAReplay(t *testing.T) {
	cluster := newCluster(t, 2, nil)
	a, b := cluster.nodes[0], cluster.nodes[1]
	alice, bob := a.register("alice"), a.register("bob")
	first, witness := a.connect(alice), b.connect(bob)
	first.subscribe(subscribeNewPosts)
	first.drop()
	const posts = 90 // more than the network holds
	for i := range posts {
		a.publish(core.EventPostCreated, "5", fmt.Sprintf(`"%d %s"`, i, strings.Repeat("x", 64<<10)))
	}
	a.publish(core.EventSyncUpdated, bob.id, `{}`)
	witness.read() // so the node has all of them

	second := b.dialTight()
	second.send(`{"cmd":"authenticate","token":"` + alice.token + `","resume":"` + first.resume + `"}`)
	second.read()
	var ready struct{ Resume string }
	must(t, json.Unmarshal([]byte(second.read()), &ready))
	third := a.goOn(alice, ready.Resume)
	again, end := third.numbered(t)
	if end != resumedFrame(len(again)) {
		t.Fatalf("got %s after %d", end, len(again))
	}
	third.barrier()
	// What was under way to the second may have arrived after all.
	before, _ := second.numbered(t)
	if len(again) == 0 || posts-len(again) > len(before) {
		t.Fatalf("the first %d of %d came, and then the last %d", len(before), posts, len(again))
	}
	expectConsecutive(t, before, 0)
	expectConsecutive(t, again, posts-len(again))
}

// numbered reads the numbers of posts, until something else comes, or nothing.
func (c *client) numbered(t *testing.T) (numbers []int, end string) {
	t.Helper()
	for {
		_, frame, err := c.ws.ReadMessage()
		if err != nil {
			return numbers, ""
		}
		rest, isPost := strings.CutPrefix(string(frame), `{"cmd":"post_created","val":"`)
		if !isPost {
			return numbers, string(frame)
		}
		number, _, _ := strings.Cut(rest, " ")
		n, err := strconv.Atoi(number)
		must(t, err)
		numbers = append(numbers, n)
	}
}

func expectConsecutive(t *testing.T, numbers []int, from int) {
	t.Helper()
	for i, n := range numbers {
		if n != from+i {
			t.Fatalf("got %d in the place of %d", n, from+i)
		}
	}
}

// dialTight is dial with little room for what has not been read.
func (w *world) dialTight() *client {
	w.t.Helper()
	dialer := websocket.Dialer{NetDial: func(network, address string) (net.Conn, error) {
		c, err := net.Dial(network, address)
		if err == nil {
			err = c.(*net.TCPConn).SetReadBuffer(64 << 10)
		}
		return c, err
	}}
	ws, response, err := dialer.Dial(w.url, nil)
	must(w.t, err)
	_ = response.Body.Close()
	must(w.t, ws.SetReadDeadline(time.Now().Add(patience)))
	w.t.Cleanup(func() { _ = ws.Close() })
	return &client{t: w.t, ws: ws}
}
