package mongo

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"

	"meower/store"
)

// CreateInfraction implements store.Infractions.
func (s *Store) CreateInfraction(ctx context.Context, i store.Infraction) error {
	return s.infractions.insert(ctx, i)
}

// InfractionsOf implements store.Infractions.
func (s *Store) InfractionsOf(ctx context.Context, userID string) ([]store.Infraction, error) {
	return s.infractions.list(ctx, bson.M{"user_id": userID}, "-_id", 0)
}
