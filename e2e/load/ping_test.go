//go:build linux

package load

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

const (
	pingers      = 50
	pingsAtATime = 8
)

// BenchmarkPing measures round trips of commands that cost nothing themselves:
// each connection always has several under way.
func BenchmarkPing(b *testing.B) {
	compare(b, "roundtrip", startAll(b), func(b *testing.B, s *server) func() (figures, error) {
		all := newPingers(b, pingers, s.connect)
		return func() (figures, error) {
			var trips int
			took, used, err := s.usage(func() (err error) {
				trips, err = all.pingFor(span(b, "LOAD_WINDOW", 3*time.Second), pingsAtATime)
				return err
			})
			f := used.per("roundtrip", trips)
			f["roundtrips/s"] = float64(trips) / took.Seconds()
			return f, err
		}
	})
}

// pingFrames are as many pings as are ever under way on one connection.
var pingFrames = bytes.Repeat(clientFrame(opText, []byte(pingPacket)), pingsAtATime)

// newPingers makes n connections whose texts are the answers to pings.
func newPingers(tb testing.TB, n int, dial func(i int) (*websocket.Conn, error)) *swarm {
	tb.Helper()
	return connectSwarm(tb, n, dial, (*swarm).pong, 0)
}

// ping sends pings in one write. There are few under way, so that the socket
// always takes them whole.
func (s *swarm) ping(c *swarmClient, n int) error {
	s.pinged.Add(int64(n))
	frames := pingFrames[:n*len(pingFrames)/pingsAtATime]
	written, err := syscall.Write(c.fd, frames)
	if err == nil && written < len(frames) {
		err = io.ErrShortWrite
	}
	return err
}

// pong notes that pings have been answered, and sends as many again.
func (s *swarm) pong(c *swarmClient, answers int) {
	if s.again.Load() && s.ping(c, answers) != nil {
		s.lost.Add(1)
	}
	s.answered.Add(int64(answers)) // last, so that it never looks as if all were answered
}

// pingFor keeps some pings of every client under way for that long, waits until
// all are answered and returns how many there were.
func (s *swarm) pingFor(window time.Duration, atATime int) (trips int, err error) {
	before := s.pinged.Load()
	s.again.Store(window > 0)
	for _, c := range s.clients {
		if err := s.ping(c, atATime); err != nil {
			return 0, err
		}
	}
	time.Sleep(window)
	s.again.Store(false)
	for limit := time.Now().Add(answerLimit); s.answered.Load() < s.pinged.Load(); time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			return 0, fmt.Errorf("%w: pings are not answered", os.ErrDeadlineExceeded)
		}
	}
	if lost := s.lost.Load(); lost > 0 {
		return 0, fmt.Errorf("%d connections lost", lost)
	}
	return int(s.pinged.Load() - before), nil
}
