package cl4

import (
	"context"
	"errors"
	"log/slog"
	"slices"

	"meower/core"
)

// gmsg sends a value to everyone in rooms. The rooms hold it until the next.
func gmsg(ctx context.Context, c *conn, p packet) error {
	return c.sayAloud(ctx, p, "", func(stay core.Stay) (int64, error) {
		return c.server.core.SetRoomMessage(ctx, stay, p.get("val").Raw)
	})
}

// gvar gives a variable of rooms a value, of which everyone there hears.
func gvar(ctx context.Context, c *conn, p packet) error {
	return c.sayAloud(ctx, p, p.get("name").Raw, func(stay core.Stay) (int64, error) {
		return c.server.core.SetRoomVariable(ctx, stay, p.text("name"), p.get("val").Raw)
	})
}

// sayAloud sends a packet to everyone in the rooms that it names. It is written
// before it is sent: who links meanwhile finds it or hears it. During an outage
// it is only sent. Where a room cannot hold it, the rooms before that one have it
// all the same.
func (c *conn) sayAloud(ctx context.Context, p packet, name string, write func(core.Stay) (int64, error)) error {
	stays, err := c.staysIn(p)
	if err != nil {
		return err
	}
	for _, stay := range stays {
		number, err := write(stay)
		switch {
		case errors.Is(err, core.Err(core.CodeTooLarge)):
			return err
		case err != nil:
			c.server.log.WarnContext(ctx, "room does not hold what was said", slog.Any("error", err))
		default:
			c.server.rooms.begun(stay)
		}
		event := roomEvent{Number: number, Packet: roomPacket(p.cmd, name, p.get("val").Raw, "", stay.Room, "")}
		if p.listener != "" {
			event.Except = c.client.id
			c.answer(roomPacket(p.cmd, name, p.get("val").Raw, "", stay.Room, p.listener))
		}
		c.server.core.Tell(ctx, eventRoomMessage, stay.Room, event)
	}
	return nil
}

// roomsOf returns the rooms that a packet names, or all that the client is in.
func (c *conn) roomsOf(p packet) ([]string, error) {
	named := p.get("rooms")
	if !named.Exists() {
		return c.client.rooms, nil
	}
	rooms, _ := namesIn(named)
	if len(rooms) == 0 {
		return nil, refuse(statusSyntax)
	}
	for _, name := range rooms {
		if !slices.Contains(c.client.rooms, name) {
			return nil, refuse(statusRoomNotJoined)
		}
	}
	return rooms, nil
}

// staysIn returns the node's stays in the rooms of roomsOf, which do not end
// while the client is there.
func (c *conn) staysIn(p packet) ([]core.Stay, error) {
	names, err := c.roomsOf(p)
	if err != nil {
		return nil, err
	}
	r := c.server.rooms
	r.mu.Lock()
	defer r.mu.Unlock()
	stays := make([]core.Stay, 0, len(names))
	for _, name := range names {
		stays = append(stays, r.rooms[name].stay)
	}
	return stays, nil
}

// roomPacket encodes what clients hear in a room. name, val, origin and listener
// are JSON; what is empty is left out.
func roomPacket(cmd, name, val, origin, room, listener string) []byte {
	b := make([]byte, 0, len(name)+len(val)+len(origin)+len(room)+len(listener)+64)
	b = append(b, `{"cmd":"`...)
	b = append(b, cmd...)
	b = append(b, '"')
	for _, part := range [...]struct{ key, value string }{
		{"name", name}, {"val", val}, {"origin", origin}, {"rooms", string(encoded(room))},
	} {
		if part.value != "" {
			b = append(b, `,"`+part.key+`":`...)
			b = append(b, part.value...)
		}
	}
	return finish(b, listener)
}
