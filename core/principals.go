package core

import (
	"context"
	"errors"

	"meower/store"
)

// Principal is who makes a request or holds a connection.
type Principal struct {
	User store.User
	// SessionID is the session whose token was shown; empty for bots.
	SessionID string
	// Infractions are all measures against the user, newest first.
	Infractions []store.Infraction
	Banned      bool
	Suspended   bool

	version int64 // of the token
}

// Bot reports whether the principal is a bot.
func (p *Principal) Bot() bool { return p.User.Flags&store.UserBot != 0 }

// Authenticate returns who a token stands for. CodeNotAuthenticated where it is
// malformed, forged, expired or revoked, or the user is gone. Whether the user
// is banned or suspended is for the caller to look at, since some things are
// open to them all the same.
func (c *Core) Authenticate(ctx context.Context, raw string) (*Principal, error) {
	t, ok := c.tokens.parse(raw)
	if !ok {
		return nil, Err(CodeNotAuthenticated)
	}
	p := &Principal{version: t.version}
	userID := t.id
	switch t.typ {
	case sessionToken:
		p.SessionID = t.id
		var err error
		if userID, err = c.sessionUser(ctx, t); err != nil {
			return nil, err
		}
	case botToken: // its id is the bot's
	default:
		return nil, Err(CodeNotAuthenticated)
	}

	user, err := c.store.User(ctx, userID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, Err(CodeNotAuthenticated)
	}
	if err != nil {
		return nil, err
	}
	if user.Flags&store.UserDeleted != 0 || (t.typ == botToken && (!isBot(user) || user.BotSession != t.version)) {
		return nil, Err(CodeNotAuthenticated)
	}
	p.User = user
	return p, c.loadInfractions(ctx, p)
}

func isBot(u store.User) bool { return u.Flags&store.UserBot != 0 }

func (c *Core) loadInfractions(ctx context.Context, p *Principal) (err error) {
	if p.Infractions, err = c.store.InfractionsOf(ctx, p.User.ID); err != nil {
		return err
	}
	now := c.now()
	for _, i := range p.Infractions {
		if i.Active(now) {
			p.Banned = p.Banned || i.Action == store.ActionBan
			p.Suspended = p.Suspended || i.Action == store.ActionSuspension
		}
	}
	return nil
}
