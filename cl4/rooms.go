package cl4

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"sync"

	"github.com/google/uuid"
	"github.com/tidwall/gjson"

	"meower/core"
)

// The limits of the room commands. Lengths are in code points where nothing else
// is said; what a room holds is limited by core.
const (
	maxUsername = 20
	maxRoomName = 100 // also that of a variable
	// maxClientRef is how long an id may be: a client object whose name is all
	// escapes fits.
	maxClientRef = 512 // encoded bytes
	maxRoomValue = 4096
	// maxRooms is how many rooms a client may be in, or name in a packet. A message
	// costs each of them a call.
	maxRooms = 10
)

// defaultRoom is where clients are that are nowhere else.
const defaultRoom = "default"

// roomCommands are those that make a plain CloudLink server.
var roomCommands = [...]string{"gmsg", "pmsg", "gvar", "pvar", "setid", "link", "unlink"}

// The keys of room commands.
var (
	roomNames = &kind{
		admits: func(v gjson.Result) bool { _, ok := namesIn(v); return ok },
		fits:   namesFit,
	}
	// Without a room, or with one that is empty in any way, all rooms are meant.
	roomNamesOrNone = &kind{
		admits: func(v gjson.Result) bool { return isBlank(v) || roomNames.admits(v) },
		fits:   namesFit,
	}
	clientRef = &kind{
		admits: func(v gjson.Result) bool { return v.Type == gjson.String || v.IsObject() },
	}

	roomsField     = field{key: "rooms", kind: roomNames, required: optional}
	roomValueField = field{key: "val", any: true, max: maxRoomValue}
	variableField  = field{key: "name", max: maxRoomName}
	clientField    = field{key: "id", any: true, kind: clientRef, max: maxClientRef}
)

// namesIn returns the rooms that a value names, one or several, each once. It
// returns false where the value is of another type.
func namesIn(value gjson.Result) (names []string, ok bool) {
	if value.Type == gjson.String {
		return []string{value.Str}, true
	}
	if !value.IsArray() {
		return nil, false
	}
	ok = true
	value.ForEach(func(_, name gjson.Result) bool {
		ok = name.Type == gjson.String
		if ok && len(names) <= maxRooms && !slices.Contains(names, name.Str) {
			names = append(names, name.Str)
		}
		return ok
	})
	return names, ok
}

func namesFit(value gjson.Result) bool {
	names, _ := namesIn(value)
	for _, name := range names {
		if length(gjson.Result{Type: gjson.String, Str: name}, false) > maxRoomName {
			return false
		}
	}
	return len(names) <= maxRooms
}

// isBlank reports whether a value says nothing: "", [], null, false or 0.
func isBlank(value gjson.Result) bool {
	switch value.Type {
	case gjson.Null, gjson.False:
		return true
	case gjson.Number:
		return value.Num == 0
	case gjson.String:
		return value.Str == ""
	}
	return value.IsArray() && len(value.Array()) == 0
}

// rooms knows who is in which room: all connections of this node, and those
// clients of the other nodes that have a name. What a room holds for those who
// come later is in Redis, where all nodes find the same and one that starts later
// finds it too; who is there is not, so that addressing someone costs no call. It
// is safe for concurrent use.
//
// The lock is never held while something is sent to another service, nor while
// an event is published: its handler takes the lock.
type rooms struct {
	server *Server
	listed bool // clients are told who is there

	mu      sync.Mutex
	roster  *roster
	rooms   map[string]*room
	clients map[string]*roomClient              // those with a name, by id and by uuid
	names   map[string]map[*roomClient]struct{} // by name

	wake chan struct{} // a stay has begun of which Redis does not know
	quit chan struct{}
	done chan struct{}
}

// room is a room that someone is in.
type room struct {
	name  string
	named map[*roomClient]struct{} // of all nodes
	quiet bool                     // changes of the list are not told (roomlists.go)
	// own is how many clients of this node are in it, and entering those who are
	// about to be (link.go). While there are any, there is a stay.
	own      int
	entering map[*roomClient]*backlog
	stay     core.Stay
	begun    bool // Redis knows of the stay
	// replayed is, for the clients of this node that have linked to the room, the
	// number of the latest write that was replayed to them; newest is that of all.
	// What another node tells of those writes afterwards is not for them.
	replayed map[*roomClient]int64
	newest   int64
}

// roomClient is a client as the room commands know it. What can change does so
// under the lock of rooms; a connection's own reader, who alone changes it, may
// read it without.
type roomClient struct {
	id, uuid string
	username string // empty until setid
	object   []byte // what others are told of the client, encoded; nil until setid
	rooms    []string
	conn     *conn // nil where it is another node's
}

// clientObject is a client as others are told of it.
type clientObject struct {
	ID       string `json:"id"`
	Username string `json:"username"`
	UUID     string `json:"uuid"`
}

// rosterClient is what other nodes are told of a client, under its id.
type rosterClient struct {
	Username string   `json:"username"`
	UUID     string   `json:"uuid"`
	Rooms    []string `json:"rooms"`
}

func newRooms(s *Server, listed bool) *rooms {
	r := &rooms{
		server:  s,
		listed:  listed,
		rooms:   map[string]*room{},
		clients: map[string]*roomClient{},
		names:   map[string]map[*roomClient]struct{}{},
		wake:    make(chan struct{}, 1),
		quit:    make(chan struct{}),
		done:    make(chan struct{}),
	}
	r.roster = newRoster(s, "meower:clients", &r.mu, r.heard)
	return r
}

// welcome makes a connection a client, in the room where all begin.
func (r *rooms) welcome(c *conn) {
	c.client = &roomClient{id: r.server.core.NewID(), uuid: uuid.NewString(), conn: c}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.enter(c.client, defaultRoom)
	r.server.hub.listen(c, topicRooms+defaultRoom)
}

// room returns a room, which may be new. It needs the lock.
func (r *rooms) room(name string) *room {
	room := r.rooms[name]
	if room == nil {
		room = newRoom(name)
		r.rooms[name] = room
	}
	return room
}

func newRoom(name string) *room {
	return &room{
		name:     name,
		named:    map[*roomClient]struct{}{},
		entering: map[*roomClient]*backlog{},
		replayed: map[*roomClient]int64{},
	}
}

// enter makes a client one of a room's. It needs the lock.
func (r *rooms) enter(client *roomClient, name string) {
	room := r.room(name)
	client.rooms = append(client.rooms, name)
	if client.conn != nil {
		r.settle(room)
		room.own++
	}
	if client.username != "" {
		room.named[client] = struct{}{}
		r.changed(room, "add", client)
	}
}

// exit undoes enter. It returns the stay that ends with it, for endStays; nil
// where none does. It needs the lock.
func (r *rooms) exit(client *roomClient, name string) (ended *core.Stay) {
	room := r.rooms[name]
	client.rooms = slices.DeleteFunc(client.rooms, func(other string) bool { return other == name })
	if client.conn != nil {
		room.own--
		delete(room.replayed, client)
		r.server.hub.part(client.conn, topicRooms+name)
	}
	if _, named := room.named[client]; named {
		delete(room.named, client)
		r.changed(room, "remove", client)
	}
	if client.conn != nil {
		ended = room.end()
	}
	r.tidy(room)
	return ended
}

// here reports whether clients of this node are in the room, or about to be. It
// needs the lock.
func (rm *room) here() bool { return rm.own > 0 || len(rm.entering) > 0 }

// tidy forgets a room that nobody is in. It needs the lock.
func (r *rooms) tidy(room *room) {
	if len(room.named) == 0 && !room.here() {
		delete(r.rooms, room.name)
	}
}

// settle begins a stay, unless there is one. It needs the lock.
func (r *rooms) settle(room *room) {
	if room.stay.ID != "" {
		return
	}
	room.stay = core.Stay{Room: room.name, Node: r.server.name, ID: r.server.core.NewID()}
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// end ends the stay where no client of this node is left, and returns it. It
// needs the lock.
func (rm *room) end() *core.Stay {
	if rm.here() {
		return nil
	}
	ended := rm.stay
	rm.stay, rm.begun = core.Stay{}, false
	return &ended
}

// name gives a client a name. It needs the lock.
func (r *rooms) name(client *roomClient, username string) {
	client.username, client.object = username, encoded(clientObject{client.id, username, client.uuid})
	r.clients[client.id], r.clients[client.uuid] = client, client
	if r.names[username] == nil {
		r.names[username] = map[*roomClient]struct{}{}
	}
	r.names[username][client] = struct{}{}
}

// unname undoes name. It needs the lock.
func (r *rooms) unname(client *roomClient) {
	delete(r.clients, client.id)
	delete(r.clients, client.uuid)
	delete(r.names[client.username], client)
	if len(r.names[client.username]) == 0 {
		delete(r.names, client.username)
	}
}

// tellNodes has the other nodes know a client of this one. It needs the lock.
func (r *rooms) tellNodes(client *roomClient) {
	r.roster.put(client.id, string(encoded(rosterClient{client.username, client.uuid, client.rooms})))
}

// heard is called with the lock held when another node's client comes, changes
// rooms or goes.
func (r *rooms) heard(_, id, value string, in bool) {
	client := r.clients[id]
	if client != nil && client.conn != nil {
		return // ours: no two clients have the same id
	}
	var told rosterClient
	if in {
		if err := json.Unmarshal([]byte(value), &told); err != nil || told.Username == "" {
			r.server.log.Error("client of another node cannot be read", slog.Any("error", err))
			return
		}
		if client == nil {
			client = &roomClient{id: id, uuid: told.UUID}
			r.name(client, told.Username)
		}
	}
	if client == nil {
		return
	}
	for _, name := range slices.Clone(client.rooms) {
		if !slices.Contains(told.Rooms, name) {
			r.exit(client, name)
		}
	}
	for _, name := range told.Rooms {
		if !slices.Contains(client.rooms, name) {
			r.enter(client, name)
		}
	}
	if !in {
		r.unname(client)
	}
}

// leaveRooms takes a connection that ends out of all rooms. It returns the stays
// that end with it, for endStays.
func (s *Server) leaveRooms(c *conn) (ended []core.Stay) {
	client := c.client
	if client == nil {
		return nil
	}
	r := s.rooms
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, name := range slices.Clone(client.rooms) {
		if stay := r.exit(client, name); stay != nil {
			ended = append(ended, *stay)
		}
	}
	if client.username != "" {
		r.unname(client)
		r.roster.remove(client.id)
	}
	return ended
}

// endStays tells Redis that this node has left rooms. Where it cannot be told,
// the rooms end with their time.
func (s *Server) endStays(ended []core.Stay) {
	if len(ended) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), keepWait)
	defer cancel()
	for _, stay := range ended {
		if err := s.core.LeaveRoom(ctx, stay); err != nil {
			s.log.Warn("room is not ended", slog.Any("error", err))
			return
		}
	}
}
