package api

import "meower/core"

func (a *API) homeRoutes() []route {
	return []route{
		{"POST", "/v1/home", a.createPost, user | unsuspended, "create_post"},
		{"GET", "/v1/home/latest", a.latestPosts, optional, ""},
	}
}

// postRequest is the body that creates or edits a post.
type postRequest struct {
	Content string `json:"content" validate:"required,max=4000,visible"`
}

func (a *API) createPost(c *call) (any, error) {
	req, err := decode[postRequest](c)
	if err != nil {
		return nil, err
	}
	return a.core.CreatePost(c.ctx, c.user, req.Content)
}

func (a *API) latestPosts(c *call) (any, error) {
	page, err := c.page()
	if err != nil {
		return nil, err
	}
	if c.user == nil && (page.Before != "" || page.After != "") {
		return nil, core.Err(core.CodeNotAuthenticated) // strangers see the first page only
	}
	found, err := a.core.LatestPosts(c.ctx, c.user, page)
	return list("posts", found, err)
}
