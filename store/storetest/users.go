package storetest

import (
	"fmt"
	"testing"

	"meower/store"
)

// newUser returns a user that nobody else has, with every field set.
func newUser() store.User {
	id := NewID()
	return store.User{
		ID:            id,
		Username:      "U" + id,
		LowerUsername: "u" + id,
		Flags:         store.UserBot | store.UserVerifiedBot,
		Admin:         store.AdminModerateIPs,
		Icon:          store.Icon{Type: store.IconUpload, Preset: 7, Upload: "upload"},
		Theme:         store.Theme{Main: "#fff", TextOnMain: "#000"},
		Quote:         "to be",
		Badges:        []string{"early", "kind"},
		Stats:         store.UserStats{Followers: 1, Following: 2, Posts: 3},
		BotSession:    4,
		RedirectTo:    "elsewhere",
		DeleteAfter:   pointer(moment),
		Created:       moment,
	}
}

// createUser adds a new user and returns it.
func createUser(t *testing.T, s store.Store) store.User {
	t.Helper()
	u := newUser()
	must(t, s.CreateUser(t.Context(), u))
	return u
}

func testUsers(t *testing.T, s store.Store) {
	cases{
		{"create", testCreateUser},
		{"unset fields", testPlainUser},
		{"conflicts", testUserConflicts},
		{"names are unique in a race", testUserNameRace},
		{"ids are unique in a race", testUserIDRace},
		{"not found", testUserNotFound},
		{"by id", testUsersByID},
		{"own copies", testUserCopies},
		{"profile history", testProfileHistory},
		{"pages of the profile history", func(t *testing.T, s store.Store) {
			testPaging(t, func(t *testing.T) list { return profileHistory(s) })
		}},
	}.run(t, s)
}

func testCreateUser(t *testing.T, s store.Store) {
	u := newUser()
	sent := u
	sent.Created, sent.DeleteAfter = precise, pointer(precise)
	must(t, s.CreateUser(t.Context(), sent))
	equal(t, value(s.User(t.Context(), u.ID))(t), u)
	equal(t, value(s.UserByName(t.Context(), u.LowerUsername))(t), u)
}

// What is not set comes back not set. Deleted users are users like any other.
func testPlainUser(t *testing.T, s store.Store) {
	id := NewID()
	u := store.User{ID: id, Username: id, LowerUsername: id, Flags: store.UserDeleted}
	must(t, s.CreateUser(t.Context(), u))
	equal(t, value(s.User(t.Context(), id))(t), u)
}

func testUserConflicts(t *testing.T, s store.Store) {
	ctx, first, second := t.Context(), createUser(t, s), newUser()
	second.LowerUsername = first.LowerUsername
	fails(t, s.CreateUser(ctx, second), store.ErrConflict)
	fails(t, errorOf(s.User(ctx, second.ID)), store.ErrNotFound)

	second = newUser()
	second.ID = first.ID
	fails(t, s.CreateUser(ctx, second), store.ErrConflict)
	fails(t, errorOf(s.UserByName(ctx, second.LowerUsername)), store.ErrNotFound)
	equal(t, value(s.User(ctx, first.ID))(t), first)
}

// Names were taken twice in a race (traps.md, 32).
func testUserNameRace(t *testing.T, s store.Store) {
	ctx, name, ids := t.Context(), "u"+NewID(), NewIDs(racers)
	errs := race(racers, func(i int) error {
		return s.CreateUser(ctx, store.User{ID: ids[i], LowerUsername: name})
	})
	winner := oneWins(t, errs, store.ErrConflict)
	equal(t, value(s.UserByName(ctx, name))(t).ID, ids[winner])
	equal(t, len(value(s.UsersByID(ctx, ids))(t)), 1)
}

func testUserIDRace(t *testing.T, s store.Store) {
	ctx, id := t.Context(), NewID()
	name := func(i int) string { return fmt.Sprintf("u%s-%d", id, i) }
	errs := race(racers, func(i int) error {
		return s.CreateUser(ctx, store.User{ID: id, LowerUsername: name(i)})
	})
	winner := oneWins(t, errs, store.ErrConflict)
	equal(t, value(s.User(ctx, id))(t).LowerUsername, name(winner))
	for i := range racers {
		if i != winner {
			fails(t, errorOf(s.UserByName(ctx, name(i))), store.ErrNotFound)
		}
	}
}

func testUserNotFound(t *testing.T, s store.Store) {
	ctx, u := t.Context(), createUser(t, s)
	fails(t, errorOf(s.User(ctx, NewID())), store.ErrNotFound)
	fails(t, errorOf(s.User(ctx, u.LowerUsername)), store.ErrNotFound)
	fails(t, errorOf(s.UserByName(ctx, u.ID)), store.ErrNotFound)
	// The lower form is asked for; nobody folds it again.
	fails(t, errorOf(s.UserByName(ctx, u.Username)), store.ErrNotFound)
}

func testUsersByID(t *testing.T, s store.Store) {
	ctx, a, b := t.Context(), createUser(t, s), createUser(t, s)
	got := value(s.UsersByID(ctx, []string{b.ID, NewID(), a.ID, b.ID, ""}))(t)
	equal(t, got, map[string]store.User{a.ID: a, b.ID: b})
	equal(t, len(value(s.UsersByID(ctx, []string{NewID()}))(t)), 0)
	equal(t, len(value(s.UsersByID(ctx, nil))(t)), 0)
}

// Nobody shares memory with the store, nor with other callers (traps.md, 3).
func testUserCopies(t *testing.T, s store.Store) {
	ctx, u := t.Context(), newUser()
	spoil := func(u store.User) { u.Badges[0], *u.DeleteAfter = "spoilt", moment.AddDate(1, 0, 0) }
	sent := u
	sent.Badges, sent.DeleteAfter = []string{"early", "kind"}, pointer(moment)
	must(t, s.CreateUser(ctx, sent))
	spoil(sent)
	for range 2 { // the second time round everything has been spoilt once
		got := value(s.User(ctx, u.ID))(t)
		equal(t, got, u)
		spoil(got)
		got = value(s.UserByName(ctx, u.LowerUsername))(t)
		equal(t, got, u)
		spoil(got)
		users := value(s.UsersByID(ctx, []string{u.ID}))(t)
		equal(t, users[u.ID], u)
		spoil(users[u.ID])
		delete(users, u.ID)
	}
}

func testProfileHistory(t *testing.T, s store.Store) {
	ctx, user, ids := t.Context(), NewID(), NewIDs(3)
	want := store.ProfileChange{
		ID: ids[0], UserID: user, Username: "was", Quote: "said",
		Icon: store.Icon{Type: store.IconPreset, Preset: 3}, Time: moment,
	}
	sent := want
	sent.Time = precise
	must(t, s.AddProfileChange(ctx, sent))
	must(t, s.AddProfileChange(ctx, store.ProfileChange{ID: ids[1], UserID: NewID()}))
	fails(t, s.AddProfileChange(ctx, want), store.ErrConflict)
	equal(t, value(s.ProfileHistory(ctx, user, store.Page{Limit: 9}))(t), []store.ProfileChange{want})
}

func profileHistory(s store.Store) list {
	user := NewID()
	return list{
		add: func(t *testing.T, id string) {
			must(t, s.AddProfileChange(t.Context(), store.ProfileChange{ID: id, UserID: user}))
		},
		page: func(t *testing.T, p store.Page) []string {
			return idsOf(value(s.ProfileHistory(t.Context(), user, p))(t), func(c store.ProfileChange) string { return c.ID })
		},
	}
}

// idsOf returns the ids of some items.
func idsOf[T any](items []T, id func(T) string) []string {
	ids := make([]string, len(items))
	for i, item := range items {
		ids[i] = id(item)
	}
	return ids
}
