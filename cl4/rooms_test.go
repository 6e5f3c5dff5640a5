package cl4

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/gorilla/websocket"
)

const okPacket = `{"cmd":"statuscode","code":"I:100 | OK","code_id":100}`

// withRooms enables the room commands.
func withRooms(o *Options) { o.Disabled = nil }

// withListedRooms also has clients told who is in their rooms.
func withListedRooms(o *Options) { o.Disabled, o.UserList = nil, true }

// twins are two clients in default with the same name.
func (w *world) twins() {
	w.t.Helper()
	for range 2 {
		w.guest("twin")
	}
}

// guest is a client with a name, and its client object.
type guest struct {
	*client
	object clientObject
	json   string // the object
}

// guest dials and takes a name.
func (w *world) guest(name string) guest {
	w.t.Helper()
	g := guest{client: w.dial()}
	g.send(`{"cmd":"setid","val":"` + name + `"}`)
	for {
		var answer struct {
			Cmd string
			Val json.RawMessage
		}
		must(w.t, json.Unmarshal([]byte(g.read()), &answer))
		if answer.Cmd == "statuscode" {
			g.json = string(answer.Val)
			must(w.t, json.Unmarshal(answer.Val, &g.object))
			return g
		}
	}
}

// do sends a packet and expects these.
func (c *client) do(packet string, want ...string) {
	c.t.Helper()
	c.send(packet)
	for _, frame := range want {
		c.expect(frame)
	}
}

// listing is a ulist packet about a guest.
func listing(mode, room string, who guest) string {
	val := who.json
	if mode == "set" {
		val = "[" + val + "]"
	}
	return `{"cmd":"ulist","mode":"` + mode + `","val":` + val + `,"rooms":"` + room + `"}`
}

// in has a new client with a name enter rooms, without the list of anyone else.
func (w *world) in(name, rooms string) guest {
	w.t.Helper()
	g := w.guest(name)
	g.do(`{"cmd":"link","val":`+rooms+`}`, okPacket)
	return g
}

func TestRoomLists(t *testing.T) {
	w := newWorld(t, withListedRooms)
	watcher := w.dial()
	if ids := watcher.handshake(); len(ids) != 0 {
		t.Fatalf("listed %v", ids)
	}
	ada := w.guest("ada")
	watcher.expect(listing("add", "default", ada))
	bob := w.guest("bob")
	watcher.expect(listing("add", "default", bob))
	ada.expect(listing("add", "default", bob))

	ada.do(`{"cmd":"link","val":["hall","attic"]}`, listing("set", "hall", ada), listing("set", "attic", ada), okPacket)
	watcher.expect(listing("remove", "default", ada))
	bob.expect(listing("remove", "default", ada))
	bob.send(`{"cmd":"link","val":"hall"}`)
	watcher.expect(listing("remove", "default", bob))
	ada.expect(listing("add", "hall", bob))
	if ids := bob.roomList("hall"); len(ids) != 2 {
		t.Fatalf("listed %v", ids)
	}
	bob.expect(okPacket)

	ada.do(`{"cmd":"link","val":"hall"}`) // again: the others need not hear of it
	if ids := ada.roomList("hall"); len(ids) != 2 {
		t.Fatalf("listed %v", ids)
	}
	ada.expect(okPacket)
	ada.do(`{"cmd":"unlink","val":"attic"}`, okPacket)
	_ = bob.ws.Close()
	ada.expect(listing("remove", "hall", bob))
	watcher.barrier()
	ada.barrier()
}

// roomList reads a whole list and returns the ids.
func (c *client) roomList(room string) (ids []string) {
	c.t.Helper()
	var list struct {
		Cmd, Mode, Rooms string
		Val              []clientObject
	}
	must(c.t, json.Unmarshal([]byte(c.read()), &list))
	if list.Cmd != "ulist" || list.Mode != "set" || list.Rooms != room {
		c.t.Fatalf("got %+v, want the list of %s", list, room)
	}
	for _, who := range list.Val {
		ids = append(ids, who.ID)
	}
	return ids
}

// TestRoomListsOff: CL4_ULIST=false hides who is there in rooms, too.
func TestRoomListsOff(t *testing.T) {
	w := newWorld(t, withRooms)
	watcher := w.dial()
	ada := w.guest("ada")
	if ids := watcher.handshake(); len(ids) != 0 {
		t.Fatalf("listed %v", ids)
	}
	ada.do(`{"cmd":"link","val":"hall"}`, okPacket)
	watcher.barrier()
}

// TestRoomListsAreBounded: as with the users, nothing is told where there are too
// many, and the whole list when there no longer are.
func TestRoomListsAreBounded(t *testing.T) {
	w := newWorld(t, withListedRooms)
	watcher := w.dial()
	watcher.handshake()
	r := w.server.rooms
	crowd := func(n int, in bool) {
		r.mu.Lock()
		defer r.mu.Unlock()
		id := strconv.Itoa(n)
		r.heard("other", id, `{"username":"n`+id+`","uuid":"u`+id+`","rooms":["default"]}`, in)
	}
	for n := range maxUserList + 1 {
		crowd(n, true)
		if n < maxUserList {
			watcher.read()
		}
	}
	watcher.barrier()
	for n := range maxUserList + 1 - loudAgain {
		crowd(n, false)
	}
	if ids := watcher.roomList("default"); len(ids) != loudAgain {
		t.Fatalf("%d listed", len(ids))
	}
	watcher.barrier()
	for n := range maxUserList + 1 {
		crowd(n, false)
	}
}

func TestRoomMessages(t *testing.T) {
	w := newWorld(t, withRooms)
	ada, bob, cleo := w.in("ada", `["hall","attic"]`), w.in("bob", `"hall"`), w.in("cleo", `"attic"`)
	nobody := w.dial() // in default, and without a name
	nobody.barrier()
	for _, test := range []struct{ keys, echo string }{
		{`"cmd":"gmsg","val":"a"`, `"cmd":"gmsg","val":"a"`},
		{`"cmd":"gvar","name":"n","val":[1]`, `"cmd":"gvar","name":"n","val":[1]`},
	} {
		hall, attic := `{`+test.echo+`,"rooms":"hall"`, `{`+test.echo+`,"rooms":"attic"`
		ada.do(`{`+test.keys+`}`, hall+`}`, attic+`}`)
		bob.expect(hall + `}`)
		cleo.expect(attic + `}`)
		// Only the sender's own copy carries the listener.
		ada.do(`{`+test.keys+`,"listener":7}`, hall+`,"listener":7}`, attic+`,"listener":7}`)
		bob.expect(hall + `}`)
		cleo.expect(attic + `}`)
		ada.do(`{`+test.keys+`,"rooms":["attic"]}`, attic+`}`)
		cleo.expect(attic + `}`)
		nobody.do(`{`+test.keys+`}`, `{`+test.echo+`,"rooms":"default"}`)
	}
	for _, c := range []*client{ada.client, bob.client, cleo.client, nobody} {
		c.barrier()
	}
}

func TestRoomPrivateMessages(t *testing.T) {
	w := newWorld(t, withRooms)
	ada, bob := w.in("ada", `["hall","attic"]`), w.in("bob", `["attic","hall"]`)
	other := w.in("other", `["hall","attic"]`)
	for _, test := range []struct{ keys, echo string }{
		{`"cmd":"pmsg","val":"a"`, `"cmd":"pmsg","val":"a"`},
		{`"cmd":"pvar","name":"n","val":null`, `"cmd":"pvar","name":"n","val":null`},
	} {
		for _, id := range []string{
			`"bob"`, `"` + bob.object.ID + `"`, `"` + bob.object.UUID + `"`, bob.json,
			`{"id":"` + bob.object.ID + `"}`, `{"uuid":"` + bob.object.UUID + `"}`,
		} {
			in := func(room string) string {
				return `{` + test.echo + `,"origin":` + ada.json + `,"rooms":"` + room + `"}`
			}
			ada.do(`{`+test.keys+`,"id":`+id+`}`, okPacket)
			bob.expect(in("hall"))
			bob.expect(in("attic"))
			ada.do(`{`+test.keys+`,"id":`+id+`,"rooms":"attic"}`, okPacket)
			bob.expect(in("attic"))
		}
	}
	bob.barrier()
	other.barrier()
}

// TestNobodyTakesAnothersID: who has another's id for a name gets nothing of
// theirs.
func TestNobodyTakesAnothersID(t *testing.T) {
	w := newWorld(t, withRooms)
	ada := w.guest("ada")
	thief := w.guest(ada.object.ID)
	bob := w.guest("bob")
	bob.do(`{"cmd":"pmsg","id":"`+ada.object.ID+`","val":1}`, okPacket)
	ada.expect(`{"cmd":"pmsg","val":1,"origin":` + bob.json + `,"rooms":"default"}`)
	thief.barrier()
}

// TestRoomIsFull: what a room holds is bounded, and what it holds can still be
// changed then.
func TestRoomIsFull(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Disabled, o.CommandsPerSecond = nil, 0 })
	ada := w.in("ada", `"hall"`)
	value := `"` + strings.Repeat("v", maxRoomValue-2) + `"`
	set := func(name string) string {
		return `{"cmd":"gvar","name":"` + name + `","val":` + value
	}
	last := ""
	for i := range 15 {
		last = strconv.Itoa(i)
		ada.do(set(last)+`}`, set(last)+`,"rooms":"hall"}`)
	}
	ada.do(set("more")+`}`, `{"cmd":"statuscode","code":"E:113 | Too large","code_id":113}`)
	ada.do(set(last)+`}`, set(last)+`,"rooms":"hall"}`)
	ada.do(`{"cmd":"gmsg","val":`+value+`}`, `{"cmd":"gmsg","val":`+value+`,"rooms":"hall"}`)
	ada.send(`{"cmd":"link","val":"hall"}`) // a replay of a full room arrives
	for range 16 {
		ada.read()
	}
	ada.expect(okPacket)
}

// TestSomeRoomCommandsDisabled: each command can be disabled for itself.
func TestSomeRoomCommandsDisabled(t *testing.T) {
	for _, disabled := range roomCommands {
		t.Run(disabled, func(t *testing.T) {
			w := newWorld(t, func(o *Options) { o.Disabled, o.UserList = []string{disabled}, true })
			c := w.dial()
			c.handshake()
			for _, cmd := range roomCommands {
				c.send(`{"cmd":"` + cmd + `","val":5,"listener":[]}`) // 109 where it is enabled
				want := `{"cmd":"statuscode","code":"E:109 | Invalid command","code_id":109}`
				if cmd == disabled {
					want = `{"cmd":"statuscode","code":"E:110 | Command disabled","code_id":110}`
				}
				c.expect(want)
			}
			// Without names the list is that of the users.
			if users := w.server.presence != nil; users != (disabled == "setid") {
				t.Errorf("users are listed: %v", users)
			}
		})
	}
}

// TestRoomsOutliveAuthentication: a failed one, too.
func TestRoomsOutliveAuthentication(t *testing.T) {
	w := newWorld(t, withRooms)
	alice := w.register("alice")
	ada := w.in("ada", `"hall"`)
	ada.do(`{"cmd":"authenticate","token":"nonsense"}`, `{"cmd":"statuscode","code":"E:200 | Invalid token","code_id":200}`)
	ada.do(`{"cmd":"gmsg","val":1}`, `{"cmd":"gmsg","val":1,"rooms":"hall"}`)
	w.server.hub.unregister(w.server.hub.in(topicRooms + "hall")[0])
	ada.do(`{"cmd":"gmsg","val":2}`, `{"cmd":"gmsg","val":2,"rooms":"hall"}`)
	ada.do(`{"cmd":"authenticate","token":"`+alice.token+`"}`, okPacket)
	ada.read() // ready
	ada.do(`{"cmd":"gmsg","val":3}`, `{"cmd":"gmsg","val":3,"rooms":"hall"}`)
}

// TestRoomsInOutage: without Redis the clients of a node still talk, but nobody
// can be told what a room held, and so nobody enters one.
func TestRoomsInOutage(t *testing.T) {
	cluster := newCluster(t, 1, withRooms)
	w := cluster.nodes[0]
	ada, bob := w.in("ada", `"hall"`), w.in("bob", `"hall"`)
	cluster.redis.SetError("LOADING")
	ada.do(`{"cmd":"gmsg","val":1}`, `{"cmd":"gmsg","val":1,"rooms":"hall"}`)
	bob.expect(`{"cmd":"gmsg","val":1,"rooms":"hall"}`)
	ada.do(`{"cmd":"pmsg","id":"bob","val":1}`, okPacket)
	bob.expect(`{"cmd":"pmsg","val":1,"origin":` + ada.json + `,"rooms":"hall"}`)
	const fault = `{"cmd":"statuscode","code":"E:105 | Internal server error","code_id":105}`
	bob.do(`{"cmd":"link","val":["attic","hall"]}`, fault)
	bob.do(`{"cmd":"gmsg","val":2}`, `{"cmd":"gmsg","val":2,"rooms":"hall"}`) // not twice, and not in the attic
	ada.expect(`{"cmd":"gmsg","val":2,"rooms":"hall"}`)
	bob.do(`{"cmd":"unlink","val":"hall"}`, okPacket) // to leave is always possible
	bob.do(`{"cmd":"gmsg","val":3}`, `{"cmd":"gmsg","val":3,"rooms":"default"}`)
	ada.barrier()
	bob.expectEmptyAfterShutdown(w)
	w.expectNoRooms()
}

// expectNoRooms: what is left of rooms when nobody is there is left for ever.
func (w *world) expectNoRooms() {
	w.t.Helper()
	r := w.server.rooms
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.rooms) + len(r.clients) + len(r.names) + len(r.roster.own); n != 0 {
		w.t.Fatalf("left of rooms: %v %v %v %v", r.rooms, r.clients, r.names, r.roster.own)
	}
}

// TestRoomEndsWithItsLastClient: what it held is gone, whether the last one
// leaves or loses the connection.
func TestRoomEndsWithItsLastClient(t *testing.T) {
	w := newWorld(t, withRooms)
	for _, leave := range map[string]func(guest){
		"unlinks": func(g guest) { g.do(`{"cmd":"unlink"}`, okPacket) },
		"moves": func(g guest) {
			g.do(`{"cmd":"link","val":"default"}`, okPacket)
			g.do(`{"cmd":"unlink","val":"hall"}`, okPacket)
		},
		"disconnect": func(g guest) { _ = g.ws.Close() },
	} {
		ada, bob := w.in("ada", `"hall"`), w.in("bob", `"hall"`)
		ada.do(`{"cmd":"gvar","name":"n","val":1}`, `{"cmd":"gvar","name":"n","val":1,"rooms":"hall"}`)
		_ = ada.ws.Close() // bob is there still
		bob.expect(`{"cmd":"gvar","name":"n","val":1,"rooms":"hall"}`)
		w.until(func() bool { return w.server.rooms.count("hall") == 1 })
		bob.do(`{"cmd":"link","val":"hall"}`, `{"cmd":"gvar","name":"n","val":1,"rooms":"hall"}`, okPacket)
		leave(bob)
		w.until(func() bool { return w.client.Exists(t.Context(), "meower:room:hall").Val() == 0 })
		cleo := w.in("cleo", `"hall"`) // nothing is replayed
		_ = cleo.ws.Close()
		w.until(func() bool { return w.client.Exists(t.Context(), "meower:room:hall").Val() == 0 })
	}
}

// count is how many clients with a name are in a room.
func (r *rooms) count(name string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if room := r.rooms[name]; room != nil {
		return len(room.named)
	}
	return 0
}

// TestLinkMissesNothing: who links while values are written gets every one that
// comes after what is replayed, none twice, and none that is older.
func TestLinkMissesNothing(t *testing.T) {
	cluster := newCluster(t, 2, func(o *Options) { o.Disabled, o.CommandsPerSecond = nil, 0 })
	writer := cluster.nodes[0].in("ada", `"hall"`)
	const writes = 200
	var readers sync.WaitGroup
	begun := make(chan struct{})
	for i := range 8 {
		w := cluster.nodes[i%2]
		g := w.guest("bob")
		readers.Go(func() {
			<-begun
			g.send(`{"cmd":"link","val":"hall"}`)
			latest := 0
			for latest < writes {
				var said struct {
					Cmd string
					Val int
				}
				if _, frame, err := g.ws.ReadMessage(); err != nil || json.Unmarshal(frame, &said) != nil {
					t.Errorf("%s %v", frame, err)
					return
				}
				if said.Cmd != "gmsg" {
					continue
				}
				if latest != 0 && said.Val != latest+1 {
					t.Errorf("%d after %d", said.Val, latest)
				}
				latest = said.Val
			}
		})
	}
	for i := 1; i <= writes; i++ {
		if i == writes/10 {
			close(begun)
		}
		writer.do(fmt.Sprintf(`{"cmd":"gmsg","val":%d}`, i), fmt.Sprintf(`{"cmd":"gmsg","val":%d,"rooms":"hall"}`, i))
	}
	readers.Wait()
}

// TestEnteringIsBounded: who does not come to an end of entering a room is closed
// when too much has been said there.
func TestEnteringIsBounded(t *testing.T) {
	w := newWorld(t, withRooms)
	slow := w.in("ada", `"attic"`)
	r := w.server.rooms
	r.mu.Lock()
	room := r.room("hall")
	entering := r.clients[slow.object.ID]
	room.entering[entering] = &backlog{}
	f := w.server.sharedFrame([]byte(`"` + strings.Repeat("x", maxQueued/2) + `"`))
	for range 5 {
		r.send(room, f, 0, "")
	}
	kept := len(room.entering[entering].frames)
	delete(room.entering, entering)
	r.tidy(room)
	r.mu.Unlock()
	if kept != 0 {
		t.Errorf("%d frames are kept", kept)
	}
	slow.expectClose(closeSlow)
}

// TestRoomStorm: whatever clients do at once, nothing is left of them.
func TestRoomStorm(t *testing.T) {
	cluster := newCluster(t, 2, func(o *Options) { o.Disabled, o.UserList, o.CommandsPerSecond = nil, true, 0 }, quickRosters)
	var clients sync.WaitGroup
	for n := range 24 {
		c := cluster.nodes[n%2].dial()
		clients.Go(func() {
			done := make(chan struct{})
			go func() { // ends with the connection
				defer close(done)
				for {
					if _, _, err := c.ws.ReadMessage(); err != nil {
						return
					}
				}
			}()
			random := rand.New(rand.NewPCG(1, uint64(n))) //nolint:gosec // a test's choices
			write := func(packet string) { _ = c.ws.WriteMessage(websocket.TextMessage, []byte(packet)) }
			write(fmt.Sprintf(`{"cmd":"setid","val":"n%d"}`, n%5))
			for range 30 {
				room := random.IntN(4)
				switch random.IntN(6) {
				case 0, 1:
					write(fmt.Sprintf(`{"cmd":"link","val":["%d","%d"]}`, room, random.IntN(4)))
				case 2:
					write(fmt.Sprintf(`{"cmd":"unlink","val":"%d"}`, room))
				case 3:
					write(fmt.Sprintf(`{"cmd":"gvar","name":"%d","val":%d}`, room, n))
				case 4:
					write(`{"cmd":"gmsg","val":1,"listener":1}`)
				default:
					write(fmt.Sprintf(`{"cmd":"pmsg","id":"n%d","val":1}`, room))
				}
			}
			if n%3 == 0 {
				_ = c.ws.Close() // with everything under way
			} else {
				write(`{"cmd":"ping"}`)
				_ = c.ws.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""))
			}
			<-done
		})
	}
	clients.Wait()
	for _, w := range cluster.nodes {
		w.until(func() bool { // the other node's clients have gone, too
			w.server.rooms.mu.Lock()
			defer w.server.rooms.mu.Unlock()
			return len(w.server.rooms.clients) == 0
		})
	}
	for _, w := range cluster.nodes {
		w.dial().expectEmptyAfterShutdown(w)
	}
	for _, w := range cluster.nodes {
		w.expectNoRooms()
	}
	for _, key := range cluster.redis.Keys() {
		if strings.HasPrefix(key, "meower:room:") || strings.HasPrefix(key, "meower:clients:") {
			t.Errorf("%s is left in Redis", key)
		}
	}
}
