package mongo

import (
	"context"
	"errors"
	"net"
	"testing"

	"go.mongodb.org/mongo-driver/v2/event"
	"go.uber.org/goleak"

	"meower/e2e/containers"
	"meower/store"
	"meower/store/storetest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(containers.Wrap(m))
}

// open returns a store in a database that nobody else uses. Whoever calls it
// closes the store.
func open(t *testing.T, opts ...Option) *Store {
	t.Helper()
	s, err := Open(t.Context(), containers.SharedMongo(t).URI(), "test"+storetest.NewID(), opts...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// use is open for tests that leave closing to their end.
func use(t *testing.T, opts ...Option) *Store {
	t.Helper()
	s := open(t, opts...)
	t.Cleanup(func() { shut(t, s) })
	return s
}

func shut(t *testing.T, s *Store) {
	t.Helper()
	if err := s.Close(context.Background()); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// TestContract runs the suite, and holds the queries that it has made the store
// send against the table of indexes.
func TestContract(t *testing.T) {
	var sent recorder
	t.Run("storetest", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) store.Store { return open(t, withMonitor(sent.monitor())) })
	})
	t.Run("queries have indexes", func(t *testing.T) { checkIndexed(t, sent.commands()) })
}

func TestClosed(t *testing.T) {
	s := open(t)
	methods := storetest.Methods(s)
	for range 2 {
		shut(t, s)
	}
	for name, call := range methods {
		if err := call(t.Context()); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s after Close: %v", name, err)
		}
	}
}

// Nodes that start together make the indexes together.
func TestOpenTogether(t *testing.T) {
	uri, database := containers.SharedMongo(t).URI(), "test"+storetest.NewID()
	type opened struct {
		s   *Store
		err error
	}
	const nodes = 4
	results := make(chan opened)
	for range nodes {
		go func() {
			s, err := Open(t.Context(), uri, database)
			results <- opened{s, err}
		}()
	}
	for range nodes {
		r := <-results
		if r.err != nil {
			t.Error(r.err)
			continue
		}
		shut(t, r.s)
	}
}

func TestOpenRefuses(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "mongodb://" + listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		name, uri, database string
		ctx                 context.Context
		want                error // nil is any other
	}{
		{"nobody there", nobody, "meower", t.Context(), store.ErrUnavailable},
		{"cancelled", nobody, "meower", cancelled, context.Canceled},
		{"no URI", "localhost", "meower", t.Context(), nil},
		{"no database", nobody, "", t.Context(), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Open(c.ctx, c.uri, c.database)
			if c.want != nil && !errors.Is(err, c.want) ||
				c.want == nil && (err == nil || errors.Is(err, store.ErrUnavailable)) {
				t.Errorf("the error is %v, want %v", err, c.want)
			}
		})
	}
}

// A caller who goes away after the first step of a method does not stop the
// others, so that counters do not drift and no revision is lost.
func TestLaterStepsOutliveTheCaller(t *testing.T) {
	leave := func() {}
	s := use(t, withMonitor(&event.CommandMonitor{
		Succeeded: func(context.Context, *event.CommandSucceededEvent) { leave() },
	}))
	author, post := storetest.NewID(), storetest.NewID()
	if err := s.CreateUser(t.Context(), store.User{ID: author, LowerUsername: author}); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name string
		do   func(ctx context.Context) error
		want store.UserStats // of the author, afterwards
	}{
		{"CreatePost", func(ctx context.Context) error {
			return s.CreatePost(ctx, store.Post{ID: post, AuthorID: author})
		}, store.UserStats{Posts: 1}},
		{"EditPost", func(ctx context.Context) error {
			_, err := s.EditPost(ctx, post, store.PostEdit{RevisionID: storetest.NewID()})
			return err
		}, store.UserStats{Posts: 1}},
		{"DeletePost", func(ctx context.Context) error {
			return s.DeletePost(ctx, post, moment)
		}, store.UserStats{}},
		{"Follow", func(ctx context.Context) error {
			return s.Follow(ctx, author, author, moment)
		}, store.UserStats{Following: 1, Followers: 1}},
		{"Unfollow", func(ctx context.Context) error {
			return s.Unfollow(ctx, author, author)
		}, store.UserStats{}},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		leave = cancel
		err := step.do(ctx)
		if err != nil || ctx.Err() == nil {
			t.Errorf("%s: %v, and the caller's context has %v", step.name, err, ctx.Err())
		}
		leave = func() {}
		user, err := s.User(t.Context(), author)
		if err != nil || user.Stats != step.want {
			t.Errorf("after %s the stats are %+v (%v), want %+v", step.name, user.Stats, err, step.want)
		}
	}
	revisions, err := s.PublicRevisions(t.Context(), post, store.Page{Limit: 9})
	if err != nil || len(revisions) != 1 {
		t.Errorf("there are %d revisions, %v", len(revisions), err)
	}
}
