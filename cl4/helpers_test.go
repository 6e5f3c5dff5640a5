package cl4

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/gorilla/websocket"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"meower/bus"
	"meower/core"
	"meower/store"
	"meower/store/memory"
)

// TestMain finds goroutines left behind.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

const testAddress = "192.0.2.1"

// disabledByDefault are the commands that the default configuration disables.
var disabledByDefault = []string{"gmsg", "pmsg", "gvar", "pvar", "setid", "link", "unlink"}

// patience is how long a test waits for what must come.
const patience = 10 * time.Second

// backing is what a server stands on.
type backing struct {
	store  store.Store
	client redis.UniversalClient
	bus    bus.Bus
	// worker is the node's number, for nodes on one store.
	worker int
	// stopRedis begins an outage.
	stopRedis func()
}

// inProcess is a backing that needs nothing else.
func inProcess(t testing.TB) backing {
	server := miniredis.RunT(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr(), MaxRetries: -1, ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = client.Close() })
	return backing{store: memory.New(), client: client, bus: bus.NewLocal(), stopRedis: server.Close}
}

// onRedis is a node's backing on a store and a Redis that other nodes may share.
func onRedis(t testing.TB, durable store.Store, addr string, worker int) backing {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: addr, MaxRetries: -1, ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = client.Close() })
	history := bus.History{Events: 10_000, For: 2 * time.Minute}
	events := bus.NewRedis(client, "node"+strconv.Itoa(worker), history, slog.New(slog.DiscardHandler))
	t.Cleanup(func() { _ = events.Close() })
	<-events.Ready()
	return backing{store: durable, client: client, bus: events, worker: worker}
}

// world is a server on its backing.
type world struct {
	backing
	t      testing.TB
	core   *core.Core
	server *Server
	url    string
}

// newWorld starts a server in-process; change may alter its options, prepare the
// server.
func newWorld(t testing.TB, change func(*Options), prepare ...func(*Server)) *world {
	t.Helper()
	return newWorldOn(t, inProcess(t), change, prepare...)
}

func newWorldOn(t testing.TB, on backing, change func(*Options), prepare ...func(*Server)) *world {
	t.Helper()
	w := &world{t: t, backing: on}
	ids, err := core.NewIDs(1, on.worker, time.Now)
	must(t, err)
	log := slog.New(slog.DiscardHandler)
	w.core, err = core.New(context.Background(), core.Options{
		Store: w.store, Redis: w.client, Bus: w.bus, IDs: ids, Clock: time.Now, Log: log, PasswordCost: 4,
	})
	must(t, err)
	options := Options{
		Core: w.core, Bus: w.bus, Log: log, MOTD: "Hello",
		Address:  func(*http.Request) string { return testAddress },
		Disabled: disabledByDefault,
	}
	if change != nil {
		change(&options)
	}
	w.server = New(options)
	for _, p := range prepare {
		p(w.server)
	}
	web := httptest.NewServer(w.server)
	w.url = "ws" + strings.TrimPrefix(web.URL, "http")
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := w.server.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		web.Close()
	})
	return w
}

// cluster is several nodes on one store and Redis.
type cluster struct {
	redis *miniredis.Miniredis
	nodes []*world
}

func newCluster(t testing.TB, n int, change func(*Options), prepare ...func(*Server)) *cluster {
	t.Helper()
	return newClusterOn(t, n, memory.New(), change, prepare...)
}

func newClusterOn(t testing.TB, n int, durable store.Store, change func(*Options), prepare ...func(*Server)) *cluster {
	t.Helper()
	c := &cluster{redis: miniredis.RunT(t)}
	for i := range n {
		on := onRedis(t, durable, c.redis.Addr(), i)
		on.stopRedis = c.redis.Close
		c.nodes = append(c.nodes, newWorldOn(t, on, change, prepare...))
	}
	return c
}

// user is someone who has registered.
type user struct {
	id, token string
	principal *core.Principal
}

func (w *world) register(name string) user {
	w.t.Helper()
	signIn, err := w.core.Register(context.Background(), core.Registration{
		Username: name, Password: "correct horse", Client: core.Client{Address: "192.0.2.9"},
	})
	must(w.t, err)
	return w.signedIn(signIn)
}

func (w *world) login(name string) user {
	w.t.Helper()
	signIn, err := w.core.Login(context.Background(), name, "correct horse", core.Client{Address: "192.0.2.9"})
	must(w.t, err)
	return w.signedIn(signIn)
}

func (w *world) signedIn(signIn core.SignIn) user {
	w.t.Helper()
	principal, err := w.core.Authenticate(context.Background(), signIn.AccessToken)
	must(w.t, err)
	return user{id: signIn.UserID, token: signIn.AccessToken, principal: principal}
}

func (w *world) ban(u user) {
	w.t.Helper()
	must(w.t, w.store.CreateInfraction(context.Background(), store.Infraction{
		ID: "900" + u.id, UserID: u.id, Action: store.ActionBan, Created: time.Now(),
	}))
}

// client is a websocket client.
type client struct {
	t      testing.TB
	ws     *websocket.Conn
	resume string // what ready said
}

func (w *world) dial() *client {
	w.t.Helper()
	ws, response, err := websocket.DefaultDialer.Dial(w.url, nil)
	must(w.t, err)
	_ = response.Body.Close()
	must(w.t, ws.SetReadDeadline(time.Now().Add(patience)))
	w.t.Cleanup(func() { _ = ws.Close() })
	return &client{t: w.t, ws: ws}
}

// connect dials and authenticates.
func (w *world) connect(u user) *client {
	w.t.Helper()
	return w.goOn(u, "")
}

// goOn is connect for a client that was there before; an empty token means that
// it was not.
func (w *world) goOn(u user, resume string) *client {
	w.t.Helper()
	c := w.dial()
	packet := `{"cmd":"authenticate","token":"` + u.token + `"`
	if resume != "" {
		packet += `,"resume":"` + resume + `"`
	}
	c.send(packet + "}")
	c.expect(`{"cmd":"statuscode","code":"I:100 | OK","code_id":100}`)
	var ready struct{ Cmd, Resume string }
	must(w.t, json.Unmarshal([]byte(c.read()), &ready))
	if ready.Cmd != "ready" {
		w.t.Fatalf("got %s, want ready", ready.Cmd)
	}
	c.resume = ready.Resume
	return c
}

func (c *client) send(frame string) {
	c.t.Helper()
	must(c.t, c.ws.WriteMessage(websocket.TextMessage, []byte(frame)))
}

func (c *client) read() string {
	c.t.Helper()
	_, frame, err := c.ws.ReadMessage()
	must(c.t, err)
	return string(frame)
}

func (c *client) expect(frame string) {
	c.t.Helper()
	if got := c.read(); got != frame {
		c.t.Fatalf("got  %s\nwant %s", got, frame)
	}
}

// barrier makes sure that nothing more was on its way before now.
func (c *client) barrier() {
	c.t.Helper()
	c.send(`{"cmd":"ping","listener":"barrier"}`)
	c.expect(`{"cmd":"statuscode","code":"I:100 | OK","code_id":100,"listener":"barrier"}`)
}

func (c *client) subscribe(packet string) {
	c.t.Helper()
	c.send(packet)
	c.expect(`{"cmd":"statuscode","code":"I:100 | OK","code_id":100}`)
}

func (c *client) expectClose(code int) {
	c.t.Helper()
	for {
		_, _, err := c.ws.ReadMessage()
		if websocket.IsCloseError(err, code) {
			return
		}
		if err != nil {
			c.t.Fatalf("got %v, want close %d", err, code)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
