package cl4

import (
	"encoding/json"
	"slices"

	"meower/bus"
)

// The events between nodes about what clients say. They are not those of the
// history: rooms are not resumed.
const (
	eventRoomMessage = "room_message" // room → its clients
	eventRoomPrivate = "room_private" // client id → that client
)

// roomEvent is the value of both.
type roomEvent struct {
	Packet json.RawMessage `json:"packet"`
	// Number is that of the write to what the room holds, 0 where there was none.
	Number int64 `json:"number,omitempty"`
	// Except is the id of a client that has had a packet of its own.
	Except string `json:"except,omitempty"`
	// Room is where the client that is addressed must be.
	Room string `json:"room,omitempty"`
}

// backlog is what is said in a room while a client enters it.
type backlog struct {
	frames []numbered
	bytes  int
}

type numbered struct {
	frame  *frame
	number int64
}

// roomMessage gives this node's clients in a room what someone says there.
func (s *Server) roomMessage(e bus.Event) {
	if s.rooms == nil || !s.rooms.has(e.Whom) {
		return
	}
	var said roomEvent
	if !s.read(e, &said) || said.Packet == nil {
		return
	}
	f := s.sharedFrame(said.Packet)
	r := s.rooms
	r.mu.Lock()
	defer r.mu.Unlock()
	room := r.rooms[e.Whom]
	if room == nil {
		return
	}
	r.send(room, f, said.Number, said.Except)
}

// roomPrivate gives a client of this node what someone sends to it alone.
func (s *Server) roomPrivate(e bus.Event) {
	if s.rooms == nil {
		return
	}
	r := s.rooms
	r.mu.Lock()
	client := r.clients[e.Whom]
	ours := client != nil && client.conn != nil
	r.mu.Unlock()
	var said roomEvent
	if !ours || !s.read(e, &said) || said.Packet == nil {
		return
	}
	f := s.sharedFrame(said.Packet)
	r.mu.Lock()
	in := slices.Contains(client.rooms, said.Room)
	r.mu.Unlock()
	if in && client.conn.push(f) {
		s.writers.add(client.conn)
	}
}

// has reports whether clients of this node are in a room, or about to be.
func (r *rooms) has(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	room := r.rooms[name]
	return room != nil && room.here()
}

// hasHad reports whether a write, by its number, has been replayed to a client.
// It needs the lock.
func (rm *room) hasHad(client *roomClient, number int64) bool {
	return number != 0 && number <= rm.newest && number <= rm.replayed[client]
}

// send queues a frame for this node's clients in a room. Who is about to enter
// gets it later. It needs the lock, so that what it sends has one order.
func (r *rooms) send(room *room, f *frame, number int64, exceptID string) {
	s := r.server
	for client, backlog := range room.entering {
		if client.id == exceptID {
			continue
		}
		if backlog.bytes += f.size(); backlog.bytes > maxQueued {
			backlog.frames = nil
			client.conn.close(closeSlow, "Slow")
			continue
		}
		backlog.frames = append(backlog.frames, numbered{f, number})
	}
	var claimed []*conn
	for _, c := range s.hub.in(topicRooms + room.name) {
		if c.client.id != exceptID && !room.hasHad(c.client, number) && c.push(f) {
			claimed = append(claimed, c)
		}
	}
	s.writers.add(claimed...)
}
