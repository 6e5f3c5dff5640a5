package api

func (a *API) userRoutes() []route {
	return []route{
		{"GET", "/v1/users/:id", a.getUser, optional, ""},
		{"GET", "/v1/users/:id/posts", a.userPosts, optional, ""},
	}
}

func (a *API) getUser(c *call) (any, error) { return a.core.User(c.ctx, c.user, c.param("id")) }

func (a *API) userPosts(c *call) (any, error) {
	page, err := c.page()
	if err != nil {
		return nil, err
	}
	found, err := a.core.PostsBy(c.ctx, c.param("id"), page)
	return list("posts", found, err)
}
