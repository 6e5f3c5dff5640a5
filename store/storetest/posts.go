package storetest

import (
	"testing"

	"meower/store"
)

func newPost(author string) store.Post {
	return store.Post{
		ID:              NewID(),
		AuthorID:        author,
		Content:         "what the heck",
		FilteredContent: "what the ****",
		Flags:           store.PostBridged | store.PostReputationHidden,
		Likes:           1,
		Meows:           2,
		Comments:        3,
		Attachments:     []string{"one", "two"},
		Time:            moment,
		DeleteAfter:     pointer(moment.AddDate(0, 0, 7)),
	}
}

func createPost(t *testing.T, s store.Store, author string) store.Post {
	t.Helper()
	p := newPost(author)
	must(t, s.CreatePost(t.Context(), p))
	return p
}

func testPosts(t *testing.T, s store.Store) {
	cases{
		{"create", testCreatePost},
		{"unset fields", testPlainPost},
		{"ids are unique in a race", testPostRace},
		{"not found", testPostNotFound},
		{"delete", testDeletePost},
		{"one deletion wins", testDeletePostRace},
		{"author's stats in a race", testPostCounters},
		{"own copies", testPostCopies},
	}.run(t, s)
}

// posted fails the test when a user's counter of posts has not moved by that
// much since the user was created.
func posted(t *testing.T, s store.Store, u store.User, posts int64) {
	t.Helper()
	u.Stats.Posts += posts
	equal(t, value(s.User(t.Context(), u.ID))(t), u)
}

func testCreatePost(t *testing.T, s store.Store) {
	ctx, author := t.Context(), createUser(t, s)
	want := newPost(author.ID)
	sent := want
	sent.Time, sent.DeleteAfter = precise, pointer(precise.AddDate(0, 0, 7))
	must(t, s.CreatePost(ctx, sent))
	equal(t, value(s.Post(ctx, want.ID))(t), want)
	posted(t, s, author, 1)

	again := newPost(author.ID)
	again.ID = want.ID
	fails(t, s.CreatePost(ctx, again), store.ErrConflict)
	posted(t, s, author, 1)
	equal(t, value(s.Post(ctx, want.ID))(t), want)
}

// Nobody need be stored under the author's id, as the Server is not.
func testPlainPost(t *testing.T, s store.Store) {
	p := store.Post{ID: NewID(), AuthorID: "0"}
	must(t, s.CreatePost(t.Context(), p))
	equal(t, value(s.Post(t.Context(), p.ID))(t), p)
	fails(t, errorOf(s.User(t.Context(), "0")), store.ErrNotFound)
}

func testPostRace(t *testing.T, s store.Store) {
	ctx, id, author := t.Context(), NewID(), createUser(t, s)
	errs := race(racers, func(i int) error {
		return s.CreatePost(ctx, store.Post{ID: id, AuthorID: author.ID, Likes: int64(i)})
	})
	winner := oneWins(t, errs, store.ErrConflict)
	equal(t, value(s.Post(ctx, id))(t).Likes, int64(winner))
	posted(t, s, author, 1)
}

func testPostNotFound(t *testing.T, s store.Store) {
	id := NewID()
	fails(t, errorOf(s.Post(t.Context(), id)), store.ErrNotFound)
	fails(t, s.DeletePost(t.Context(), id, moment), store.ErrNotFound)
}

func testDeletePost(t *testing.T, s store.Store) {
	ctx, author := t.Context(), createUser(t, s)
	post, other := createPost(t, s, author.ID), createPost(t, s, author.ID)
	must(t, s.DeletePost(ctx, post.ID, precise))
	fails(t, s.DeletePost(ctx, post.ID, precise), store.ErrNotFound)
	posted(t, s, author, 1)
	fails(t, errorOf(s.Post(ctx, post.ID)), store.ErrNotFound)
	same(t, value(s.PostsBy(ctx, author.ID, store.Page{Limit: 9}))(t), []store.Post{other})
	latest := value(s.LatestPosts(ctx, nil, store.Page{Limit: 1, Before: above(post.ID)}))(t)
	if len(latest) == 1 && latest[0].ID == post.ID {
		t.Error("a deleted post is among the latest")
	}
	// Its id stays taken.
	fails(t, s.CreatePost(ctx, post), store.ErrConflict)
}

func testDeletePostRace(t *testing.T, s store.Store) {
	ctx, author := t.Context(), createUser(t, s)
	post := createPost(t, s, author.ID)
	createPost(t, s, author.ID)
	errs := race(racers, func(int) error { return s.DeletePost(ctx, post.ID, moment) })
	oneWins(t, errs, store.ErrNotFound)
	posted(t, s, author, 1)
}

// Half of the racers create posts while the others delete some.
func testPostCounters(t *testing.T, s store.Store) {
	ctx, author := t.Context(), createUser(t, s)
	ids := NewIDs(racers)
	create := func(i int) error { return s.CreatePost(ctx, store.Post{ID: ids[i], AuthorID: author.ID}) }
	for i := range racers / 2 {
		must(t, create(i))
	}
	allWin(t, race(racers, func(i int) error {
		if i < racers/2 {
			return s.DeletePost(ctx, ids[i], moment)
		}
		return create(i)
	}))
	posted(t, s, author, racers/2)
	left := value(s.PostsBy(ctx, author.ID, store.Page{Limit: racers}))(t)
	equal(t, len(left), racers/2)
}

func testPostCopies(t *testing.T, s store.Store) {
	ctx, want := t.Context(), newPost(NewID())
	spoil := func(p store.Post) { p.Attachments[0], *p.DeleteAfter = "spoilt", moment }
	sent := want
	sent.Attachments, sent.DeleteAfter = []string{"one", "two"}, pointer(*want.DeleteAfter)
	must(t, s.CreatePost(ctx, sent))
	spoil(sent)
	for range 2 {
		got := value(s.Post(ctx, want.ID))(t)
		equal(t, got, want)
		spoil(got)
		posts := value(s.PostsBy(ctx, want.AuthorID, store.Page{Limit: 1}))(t)
		equal(t, posts[0], want)
		spoil(posts[0])
		posts = value(s.LatestPosts(ctx, nil, store.Page{Limit: 1, Before: above(want.ID)}))(t)
		equal(t, posts[0], want)
		spoil(posts[0])
	}
}
