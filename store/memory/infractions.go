package memory

import (
	"context"
	"slices"

	"meower/store"
)

// infractions is every infraction.
type infractions struct {
	table[store.Infraction]
	of indexes // by user
}

func newInfractions() infractions {
	return infractions{table: newTable(copyInfraction), of: make(indexes)}
}

func copyInfraction(i store.Infraction) store.Infraction {
	i.OffendingContent = slices.Clone(i.OffendingContent)
	i.Created = kept(i.Created)
	i.Expires = keptPointer(i.Expires)
	return i
}

// CreateInfraction implements store.Infractions.
func (s *Store) CreateInfraction(ctx context.Context, i store.Infraction) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if err := s.infractions.insert(i.ID, i); err != nil {
		return err
	}
	s.infractions.of.add(i.UserID, i.ID)
	return nil
}

// InfractionsOf implements store.Infractions.
func (s *Store) InfractionsOf(ctx context.Context, userID string) ([]store.Infraction, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	return s.infractions.list(s.infractions.of[userID].newestFirst()), nil
}
