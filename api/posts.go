package api

func (a *API) postRoutes() []route {
	return []route{
		{"GET", "/v1/posts/:id", a.post, optional, ""},
		{"PATCH", "/v1/posts/:id", a.editPost, user | unsuspended, "edit_post"},
		{"DELETE", "/v1/posts/:id", a.deletePost, user, ""},
		{"GET", "/v1/posts/:id/revisions", a.revisions, optional, ""},
	}
}

func (a *API) post(c *call) (any, error) { return a.core.Post(c.ctx, c.param("id")) }

func (a *API) editPost(c *call) (any, error) {
	req, err := decode[postRequest](c)
	if err != nil {
		return nil, err
	}
	return a.core.EditPost(c.ctx, c.user, c.param("id"), req.Content)
}

func (a *API) deletePost(c *call) (any, error) {
	return nil, a.core.DeletePost(c.ctx, c.user, c.param("id"))
}

func (a *API) revisions(c *call) (any, error) {
	page, err := c.page()
	if err != nil {
		return nil, err
	}
	found, err := a.core.Revisions(c.ctx, c.param("id"), page)
	return list("revisions", found, err)
}
