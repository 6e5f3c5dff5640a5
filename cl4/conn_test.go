package cl4

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"meower/core"
)

func TestDisconnectLeavesNothing(t *testing.T) {
	w := newWorld(t, nil)
	alice := w.register("alice")
	for i := range 5 {
		c := w.connect(alice)
		c.subscribe(subscribeNewPosts)
		c.subscribe(fmt.Sprintf(`{"cmd":"subscribe","type":"posts","id":"%d"}`, i))
		_ = c.ws.Close()
	}
	w.dial().expectEmptyAfterShutdown(w)
}

// expectEmptyAfterShutdown: Shutdown waits for all connections, so that what is
// left in the hub afterwards would be left for ever.
func (c *client) expectEmptyAfterShutdown(w *world) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- w.server.Shutdown(ctx) }()
	c.expectClose(closeRestart)
	must(c.t, <-ended)
	h := w.server.hub
	if n := len(h.conns.members) + len(h.addresses) + len(h.topics) + len(w.server.resumes.open) + len(w.server.resumes.waits); n != 0 {
		c.t.Fatalf("the hub keeps %+v", h)
	}
}

func TestShutdown(t *testing.T) {
	w := newWorld(t, nil)
	c := w.connect(w.register("alice"))
	c.subscribe(subscribeNewPosts)
	c.expectEmptyAfterShutdown(w)
	response, err := http.Get("http" + strings.TrimPrefix(w.url, "ws"))
	must(t, err)
	_ = response.Body.Close()
	if response.StatusCode != http.StatusServiceUnavailable {
		t.Fatalf("status %d after shutdown", response.StatusCode)
	}
}

func TestShutdownCutsOff(t *testing.T) {
	w := newWorld(t, nil)
	w.dial() // and never answers the close
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := w.server.Shutdown(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

// TestSubscribeWithoutID: it once crashed the connection.
func TestSubscribeWithoutID(t *testing.T) {
	w := newWorld(t, nil)
	c := w.connect(w.register("alice"))
	c.send(`{"cmd":"subscribe","type":"users"}`)
	c.expect(`{"cmd":"statuscode","code":"E:101 | Syntax","code_id":101}`)
	c.barrier()
}

func TestSlowConsumer(t *testing.T) {
	w := newWorld(t, nil)
	alice, bob := w.register("alice"), w.register("bob")
	slow, quick := w.connect(alice), w.connect(bob)
	slow.subscribe(subscribeNewPosts)
	quick.subscribe(subscribeNewPosts)

	behind := w.server.hub.in(topicMe + alice.id)[0]
	value := `"` + strings.Repeat("x", 64<<10) + `"`
	for i := 0; !behind.isClosing(); i++ {
		if i == 1000 {
			t.Fatal("the slow one is still there")
		}
		w.publish(core.EventPostCreated, "5", value)
		quick.read()
	}
	slow.expectClose(closeSlow)
	quick.barrier()
}

func TestRequireAuth(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.RequireAuth = true },
		func(s *Server) { s.timing.auth = time.Millisecond })
	w.dial().expectClose(closeUnauthed)
}

func TestSilentClientIsClosed(t *testing.T) {
	w := newWorld(t, nil, func(s *Server) {
		s.timing.ping, s.timing.pong = time.Millisecond, 50*time.Millisecond
	})
	c := w.dial()
	c.ws.SetPingHandler(func(string) error { return nil }) // no pongs
	if _, _, err := c.ws.ReadMessage(); err == nil {
		t.Fatal("still connected")
	}
}

func TestConnectionLimits(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.ConnectionsPerAccount, o.ConnectionsPerAddress = 1, 2 })
	alice := w.register("alice")
	first, second := w.connect(alice), w.dial()
	w.dial().expectClose(closeTryLater) // the address's third
	second.send(`{"cmd":"authenticate","token":"` + alice.token + `"}`)
	second.expectClose(closeTryLater) // the account's second
	first.barrier()
}

func TestOrigin(t *testing.T) {
	for _, test := range []struct {
		allowed, origin string
		want            bool
	}{
		{"", "", true},
		{"", "http://example.com", true}, // httptest's own host
		{"", "https://evil.example", false},
		{"", "null", false},
		{"*", "https://evil.example", true},
		{"https://app.example", "https://app.example", true},
		{"https://app.example", "https://app.example.evil", false},
	} {
		s := &Server{origins: strings.Fields(test.allowed)}
		r := &http.Request{Host: "example.com", Header: http.Header{}}
		if test.origin != "" {
			r.Header.Set("Origin", test.origin)
		}
		if got := s.checkOrigin(r); got != test.want {
			t.Errorf("allowed %q, origin %q: %t", test.allowed, test.origin, got)
		}
	}
}

func TestCompression(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Compression = true })
	alice := w.register("alice")
	dialer := websocket.Dialer{EnableCompression: true}
	ws, response, err := dialer.Dial(w.url, nil)
	must(t, err)
	defer ws.Close()
	if !strings.Contains(response.Header.Get("Sec-Websocket-Extensions"), "permessage-deflate") {
		t.Fatal("not offered")
	}
	must(t, ws.SetReadDeadline(time.Now().Add(patience)))
	c := &client{t: t, ws: ws}
	c.send(`{"cmd":"authenticate","token":"` + alice.token + `"}`)
	c.read()
	c.read()
	c.subscribe(subscribeNewPosts)
	w.post(alice, "hi")
	if got := c.read(); !strings.Contains(got, "hi") {
		t.Fatal(got)
	}
	// What is small on the wire and large when unpacked.
	c.send(`{"cmd":"ping","val":"` + strings.Repeat("x", 1<<20) + `"}`)
	c.expectClose(closeTooBig)
}

func TestCompressionIsNotOffered(t *testing.T) {
	w := newWorld(t, nil)
	dialer := websocket.Dialer{EnableCompression: true}
	ws, response, err := dialer.Dial(w.url, nil)
	must(t, err)
	defer ws.Close()
	if extensions := response.Header.Get("Sec-Websocket-Extensions"); extensions != "" {
		t.Fatalf("offered %s", extensions)
	}
}

func TestOtherPaths(t *testing.T) {
	w := newWorld(t, nil)
	response, err := http.Get("http" + strings.TrimPrefix(w.url, "ws") + "/elsewhere")
	must(t, err)
	_ = response.Body.Close()
	if response.StatusCode != http.StatusNotFound {
		t.Fatalf("status %d", response.StatusCode)
	}
}

// TestHeldEvents: events of the time while ready is assembled come
// after it.
func TestHeldEvents(t *testing.T) {
	c := &conn{wire: &wire{}}
	c.hold()
	c.deliver(&frame{data: make([]byte, 10)})
	c.answer([]byte("ready"))
	c.release(true)
	if len(c.queue) != 2 || string(c.queue[0].data) != "ready" || len(c.queue[1].data) != 10 || c.bytes != 2*64 {
		t.Fatalf("queued %v, %d bytes", c.queue, c.bytes)
	}
	c.hold()
	c.deliver(&frame{data: make([]byte, maxQueued+1)})
	c.release(true)
	if c.closing == nil || len(c.queue) != 0 {
		t.Fatal("held events have no bound")
	}
}

// TestLongBehind: however little it is, a client may not be behind with it for more
// than 30 s.
func TestLongBehind(t *testing.T) {
	c := &conn{wire: &wire{}}
	now := time.Now()
	c.enqueue(&frame{data: make([]byte, 1), at: now})
	if c.checkPace(now.Add(maxBehind)); c.closing != nil {
		t.Fatal("given up too early")
	}
	if c.checkPace(now.Add(maxBehind + time.Second)); c.closing == nil {
		t.Fatal("not given up")
	}
}
