package cl4

import (
	"errors"
	"net"
	"sync"
	"syscall"
	"time"
)

// wire is the network connection under the websocket library. It keeps what the
// library writes, so that frames which wait together leave in one write, and it
// can try to write without waiting, which the library cannot.
type wire struct {
	net.Conn
	// beforeRead is called by the reader each time it is about to wait for more.
	beforeRead func()
	headers    headers         // of the reader
	bad        bool            // a frame cannot be, and nothing after it is read
	raw        syscall.RawConn // nil where the connection has none
	attempt    func(fd uintptr) bool

	// Of the attempt under way.
	trying []byte
	tried  int
	failed error

	mu   sync.Mutex
	keep bool   // from the end of the handshake on
	out  []byte // written by the library and not sent yet
	own  bool   // the library is about to write a close frame of its own
	// refused says that it has done so: the client has broken the protocol.
	refused bool
}

func newWire(c net.Conn) *wire {
	w := &wire{Conn: c}
	if c, ok := c.(syscall.Conn); ok && canTry {
		if raw, err := c.SyscallConn(); err == nil {
			w.raw = raw
			w.attempt = w.tryOnce // once, since a method value is an allocation
		}
	}
	return w
}

// Read implements net.Conn.
func (w *wire) Read(p []byte) (int, error) {
	if w.beforeRead != nil {
		w.beforeRead()
	}
	if w.bad {
		return 0, errBadFrame
	}
	n, err := w.Conn.Read(p)
	if good := w.headers.check(p[:n]); good < n {
		w.bad = true
		if n, err = good, nil; n == 0 {
			err = errBadFrame
		}
	}
	return n, err
}

// Write implements net.Conn for the websocket library. Once the handshake is
// over it never fails and never waits. A close frame of the library's own is
// dropped, since it would go out before what is queued, and perhaps in addition
// to ours; the reader sends one in its place.
func (w *wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	if !w.keep {
		w.mu.Unlock()
		return w.Conn.Write(p)
	}
	if w.own {
		w.refused = true
	} else {
		w.out = append(w.out, p...)
	}
	w.mu.Unlock()
	return len(p), nil
}

// SetWriteDeadline implements net.Conn. The library sets one for every frame;
// since those are only kept, the time is not worth a timer. That there is a time
// tells the library's own close frames from what we have it write, for which it
// knows none.
func (w *wire) SetWriteDeadline(t time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.keep {
		w.own = !t.IsZero()
		return nil
	}
	return w.Conn.SetWriteDeadline(t)
}

// startKeeping begins to keep what is written.
func (w *wire) startKeeping(beforeRead func()) {
	w.mu.Lock()
	w.keep = true
	w.mu.Unlock()
	w.beforeRead = beforeRead
}

// lend gives the wire room for what it is to keep.
func (w *wire) lend(room []byte) {
	w.mu.Lock()
	if len(w.out) == 0 {
		w.out = room[:0]
	}
	w.mu.Unlock()
}

// append keeps a frame.
func (w *wire) append(f *frame) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.out = appendFrame(w.out, f.kind, f.data)
}

// broke reports whether the client has broken the protocol, so that the library
// reads no further.
func (w *wire) broke(err error) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.refused || errors.Is(err, errBadFrame)
}

// kept returns how many bytes wait.
func (w *wire) kept() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.out)
}

// take returns what waits and forgets it.
func (w *wire) take() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.out
	w.out = nil
	return out
}

// try sends what can be sent without waiting, and returns how much that was.
// Only one goroutine may send at a time.
func (w *wire) try(p []byte) (int, error) {
	if w.raw == nil || len(p) == 0 {
		return 0, nil
	}
	w.trying, w.tried, w.failed = p, 0, nil
	err := w.raw.Write(w.attempt)
	w.trying = nil
	if err == nil {
		err = w.failed
	}
	return w.tried, err
}
