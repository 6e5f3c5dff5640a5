package core

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"meower/bus"
	"meower/store"
	"meower/store/memory"
)

// fixture is a Core on a memory store and miniredis, with a clock of its own.
type fixture struct {
	*Core
	t     *testing.T
	mem   *memory.Store
	redis *miniredis.Miniredis

	mu     sync.Mutex
	now    time.Time
	events []bus.Event
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{t: t, mem: memory.New(), redis: miniredis.RunT(t), now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}
	client := redis.NewClient(&redis.Options{Addr: f.redis.Addr(), MaxRetries: -1, ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = client.Close() })
	local := bus.NewLocal()
	local.Subscribe(func(e bus.Event) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.events = append(f.events, e)
	})
	ids, err := NewIDs(0, 0, f.clock)
	if err != nil {
		t.Fatal(err)
	}
	f.Core, err = New(t.Context(), Options{
		Store: f.mem, Redis: client, Bus: local, IDs: ids, Clock: f.clock, Log: slog.New(slog.DiscardHandler), PasswordCost: 4,
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *fixture) clock() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

// pass moves the clocks of the rules and of Redis.
func (f *fixture) pass(d time.Duration) {
	f.mu.Lock()
	f.now = f.now.Add(d)
	f.mu.Unlock()
	f.redis.FastForward(d)
}

// heard returns the events of a name so far.
func (f *fixture) heard(name string) (found []bus.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range f.events {
		if e.Name == name {
			found = append(found, e)
		}
	}
	return found
}

var here = Client{Address: "203.0.113.1", Device: store.Device{UserAgent: "test"}}

const testPassword = "correct horse"

// join registers a user and returns their token.
func (f *fixture) join(name string) string {
	f.t.Helper()
	in, err := f.Register(f.t.Context(), Registration{Username: name, Password: testPassword, Client: here})
	if err != nil {
		f.t.Fatal(err)
	}
	return in.AccessToken
}

func (f *fixture) principal(token string) *Principal {
	f.t.Helper()
	p, err := f.Authenticate(f.t.Context(), token)
	if err != nil {
		f.t.Fatal(err)
	}
	return p
}

// wantCode fails unless err is the Error of that code.
func wantCode(t *testing.T, err error, code Code) {
	t.Helper()
	if !errors.Is(err, Err(code)) {
		t.Errorf("error %v, want %v", err, Err(code))
	}
}

// Trap 32: names were taken twice in a race.
func TestNamesAreUniqueInARace(t *testing.T) {
	f := newFixture(t)
	var wg sync.WaitGroup
	results := make(chan error, 50)
	for i := range 50 {
		wg.Go(func() {
			name := "Racer"
			if i%2 == 0 {
				name = "racer"
			}
			_, err := f.Register(context.Background(), Registration{Username: name, Password: testPassword, Client: here})
			results <- err
		})
	}
	wg.Wait()
	close(results)
	won := 0
	for err := range results {
		if err == nil {
			won++
		} else {
			wantCode(t, err, CodeAlreadyExists)
		}
	}
	if won != 1 {
		t.Errorf("%d got the name, want 1", won)
	}
	counts, _ := f.mem.Counts(t.Context())
	if counts.Accounts != 1 {
		t.Errorf("%d accounts are left, want 1", counts.Accounts)
	}
}

func TestRegisterRefusals(t *testing.T) {
	f := newFixture(t)
	register := func(name string) error {
		_, err := f.Register(t.Context(), Registration{Username: name, Password: testPassword, Client: here})
		return err
	}
	for _, name := range []string{"Server", "deleted", "MEOWER"} {
		wantCode(t, register(name), CodeAlreadyExists)
	}
	if err := f.redis.Set(registrationClosedKey, "1"); err != nil {
		t.Fatal(err)
	}
	wantCode(t, register("ada"), CodeRegistrationClosed)
	f.redis.Del(registrationClosedKey)
	if err := f.mem.BlockNetwork(t.Context(), here.Address, false, true); err != nil {
		t.Fatal(err)
	}
	wantCode(t, register("ada"), CodeAddressBlocked)
}

func TestFourthAccountOfAnAddressNeedsEmail(t *testing.T) {
	f := newFixture(t)
	for i := 1; i <= 5; i++ {
		p := f.principal(f.join(fmt.Sprint("user", i)))
		if got, want := p.User.Flags&store.UserRequireEmail != 0, i >= 4; got != want {
			t.Errorf("account %d: requireEmail %v, want %v", i, got, want)
		}
	}
}

func TestRefreshLeavesTheOldTokenFiveSeconds(t *testing.T) {
	f := newFixture(t)
	old := f.join("ada")
	p := f.principal(old) // cached now
	fresh, err := f.Refresh(t.Context(), p, here)
	if err != nil {
		t.Fatal(err)
	}
	f.principal(fresh)
	f.pass(4 * time.Second)
	again, err := f.Refresh(t.Context(), f.principal(old), here)
	if err != nil || again != fresh {
		t.Errorf("a repeated refresh answered %q, %v; want the new token", again, err)
	}
	f.pass(2 * time.Second)
	_, err = f.Authenticate(t.Context(), old)
	wantCode(t, err, CodeNotAuthenticated)
	f.principal(fresh)
	if n := len(f.heard(EventSessionUpdated)); n != 1 {
		t.Errorf("%d session_updated, want 1", n)
	}
}

// Trap 9: tokens outlived what should have ended them.
func TestRevokedSessionEndsAtOnceAlsoWhileCached(t *testing.T) {
	f := newFixture(t)
	first := f.join("ada")
	in, err := f.Login(t.Context(), "ADA", testPassword, here)
	if err != nil {
		t.Fatal(err)
	}
	f.principal(first)
	p := f.principal(in.AccessToken)
	if err := f.Logout(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	_, err = f.Authenticate(t.Context(), in.AccessToken)
	wantCode(t, err, CodeNotAuthenticated)
	f.principal(first) // the other one stays
	deleted := f.heard(EventSessionDeleted)
	if len(deleted) != 1 || deleted[0].Whom != p.User.ID || string(deleted[0].Value) != `{"id":"`+p.SessionID+`"}` {
		t.Errorf("session_deleted %+v", deleted)
	}
}

// A node that read the session before it was revoked, and caches it after, must
// not bring the token back.
func TestSlowReaderDoesNotReviveARevokedSession(t *testing.T) {
	f := newFixture(t)
	raw := f.join("ada")
	p := f.principal(raw)
	f.redis.Del(sessionKey(p.SessionID, 1))
	if err := f.Logout(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if f.Core.redis.SetNX(t.Context(), sessionKey(p.SessionID, 1), p.User.ID, sessionCacheLife).Val() {
		t.Error("a late reader could cache the revoked session")
	}
	_, err := f.Authenticate(t.Context(), raw)
	wantCode(t, err, CodeNotAuthenticated)
}

func TestRevokeAllNeedsATicketAndEndsAll(t *testing.T) {
	f := newFixture(t)
	raw := f.join("ada")
	p := f.principal(raw)
	other, err := f.Login(t.Context(), "ada", testPassword, here)
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, f.RevokeAllSessions(t.Context(), p, "nonsense"), CodeInvalidTicket)
	wantCode(t, f.RevokeAllSessions(t.Context(), p, raw), CodeInvalidTicket)
	verification, err := f.VerifyPassword(t.Context(), p, testPassword, here.Address)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.RevokeAllSessions(t.Context(), p, verification); err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{raw, other.AccessToken} {
		_, err := f.Authenticate(t.Context(), token)
		wantCode(t, err, CodeNotAuthenticated)
	}
	wantCode(t, f.RevokeAllSessions(t.Context(), p, verification), CodeInvalidTicket)
}

// Trap 8: tickets were reusable; they are also bound to a user and a minute.
func TestTicketsAreGoodOnceForOneUserForAMinute(t *testing.T) {
	f := newFixture(t)
	issue := func() string {
		raw, err := f.issueTicket(t.Context(), ticket{Kind: verificationTicket, UserID: "7"})
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	consume := func(raw, user string) error {
		return f.consumeTicket(context.Background(), raw, verificationTicket, user)
	}
	wantCode(t, consume(issue(), "8"), CodeInvalidTicket)
	wantCode(t, f.consumeTicket(t.Context(), issue(), "mfa", "7"), CodeInvalidTicket)
	late := issue()
	f.pass(61 * time.Second)
	wantCode(t, consume(late, "7"), CodeInvalidTicket)

	raw := issue()
	var wg sync.WaitGroup
	results := make(chan error, 20)
	for range 20 {
		wg.Go(func() { results <- consume(raw, "7") })
	}
	wg.Wait()
	close(results)
	used := 0
	for err := range results {
		if err == nil {
			used++
		}
	}
	if used != 1 {
		t.Errorf("the ticket was used %d times at once, want 1", used)
	}
}

func TestIdleSessionEnds(t *testing.T) {
	f := newFixture(t)
	raw := f.join("ada")
	for range 4 { // in use every 60 days it lasts
		f.pass(60 * 24 * time.Hour)
		f.principal(raw)
	}
	f.pass(91 * 24 * time.Hour)
	_, err := f.Authenticate(t.Context(), raw)
	wantCode(t, err, CodeNotAuthenticated)
}

func TestFifthFailureLocksForOneAddress(t *testing.T) {
	f := newFixture(t)
	f.join("ada")
	login := func(name, password, address string) error {
		_, err := f.Login(context.Background(), name, password, Client{Address: address})
		return err
	}
	for _, name := range []string{"ada", "nobody", "no@body"} {
		for range 4 {
			wantCode(t, login(name, "wrong", "a"), CodeInvalidCredentials)
		}
		wantCode(t, login(name, "wrong", "a"), CodeAccountLocked)
	}
	wantCode(t, login("ada", testPassword, "a"), CodeAccountLocked)
	if err := login("ada", testPassword, "b"); err != nil {
		t.Errorf("another address is locked out, too: %v", err)
	}
	f.pass(61 * time.Second)
	if err := login("ada", testPassword, "a"); err != nil {
		t.Errorf("still locked after a minute: %v", err)
	}
}

func TestHundredGuessesAtOnceAreNoMoreThanFive(t *testing.T) {
	f := newFixture(t)
	f.join("ada")
	var wg sync.WaitGroup
	results := make(chan error, 100)
	for range 100 {
		wg.Go(func() {
			_, err := f.Login(context.Background(), "ada", "wrong", here)
			results <- err
		})
	}
	wg.Wait()
	close(results)
	looked := 0
	for err := range results {
		if errors.Is(err, Err(CodeInvalidCredentials)) {
			looked++
		}
	}
	if looked > 4 {
		t.Errorf("%d guesses were told they are wrong, want at most 4 before the lock", looked)
	}
}

// Trap 31: bcrypt cuts or refuses input past 72 bytes.
func TestEveryByteOfALongPasswordCounts(t *testing.T) {
	p, err := newPasswords(4)
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("ü", 255)
	hash, err := p.hash(t.Context(), long)
	if err != nil {
		t.Fatal(err)
	}
	for password, want := range map[string]bool{long: true, long[:len(long)-1] + "x": false, strings.Repeat("ü", 254): false} {
		if got, err := p.check(t.Context(), hash, password); got != want || err != nil {
			t.Errorf("check %q… = %v, %v; want %v", password[:8], got, err, want)
		}
	}
	if right, err := p.check(t.Context(), "", "no password has this digest"); right || err != nil {
		t.Errorf("without an account: %v, %v", right, err)
	}
}

// Trap 27: the signing key could be made twice.
func TestNodesThatStartTogetherShareOneKey(t *testing.T) {
	f := newFixture(t)
	f.redis.Del(signingKeyName)
	var wg sync.WaitGroup
	keys := make(chan string, 20)
	for range 20 {
		wg.Go(func() {
			key, err := sharedSigningKey(context.Background(), f.Core.redis)
			if err != nil {
				t.Error(err)
			}
			keys <- string(key)
		})
	}
	wg.Wait()
	close(keys)
	first := <-keys
	for key := range keys {
		if key != first {
			t.Fatal("two keys were made")
		}
	}
}

func TestInfractionsBanAndSuspendWhileTheyAreActive(t *testing.T) {
	f := newFixture(t)
	raw := f.join("ada")
	user := f.principal(raw).User.ID
	until := f.now.Add(time.Hour)
	for i, infraction := range []store.Infraction{
		{Action: store.ActionBan, Expires: &until},
		{Action: store.ActionBan, Status: store.InfractionOverturned},
		{Action: store.ActionSuspension},
	} {
		infraction.ID, infraction.UserID, infraction.Created = f.ids.Next(), user, f.now
		if err := f.mem.CreateInfraction(t.Context(), infraction); err != nil {
			t.Fatal(i, err)
		}
	}
	if p := f.principal(raw); !p.Banned || !p.Suspended || len(p.Infractions) != 3 {
		t.Errorf("banned %v, suspended %v", p.Banned, p.Suspended)
	}
	f.pass(2 * time.Hour)
	if p := f.principal(raw); p.Banned || !p.Suspended {
		t.Errorf("after its end: banned %v, suspended %v", p.Banned, p.Suspended)
	}
}

func TestLimitIsExactInARaceAndEnds(t *testing.T) {
	f := newFixture(t)
	limit := Limit{Hits: 10, Window: time.Minute}
	var wg sync.WaitGroup
	allowed := make(chan bool, 100)
	for range 100 {
		wg.Go(func() {
			a, err := f.Hit(context.Background(), "test", limit, "me")
			if err != nil {
				t.Error(err)
			}
			allowed <- a.Allowed
		})
	}
	wg.Wait()
	close(allowed)
	n := 0
	for ok := range allowed {
		if ok {
			n++
		}
	}
	if n != 10 {
		t.Errorf("%d of 100 were allowed, want 10", n)
	}
	f.pass(time.Minute + time.Second)
	if a, err := f.Hit(t.Context(), "test", limit, "me"); err != nil || !a.Allowed || a.Remaining != 9 {
		t.Errorf("after the window: %+v, %v", a, err)
	}
	f.redis.Close()
	if a, err := f.Hit(t.Context(), "test", limit, "me"); err == nil || a.Allowed {
		t.Error("the limit fails open while Redis is away")
	} else if e, known := AsError(err); !known || e.Code != CodeUnavailable {
		t.Errorf("Redis away is %v", e)
	}
}

func TestPostsAndTheirEvents(t *testing.T) {
	f := newFixture(t)
	ada, bob := f.principal(f.join("ada")), f.principal(f.join("bob"))
	post, err := f.CreatePost(t.Context(), ada, "first")
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.EditPost(t.Context(), bob, post.ID, "mine")
	wantCode(t, err, CodeMissingPermissions)
	wantCode(t, f.DeletePost(t.Context(), bob, post.ID), CodeMissingPermissions)
	edited, err := f.EditPost(t.Context(), ada, post.ID, "second")
	if err != nil || edited.Content != "second" || edited.PublicFlags&store.PostEdited == 0 {
		t.Fatalf("edited %+v, %v", edited, err)
	}
	// Trap 13: revisions always came back empty.
	revisions, err := f.Revisions(t.Context(), post.ID, store.Page{Limit: 25})
	if err != nil || len(revisions.Items) != 1 || revisions.Items[0].Content != "first" {
		t.Errorf("revisions %+v, %v", revisions, err)
	}
	if err := f.DeletePost(t.Context(), ada, post.ID); err != nil {
		t.Fatal(err)
	}
	_, err = f.Post(t.Context(), post.ID)
	wantCode(t, err, CodeNotFound)
	var created Post
	if events := f.heard(EventPostCreated); len(events) != 1 || events[0].Whom != ada.User.ID {
		t.Fatalf("post_created %+v", events)
	} else if err := json.Unmarshal(events[0].Value, &struct{ Content *string }{&created.Content}); err != nil || created.Content != "first" {
		t.Errorf("post_created says %q, %v", created.Content, err)
	}
	if n, d := len(f.heard(EventPostUpdated)), len(f.heard(EventPostDeleted)); n != 1 || d != 1 {
		t.Errorf("%d post_updated, %d post_deleted; want one each", n, d)
	}
}

func TestStoreCallsDoNotGrowWithThePage(t *testing.T) {
	f := newFixture(t)
	for i := range 30 {
		p := f.principal(f.join(fmt.Sprint("user", i)))
		if _, err := f.CreatePost(t.Context(), p, "hello"); err != nil {
			t.Fatal(err)
		}
	}
	calls := func(limit int) int64 {
		before := f.mem.Calls()
		list, err := f.LatestPosts(t.Context(), nil, store.Page{Limit: limit})
		if err != nil || len(list.Items) != limit || list.Next == nil {
			t.Fatalf("%d posts, next %v, %v", len(list.Items), list.Next, err)
		}
		return f.mem.Calls() - before
	}
	if one, many := calls(1), calls(25); one != 2 || many != 2 {
		t.Errorf("%d calls for one post, %d for 25; want 2", one, many)
	}
}

func TestLatestHidesWhoIsBlockedEitherWay(t *testing.T) {
	f := newFixture(t)
	ada, bob, eve := f.principal(f.join("ada")), f.principal(f.join("bob")), f.principal(f.join("eve"))
	for _, p := range []*Principal{ada, bob, eve} {
		if _, err := f.CreatePost(t.Context(), p, "hello"); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(
		f.mem.Block(t.Context(), ada.User.ID, bob.User.ID, f.now),
		f.mem.Block(t.Context(), eve.User.ID, ada.User.ID, f.now),
	); err != nil {
		t.Fatal(err)
	}
	list, err := f.LatestPosts(t.Context(), ada, store.Page{Limit: 25})
	if err != nil || len(list.Items) != 1 || list.Items[0].Author.Username != "ada" {
		t.Errorf("ada sees %+v, %v", list, err)
	}
	// Trap 1: the direct-message check, both ways.
	wantCode(t, f.Direct(t.Context(), ada, bob.User.ID, nil), CodeMissingPermissions)
	wantCode(t, f.Direct(t.Context(), bob, ada.User.ID, nil), CodeMissingPermissions)
	wantCode(t, f.Direct(t.Context(), ada, "1234567890123456789", nil), CodeNotFound)
}

func TestProfileUpdateSaysWhatChanged(t *testing.T) {
	f := newFixture(t)
	ada := f.principal(f.join("ada"))
	f.join("bob")
	quote, taken, reserved, name := "Mew.", "BOB", "meower", "Ada"
	for _, bad := range []string{taken, reserved} {
		_, err := f.UpdateProfile(t.Context(), ada, ProfileChange{Username: &bad, Quote: &quote})
		wantCode(t, err, CodeAlreadyExists)
	}
	view, err := f.UpdateProfile(t.Context(), ada, ProfileChange{Username: &name, Quote: &quote})
	if err != nil || view.Username != "Ada" || view.Quote != quote {
		t.Fatalf("profile %+v, %v", view, err)
	}
	events := f.heard(EventUserUpdated)
	want := `{"id":"` + ada.User.ID + `","username":"Ada","quote":"Mew."}`
	if len(events) != 1 || string(events[0].Value) != want {
		t.Errorf("user_updated %s, want %s", events[0].Value, want)
	}
	if _, err := f.UpdateProfile(t.Context(), ada, ProfileChange{Quote: &quote}); err != nil || len(f.heard(EventUserUpdated)) != 1 {
		t.Errorf("a change of nothing was told: %v", err)
	}
	history, err := f.mem.ProfileHistory(t.Context(), ada.User.ID, store.Page{Limit: 5})
	if err != nil || len(history) != 1 || history[0].Username != "ada" {
		t.Errorf("history %+v, %v", history, err)
	}
}

func TestReadyNeverLacksAList(t *testing.T) {
	f := newFixture(t)
	ready, err := f.Ready(t.Context(), f.principal(f.join("ada")))
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := json.Marshal(ready)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"chats":[]`, `"following":[]`, `"blocked":[]`, `"infractions":[]`, `"unread":0`, `"application":null`, `"account":{"id":`} {
		if !strings.Contains(string(encoded), part) {
			t.Errorf("ready lacks %s: %s", part, encoded)
		}
	}
	if strings.Contains(string(encoded), "locked_by") || strings.Contains(string(encoded), "BlockedBy") {
		t.Error("ready says who blocks the user")
	}
}

func TestStoreOutageIsUnavailable(t *testing.T) {
	f := newFixture(t)
	f.mem.SetAvailable(false)
	_, err := f.Post(t.Context(), "1234567890123456789")
	if e, known := AsError(err); !known || e.Code != CodeUnavailable {
		t.Errorf("a store outage is %v", err)
	}
	if failed := f.CheckServices(t.Context()); failed["store"] == nil || failed["redis"] != nil {
		t.Errorf("services that fail: %v, want the store", failed)
	}
	if e, known := AsError(errors.New("a fault")); known || e.Code != CodeInternal {
		t.Errorf("a fault is %v, known %v", e, known)
	}
}

func TestBlockTakesEffectWithinSeconds(t *testing.T) {
	f := newFixture(t)
	const address = "203.0.113.7"
	if err := f.CheckAddress(t.Context(), address); err != nil {
		t.Fatal(err)
	}
	if err := f.mem.BlockNetwork(t.Context(), address, true, true); err != nil {
		t.Fatal(err)
	}
	f.pass(blockedAddressLife)
	before := f.mem.Calls()
	for range 10 {
		wantCode(t, f.CheckAddress(t.Context(), address), CodeAddressBlocked)
	}
	if calls := f.mem.Calls() - before; calls != 1 {
		t.Errorf("%d store calls for ten requests, want 1", calls)
	}
}
