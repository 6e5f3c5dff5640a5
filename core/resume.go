package core

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// resumeKey is where what a connection left behind waits for the one that goes
// on. The user is part of it, so that a token is of no use to anyone else.
func resumeKey(userID, id string) string { return "meower:resume:" + userID + ":" + id }

// KeepConnection keeps what a connection of a user left behind, for life.
func (c *Core) KeepConnection(ctx context.Context, userID, id string, state []byte, life time.Duration) error {
	if err := c.redis.Set(ctx, resumeKey(userID, id), state, life).Err(); err != nil {
		return fmt.Errorf("keep connection: %w", err)
	}
	return nil
}

// TakeConnection returns what KeepConnection kept, once; nil where there is
// nothing, or no more.
func (c *Core) TakeConnection(ctx context.Context, userID, id string) ([]byte, error) {
	state, err := c.redis.GetDel(ctx, resumeKey(userID, id)).Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("take connection: %w", err)
	}
	return state, nil
}
