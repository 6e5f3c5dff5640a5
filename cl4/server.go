// Package cl4 is the websocket of Meower Server: CloudLink protocol 4 with
// Meower's own commands and events.
package cl4

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
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
	disabled          map[string]bool
	motd              string
	requireAuth       bool
	userList          bool
	commandsPerSecond int
	perAccount        int
	perAddress        int
	upgrader          websocket.Upgrader
	cancelBus         func()

	mu       sync.Mutex
	stopping bool
	serving  sync.WaitGroup // handlers; added to under mu, and not once stopping
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
		disabled:          map[string]bool{},
		motd:              o.MOTD,
		requireAuth:       o.RequireAuth,
		userList:          o.UserList,
		commandsPerSecond: o.CommandsPerSecond,
		perAccount:        o.ConnectionsPerAccount,
		perAddress:        o.ConnectionsPerAddress,
	}
	for _, cmd := range o.Disabled {
		s.disabled[cmd] = true
	}
	s.upgrader = websocket.Upgrader{
		HandshakeTimeout:  s.timing.write,
		ReadBufferSize:    1024,
		WriteBufferSize:   4096,
		WriteBufferPool:   new(sync.Pool),
		CheckOrigin:       s.checkOrigin,
		EnableCompression: o.Compression,
	}
	s.cancelBus = o.Bus.Subscribe(s.onEvent)
	return s
}

// ServeHTTP implements http.Handler. It returns when the connection has ended.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/" {
		http.NotFound(w, r)
		return
	}
	if !s.begin() {
		http.Error(w, "shutting down", http.StatusServiceUnavailable)
		return
	}
	defer s.serving.Done()
	ws, err := s.upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // the upgrader has answered
	}
	c := newConn(r.Context(), s, ws, s.clientAddress(r))
	if !s.hub.add(c, s.perAddress) {
		c.close(closeTryLater, "Too many connections")
	}
	defer s.hub.remove(c)
	if s.isStopping() {
		// Shutdown may have made its list before the hub knew the connection.
		c.close(closeRestart, "Service restart")
	}
	c.serve()
}

// begin counts a handler in, unless the server is stopping.
func (s *Server) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return false
	}
	s.serving.Add(1)
	return true
}

func (s *Server) isStopping() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopping
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
	s.cancelBus()
	s.closeAll(ctx)

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
	for _, c := range s.hub.all() {
		c.cutOff()
	}
	<-ended
	return ctx.Err()
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
