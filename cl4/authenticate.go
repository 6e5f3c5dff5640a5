package cl4

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

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
	started := time.Now()
	who := newIdentity(principal)
	c.hold()
	if !c.server.hub.register(c, who, c.server.perAccount) {
		c.release(false)
		c.close(closeTryLater, "Too many connections")
		return nil
	}
	frame, principal, err := c.assembleReady(ctx, p, who, started)
	if err != nil {
		c.server.hub.unregister(c)
		c.release(false)
		return err
	}
	c.principal = principal
	c.ok(p)
	c.send(frame)
	c.release(true)
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
func (c *conn) assembleReady(ctx context.Context, p packet, who *identity, started time.Time) ([]byte, *core.Principal, error) {
	principal, err := c.mayAuthenticate(ctx, p.text("token"))
	if err != nil {
		return nil, nil, err
	}
	ready, err := c.server.core.Ready(ctx, principal)
	if err != nil {
		return nil, nil, err
	}
	who.learn(ready.Blocked, ready.BlockedBy)
	encoded, err := json.Marshal(ready)
	if err != nil {
		return nil, nil, err
	}
	frame := append([]byte(`{"cmd":"ready",`), encoded[1:len(encoded)-1]...)
	frame = append(frame, `,"time_taken":`...)
	frame = strconv.AppendInt(frame, time.Since(started).Milliseconds(), 10)
	return finish(frame, p.listener), principal, nil
}
