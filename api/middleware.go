package api

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/rs/cors"
)

const (
	requestIDHeader    = "X-Request-Id"
	maxRequestIDLength = 64
	// apiPolicy lets a browser load nothing on behalf of an answer.
	apiPolicy = "default-src 'none'; frame-ancestors 'none'"
	// corsMaxAge is how long a browser may rely on a preflight, in seconds.
	corsMaxAge = 600
)

// observed gives a request its id and its call, writes its line in the log, and
// answers for what panics.
func (a *API) observed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		started := time.Now()
		w := &recorder{ResponseWriter: rw}
		c := &call{w: w, address: a.addresses(r), requestID: requestID(r)}
		c.ctx = context.WithValue(r.Context(), callKey{}, c)
		c.r = r.WithContext(c.ctx)
		header := w.Header()
		header.Set(requestIDHeader, c.requestID)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Content-Security-Policy", apiPolicy)

		defer a.logged(c, w, started)
		defer a.recovered(c, w)
		next.ServeHTTP(w, c.r)
	})
}

// recovered turns a panic into an internal error instead of a dropped
// connection.
func (a *API) recovered(c *call, w *recorder) {
	cause := recover()
	if cause == nil {
		return
	}
	if cause == http.ErrAbortHandler { //nolint:errorlint // net/http compares it, too
		panic(cause)
	}
	a.log.ErrorContext(c.ctx, "panic", slog.String("request", c.requestID), slog.String("route", c.pattern),
		slog.Any("cause", cause), slog.String("stack", string(debug.Stack())))
	if w.status != 0 {
		// Half an answer is out: only a broken connection tells the client.
		panic(http.ErrAbortHandler)
	}
	a.fail(c, errPanicked)
}

// logged writes the one line that each request leaves.
func (a *API) logged(c *call, w *recorder, started time.Time) {
	attrs := []slog.Attr{
		slog.String("request", c.requestID),
		slog.String("method", c.r.Method),
		slog.String("route", c.pattern),
		slog.Int("status", w.status),
		slog.Duration("duration", time.Since(started)),
	}
	if c.user != nil {
		attrs = append(attrs, slog.String("user", c.user.User.ID))
	}
	a.log.LogAttrs(c.ctx, slog.LevelInfo, "request", attrs...)
}

// guarded refuses blocked addresses before anything else is looked at, and takes
// the trailing slash off the path, which makes no difference.
func (a *API) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := callOf(r)
		if path := strings.TrimRight(r.URL.Path, "/"); path != r.URL.Path {
			if path == "" {
				path = "/"
			}
			url := *r.URL
			url.Path, url.RawPath = path, ""
			r = r.WithContext(c.ctx) // a copy: the original is not ours to change
			r.URL = &url
		}
		// Probes come from whoever runs the server and must not depend on the store.
		if r.URL.Path != "/healthz" && r.URL.Path != "/readyz" {
			if err := a.core.CheckAddress(c.ctx, c.address); err != nil {
				a.fail(c, err)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// withCORS lets pages of the allowed origins call the API, never with
// credentials: tokens travel in a header that the page itself must set.
func withCORS(origins []string, next http.Handler) http.Handler {
	if len(origins) == 0 {
		return next // the library takes none for all
	}
	return cors.New(cors.Options{
		AllowedOrigins: origins,
		AllowedMethods: []string{
			http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		},
		AllowedHeaders: []string{
			"Authorization", "Content-Type", "Idempotency-Key", requestIDHeader,
			"X-Client-Name", "X-Client-Version", "X-Client-Type",
		},
		ExposedHeaders: []string{
			requestIDHeader, "Retry-After", bucketHeader, remainingHeader, resetHeader,
		},
		AllowCredentials: false,
		MaxAge:           corsMaxAge,
	}).Handler(next)
}

// requestID returns the client's id for its request where it is fit to be
// logged, else a new one.
func requestID(r *http.Request) string {
	id := r.Header.Get(requestIDHeader)
	if id == "" || len(id) > maxRequestIDLength {
		return rand.Text()
	}
	for i := range len(id) {
		if b := id[i]; !isNameByte(b) {
			return rand.Text()
		}
	}
	return id
}

// isNameByte reports whether b is one of A-Z a-z 0-9 _ - and the full stop.
func isNameByte(b byte) bool {
	return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || b == '_' || b == '-' || b == '.'
}

// recorder remembers the status of an answer.
type recorder struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (w *recorder) WriteHeader(status int) {
	if w.status == 0 && status >= http.StatusOK {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *recorder) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	if err != nil {
		return n, fmt.Errorf("write answer: %w", err)
	}
	return n, nil
}

// Unwrap lets http.ResponseController reach the connection.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
