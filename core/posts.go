package core

import (
	"context"
	"slices"

	"meower/store"
)

// MaxPostLength is the longest post, in code points.
const MaxPostLength = 4000

func postID(p store.Post) string { return p.ID }

// CreatePost publishes a post of the principal.
func (c *Core) CreatePost(ctx context.Context, p *Principal, content string) (Post, error) {
	post := store.Post{ID: c.ids.Next(), AuthorID: p.User.ID, Content: content, Time: c.now()}
	if err := c.store.CreatePost(ctx, post); err != nil {
		return Post{}, err
	}
	view := postView(post, partialUser(p.User))
	c.publish(ctx, EventPostCreated, p.User.ID, view)
	return view, nil
}

// Post returns a post.
func (c *Core) Post(ctx context.Context, id string) (Post, error) {
	post, err := c.store.Post(ctx, id)
	if err != nil {
		return Post{}, notFound(err)
	}
	author, err := c.authors(ctx, []string{post.AuthorID})
	if err != nil {
		return Post{}, err
	}
	return postView(post, author(post.AuthorID)), nil
}

// postUpdate is the value of EventPostUpdated: the fields that an edit changes.
type postUpdate struct {
	ID              string          `json:"id"`
	Content         string          `json:"content"`
	FilteredContent *string         `json:"filtered_content"`
	PublicFlags     store.PostFlags `json:"public_flags"`
}

// EditPost gives one of the principal's posts a new content and keeps the old
// one as a revision. CodeMissingPermissions for others' posts and protected ones.
func (c *Core) EditPost(ctx context.Context, p *Principal, id, content string) (Post, error) {
	post, err := c.store.Post(ctx, id)
	if err != nil {
		return Post{}, notFound(err)
	}
	if post.AuthorID != p.User.ID || post.Flags&store.PostProtected != 0 {
		return Post{}, Err(CodeMissingPermissions)
	}
	post, err = c.store.EditPost(ctx, id, store.PostEdit{Content: content, RevisionID: c.ids.Next(), Time: c.now()})
	if err != nil {
		return Post{}, notFound(err)
	}
	view := postView(post, partialUser(p.User))
	c.publish(ctx, EventPostUpdated, id, postUpdate{
		ID:              id,
		Content:         view.Content,
		FilteredContent: view.FilteredContent,
		PublicFlags:     view.PublicFlags,
	})
	return view, nil
}

// DeletePost deletes a post: one's own, or with AdminModeratePosts anyone's.
func (c *Core) DeletePost(ctx context.Context, p *Principal, id string) error {
	post, err := c.store.Post(ctx, id)
	if err != nil {
		return notFound(err)
	}
	if post.AuthorID != p.User.ID && p.User.Admin&store.AdminModeratePosts == 0 {
		return Err(CodeMissingPermissions)
	}
	if err := c.store.DeletePost(ctx, id, c.now()); err != nil {
		return notFound(err)
	}
	c.publish(ctx, EventPostDeleted, id, idOnly{ID: id})
	return nil
}

// Revisions returns a page of what a post has said before.
func (c *Core) Revisions(ctx context.Context, id string, page store.Page) (List[Revision], error) {
	if _, err := c.store.Post(ctx, id); err != nil {
		return List[Revision]{}, notFound(err)
	}
	found, err := c.store.PublicRevisions(ctx, id, lookahead(page))
	if err != nil {
		return List[Revision]{}, err
	}
	return listPage(found, page, func(r store.PostRevision) string { return r.ID }, revisionView), nil
}

// LatestPosts returns a page of everyone's posts but of those whom the viewer
// blocks or who block the viewer. viewer is nil for someone who is not signed
// in.
func (c *Core) LatestPosts(ctx context.Context, viewer *Principal, page store.Page) (List[Post], error) {
	var hidden []string
	if viewer != nil {
		var err error
		if hidden, err = c.hiddenFrom(ctx, viewer); err != nil {
			return List[Post]{}, err
		}
	}
	found, err := c.store.LatestPosts(ctx, hidden, lookahead(page))
	if err != nil {
		return List[Post]{}, err
	}
	return c.postList(ctx, found, page)
}

// hiddenFrom returns whose posts the principal does not see: of those they block
// and those who block them.
func (c *Core) hiddenFrom(ctx context.Context, p *Principal) ([]string, error) {
	blocked, err := c.store.Blocked(ctx, p.User.ID)
	if err != nil {
		return nil, err
	}
	blockedBy, err := c.store.BlockedBy(ctx, p.User.ID)
	if err != nil {
		return nil, err
	}
	return append(blocked, blockedBy...), nil
}

// PostsBy returns a page of the posts of a user, by id or "@name".
func (c *Core) PostsBy(ctx context.Context, ref string, page store.Page) (List[Post], error) {
	user, err := c.user(ctx, ref)
	if err != nil {
		return List[Post]{}, err
	}
	found, err := c.store.PostsBy(ctx, user.ID, lookahead(page))
	if err != nil {
		return List[Post]{}, err
	}
	author := partialUser(user)
	return listPage(found, page, postID, func(post store.Post) Post { return postView(post, author) }), nil
}

// postList makes a page of posts with their authors, in one store call.
func (c *Core) postList(ctx context.Context, found []store.Post, page store.Page) (List[Post], error) {
	ids := make([]string, len(found))
	for i, post := range found {
		ids[i] = post.AuthorID
	}
	slices.Sort(ids)
	author, err := c.authors(ctx, slices.Compact(ids))
	if err != nil {
		return List[Post]{}, err
	}
	return listPage(found, page, postID, func(post store.Post) Post { return postView(post, author(post.AuthorID)) }), nil
}
