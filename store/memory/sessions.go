package memory

import (
	"context"
	"time"

	"meower/store"
)

// sessions is every session.
type sessions struct {
	table[store.Session]
	of indexes // by user
}

func newSessions() sessions {
	return sessions{table: newTable(copySession), of: make(indexes)}
}

func copySession(s store.Session) store.Session {
	s.LastRefreshed, s.LastUsed, s.Created = kept(s.LastRefreshed), kept(s.LastUsed), kept(s.Created)
	return s
}

// delete removes a session, if it is there.
func (s sessions) delete(id string) {
	if row, ok := s.rows[id]; ok {
		delete(s.rows, id)
		s.of.remove(row.UserID, id)
	}
}

// CreateSession implements store.Sessions.
func (s *Store) CreateSession(ctx context.Context, session store.Session) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if err := s.sessions.insert(session.ID, session); err != nil {
		return err
	}
	s.sessions.of.add(session.UserID, session.ID)
	return nil
}

// Session implements store.Sessions.
func (s *Store) Session(ctx context.Context, id string) (store.Session, error) {
	if err := s.lock(ctx); err != nil {
		return store.Session{}, err
	}
	defer s.mu.Unlock()
	return s.sessions.get(id)
}

// SessionsOf implements store.Sessions.
func (s *Store) SessionsOf(ctx context.Context, userID string, page store.Page) ([]store.Session, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	return s.sessions.list(s.sessions.of[userID].page(page, everything)), nil
}

// RefreshSession implements store.Sessions.
func (s *Store) RefreshSession(ctx context.Context, session store.Session, version int64) (store.Session, error) {
	if err := s.lock(ctx); err != nil {
		return store.Session{}, err
	}
	defer s.mu.Unlock()
	row, ok := s.sessions.rows[session.ID]
	if !ok {
		return store.Session{}, store.ErrNotFound
	}
	if row.Version != version {
		return store.Session{}, store.ErrConflict
	}
	row.Version++
	row.Device = session.Device
	row.IPAddress = session.IPAddress
	row.Country = session.Country
	row.LastRefreshed = kept(session.LastRefreshed)
	row.LastUsed = kept(session.LastUsed)
	return *row, nil
}

// TouchSession implements store.Sessions.
func (s *Store) TouchSession(ctx context.Context, id string, at time.Time) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if row, ok := s.sessions.rows[id]; ok {
		row.LastUsed = kept(at)
	}
	return nil
}

// DeleteSession implements store.Sessions.
func (s *Store) DeleteSession(ctx context.Context, id string) (store.Session, error) {
	if err := s.lock(ctx); err != nil {
		return store.Session{}, err
	}
	defer s.mu.Unlock()
	session, err := s.sessions.get(id)
	if err != nil {
		return store.Session{}, err
	}
	s.sessions.delete(id)
	return session, nil
}

// DeleteSessions implements store.Sessions.
func (s *Store) DeleteSessions(ctx context.Context, ids []string) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	for _, id := range ids {
		s.sessions.delete(id)
	}
	return nil
}

// AllSessionsOf implements store.Sessions.
func (s *Store) AllSessionsOf(ctx context.Context, userID string) ([]store.Session, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	return s.sessions.list(s.sessions.of[userID]), nil
}
