// Package core is what Meower is: the rules of accounts, sessions, posts and
// all that people do with them. It knows neither HTTP nor sockets; both call it
// and turn its errors into their own wire form.
//
// Methods are safe for concurrent use. Unless a comment says otherwise they
// return an *Error for what the client did wrong, and any other error for
// outages and faults (AsError tells them apart). Each makes a number of store
// calls that does not depend on how much there is.
package core

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"

	"meower/bus"
	"meower/store"
)

// Options are what a Core stands on. All but SigningKey are required.
type Options struct {
	Store store.Store
	// Redis keeps what is short-lived or shared by all nodes: cached sessions,
	// tickets, limits, the signing key.
	Redis redis.UniversalClient
	Bus   bus.Bus
	IDs   *IDs
	Clock func() time.Time
	Log   *slog.Logger
	// PasswordCost is bcrypt's cost.
	PasswordCost int
	// SigningKey signs tokens. Empty means the key that the nodes share in
	// Redis, made by the first of them.
	SigningKey []byte
}

// Core holds the rules. Make one with New.
type Core struct {
	store     store.Store
	redis     redis.UniversalClient
	bus       bus.Bus
	ids       *IDs
	clock     func() time.Time
	log       *slog.Logger
	passwords *passwords
	tokens    signer
	blocked   *blockedAddresses
	counts    *countCache
}

// New returns a Core. It fails where the signing key cannot be had from Redis.
func New(ctx context.Context, o Options) (*Core, error) {
	hasher, err := newPasswords(o.PasswordCost)
	if err != nil {
		return nil, err
	}
	key := o.SigningKey
	if len(key) == 0 {
		if key, err = sharedSigningKey(ctx, o.Redis); err != nil {
			return nil, err
		}
	}
	c := &Core{
		store:     o.Store,
		redis:     o.Redis,
		bus:       o.Bus,
		ids:       o.IDs,
		clock:     o.Clock,
		log:       o.Log,
		passwords: hasher,
		tokens:    signer{key: key},
		counts:    &countCache{},
	}
	if c.blocked, err = newBlockedAddresses(); err != nil {
		return nil, err
	}
	return c, nil
}

// signingKeyName is where the nodes share their signing key.
const signingKeyName = "signing_key"

// sharedSigningKey returns the key in Redis and makes it where there is none.
// SETNX decides which key stays when several nodes start at once.
func sharedSigningKey(ctx context.Context, client redis.UniversalClient) ([]byte, error) {
	fresh := make([]byte, 64)
	if _, err := rand.Read(fresh); err != nil {
		return nil, fmt.Errorf("signing key: %w", err)
	}
	if err := client.SetNX(ctx, signingKeyName, fresh, 0).Err(); err != nil {
		return nil, fmt.Errorf("signing key: %w", err)
	}
	key, err := client.Get(ctx, signingKeyName).Bytes()
	if err != nil {
		return nil, fmt.Errorf("signing key: %w", err)
	}
	if len(key) == 0 {
		return nil, errors.New("signing key: the one in Redis is empty")
	}
	return key, nil
}

// now is the time to store: UTC, in whole milliseconds.
func (c *Core) now() time.Time { return c.clock().UTC().Truncate(time.Millisecond) }
