package cl4

import (
	"context"
	"log/slog"
	"maps"
	"slices"

	"meower/core"
)

// link has the client enter rooms, and hear what they hold. It leaves the room
// where all begin, unless that is among them.
func link(ctx context.Context, c *conn, p packet) error {
	to, _ := namesIn(p.get("val"))
	if len(to) == 0 || slices.Contains(to, "") {
		return refuse(statusSyntax)
	}
	var from []string
	if slices.Contains(c.client.rooms, defaultRoom) && !slices.Contains(to, defaultRoom) {
		from = []string{defaultRoom}
	}
	after := len(c.client.rooms) - len(from)
	for _, name := range to {
		if !slices.Contains(c.client.rooms, name) {
			after++
		}
	}
	if after > maxRooms {
		return refuse(statusTooLarge)
	}
	m := &move{conn: c, client: c.client, to: to, from: from}
	if err := m.run(ctx, true); err != nil {
		return err
	}
	c.ok(p)
	return nil
}

// unlink has the client leave rooms, or all of them. Who is in no room any more
// is back where all begin.
func unlink(ctx context.Context, c *conn, p packet) error {
	from := slices.Clone(c.client.rooms)
	if val := p.get("val"); val.Exists() && !isBlank(val) {
		from, _ = namesIn(val)
	}
	for _, name := range from {
		if !slices.Contains(c.client.rooms, name) {
			return refuse(statusRoomNotJoined)
		}
	}
	m := &move{conn: c, client: c.client, from: from}
	if len(from) == len(c.client.rooms) {
		m.to = []string{defaultRoom}
		m.from = slices.DeleteFunc(from, func(name string) bool { return name == defaultRoom })
	}
	if err := m.run(ctx, false); err != nil {
		return err
	}
	c.ok(p)
	return nil
}

// move is a client's way from rooms to others. While it is under way, what is
// said in the new rooms is put aside: what they held before comes first, and
// nothing comes that is older than that.
type move struct {
	conn     *conn
	client   *roomClient
	to, from []string
	stays    []core.Stay // of to
	states   map[string]core.RoomState
}

// run moves the client. Where Redis does not say what the rooms hold, must says
// that the client then stays where it is; to leave is always possible.
func (m *move) run(ctx context.Context, must bool) error {
	m.open()
	err := m.read(ctx)
	if err != nil && must {
		m.conn.server.endStays(m.abandon())
		return err
	}
	ended := m.cross()
	if err == nil {
		m.replay()
	} else {
		m.conn.server.log.WarnContext(ctx, "room is not replayed", slog.Any("error", err))
	}
	m.arrive()
	m.conn.server.endStays(ended)
	return nil
}

// open begins to put aside what is said.
func (m *move) open() {
	r := m.conn.server.rooms
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, name := range m.to {
		room := r.room(name)
		r.server.hub.part(m.conn, topicRooms+name)
		room.entering[m.client] = &backlog{}
		r.settle(room)
		m.stays = append(m.stays, room.stay)
	}
}

// read asks what the rooms hold. Nobody else ends the stays meanwhile.
func (m *move) read(ctx context.Context) error {
	m.states = map[string]core.RoomState{}
	for _, stay := range m.stays {
		state, err := m.conn.server.core.EnterRoom(ctx, stay)
		if err != nil {
			return err
		}
		m.states[stay.Room] = state
		m.conn.server.rooms.begun(stay)
	}
	return nil
}

// abandon undoes open, and returns the stays that end with it.
func (m *move) abandon() (ended []core.Stay) {
	m.states = nil // all that was put aside is sent
	m.arrive()
	r := m.conn.server.rooms
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, name := range m.to {
		room := r.rooms[name]
		if stay := room.end(); stay != nil {
			ended = append(ended, *stay)
		}
		r.tidy(room)
	}
	return ended
}

// cross has the client be in the new rooms and no more in the old, and tells it
// and the others who is there now. It returns the stays that end with it.
func (m *move) cross() (ended []core.Stay) {
	r := m.conn.server.rooms
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, name := range m.from {
		if stay := r.exit(m.client, name); stay != nil {
			ended = append(ended, *stay)
		}
	}
	for _, name := range m.to {
		if !slices.Contains(m.client.rooms, name) {
			r.enter(m.client, name)
		}
		if r.listed {
			m.conn.answer(r.rooms[name].list(""))
		}
	}
	r.tellNodes(m.client)
	return ended
}

// replay sends what the rooms held.
func (m *move) replay() {
	for _, name := range m.to {
		state := m.states[name]
		if state.Message != "" {
			m.conn.answerPaced(textFrame(roomPacket("gmsg", "", state.Message, "", name, "")))
		}
		for _, variable := range slices.Sorted(maps.Keys(state.Variables)) {
			m.conn.answerPaced(textFrame(roomPacket("gvar", string(encoded(variable)), state.Variables[variable], "", name, "")))
		}
	}
}

// arrive sends what was put aside in the rooms where the client is, unless it has
// been replayed, and has the client hear what comes from now on.
func (m *move) arrive() {
	r := m.conn.server.rooms
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, name := range m.to {
		room := r.rooms[name]
		aside := room.entering[m.client].frames
		delete(room.entering, m.client)
		if !slices.Contains(m.client.rooms, name) {
			continue
		}
		if state, known := m.states[name]; known {
			room.replayed[m.client] = state.Number
			room.newest = max(room.newest, state.Number)
		}
		for _, said := range aside {
			if !room.hasHad(m.client, said.number) {
				m.conn.answerFrame(said.frame)
			}
		}
		r.server.hub.listen(m.conn, topicRooms+name)
	}
}
