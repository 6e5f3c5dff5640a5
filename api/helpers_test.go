package api

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"meower/bus"
	"meower/core"
	"meower/store"
	"meower/store/memory"
)

// addressHeader is how tests choose the address of a client.
const addressHeader = "Test-Address"

type server struct {
	t     *testing.T
	api   *API
	url   string
	store *memory.Store
	redis *miniredis.Miniredis
	ids   *core.IDs
	log   *logBuffer
	http  *http.Client
}

// logBuffer keeps the log of the server under test.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// newServer starts an API over memory; change may alter its options.
func newServer(t *testing.T, change func(*Options)) *server {
	t.Helper()
	mini := miniredis.RunT(t)
	client := redis.NewClient(&redis.Options{Addr: mini.Addr(), ContextTimeoutEnabled: true, MaxRetries: -1})
	t.Cleanup(func() { _ = client.Close() })
	ids, err := core.NewIDs(0, 0, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, store: memory.New(), redis: mini, ids: ids, log: &logBuffer{}}
	log := slog.New(slog.NewTextHandler(s.log, nil))
	local := bus.NewLocal()
	c, err := core.New(t.Context(), core.Options{
		Store: s.store, Redis: client, Bus: local, IDs: ids, Clock: time.Now, Log: log, PasswordCost: 4,
	})
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Core: c, Log: log, Version: "test", Addresses: func(r *http.Request) string {
		if address := r.Header.Get(addressHeader); address != "" {
			return address
		}
		return "192.0.2.1"
	}}
	if change != nil {
		change(&o)
	}
	s.api = New(o)
	listener := httptest.NewServer(s.api.Handler())
	t.Cleanup(listener.Close)
	s.url, s.http = listener.URL, listener.Client()
	s.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return s
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
	object map[string]any // nil where the body is not an object
}

func (a answer) code() int {
	code, _ := a.object["code"].(float64)
	return int(code)
}

func (a answer) text(key string) string {
	s, _ := a.object[key].(string)
	return s
}

// do sends a request; headers are pairs of name and value.
func (s *server) do(method, path, token, body string, headers ...string) answer {
	s.t.Helper()
	a, err := s.try(method, path, token, body, headers...)
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

// try is do for goroutines, which must not end the test.
func (s *server) try(method, path, token, body string, headers ...string) (answer, error) {
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, reader)
	if err != nil {
		return answer{}, err
	}
	if token != "" {
		r.Header.Set("Authorization", token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := s.http.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}, err
	}
	a := answer{status: resp.StatusCode, header: resp.Header, body: string(raw)}
	_ = json.Unmarshal(raw, &a.object)
	return a, nil
}

// want checks the status and the code, 0 for an answer that is no refusal.
func (s *server) want(a answer, status, code int) answer {
	s.t.Helper()
	if a.status != status || a.code() != code {
		s.t.Fatalf("got %d %s, want %d with code %d", a.status, a.body, status, code)
	}
	return a
}

const testPassword = "correct horse"

// register makes a user and returns the id and a token.
func (s *server) register(name string) (id, token string) {
	s.t.Helper()
	a := s.want(s.do("POST", "/v1/auth/register", "", `{"username":"`+name+`","password":"`+testPassword+`"}`), 200, 0)
	return a.text("user_id"), a.text("access_token")
}

// punish gives a user an infraction without an end.
func (s *server) punish(userID string, action int) {
	s.t.Helper()
	err := s.store.CreateInfraction(s.t.Context(), store.Infraction{ID: s.ids.Next(), UserID: userID, Action: action, Created: time.Now()})
	if err != nil {
		s.t.Fatal(err)
	}
}
