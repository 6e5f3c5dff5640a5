package storetest

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"testing"
	"time"

	"meower/store"
)

// Methods returns a call of every method of the store that takes part in its
// work, by name, with arguments that no other test uses; that is all but Close.
// A call fails with what the method returns, even where nothing is amiss.
//
// It serves tests of what all methods have in common, such as their error when
// the database is away.
func Methods(s store.Store) map[string]func(context.Context) error {
	methods := map[string]func(context.Context) error{
		"Counts": func(ctx context.Context) error { return errorOf(s.Counts(ctx)) },
		"Ping":   s.Ping,
	}
	id := NewID()
	maps.Copy(methods, methodsOfPeople(s, id))
	maps.Copy(methods, methodsBetweenPeople(s, id))
	return methods
}

// methodsOfPeople are those of users and how they sign in.
func methodsOfPeople(s store.Store, id string) map[string]func(context.Context) error {
	page, at := store.Page{Limit: 1}, time.Now()
	return map[string]func(context.Context) error{
		"CreateUser": func(ctx context.Context) error {
			return s.CreateUser(ctx, store.User{ID: id, LowerUsername: id})
		},
		"User":       func(ctx context.Context) error { return errorOf(s.User(ctx, id)) },
		"UserByName": func(ctx context.Context) error { return errorOf(s.UserByName(ctx, id)) },
		"UsersByID":  func(ctx context.Context) error { return errorOf(s.UsersByID(ctx, []string{id})) },
		"UpdateUser": func(ctx context.Context) error {
			_, _, err := s.UpdateUser(ctx, id, store.UserChange{Quote: &id})
			return err
		},
		"AddProfileChange": func(ctx context.Context) error {
			return s.AddProfileChange(ctx, store.ProfileChange{ID: id, UserID: id})
		},
		"ProfileHistory": func(ctx context.Context) error { return errorOf(s.ProfileHistory(ctx, id, page)) },

		"CreateAccount":  func(ctx context.Context) error { return s.CreateAccount(ctx, store.Account{ID: id}) },
		"Account":        func(ctx context.Context) error { return errorOf(s.Account(ctx, id)) },
		"AccountByEmail": func(ctx context.Context) error { return errorOf(s.AccountByEmail(ctx, id)) },
		"DeleteAccount":  func(ctx context.Context) error { return s.DeleteAccount(ctx, id) },

		"CreateSession": func(ctx context.Context) error {
			return s.CreateSession(ctx, store.Session{ID: id, UserID: id})
		},
		"Session":    func(ctx context.Context) error { return errorOf(s.Session(ctx, id)) },
		"SessionsOf": func(ctx context.Context) error { return errorOf(s.SessionsOf(ctx, id, page)) },
		"RefreshSession": func(ctx context.Context) error {
			return errorOf(s.RefreshSession(ctx, store.Session{ID: id}, 0))
		},
		"TouchSession":   func(ctx context.Context) error { return s.TouchSession(ctx, id, at) },
		"DeleteSession":  func(ctx context.Context) error { return errorOf(s.DeleteSession(ctx, id)) },
		"DeleteSessions": func(ctx context.Context) error { return s.DeleteSessions(ctx, []string{id}) },
		"AllSessionsOf":  func(ctx context.Context) error { return errorOf(s.AllSessionsOf(ctx, id)) },

		"Network":           func(ctx context.Context) error { return errorOf(s.Network(ctx, id)) },
		"CountRegistration": func(ctx context.Context) error { return errorOf(s.CountRegistration(ctx, id, at)) },
		"BlockNetwork":      func(ctx context.Context) error { return s.BlockNetwork(ctx, id, true, true) },
	}
}

// methodsBetweenPeople are those of what users do with each other.
func methodsBetweenPeople(s store.Store, id string) map[string]func(context.Context) error {
	page, at := store.Page{Limit: 1}, time.Now()
	return map[string]func(context.Context) error{
		"CreatePost":  func(ctx context.Context) error { return s.CreatePost(ctx, store.Post{ID: id, AuthorID: id}) },
		"Post":        func(ctx context.Context) error { return errorOf(s.Post(ctx, id)) },
		"LatestPosts": func(ctx context.Context) error { return errorOf(s.LatestPosts(ctx, nil, page)) },
		"PostsBy":     func(ctx context.Context) error { return errorOf(s.PostsBy(ctx, id, page)) },
		"EditPost": func(ctx context.Context) error {
			return errorOf(s.EditPost(ctx, id, store.PostEdit{RevisionID: NewID()}))
		},
		"DeletePost":      func(ctx context.Context) error { return s.DeletePost(ctx, id, at) },
		"PublicRevisions": func(ctx context.Context) error { return errorOf(s.PublicRevisions(ctx, id, page)) },

		"CreateChat": func(ctx context.Context) error { return s.CreateChat(ctx, store.Chat{ID: id}) },
		"Chat":       func(ctx context.Context) error { return errorOf(s.Chat(ctx, id)) },
		"ChatIDsOf":  func(ctx context.Context) error { return errorOf(s.ChatIDsOf(ctx, id)) },

		"Follow":       func(ctx context.Context) error { return s.Follow(ctx, id, id, at) },
		"Unfollow":     func(ctx context.Context) error { return s.Unfollow(ctx, id, id) },
		"Block":        func(ctx context.Context) error { return s.Block(ctx, id, id, at) },
		"Unblock":      func(ctx context.Context) error { return s.Unblock(ctx, id, id) },
		"Following":    func(ctx context.Context) error { return errorOf(s.Following(ctx, id)) },
		"Blocked":      func(ctx context.Context) error { return errorOf(s.Blocked(ctx, id)) },
		"BlockedBy":    func(ctx context.Context) error { return errorOf(s.BlockedBy(ctx, id)) },
		"EitherBlocks": func(ctx context.Context) error { return errorOf(s.EitherBlocks(ctx, id, id)) },

		"CreateInfraction": func(ctx context.Context) error {
			return s.CreateInfraction(ctx, store.Infraction{ID: id, UserID: id})
		},
		"InfractionsOf": func(ctx context.Context) error { return errorOf(s.InfractionsOf(ctx, id)) },

		"CreateNotification": func(ctx context.Context) error {
			return s.CreateNotification(ctx, store.Notification{ID: id, RecipientID: id})
		},
		"CountUnread": func(ctx context.Context) error { return errorOf(s.CountUnread(ctx, id)) },
	}
}

// errorOf drops the first of a method's two results.
func errorOf[T any](_ T, err error) error { return err }

func testMethods(t *testing.T, s store.Store) {
	cases{
		{"all are here", testMethodsComplete},
		{"cancelled contexts", testCancelled},
		{"contexts past their deadline", testDeadline},
		{"ping", func(t *testing.T, s store.Store) { must(t, s.Ping(t.Context())) }},
	}.run(t, s)
}

func testMethodsComplete(t *testing.T, s store.Store) {
	methods := Methods(s)
	for method := range reflect.TypeFor[store.Store]().Methods() {
		if _, ok := methods[method.Name]; !ok && method.Name != "Close" {
			t.Errorf("Methods does not call %s", method.Name)
		}
	}
}

// A context that has ended stops a method before it changes anything.
func testCancelled(t *testing.T, s store.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range Methods(s) {
		if err := call(ctx); !errors.Is(err, context.Canceled) || errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: %v, want %v", name, err, context.Canceled)
		}
	}
}

func testDeadline(t *testing.T, s store.Store) {
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	for name, call := range Methods(s) {
		if err := call(ctx); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: %v, want %v", name, err, store.ErrUnavailable)
		}
	}
}

func testCounts(t *testing.T, s store.Store) {
	ctx, id := t.Context(), NewID()
	before := value(s.Counts(ctx))(t)
	must(t, s.CreateUser(ctx, store.User{ID: id, LowerUsername: id, BotSession: 1}))
	must(t, s.CreateAccount(ctx, store.Account{ID: id}))
	must(t, s.CreatePost(ctx, store.Post{ID: id, AuthorID: id}))
	must(t, s.CreateChat(ctx, store.Chat{ID: id, Members: []string{id}}))
	must(t, s.CreateInfraction(ctx, store.Infraction{ID: id, UserID: id}))
	after := value(s.Counts(ctx))(t)
	// The figures may be estimates, so nothing but growth can be told.
	for name, grew := range map[string]bool{
		"bots":        after.Bots > before.Bots,
		"accounts":    after.Accounts > before.Accounts,
		"posts":       after.Posts > before.Posts,
		"chats":       after.Chats > before.Chats,
		"infractions": after.Infractions > before.Infractions,
	} {
		if !grew {
			t.Errorf("%s were not counted: %+v, then %+v", name, before, after)
		}
	}
}
