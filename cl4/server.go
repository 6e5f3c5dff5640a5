// Package cl4 is the websocket of Meower Server: CloudLink protocol 4 with
// Meower's own commands and events.
package cl4

import (
	"bufio"
	"cmp"
	"context"
	"crypto/rand"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"meower/bus"
	"meower/core"
)

const (
	// burstFactor is how many seconds' worth of commands may come at once.
	burstFactor = 3
	// shutdownSpread is over how long at most the closes of a shutdown are
	// spread, so that not all clients come back at the same instant.
	shutdownSpread = 5 * time.Second
	// readBuffer is the room for what a client has sent and nobody has read. Most
	// packets fit; larger ones are read past it.
	readBuffer = 256
	// writeBuffer is lent to a connection only while a packet is made.
	writeBuffer = 4096
	// shutdownStep is the longest pause between two of them.
	shutdownStep = 5 * time.Millisecond
)

var _ http.Handler = (*Server)(nil)

// Options are what a Server needs. Zero numbers mean no limit.
type Options struct {
	Core *core.Core
	Bus  bus.Bus
	Log  *slog.Logger
	// Address returns the address of the client behind a request.
	Address func(*http.Request) string
	// AllowedOrigins are the origins that browsers may connect from, besides the
	// server's own; "*" is any.
	AllowedOrigins []string
	// Disabled are the commands that are refused, by name.
	Disabled []string
	MOTD     string
	// RequireAuth closes connections that have not authenticated after 60 s.
	RequireAuth bool
	// CommandsPerSecond is each connection's budget; three times as many may come
	// at once.
	CommandsPerSecond     int
	ConnectionsPerAccount int
	ConnectionsPerAddress int
	// Compression offers permessage-deflate.
	Compression bool
	// UserList tells clients who is connected.
	UserList bool
}

// Server serves the websocket at "/". Make one with New and end it with
// Shutdown. It is safe for concurrent use.
type Server struct {
	core              *core.Core
	log               *slog.Logger
	hub               *hub
	timing            timing
	clientAddress     func(*http.Request) string
	origins           []string
	commands          map[string]*command
	motd              string
	requireAuth       bool
	compression       bool
	commandsPerSecond int
	perAccount        int
	perAddress        int
	upgrader          websocket.Upgrader
	bus               bus.Bus
	cancels           []func() // of what was asked of the bus
	born              time.Time

	node      string // as the bus knows it
	forgetful bool   // nothing can be resumed
	resumes   *resumes
	replays   chan struct{} // has an element for each under way

	writers *writers
	keeper  *keeper // nil until there is a connection

	name     string    // of the node, for the others
	presence *presence // nil where lists of users are off
	rooms    *rooms    // nil where the room commands are disabled
	rosters  []*roster // shared with the other nodes

	mu       sync.Mutex
	stopping bool
	cutting  bool           // Shutdown waits no longer
	serving  sync.WaitGroup // connections; added to under mu, and not once stopping
}

// New returns a Server that hears the bus's events until Shutdown.
func New(o Options) *Server {
	s := &Server{
		core:              o.Core,
		log:               o.Log,
		hub:               newHub(),
		timing:            defaultTiming,
		clientAddress:     o.Address,
		origins:           o.AllowedOrigins,
		commands:          commandsWithout(o.Disabled),
		motd:              o.MOTD,
		requireAuth:       o.RequireAuth,
		compression:       o.Compression,
		commandsPerSecond: o.CommandsPerSecond,
		perAccount:        o.ConnectionsPerAccount,
		perAddress:        o.ConnectionsPerAddress,
		bus:               o.Bus,
		born:              time.Now(),
		writers:           newWriters(),
		resumes:           newResumes(),
		replays:           make(chan struct{}, maxReplays),
	}
	s.bus.Between(func(p bus.Position) { s.node = p.Node })
	s.forgetful = s.node == ""
	s.name = cmp.Or(s.node, rand.Text()) // a bus that keeps no history names no node
	s.list(o.UserList)
	s.upgrader = websocket.Upgrader{
		HandshakeTimeout:  s.timing.write,
		ReadBufferSize:    readBuffer,
		WriteBufferSize:   writeBuffer,
		WriteBufferPool:   new(sync.Pool),
		CheckOrigin:       s.checkOrigin,
		EnableCompression: o.Compression,
	}
	s.cancels = []func(){o.Bus.Subscribe(s.onEvent), o.Bus.OnGap(s.onGap)}
	return s
}

// list makes the lists of who is there. Where clients can set names, those who
// have are listed, room by room; otherwise the users.
func (s *Server) list(users bool) {
	names := !s.commands["setid"].disabled
	if users && !names {
		s.presence = newPresence(s)
		s.rosters = append(s.rosters, s.presence.roster)
	}
	for _, cmd := range roomCommands {
		if !s.commands[cmd].disabled {
			s.rooms = newRooms(s, users && names)
			s.rosters = append(s.rosters, s.rooms.roster)
			return
		}
	}
}

// ServeHTTP implements http.Handler. It returns when the handshake is over: the
// connection goes on by itself, without what the HTTP server needs for one.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/" {
		http.NotFound(w, r)
		return
	}
	if !s.begin() {
		http.Error(w, "shutting down", http.StatusServiceUnavailable)
		return
	}
	hijack := &hijacker{ResponseWriter: w}
	ws, err := s.upgrader.Upgrade(hijack, r, nil)
	if err != nil {
		s.serving.Done()
		return // the upgrader has answered
	}
	c := newConn(s, ws, hijack.wire, s.clientAddress(r))
	if !s.hub.add(c, s.perAddress) {
		c.close(closeTryLater, "Too many connections")
	}
	// Shutdown may have made its list before the hub knew the connection.
	if stopping, cutting := s.isStopping(); cutting {
		c.cutOff()
	} else if stopping {
		c.close(closeRestart, "Service restart")
	}
	go func() { // ends with the connection; Shutdown waits for it
		defer s.serving.Done()
		c.serve()
	}()
}

// hijacker gives the websocket library a wire in place of the connection that it
// takes over from the HTTP server.
type hijacker struct {
	http.ResponseWriter
	wire *wire
}

var _ http.Hijacker = (*hijacker)(nil)

// Hijack implements http.Hijacker.
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, buffers, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	h.wire = newWire(c)
	return h.wire, buffers, nil
}

// begin counts a connection in, unless the server is stopping. The first one
// starts what all of them share.
func (s *Server) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return false
	}
	if s.keeper == nil {
		s.keeper = startKeeper(s)
		s.writers.start(runtime.GOMAXPROCS(0))
		for _, r := range s.rosters {
			r.start()
		}
		if s.rooms != nil {
			s.rooms.start()
		}
	}
	s.serving.Add(1)
	return true
}

func (s *Server) isStopping() (stopping, cutting bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopping, s.cutting
}

// leave takes a connection out of the hub. It returns what the connection was
// in, and the position up to which it got the events; nil where it got none.
func (s *Server) leave(c *conn) (left *departure, at *bus.Position) {
	who := c.who.Load()
	if who == nil {
		s.hub.remove(c)
		return nil, nil
	}
	if s.presence != nil && c.principal != nil {
		defer s.presence.disconnected(who.userID)
	}
	left, at = &departure{}, &bus.Position{}
	s.bus.Between(func(p bus.Position) {
		left.Topics, left.Lost = s.hub.topicsOf(c)
		left.Blocked, left.BlockedBy = who.blocks()
		s.hub.remove(c)
		*at = p
	})
	return left, at
}

// checkOrigin admits clients that are no browsers, listed origins and pages of
// this host.
func (s *Server) checkOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" || slices.Contains(s.origins, "*") || slices.Contains(s.origins, origin) {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && strings.EqualFold(u.Host, r.Host)
}

// Shutdown takes no more connections, closes every one with 1012 and waits until
// all have ended. When ctx ends first, what is left is cut off, and ctx's error
// returned; nothing runs afterwards either way.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.stopping = true
	s.mu.Unlock()
	for _, cancel := range s.cancels {
		cancel()
	}
	s.closeAll(ctx)
	defer s.stop()

	ended := make(chan struct{})
	go func() { // ends with the last handler, for which Shutdown waits
		s.serving.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	s.cutting = true
	s.mu.Unlock()
	for _, c := range s.hub.all() {
		c.cutOff()
	}
	<-ended
	return ctx.Err()
}

// stop ends what the connections shared.
func (s *Server) stop() {
	s.mu.Lock()
	keeper := s.keeper
	s.keeper = nil
	s.mu.Unlock()
	if keeper != nil {
		for _, r := range s.rosters {
			r.stop()
		}
		if s.rooms != nil {
			s.rooms.stop()
		}
		keeper.stop()
		s.writers.stop()
	}
}

// closeAll closes all connections one after the other, in a few seconds at most.
func (s *Server) closeAll(ctx context.Context) {
	all := s.hub.all()
	if len(all) == 0 {
		return
	}
	pace := time.NewTicker(min(shutdownStep, shutdownSpread/time.Duration(len(all))))
	defer pace.Stop()
	for i, c := range all {
		c.close(closeRestart, "Service restart")
		if i == len(all)-1 {
			return
		}
		select {
		case <-pace.C:
		case <-ctx.Done():
		}
	}
}
