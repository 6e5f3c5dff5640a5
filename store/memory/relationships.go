package memory

import (
	"context"
	"slices"
	"time"

	"meower/store"
)

// relation is a set of directed pairs of users, readable from both ends.
type relation struct {
	since map[pair]time.Time
	to    indexes // by the pair's first user
	from  indexes // by the pair's second user
}

// pair is "first follows (or blocks) second".
type pair struct{ first, second string }

func newRelation() relation {
	return relation{since: make(map[pair]time.Time), to: make(indexes), from: make(indexes)}
}

func (r relation) add(p pair, at time.Time) error {
	if r.has(p) {
		return store.ErrConflict
	}
	r.since[p] = kept(at)
	r.to.add(p.first, p.second)
	r.from.add(p.second, p.first)
	return nil
}

func (r relation) remove(p pair) error {
	if !r.has(p) {
		return store.ErrNotFound
	}
	delete(r.since, p)
	r.to.remove(p.first, p.second)
	r.from.remove(p.second, p.first)
	return nil
}

func (r relation) has(p pair) bool {
	_, ok := r.since[p]
	return ok
}

// Follow implements store.Relationships.
func (s *Store) Follow(ctx context.Context, follower, followed string, at time.Time) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if err := s.follows.add(pair{follower, followed}, at); err != nil {
		return err
	}
	s.countFollow(follower, followed, 1)
	return nil
}

// Unfollow implements store.Relationships.
func (s *Store) Unfollow(ctx context.Context, follower, followed string) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if err := s.follows.remove(pair{follower, followed}); err != nil {
		return err
	}
	s.countFollow(follower, followed, -1)
	return nil
}

// countFollow adds n follows between two users to their stats.
func (s *Store) countFollow(follower, followed string, n int64) {
	s.users.stats(follower).Following += n
	s.users.stats(followed).Followers += n
}

// Block implements store.Relationships.
func (s *Store) Block(ctx context.Context, blocker, blocked string, at time.Time) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	return s.blocks.add(pair{blocker, blocked}, at)
}

// Unblock implements store.Relationships.
func (s *Store) Unblock(ctx context.Context, blocker, blocked string) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	return s.blocks.remove(pair{blocker, blocked})
}

// Following implements store.Relationships.
func (s *Store) Following(ctx context.Context, userID string) ([]string, error) {
	return s.related(ctx, s.follows.to, userID)
}

// Blocked implements store.Relationships.
func (s *Store) Blocked(ctx context.Context, userID string) ([]string, error) {
	return s.related(ctx, s.blocks.to, userID)
}

// BlockedBy implements store.Relationships.
func (s *Store) BlockedBy(ctx context.Context, userID string) ([]string, error) {
	return s.related(ctx, s.blocks.from, userID)
}

// related returns one user's side of a relation.
func (s *Store) related(ctx context.Context, side indexes, userID string) ([]string, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	return slices.Clone(side[userID]), nil
}

// EitherBlocks implements store.Relationships.
func (s *Store) EitherBlocks(ctx context.Context, a, b string) (bool, error) {
	if err := s.lock(ctx); err != nil {
		return false, err
	}
	defer s.mu.Unlock()
	return s.blocks.has(pair{a, b}) || s.blocks.has(pair{b, a}), nil
}
