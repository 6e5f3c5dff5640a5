package storetest

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"meower/store"
)

func testPostLists(t *testing.T, s store.Store) {
	cases{
		{"pages of an author's", func(t *testing.T, s store.Store) {
			testPaging(t, func(t *testing.T) list { return postsBy(s) })
		}},
		{"deleted posts leave no gap", testPostsByDeleted},
		{"the newest of all", testNewestPosts},
		{"pages of all", testLatestPages},
		{"excluded authors", testExcludedAuthors},
		{"pages of public revisions", func(t *testing.T, s store.Store) {
			testPaging(t, func(t *testing.T) list { return revisionsOf(t, s) })
		}},
	}.run(t, s)
}

func postID(p store.Post) string { return p.ID }

func postsBy(s store.Store) list {
	author := NewID()
	return list{
		add: func(t *testing.T, id string) {
			must(t, s.CreatePost(t.Context(), store.Post{ID: id, AuthorID: author}))
		},
		page: func(t *testing.T, p store.Page) []string {
			return idsOf(value(s.PostsBy(t.Context(), author, p))(t), postID)
		},
	}
}

func revisionsOf(t *testing.T, s store.Store) list {
	post := createPost(t, s, NewID())
	return list{
		add: func(t *testing.T, id string) {
			value(s.EditPost(t.Context(), post.ID, store.PostEdit{RevisionID: id}))(t)
		},
		page: func(t *testing.T, p store.Page) []string {
			revisions := value(s.PublicRevisions(t.Context(), post.ID, p))(t)
			return idsOf(revisions, func(r store.PostRevision) string { return r.ID })
		},
	}
}

// Pages are full although deleted posts lie between their items.
func testPostsByDeleted(t *testing.T, s store.Store) {
	ctx, l, author := t.Context(), postsBy(s), NewID()
	l.fill(t, 2) // another author's
	ids := NewIDs(7)
	for i, id := range ids {
		must(t, s.CreatePost(ctx, store.Post{ID: id, AuthorID: author}))
		if i%2 == 1 {
			must(t, s.DeletePost(ctx, id, moment))
		}
	}
	page := func(p store.Page, want ...string) {
		t.Helper()
		p.Limit = 2
		same(t, idsOf(value(s.PostsBy(ctx, author, p))(t), postID), want)
	}
	page(store.Page{}, ids[6], ids[4])
	page(store.Page{Before: ids[4]}, ids[2], ids[0])
	page(store.Page{Before: ids[5]}, ids[4], ids[2]) // a deleted post is as good a cursor
	page(store.Page{After: ids[0]}, ids[4], ids[2])
	page(store.Page{After: ids[3]}, ids[6], ids[4])
}

// The posts of this test are the newest of all, as their ids are of a time that
// no other test gets to; those of a later Run are newer still.
func testNewestPosts(t *testing.T, s store.Store) {
	ctx, author, first := t.Context(), NewID(), 9_000_000_000_000_000_000+time.Now().UnixNano()/1000
	id := func(i int) string { return strconv.FormatInt(first+int64(i), 10) }
	for i := range 3 {
		must(t, s.CreatePost(ctx, store.Post{ID: id(i), AuthorID: author}))
	}
	posts := value(s.LatestPosts(ctx, nil, store.Page{Limit: 2}))(t)
	equal(t, idsOf(posts, postID), []string{id(2), id(1)})
	must(t, s.DeletePost(ctx, id(2), moment))
	posts = value(s.LatestPosts(ctx, nil, store.Page{Limit: 2}))(t)
	equal(t, idsOf(posts, postID), []string{id(1), id(0)})
}

// latest is the part of the list of all posts between two ids of NewIDs, where
// nobody else's posts are.
type latest struct {
	s   store.Store
	ids []string
	own map[string]bool
}

func newLatest(s store.Store, n int) latest {
	l := latest{s: s, ids: NewIDs(n), own: make(map[string]bool)}
	for _, id := range l.ids {
		l.own[id] = true
	}
	return l
}

func (l latest) create(t *testing.T, i int, author string) {
	must(t, l.s.CreatePost(t.Context(), store.Post{ID: l.ids[i], AuthorID: author}))
}

// page returns the page as it is when nobody else has posts; the newest page
// starts at the newest of these.
func (l latest) page(t *testing.T, exclude []string, p store.Page) []string {
	if p.Before == "" && p.After == "" {
		p.Before = above(l.ids[len(l.ids)-1])
	}
	posts := value(l.s.LatestPosts(t.Context(), exclude, p))(t)
	if len(posts) > p.Limit {
		t.Fatalf("a page of %d holds %d", p.Limit, len(posts))
	}
	ids := idsOf(posts, postID)
	if !slices.IsSortedFunc(ids, func(a, b string) int { return strings.Compare(b, a) }) {
		t.Fatalf("not newest first: %v", ids)
	}
	return slices.DeleteFunc(ids, func(id string) bool { return !l.own[id] })
}

// testLatestPages is what testPaging is for lists of one's own.
func testLatestPages(t *testing.T, s store.Store) {
	const n = 6
	l := newLatest(s, n)
	for i := range n {
		l.create(t, (i+n/2)%n, NewID())
	}
	newestFirst := slices.Clone(l.ids)
	slices.Reverse(newestFirst)
	whole := list{page: func(t *testing.T, p store.Page) []string { return l.page(t, nil, p) }}
	for limit := 1; limit <= n+1; limit++ {
		same(t, walkBefore(t, whole, limit), newestFirst)
		same(t, walkAfter(t, whole, limit, below(l.ids[0])), l.ids)
	}
	same(t, l.page(t, nil, store.Page{Limit: 2, Before: above(l.ids[2])}), []string{l.ids[2], l.ids[1]})
	same(t, l.page(t, nil, store.Page{Limit: 2, After: below(l.ids[2])}), []string{l.ids[3], l.ids[2]})
}

// Pages are full although posts of excluded authors lie between their items.
func testExcludedAuthors(t *testing.T, s store.Store) {
	l, authors := newLatest(s, 9), NewIDs(3)
	for i := range l.ids {
		l.create(t, i, authors[i%3])
	}
	exclude := []string{authors[1], NewID(), authors[1]}
	page := func(p store.Page, want ...int) {
		t.Helper()
		var ids []string
		for _, i := range want {
			ids = append(ids, l.ids[i])
		}
		same(t, l.page(t, exclude, p), ids)
	}
	page(store.Page{Limit: 3}, 8, 6, 5)
	page(store.Page{Limit: 3, Before: l.ids[5]}, 3, 2, 0)
	page(store.Page{Limit: 3, Before: l.ids[7]}, 6, 5, 3) // an excluded post is as good a cursor
	page(store.Page{Limit: 3, After: l.ids[0]}, 5, 3, 2)
	page(store.Page{Limit: 1, After: l.ids[6]}, 8)
	exclude = append(exclude, authors[0])
	page(store.Page{Limit: 2}, 8, 5)
	page(store.Page{Limit: 2, After: l.ids[2]}, 8, 5)
	exclude = authors
	page(store.Page{Limit: 9})
	exclude = []string{}
	page(store.Page{Limit: 2}, 8, 7)
}
