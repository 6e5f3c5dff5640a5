package storetest

import (
	"slices"
	"testing"

	"meower/store"
)

func newChat(members ...string) store.Chat {
	id := NewID()
	return store.Chat{
		ID:          id,
		Name:        "the room",
		Flags:       store.ChatNotSafeForKids,
		Members:     members,
		Permissions: map[string]int{members[0]: store.ChatOwnerLevel},
		InviteCode:  "invite" + id,
		Created:     moment,
	}
}

func newDirectChat(a, b string) store.Chat {
	return store.Chat{
		ID: NewID(), Direct: true, DirectKey: a + ":" + b,
		Members: []string{a, b}, Permissions: map[string]int{}, Created: moment,
	}
}

func testChats(t *testing.T, s store.Store) {
	cases{
		{"create", testCreateChat},
		{"permissions are never nil", testNoPermissions},
		{"conflicts", testChatConflicts},
		{"direct chats are unique in a race", testDirectChatRace},
		{"invite codes are unique in a race", testInviteCodeRace},
		{"not found", testChatNotFound},
		{"ids of a member", testChatIDsOf},
		{"own copies", testChatCopies},
	}.run(t, s)
}

func testCreateChat(t *testing.T, s store.Store) {
	ids := NewIDs(3)
	// The order of members is theirs, not that of their ids.
	for _, want := range []store.Chat{newChat(ids[2], ids[0], ids[1]), newDirectChat(ids[0], ids[1])} {
		sent := want
		sent.Created = precise
		must(t, s.CreateChat(t.Context(), sent))
		equal(t, value(s.Chat(t.Context(), want.ID))(t), want)
	}
}

func testNoPermissions(t *testing.T, s store.Store) {
	want := store.Chat{ID: NewID(), Members: []string{NewID()}}
	must(t, s.CreateChat(t.Context(), want))
	want.Permissions = map[string]int{}
	equal(t, value(s.Chat(t.Context(), want.ID))(t), want)
}

func testChatConflicts(t *testing.T, s store.Store) {
	ctx, ids := t.Context(), NewIDs(4)
	group, direct := newChat(ids[0]), newDirectChat(ids[0], ids[1])
	must(t, s.CreateChat(ctx, group))
	must(t, s.CreateChat(ctx, direct))

	sameID, sameCode, sameKey := newChat(ids[2]), newChat(ids[2]), newDirectChat(ids[2], ids[3])
	sameID.ID, sameCode.InviteCode, sameKey.DirectKey = group.ID, group.InviteCode, direct.DirectKey
	for _, chat := range []store.Chat{sameID, sameCode, sameKey} {
		fails(t, s.CreateChat(ctx, chat), store.ErrConflict)
	}
	same(t, value(s.ChatIDsOf(ctx, ids[2]))(t), nil)
	equal(t, value(s.Chat(ctx, group.ID))(t), group)

	// Any number of chats may have neither a key nor a code.
	for range 2 {
		must(t, s.CreateChat(ctx, store.Chat{ID: NewID(), Members: ids, Permissions: map[string]int{}}))
	}
}

// Two who open a chat with each other at once got two (traps.md, 18).
func testDirectChatRace(t *testing.T, s store.Store) {
	ctx, users := t.Context(), NewIDs(2)
	chats := make([]store.Chat, racers)
	for i := range chats {
		chats[i] = newDirectChat(users[0], users[1])
	}
	errs := race(racers, func(i int) error { return s.CreateChat(ctx, chats[i]) })
	winner := oneWins(t, errs, store.ErrConflict)
	equal(t, value(s.ChatIDsOf(ctx, users[1]))(t), []string{chats[winner].ID})
}

func testInviteCodeRace(t *testing.T, s store.Store) {
	ctx, user, ids := t.Context(), NewID(), NewIDs(racers)
	errs := race(racers, func(i int) error {
		return s.CreateChat(ctx, store.Chat{ID: ids[i], InviteCode: "code" + user, Members: []string{user}})
	})
	winner := oneWins(t, errs, store.ErrConflict)
	equal(t, value(s.ChatIDsOf(ctx, user))(t), []string{ids[winner]})
}

func testChatNotFound(t *testing.T, s store.Store) {
	ctx, deleted := t.Context(), newChat(NewID())
	fails(t, errorOf(s.Chat(ctx, NewID())), store.ErrNotFound)
	deleted.Deleted = true
	must(t, s.CreateChat(ctx, deleted))
	fails(t, errorOf(s.Chat(ctx, deleted.ID)), store.ErrNotFound)
	same(t, value(s.ChatIDsOf(ctx, deleted.Members[0]))(t), nil)
}

func testChatIDsOf(t *testing.T, s store.Store) {
	ctx, user, others := t.Context(), NewID(), NewIDs(2)
	var want []string
	for i := range 120 {
		chat := newChat(others[i%2], user)
		want = append(want, chat.ID)
		must(t, s.CreateChat(ctx, chat))
	}
	must(t, s.CreateChat(ctx, newChat(others...)))
	slices.Reverse(want)
	equal(t, value(s.ChatIDsOf(ctx, user))(t), want)
	same(t, value(s.ChatIDsOf(ctx, NewID()))(t), nil)
}

// One chat's permissions leaked into all others (traps.md, 3).
func testChatCopies(t *testing.T, s store.Store) {
	ctx, want := t.Context(), newChat(NewIDs(2)...)
	spoil := func(c store.Chat) { c.Members[1], c.Permissions["spoilt"] = "spoilt", 2 }
	sent := newChat(want.Members...)
	sent.ID, sent.InviteCode, sent.Members = want.ID, want.InviteCode, slices.Clone(want.Members)
	must(t, s.CreateChat(ctx, sent))
	spoil(sent)
	for range 2 {
		got := value(s.Chat(ctx, want.ID))(t)
		equal(t, got, want)
		spoil(got)
	}
	ids := value(s.ChatIDsOf(ctx, want.Members[0]))(t)
	ids[0] = "spoilt"
	equal(t, value(s.ChatIDsOf(ctx, want.Members[0]))(t), []string{want.ID})
}
