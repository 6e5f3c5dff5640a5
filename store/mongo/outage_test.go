package mongo

import (
	"context"
	"errors"
	"testing"
	"time"

	"meower/e2e/containers"
	"meower/store"
	"meower/store/storetest"
)

// patience is far longer than any method may take.
const patience = 30 * time.Second

// TestOutage takes the server away in both ways there are: stopped, so that it
// refuses connections, and frozen, so that only a timeout notices. Every method
// says so in time, and works again afterwards without anyone's help.
func TestOutage(t *testing.T) {
	t.Parallel()
	server := containers.Mongo(t)
	s, err := Open(t.Context(), server.URI(), "meower")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shut(t, s) })
	for _, outage := range []struct {
		name       string
		begin, end func(testing.TB)
	}{
		{"stopped", server.Stop, server.Start},
		{"frozen", server.Pause, server.Unpause},
	} {
		t.Run(outage.name, func(t *testing.T) {
			methods := storetest.Methods(s)
			outage.begin(t)
			for name, err := range together(t, methods) {
				if !errors.Is(err, store.ErrUnavailable) {
					t.Errorf("%s during the outage: %v", name, err)
				}
			}
			outage.end(t)
			// A monitor looks for the server twice a second, and whoever asks
			// meanwhile waits for what it finds.
			if err := s.Ping(t.Context()); err != nil {
				t.Errorf("after the outage: %v", err)
			}
			for name, err := range together(t, storetest.Methods(s)) {
				if errors.Is(err, store.ErrUnavailable) {
					t.Errorf("%s after the outage: %v", name, err)
				}
			}
		})
	}
}

// together calls all methods at the same time, and returns their errors. The
// callers are patient; it fails the test when a method is as patient as they.
func together(t *testing.T, methods map[string]func(context.Context) error) map[string]error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	type result struct {
		name string
		err  error
	}
	results := make(chan result)
	for name, call := range methods {
		go func() { results <- result{name, call(ctx)} }()
	}
	errs := make(map[string]error)
	for range methods {
		r := <-results
		errs[r.name] = r.err
	}
	if ctx.Err() != nil {
		t.Error("a method has no bound of its own")
	}
	return errs
}
