package storetest

import (
	"context"
	"slices"
	"testing"

	"meower/store"
)

func testRelationships(t *testing.T, s store.Store) {
	cases{
		{"follow", testFollow},
		{"follows of users that are not stored", testFollowUnstored},
		{"one follow wins", testFollowRace},
		{"one unfollow wins", testUnfollowRace},
		{"counters in a race", testFollowCounters},
		{"block", testBlock},
		{"one block wins", testBlockRace},
		{"either blocks", testEitherBlocks},
		{"long lists", testLongRelationships},
		{"own copies", testRelationshipCopies},
	}.run(t, s)
}

// stats fails the test when a user's counters of follows have not moved by that
// much since the user was created.
func stats(t *testing.T, s store.Store, u store.User, following, followers int64) {
	t.Helper()
	u.Stats.Following += following
	u.Stats.Followers += followers
	equal(t, value(s.User(t.Context(), u.ID))(t).Stats, u.Stats)
}

func testFollow(t *testing.T, s store.Store) {
	ctx, a, b := t.Context(), createUser(t, s), createUser(t, s)
	must(t, s.Follow(ctx, a.ID, b.ID, precise))
	fails(t, s.Follow(ctx, a.ID, b.ID, precise), store.ErrConflict)
	stats(t, s, a, 1, 0)
	stats(t, s, b, 0, 1)
	// It points one way only (traps.md, 1).
	same(t, value(s.Following(ctx, a.ID))(t), []string{b.ID})
	same(t, value(s.Following(ctx, b.ID))(t), nil)
	fails(t, s.Unfollow(ctx, b.ID, a.ID), store.ErrNotFound)

	must(t, s.Follow(ctx, b.ID, a.ID, precise))
	stats(t, s, a, 1, 1)
	must(t, s.Unfollow(ctx, a.ID, b.ID))
	fails(t, s.Unfollow(ctx, a.ID, b.ID), store.ErrNotFound)
	stats(t, s, a, 0, 1)
	stats(t, s, b, 1, 0)
	same(t, value(s.Following(ctx, a.ID))(t), nil)
	same(t, value(s.Following(ctx, b.ID))(t), []string{a.ID})
	must(t, s.Follow(ctx, a.ID, b.ID, precise)) // again
	stats(t, s, a, 1, 1)
}

func testFollowUnstored(t *testing.T, s store.Store) {
	ctx, a := t.Context(), createUser(t, s)
	must(t, s.Follow(ctx, a.ID, "0", moment))
	stats(t, s, a, 1, 0)
	must(t, s.Unfollow(ctx, a.ID, "0"))
	stats(t, s, a, 0, 0)
	fails(t, errorOf(s.User(ctx, "0")), store.ErrNotFound)
}

func testFollowRace(t *testing.T, s store.Store) {
	ctx, a, b := t.Context(), createUser(t, s), createUser(t, s)
	oneWins(t, race(racers, func(int) error { return s.Follow(ctx, a.ID, b.ID, moment) }), store.ErrConflict)
	stats(t, s, a, 1, 0)
	stats(t, s, b, 0, 1)
}

func testUnfollowRace(t *testing.T, s store.Store) {
	ctx, a, b := t.Context(), createUser(t, s), createUser(t, s)
	must(t, s.Follow(ctx, a.ID, b.ID, moment))
	oneWins(t, race(racers, func(int) error { return s.Unfollow(ctx, a.ID, b.ID) }), store.ErrNotFound)
	stats(t, s, a, 0, 0)
	stats(t, s, b, 0, 0)
}

// Many follow one, while as many others stop.
func testFollowCounters(t *testing.T, s store.Store) {
	ctx, star, fans := t.Context(), createUser(t, s), NewIDs(racers)
	for _, fan := range fans[:racers/2] {
		must(t, s.Follow(ctx, fan, star.ID, moment))
	}
	allWin(t, race(racers, func(i int) error {
		if i < racers/2 {
			return s.Unfollow(ctx, fans[i], star.ID)
		}
		return s.Follow(ctx, fans[i], star.ID, moment)
	}))
	stats(t, s, star, 0, racers/2)
}

func testBlock(t *testing.T, s store.Store) {
	ctx, ids := t.Context(), NewIDs(3)
	a, b, c := ids[0], ids[1], ids[2]
	must(t, s.Block(ctx, a, c, precise))
	must(t, s.Block(ctx, a, b, precise))
	must(t, s.Block(ctx, b, c, precise))
	fails(t, s.Block(ctx, a, b, precise), store.ErrConflict)
	same(t, value(s.Blocked(ctx, a))(t), []string{b, c})
	same(t, value(s.Blocked(ctx, c))(t), nil)
	same(t, value(s.BlockedBy(ctx, c))(t), []string{a, b})
	same(t, value(s.BlockedBy(ctx, a))(t), nil)

	fails(t, s.Unblock(ctx, b, a), store.ErrNotFound)
	must(t, s.Unblock(ctx, a, c))
	fails(t, s.Unblock(ctx, a, c), store.ErrNotFound)
	same(t, value(s.Blocked(ctx, a))(t), []string{b})
	same(t, value(s.BlockedBy(ctx, c))(t), []string{b})
	must(t, s.Block(ctx, a, c, precise)) // again
	same(t, value(s.Blocked(ctx, a))(t), []string{b, c})
	same(t, value(s.Following(ctx, a))(t), nil)
}

func testBlockRace(t *testing.T, s store.Store) {
	ctx, ids := t.Context(), NewIDs(2)
	oneWins(t, race(racers, func(int) error { return s.Block(ctx, ids[0], ids[1], moment) }), store.ErrConflict)
	same(t, value(s.Blocked(ctx, ids[0]))(t), ids[1:])
	oneWins(t, race(racers, func(int) error { return s.Unblock(ctx, ids[0], ids[1]) }), store.ErrNotFound)
	same(t, value(s.Blocked(ctx, ids[0]))(t), nil)
}

func testEitherBlocks(t *testing.T, s store.Store) {
	ctx, ids := t.Context(), NewIDs(3)
	a, b, c := ids[0], ids[1], ids[2]
	for _, step := range []struct {
		do   func(ctx context.Context) error
		want bool // of a and b
	}{
		{func(context.Context) error { return nil }, false},
		{func(ctx context.Context) error { return s.Block(ctx, a, c, moment) }, false},
		{func(ctx context.Context) error { return s.Follow(ctx, a, b, moment) }, false},
		{func(ctx context.Context) error { return s.Block(ctx, a, b, moment) }, true},
		{func(ctx context.Context) error { return s.Block(ctx, b, a, moment) }, true},
		{func(ctx context.Context) error { return s.Unblock(ctx, a, b) }, true},
		{func(ctx context.Context) error { return s.Unblock(ctx, b, a) }, false},
	} {
		must(t, step.do(ctx))
		equal(t, value(s.EitherBlocks(ctx, a, b))(t), step.want)
		equal(t, value(s.EitherBlocks(ctx, b, a))(t), step.want)
	}
}

// Lists are whole, however long, and in ascending order.
func testLongRelationships(t *testing.T, s store.Store) {
	ctx, ids := t.Context(), NewIDs(121)
	me, others := ids[0], ids[1:]
	for i := range others {
		other := others[(i+50)%len(others)]
		must(t, s.Follow(ctx, me, other, moment))
		must(t, s.Block(ctx, me, other, moment))
		must(t, s.Block(ctx, other, me, moment))
	}
	same(t, value(s.Following(ctx, me))(t), others)
	same(t, value(s.Blocked(ctx, me))(t), others)
	same(t, value(s.BlockedBy(ctx, me))(t), others)
}

func testRelationshipCopies(t *testing.T, s store.Store) {
	ctx, ids := t.Context(), NewIDs(3)
	for _, other := range ids[1:] {
		must(t, s.Follow(ctx, ids[0], other, moment))
		must(t, s.Block(ctx, ids[0], other, moment))
	}
	for _, list := range []func(context.Context, string) ([]string, error){s.Following, s.Blocked} {
		got := value(list(ctx, ids[0]))(t)
		slices.Reverse(got)
		_ = append(got[:1], "spoilt")
		same(t, value(list(ctx, ids[0]))(t), ids[1:])
	}
}
