package mongo

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"meower/store"
	"meower/store/memory"
	"meower/store/storetest"
)

// TestModel does the same random things to a store in memory and to one in
// MongoDB, and compares what they answer.
func TestModel(t *testing.T) {
	t.Parallel()
	durable, model := use(t), memory.New()
	rapid.Check(t, func(t *rapid.T) {
		// Ids are new each time, since what was stored before stays.
		d := draw{t, storetest.NewIDs(3)}
		// One noun at a time, so that its methods meet; users have its counters.
		methods := slices.Concat(users, rapid.SampledFrom(nouns).Draw(t, "noun"))
		for range rapid.IntRange(1, 120).Draw(t, "steps") {
			method := rapid.SampledFrom(methods).Draw(t, "method")
			call := method.draw(d)
			want, wantErr := call(t.Context(), model)
			got, gotErr := call(t.Context(), durable)
			if !errors.Is(kind(gotErr), kind(wantErr)) {
				t.Fatalf("%s: %v in MongoDB, %v in memory", method.name, gotErr, wantErr)
			}
			if wantErr == nil && !alike(got, want) {
				t.Fatalf("%s:\n%+v in MongoDB,\n%+v in memory", method.name, got, want)
			}
		}
	})
}

// TestModelIsWhole checks that the model test knows every method but those that
// have nothing to compare.
func TestModelIsWhole(t *testing.T) {
	methods := storetest.Methods(memory.New())
	delete(methods, "Ping")
	delete(methods, "Counts") // estimates
	for _, m := range slices.Concat(users, slices.Concat(nouns...)) {
		delete(methods, m.name)
	}
	for name := range methods {
		t.Errorf("the model test does not call %s", name)
	}
}

// kind returns the error of package store that an error is.
func kind(err error) error {
	for _, kind := range []error{store.ErrNotFound, store.ErrConflict} {
		if errors.Is(err, kind) {
			return kind
		}
	}
	return err
}

// alike reports whether two results are the same; of lists, an empty one is as
// good as none.
func alike(a, b any) bool {
	x, y := reflect.ValueOf(a), reflect.ValueOf(b)
	if x.Kind() == reflect.Slice && x.Len()+y.Len() == 0 {
		return true
	}
	return reflect.DeepEqual(a, b)
}

// call is a call of one method with certain arguments.
type call func(ctx context.Context, s store.Store) (any, error)

// method is a method with what draws its arguments.
type method struct {
	name string
	draw func(draw) call
}

var users = []method{
	{"CreateUser", func(d draw) call { return change(store.Store.CreateUser, d.user()) }},
	{"User", func(d draw) call { return ask(store.Store.User, d.id()) }},
	{"UserByName", func(d draw) call { return ask(store.Store.UserByName, store.LowerUsername(d.name())) }},
	{"UsersByID", func(d draw) call { return ask(store.Store.UsersByID, d.some()) }},
	{"UpdateUser", updateUser},
	{"AddProfileChange", func(d draw) call {
		return change(store.Store.AddProfileChange, store.ProfileChange{
			ID: d.id(), UserID: d.id(), Username: d.text(), Quote: d.text(), Icon: d.icon(), Time: d.time(),
		})
	}},
	{"ProfileHistory", func(d draw) call { return ask2(store.Store.ProfileHistory, d.id(), d.page()) }},
}

// nouns are the methods of the other nouns.
var nouns = [][]method{
	{
		{"CreateAccount", func(d draw) call {
			return change(store.Store.CreateAccount, store.Account{
				ID: d.id(), Email: d.text(), EmailLower: d.maybe(d.name()), PasswordHash: d.text(), LastUpdated: d.time(),
			})
		}},
		{"Account", func(d draw) call { return ask(store.Store.Account, d.id()) }},
		{"AccountByEmail", func(d draw) call { return ask(store.Store.AccountByEmail, d.name()) }},
		{"DeleteAccount", func(d draw) call { return change(store.Store.DeleteAccount, d.id()) }},
	},
	{
		{"CreateSession", func(d draw) call { return change(store.Store.CreateSession, d.session()) }},
		{"Session", func(d draw) call { return ask(store.Store.Session, d.id()) }},
		{"SessionsOf", func(d draw) call { return ask2(store.Store.SessionsOf, d.id(), d.page()) }},
		{"RefreshSession", func(d draw) call { return ask2(store.Store.RefreshSession, d.session(), d.number()) }},
		{"TouchSession", func(d draw) call { return change2(store.Store.TouchSession, d.id(), d.time()) }},
		{"DeleteSession", func(d draw) call { return ask(store.Store.DeleteSession, d.id()) }},
		{"DeleteSessions", func(d draw) call { return change(store.Store.DeleteSessions, d.some()) }},
		{"AllSessionsOf", allSessionsOf},
	},
	{
		{"Network", func(d draw) call { return ask(store.Store.Network, d.id()) }},
		{"CountRegistration", func(d draw) call { return ask2(store.Store.CountRegistration, d.id(), d.time()) }},
		{"BlockNetwork", blockNetwork},
	},
	{
		{"CreatePost", func(d draw) call { return change(store.Store.CreatePost, d.post()) }},
		{"Post", func(d draw) call { return ask(store.Store.Post, d.id()) }},
		{"LatestPosts", func(d draw) call { return ask2(store.Store.LatestPosts, d.some(), d.page()) }},
		{"PostsBy", func(d draw) call { return ask2(store.Store.PostsBy, d.id(), d.page()) }},
		{"EditPost", func(d draw) call {
			edit := store.PostEdit{Content: d.text(), FilteredContent: d.text(), RevisionID: storetest.NewID(), Time: d.time()}
			return ask2(store.Store.EditPost, d.id(), edit)
		}},
		{"DeletePost", func(d draw) call { return change2(store.Store.DeletePost, d.id(), d.time()) }},
		{"PublicRevisions", func(d draw) call { return ask2(store.Store.PublicRevisions, d.id(), d.page()) }},
	},
	{
		{"CreateChat", func(d draw) call { return change(store.Store.CreateChat, d.chat()) }},
		{"Chat", func(d draw) call { return ask(store.Store.Chat, d.id()) }},
		{"ChatIDsOf", func(d draw) call { return ask(store.Store.ChatIDsOf, d.id()) }},
	},
	{
		{"Follow", func(d draw) call { return change3(store.Store.Follow, d.id(), d.id(), d.time()) }},
		{"Unfollow", func(d draw) call { return change2(store.Store.Unfollow, d.id(), d.id()) }},
		{"Block", func(d draw) call { return change3(store.Store.Block, d.id(), d.id(), d.time()) }},
		{"Unblock", func(d draw) call { return change2(store.Store.Unblock, d.id(), d.id()) }},
		{"Following", func(d draw) call { return ask(store.Store.Following, d.id()) }},
		{"Blocked", func(d draw) call { return ask(store.Store.Blocked, d.id()) }},
		{"BlockedBy", func(d draw) call { return ask(store.Store.BlockedBy, d.id()) }},
		{"EitherBlocks", func(d draw) call { return ask2(store.Store.EitherBlocks, d.id(), d.id()) }},
	},
	{
		{"CreateInfraction", func(d draw) call { return change(store.Store.CreateInfraction, d.infraction()) }},
		{"InfractionsOf", func(d draw) call { return ask(store.Store.InfractionsOf, d.id()) }},
	},
	{
		{"CreateNotification", func(d draw) call {
			return change(store.Store.CreateNotification, store.Notification{
				ID: d.id(), RecipientID: d.id(), Content: d.text(), Read: d.bool(), Time: d.time(),
			})
		}},
		{"CountUnread", func(d draw) call { return ask(store.Store.CountUnread, d.id()) }},
	},
}

func updateUser(d draw) call {
	var c store.UserChange
	if d.bool() {
		c.Username = new(d.name())
	}
	if d.bool() {
		c.Quote = new(d.text())
	}
	if d.bool() {
		c.Icon = new(d.icon())
	}
	if d.bool() {
		c.Theme = new(d.theme())
	}
	id := d.id()
	return func(ctx context.Context, s store.Store) (any, error) {
		before, after, err := s.UpdateUser(ctx, id, c)
		return []store.User{before, after}, err
	}
}

// allSessionsOf puts the sessions in order, which the contract leaves open.
func allSessionsOf(d draw) call {
	id := d.id()
	return func(ctx context.Context, s store.Store) (any, error) {
		sessions, err := s.AllSessionsOf(ctx, id)
		slices.SortFunc(sessions, func(a, b store.Session) int { return strings.Compare(a.ID, b.ID) })
		return sessions, err
	}
}

func blockNetwork(d draw) call {
	id, blocked, creationBlocked := d.id(), d.bool(), d.bool()
	return func(ctx context.Context, s store.Store) (any, error) {
		return nil, s.BlockNetwork(ctx, id, blocked, creationBlocked)
	}
}

func ask[A, R any](f func(store.Store, context.Context, A) (R, error), a A) call {
	return func(ctx context.Context, s store.Store) (any, error) { return f(s, ctx, a) }
}

func ask2[A, B, R any](f func(store.Store, context.Context, A, B) (R, error), a A, b B) call {
	return func(ctx context.Context, s store.Store) (any, error) { return f(s, ctx, a, b) }
}

func change[A any](f func(store.Store, context.Context, A) error, a A) call {
	return func(ctx context.Context, s store.Store) (any, error) { return nil, f(s, ctx, a) }
}

func change2[A, B any](f func(store.Store, context.Context, A, B) error, a A, b B) call {
	return func(ctx context.Context, s store.Store) (any, error) { return nil, f(s, ctx, a, b) }
}

func change3[A, B, C any](f func(store.Store, context.Context, A, B, C) error, a A, b B, c C) call {
	return func(ctx context.Context, s store.Store) (any, error) { return nil, f(s, ctx, a, b, c) }
}
