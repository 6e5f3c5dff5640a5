package api

import (
	"strings"
	"testing"

	"meower/store"
)

func TestSignInFlow(t *testing.T) {
	s := newServer(t, nil)
	id, first := s.register("Ada")
	s.want(s.do("POST", "/v1/auth/register", "", `{"username":"aDA","password":"12345678"}`), 409, 1004)

	in := s.want(s.do("POST", "/v1/auth/password", "", `{"username":"ada","password":"`+testPassword+`"}`), 200, 0)
	want := `{"user_id":"` + id + `","access_token":"` + in.text("access_token") + `","mfa_required":false,"mfa_ticket":null,"mfa_methods":null}` + "\n"
	if in.body != want {
		t.Errorf("login answers %s, want %s", in.body, want)
	}
	s.want(s.do("POST", "/v1/auth/password", "", `{"username":"ada","password":"wrong"}`), 401, 1008)
	s.want(s.do("POST", "/v1/auth/password", "", `{"username":"nobody","password":"wrong"}`), 401, 1008)

	renewed := s.want(s.do("POST", "/v1/auth/refresh", "Bearer "+first, ""), 200, 0).text("access_token")
	s.want(s.do("GET", "/v1/me/profile", renewed, ""), 200, 0)
	s.want(s.do("POST", "/v1/auth/logout", renewed, ""), 204, 0)
	s.want(s.do("GET", "/v1/me/profile", renewed, ""), 401, 1007)
	s.want(s.do("GET", "/v1/me/profile", "bearer "+in.text("access_token"), ""), 200, 0)
	if strings.Contains(s.log.String(), renewed) {
		t.Error("a token is in the log")
	}
}

func TestRegisterBounds(t *testing.T) {
	s := newServer(t, nil)
	for body, code := range map[string]int{
		`{}`:                                    1001,
		`{"username":"a"}`:                      1001,
		`{"username":"","password":"12345678"}`: 1002,
		`{"username":"a b","password":"12345678"}`:                             1002,
		`{"username":"` + strings.Repeat("a", 21) + `","password":"12345678"}`: 1002,
		`{"username":"a","password":"1234567"}`:                                1002,
		`{"username":"a","password":"` + strings.Repeat("é", 256) + `"}`:       1002,
		`{"username":"a","password":"12345678","child":1}`:                     1002,
	} {
		a := s.want(s.do("POST", "/v1/auth/register", "", body), 400, code)
		if a.object["details"] == nil {
			t.Errorf("%s: no details in %s", body, a.body)
		}
	}
	s.want(s.do("POST", "/v1/auth/register", "", `{"username":"server","password":"12345678"}`), 409, 1004)
	s.want(s.do("POST", "/v1/auth/register", "", `{"username":"a_.-","password":"`+strings.Repeat("é", 255)+`","child":true,"x":1}`), 200, 0)
}

func TestLockout(t *testing.T) {
	s := newServer(t, nil)
	s.register("ada")
	for range 4 {
		s.want(s.do("POST", "/v1/auth/password", "", `{"username":"ada","password":"wrong"}`), 401, 1008)
	}
	a := s.want(s.do("POST", "/v1/auth/password", "", `{"username":"ada","password":"wrong"}`), 403, 1023)
	if a.header.Get("Retry-After") != "60" {
		t.Errorf("Retry-After is %q", a.header.Get("Retry-After"))
	}
	right := `{"username":"ada","password":"` + testPassword + `"}`
	s.want(s.do("POST", "/v1/auth/password", "", right), 403, 1023)
	s.want(s.do("POST", "/v1/auth/password", "", right, addressHeader, "192.0.2.9"), 200, 0)
}

func TestBlockedAddress(t *testing.T) {
	s := newServer(t, nil)
	if err := s.store.BlockNetwork(t.Context(), "192.0.2.66", true, true); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/", "/v1", "/nowhere", "/v1/home/latest"} {
		s.want(s.do("GET", path, "", "", addressHeader, "192.0.2.66"), 403, 1024)
	}
	s.want(s.do("GET", "/healthz", "", "", addressHeader, "192.0.2.66"), 200, 0)
	s.want(s.do("GET", "/readyz", "", "", addressHeader, "192.0.2.66"), 200, 0)
}

func TestBannedAndSuspended(t *testing.T) {
	s := newServer(t, nil)
	id, token := s.register("ada")
	s.punish(id, store.ActionSuspension)
	s.want(s.do("GET", "/v1/me/profile", token, ""), 200, 0)
	s.want(s.do("PATCH", "/v1/me/profile", token, `{}`), 403, 1029)
	s.want(s.do("POST", "/v1/home", token, `not even JSON`), 403, 1029) // before the body
	s.punish(id, store.ActionBan)
	for _, path := range []string{"/v1/me/profile", "/v1/home/latest", "/v1/users/" + id} {
		s.want(s.do("GET", path, token, ""), 403, 1030)
	}
	s.want(s.do("POST", "/v1/auth/logout", token, ""), 204, 0)
}

func TestSessions(t *testing.T) {
	s := newServer(t, nil)
	_, ada := s.register("ada")
	_, bob := s.register("bob")
	a := s.want(s.do("GET", "/v1/me/sessions", bob, ""), 200, 0)
	sessions, _ := a.object["sessions"].([]any)
	if len(sessions) != 1 || a.object["next"] != nil {
		t.Fatalf("sessions: %s", a.body)
	}
	bobs := sessions[0].(map[string]any)["id"].(string)
	s.want(s.do("GET", "/v1/me/sessions/"+bobs, bob, ""), 200, 0)
	s.want(s.do("GET", "/v1/me/sessions/"+bobs, ada, ""), 404, 1003)
	s.want(s.do("DELETE", "/v1/me/sessions/"+bobs, ada, ""), 404, 1003)

	s.want(s.do("POST", "/v1/me/sessions/revoke-all", bob, `{"ticket":"x"}`), 401, 1025)
	s.want(s.do("POST", "/v1/auth/verify/password", bob, `{"password":"wrong"}`), 401, 1008)
	ticket := s.want(s.do("POST", "/v1/auth/verify/password", bob, `{"password":"`+testPassword+`"}`), 200, 0).text("verification_ticket")
	s.want(s.do("POST", "/v1/me/sessions/revoke-all", bob, `{"ticket":"`+ticket+`"}`), 204, 0)
	s.want(s.do("GET", "/v1/me/sessions", bob, ""), 401, 1007)

	s.want(s.do("GET", "/v1/me/sessions", ada, ""), 200, 0)
}

func TestOptionalAuthRefusesBadTokens(t *testing.T) {
	s := newServer(t, nil)
	for _, token := range []string{"nonsense", "Bearer", "Bearer nonsense"} {
		s.want(s.do("GET", "/v1/home/latest", token, ""), 401, 1007)
	}
	s.want(s.do("GET", "/v1/me/profile", "", ""), 401, 1007)
	s.want(s.do("GET", "/status", "nonsense", ""), 200, 0)
}
