package store

import (
	"context"
	"time"
)

// Account is the private side of a person's user: how they sign in. Bots have
// none.
type Account struct {
	ID string `bson:"_id"` // the user's id
	// Email is as typed, EmailLower the form under which it is unique; both are
	// empty where there is no address.
	Email        string    `bson:"email,omitempty"`
	EmailLower   string    `bson:"email_lower,omitempty"`
	PasswordHash string    `bson:"password_hash,omitempty"`
	LastUpdated  time.Time `bson:"last_updated"`
}

// Accounts keeps accounts.
type Accounts interface {
	// CreateAccount adds an account. ErrConflict when the id, or a non-empty
	// EmailLower, is taken.
	CreateAccount(ctx context.Context, a Account) error
	// Account returns the account of that user.
	Account(ctx context.Context, id string) (Account, error)
	// AccountByEmail returns the account whose EmailLower is lower, which must
	// not be empty.
	AccountByEmail(ctx context.Context, lower string) (Account, error)
	// DeleteAccount removes an account; removing what is not there is no error.
	DeleteAccount(ctx context.Context, id string) error
}
