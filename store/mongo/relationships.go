package mongo

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"meower/store"
)

// edge is the document of one user's following or blocking another.
type edge struct {
	ID   pair      `bson:"_id"`
	Time time.Time `bson:"time"`
}

// pair is "from follows (or blocks) to". Being the _id, it cannot be there twice.
type pair struct {
	From string `bson:"from"`
	To   string `bson:"to"`
}

// Follow implements store.Relationships.
func (s *Store) Follow(ctx context.Context, follower, followed string, at time.Time) error {
	if err := s.follows.insert(ctx, edge{pair{follower, followed}, at}); err != nil {
		return err
	}
	return s.countFollow(ctx, follower, followed, 1)
}

// Unfollow implements store.Relationships.
func (s *Store) Unfollow(ctx context.Context, follower, followed string) error {
	if err := s.disconnect(ctx, s.follows, follower, followed); err != nil {
		return err
	}
	return s.countFollow(ctx, follower, followed, -1)
}

// countFollow adds n follows between two users to the stats of both, in one
// round trip. The follow is there, or gone, so the caller's going away must not
// stop it.
func (s *Store) countFollow(ctx context.Context, follower, followed string, n int) error {
	add := func(id, counter string) mongo.WriteModel {
		return mongo.NewUpdateOneModel().SetFilter(byID(id)).SetUpdate(bson.M{"$inc": bson.M{counter: n}})
	}
	counts := []mongo.WriteModel{add(follower, "stats.following"), add(followed, "stats.followers")}
	return step(context.WithoutCancel(ctx), s.timeout, func(ctx context.Context) error {
		_, err := s.users.documents.BulkWrite(ctx, counts)
		return err
	})
}

// Block implements store.Relationships.
func (s *Store) Block(ctx context.Context, blocker, blocked string, at time.Time) error {
	return s.blocks.insert(ctx, edge{pair{blocker, blocked}, at})
}

// Unblock implements store.Relationships.
func (s *Store) Unblock(ctx context.Context, blocker, blocked string) error {
	return s.disconnect(ctx, s.blocks, blocker, blocked)
}

// disconnect removes an edge. store.ErrNotFound when there is none.
func (s *Store) disconnect(ctx context.Context, edges collection[edge], from, to string) error {
	removed, err := edges.remove(ctx, bson.M{"_id": pair{from, to}})
	if err == nil && removed == 0 {
		return store.ErrNotFound
	}
	return err
}

// Following implements store.Relationships.
func (s *Store) Following(ctx context.Context, userID string) ([]string, error) {
	return outgoing(ctx, s.follows, userID)
}

// Blocked implements store.Relationships.
func (s *Store) Blocked(ctx context.Context, userID string) ([]string, error) {
	return outgoing(ctx, s.blocks, userID)
}

// outgoing returns where the edges from a user lead.
func outgoing(ctx context.Context, edges collection[edge], userID string) ([]string, error) {
	found, err := edges.list(ctx, bson.M{"_id.from": userID}, "_id.to", 0)
	ids := make([]string, len(found))
	for i, edge := range found {
		ids[i] = edge.ID.To
	}
	return ids, err
}

// BlockedBy implements store.Relationships.
func (s *Store) BlockedBy(ctx context.Context, userID string) ([]string, error) {
	found, err := s.blocks.list(ctx, bson.M{"_id.to": userID}, "_id.from", 0)
	ids := make([]string, len(found))
	for i, edge := range found {
		ids[i] = edge.ID.From
	}
	return ids, err
}

// EitherBlocks implements store.Relationships.
func (s *Store) EitherBlocks(ctx context.Context, a, b string) (bool, error) {
	either := bson.M{"_id": bson.M{"$in": []pair{{a, b}, {b, a}}}}
	found, err := s.blocks.list(ctx, either, "", 1)
	return len(found) > 0, err
}
