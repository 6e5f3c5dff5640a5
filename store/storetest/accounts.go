package storetest

import (
	"testing"

	"meower/store"
)

func newAccount() store.Account {
	id := NewID()
	return store.Account{
		ID: id, Email: id + "@Example.com", EmailLower: id + "@example.com",
		PasswordHash: "$2a$12$hash", LastUpdated: moment,
	}
}

func testAccounts(t *testing.T, s store.Store) {
	cases{
		{"create", testCreateAccount},
		{"conflicts", testAccountConflicts},
		{"no address", testAccountsWithoutEmail},
		{"addresses are unique in a race", testEmailRace},
		{"not found", testAccountNotFound},
		{"delete", testDeleteAccount},
	}.run(t, s)
}

func testCreateAccount(t *testing.T, s store.Store) {
	a := newAccount()
	sent := a
	sent.LastUpdated = precise
	must(t, s.CreateAccount(t.Context(), sent))
	equal(t, value(s.Account(t.Context(), a.ID))(t), a)
	equal(t, value(s.AccountByEmail(t.Context(), a.EmailLower))(t), a)
}

func testAccountConflicts(t *testing.T, s store.Store) {
	ctx, first, second := t.Context(), newAccount(), newAccount()
	must(t, s.CreateAccount(ctx, first))

	second.EmailLower = first.EmailLower
	fails(t, s.CreateAccount(ctx, second), store.ErrConflict)
	fails(t, errorOf(s.Account(ctx, second.ID)), store.ErrNotFound)

	second = newAccount()
	second.ID = first.ID
	fails(t, s.CreateAccount(ctx, second), store.ErrConflict)
	fails(t, errorOf(s.AccountByEmail(ctx, second.EmailLower)), store.ErrNotFound)
	equal(t, value(s.Account(ctx, first.ID))(t), first)
}

// Any number of accounts may have no address.
func testAccountsWithoutEmail(t *testing.T, s store.Store) {
	for range 2 {
		a := store.Account{ID: NewID()}
		must(t, s.CreateAccount(t.Context(), a))
		equal(t, value(s.Account(t.Context(), a.ID))(t), a)
	}
}

func testEmailRace(t *testing.T, s store.Store) {
	ctx, email, ids := t.Context(), NewID()+"@example.com", NewIDs(racers)
	errs := race(racers, func(i int) error {
		return s.CreateAccount(ctx, store.Account{ID: ids[i], EmailLower: email})
	})
	winner := oneWins(t, errs, store.ErrConflict)
	equal(t, value(s.AccountByEmail(ctx, email))(t).ID, ids[winner])
}

func testAccountNotFound(t *testing.T, s store.Store) {
	fails(t, errorOf(s.Account(t.Context(), NewID())), store.ErrNotFound)
	fails(t, errorOf(s.AccountByEmail(t.Context(), NewID())), store.ErrNotFound)
}

func testDeleteAccount(t *testing.T, s store.Store) {
	ctx, a, other := t.Context(), newAccount(), newAccount()
	must(t, s.CreateAccount(ctx, a))
	must(t, s.CreateAccount(ctx, other))
	for range 2 { // removing what is not there is no error
		must(t, s.DeleteAccount(ctx, a.ID))
		fails(t, errorOf(s.Account(ctx, a.ID)), store.ErrNotFound)
		fails(t, errorOf(s.AccountByEmail(ctx, a.EmailLower)), store.ErrNotFound)
	}
	equal(t, value(s.Account(ctx, other.ID))(t), other)
	// The address is free again.
	again := newAccount()
	again.EmailLower = a.EmailLower
	must(t, s.CreateAccount(ctx, again))
}
