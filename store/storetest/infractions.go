package storetest

import (
	"testing"

	"meower/store"
)

func testInfractions(t *testing.T, s store.Store) {
	cases{
		{"create", testCreateInfraction},
		{"every one of a user", testInfractionsOf},
		{"ids are unique in a race", testInfractionRace},
		{"own copies", testInfractionCopies},
	}.run(t, s)
}

func newInfraction(user string) store.Infraction {
	return store.Infraction{
		ID:               NewID(),
		UserID:           user,
		Action:           store.ActionSuspension,
		Reason:           "spam",
		OffendingContent: []string{"buy", "this"},
		Flags:            store.InfractionDetectAlts | store.InfractionBlockAppeals,
		Status:           store.InfractionMoreInfoWanted,
		Created:          moment,
		Expires:          pointer(moment.AddDate(0, 1, 0)),
	}
}

func testCreateInfraction(t *testing.T, s store.Store) {
	ctx, want := t.Context(), newInfraction(NewID())
	sent := want
	sent.Created, sent.Expires = precise, pointer(precise.AddDate(0, 1, 0))
	must(t, s.CreateInfraction(ctx, sent))
	equal(t, value(s.InfractionsOf(ctx, want.UserID))(t), []store.Infraction{want})
	again := newInfraction(NewID())
	again.ID = want.ID
	fails(t, s.CreateInfraction(ctx, again), store.ErrConflict)
	same(t, value(s.InfractionsOf(ctx, again.UserID))(t), nil)
}

// All of them come in one list, however many, whatever their state.
func testInfractionsOf(t *testing.T, s store.Store) {
	ctx, user, ids := t.Context(), NewID(), NewIDs(150)
	var want []store.Infraction
	for i := range ids {
		infraction := store.Infraction{ID: ids[len(ids)-1-i], UserID: user, Status: i % 5}
		must(t, s.CreateInfraction(ctx, infraction))
		want = append(want, infraction)
	}
	must(t, s.CreateInfraction(ctx, newInfraction(NewID())))
	equal(t, value(s.InfractionsOf(ctx, user))(t), want)
	same(t, value(s.InfractionsOf(ctx, NewID()))(t), nil)
}

func testInfractionRace(t *testing.T, s store.Store) {
	ctx, id, user := t.Context(), NewID(), NewID()
	errs := race(racers, func(i int) error {
		return s.CreateInfraction(ctx, store.Infraction{ID: id, UserID: user, Action: i})
	})
	winner := oneWins(t, errs, store.ErrConflict)
	equal(t, value(s.InfractionsOf(ctx, user))(t), []store.Infraction{{ID: id, UserID: user, Action: winner}})
}

func testInfractionCopies(t *testing.T, s store.Store) {
	ctx, want := t.Context(), newInfraction(NewID())
	spoil := func(i store.Infraction) { i.OffendingContent[0], *i.Expires = "spoilt", moment }
	sent := want
	sent.OffendingContent, sent.Expires = []string{"buy", "this"}, pointer(*want.Expires)
	must(t, s.CreateInfraction(ctx, sent))
	spoil(sent)
	for range 2 {
		got := value(s.InfractionsOf(ctx, want.UserID))(t)
		equal(t, got, []store.Infraction{want})
		spoil(got[0])
	}
}
