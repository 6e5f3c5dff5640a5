package api

import "meower/core"

func (a *API) authRoutes() []route {
	return []route{
		{"POST", "/v1/auth/register", a.register, 0, "register"},
		{"POST", "/v1/auth/password", a.login, 0, "login"},
		{"POST", "/v1/auth/verify/password", a.verifyPassword, human, "verify"},
		{"POST", "/v1/auth/refresh", a.refresh, user, ""},
		{"POST", "/v1/auth/logout", a.logout, user | whileBanned, ""},
	}
}

type registerRequest struct {
	Username string `json:"username" validate:"required,username"`
	Password string `json:"password" validate:"required,min=8,max=255"`
	Child    bool   `json:"child"`
}

// signedIn is the answer to a registration.
type signedIn struct {
	UserID      string `json:"user_id"`
	AccessToken string `json:"access_token"`
}

func (a *API) register(c *call) (any, error) {
	req, err := decode[registerRequest](c)
	if err != nil {
		return nil, err
	}
	in, err := a.core.Register(c.ctx, core.Registration{
		Username: req.Username,
		Password: req.Password,
		Child:    req.Child,
		Client:   c.client(),
	})
	if err != nil {
		return nil, err
	}
	return signedIn(in), nil
}

type loginRequest struct {
	Username string `json:"username" validate:"required,max=255"`
	Password string `json:"password" validate:"required"`
}

// loggedIn is the answer to a password. Its last three fields are for accounts
// with a second factor.
type loggedIn struct {
	UserID      string   `json:"user_id"`
	AccessToken *string  `json:"access_token"`
	MFARequired bool     `json:"mfa_required"`
	MFATicket   *string  `json:"mfa_ticket"`
	MFAMethods  []string `json:"mfa_methods"`
}

func (a *API) login(c *call) (any, error) {
	req, err := decode[loginRequest](c)
	if err != nil {
		return nil, err
	}
	in, err := a.core.Login(c.ctx, req.Username, req.Password, c.client())
	if err != nil {
		return nil, err
	}
	return loggedIn{UserID: in.UserID, AccessToken: &in.AccessToken}, nil
}

type verifyPasswordRequest struct {
	Password string `json:"password" validate:"required"`
}

type verification struct {
	Ticket string `json:"verification_ticket"`
}

func (a *API) verifyPassword(c *call) (any, error) {
	req, err := decode[verifyPasswordRequest](c)
	if err != nil {
		return nil, err
	}
	ticket, err := a.core.VerifyPassword(c.ctx, c.user, req.Password, c.address)
	if err != nil {
		return nil, err
	}
	return verification{Ticket: ticket}, nil
}

type refreshed struct {
	AccessToken string `json:"access_token"`
}

func (a *API) refresh(c *call) (any, error) {
	token, err := a.core.Refresh(c.ctx, c.user, c.client())
	if err != nil {
		return nil, err
	}
	return refreshed{AccessToken: token}, nil
}

func (a *API) logout(c *call) (any, error) { return nil, a.core.Logout(c.ctx, c.user) }
