package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/julienschmidt/httprouter"

	"meower/core"
	"meower/store"
)

// call is one request on its way through the server.
type call struct {
	ctx       context.Context
	w         http.ResponseWriter
	r         *http.Request
	params    httprouter.Params
	user      *core.Principal // nil for someone who is not signed in
	address   string
	requestID string
	pattern   string // of the route, empty where none matched
}

type callKey struct{}

// callOf returns the call that observed has made of a request.
func callOf(r *http.Request) *call { return r.Context().Value(callKey{}).(*call) }

// param returns a part of the path by name.
func (c *call) param(name string) string { return c.params.ByName(name) }

// client says where a sign-in comes from.
func (c *call) client() core.Client {
	return core.Client{
		Address: c.address,
		Device: store.Device{
			UserAgent:     deviceText(c.r.UserAgent()),
			ClientName:    deviceText(c.r.Header.Get("X-Client-Name")),
			ClientVersion: deviceText(c.r.Header.Get("X-Client-Version")),
			ClientType:    deviceText(c.r.Header.Get("X-Client-Type")),
		},
	}
}

// maxDeviceText bounds what a client may say of itself, in code points: all of
// it is stored with the session and shown in lists.
const maxDeviceText = 255

// deviceText makes a header fit to be stored: headers may hold any bytes.
func deviceText(header string) string {
	text := []rune(strings.ToValidUTF8(header, "\uFFFD"))
	return string(text[:min(len(text), maxDeviceText)])
}

// bearer returns the token of a request, with or without the word Bearer before
// it, and whether there was one.
func bearer(r *http.Request) (token string, given bool) {
	header := strings.TrimSpace(r.Header.Get("Authorization"))
	const scheme = "bearer"
	if len(header) >= len(scheme) && strings.EqualFold(header[:len(scheme)], scheme) {
		rest := header[len(scheme):]
		if rest == "" || rest[0] == ' ' {
			return strings.TrimSpace(rest), true
		}
	}
	return header, header != ""
}
