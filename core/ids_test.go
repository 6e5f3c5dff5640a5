package core

import (
	"sync"
	"testing"
	"time"
)

func TestIDsAreUniqueAndGrowWhateverTheClockDoes(t *testing.T) {
	now := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	steps := 0
	g, err := NewIDs(31, 31, func() time.Time {
		steps++
		return now.Add(time.Duration(steps%7-3) * time.Second) // forth and back
	})
	if err != nil {
		t.Fatal(err)
	}
	last := ""
	for range 20_000 {
		id := g.Next()
		if len(id) != idDigits || id <= last {
			t.Fatalf("%s after %s", id, last)
		}
		last = id
	}
}

func TestIDsOfAStandingClockAreUnique(t *testing.T) {
	now := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	g, err := NewIDs(0, 1, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	seen := make(map[string]bool)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 2000 {
				id := g.Next()
				mu.Lock()
				if seen[id] {
					t.Errorf("%s twice", id)
				}
				seen[id] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}

func TestNodeNumbersAreChecked(t *testing.T) {
	for _, pair := range [][2]int{{-1, 0}, {32, 0}, {0, -1}, {0, 32}} {
		if _, err := NewIDs(pair[0], pair[1], time.Now); err == nil {
			t.Errorf("numbers %v were accepted", pair)
		}
	}
}

func TestParseIDMakesIDsComparable(t *testing.T) {
	for in, want := range map[string]string{
		"0": "0000000000000000000", "5": "0000000000000000005", "1234567890123456789": "1234567890123456789",
	} {
		if got, ok := ParseID(in); !ok || got != want {
			t.Errorf("ParseID(%q) = %q, %v", in, got, ok)
		}
	}
	for _, in := range []string{"", "-1", "1e3", "12345678901234567890", "１", "1 "} {
		if got, ok := ParseID(in); ok {
			t.Errorf("ParseID(%q) = %q", in, got)
		}
	}
}
