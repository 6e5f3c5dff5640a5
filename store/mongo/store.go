// Package mongo keeps the nouns of package store in MongoDB, or in any server of
// its wire protocol. It uses nothing that FerretDB lacks: no transactions, no
// text, TTL or partial indexes, no collation, no lookups, no change streams.
//
// Uniqueness and counting are the server's, in single steps that it makes
// atomic, so that any number of nodes may work on one database.
package mongo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"meower/store"
)

var _ store.Store = (*Store)(nil)

const (
	// defaultTimeout bounds every round trip, waiting for a server included.
	defaultTimeout = 2 * time.Second
	// indexTimeout bounds the building of indexes where the caller does not.
	indexTimeout = 10 * time.Minute
)

// Store is a store.Store in one database of a MongoDB server. Make one with
// Open; it is safe for concurrent use.
//
// Every round trip ends within two seconds; one that does not is
// store.ErrUnavailable, and what it asked for may or may not have been done.
// The Store recovers by itself once the server answers again.
type Store struct {
	client  *mongo.Client
	timeout time.Duration

	users          collection[store.User]
	profileHistory collection[store.ProfileChange]
	accounts       collection[store.Account]
	sessions       collection[store.Session]
	networks       collection[store.Network]
	posts          collection[store.Post]
	postRevisions  collection[store.PostRevision]
	postLikes      collection[struct{}]
	postMeows      collection[struct{}]
	chats          collection[store.Chat]
	chatMessages   collection[struct{}]
	follows        collection[edge]
	blocks         collection[edge]
	infractions    collection[store.Infraction]
	notifications  collection[store.Notification]
}

// config is what options change.
type config struct {
	timeout time.Duration
	monitor *event.CommandMonitor
}

// Option changes how Open makes a Store.
type Option func(*config)

// WithTimeout bounds every round trip by d instead of two seconds.
func WithTimeout(d time.Duration) Option {
	return func(c *config) { c.timeout = d }
}

// withMonitor makes m see every command.
func withMonitor(m *event.CommandMonitor) Option {
	return func(c *config) { c.monitor = m }
}

// Open connects to the server that the URI names, a mongodb:// or mongodb+srv://
// connection string, and makes the indexes that the database lacks. It returns
// store.ErrUnavailable when the server does not answer within two seconds.
//
// The context bounds everything Open does; building an index over a large
// collection takes its time, and is cut off after ten minutes where the context
// has no deadline.
//
// Writes are acknowledged by the majority of a replica set and read from its
// primary, whatever the URI says, so everyone sees what was written before.
// Where the server can recognise a repeated write (replica sets and sharded
// clusters) the driver repeats those whose answer was lost, and gets the answer
// of the first. A standalone server, or FerretDB, cannot, so there nothing is
// repeated: a second insert would report a conflict with the first.
func Open(ctx context.Context, uri, database string, opts ...Option) (*Store, error) {
	cfg := config{timeout: defaultTimeout}
	for _, opt := range opts {
		opt(&cfg)
	}
	if database == "" {
		return nil, errors.New("mongo: no database named")
	}
	client, err := mongo.Connect(options.Client().
		ApplyURI(uri).
		SetAppName("meower").
		SetTimeout(cfg.timeout).
		SetServerSelectionTimeout(cfg.timeout).
		SetConnectTimeout(cfg.timeout).
		SetReadPreference(readpref.Primary()).
		SetWriteConcern(writeconcern.Majority()).
		SetBSONOptions(&options.BSONOptions{NilSliceAsEmpty: true, NilMapAsEmpty: true}).
		SetMonitor(cfg.monitor))
	if err != nil {
		return nil, fmt.Errorf("mongo: %w", err)
	}
	s := newStore(client, client.Database(database), cfg.timeout)
	if err := s.prepare(ctx, client.Database(database)); err != nil {
		// The error that stands in the way is the one worth telling.
		_ = s.Close(context.WithoutCancel(ctx))
		return nil, err
	}
	return s, nil
}

func newStore(client *mongo.Client, db *mongo.Database, timeout time.Duration) *Store {
	return &Store{
		client:         client,
		timeout:        timeout,
		users:          newCollection[store.User](db, "users", timeout),
		profileHistory: newCollection[store.ProfileChange](db, "profile_history", timeout),
		accounts:       newCollection[store.Account](db, "accounts", timeout),
		sessions:       newCollection[store.Session](db, "sessions", timeout),
		networks:       newCollection[store.Network](db, "networks", timeout),
		posts:          newCollection[store.Post](db, "posts", timeout),
		postRevisions:  newCollection[store.PostRevision](db, "post_revisions", timeout),
		postLikes:      newCollection[struct{}](db, "post_likes", timeout),
		postMeows:      newCollection[struct{}](db, "post_meows", timeout),
		chats:          newCollection[store.Chat](db, "chats", timeout),
		chatMessages:   newCollection[struct{}](db, "chat_messages", timeout),
		follows:        newCollection[edge](db, "followed_users", timeout),
		blocks:         newCollection[edge](db, "blocked_users", timeout),
		infractions:    newCollection[store.Infraction](db, "infractions", timeout),
		notifications:  newCollection[store.Notification](db, "notifications", timeout),
	}
}

// prepare makes a database ready for use.
func (s *Store) prepare(ctx context.Context, db *mongo.Database) error {
	if err := s.Ping(ctx); err != nil {
		return err
	}
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, indexTimeout)
		defer cancel()
	}
	return translate(ctx, createIndexes(ctx, db))
}

// Ping implements store.Store: the primary must answer.
func (s *Store) Ping(ctx context.Context) error {
	return step(ctx, s.timeout, func(ctx context.Context) error {
		return s.client.Ping(ctx, readpref.Primary())
	})
}

// Close implements store.Store. It waits for work under way until the context
// ends. Afterwards every method returns store.ErrUnavailable.
func (s *Store) Close(ctx context.Context) error {
	if err := s.client.Disconnect(ctx); err != nil && !errors.Is(err, mongo.ErrClientDisconnected) {
		return translate(ctx, err)
	}
	return nil
}
