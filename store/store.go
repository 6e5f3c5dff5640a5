// Package store defines the durable nouns of Meower and the small interfaces
// through which they are kept. It is a leaf: it imports nothing of ours, and
// every implementation (memory, mongo) passes the same suite, storetest.
//
// Conventions shared by all methods, unless one says otherwise:
//
//   - They are safe for concurrent use.
//   - Ids are snowflakes as decimal strings of exactly 19 digits, so comparing
//     the strings compares the ages.
//   - Times have millisecond precision and are UTC; implementations truncate.
//   - What does not exist is ErrNotFound, what exists already ErrConflict, and
//     a store that cannot be reached in time ErrUnavailable. Any other error is
//     a fault. Test with errors.Is; errors may carry a cause.
//   - A returned value is the caller's own: changing it changes nothing stored.
//   - A returned slice may be nil when it is empty.
//   - A method is one acknowledged step, or says in which order its steps
//     happen. When a later step fails the earlier ones stand, and the error says
//     why; a context that ends in between does not stop the later ones.
//   - A context that was cancelled is context.Canceled, one whose deadline has
//     passed ErrUnavailable.
package store

import (
	"context"
	"errors"
)

// Errors that every implementation reports. Test with errors.Is.
var (
	ErrNotFound    = errors.New("store: not found")
	ErrConflict    = errors.New("store: already exists")
	ErrUnavailable = errors.New("store: unavailable")
)

// Store is everything that is kept durably.
type Store interface {
	Users
	Accounts
	Sessions
	Networks
	Posts
	Chats
	Relationships
	Infractions
	Notifications

	// Counts reports how many of each there are, deleted ones included; bots are
	// the users with a BotSession. The figures may be estimates and need not be
	// of one instant.
	Counts(ctx context.Context) (Counts, error)
	// Ping reports whether the store answers.
	Ping(ctx context.Context) error
	// Close ends all work and frees what the store holds. The store must not
	// be used afterwards.
	Close(ctx context.Context) error
}

// Counts are the totals that GET /v1/statistics shows.
type Counts struct {
	Accounts     int64
	Bots         int64
	Posts        int64
	PostLikes    int64
	PostMeows    int64
	Chats        int64
	ChatMessages int64
	Infractions  int64
}

// Page asks for one page of a list that is ordered newest first by id.
//
// With Before it holds the items next older than that id, with After those next
// newer, and with neither the newest; either way the page itself is newest
// first. At most one of the two is set, to a 19-digit id that need not exist.
// Limit is at least 1.
type Page struct {
	Limit  int
	Before string
	After  string
}
