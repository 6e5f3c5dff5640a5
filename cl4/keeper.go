package cl4

import (
	"time"

	"github.com/gorilla/websocket"
)

// keeper is the one goroutine that looks after the time of all connections:
// pings, signs of life, clients that do not authenticate or do not keep up.
// Timers of their own would cost every connection memory, and its reader a
// deadline for every read.
type keeper struct {
	server *Server
	quit   chan struct{}
	done   chan struct{}
}

func startKeeper(s *Server) *keeper {
	k := &keeper{server: s, quit: make(chan struct{}), done: make(chan struct{})}
	go k.run()
	return k
}

func (k *keeper) stop() {
	close(k.quit)
	<-k.done
}

func (k *keeper) run() {
	defer close(k.done)
	tick := time.NewTicker(k.server.timing.tick())
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			k.look(now)
		case <-k.quit:
			return
		}
	}
}

// look goes through all connections once.
func (k *keeper) look(now time.Time) {
	if k.server.presence != nil {
		k.server.presence.look(now)
	}
	ping := &frame{kind: websocket.PingMessage, at: now}
	var claimed []*conn
	for _, c := range k.server.hub.all() {
		if c.lookAfter(now, ping) {
			claimed = append(claimed, c)
		}
	}
	k.server.writers.add(claimed...)
}

// lookAfter does what is due. It returns true where the connection has something
// to be written.
func (c *conn) lookAfter(now time.Time, ping *frame) (claimed bool) {
	timing := c.server.timing
	silent := time.Since(c.server.born) - time.Duration(c.alive.Load())
	c.mu.Lock()
	over := silent > timing.pong || c.closed && now.Sub(c.closedAt) > timing.goodbye
	if c.server.requireAuth && c.who.Load() == nil && now.Sub(c.opened) > timing.auth {
		c.closeLocked(closeUnauthed, "Unauthenticated")
	}
	c.checkPace(now)
	if now.Sub(c.pinged) >= timing.ping && c.closing == nil && !c.ended {
		c.pinged = now
		c.enqueue(ping)
	}
	claimed = c.claim()
	c.mu.Unlock()
	if over {
		c.cutOff()
	}
	return claimed
}

// timing is how long a connection waits for things.
type timing struct {
	ping    time.Duration // between two pings
	pong    time.Duration // for a sign of life
	write   time.Duration // for a chunk to go out
	auth    time.Duration // for authentication, where it is required
	goodbye time.Duration // for the client's answer to a close
	grace   time.Duration // for a user without a connection to be back
}

var defaultTiming = timing{
	ping:    25 * time.Second,
	pong:    60 * time.Second,
	write:   10 * time.Second,
	auth:    60 * time.Second,
	goodbye: 3 * time.Second,
	grace:   5 * time.Second,
}

// tick is how often the keeper looks: often enough for the shortest time.
func (t timing) tick() time.Duration {
	return max(min(t.ping, t.pong, t.auth, t.goodbye, t.grace)/3, time.Millisecond)
}
