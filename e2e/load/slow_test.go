//go:build linux

package load

import (
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

const (
	others = 200
	// closeSlow is how the server parts with a client that does not keep up.
	closeSlow = 3008
	// slowWindow is shorter than the server's patience with a single write, past
	// which it can only cut the client off without a word.
	slowWindow = 6 * time.Second
	slowPace   = 20 * time.Millisecond
)

// largeContent fills the stopped client's queue within the window.
var largeContent = strings.Repeat("meow ", 700)

// distantDialer makes connections with the small segments and the small buffer
// of a client elsewhere. Over loopback a segment has 64 KiB, by which the kernel
// takes megabytes off the server before it makes it wait.
var distantDialer = websocket.Dialer{
	HandshakeTimeout: answerLimit,
	NetDialContext: (&net.Dialer{Control: func(_, _ string, raw syscall.RawConn) (err error) {
		controlErr := raw.Control(func(fd uintptr) {
			err = errors.Join(
				syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_MAXSEG, 1400),
				syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096),
			)
		})
		return errors.Join(err, controlErr)
	}}).DialContext,
}

// BenchmarkSlow measures how late posts reach everyone else while one subscriber
// has stopped reading, and without it, in turns. The one that has stopped must
// be closed with 3008.
func BenchmarkSlow(b *testing.B) {
	s := startMeower(b)
	token := s.register(b, "deaf")
	all := newSwarm(b, others, s.subscribe)
	results := map[bool]map[string][]float64{false: {}, true: {}}
	for range min(number(b, "LOAD_ROUNDS", 3), 3) {
		for _, stopped := range []bool{false, true} {
			delays, code := s.slow(b, all, token, stopped)
			if stopped && code != closeSlow {
				b.Errorf("the client that stopped reading was closed with %d, want %d", code, closeSlow)
			}
			result := results[stopped]
			result["median-ms"] = append(result["median-ms"], milliseconds(delays, 0.5))
			result["p99-ms"] = append(result["p99-ms"], milliseconds(delays, 0.99))
			result["max-ms"] = append(result["max-ms"], milliseconds(delays, 1))
			if stopped {
				result["closed-with"] = append(result["closed-with"], float64(code))
			}
		}
	}
	report(b, "everyone-reads", medians(results[false]))
	report(b, "one-has-stopped", medians(results[true]))
}

// slow posts to all for a while, and to one more that does not read where that
// is asked for. It returns the delays of all, and how that one was closed.
func (s *server) slow(b *testing.B, all *swarm, token string, stopped bool) (delays []time.Duration, code int) {
	b.Helper()
	var deaf *websocket.Conn
	if stopped {
		var err error
		deaf, err = s.follow(&distantDialer, token)
		must(b, err)
		defer deaf.Close()
	}
	all.record()
	posts := 0
	pace := time.NewTicker(slowPace)
	defer pace.Stop()
	for end := time.Now().Add(slowWindow); time.Now().Before(end); posts++ {
		<-pace.C
		all.start()
		must(b, s.post(largeContent))
	}
	must(b, all.await(posts))
	delays = all.recorded()
	if deaf != nil {
		code = closeCode(b, deaf)
	}
	return delays, code
}

// closeCode reads what the server had sent until it gave up on the client.
func closeCode(b *testing.B, ws *websocket.Conn) int {
	b.Helper()
	must(b, ws.SetReadDeadline(time.Now().Add(answerLimit)))
	for {
		_, _, err := ws.NextReader()
		var closed *websocket.CloseError
		if errors.As(err, &closed) {
			return closed.Code
		}
		if err != nil {
			b.Logf("the client that stopped reading: %v", err)
			return 0
		}
	}
}
