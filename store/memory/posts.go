package memory

import (
	"context"
	"slices"
	"time"

	"meower/store"
)

// posts is every post, with their revisions.
type posts struct {
	table[store.Post]
	live        index   // not deleted
	liveBy      indexes // not deleted, by author
	revisions   table[store.PostRevision]
	revisionsOf indexes // public ones, by post
}

func newPosts() posts {
	return posts{
		table:       newTable(copyPost),
		liveBy:      make(indexes),
		revisions:   newTable(copyRevision),
		revisionsOf: make(indexes),
	}
}

func copyPost(p store.Post) store.Post {
	p.Attachments = slices.Clone(p.Attachments)
	p.Time = kept(p.Time)
	p.DeleteAfter = keptPointer(p.DeleteAfter)
	p.DeletedAt = keptPointer(p.DeletedAt)
	return p
}

func copyRevision(r store.PostRevision) store.PostRevision {
	r.Time = kept(r.Time)
	return r
}

// find returns a post that is not deleted, to change it.
func (p posts) find(id string) (*store.Post, error) {
	post, ok := p.rows[id]
	if !ok || post.Deleted {
		return nil, store.ErrNotFound
	}
	return post, nil
}

// CreatePost implements store.Posts.
func (s *Store) CreatePost(ctx context.Context, p store.Post) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if err := s.posts.insert(p.ID, p); err != nil {
		return err
	}
	if !p.Deleted {
		s.posts.live.add(p.ID)
		s.posts.liveBy.add(p.AuthorID, p.ID)
	}
	s.users.stats(p.AuthorID).Posts++
	return nil
}

// Post implements store.Posts.
func (s *Store) Post(ctx context.Context, id string) (store.Post, error) {
	if err := s.lock(ctx); err != nil {
		return store.Post{}, err
	}
	defer s.mu.Unlock()
	post, err := s.posts.find(id)
	if err != nil {
		return store.Post{}, err
	}
	return copyPost(*post), nil
}

// LatestPosts implements store.Posts.
func (s *Store) LatestPosts(ctx context.Context, exclude []string, page store.Page) ([]store.Post, error) {
	excluded := make(map[string]bool, len(exclude))
	for _, id := range exclude {
		excluded[id] = true
	}
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	ids := s.posts.live.page(page, func(id string) bool { return !excluded[s.posts.rows[id].AuthorID] })
	return s.posts.list(ids), nil
}

// PostsBy implements store.Posts.
func (s *Store) PostsBy(ctx context.Context, authorID string, page store.Page) ([]store.Post, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	return s.posts.list(s.posts.liveBy[authorID].page(page, everything)), nil
}

// EditPost implements store.Posts.
func (s *Store) EditPost(ctx context.Context, id string, edit store.PostEdit) (store.Post, error) {
	if err := s.lock(ctx); err != nil {
		return store.Post{}, err
	}
	defer s.mu.Unlock()
	post, err := s.posts.find(id)
	if err != nil {
		return store.Post{}, err
	}
	if post.Flags&store.PostProtected != 0 {
		return store.Post{}, store.ErrNotFound
	}
	after, revision := edit.Apply(*post)
	*post = after
	if err := s.posts.revisions.insert(revision.ID, revision); err != nil {
		return store.Post{}, err
	}
	s.posts.revisionsOf.add(id, revision.ID)
	return copyPost(after), nil
}

// DeletePost implements store.Posts.
func (s *Store) DeletePost(ctx context.Context, id string, at time.Time) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	post, err := s.posts.find(id)
	if err != nil {
		return err
	}
	post.Deleted, post.DeletedAt = true, keptPointer(&at)
	s.posts.live.remove(id)
	s.posts.liveBy.remove(post.AuthorID, id)
	s.users.stats(post.AuthorID).Posts--
	return nil
}

// PublicRevisions implements store.Posts.
func (s *Store) PublicRevisions(ctx context.Context, postID string, page store.Page) ([]store.PostRevision, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	return s.posts.revisions.list(s.posts.revisionsOf[postID].page(page, everything)), nil
}
