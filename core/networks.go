package core

import (
	"context"
	"errors"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"meower/store"
)

const (
	// blockedAddressLife is how long a node relies on what it knows of an
	// address, and so how soon a new block bites everywhere.
	blockedAddressLife = 5 * time.Second
	// blockedAddressCount bounds how many addresses a node remembers.
	blockedAddressCount = 16_384
)

// blockedAddresses knows which addresses are blocked. Every request and every
// connection asks, so answers are kept for a few seconds. (The library's own
// expiring cache has a goroutine that nobody can end.)
type blockedAddresses struct {
	known *lru.Cache[string, addressVerdict]
}

type addressVerdict struct {
	blocked bool
	until   time.Time
}

func newBlockedAddresses() (*blockedAddresses, error) {
	known, err := lru.New[string, addressVerdict](blockedAddressCount)
	return &blockedAddresses{known: known}, err
}

// CheckAddress refuses a blocked address with CodeAddressBlocked. A new block
// takes effect within five seconds.
func (c *Core) CheckAddress(ctx context.Context, address string) error {
	now := c.clock()
	verdict, known := c.blocked.known.Get(address)
	if !known || !now.Before(verdict.until) {
		network, err := c.store.Network(ctx, address)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		verdict = addressVerdict{blocked: network.Blocked, until: now.Add(blockedAddressLife)}
		c.blocked.known.Add(address, verdict)
	}
	if verdict.blocked {
		return Err(CodeAddressBlocked)
	}
	return nil
}
