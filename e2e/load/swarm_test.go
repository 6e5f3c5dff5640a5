//go:build linux

package load

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/sync/errgroup"
)

const (
	// dialers is how many connections are made at a time.
	dialers = 16
	// readPause is how long the reader of posts rests after each look at its
	// sockets. Otherwise it is woken for nearly every frame, which takes its core
	// and part of the server's.
	readPause = time.Millisecond
)

// swarm is many clients of one server that only read. One goroutine reads them
// all, through epoll and one large buffer, and looks at nothing but the frames'
// headers: the cores are for the server. Since every client sees all posts in
// the same order, counting tells which post has reached everyone.
type swarm struct {
	epoll    int
	clients  []*swarmClient
	reached  []int    // clients that have seen the k-th post
	complete chan int // k, once everyone has seen the k-th post
	texts    func(s *swarm, c *swarmClient, n int)
	pause    time.Duration
	again    atomic.Bool // an answer leads to the next ping
	pinged   atomic.Int64
	answered atomic.Int64
	lost     atomic.Int64 // connections that the server has ended
	stop     atomic.Bool
	ended    chan struct{}

	mu      sync.Mutex
	started []time.Time     // of the k-th post, where delays are recorded
	delays  []time.Duration // of each delivery
}

type swarmClient struct {
	fd     int
	frames frameReader
	seen   int // posts
}

// newSwarm makes n connections that count posts, each by dial, which returns it
// ready for them and with nothing left to read.
func newSwarm(tb testing.TB, n int, dial func(i int) (*websocket.Conn, error)) *swarm {
	tb.Helper()
	return connectSwarm(tb, n, dial, (*swarm).count, readPause)
}

func connectSwarm(
	tb testing.TB, n int, dial func(i int) (*websocket.Conn, error), texts func(*swarm, *swarmClient, int), pause time.Duration,
) *swarm {
	tb.Helper()
	epoll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	must(tb, err)
	s := &swarm{
		epoll:    epoll,
		clients:  make([]*swarmClient, n),
		complete: make(chan int, 1<<14),
		texts:    texts,
		pause:    pause,
		ended:    make(chan struct{}),
	}
	tb.Cleanup(s.close)
	var dialing errgroup.Group
	dialing.SetLimit(dialers)
	for i := range n {
		dialing.Go(func() error {
			ws, err := dial(i)
			if err != nil {
				return fmt.Errorf("connection %d: %w", i, err)
			}
			fd, err := detach(ws)
			if err != nil {
				return err
			}
			s.clients[i] = &swarmClient{fd: fd}
			return nil
		})
	}
	err = dialing.Wait()
	for i, c := range s.clients {
		if c != nil && err == nil {
			err = syscall.EpollCtl(epoll, syscall.EPOLL_CTL_ADD, c.fd, &syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(i)})
		}
	}
	go s.read() // ends with close
	must(tb, err)
	return s
}

// detach takes the socket out of Go's hands, whose own poller would otherwise be
// woken by every packet, at the server's cost.
func detach(ws *websocket.Conn) (fd int, err error) {
	defer ws.Close()
	raw, err := ws.NetConn().(syscall.Conn).SyscallConn()
	if err != nil {
		return 0, err
	}
	syscall.ForkLock.RLock() // no server that is being started shall inherit it
	defer syscall.ForkLock.RUnlock()
	if controlErr := raw.Control(func(original uintptr) {
		if fd, err = syscall.Dup(int(original)); err == nil {
			syscall.CloseOnExec(fd)
		}
	}); controlErr != nil {
		return 0, controlErr
	}
	return fd, err
}

// close ends all connections by a reset, which leaves no port in TIME_WAIT.
func (s *swarm) close() {
	if s.stop.Swap(true) {
		return
	}
	<-s.ended
	for _, c := range s.clients {
		if c != nil {
			_ = syscall.SetsockoptLinger(c.fd, syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1})
			_ = syscall.Close(c.fd)
		}
	}
	_ = syscall.Close(s.epoll)
}

// read reads all clients until close.
func (s *swarm) read() {
	defer close(s.ended)
	events := make([]syscall.EpollEvent, 256)
	buffer := make([]byte, 256<<10)
	for !s.stop.Load() {
		n, err := syscall.EpollWait(s.epoll, events, 100)
		if err != nil && !errors.Is(err, syscall.EINTR) {
			panic(err)
		}
		for _, event := range events[:max(n, 0)] {
			s.readClient(s.clients[event.Fd], buffer)
		}
		time.Sleep(s.pause)
	}
}

func (s *swarm) readClient(c *swarmClient, buffer []byte) {
	n, err := syscall.Read(c.fd, buffer)
	if errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EINTR) {
		return
	}
	if err != nil || n == 0 {
		s.lost.Add(1)
		_ = syscall.EpollCtl(s.epoll, syscall.EPOLL_CTL_DEL, c.fd, nil)
		return
	}
	texts := 0
	c.frames.feed(buffer[:n], func(opcode int, payload []byte) {
		switch opcode {
		case opText:
			texts++
		case opPing: // the server gives up on a client that does not answer
			_, _ = syscall.Write(c.fd, clientFrame(opPong, payload)) // a broken one fails the next read
		}
	})
	if texts > 0 {
		s.texts(s, c, texts)
	}
}

// count notes that a client has seen some posts more.
func (s *swarm) count(c *swarmClient, posts int) {
	s.mu.Lock()
	now := time.Time{}
	if s.started != nil {
		now = time.Now()
	}
	for k := c.seen; k < c.seen+posts; k++ {
		if k == len(s.reached) {
			s.reached = append(s.reached, 0)
		}
		if s.reached[k]++; s.reached[k] == len(s.clients) {
			s.complete <- k
		}
		if k < len(s.started) {
			s.delays = append(s.delays, now.Sub(s.started[k]))
		}
	}
	c.seen += posts
	s.mu.Unlock()
}

// start is called before a post is sent, when delays are recorded: posts must
// then be sent one after the other.
func (s *swarm) start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.started = append(s.started, time.Now())
}

// record makes the swarm record delays from the next post on.
func (s *swarm) record() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.started = make([]time.Time, len(s.reached), len(s.reached)+1024)
	s.delays = nil
}

// recorded returns the delays, shortest first, and ends their recording.
func (s *swarm) recorded() []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	delays := s.delays
	s.started, s.delays = nil, nil
	slices.Sort(delays)
	return delays
}

// await waits until that many posts more have reached everyone.
func (s *swarm) await(posts int) error {
	limit := time.After(answerLimit)
	for range posts {
		select {
		case <-s.complete:
		case <-limit:
			return fmt.Errorf("%w: posts have not reached everyone; %d connections lost", os.ErrDeadlineExceeded, s.lost.Load())
		}
	}
	return nil
}
