package mongo

import (
	"context"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"meower/store"
)

// CreateSession implements store.Sessions.
func (s *Store) CreateSession(ctx context.Context, session store.Session) error {
	return s.sessions.insert(ctx, session)
}

// Session implements store.Sessions.
func (s *Store) Session(ctx context.Context, id string) (store.Session, error) {
	return s.sessions.find(ctx, byID(id))
}

// SessionsOf implements store.Sessions.
func (s *Store) SessionsOf(ctx context.Context, userID string, page store.Page) ([]store.Session, error) {
	return s.sessions.page(ctx, bson.M{"user_id": userID}, page)
}

// RefreshSession implements store.Sessions. Only where it fails does it look
// again, to tell a session that is gone from one that has moved on.
func (s *Store) RefreshSession(ctx context.Context, session store.Session, version int64) (store.Session, error) {
	after, err := s.sessions.modify(ctx,
		bson.M{"_id": session.ID, "version": version},
		bson.M{
			"$inc": bson.M{"version": 1},
			"$set": bson.M{
				"device":         session.Device,
				"ip_address":     session.IPAddress,
				"country":        session.Country,
				"last_refreshed": session.LastRefreshed,
				"last_used":      session.LastUsed,
			},
		}, returnAfter)
	if !errors.Is(err, store.ErrNotFound) {
		return after, err
	}
	if _, err := s.Session(ctx, session.ID); err != nil {
		return store.Session{}, err
	}
	return store.Session{}, store.ErrConflict
}

// TouchSession implements store.Sessions.
func (s *Store) TouchSession(ctx context.Context, id string, at time.Time) error {
	return s.sessions.update(ctx, byID(id), bson.M{"$set": bson.M{"last_used": at}})
}

// DeleteSession implements store.Sessions.
func (s *Store) DeleteSession(ctx context.Context, id string) (store.Session, error) {
	return s.sessions.take(ctx, byID(id))
}

// DeleteSessions implements store.Sessions.
func (s *Store) DeleteSessions(ctx context.Context, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	_, err := s.sessions.remove(ctx, among(ids))
	return err
}

// AllSessionsOf implements store.Sessions.
func (s *Store) AllSessionsOf(ctx context.Context, userID string) ([]store.Session, error) {
	return s.sessions.list(ctx, bson.M{"user_id": userID}, "", 0)
}
