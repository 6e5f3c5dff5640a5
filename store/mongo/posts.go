package mongo

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"meower/store"
)

// CreatePost implements store.Posts.
func (s *Store) CreatePost(ctx context.Context, p store.Post) error {
	if err := s.posts.insert(ctx, p); err != nil {
		return err
	}
	return s.countPost(ctx, p.AuthorID, 1)
}

// countPost adds n posts to the author's stats. The posts are there, or gone,
// so the caller's going away must not stop it.
func (s *Store) countPost(ctx context.Context, authorID string, n int) error {
	ctx = context.WithoutCancel(ctx)
	return s.users.update(ctx, byID(authorID), bson.M{"$inc": bson.M{"stats.posts": n}})
}

// Post implements store.Posts.
func (s *Store) Post(ctx context.Context, id string) (store.Post, error) {
	return s.posts.find(ctx, bson.M{"_id": id, "deleted": false})
}

// LatestPosts implements store.Posts.
func (s *Store) LatestPosts(ctx context.Context, exclude []string, page store.Page) ([]store.Post, error) {
	filter := bson.M{"deleted": false}
	if len(exclude) > 0 {
		filter["author_id"] = bson.M{"$nin": exclude}
	}
	return s.posts.page(ctx, filter, page)
}

// PostsBy implements store.Posts.
func (s *Store) PostsBy(ctx context.Context, authorID string, page store.Page) ([]store.Post, error) {
	return s.posts.page(ctx, bson.M{"author_id": authorID, "deleted": false}, page)
}

// EditPost implements store.Posts.
func (s *Store) EditPost(ctx context.Context, id string, edit store.PostEdit) (store.Post, error) {
	before, err := s.posts.modify(ctx,
		bson.M{"_id": id, "deleted": false, "flags": bson.M{"$bitsAllClear": store.PostProtected}},
		bson.M{
			"$set": bson.M{"content": edit.Content, "filtered_content": edit.FilteredContent},
			"$bit": bson.M{"flags": bson.M{"or": store.PostEdited}},
		})
	if err != nil {
		return store.Post{}, err
	}
	after, revision := edit.Apply(before)
	// The old content is nowhere else any more, so the caller's going away must
	// not stop it from being kept.
	if err := s.postRevisions.insert(context.WithoutCancel(ctx), revision); err != nil {
		return store.Post{}, err
	}
	return after, nil
}

// DeletePost implements store.Posts.
func (s *Store) DeletePost(ctx context.Context, id string, at time.Time) error {
	post, err := s.posts.modify(ctx,
		bson.M{"_id": id, "deleted": false},
		bson.M{"$set": bson.M{"deleted": true, "deleted_at": at}})
	if err != nil {
		return err
	}
	return s.countPost(ctx, post.AuthorID, -1)
}

// PublicRevisions implements store.Posts.
func (s *Store) PublicRevisions(ctx context.Context, postID string, page store.Page) ([]store.PostRevision, error) {
	return s.postRevisions.page(ctx, bson.M{"post_id": postID, "public": true}, page)
}
