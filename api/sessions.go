package api

func (a *API) sessionRoutes() []route {
	return []route{
		{"GET", "/v1/me/sessions", a.sessions, human, ""},
		{"GET", "/v1/me/sessions/:id", a.session, human, ""},
		{"DELETE", "/v1/me/sessions/:id", a.revokeSession, human, ""},
		{"POST", "/v1/me/sessions/revoke-all", a.revokeAllSessions, human, ""},
	}
}

func (a *API) sessions(c *call) (any, error) {
	page, err := c.page()
	if err != nil {
		return nil, err
	}
	found, err := a.core.Sessions(c.ctx, c.user, page)
	return list("sessions", found, err)
}

func (a *API) session(c *call) (any, error) { return a.core.Session(c.ctx, c.user, c.param("id")) }

func (a *API) revokeSession(c *call) (any, error) {
	return nil, a.core.RevokeSession(c.ctx, c.user, c.param("id"))
}

type ticketRequest struct {
	Ticket string `json:"ticket" validate:"required"`
}

func (a *API) revokeAllSessions(c *call) (any, error) {
	req, err := decode[ticketRequest](c)
	if err != nil {
		return nil, err
	}
	return nil, a.core.RevokeAllSessions(c.ctx, c.user, req.Ticket)
}
