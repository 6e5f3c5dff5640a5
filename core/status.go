package core

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"meower/store"
)

const (
	// countLife is how old the figures of Statistics may be.
	countLife = 10 * time.Second
	// probeLimit is how long a readiness probe waits for a service.
	probeLimit = time.Second
	// repairModeKey exists in Redis while the server is in repair mode.
	repairModeKey = "repair_mode"
)

// Statistics are the community's totals.
type Statistics struct {
	Accounts     int64 `json:"accounts"`
	Bots         int64 `json:"bots"`
	Posts        int64 `json:"posts"`
	PostLikes    int64 `json:"post_likes"`
	PostMeows    int64 `json:"post_meows"`
	Chats        int64 `json:"chats"`
	ChatMessages int64 `json:"chat_messages"`
	Infractions  int64 `json:"infractions"`
}

// countCache keeps the last totals, since counting costs the store more than it
// is worth to count anew for everyone.
type countCache struct {
	mu     sync.Mutex
	counts store.Counts
	at     time.Time
}

func (cc *countCache) get(now time.Time) (store.Counts, bool) {
	cc.mu.Lock()
	defer cc.mu.Unlock()
	return cc.counts, !cc.at.IsZero() && now.Sub(cc.at) < countLife
}

func (cc *countCache) put(counts store.Counts, at time.Time) {
	cc.mu.Lock()
	defer cc.mu.Unlock()
	cc.counts, cc.at = counts, at
}

// Statistics returns the totals, at most ten seconds old.
func (c *Core) Statistics(ctx context.Context) (Statistics, error) {
	now := c.now()
	if counts, fresh := c.counts.get(now); fresh {
		return Statistics(counts), nil
	}
	counts, err := c.store.Counts(ctx)
	if err != nil {
		return Statistics{}, err
	}
	c.counts.put(counts, now)
	return Statistics(counts), nil
}

// RepairMode reports whether the server is in repair mode.
func (c *Core) RepairMode(ctx context.Context) (bool, error) {
	n, err := c.redis.Exists(ctx, repairModeKey).Result()
	if err != nil {
		return false, fmt.Errorf("repair mode: %w", err)
	}
	return n != 0, nil
}

// CheckServices asks the services that the server stands on, for at most a
// second, and returns by name why those do not answer that don't.
func (c *Core) CheckServices(ctx context.Context) map[string]error {
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	probes := map[string]func(context.Context) error{
		"store": c.store.Ping,
		"redis": func(ctx context.Context) error { return c.redis.Ping(ctx).Err() },
	}
	var mu sync.Mutex
	failed := make(map[string]error)
	var work errgroup.Group
	for name, probe := range probes {
		work.Go(func() error {
			if err := probe(ctx); err != nil {
				mu.Lock()
				failed[name] = err
				mu.Unlock()
			}
			return nil
		})
	}
	_ = work.Wait()
	return failed
}
