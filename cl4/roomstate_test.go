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
