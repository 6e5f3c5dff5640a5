package api

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// published is every route there is, with who may use it and its bucket.
var published = []string{
	"DELETE /v1/me/sessions/:id human -",
	"DELETE /v1/posts/:id user -",
	"GET / none -",
	"GET /healthz none -",
	"GET /ip none -",
	"GET /readyz none -",
	"GET /status none -",
	"GET /v1 none -",
	"GET /v1/home/latest optional -",
	"GET /v1/me/profile user -",
	"GET /v1/me/sessions human -",
	"GET /v1/me/sessions/:id human -",
	"GET /v1/posts/:id optional -",
	"GET /v1/posts/:id/revisions optional -",
	"GET /v1/statistics none -",
	"GET /v1/users/:id optional -",
	"GET /v1/users/:id/posts optional -",
	"PATCH /v1/me/profile user,unsuspended -",
	"PATCH /v1/posts/:id user,unsuspended edit_post",
	"POST /v1/auth/logout user,whileBanned -",
	"POST /v1/auth/password none login",
	"POST /v1/auth/refresh user -",
	"POST /v1/auth/register none register",
	"POST /v1/auth/verify/password human verify",
	"POST /v1/home user,unsuspended create_post",
	"POST /v1/me/sessions/revoke-all human -",
}

func TestRoutesArePublished(t *testing.T) {
	s := newServer(t, nil)
	var got []string
	for _, rt := range s.api.routes() {
		var who []string
		for _, f := range []struct {
			flag flags
			name string
		}{{optional, "optional"}, {user, "user"}, {human, "human"}, {unsuspended, "unsuspended"}, {whileBanned, "whileBanned"}} {
			if rt.flags&f.flag != 0 {
				who = append(who, f.name)
			}
		}
		if len(who) == 0 {
			who = []string{"none"}
		}
		bucket := rt.bucket
		if bucket == "" {
			bucket = "-"
		}
		got = append(got, rt.method+" "+rt.path+" "+strings.Join(who, ",")+" "+bucket)
	}
	slices.Sort(got)
	if !slices.Equal(got, published) {
		t.Errorf("routes:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(published, "\n"))
	}
}

// Every route that needs a token refuses to go without, whatever the body.
func TestTokensAreAskedFor(t *testing.T) {
	s := newServer(t, nil)
	for _, rt := range s.api.routes() {
		if rt.flags&authenticated != 0 {
			s.want(s.do(rt.method, strings.ReplaceAll(rt.path, ":id", "1"), "", "{"), 401, 1007)
		}
	}
}

func TestUnknownPathsAndMethods(t *testing.T) {
	s := newServer(t, nil)
	for _, path := range []string{"/nowhere", "/v1/users", "/v1/users/", "/v1//home/latest", "/v1/users/%ff", "/v1/users/%00"} {
		s.want(s.do("GET", path, "", ""), 404, 1003)
	}
	a := s.want(s.do("GET", "/v1/home", "", ""), 405, 1032)
	if !strings.Contains(a.header.Get("Allow"), "POST") {
		t.Errorf("Allow: %q", a.header.Get("Allow"))
	}
	a = s.want(s.do("PUT", "/v1/me/profile/", "", ""), 405, 1032)
	if allow := a.header.Get("Allow"); !strings.Contains(allow, "GET") || !strings.Contains(allow, "PATCH") {
		t.Errorf("Allow: %q", allow)
	}
}

func TestTrailingSlash(t *testing.T) {
	s := newServer(t, nil)
	_, token := s.register("ada")
	for _, path := range []string{"/v1/", "/v1/me/profile/", "/v1/home/latest/?limit=1", "/v1/users/@ada/"} {
		s.want(s.do("GET", path, token, ""), 200, 0)
	}
	s.want(s.do("POST", "/v1/home/", token, `{"content":"hi"}`), 200, 0)
}

func TestHead(t *testing.T) {
	s := newServer(t, nil)
	get := s.want(s.do("GET", "/v1", "", ""), 200, 0)
	head := s.want(s.do("HEAD", "/v1", "", ""), 200, 0)
	if head.body != "" || head.header.Get("Content-Length") != get.header.Get("Content-Length") {
		t.Errorf("HEAD answers %q with length %s", head.body, head.header.Get("Content-Length"))
	}
	if s.do("HEAD", "/nowhere", "", "").status != 404 {
		t.Error("HEAD finds what GET does not")
	}
}

func TestCORS(t *testing.T) {
	for _, test := range []struct {
		allowed []string
		want    string
	}{{nil, ""}, {[]string{"*"}, "*"}, {[]string{"https://a.example"}, "https://a.example"}, {[]string{"https://b.example"}, ""}} {
		s := newServer(t, func(o *Options) { o.AllowedOrigins = test.allowed })
		for _, a := range []answer{
			s.do("GET", "/v1", "", "", "Origin", "https://a.example"),
			s.do("GET", "/nowhere", "", "", "Origin", "https://a.example"),
			s.do("OPTIONS", "/v1/home", "", "", "Origin", "https://a.example",
				"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,content-type"),
		} {
			if got := a.header.Get("Access-Control-Allow-Origin"); got != test.want {
				t.Errorf("allowed %v: got %q, want %q", test.allowed, got, test.want)
			}
			if a.header.Get("Access-Control-Allow-Credentials") != "" {
				t.Error("credentials are allowed")
			}
		}
	}
}

func TestRequestID(t *testing.T) {
	s := newServer(t, nil)
	for given, kept := range map[string]bool{
		"abc-1_2.Z": true, strings.Repeat("x", 64): true,
		strings.Repeat("x", 65): false, "a b": false, "a=b": false, "é": false,
	} {
		got := s.do("GET", "/nowhere", "", "", "X-Request-Id", given).header.Get("X-Request-Id")
		if got == "" || (got == given) != kept {
			t.Errorf("%q becomes %q", given, got)
		}
	}
	if s.do("GET", "/v1", "", "").header.Get("X-Request-Id") == "" {
		t.Error("no request id")
	}
}

func TestPanicIsAnswered(t *testing.T) {
	s := newServer(t, nil)
	w := httptest.NewRecorder()
	s.api.observed(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		panic("secret")
	})).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Code != 500 || !strings.Contains(w.Body.String(), "1006") || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	if !strings.Contains(s.log.String(), "secret") {
		t.Error("the panic is not in the log")
	}
}
