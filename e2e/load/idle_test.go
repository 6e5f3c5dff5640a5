//go:build linux

package load

import (
	"testing"
	"time"
)

// BenchmarkIdle measures what connections cost that do nothing. All of them must
// still be there at the end.
func BenchmarkIdle(b *testing.B) {
	for _, kind := range []string{kindBare, meowerName} {
		var s *server
		if kind == meowerName {
			s = startMeower(b)
		} else {
			s = startLoop(b, kind, nil)
		}
		f := s.idle(b, number(b, "LOAD_IDLE", 2000), span(b, "LOAD_IDLE_WAIT", 20*time.Second))
		s.stop()
		report(b, s.name, f)
	}
}

// idle opens connections, leaves them alone for that long, and reads how much
// more memory the server uses than before: at once, while it still has to tidy
// up after the handshakes, and at the end.
func (s *server) idle(b *testing.B, connections int, wait time.Duration) figures {
	b.Helper()
	time.Sleep(time.Second) // the server has just started
	before := s.memory("VmRSS")
	started := time.Now()
	all := newPingers(b, connections, s.connect)
	defer all.close()
	connected := time.Since(started)
	kibibytes := func() float64 { return float64(s.memory("VmRSS")-before) / float64(connections) / 1024 }
	atOnce, cpu := kibibytes(), s.cpu()
	time.Sleep(wait)
	f := figures{
		"KiB/conn-at-once":   atOnce,
		"KiB/conn":           kibibytes(),
		"cpu-µs/conn/minute": float64((s.cpu() - cpu).Microseconds()) / float64(connections) / wait.Minutes(),
		"connects/s":         float64(connections) / connected.Seconds(),
		"connections":        float64(connections),
	}
	if answered, err := all.pingFor(0, 1); err != nil || answered != connections {
		b.Fatalf("%s: %d of %d connections answer after %v: %v", s.name, answered, connections, wait, err)
	}
	return f
}
