package cl4

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"meower/bus"
	"meower/core"
)

// authenticate makes the connection one of a user's. The connection is made
// known to the hub before anything is read that an event may change, and events
// are held back until ready has been sent, so that none is lost or comes early.
func authenticate(ctx context.Context, c *conn, p packet) error {
	if c.principal != nil {
		return refuse(statusAlreadySet)
	}
	principal, err := c.mayAuthenticate(ctx, p.text("token"))
	if err != nil {
		return err
	}
	a := &authentication{conn: c, packet: p, started: time.Now()}
	a.resuming = p.get("resume").Exists()
	if a.resuming {
		a.before = c.server.takeOver(ctx, principal.User.ID, p.text("resume"))
		a.reached = a.before != nil && c.server.reaches(ctx, a.before.From)
	}
	a.who = newIdentity(principal, newResumeID())
	c.hold()
	if !c.server.hub.register(c, a.who, c.server.perAccount) {
		c.release(false)
		c.server.putBack(ctx, a.who.userID, a.before)
		c.close(closeTryLater, "Too many connections")
		return nil
	}
	if err := a.run(ctx); err != nil {
		c.server.hub.unregister(c)
		c.release(false)
		c.server.putBack(ctx, a.who.userID, a.before)
		return err
	}
	c.release(true)
	return nil
}

// authentication is one under way.
type authentication struct {
	conn    *conn
	packet  packet
	who     *identity
	started time.Time
	// resuming says that the client wants to go on where another connection
	// ended; before is what that one left, nil where nothing is known of it.
	resuming bool
	before   *departure
	// reached says that nothing that the connection before it got is yet to come.
	reached bool
	// from is the position from which on the connection gets events itself.
	from bus.Position
}

// run reads what the connection starts with and answers. 100 is sent only after
// everything that can fail.
func (a *authentication) run(ctx context.Context) error {
	c := a.conn
	frame, principal, err := a.assembleReady(ctx)
	if err != nil {
		return err
	}
	var missed []bus.Event
	resumed := false
	if a.reached {
		missed, resumed = c.server.missed(ctx, a.before.From, a.from)
	}
	c.principal = principal
	c.server.opened(c, a.who)
	c.ok(a.packet)
	c.answer(frame)
	switch {
	case resumed:
		count := c.replay(a.who, a.before, missed)
		c.answer(finish([]byte(`{"cmd":"resumed","val":{"missed":`+strconv.Itoa(count)+`}`), a.packet.listener))
	case a.resuming:
		c.answer(finish([]byte(resyncPacket[:len(resyncPacket)-1]), a.packet.listener))
	}
	return nil
}

// mayAuthenticate returns who the token stands for, unless they or their address
// are shut out.
func (c *conn) mayAuthenticate(ctx context.Context, token string) (*core.Principal, error) {
	principal, err := c.server.core.Authenticate(ctx, token)
	if err != nil {
		return nil, err
	}
	if principal.Banned {
		return nil, refuse(statusRefused)
	}
	return principal, c.server.core.CheckAddress(ctx, c.address)
}

// assembleReady reads what the connection starts with and encodes the packet.
// The token is checked once more: a session that was revoked before the hub knew
// of the connection has sent its event already.
func (a *authentication) assembleReady(ctx context.Context) ([]byte, *core.Principal, error) {
	c := a.conn
	principal, err := c.mayAuthenticate(ctx, a.packet.text("token"))
	if err != nil {
		return nil, nil, err
	}
	ready, err := c.server.core.Ready(ctx, principal)
	if err != nil {
		return nil, nil, err
	}
	ready.Resume = c.server.resumeToken(a.who)
	a.subscribe(ready)
	encoded, err := json.Marshal(ready)
	if err != nil {
		return nil, nil, err
	}
	frame := append([]byte(`{"cmd":"ready",`), encoded[1:len(encoded)-1]...)
	frame = append(frame, `,"time_taken":`...)
	frame = strconv.AppendInt(frame, time.Since(a.started).Milliseconds(), 10)
	return finish(frame, a.packet.listener), principal, nil
}

// subscribe has the connection hear of the user's chats and of what the
// connection before it was subscribed to. From that very event on it gets
// everything itself; what it held back until then is among what was missed.
func (a *authentication) subscribe(ready *core.Ready) {
	c, hub := a.conn, a.conn.server.hub
	c.server.bus.Between(func(p bus.Position) {
		for _, chat := range a.who.learn(ready.Blocked, ready.BlockedBy, ready.Chats) {
			hub.join(c, topicChats+chat)
		}
		if a.before == nil {
			return
		}
		for _, topic := range a.before.Topics {
			if isSubscription(topic) {
				hub.subscribe(c, topic)
			}
		}
		a.from = p
		c.mu.Lock()
		c.dropHeld()
		c.mu.Unlock()
	})
}
