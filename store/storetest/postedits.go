package storetest

import (
	"fmt"
	"testing"

	"meower/store"
)

func testPostEdits(t *testing.T, s store.Store) {
	cases{
		{"edit", testEditPost},
		{"filtered content", testEditFiltered},
		{"not found", testEditNotFound},
		{"revisions in a race", testEditRace},
		{"edits and deletion in a race", testEditDeleteRace},
		{"own copies", testEditCopies},
	}.run(t, s)
}

var tenRevisions = store.Page{Limit: 10}

func testEditPost(t *testing.T, s store.Store) {
	ctx, author := t.Context(), createUser(t, s)
	post, other, ids := createPost(t, s, author.ID), createPost(t, s, author.ID), NewIDs(2)
	want := post
	want.Content, want.FilteredContent, want.Flags = "second", "", post.Flags|store.PostEdited
	edit := store.PostEdit{Content: "second", RevisionID: ids[0], Time: precise}
	equal(t, value(s.EditPost(ctx, post.ID, edit))(t), want)
	equal(t, value(s.Post(ctx, post.ID))(t), want)
	first := store.PostRevision{
		ID: ids[0], PostID: post.ID, Content: post.Content, FilteredContent: post.FilteredContent,
		Public: true, Time: moment,
	}
	equal(t, value(s.PublicRevisions(ctx, post.ID, tenRevisions))(t), []store.PostRevision{first})

	want.Content = "third"
	edit = store.PostEdit{Content: "third", RevisionID: ids[1], Time: precise.AddDate(0, 0, 1)}
	equal(t, value(s.EditPost(ctx, post.ID, edit))(t), want)
	second := store.PostRevision{
		ID: ids[1], PostID: post.ID, Content: "second", Public: true, Time: moment.AddDate(0, 0, 1),
	}
	equal(t, value(s.PublicRevisions(ctx, post.ID, tenRevisions))(t), []store.PostRevision{second, first})

	equal(t, value(s.Post(ctx, other.ID))(t), other)
	same(t, value(s.PublicRevisions(ctx, other.ID, tenRevisions))(t), nil)
	posted(t, s, author, 2)
}

// An edit kept the old filtered content, so bad words got through (traps.md, 13).
func testEditFiltered(t *testing.T, s store.Store) {
	ctx, post := t.Context(), createPost(t, s, NewID())
	for _, filtered := range []string{"*****", "", "other *****"} {
		edit := store.PostEdit{Content: "other words", FilteredContent: filtered, RevisionID: NewID()}
		equal(t, value(s.EditPost(ctx, post.ID, edit))(t).FilteredContent, filtered)
		equal(t, value(s.Post(ctx, post.ID))(t).FilteredContent, filtered)
	}
}

func testEditNotFound(t *testing.T, s store.Store) {
	ctx, deleted, protected := t.Context(), createPost(t, s, NewID()), newPost(NewID())
	must(t, s.DeletePost(ctx, deleted.ID, moment))
	protected.Flags |= store.PostProtected
	must(t, s.CreatePost(ctx, protected))
	for _, id := range []string{deleted.ID, protected.ID, NewID()} {
		fails(t, errorOf(s.EditPost(ctx, id, store.PostEdit{Content: "x", RevisionID: NewID()})), store.ErrNotFound)
		same(t, value(s.PublicRevisions(ctx, id, tenRevisions))(t), nil)
	}
	equal(t, value(s.Post(ctx, protected.ID))(t), protected)
}

// No edit loses what another one wrote: the revisions hold the first content and
// all new ones but the last.
func testEditRace(t *testing.T, s store.Store) {
	ctx, post, ids := t.Context(), createPost(t, s, NewID()), NewIDs(racers)
	left := map[string]bool{post.Content: true}
	for i := range racers {
		left[fmt.Sprint("edit ", i)] = true
	}
	allWin(t, race(racers, func(i int) error {
		content := fmt.Sprint("edit ", i)
		after, err := s.EditPost(ctx, post.ID, store.PostEdit{Content: content, RevisionID: ids[i]})
		if err == nil && after.Content != content {
			err = fmt.Errorf("%q became %q", content, after.Content)
		}
		return err
	}))
	revisions := value(s.PublicRevisions(ctx, post.ID, store.Page{Limit: racers + 1}))(t)
	equal(t, len(revisions), racers)
	for _, r := range revisions {
		if !left[r.Content] {
			t.Errorf("%q was kept twice, or never there", r.Content)
		}
		delete(left, r.Content)
	}
	equal(t, left, map[string]bool{value(s.Post(ctx, post.ID))(t).Content: true})
}

// A deletion among edits holds: those before it are kept, those after it fail.
func testEditDeleteRace(t *testing.T, s store.Store) {
	ctx, author, ids := t.Context(), createUser(t, s), NewIDs(racers)
	post := createPost(t, s, author.ID)
	edits := 0
	for i, err := range race(racers, func(i int) error {
		if i == 0 {
			return s.DeletePost(ctx, post.ID, moment)
		}
		return errorOf(s.EditPost(ctx, post.ID, store.PostEdit{RevisionID: ids[i]}))
	}) {
		switch {
		case i == 0:
			must(t, err)
		case err == nil:
			edits++
		default:
			fails(t, err, store.ErrNotFound)
		}
	}
	fails(t, errorOf(s.Post(ctx, post.ID)), store.ErrNotFound)
	equal(t, len(value(s.PublicRevisions(ctx, post.ID, store.Page{Limit: racers}))(t)), edits)
	posted(t, s, author, 0)
}

func testEditCopies(t *testing.T, s store.Store) {
	ctx, post := t.Context(), createPost(t, s, NewID())
	after := value(s.EditPost(ctx, post.ID, store.PostEdit{Content: "new", RevisionID: NewID()}))(t)
	after.Attachments[0], *after.DeleteAfter = "spoilt", moment
	got := value(s.Post(ctx, post.ID))(t)
	equal(t, got.Attachments, post.Attachments)
	equal(t, got.DeleteAfter, post.DeleteAfter)
}
