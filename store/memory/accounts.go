package memory

import (
	"context"

	"meower/store"
)

// accounts is every account.
type accounts struct {
	table[store.Account]
	byEmail map[string]string // EmailLower to id; accounts without one are not in it
}

func newAccounts() accounts {
	return accounts{table: newTable(copyAccount), byEmail: make(map[string]string)}
}

func copyAccount(a store.Account) store.Account {
	a.LastUpdated = kept(a.LastUpdated)
	return a
}

// CreateAccount implements store.Accounts.
func (s *Store) CreateAccount(ctx context.Context, a store.Account) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if _, taken := s.accounts.byEmail[a.EmailLower]; taken {
		return store.ErrConflict
	}
	if err := s.accounts.insert(a.ID, a); err != nil {
		return err
	}
	if a.EmailLower != "" {
		s.accounts.byEmail[a.EmailLower] = a.ID
	}
	return nil
}

// Account implements store.Accounts.
func (s *Store) Account(ctx context.Context, id string) (store.Account, error) {
	if err := s.lock(ctx); err != nil {
		return store.Account{}, err
	}
	defer s.mu.Unlock()
	return s.accounts.get(id)
}

// AccountByEmail implements store.Accounts.
func (s *Store) AccountByEmail(ctx context.Context, lower string) (store.Account, error) {
	if err := s.lock(ctx); err != nil {
		return store.Account{}, err
	}
	defer s.mu.Unlock()
	return s.accounts.get(s.accounts.byEmail[lower])
}

// DeleteAccount implements store.Accounts.
func (s *Store) DeleteAccount(ctx context.Context, id string) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if account, ok := s.accounts.rows[id]; ok {
		delete(s.accounts.byEmail, account.EmailLower)
		delete(s.accounts.rows, id)
	}
	return nil
}
