// Package api is the REST server: it turns requests into calls of core and what
// core returns into answers. It holds no rules of its own beyond the form of
// requests and the order in which they are checked.
package api

import (
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"github.com/julienschmidt/httprouter"

	"meower/core"
)

// Options are what an API stands on. Core, Log and Addresses are required.
type Options struct {
	Core *core.Core
	Log  *slog.Logger
	// Addresses returns the address of the client that made a request.
	Addresses func(*http.Request) string
	// AllowedOrigins are the origins whose pages may call the API; "*" is all,
	// none is no other origin than the API's own.
	AllowedOrigins []string
	// RateLimits turns the limits on; benchmarks leave them off.
	RateLimits bool
	// LimitOverrides replace the default limits, by bucket.
	LimitOverrides map[string]core.Limit
	// Version is the server's version, for people.
	Version string
}

// flags say who may use a route.
type flags uint8

// Without a flag a route is for everyone and looks at no token.
const (
	optional    flags = 1 << iota // a token is looked at where there is one
	user                          // people and bots that are signed in
	human                         // people that are signed in
	unsuspended                   // refused while suspended
	whileBanned                   // open to the banned, too
)

// authenticated are the flags of routes that need a token.
const authenticated = user | human

// handler answers a request: with a value that is sent as JSON, with nil for an
// empty answer, or with a reply for everything else.
type handler func(*call) (any, error)

// route is one row of the tables at the top of each resource's file.
type route struct {
	method  string
	path    string
	handler handler
	flags   flags
	bucket  string // of the rate limit; empty is the default one where authenticated
}

// API is the REST server. Make one with New; it is safe for concurrent use.
type API struct {
	core      *core.Core
	log       *slog.Logger
	addresses func(*http.Request) string
	limits    map[string]core.Limit // nil while limits are off
	version   string
	handler   http.Handler
	draining  atomic.Bool
}

// New returns an API. It panics on a route table that contradicts itself, which
// is a programming error.
func New(o Options) *API {
	a := &API{
		core:      o.Core,
		log:       o.Log,
		addresses: o.Addresses,
		version:   o.Version,
	}
	if o.RateLimits {
		a.limits = limitsWith(o.LimitOverrides)
	}
	a.handler = a.observed(withCORS(o.AllowedOrigins, a.guarded(a.router())))
	return a
}

// Handler returns the server of the whole API.
func (a *API) Handler() http.Handler { return a.handler }

// SetDraining says whether the server is about to stop. A draining server
// answers as before but is not ready, so that load balancers turn away.
func (a *API) SetDraining(draining bool) { a.draining.Store(draining) }

// routes returns every route there is.
func (a *API) routes() []route {
	return slices.Concat(
		a.generalRoutes(),
		a.authRoutes(),
		a.profileRoutes(),
		a.sessionRoutes(),
		a.userRoutes(),
		a.homeRoutes(),
		a.postRoutes(),
	)
}

// router makes the routes reachable. HEAD works wherever GET does; net/http
// leaves the body out.
func (a *API) router() http.Handler {
	r := httprouter.New()
	// Paths reach the router without their trailing slash.
	r.RedirectTrailingSlash = false
	r.RedirectFixedPath = false
	r.NotFound = a.refusing(core.CodeNotFound)
	r.MethodNotAllowed = a.refusing(core.CodeMethodNotAllowed) // the router sets Allow
	r.GlobalOPTIONS = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent) // the router sets Allow
	})
	handles := make(map[string]httprouter.Handle)
	for _, rt := range a.routes() {
		if _, known := defaultLimits[rt.bucket]; rt.bucket != "" && !known {
			panic(fmt.Sprintf("api: %s %s: no bucket %q", rt.method, rt.path, rt.bucket))
		}
		at := rt.method + " " + rt.path
		if _, twice := handles[at]; twice {
			panic("api: two routes for " + at)
		}
		handles[at] = a.serve(rt)
		if rt.method == http.MethodGet {
			handles[http.MethodHead+" "+rt.path] = handles[at]
		}
	}
	mount(r, handles)
	return r
}

// serve runs the checks of a route in their published order, then its handler.
func (a *API) serve(rt route) httprouter.Handle {
	return func(w http.ResponseWriter, r *http.Request, params httprouter.Params) {
		c := callOf(r)
		c.w, c.r, c.params, c.pattern = w, r, params, rt.path
		for _, p := range params {
			if !utf8.ValidString(p.Value) || strings.ContainsRune(p.Value, 0) {
				a.fail(c, core.Err(core.CodeNotFound)) // not to be shown to a store
				return
			}
		}
		if err := a.admit(c, rt); err != nil {
			a.fail(c, err)
			return
		}
		answer, err := rt.handler(c)
		if err != nil {
			a.fail(c, err)
			return
		}
		a.answer(c, answer)
	}
}

// admit checks all that comes before the body.
func (a *API) admit(c *call, rt route) error {
	token, given := bearer(c.r)
	looks := rt.flags&(optional|authenticated) != 0
	if !looks || rt.flags&authenticated == 0 && !given {
		return a.limit(c, rt.bucket, "address:"+c.address)
	}
	if !given {
		return core.Err(core.CodeNotAuthenticated)
	}
	principal, err := a.core.Authenticate(c.ctx, token)
	if err != nil {
		return err
	}
	c.user = principal
	switch {
	case principal.Banned && rt.flags&whileBanned == 0:
		return core.Err(core.CodeBanned)
	case principal.Suspended && rt.flags&unsuspended != 0:
		return core.Err(core.CodeReadOnly)
	case principal.Bot() && rt.flags&human != 0:
		return core.Err(core.CodeMissingPermissions)
	}
	bucket := rt.bucket
	if bucket == "" && rt.flags&authenticated != 0 {
		bucket = defaultBucket
	}
	return a.limit(c, bucket, "user:"+principal.User.ID)
}
