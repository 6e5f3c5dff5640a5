package memory

import (
	"slices"
	"time"

	"meower/store"
)

// table keeps the rows of one noun by id. Rows are copied on the way in and on
// the way out, so that nobody outside shares memory with what is kept.
type table[T any] struct {
	rows map[string]*T
	// copyOf returns its argument with nothing shared and times as they are kept.
	copyOf func(T) T
}

func newTable[T any](copyOf func(T) T) table[T] {
	return table[T]{rows: make(map[string]*T), copyOf: copyOf}
}

// has reports whether a row with that id exists.
func (t table[T]) has(id string) bool {
	_, ok := t.rows[id]
	return ok
}

// insert adds a row. store.ErrConflict when the id is taken.
func (t table[T]) insert(id string, row T) error {
	if t.has(id) {
		return store.ErrConflict
	}
	row = t.copyOf(row)
	t.rows[id] = &row
	return nil
}

// get returns the row with that id. store.ErrNotFound when there is none.
func (t table[T]) get(id string) (T, error) {
	row, ok := t.rows[id]
	if !ok {
		var none T
		return none, store.ErrNotFound
	}
	return t.copyOf(*row), nil
}

// list returns the rows with those ids, which must exist, in that order.
func (t table[T]) list(ids []string) []T {
	rows := make([]T, len(ids))
	for i, id := range ids {
		rows[i] = t.copyOf(*t.rows[id])
	}
	return rows
}

// index is a set of ids in ascending order, which is oldest first. Ids normally
// arrive in that order, so adding one is an append.
type index []string

// add adds an id, unless it is there.
func (x *index) add(id string) {
	if n := len(*x); n == 0 || (*x)[n-1] < id {
		*x = append(*x, id)
		return
	}
	if at, found := slices.BinarySearch(*x, id); !found {
		*x = slices.Insert(*x, at, id)
	}
}

// remove removes an id, if it is there.
func (x *index) remove(id string) {
	if at, found := slices.BinarySearch(*x, id); found {
		*x = slices.Delete(*x, at, at+1)
	}
}

// page returns the page of those ids that keep accepts, newest first. Its cost
// depends on the ids that it passes over, not on the length of the index.
func (x index) page(p store.Page, keep func(id string) bool) []string {
	ids := make([]string, 0, min(p.Limit, len(x)))
	if p.After != "" {
		from, found := slices.BinarySearch(x, p.After)
		if found {
			from++
		}
		for i := from; i < len(x) && len(ids) < p.Limit; i++ {
			if keep(x[i]) {
				ids = append(ids, x[i])
			}
		}
		slices.Reverse(ids)
		return ids
	}
	end := len(x)
	if p.Before != "" {
		end, _ = slices.BinarySearch(x, p.Before)
	}
	for i := end - 1; i >= 0 && len(ids) < p.Limit; i-- {
		if keep(x[i]) {
			ids = append(ids, x[i])
		}
	}
	return ids
}

// newestFirst returns all ids, newest first.
func (x index) newestFirst() []string {
	ids := slices.Clone(x)
	slices.Reverse(ids)
	return ids
}

// everything is the keep of pages that leave nothing out.
func everything(string) bool { return true }

// indexes keeps one index per owner, such as the posts of each author.
type indexes map[string]index

// add adds an id to the owner's index.
func (x indexes) add(owner, id string) {
	ids := x[owner]
	ids.add(id)
	x[owner] = ids
}

// remove removes an id from the owner's index.
func (x indexes) remove(owner, id string) {
	ids := x[owner]
	ids.remove(id)
	if len(ids) == 0 {
		delete(x, owner)
		return
	}
	x[owner] = ids
}

// kept returns the time as the store keeps it: in UTC, to the millisecond.
func kept(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

// keptPointer is kept for times that may be unset.
func keptPointer(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	k := kept(*t)
	return &k
}
