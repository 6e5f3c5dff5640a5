package storetest

import (
	"fmt"
	"slices"
	"testing"

	"meower/store"
)

// list is one of the store's lists that are read in pages: empty at first, and
// nobody else's.
type list struct {
	add  func(t *testing.T, id string)
	page func(t *testing.T, p store.Page) []string // the ids
}

// fill adds n items and returns their ids, oldest first.
func (l list) fill(t *testing.T, n int) []string {
	ids := NewIDs(n)
	// Ids normally arrive in ascending order, but need not.
	for i := range ids {
		l.add(t, ids[(i+n/2)%n])
	}
	return ids
}

// testPaging tests how a list is read in pages (traps.md, 20). The function
// returns a new list at each call.
func testPaging(t *testing.T, newList func(t *testing.T) list) {
	for name, test := range map[string]func(*testing.T, list){
		"pages":                     testPages,
		"cursors that do not exist": testForeignCursors,
		"items added while reading": testPagingMeanwhile,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newList(t))
		})
	}
	t.Run("walks", func(t *testing.T) {
		t.Parallel()
		testWalks(t, newList)
	})
}

func testPages(t *testing.T, l list) {
	ids := l.fill(t, 6)
	for _, c := range []struct {
		limit         int
		before, after string
		want          []int // indexes of ids
	}{
		{limit: 1, want: []int{5}},
		{limit: 2, want: []int{5, 4}},
		{limit: 6, want: []int{5, 4, 3, 2, 1, 0}},
		{limit: 100, want: []int{5, 4, 3, 2, 1, 0}},
		{limit: 2, before: ids[4], want: []int{3, 2}},
		{limit: 2, before: ids[1], want: []int{0}},
		{limit: 2, before: ids[0]},
		{limit: 100, before: ids[3], want: []int{2, 1, 0}},
		// The page after is the one next newer, not the newest.
		{limit: 2, after: ids[0], want: []int{2, 1}},
		{limit: 1, after: ids[3], want: []int{4}},
		{limit: 2, after: ids[4], want: []int{5}},
		{limit: 2, after: ids[5]},
		{limit: 100, after: ids[2], want: []int{5, 4, 3}},
	} {
		var want []string
		for _, i := range c.want {
			want = append(want, ids[i])
		}
		t.Run(fmt.Sprintf("limit=%d before=%d after=%d", c.limit, slices.Index(ids, c.before), slices.Index(ids, c.after)),
			func(t *testing.T) {
				same(t, l.page(t, store.Page{Limit: c.limit, Before: c.before, After: c.after}), want)
			})
	}
}

func testForeignCursors(t *testing.T, l list) {
	ids := l.fill(t, 4)
	for i, id := range ids {
		older, newer := slices.Clone(ids[:i]), slices.Clone(ids[i+1:])
		slices.Reverse(older)
		slices.Reverse(newer)
		including := slices.Concat([]string{id}, older)
		same(t, l.page(t, store.Page{Limit: 9, Before: above(id)}), including)
		same(t, l.page(t, store.Page{Limit: 9, Before: below(id)}), older)
		same(t, l.page(t, store.Page{Limit: 9, After: above(id)}), newer)
		same(t, l.page(t, store.Page{Limit: 9, After: below(id)}), slices.Concat(newer, []string{id}))
	}
}

// testWalks reads lists of every small length in pages of every size.
func testWalks(t *testing.T, newList func(t *testing.T) list) {
	for n := range 7 {
		l := newList(t)
		ids := l.fill(t, n)
		newestFirst := slices.Clone(ids)
		slices.Reverse(newestFirst)
		for limit := 1; limit <= n+1; limit++ {
			same(t, walkBefore(t, l, limit), newestFirst)
			if n > 0 {
				same(t, walkAfter(t, l, limit, below(ids[0])), ids)
			}
		}
	}
}

// walkBefore reads a list from the newest item to the oldest, and returns the
// ids in that order.
func walkBefore(t *testing.T, l list, limit int) []string {
	t.Helper()
	var seen []string
	for page := l.page(t, store.Page{Limit: limit}); len(page) > 0; {
		seen = append(seen, page...)
		page = nextPage(t, l, store.Page{Limit: limit, Before: page[len(page)-1]}, len(page))
	}
	return seen
}

// walkAfter reads a list from above the cursor to the newest item, and returns
// the ids in that order.
func walkAfter(t *testing.T, l list, limit int, cursor string) []string {
	t.Helper()
	var seen []string
	for page := l.page(t, store.Page{Limit: limit, After: cursor}); len(page) > 0; {
		upwards := slices.Clone(page) // pages are newest first, also these
		slices.Reverse(upwards)
		seen = append(seen, upwards...)
		page = nextPage(t, l, store.Page{Limit: limit, After: page[0]}, len(page))
	}
	return seen
}

// nextPage returns the page behind one that held so many items: nothing follows
// a page that was not full.
func nextPage(t *testing.T, l list, p store.Page, held int) []string {
	t.Helper()
	page := l.page(t, p)
	if len(page) > p.Limit {
		t.Fatalf("a page of at most %d holds %d", p.Limit, len(page))
	}
	if held < p.Limit && len(page) > 0 {
		t.Fatalf("a page of %d held %d, but %v follow", p.Limit, held, page)
	}
	return page
}

// Items that are added while someone reads are neither read twice nor make
// others be skipped.
func testPagingMeanwhile(t *testing.T, l list) {
	ids := NewIDs(10)
	for _, id := range ids[2:7] {
		l.add(t, id)
	}
	page := func(p store.Page, want ...string) {
		t.Helper()
		p.Limit = 2
		same(t, l.page(t, p), want)
	}

	page(store.Page{}, ids[6], ids[5])
	l.add(t, ids[7])
	page(store.Page{Before: ids[5]}, ids[4], ids[3])
	l.add(t, ids[0]) // late
	page(store.Page{Before: ids[3]}, ids[2], ids[0])
	l.add(t, ids[1]) // too late
	page(store.Page{Before: ids[0]})

	page(store.Page{After: ids[4]}, ids[6], ids[5])
	l.add(t, ids[8])
	page(store.Page{After: ids[6]}, ids[8], ids[7])
	page(store.Page{After: ids[8]})
	l.add(t, ids[9])
	page(store.Page{After: ids[8]}, ids[9])
}
