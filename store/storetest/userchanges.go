package storetest

import (
	"context"
	"fmt"
	"testing"

	"meower/store"
)

func testUserChanges(t *testing.T, s store.Store) {
	cases{
		{"every field", testUpdateUser},
		{"one colour for another", testThemes},
		{"nothing", testUpdateNothing},
		{"not found", testUpdateNobody},
		{"case of the own name", testCaseOnlyRename},
		{"taken name", testRenameConflict},
		{"freed name", testRenameFrees},
		{"names are unique in a race", testRenameRace},
		{"before and after are exact in a race", testUpdateRace},
		{"different fields in a race", testUpdateFieldsRace},
		{"own copies", testUpdateCopies},
	}.run(t, s)
}

func testUpdateUser(t *testing.T, s store.Store) {
	name := "New" + NewID()
	for field, change := range map[string]store.UserChange{
		"username": {Username: &name},
		"quote":    {Quote: pointer("or not to be")},
		"no quote": {Quote: pointer("")},
		"icon":     {Icon: &store.Icon{Type: store.IconPreset, Preset: 12}},
		"theme":    {Theme: &store.Theme{Main: "#abc", Background: "#def"}},
		"no theme": {Theme: &store.Theme{}},
		"all": {
			Username: pointer("All" + NewID()), Quote: pointer("?"),
			Icon: &store.Icon{Preset: 1}, Theme: &store.Theme{Text: "#123"},
		},
	} {
		t.Run(field, func(t *testing.T) {
			u := createUser(t, s)
			want := change.Apply(u)
			before, after, err := s.UpdateUser(t.Context(), u.ID, change)
			must(t, err)
			equal(t, before, u)
			equal(t, after, want)
			equal(t, value(s.User(t.Context(), u.ID))(t), want)
			equal(t, value(s.UserByName(t.Context(), want.LowerUsername))(t), want)
		})
	}
}

// A theme is its fields, not the colours in them.
func testThemes(t *testing.T, s store.Store) {
	ctx, u := t.Context(), createUser(t, s)
	for _, theme := range []store.Theme{{Main: "#abc"}, {Text: "#abc"}, {MainShadow: "#abc", Text: "#abc"}, {}} {
		_, after, err := s.UpdateUser(ctx, u.ID, store.UserChange{Theme: &theme})
		must(t, err)
		equal(t, after.Theme, theme)
		equal(t, value(s.User(ctx, u.ID))(t).Theme, theme)
	}
}

func testUpdateNothing(t *testing.T, s store.Store) {
	u := createUser(t, s)
	before, after, err := s.UpdateUser(t.Context(), u.ID, store.UserChange{})
	must(t, err)
	equal(t, before, u)
	equal(t, after, u)
}

func testUpdateNobody(t *testing.T, s store.Store) {
	id := NewID()
	for _, change := range []store.UserChange{{}, {Quote: &id}, {Username: &id}} {
		_, _, err := s.UpdateUser(t.Context(), id, change)
		fails(t, err, store.ErrNotFound)
	}
	fails(t, errorOf(s.UserByName(t.Context(), id)), store.ErrNotFound)
}

func testCaseOnlyRename(t *testing.T, s store.Store) {
	u := createUser(t, s)
	name := "u" + u.Username[1:]
	before, after, err := s.UpdateUser(t.Context(), u.ID, store.UserChange{Username: &name})
	must(t, err)
	equal(t, before.Username, u.Username)
	equal(t, after.Username, name)
	equal(t, value(s.UserByName(t.Context(), u.LowerUsername))(t), after)
}

func testRenameConflict(t *testing.T, s store.Store) {
	ctx, u, other := t.Context(), createUser(t, s), createUser(t, s)
	for _, name := range []string{other.Username, other.LowerUsername} {
		_, _, err := s.UpdateUser(ctx, u.ID, store.UserChange{Username: &name, Quote: pointer("mine now")})
		fails(t, err, store.ErrConflict)
	}
	equal(t, value(s.User(ctx, u.ID))(t), u)
	equal(t, value(s.UserByName(ctx, u.LowerUsername))(t), u)
	equal(t, value(s.UserByName(ctx, other.LowerUsername))(t), other)
}

// A name that was given up is for others to take.
func testRenameFrees(t *testing.T, s store.Store) {
	ctx, u, other := t.Context(), createUser(t, s), createUser(t, s)
	_, _, err := s.UpdateUser(ctx, u.ID, store.UserChange{Username: pointer("free" + u.ID)})
	must(t, err)
	fails(t, errorOf(s.UserByName(ctx, u.LowerUsername)), store.ErrNotFound)
	_, _, err = s.UpdateUser(ctx, other.ID, store.UserChange{Username: &u.Username})
	must(t, err)
	equal(t, value(s.UserByName(ctx, u.LowerUsername))(t).ID, other.ID)
	again := newUser()
	again.LowerUsername = other.LowerUsername
	must(t, s.CreateUser(ctx, again))
}

func testRenameRace(t *testing.T, s store.Store) {
	ctx, name := t.Context(), "Race"+NewID()
	users := make([]store.User, racers)
	for i := range users {
		users[i] = createUser(t, s)
	}
	errs := race(racers, func(i int) error {
		_, _, err := s.UpdateUser(ctx, users[i].ID, store.UserChange{Username: &name})
		return err
	})
	winner := oneWins(t, errs, store.ErrConflict)
	equal(t, value(s.UserByName(ctx, store.LowerUsername(name)))(t).ID, users[winner].ID)
	for i, u := range users {
		if i != winner {
			equal(t, value(s.UserByName(ctx, u.LowerUsername))(t), u)
		}
	}
}

// Every change sees the one just before it: the quotes that were there before
// the changes are the first one and all new ones but the last.
func testUpdateRace(t *testing.T, s store.Store) {
	ctx, u := t.Context(), createUser(t, s)
	befores := make([]string, racers)
	allWin(t, race(racers, func(i int) error {
		quote := fmt.Sprint("quote ", i)
		before, after, err := s.UpdateUser(ctx, u.ID, store.UserChange{Quote: &quote})
		befores[i] = before.Quote
		if err == nil && after.Quote != quote {
			err = fmt.Errorf("%q became %q", quote, after.Quote)
		}
		return err
	}))
	left := map[string]bool{u.Quote: true}
	for i := range racers {
		left[fmt.Sprint("quote ", i)] = true
	}
	for _, quote := range befores {
		if !left[quote] {
			t.Errorf("%q was changed twice, or never there", quote)
		}
		delete(left, quote)
	}
	equal(t, left, map[string]bool{value(s.User(ctx, u.ID))(t).Quote: true})
}

// Changes of different fields, counters included, do not undo each other.
func testUpdateFieldsRace(t *testing.T, s store.Store) {
	ctx, u := t.Context(), createUser(t, s)
	posts, name := NewIDs(racers), "Fields"+u.ID
	steps := []func(ctx context.Context, i int) error{
		func(ctx context.Context, _ int) error { return update(ctx, s, u, store.UserChange{Username: &name}) },
		func(ctx context.Context, _ int) error { return update(ctx, s, u, store.UserChange{Quote: &name}) },
		func(ctx context.Context, _ int) error {
			return update(ctx, s, u, store.UserChange{Icon: &store.Icon{Preset: 5}})
		},
		func(ctx context.Context, i int) error {
			return s.CreatePost(ctx, store.Post{ID: posts[i], AuthorID: u.ID})
		},
		func(ctx context.Context, i int) error { return s.Follow(ctx, posts[i], u.ID, moment) },
	}
	allWin(t, race(racers, func(i int) error { return steps[i%len(steps)](ctx, i) }))

	want := store.UserChange{Username: &name, Quote: &name, Icon: &store.Icon{Preset: 5}}.Apply(u)
	want.Stats.Posts += int64(racers / len(steps))
	want.Stats.Followers += int64(racers / len(steps))
	equal(t, value(s.User(ctx, u.ID))(t), want)
}

func update(ctx context.Context, s store.Store, u store.User, change store.UserChange) error {
	_, _, err := s.UpdateUser(ctx, u.ID, change)
	return err
}

func testUpdateCopies(t *testing.T, s store.Store) {
	ctx, u := t.Context(), createUser(t, s)
	change := store.UserChange{
		Username: pointer("Mine" + u.ID), Quote: pointer("mine"),
		Icon: &store.Icon{Preset: 6}, Theme: &store.Theme{Main: "#777"},
	}
	want := change.Apply(u)
	before, after, err := s.UpdateUser(ctx, u.ID, change)
	must(t, err)
	before.Badges[0], *before.DeleteAfter = "spoilt", moment.AddDate(1, 0, 0)
	equal(t, after, want)
	after.Badges[0], *after.DeleteAfter = "spoilt", moment.AddDate(1, 0, 0)
	*change.Username, *change.Quote, *change.Icon, *change.Theme = "x", "x", store.Icon{}, store.Theme{}
	equal(t, value(s.User(ctx, u.ID))(t), want)
}
