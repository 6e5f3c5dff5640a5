// Package storetest is the contract of package store as tests, which every
// implementation passes. There is one file a noun; a new method of a noun gets
// its cases here and a line in Methods.
package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"meower/store"
)

// racers is how many goroutines take part in a race.
const racers = 50

// Run tests that the store which open returns keeps the contract. It opens one
// store, uses it for everything, and closes it.
//
// The tests use ids of their own, so the store may hold other things, also
// those that an earlier Run has left there.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	s := open(t)
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	t.Run("Counts", func(t *testing.T) { testCounts(t, s) }) // while nobody deletes
	for _, noun := range []struct {
		name string
		test func(*testing.T, store.Store)
	}{
		{"Methods", testMethods},
		{"Users", testUsers},
		{"UserChanges", testUserChanges},
		{"Accounts", testAccounts},
		{"Sessions", testSessions},
		{"Networks", testNetworks},
		{"Posts", testPosts},
		{"PostLists", testPostLists},
		{"PostEdits", testPostEdits},
		{"Chats", testChats},
		{"Relationships", testRelationships},
		{"Infractions", testInfractions},
		{"Notifications", testNotifications},
	} {
		t.Run(noun.name, func(t *testing.T) {
			t.Parallel()
			noun.test(t, s)
		})
	}
}

// cases runs the cases of one noun, by the name of the test.
type cases []struct {
	name string
	test func(*testing.T, store.Store)
}

func (cs cases) run(t *testing.T, s store.Store) {
	for _, c := range cs {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, s)
		})
	}
}

// idGap is the distance between two ids of NewIDs.
const idGap = 1000

var lastID atomic.Int64

func init() { lastID.Store(time.Now().UnixMilli() << 22) }

// NewIDs returns n ids that nobody else has, in ascending order, with no id of
// anyone else between them but room for cursors.
func NewIDs(n int) []string {
	last := lastID.Add(int64(n) * idGap)
	ids := make([]string, n)
	for i := range ids {
		ids[i] = strconv.FormatInt(last-int64(n-1-i)*idGap, 10)
	}
	return ids
}

// NewID returns an id that nobody else has.
func NewID() string { return NewIDs(1)[0] }

// above returns the id just above that one, which no item has.
func above(id string) string { return shifted(id, 1) }

// below returns the id just below that one, which no item has.
func below(id string) string { return shifted(id, -1) }

func shifted(id string, by int64) string {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		panic(err)
	}
	return strconv.FormatInt(n+by, 10)
}

// moment is a time as the store returns it; precise is the same one as a clock
// in New York would have given it.
var (
	moment  = time.Date(2026, 3, 1, 12, 0, 0, int(345*time.Millisecond), time.UTC)
	precise = moment.Add(678912 * time.Nanosecond).In(time.FixedZone("EST", -5*60*60))
)

// pointer returns a pointer to a copy of v.
func pointer[T any](v T) *T { return &v }

// must fails the test when there is an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// value returns v, and fails the test when there is an error:
//
//	user := value(s.User(ctx, id))(t)
func value[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		must(t, err)
		return v
	}
}

// fails fails the test when the error is not the one wanted.
func fails(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error is %v, want %v", err, want)
	}
}

// equal fails the test when the two differ. An empty slice is no nil one.
func equal[T any](t *testing.T, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("got  %s\nwant %s", text(got), text(want))
	}
}

// same is equal for slices, of which a nil one is as good as an empty one.
func same[T any](t *testing.T, got, want []T) {
	t.Helper()
	if len(got)+len(want) > 0 {
		equal(t, got, want)
	}
}

// text shows a value with what its pointers point to.
func text(v any) string {
	encoded, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(encoded)
}

// race calls f with 0 to n-1, all at once, and returns their errors.
func race(n int, f func(i int) error) []error {
	errs := make([]error, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = f(i)
		})
	}
	close(start)
	wg.Wait()
	return errs
}

// allWin fails the test when one of the racers has failed.
func allWin(t *testing.T, errs []error) {
	t.Helper()
	must(t, errors.Join(errs...))
}

// oneWins fails the test unless exactly one racer has no error and all others
// have the one wanted. It returns which one it is.
func oneWins(t *testing.T, errs []error, others error) int {
	t.Helper()
	winner := slices.Index(errs, nil)
	if winner < 0 {
		t.Fatalf("nobody won: %v", errs[0])
	}
	for i, err := range errs {
		switch {
		case i == winner:
		case err == nil:
			t.Fatalf("%d and %d have both won", winner, i)
		default:
			fails(t, err, others)
		}
	}
	return winner
}
