package cl4

import (
	"encoding/json"
	"strconv"
	"testing"
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
