package api

import (
	"strings"
	"testing"
)

func TestGeneral(t *testing.T) {
	s := newServer(t, nil)
	for path, want := range map[string]string{
		"/":              "Welcome to the Meower API, version 1 (server test)\n",
		"/v1":            "Welcome to the Meower API, version 1 (server test)\n",
		"/ip":            "192.0.2.1",
		"/healthz":       "ok\n",
		"/status":        `{"isRepairMode":false,"scratchDeprecated":true,"supported":{"0":false,"1":true},"supportedGateway":{"cl3":false,"cl4":true}}` + "\n",
		"/v1/statistics": `{"accounts":0,"bots":0,"posts":0,"post_likes":0,"post_meows":0,"chats":0,"chat_messages":0,"infractions":0}` + "\n",
		"/readyz":        `{"ready":true,"failed":{}}` + "\n",
	} {
		a := s.want(s.do("GET", path, "", ""), 200, 0)
		if a.body != want {
			t.Errorf("%s answers %q, want %q", path, a.body, want)
		}
		for header, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Content-Security-Policy": apiPolicy,
		} {
			if got := a.header.Get(header); got != want {
				t.Errorf("%s: %s is %q", path, header, got)
			}
		}
	}
	if err := s.redis.Set("repair_mode", "1"); err != nil {
		t.Fatal(err)
	}
	if a := s.do("GET", "/status", "", ""); a.object["isRepairMode"] != true {
		t.Errorf("in repair mode: %s", a.body)
	}
	page := s.want(s.do("GET", "/", "", "", "Accept", "text/html,*/*;q=0.8"), 200, 0)
	if !strings.Contains(page.body, "in repair mode") || page.header.Get("Content-Security-Policy") != pagePolicy ||
		!strings.HasPrefix(page.header.Get("Content-Type"), "text/html") {
		t.Errorf("page: %v %s", page.header, page.body)
	}
}

func TestReadiness(t *testing.T) {
	s := newServer(t, nil)
	s.api.SetDraining(true)
	if a := s.want(s.do("GET", "/readyz", "", ""), 503, 0); a.body != `{"ready":false,"failed":{"server":"draining"}}`+"\n" {
		t.Errorf("draining: %s", a.body)
	}
	s.api.SetDraining(false)
	s.redis.Close()
	if a := s.want(s.do("GET", "/readyz", "", ""), 503, 0); a.body != `{"ready":false,"failed":{"redis":"unreachable"}}`+"\n" {
		t.Errorf("without Redis: %s", a.body)
	}
	s.want(s.do("GET", "/healthz", "", ""), 200, 0)
	s.want(s.do("GET", "/status", "", ""), 503, 1034)
	s.want(s.do("GET", "/", "", "", "Accept", "text/html"), 200, 0)
}
