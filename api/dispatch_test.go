package api

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/julienschmidt/httprouter"
)

// Fixed names and parameters may share a place, which the router alone refuses.
func TestMount(t *testing.T) {
	handles := make(map[string]httprouter.Handle)
	for _, at := range []string{
		"GET /", "GET /inbox", "GET /inbox/:id", "GET /inbox/unread-count",
		"POST /inbox/:id/read", "POST /inbox/unread-count/clear", "GET /users/:id/posts",
	} {
		handles[at] = func(w http.ResponseWriter, _ *http.Request, p httprouter.Params) {
			w.Header().Set("Route", at+" "+p.ByName("id"))
		}
	}
	r := httprouter.New()
	r.NotFound = http.NotFoundHandler()
	mount(r, handles)
	for at, want := range map[string]string{
		"GET /":                          "GET / ",
		"GET /inbox":                     "GET /inbox ",
		"GET /inbox/7":                   "GET /inbox/:id 7",
		"GET /inbox/unread-count":        "GET /inbox/unread-count unread-count",
		"POST /inbox/7/read":             "POST /inbox/:id/read 7",
		"POST /inbox/unread-count/clear": "POST /inbox/unread-count/clear unread-count",
		"POST /inbox/7/clear":            "",
		"GET /users/7/posts":             "GET /users/:id/posts 7",
	} {
		method, path, _ := strings.Cut(at, " ")
		w := httptest.NewRecorder()
		r.ServeHTTP(w, httptest.NewRequest(method, path, nil))
		if got := w.Header().Get("Route"); got != want {
			t.Errorf("%s reaches %q, want %q", at, got, want)
		}
	}
}
