package core

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// RosterLife is how long what a node has on a roster is kept after its latest
// Renew or change: a node that has died is forgotten then.
const RosterLife = 30 * time.Second

// rosterNumber is the field beside the members that holds the number of the
// latest change. No member may have this key.
const rosterNumber = "#"

// Roster is one node's part of a list that all nodes share, such as that of the
// users who are connected: keys with values, in a hash of the node's own. Every
// change has a number, so that whoever hears of changes by other means can tell
// how far what is here goes.
type Roster struct {
	redis redis.UniversalClient
	list  string
	node  string
}

// Roster returns a node's part of a list. The list's name is the beginning of the
// Redis key: "online" makes "online:{node}" (data.md, "Redis").
func (c *Core) Roster(list, node string) *Roster {
	return &Roster{redis: c.redis, list: list, node: node}
}

func (r *Roster) key(node string) string { return r.list + ":" + node }

// Change adds members, or gives them other values, and removes those that are
// gone.
func (r *Roster) Change(ctx context.Context, set map[string]string, gone []string, number int64) error {
	return r.write(ctx, set, number, func(pipe redis.Pipeliner, key string) {
		if len(gone) > 0 {
			pipe.HDel(ctx, key, gone...)
		}
	})
}

// Replace makes all the node's only members.
func (r *Roster) Replace(ctx context.Context, all map[string]string, number int64) error {
	return r.write(ctx, all, number, func(pipe redis.Pipeliner, key string) { pipe.Del(ctx, key) })
}

// write makes one transaction of what comes before and of the new values.
func (r *Roster) write(ctx context.Context, set map[string]string, number int64, before func(redis.Pipeliner, string)) error {
	key := r.key(r.node)
	fields := make([]any, 0, 2*len(set)+2)
	fields = append(fields, rosterNumber, number)
	for member, value := range set {
		fields = append(fields, member, value)
	}
	_, err := r.redis.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
		before(pipe, key)
		pipe.HSet(ctx, key, fields...)
		pipe.PExpire(ctx, key, RosterLife)
		return nil
	})
	if err != nil {
		return fmt.Errorf("roster %s: %w", r.list, err)
	}
	return nil
}

// Renew keeps the node's members for another RosterLife. It returns false where
// they have been forgotten already.
func (r *Roster) Renew(ctx context.Context) (there bool, err error) {
	there, err = r.redis.PExpire(ctx, r.key(r.node), RosterLife).Result()
	if err != nil {
		return false, fmt.Errorf("roster %s: %w", r.list, err)
	}
	return there, nil
}

// Leave removes all the node's members.
func (r *Roster) Leave(ctx context.Context) error {
	if err := r.redis.Del(ctx, r.key(r.node)).Err(); err != nil {
		return fmt.Errorf("roster %s: %w", r.list, err)
	}
	return nil
}

// Of returns another node's members, and the number of the latest change among
// them; none and 0 where the node is unknown.
func (r *Roster) Of(ctx context.Context, node string) (members map[string]string, number int64, err error) {
	members, err = r.redis.HGetAll(ctx, r.key(node)).Result()
	if err != nil {
		return nil, 0, fmt.Errorf("roster %s: %w", r.list, err)
	}
	if text, found := members[rosterNumber]; found {
		if number, err = strconv.ParseInt(text, 10, 64); err != nil {
			return nil, 0, fmt.Errorf("roster %s: number: %w", r.list, err)
		}
		delete(members, rosterNumber)
	}
	return members, number, nil
}
