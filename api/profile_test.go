package api

import (
	"crypto/hmac"
	"crypto/sha512"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"meower/store"
)

func TestProfile(t *testing.T) {
	s := newServer(t, nil)
	id, token := s.register("ada")
	s.register("bob")
	patch := func(body string, status, code int) answer {
		t.Helper()
		return s.want(s.do("PATCH", "/v1/me/profile", token, body), status, code)
	}
	a := patch(`{"quote":"<hi> & bye","username":"Ada"}`, 200, 0)
	if a.text("username") != "Ada" || !strings.Contains(a.body, `"quote":"<hi> & bye"`) {
		t.Errorf("got %s", a.body)
	}
	if a = patch(`{"quote":""}`, 200, 0); a.text("quote") != "" || a.text("username") != "Ada" {
		t.Errorf("got %s", a.body)
	}
	patch(`{"username":"BOB"}`, 409, 1004)
	patch(`{"username":"meower"}`, 409, 1004)
	for _, body := range []string{`{"username":""}`, `{"quote":1}`, `{"quote":"` + strings.Repeat("x", 501) + `"}`} {
		patch(body, 400, 1002)
	}
	if got := s.do("GET", "/v1/me/profile", token, ""); got.body != a.body {
		t.Errorf("GET answers %s, PATCH answered %s", got.body, a.body)
	}
	if got := s.do("GET", "/v1/users/"+id, token, ""); got.body != a.body {
		t.Errorf("oneself is %s", got.body)
	}
	public := s.want(s.do("GET", "/v1/users/@ADA", "", ""), 200, 0)
	if _, private := public.object["flags"]; private || public.text("id") != id {
		t.Errorf("to others: %s", public.body)
	}
	s.want(s.do("GET", "/v1/users/@nobody", "", ""), 404, 1003)
}

func TestIcon(t *testing.T) {
	s := newServer(t, nil)
	_, token := s.register("ada")
	for _, step := range []struct{ body, icon string }{ // an empty icon is a refusal
		{`{"icon_data":7}`, `{"type":0,"data":7}`},
		{`{"icon_type":0}`, `{"type":0,"data":7}`},
		{`{"icon_type":1}`, ""},
		{`{"icon_data":"x"}`, ""},
		{`{"icon_type":3,"icon_data":"x"}`, ""},
		{`{"icon_type":-1}`, ""},
		{`{"icon_data":null}`, ""},
		{`{"icon_data":1.5}`, ""},
		{`{"icon_data":true}`, ""},
		{`{"icon_type":1,"icon_data":"` + strings.Repeat("x", 256) + `"}`, ""},
		{`{"icon_type":1,"icon_data":"abc"}`, `{"type":1,"data":"abc"}`},
		{`{"icon_type":2}`, `{"type":2,"data":"abc"}`},
		{`{"icon_data":"d"}`, `{"type":2,"data":"d"}`},
		{`{"icon_data":1}`, ""},
		{`{"icon_type":0,"icon_data":1}`, `{"type":0,"data":1}`},
	} {
		a := s.do("PATCH", "/v1/me/profile", token, step.body)
		if step.icon == "" {
			s.want(a, 400, 1002)
		} else if s.want(a, 200, 0); !strings.Contains(a.body, `"icon":`+step.icon) {
			t.Errorf("%s gives %s", step.body, a.body)
		}
	}
}

func TestBotsAreNotHuman(t *testing.T) {
	s := newServer(t, nil)
	id := s.ids.Next()
	err := s.store.CreateUser(t.Context(), store.User{
		ID: id, Username: "bot", LowerUsername: "bot", Flags: store.UserBot, BotSession: 1, Created: time.Now(),
	})
	if err != nil {
		t.Fatal(err)
	}
	key, err := s.redis.Get("signing_key")
	if err != nil {
		t.Fatal(err)
	}
	payload := "2:" + id + ":1"
	mac := hmac.New(sha512.New, []byte(key))
	mac.Write([]byte(payload))
	token := base64.RawURLEncoding.EncodeToString([]byte(payload)) + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))

	s.want(s.do("GET", "/v1/me/profile", token, ""), 200, 0)
	s.want(s.do("POST", "/v1/home", token, `{"content":"beep"}`), 200, 0)
	s.want(s.do("GET", "/v1/me/sessions", token, ""), 403, 1026)
	s.want(s.do("POST", "/v1/auth/refresh", token, ""), 403, 1026)
	s.want(s.do("POST", "/v1/auth/verify/password", token, "{"), 403, 1026)
}
