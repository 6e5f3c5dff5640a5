package store

import (
	"context"
	"time"
)

// PostFlags is a bit set that says what a post is.
type PostFlags int64

// The post flags, by bit number.
const (
	PostReputationHidden PostFlags = 1 << iota
	PostCommentsDisabled
	PostBridged
	PostEdited
	PostProtected
	PostReputationBanned
)

// Post is a public message on its author's page and in everyone's home.
type Post struct {
	ID       string `bson:"_id"`
	AuthorID string `bson:"author_id"`
	Content  string `bson:"content"`
	// FilteredContent is the content with bad words starred out, empty where
	// that changes nothing.
	FilteredContent string     `bson:"filtered_content,omitempty"`
	Flags           PostFlags  `bson:"flags"`
	Likes           int64      `bson:"likes"`
	Meows           int64      `bson:"meows"`
	Comments        int64      `bson:"comments"`
	Attachments     []string   `bson:"attachments,omitempty"`
	Time            time.Time  `bson:"time"`
	DeleteAfter     *time.Time `bson:"delete_after,omitempty"`
	// Deleted posts are kept for moderation and shown to nobody else.
	Deleted   bool       `bson:"deleted"`
	DeletedAt *time.Time `bson:"deleted_at,omitempty"`
}

// PostRevision is what a post said until Time.
type PostRevision struct {
	ID              string    `bson:"_id"`
	PostID          string    `bson:"post_id"`
	Content         string    `bson:"content"`
	FilteredContent string    `bson:"filtered_content,omitempty"`
	Public          bool      `bson:"public"`
	Time            time.Time `bson:"time"`
}

// PostEdit is a new content for a post and the revision that keeps the old one.
type PostEdit struct {
	Content         string
	FilteredContent string
	RevisionID      string
	Time            time.Time
}

// Apply returns p as it is after the edit, and the public revision that keeps
// what it said before.
func (e PostEdit) Apply(p Post) (after Post, before PostRevision) {
	before = PostRevision{
		ID:              e.RevisionID,
		PostID:          p.ID,
		Content:         p.Content,
		FilteredContent: p.FilteredContent,
		Public:          true,
		Time:            e.Time,
	}
	p.Content, p.FilteredContent = e.Content, e.FilteredContent
	p.Flags |= PostEdited
	return p, before
}

// Posts keeps posts and their revisions.
type Posts interface {
	// CreatePost adds a post, then counts it in its author's stats. ErrConflict
	// when the id is taken; then nothing is counted.
	CreatePost(ctx context.Context, p Post) error
	// Post returns the post with that id. Deleted posts are ErrNotFound.
	Post(ctx context.Context, id string) (Post, error)
	// LatestPosts returns a page of all posts that are not deleted and not by
	// one of the excluded authors, newest first.
	LatestPosts(ctx context.Context, exclude []string, page Page) ([]Post, error)
	// PostsBy returns a page of an author's posts that are not deleted, newest
	// first.
	PostsBy(ctx context.Context, authorID string, page Page) ([]Post, error)
	// EditPost gives a post that is neither deleted nor PostProtected a new
	// content and the flag PostEdited in one step, then keeps what it said
	// before as a public revision, and returns the post after. ErrNotFound when
	// there is no such post to edit.
	EditPost(ctx context.Context, id string, edit PostEdit) (Post, error)
	// DeletePost marks a post deleted, once, then takes it out of its author's
	// stats. ErrNotFound when it is deleted already.
	DeletePost(ctx context.Context, id string, at time.Time) error
	// PublicRevisions returns a page of a post's public revisions, newest first.
	PublicRevisions(ctx context.Context, postID string, page Page) ([]PostRevision, error)
}
