package memory_test

import (
	"context"
	"errors"
	"testing"

	"meower/store"
	"meower/store/memory"
	"meower/store/storetest"
)

func TestContract(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Store { return memory.New() })
}

func TestUnavailable(t *testing.T) {
	s := memory.New()
	methods := storetest.Methods(s)
	s.SetAvailable(false)
	for name, call := range methods {
		if err := call(t.Context()); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s while unavailable: %v", name, err)
		}
	}
	s.SetAvailable(true)
	if counts, err := s.Counts(t.Context()); counts != (store.Counts{}) || err != nil {
		t.Errorf("after calls that failed the counts are %+v, %v", counts, err)
	}
	// Nothing any of them should have done has been done.
	if err := methods["CreateUser"](t.Context()); err != nil {
		t.Error(err)
	}
}

func TestClosed(t *testing.T) {
	s := memory.New()
	for range 2 {
		if err := s.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	s.SetAvailable(true) // does not open it again
	for name, call := range storetest.Methods(s) {
		if err := call(t.Context()); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s after Close: %v", name, err)
		}
	}
}

func TestCalls(t *testing.T) {
	s := memory.New()
	methods := storetest.Methods(s)
	for name, call := range methods {
		before := s.Calls()
		_ = call(t.Context())
		if calls := s.Calls() - before; calls != 1 {
			t.Errorf("%s counts as %d calls", name, calls)
		}
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	_ = s.Ping(cancelled) // failed calls count
	if calls, want := s.Calls(), int64(len(methods)+1); calls != want {
		t.Errorf("%d calls, want %d", calls, want)
	}
}
