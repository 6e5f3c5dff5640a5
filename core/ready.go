package core

import (
	"context"
	"encoding/json"
	"errors"

	"golang.org/x/sync/errgroup"

	"meower/store"
)

// Ready is what a client gets when its connection has been authenticated, and
// what the connection itself needs to know.
type Ready struct {
	SessionID   string       `json:"session_id"`
	User        ClientUser   `json:"user"`
	Chats       []string     `json:"chats"`
	Following   []string     `json:"following"`
	Blocked     []string     `json:"blocked"`
	Infractions []Infraction `json:"infractions"`
	Account     *Account     `json:"account"`     // nil for bots
	Application *struct{}    `json:"application"` // nil for people
	Unread      int64        `json:"unread"`
	Resume      string       `json:"resume"` // for the transport to fill in

	// BlockedBy are those who block the user. It is never sent.
	BlockedBy []string `json:"-"`
}

// Ready assembles what the principal's connection starts with, in a fixed number
// of store calls.
func (c *Core) Ready(ctx context.Context, p *Principal) (*Ready, error) {
	id := p.User.ID
	r := &Ready{SessionID: p.SessionID, User: clientUser(p.User)}
	work, ctx := errgroup.WithContext(ctx)
	load(ctx, work, &r.Chats, c.store.ChatIDsOf, id)
	load(ctx, work, &r.Following, c.store.Following, id)
	load(ctx, work, &r.Blocked, c.store.Blocked, id)
	load(ctx, work, &r.BlockedBy, c.store.BlockedBy, id)
	load(ctx, work, &r.Unread, c.store.CountUnread, id)
	load(ctx, work, &r.Account, c.account, id)
	if err := work.Wait(); err != nil {
		return nil, err
	}
	self := partialUser(p.User)
	r.Infractions = make([]Infraction, len(p.Infractions))
	for i, infraction := range p.Infractions {
		r.Infractions[i] = infractionView(infraction, self)
	}
	r.Chats, r.Following, r.Blocked = listOf(r.Chats), listOf(r.Following), listOf(r.Blocked)
	return r, nil
}

// load runs get(id) beside the others of the group and keeps what it returns.
func load[T any](ctx context.Context, work *errgroup.Group, into *T, get func(context.Context, string) (T, error), id string) {
	work.Go(func() (err error) {
		*into, err = get(ctx, id)
		return err
	})
}

// account returns the view of an account, nil where there is none, as of a bot.
func (c *Core) account(ctx context.Context, id string) (*Account, error) {
	account, err := c.store.Account(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return accountView(account), nil
}

// Direct sends a value to every connection of a user. CodeNotFound where there
// is no such user, CodeMissingPermissions where one of the two blocks the other.
func (c *Core) Direct(ctx context.Context, p *Principal, userID string, value json.RawMessage) error {
	to, err := c.user(ctx, userID)
	if err != nil {
		return err
	}
	blocked, err := c.store.EitherBlocks(ctx, p.User.ID, to.ID)
	if err != nil {
		return err
	}
	if blocked {
		return Err(CodeMissingPermissions)
	}
	c.publish(ctx, EventDirect, to.ID, DirectEvent{
		Value:  value,
		Origin: Origin{ID: p.User.ID, Username: p.User.Username},
	})
	return nil
}
