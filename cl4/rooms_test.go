package cl4

import (
	"encoding/json"
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

func TestRoomsBasic(t *testing.T) {
	w := newWorld(t, withRooms)
	w.guest("ada").do(`{"cmd":"link","val":"hall"}`, okPacket)
}
