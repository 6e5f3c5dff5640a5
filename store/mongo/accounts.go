package mongo

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"

	"meower/store"
)

// CreateAccount implements store.Accounts.
func (s *Store) CreateAccount(ctx context.Context, a store.Account) error {
	return s.accounts.insert(ctx, a)
}

// Account implements store.Accounts.
func (s *Store) Account(ctx context.Context, id string) (store.Account, error) {
	return s.accounts.find(ctx, byID(id))
}

// AccountByEmail implements store.Accounts.
func (s *Store) AccountByEmail(ctx context.Context, lower string) (store.Account, error) {
	return s.accounts.find(ctx, bson.M{"email_lower": lower})
}

// DeleteAccount implements store.Accounts.
func (s *Store) DeleteAccount(ctx context.Context, id string) error {
	_, err := s.accounts.remove(ctx, byID(id))
	return err
}
