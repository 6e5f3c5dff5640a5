package cl4

import (
	"cmp"
	"context"
	"slices"

	"github.com/tidwall/gjson"
)

// pmsg sends a value to a client in the same room.
func pmsg(ctx context.Context, c *conn, p packet) error { return c.sayTo(ctx, p, "") }

// pvar gives a variable of a client in the same room a value.
func pvar(ctx context.Context, c *conn, p packet) error { return c.sayTo(ctx, p, p.get("name").Raw) }

// addressee is a client, and the room in which it was found.
type addressee struct{ id, room string }

// sayTo sends a packet to the client that it names, once for each room where the
// two meet. The same name may be another's in every room; within one it must be
// the only one.
func (c *conn) sayTo(ctx context.Context, p packet, name string) error {
	names, err := c.roomsOf(p)
	if err != nil {
		return err
	}
	found, err := c.server.rooms.find(p.get("id"), names)
	if err != nil {
		return err
	}
	for _, to := range found {
		packet := roomPacket(p.cmd, name, p.get("val").Raw, string(c.client.object), to.room, "")
		c.server.core.Tell(ctx, eventRoomPrivate, to.id, roomEvent{Packet: packet, Room: to.room})
	}
	c.ok(p)
	return nil
}

// find returns who a reference means in each of the rooms.
func (r *rooms) find(ref gjson.Result, names []string) (found []addressee, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, name := range names {
		client, err := r.findIn(ref, name)
		if err != nil {
			return nil, err
		}
		if client != nil {
			found = append(found, addressee{client.id, name})
		}
	}
	if len(found) == 0 {
		return nil, refuse(statusNotFound)
	}
	return found, nil
}

// findIn returns who a reference means in a room, nil where that is nobody. A
// client object counts by its id or uuid. A string is an id before it is a name,
// so that nobody gets what is another's by taking their id for a name. It needs
// the lock.
func (r *rooms) findIn(ref gjson.Result, room string) (*roomClient, error) {
	text := ref.Str
	if ref.IsObject() {
		text = cmp.Or(ref.Get("id").Str, ref.Get("uuid").Str)
	}
	if client := r.clients[text]; client != nil && slices.Contains(client.rooms, room) {
		return client, nil
	}
	if ref.IsObject() {
		return nil, nil
	}
	return r.namedIn(text, room)
}

// namedIn returns the one client in a room that has a name, nil where there is
// none. A name may be that of thousands elsewhere, and a room may have thousands:
// it looks at the fewer. It needs the lock.
func (r *rooms) namedIn(username, name string) (found *roomClient, err error) {
	room, among := r.rooms[name], r.names[username]
	if len(room.named) < len(among) {
		among = room.named
	}
	for client := range among {
		switch _, in := room.named[client]; {
		case !in || client.username != username:
		case found != nil:
			return nil, refuse(statusNotSpecific)
		default:
			found = client
		}
	}
	return found, nil
}
