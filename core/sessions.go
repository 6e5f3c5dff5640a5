package core

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"meower/store"
)

const (
	// sessionCacheLife is how long a node may go without asking the session
	// document. It does not slide: once an hour the document learns that the
	// session is in use, which is what its idle time counts from.
	sessionCacheLife = time.Hour
	// sessionIdleLife is how long a session lasts without being used.
	sessionIdleLife = 90 * 24 * time.Hour
	// refreshGrace is how long the token before a refresh still works, for the
	// requests that are under way with it.
	refreshGrace = 5 * time.Second
)

// Client is where a sign-in comes from, as the transport sees it.
type Client struct {
	Address string
	Device  store.Device
}

// sessionKey is where the user of a session's version is cached. An empty value
// there says that the document must be asked.
func sessionKey(id string, version int64) string {
	return "ses:" + id + ":" + strconv.FormatInt(version, 10)
}

// startSession signs a user in and returns the token.
func (c *Core) startSession(ctx context.Context, user store.User, client Client) (string, error) {
	now := c.now()
	session := store.Session{
		ID:            c.ids.Next(),
		UserID:        user.ID,
		Version:       1,
		Device:        client.Device,
		IPAddress:     client.Address,
		LastRefreshed: now,
		LastUsed:      now,
		Created:       now,
	}
	if err := c.store.CreateSession(ctx, session); err != nil {
		return "", err
	}
	c.publish(ctx, EventSessionCreated, user.ID, sessionView(session, user, ""))
	return c.sessionToken(session), nil
}

func (c *Core) sessionToken(s store.Session) string {
	return c.tokens.sign(token{typ: sessionToken, id: s.ID, version: s.Version})
}

// sessionUser returns the id of the user whose session a token names, and
// CodeNotAuthenticated where there is no such session any more.
func (c *Core) sessionUser(ctx context.Context, t token) (string, error) {
	key := sessionKey(t.id, t.version)
	userID, err := c.redis.Get(ctx, key).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return "", fmt.Errorf("session cache: %w", err)
	}
	if userID != "" {
		return userID, nil
	}

	session, err := c.store.Session(ctx, t.id)
	if errors.Is(err, store.ErrNotFound) {
		return "", Err(CodeNotAuthenticated)
	}
	if err != nil {
		return "", err
	}
	now := c.now()
	if now.Sub(session.LastUsed) > sessionIdleLife {
		return "", Err(CodeNotAuthenticated)
	}
	if session.Version != t.version {
		if session.Version == t.version+1 && now.Sub(session.LastRefreshed) < refreshGrace {
			return session.UserID, nil
		}
		return "", Err(CodeNotAuthenticated)
	}
	// Not over an empty value: it was put there by a refresh or a revocation that
	// this reading of the document may have missed.
	if err := c.redis.SetNX(ctx, key, session.UserID, sessionCacheLife).Err(); err != nil {
		return "", fmt.Errorf("session cache: %w", err)
	}
	if now.Sub(session.LastUsed) >= sessionCacheLife {
		if err := c.store.TouchSession(ctx, session.ID, now); err != nil {
			return "", err
		}
	}
	return session.UserID, nil
}

// distrustCache makes every node ask the documents of these sessions' versions.
// It comes before the change of a document: the other way round, a crash in
// between would leave an old token good for an hour.
func (c *Core) distrustCache(ctx context.Context, keys ...string) error {
	_, err := c.redis.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for _, key := range keys {
			pipe.Set(ctx, key, "", sessionCacheLife)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("session cache: %w", err)
	}
	return nil
}

// liveKeys are the cache keys of every token of a session that may work: the
// current version, the one before in its grace, and the next, which a refresh
// at this moment may bring.
func liveKeys(s store.Session) []string {
	return []string{sessionKey(s.ID, s.Version-1), sessionKey(s.ID, s.Version), sessionKey(s.ID, s.Version+1)}
}

// Refresh gives the principal's session a new token; the one it came with works
// for five seconds more. Asked again within that time with the old token, it
// answers the new one, so that a client whose answer was lost is not signed out.
func (c *Core) Refresh(ctx context.Context, p *Principal, client Client) (string, error) {
	if p.SessionID == "" {
		return "", Err(CodeMissingPermissions) // a bot's token is renewed by its owner
	}
	if err := c.distrustCache(ctx, sessionKey(p.SessionID, p.version)); err != nil {
		return "", err
	}
	now := c.now()
	session, err := c.store.RefreshSession(ctx, store.Session{
		ID:            p.SessionID,
		Device:        client.Device,
		IPAddress:     client.Address,
		LastRefreshed: now,
		LastUsed:      now,
	}, p.version)
	switch {
	case errors.Is(err, store.ErrConflict):
		return c.refreshedMeanwhile(ctx, p)
	case errors.Is(err, store.ErrNotFound):
		return "", Err(CodeNotAuthenticated)
	case err != nil:
		return "", err
	}
	c.publish(ctx, EventSessionUpdated, p.User.ID, sessionView(session, p.User, ""))
	return c.sessionToken(session), nil
}

// refreshedMeanwhile answers a refresh that another one has overtaken.
func (c *Core) refreshedMeanwhile(ctx context.Context, p *Principal) (string, error) {
	session, err := c.store.Session(ctx, p.SessionID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return "", err
	}
	if err != nil || session.Version != p.version+1 || c.now().Sub(session.LastRefreshed) >= refreshGrace {
		return "", Err(CodeNotAuthenticated)
	}
	return c.sessionToken(session), nil
}

// Sessions returns a page of the principal's sessions.
func (c *Core) Sessions(ctx context.Context, p *Principal, page store.Page) (List[Session], error) {
	found, err := c.store.SessionsOf(ctx, p.User.ID, lookahead(page))
	if err != nil {
		return List[Session]{}, err
	}
	return listPage(found, page,
		func(s store.Session) string { return s.ID },
		func(s store.Session) Session { return sessionView(s, p.User, p.SessionID) }), nil
}

// Session returns one of the principal's sessions.
func (c *Core) Session(ctx context.Context, p *Principal, id string) (Session, error) {
	session, err := c.ownSession(ctx, p, id)
	if err != nil {
		return Session{}, err
	}
	return sessionView(session, p.User, p.SessionID), nil
}

// ownSession returns a session of the principal; another's is CodeNotFound.
func (c *Core) ownSession(ctx context.Context, p *Principal, id string) (store.Session, error) {
	session, err := c.store.Session(ctx, id)
	if err != nil {
		return store.Session{}, notFound(err)
	}
	if session.UserID != p.User.ID {
		return store.Session{}, Err(CodeNotFound)
	}
	return session, nil
}

// Logout ends the session that the principal came with.
func (c *Core) Logout(ctx context.Context, p *Principal) error {
	if p.SessionID == "" {
		return Err(CodeMissingPermissions)
	}
	return c.RevokeSession(ctx, p, p.SessionID)
}

// RevokeSession ends one of the principal's sessions: its token stops working
// on every node and its connections are closed.
func (c *Core) RevokeSession(ctx context.Context, p *Principal, id string) error {
	session, err := c.ownSession(ctx, p, id)
	if err != nil {
		return err
	}
	if err := c.distrustCache(ctx, liveKeys(session)...); err != nil {
		return err
	}
	ended, err := c.store.DeleteSession(ctx, id)
	if err != nil {
		return notFound(err)
	}
	if ended.Version > session.Version+1 {
		// Refreshed twice in the meantime: the newest token may be cached.
		if err := c.distrustCache(ctx, liveKeys(ended)...); err != nil {
			return err
		}
	}
	c.publish(ctx, EventSessionDeleted, ended.UserID, idOnly{ID: id})
	return nil
}

// RevokeAllSessions ends every session of the principal, the current one
// included. It takes a verification ticket.
func (c *Core) RevokeAllSessions(ctx context.Context, p *Principal, verification string) error {
	if err := c.consumeTicket(ctx, verification, verificationTicket, p.User.ID); err != nil {
		return err
	}
	sessions, err := c.store.AllSessionsOf(ctx, p.User.ID)
	if err != nil || len(sessions) == 0 {
		return err
	}
	ids := make([]string, len(sessions))
	keys := make([]string, 0, 3*len(sessions))
	for i, s := range sessions {
		ids[i] = s.ID
		keys = append(keys, liveKeys(s)...)
	}
	if err := c.distrustCache(ctx, keys...); err != nil {
		return err
	}
	if err := c.store.DeleteSessions(ctx, ids); err != nil {
		return err
	}
	for _, id := range ids {
		c.publish(ctx, EventSessionDeleted, p.User.ID, idOnly{ID: id})
	}
	c.log.InfoContext(ctx, "all sessions revoked", slog.String("user", p.User.ID), slog.Int("sessions", len(ids)))
	return nil
}
