package cl4

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"meower/bus"
	"meower/core"
	"meower/store"
)

const resyncFrame = `{"cmd":"resync"}`

func resumedFrame(missed int) string {
	return `{"cmd":"resumed","val":{"missed":` + strconv.Itoa(missed) + `}}`
}

// drop ends the connection as a lost network does: without a word.
func (c *client) drop() {
	c.t.Helper()
	tcp := c.ws.NetConn().(*net.TCPConn)
	must(c.t, tcp.SetLinger(0))
	must(c.t, tcp.Close())
}

// expectPosts reads the events of these posts, in order.
func (c *client) expectPosts(contents ...string) {
	c.t.Helper()
	for _, content := range contents {
		if got := c.read(); !strings.HasPrefix(got, `{"cmd":"post_created"`) || !strings.Contains(got, `"content":"`+content+`"`) {
			c.t.Fatalf("got %s, want the post %q", got, content)
		}
	}
}

func TestResumeOnAnotherNode(t *testing.T) {
	cluster := newCluster(t, 2, nil)
	a, b := cluster.nodes[0], cluster.nodes[1]
	alice, bob := a.register("alice"), a.register("bob")
	first, witness := a.connect(alice), b.connect(bob)
	for _, c := range []*client{first, witness} {
		c.subscribe(subscribeNewPosts)
		c.subscribe(`{"cmd":"subscribe","type":"posts","id":"5"}`)
	}
	a.post(bob, "one")
	first.expectPosts("one")
	witness.expectPosts("one")

	first.drop()
	a.post(bob, "two")
	witness.expectPosts("two")
	b.post(bob, "three")
	b.publish(core.EventPostUpdated, "5", `{"id":"5","content":"x"}`)
	b.publish(core.EventPostUpdated, "6", `{"id":"6","content":"not subscribed"}`)
	a.post(bob, "four")
	witness.expectPosts("three")
	witness.read()
	witness.expectPosts("four") // so the node has it, and it will not come later

	second := b.goOn(alice, first.resume)
	second.expectPosts("two", "three")
	second.expect(`{"cmd":"post_updated","val":{"id":"5","content":"x"}}`)
	second.expectPosts("four")
	second.expect(resumedFrame(4))

	// It has the subscriptions, and nothing comes twice.
	a.post(bob, "five")
	second.expectPosts("five")
	a.publish(core.EventPostDeleted, "5", `{"id":"5"}`)
	second.expect(`{"cmd":"post_deleted","val":{"id":"5"}}`)
	second.barrier()

	// And can be resumed in its turn; with nothing missed, too.
	second.drop()
	third := a.goOn(alice, second.resume)
	third.expect(resumedFrame(0))
	third.barrier()
}

// TestResumeLosesNothing has connections taken over while posts are written: each
// reaches the old one or the new one, and never both.
func TestResumeLosesNothing(t *testing.T) {
	cluster := newCluster(t, 2, nil)
	alice, bob := cluster.nodes[0].register("alice"), cluster.nodes[0].register("bob")
	c := cluster.nodes[0].connect(alice)
	c.subscribe(subscribeNewPosts)
	for round := range 20 {
		posted := make(chan []string, 1)
		go func() { // ends with its posts, for which the round waits
			var contents []string
			for i := range 10 {
				content := fmt.Sprintf("%d of round %d", i, round)
				_, err := cluster.nodes[(round+i)%2].core.CreatePost(context.Background(), bob.principal, content)
				if err != nil {
					t.Error(err)
				}
				contents = append(contents, content)
			}
			posted <- contents
		}()
		old := c
		c = cluster.nodes[round%2].goOn(alice, old.resume)
		contents := old.contents()
		expectOnce(t, c, slices.DeleteFunc(<-posted, func(content string) bool { return slices.Contains(contents, content) }))
		c.barrier()
	}
}

// contents reads the events of posts until the connection ends.
func (c *client) contents() (contents []string) {
	c.t.Helper()
	for {
		_, frame, err := c.ws.ReadMessage()
		if err != nil {
			return contents
		}
		contents = append(contents, contentOf(c.t, string(frame)))
	}
}

// contentOf returns the content of the post that an event is about.
func contentOf(t testing.TB, frame string) string {
	t.Helper()
	var event struct {
		Cmd string
		Val struct{ Content string }
	}
	must(t, json.Unmarshal([]byte(frame), &event))
	if event.Cmd != core.EventPostCreated {
		t.Fatalf("got %s, want a post", frame)
	}
	return event.Val.Content
}

// expectOnce reads the events of these posts, each once, and in between how many
// of them were missed.
func expectOnce(t *testing.T, c *client, contents []string) {
	t.Helper()
	missing := map[string]bool{}
	for _, content := range contents {
		missing[content] = true
	}
	resumed := false
	for got := 0; got < len(contents) || !resumed; {
		frame := c.read()
		if strings.HasPrefix(frame, `{"cmd":"resumed"`) {
			resumed = true
			if frame != resumedFrame(got) {
				t.Fatalf("%s after %d events", frame, got)
			}
			continue
		}
		content := contentOf(t, frame)
		if !missing[content] {
			t.Fatalf("got %s, of %v", frame, missing)
		}
		delete(missing, content)
		got++
	}
}

// TestResumeEndsTheOldConnection: the server may not have noticed that it is dead.
func TestResumeEndsTheOldConnection(t *testing.T) {
	cluster := newCluster(t, 2, nil)
	a, b := cluster.nodes[0], cluster.nodes[1]
	alice, bob := a.register("alice"), a.register("bob")
	for _, next := range []*world{a, b} {
		old := a.connect(alice)
		old.subscribe(subscribeNewPosts)
		c := next.goOn(alice, old.resume)
		c.expect(resumedFrame(0))
		old.expectClose(closeResumed)
		a.post(bob, "hello")
		c.expectPosts("hello")
		c.barrier()
		_ = c.ws.Close()
	}
}

func TestResumeOfTheUnknown(t *testing.T) {
	cluster := newCluster(t, 2, nil)
	a, b := cluster.nodes[0], cluster.nodes[1]
	alice, bob := a.register("alice"), a.register("bob")
	old := a.connect(alice)
	old.subscribe(subscribeNewPosts)
	for _, resume := range []string{"nonsense", ".", "node0.", "node1.x", "nobody.x", old.resume + "x"} {
		c := b.goOn(alice, resume)
		c.expect(resyncFrame)
		c.barrier()
	}
	// Another's token neither helps nor harms.
	c := a.goOn(bob, old.resume)
	c.expect(resyncFrame)
	old.barrier()
	old.drop()
	c = b.goOn(bob, old.resume)
	c.expect(resyncFrame)
	c = b.goOn(alice, old.resume)
	c.expect(resumedFrame(0))
	// It is good once, as ready brings another one.
	again := b.goOn(alice, old.resume)
	again.expect(resyncFrame)
	c.barrier()
}

func TestResumeAfterTooLong(t *testing.T) {
	cluster := newCluster(t, 1, nil)
	a := cluster.nodes[0]
	alice := a.register("alice")
	old := a.connect(alice)
	_ = old.ws.Close()
	next := a.goOn(alice, old.resume)
	next.expect(resumedFrame(0))
	cluster.redis.FastForward(resumeLife)
	_ = next.ws.Close()
	late := a.goOn(alice, old.resume)
	late.expect(resyncFrame)
}

func TestResumeRespectsAccess(t *testing.T) {
	cluster := newCluster(t, 2, nil)
	a, b := cluster.nodes[0], cluster.nodes[1]
	alice, bob, carol := a.register("alice"), a.register("bob"), a.register("carol")
	ctx := context.Background()
	chat := func(id string) { // as the store has them when the client comes back
		must(t, a.store.CreateChat(ctx, store.Chat{ID: id, Members: []string{alice.id, bob.id}}))
	}
	chat("70")
	old := a.connect(alice)
	old.subscribe(subscribeNewPosts)
	a.publish(core.EventChatCreated, alice.id, `{"id":"71"}`)
	old.expect(`{"cmd":"chat_created","val":{"id":"71"}}`)
	old.drop()

	gone := a.post(bob, "deleted later")
	a.post(carol, "of someone blocked later")
	a.publish(core.EventMessageCreated, "70", `{"id":"1","chat_id":"70"}`)
	a.publish(core.EventMessageCreated, "71", `{"id":"2","chat_id":"71","content":"of a chat left later"}`)
	a.publish(core.EventMessageCreated, "72", `{"id":"3","chat_id":"72","content":"before joining"}`)
	chat("72")
	a.publish(core.EventChatCreated, alice.id, `{"id":"72"}`)
	a.publish(core.EventMessageCreated, "72", `{"id":"4","chat_id":"72"}`)
	a.publish(core.EventChatDeleted, alice.id, `{"id":"71"}`)
	must(t, a.store.Block(ctx, alice.id, carol.id, alice.principal.User.Created))
	witness := b.connect(carol)
	witness.subscribe(`{"cmd":"subscribe","type":"posts","id":"` + gone.ID + `"}`)
	must(t, a.core.DeletePost(ctx, bob.principal, gone.ID))
	witness.expect(`{"cmd":"post_deleted","val":{"id":"` + gone.ID + `"}}`) // so the node has them all

	c := b.goOn(alice, old.resume)
	c.expect(`{"cmd":"message_created","val":{"id":"1","chat_id":"70"}}`)
	c.expect(`{"cmd":"chat_created","val":{"id":"72"}}`)
	c.expect(`{"cmd":"message_created","val":{"id":"4","chat_id":"72"}}`)
	c.expect(`{"cmd":"chat_deleted","val":{"id":"71"}}`)
	c.expect(resumedFrame(4))
	c.barrier()
}

// TestResumeAfterSlow: what was dropped for a client that did not keep up comes
// when it is back.
func TestResumeAfterSlow(t *testing.T) {
	cluster := newCluster(t, 1, nil)
	a := cluster.nodes[0]
	alice := a.register("alice")
	slow := a.connect(alice)
	slow.subscribe(subscribeNewPosts)
	behind := a.server.hub.in(topicMe + alice.id)[0]
	value := `"` + strings.Repeat("x", 64<<10) + `"`
	sent := 0
	for ; !behind.isClosing(); sent++ {
		a.publish(core.EventPostCreated, "5", value)
	}
	received := 0
	for {
		if _, _, err := slow.ws.ReadMessage(); err != nil {
			if !websocket.IsCloseError(err, closeSlow) {
				t.Fatal(err)
			}
			break
		}
		received++
	}
	again := a.goOn(alice, slow.resume)
	for range sent - received {
		if got := again.read(); !strings.HasPrefix(got, `{"cmd":"post_created"`) {
			t.Fatalf("got %.50s, after %d of %d", got, received, sent)
		}
	}
	again.expect(resumedFrame(sent - received))
}

// TestGapMeansResync: a connection that cannot have got everything is told so.
func TestGapMeansResync(t *testing.T) {
	cluster := newCluster(t, 2, nil)
	a, b := cluster.nodes[0], cluster.nodes[1]
	alice := a.register("alice")
	c, anonymous := b.connect(alice), b.dial()
	before := b.connect(alice)
	before.drop()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.bus.Publish(ctx, bus.Event{Name: core.EventPostCreated, Whom: "5", Value: []byte(`{}`)}); err == nil {
		t.Fatal("published")
	}
	c.expect(resyncFrame)
	c.barrier()
	anonymous.barrier()
	after := a.goOn(alice, before.resume)
	after.expect(resyncFrame)
}

// TestResumeOutage: without Redis, clients are not kept waiting for what cannot be
// had.
func TestResumeOutage(t *testing.T) {
	w := newWorld(t, nil) // whose bus keeps nothing
	alice := w.register("alice")
	c := w.connect(alice)
	again := w.goOn(alice, c.resume)
	again.expect(resyncFrame)
	c.barrier()
}
