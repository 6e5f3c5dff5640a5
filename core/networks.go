package core

import (
	"context"
	"errors"
	"time"

	"github.com/hashicorp/golang-lru/v2/expirable"

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
// connection asks, so answers are kept for a few seconds.
type blockedAddresses struct {
	networks store.Networks
	known    *expirable.LRU[string, bool]
}

func newBlockedAddresses(networks store.Networks) *blockedAddresses {
	return &blockedAddresses{
		networks: networks,
		known:    expirable.NewLRU[string, bool](blockedAddressCount, nil, blockedAddressLife),
	}
}

// CheckAddress refuses a blocked address with CodeAddressBlocked. A new block
// takes effect within five seconds.
func (c *Core) CheckAddress(ctx context.Context, address string) error {
	blocked, known := c.blocked.known.Get(address)
	if !known {
		network, err := c.blocked.networks.Network(ctx, address)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		blocked = network.Blocked
		c.blocked.known.Add(address, blocked)
	}
	if blocked {
		return Err(CodeAddressBlocked)
	}
	return nil
}
