// Package memory keeps the nouns of package store in this process, for
// development, tests and benchmarks. It meets the same contract as the durable
// implementation and forgets everything when the process ends.
package memory

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"meower/store"
)

var _ store.Store = (*Store)(nil)

// Store is a store.Store in memory. Make one with New; it is safe for
// concurrent use.
//
// One lock guards everything. No method does anything slow under it: what a
// method costs depends on what it returns, not on how much is kept.
type Store struct {
	calls atomic.Int64

	mu          sync.Mutex
	closed      bool
	unavailable bool

	users         users
	accounts      accounts
	sessions      sessions
	networks      map[string]*store.Network
	posts         posts
	chats         chats
	follows       relation
	blocks        relation
	infractions   infractions
	notifications notifications
}

// New returns an empty store.
func New() *Store {
	return &Store{
		users:         newUsers(),
		accounts:      newAccounts(),
		sessions:      newSessions(),
		networks:      make(map[string]*store.Network),
		posts:         newPosts(),
		chats:         newChats(),
		follows:       newRelation(),
		blocks:        newRelation(),
		infractions:   newInfractions(),
		notifications: newNotifications(),
	}
}

// Calls returns how many methods of store.Store were called since New, those
// that failed included. Tests use it to bound the calls that a request makes.
func (s *Store) Calls() int64 { return s.calls.Load() }

// SetAvailable turns the store off and on again: while it is off every method
// of store.Store returns store.ErrUnavailable and changes nothing. What is kept
// stays. It is for tests of what happens during an outage.
func (s *Store) SetAvailable(available bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unavailable = !available
}

// Counts implements store.Store. The figures are exact and of one instant.
func (s *Store) Counts(ctx context.Context) (store.Counts, error) {
	if err := s.lock(ctx); err != nil {
		return store.Counts{}, err
	}
	defer s.mu.Unlock()
	return store.Counts{
		Accounts:    int64(len(s.accounts.rows)),
		Bots:        s.users.bots,
		Posts:       int64(len(s.posts.rows)),
		Chats:       int64(len(s.chats.rows)),
		Infractions: int64(len(s.infractions.rows)),
	}, nil
}

// Ping implements store.Store.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	s.mu.Unlock()
	return nil
}

// Close implements store.Store. Afterwards every method returns
// store.ErrUnavailable, except Close itself, which may be repeated.
func (s *Store) Close(context.Context) error {
	s.calls.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}

// lock begins a method: it counts the call and takes the lock. When it returns
// an error it has not taken the lock, and the method must return that error.
func (s *Store) lock(ctx context.Context) error {
	s.calls.Add(1)
	if err := ctx.Err(); errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	} else if err != nil {
		return err
	}
	s.mu.Lock()
	if s.closed || s.unavailable {
		s.mu.Unlock()
		return store.ErrUnavailable
	}
	return nil
}
