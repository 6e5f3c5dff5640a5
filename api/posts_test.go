package api

import (
	"strings"
	"testing"
)

// contents returns what the posts of a list say, joined.
func contents(t *testing.T, a answer) string {
	t.Helper()
	posts, ok := a.object["posts"].([]any)
	if !ok {
		t.Fatalf("no posts in %s", a.body)
	}
	var all []string
	for _, post := range posts {
		all = append(all, post.(map[string]any)["content"].(string))
	}
	return strings.Join(all, " ")
}

func TestPosts(t *testing.T) {
	s := newServer(t, nil)
	id, ada := s.register("ada")
	_, bob := s.register("bob")
	for body, code := range map[string]int{
		`{}`: 1001, `{"content":""}`: 1002, `{"content":" \n\t "}`: 1002, `{"content":1}`: 1002,
		`{"content":"` + strings.Repeat("é", 4001) + `"}`: 1002,
	} {
		s.want(s.do("POST", "/v1/home", ada, body), 400, code)
	}
	s.want(s.do("POST", "/v1/home", ada, `{"content":"`+strings.Repeat("é", 4000)+`"}`), 200, 0)
	post := s.want(s.do("POST", "/v1/home", ada, `{"content":"a < b"}`), 200, 0)
	if !strings.Contains(post.body, `"content":"a < b"`) {
		t.Errorf("got %s", post.body)
	}
	path := "/v1/posts/" + post.text("id")
	s.want(s.do("PATCH", path, bob, `{"content":"mine"}`), 403, 1026)
	s.want(s.do("PATCH", path, ada, `{"content":"edited"}`), 200, 0)
	if a := s.want(s.do("GET", path, "", ""), 200, 0); a.text("content") != "edited" {
		t.Errorf("got %s", a.body)
	}
	a := s.want(s.do("GET", path+"/revisions", bob, ""), 200, 0)
	if !strings.Contains(a.body, `"content":"a < b"`) || a.object["revisions"] == nil {
		t.Errorf("revisions: %s", a.body)
	}
	s.want(s.do("DELETE", path, bob, ""), 403, 1026)
	if a := s.want(s.do("DELETE", path, ada, ""), 204, 0); a.body != "" {
		t.Errorf("204 with %q", a.body)
	}
	for _, gone := range []string{path, path + "/revisions", "/v1/posts/x"} {
		s.want(s.do("GET", gone, "", ""), 404, 1003)
	}
	if got := contents(t, s.do("GET", "/v1/users/"+id+"/posts", "", "")); got != strings.Repeat("é", 4000) {
		t.Errorf("posts of ada: %q", got)
	}
}

func TestLatestPosts(t *testing.T) {
	s := newServer(t, nil)
	_, token := s.register("ada")
	if a := s.want(s.do("GET", "/v1/home/latest", "", ""), 200, 0); a.body != `{"next":null,"posts":[]}`+"\n" {
		t.Errorf("empty: %s", a.body)
	}
	for _, content := range []string{"1", "2", "3", "4", "5"} {
		s.want(s.do("POST", "/v1/home", token, `{"content":"`+content+`"}`), 200, 0)
	}
	first := s.want(s.do("GET", "/v1/home/latest?limit=2", "", ""), 200, 0)
	if got := contents(t, first); got != "5 4" {
		t.Errorf("first page: %s", got)
	}
	s.want(s.do("GET", "/v1/home/latest?before="+first.text("next"), "", ""), 401, 1007)
	s.want(s.do("GET", "/v1/home/latest?after="+first.text("next"), "", ""), 401, 1007)
	second := s.want(s.do("GET", "/v1/home/latest?limit=2&before="+first.text("next"), token, ""), 200, 0)
	if got := contents(t, second); got != "3 2" {
		t.Errorf("second page: %s", got)
	}
	last := s.want(s.do("GET", "/v1/home/latest?limit=2&before="+second.text("next"), token, ""), 200, 0)
	if got := contents(t, last); got != "1" || last.object["next"] != nil {
		t.Errorf("last page: %s", last.body)
	}
	newer := s.want(s.do("GET", "/v1/home/latest?limit=1&after="+second.text("next"), token, ""), 200, 0)
	if got := contents(t, newer); got != "3" {
		t.Errorf("newer than 2: %s", got)
	}
	s.want(s.do("GET", "/v1/home/latest?limit=0", token, ""), 400, 1002)
}
