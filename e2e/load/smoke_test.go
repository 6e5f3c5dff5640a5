//go:build linux

package load

import (
	"bytes"
	"fmt"
	"testing"
	"time"
)

// TestSmoke checks that what is measured happens: with every server a few posts
// reach a few subscribers, in order, and pings are answered.
func TestSmoke(t *testing.T) {
	dependOnSources(t)
	for _, s := range startAll(t) {
		t.Run(s.name, func(t *testing.T) {
			reader, err := s.subscribe(0)
			must(t, err)
			defer reader.Close()
			all := newSwarm(t, 10, s.subscribe)
			all.record()
			for i := range 5 {
				all.start()
				must(t, s.post(fmt.Sprint("post number ", i)))
			}
			must(t, all.await(5))
			if delays := all.recorded(); len(delays) != 50 || delays[0] < 0 || delays[49] > answerLimit {
				t.Errorf("%d delays: %v", len(delays), delays)
			}
			for i := range 5 {
				must(t, reader.SetReadDeadline(time.Now().Add(answerLimit)))
				_, event, err := reader.ReadMessage()
				must(t, err)
				if !bytes.Contains(event, fmt.Append(nil, "post number ", i)) {
					t.Errorf("event %d is %s", i, event)
				}
			}
			if trips, err := newPingers(t, 3, s.connect).pingFor(50*time.Millisecond, 8); err != nil || trips < 24 {
				t.Errorf("%d pings answered: %v", trips, err)
			}
			if s.cpu() == 0 || s.memory("VmRSS") == 0 {
				t.Errorf("the process used %v and %d bytes", s.cpu(), s.memory("VmRSS"))
			}
		})
	}
}
