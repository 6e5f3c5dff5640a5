package memory

import (
	"context"
	"time"

	"meower/store"
)

// network returns the row of an address to change it, creating it if need be.
func (s *Store) network(address string) *store.Network {
	row, ok := s.networks[address]
	if !ok {
		row = &store.Network{Address: address}
		s.networks[address] = row
	}
	return row
}

// Network implements store.Networks.
func (s *Store) Network(ctx context.Context, address string) (store.Network, error) {
	if err := s.lock(ctx); err != nil {
		return store.Network{}, err
	}
	defer s.mu.Unlock()
	row, ok := s.networks[address]
	if !ok {
		return store.Network{}, store.ErrNotFound
	}
	return *row, nil
}

// CountRegistration implements store.Networks.
func (s *Store) CountRegistration(ctx context.Context, address string, at time.Time) (store.Network, error) {
	if err := s.lock(ctx); err != nil {
		return store.Network{}, err
	}
	defer s.mu.Unlock()
	row := s.network(address)
	row.Users++
	row.LastUsed = kept(at)
	return *row, nil
}

// BlockNetwork implements store.Networks.
func (s *Store) BlockNetwork(ctx context.Context, address string, blocked, creationBlocked bool) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	row := s.network(address)
	row.Blocked, row.CreationBlocked = blocked, creationBlocked
	return nil
}
