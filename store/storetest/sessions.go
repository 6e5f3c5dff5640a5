package storetest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"meower/store"
)

func newSession(user string) store.Session {
	return store.Session{
		ID:      NewID(),
		UserID:  user,
		Version: 3,
		Device: store.Device{
			UserAgent: "Mozilla/5.0", ClientName: "svelte", ClientVersion: "1.2.3", ClientType: "web",
		},
		IPAddress:     "2001:db8::1",
		Country:       "NZ",
		LastRefreshed: moment,
		LastUsed:      moment.Add(time.Hour),
		Created:       moment.AddDate(-1, 0, 0),
	}
}

func createSession(t *testing.T, s store.Store, user string) store.Session {
	t.Helper()
	session := newSession(user)
	must(t, s.CreateSession(t.Context(), session))
	return session
}

func testSessions(t *testing.T, s store.Store) {
	cases{
		{"create", testCreateSession},
		{"ids are unique in a race", testSessionRace},
		{"not found", testSessionNotFound},
		{"refresh", testRefreshSession},
		{"one refresh wins per version", testRefreshRace},
		{"touch", testTouchSession},
		{"delete", testDeleteSession},
		{"one deletion wins", testDeleteSessionRace},
		{"delete several", testDeleteSessions},
		{"all of a user", testAllSessionsOf},
		{"pages of a user's", func(t *testing.T, s store.Store) {
			testPaging(t, func(t *testing.T) list { return sessionsOf(s) })
		}},
	}.run(t, s)
}

func testCreateSession(t *testing.T, s store.Store) {
	ctx, want := t.Context(), newSession(NewID())
	sent := want
	sent.LastRefreshed, sent.LastUsed, sent.Created = precise, precise.Add(time.Hour), precise.AddDate(-1, 0, 0)
	must(t, s.CreateSession(ctx, sent))
	equal(t, value(s.Session(ctx, want.ID))(t), want)

	again := newSession(NewID())
	again.ID = want.ID
	fails(t, s.CreateSession(ctx, again), store.ErrConflict)
	equal(t, value(s.Session(ctx, want.ID))(t), want)
	same(t, value(s.AllSessionsOf(ctx, again.UserID))(t), nil)
}

func testSessionRace(t *testing.T, s store.Store) {
	ctx, id, users := t.Context(), NewID(), NewIDs(racers)
	errs := race(racers, func(i int) error {
		return s.CreateSession(ctx, store.Session{ID: id, UserID: users[i]})
	})
	winner := oneWins(t, errs, store.ErrConflict)
	equal(t, value(s.Session(ctx, id))(t).UserID, users[winner])
}

func testSessionNotFound(t *testing.T, s store.Store) {
	ctx, gone := t.Context(), newSession(NewID())
	fails(t, errorOf(s.Session(ctx, gone.ID)), store.ErrNotFound)
	fails(t, errorOf(s.RefreshSession(ctx, gone, gone.Version)), store.ErrNotFound)
	fails(t, errorOf(s.DeleteSession(ctx, gone.ID)), store.ErrNotFound)
	// Nothing of this has created it.
	fails(t, errorOf(s.Session(ctx, gone.ID)), store.ErrNotFound)
}

func testRefreshSession(t *testing.T, s store.Store) {
	ctx, session := t.Context(), createSession(t, s, NewID())
	news := store.Session{
		ID: session.ID, UserID: "ignored", Version: 99, Created: moment.AddDate(9, 0, 0),
		Device: store.Device{UserAgent: "curl"}, IPAddress: "192.0.2.1",
		LastRefreshed: precise.Add(time.Hour), LastUsed: precise.Add(2 * time.Hour),
	}
	want := session
	want.Version++
	want.Device, want.IPAddress, want.Country = news.Device, news.IPAddress, ""
	want.LastRefreshed, want.LastUsed = moment.Add(time.Hour), moment.Add(2*time.Hour)
	equal(t, value(s.RefreshSession(ctx, news, session.Version))(t), want)
	equal(t, value(s.Session(ctx, session.ID))(t), want)
	for _, version := range []int64{session.Version, session.Version - 1, session.Version + 2} {
		fails(t, errorOf(s.RefreshSession(ctx, session, version)), store.ErrConflict)
	}
	equal(t, value(s.Session(ctx, session.ID))(t), want)
	equal(t, value(s.RefreshSession(ctx, news, want.Version))(t).Version, want.Version+1)
}

func testRefreshRace(t *testing.T, s store.Store) {
	ctx, session := t.Context(), createSession(t, s, NewID())
	for round := range int64(3) {
		version := session.Version + round
		errs := race(racers, func(int) error { return errorOf(s.RefreshSession(ctx, session, version)) })
		oneWins(t, errs, store.ErrConflict)
		equal(t, value(s.Session(ctx, session.ID))(t).Version, version+1)
	}
}

func testTouchSession(t *testing.T, s store.Store) {
	ctx, session := t.Context(), createSession(t, s, NewID())
	must(t, s.TouchSession(ctx, session.ID, precise.Add(3*time.Hour)))
	session.LastUsed = moment.Add(3 * time.Hour)
	equal(t, value(s.Session(ctx, session.ID))(t), session)
	gone := NewID()
	must(t, s.TouchSession(ctx, gone, moment))
	fails(t, errorOf(s.Session(ctx, gone)), store.ErrNotFound)
}

func testDeleteSession(t *testing.T, s store.Store) {
	ctx, user := t.Context(), NewID()
	session, other := createSession(t, s, user), createSession(t, s, user)
	equal(t, value(s.DeleteSession(ctx, session.ID))(t), session)
	fails(t, errorOf(s.DeleteSession(ctx, session.ID)), store.ErrNotFound)
	fails(t, errorOf(s.Session(ctx, session.ID)), store.ErrNotFound)
	fails(t, errorOf(s.RefreshSession(ctx, session, session.Version)), store.ErrNotFound)
	equal(t, value(s.AllSessionsOf(ctx, user))(t), []store.Session{other})
}

func testDeleteSessionRace(t *testing.T, s store.Store) {
	ctx, session := t.Context(), createSession(t, s, NewID())
	errs := race(racers, func(int) error { return errorOf(s.DeleteSession(ctx, session.ID)) })
	oneWins(t, errs, store.ErrNotFound)
}

func testDeleteSessions(t *testing.T, s store.Store) {
	ctx, user := t.Context(), NewID()
	var sessions []store.Session
	for range 4 {
		sessions = append(sessions, createSession(t, s, user))
	}
	ids := []string{sessions[0].ID, NewID(), sessions[2].ID, sessions[0].ID}
	for range 2 { // those that are gone are no error
		must(t, s.DeleteSessions(ctx, ids))
		must(t, s.DeleteSessions(ctx, nil))
		fails(t, errorOf(s.Session(ctx, sessions[0].ID)), store.ErrNotFound)
		equal(t, value(s.SessionsOf(ctx, user, store.Page{Limit: 9}))(t), []store.Session{sessions[3], sessions[1]})
	}
}

// All of them come in one list, however many, in no order.
func testAllSessionsOf(t *testing.T, s store.Store) {
	ctx, user := t.Context(), NewID()
	var want []store.Session
	for range 110 {
		want = append(want, createSession(t, s, user))
	}
	createSession(t, s, NewID())
	got := value(s.AllSessionsOf(ctx, user))(t)
	slices.SortFunc(got, func(a, b store.Session) int { return strings.Compare(a.ID, b.ID) })
	equal(t, got, want)
	same(t, value(s.AllSessionsOf(ctx, NewID()))(t), nil)
}

func sessionsOf(s store.Store) list {
	user := NewID()
	return list{
		add: func(t *testing.T, id string) {
			must(t, s.CreateSession(t.Context(), store.Session{ID: id, UserID: user}))
		},
		page: func(t *testing.T, p store.Page) []string {
			return idsOf(value(s.SessionsOf(t.Context(), user, p))(t), func(session store.Session) string { return session.ID })
		},
	}
}
