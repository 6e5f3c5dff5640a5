package mongo

import (
	"context"
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// index is an index of a collection, with the shapes of the queries for which
// it is there. Tests compare the shapes with those of the commands that are
// really sent, and with the keys.
//
// A shape is the fields that the filter names, with the operator where it is
// not equality, and the field by which the answer is sorted. Directions are left
// out, as an index is read either way, and so are bounds of the sorted field,
// which make a page of a list.
type index struct {
	collection string
	keys       []string // "-" in front is descending
	unique     bool
	sparse     bool
	serves     []string
}

// indexes are all of them, those included that every collection has of its own.
var indexes = []index{
	{collection: "users", keys: []string{"_id"}, unique: true, serves: []string{"_id", "_id:$in"}},
	{collection: "users", keys: []string{"lower_username"}, unique: true, serves: []string{"lower_username"}},
	{collection: "users", keys: []string{"bot_session"}, sparse: true, serves: []string{"bot_session:$gt"}},

	{collection: "profile_history", keys: []string{"user_id", "-_id"}, serves: []string{"user_id sort _id"}},

	{collection: "accounts", keys: []string{"_id"}, unique: true, serves: []string{"_id"}},
	{collection: "accounts", keys: []string{"email_lower"}, unique: true, sparse: true, serves: []string{"email_lower"}},

	{collection: "sessions", keys: []string{"_id"}, unique: true, serves: []string{"_id", "_id version", "_id:$in"}},
	{collection: "sessions", keys: []string{"user_id", "-_id"}, serves: []string{"user_id", "user_id sort _id"}},

	{collection: "networks", keys: []string{"_id"}, unique: true, serves: []string{"_id"}},

	{
		collection: "posts", keys: []string{"_id"}, unique: true,
		serves: []string{"_id deleted", "_id deleted flags:$bitsAllClear"},
	},
	{
		collection: "posts", keys: []string{"deleted", "-_id"},
		// Posts of excluded authors are read over.
		serves: []string{"deleted sort _id", "author_id:$nin deleted sort _id"},
	},
	{collection: "posts", keys: []string{"author_id", "deleted", "-_id"}, serves: []string{"author_id deleted sort _id"}},
	{collection: "post_revisions", keys: []string{"post_id", "public", "-_id"}, serves: []string{"post_id public sort _id"}},

	{collection: "chats", keys: []string{"_id"}, unique: true, serves: []string{"_id deleted"}},
	{collection: "chats", keys: []string{"direct_key"}, unique: true, sparse: true},
	{collection: "chats", keys: []string{"invite_code"}, unique: true, sparse: true},
	{collection: "chats", keys: []string{"members", "deleted", "-_id"}, serves: []string{"deleted members sort _id"}},

	{collection: "followed_users", keys: []string{"_id"}, unique: true, serves: []string{"_id"}},
	{collection: "followed_users", keys: []string{"_id.from", "_id.to"}, serves: []string{"_id.from sort _id.to"}},
	// The other end, from which followers can be counted again.
	{collection: "followed_users", keys: []string{"_id.to", "_id.from"}},
	{collection: "blocked_users", keys: []string{"_id"}, unique: true, serves: []string{"_id", "_id:$in"}},
	{collection: "blocked_users", keys: []string{"_id.from", "_id.to"}, serves: []string{"_id.from sort _id.to"}},
	{collection: "blocked_users", keys: []string{"_id.to", "_id.from"}, serves: []string{"_id.to sort _id.from"}},

	{collection: "infractions", keys: []string{"user_id", "-_id"}, serves: []string{"user_id sort _id"}},

	{
		collection: "notifications", keys: []string{"recipient_id", "read", "-_id"},
		serves: []string{"read recipient_id"},
	},
}

// createIndexes makes the indexes that the database lacks. Other nodes may do the
// same at the same time.
//
// Each has a command of its own, since FerretDB 1.24 breaks off when a command
// asks for two that are there.
func createIndexes(ctx context.Context, db *mongo.Database) error {
	for _, index := range indexes {
		if index.own() {
			continue
		}
		opts := options.Index().SetUnique(index.unique).SetSparse(index.sparse)
		model := mongo.IndexModel{Keys: indexKeys(index.keys...), Options: opts}
		if _, err := db.Collection(index.collection).Indexes().CreateOne(ctx, model); err != nil {
			return fmt.Errorf("index %v of %s: %w", index.keys, index.collection, err)
		}
	}
	return nil
}

// own reports whether it is the index that every collection has of its own.
func (x index) own() bool { return len(x.keys) == 1 && x.keys[0] == "_id" }

// indexKeys returns fields with their directions as the server wants them.
func indexKeys(fields ...string) bson.D {
	keys := make(bson.D, len(fields))
	for i, field := range fields {
		name, descending := strings.CutPrefix(field, "-")
		keys[i] = bson.E{Key: name, Value: 1}
		if descending {
			keys[i].Value = -1
		}
	}
	return keys
}
