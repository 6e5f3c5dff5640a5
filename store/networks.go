package store

import (
	"context"
	"time"
)

// Network is what is known of one IP address.
type Network struct {
	Address         string    `bson:"_id"`
	Country         string    `bson:"country,omitempty"`
	ASN             int64     `bson:"asn,omitempty"`
	VPN             bool      `bson:"vpn,omitempty"`
	Blocked         bool      `bson:"blocked,omitempty"`
	CreationBlocked bool      `bson:"creation_blocked,omitempty"`
	Users           int64     `bson:"users"` // accounts registered from it
	LastUsed        time.Time `bson:"last_used"`
}

// Networks keeps what is known of addresses. An address nobody has written
// about does not exist.
type Networks interface {
	// Network returns what is known of an address.
	Network(ctx context.Context, address string) (Network, error)
	// CountRegistration counts one more account registered from the address,
	// creating it if need be, and returns the network after.
	CountRegistration(ctx context.Context, address string, at time.Time) (Network, error)
	// BlockNetwork sets Blocked and CreationBlocked, creating the address if
	// need be.
	BlockNetwork(ctx context.Context, address string, blocked, creationBlocked bool) error
}
