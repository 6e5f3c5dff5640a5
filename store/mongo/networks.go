package mongo

import (
	"context"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"meower/store"
)

// Network implements store.Networks.
func (s *Store) Network(ctx context.Context, address string) (store.Network, error) {
	return s.networks.find(ctx, byID(address))
}

// CountRegistration implements store.Networks.
func (s *Store) CountRegistration(ctx context.Context, address string, at time.Time) (store.Network, error) {
	return s.changeNetwork(ctx, address, bson.M{"$inc": bson.M{"users": 1}, "$set": bson.M{"last_used": at}})
}

// BlockNetwork implements store.Networks.
func (s *Store) BlockNetwork(ctx context.Context, address string, blocked, creationBlocked bool) error {
	set := bson.M{"blocked": blocked, "creation_blocked": creationBlocked}
	_, err := s.changeNetwork(ctx, address, bson.M{"$set": set})
	return err
}

// changeNetwork changes an address, creating it if need be, and returns it after
// that. Of two who create it at once a server may refuse one, who then finds it
// there.
func (s *Store) changeNetwork(ctx context.Context, address string, change bson.M) (store.Network, error) {
	network, err := s.networks.modify(ctx, byID(address), change, upsert, returnAfter)
	if errors.Is(err, store.ErrConflict) {
		network, err = s.networks.modify(ctx, byID(address), change, upsert, returnAfter)
	}
	return network, err
}
