package bus

import (
	"testing"
	"time"
)

func TestBackoffGrowsToItsLimit(t *testing.T) {
	t.Parallel()
	for tries, want := range []time.Duration{
		100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond, 800 * time.Millisecond,
		1600 * time.Millisecond, 2 * time.Second, 2 * time.Second,
	} {
		for range 100 {
			if got := defaultTiming.backoff(tries); got > want || got < want/2 {
				t.Errorf("after %d tries %v, want %v to %v", tries, got, want/2, want)
			}
		}
	}
	if got := defaultTiming.backoff(1 << 40); got > defaultTiming.maxBackoff || got < defaultTiming.maxBackoff/2 {
		t.Errorf("after a long outage %v", got)
	}
}
