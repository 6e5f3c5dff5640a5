package store

import (
	"context"
	"time"
)

// Relationships keeps who follows and who blocks whom.
type Relationships interface {
	// Follow records that follower follows followed, then counts it in both
	// users' stats. ErrConflict when it is so already; then nothing is counted.
	Follow(ctx context.Context, follower, followed string, at time.Time) error
	// Unfollow undoes Follow. ErrNotFound when it is not so.
	Unfollow(ctx context.Context, follower, followed string) error
	// Block records that blocker blocks blocked. ErrConflict when it is so
	// already.
	Block(ctx context.Context, blocker, blocked string, at time.Time) error
	// Unblock undoes Block. ErrNotFound when it is not so.
	Unblock(ctx context.Context, blocker, blocked string) error
	// Following returns the ids of everyone the user follows, in ascending order.
	Following(ctx context.Context, userID string) ([]string, error)
	// Blocked returns the ids of everyone the user blocks, in ascending order.
	Blocked(ctx context.Context, userID string) ([]string, error)
	// BlockedBy returns the ids of everyone who blocks the user, in ascending
	// order.
	BlockedBy(ctx context.Context, userID string) ([]string, error)
	// EitherBlocks reports whether one of the two blocks the other.
	EitherBlocks(ctx context.Context, a, b string) (bool, error)
}
