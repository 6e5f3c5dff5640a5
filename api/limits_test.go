package api

import (
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"meower/core"
)

func limited(overrides map[string]core.Limit) func(*Options) {
	return func(o *Options) { o.RateLimits, o.LimitOverrides = true, overrides }
}

func TestLimitByAddress(t *testing.T) {
	s := newServer(t, limited(nil))
	for i, want := range []string{"1", "0"} {
		a := s.want(s.do("POST", "/v1/auth/register", "", "{"), 400, 1001)
		if got := a.header.Get(remainingHeader); got != want || a.header.Get(bucketHeader) != "register" || a.header.Get(resetHeader) != "60" {
			t.Errorf("hit %d: %v", i, a.header)
		}
	}
	a := s.want(s.do("POST", "/v1/auth/register", "", "{"), 429, 1031)
	if a.header.Get("Retry-After") != "60" || a.header.Get(remainingHeader) != "0" {
		t.Errorf("refused with %v", a.header)
	}
	s.want(s.do("POST", "/v1/auth/register", "", "{", addressHeader, "192.0.2.2"), 400, 1001)
	s.redis.FastForward(time.Minute)
	s.want(s.do("POST", "/v1/auth/register", "", "{"), 400, 1001)
}

func TestLimitByUser(t *testing.T) {
	s := newServer(t, limited(map[string]core.Limit{defaultBucket: {Hits: 3, Window: time.Minute}}))
	_, ada := s.register("ada")
	_, bob := s.register("bob")
	for range 3 {
		a := s.want(s.do("GET", "/v1/me/profile", ada, ""), 200, 0)
		if a.header.Get(bucketHeader) != defaultBucket {
			t.Errorf("bucket %q", a.header.Get(bucketHeader))
		}
	}
	s.want(s.do("GET", "/v1/me/sessions", ada, "", addressHeader, "192.0.2.2"), 429, 1031)
	s.want(s.do("GET", "/v1/me/profile", bob, ""), 200, 0)
	s.want(s.do("POST", "/v1/home", ada, `{"content":"hi"}`), 200, 0)
	s.want(s.do("POST", "/v1/home", ada, `not JSON`), 429, 1031) // before the body
	if a := s.do("GET", "/v1", "", ""); a.header.Get(bucketHeader) != "" {
		t.Error("a route without a limit names a bucket")
	}
}

func TestLimitUnderLoad(t *testing.T) {
	const hits, limit = 100, 7
	s := newServer(t, limited(map[string]core.Limit{"login": {Hits: limit, Window: time.Minute}}))
	var allowed, refused, other atomic.Int64
	var wait sync.WaitGroup
	for range hits {
		wait.Go(func() {
			a, err := s.try("POST", "/v1/auth/password", "", "{")
			switch {
			case err == nil && a.code() == 1001:
				allowed.Add(1)
			case err == nil && a.code() == 1031:
				refused.Add(1)
			default:
				other.Add(1)
			}
		})
	}
	wait.Wait()
	if allowed.Load() != limit || refused.Load() != hits-limit {
		t.Errorf("%d allowed, %d refused, %d other", allowed.Load(), refused.Load(), other.Load())
	}
}

func TestLimitsOff(t *testing.T) {
	s := newServer(t, nil)
	for i := range 5 {
		s.register("user" + strconv.Itoa(i))
	}
}
