package storetest

import (
	"testing"

	"meower/store"
)

func testNotifications(t *testing.T, s store.Store) {
	cases{
		{"unread", testCountUnread},
		{"unread in a race", testUnreadRace},
		{"ids are unique in a race", testNotificationRace},
	}.run(t, s)
}

func testCountUnread(t *testing.T, s store.Store) {
	ctx, user, id := t.Context(), NewID(), NewID()
	equal(t, value(s.CountUnread(ctx, user))(t), 0)
	must(t, s.CreateNotification(ctx, store.Notification{ID: id, RecipientID: user, Content: "hello", Time: precise}))
	equal(t, value(s.CountUnread(ctx, user))(t), 1)
	fails(t, s.CreateNotification(ctx, store.Notification{ID: id, RecipientID: user}), store.ErrConflict)
	must(t, s.CreateNotification(ctx, store.Notification{ID: NewID(), RecipientID: user, Read: true}))
	must(t, s.CreateNotification(ctx, store.Notification{ID: NewID(), RecipientID: NewID()}))
	equal(t, value(s.CountUnread(ctx, user))(t), 1)
	must(t, s.CreateNotification(ctx, store.Notification{ID: NewID(), RecipientID: user, Type: 2}))
	equal(t, value(s.CountUnread(ctx, user))(t), 2)
}

func testUnreadRace(t *testing.T, s store.Store) {
	ctx, user, ids := t.Context(), NewID(), NewIDs(racers)
	allWin(t, race(racers, func(i int) error {
		return s.CreateNotification(ctx, store.Notification{ID: ids[i], RecipientID: user, Read: i%2 == 0})
	}))
	equal(t, value(s.CountUnread(ctx, user))(t), racers/2)
}

func testNotificationRace(t *testing.T, s store.Store) {
	ctx, user, id := t.Context(), NewID(), NewID()
	errs := race(racers, func(int) error {
		return s.CreateNotification(ctx, store.Notification{ID: id, RecipientID: user})
	})
	oneWins(t, errs, store.ErrConflict)
	equal(t, value(s.CountUnread(ctx, user))(t), 1)
}
