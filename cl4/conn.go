package cl4

import (
	"bytes"
	"compress/flate"
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"
	"golang.org/x/time/rate"

	"meower/bus"
	"meower/core"
)

// Close codes. Those from 3000 on are Meower's own (cl4.md, "Connections").
const (
	closeProtocol       = websocket.CloseProtocolError
	closeUnsupported    = websocket.CloseUnsupportedData
	closeInvalidText    = websocket.CloseInvalidFramePayloadData
	closePolicy         = websocket.ClosePolicyViolation
	closeTooBig         = websocket.CloseMessageTooBig
	closeRestart        = websocket.CloseServiceRestart
	closeTryLater       = websocket.CloseTryAgainLater
	closeSessionRevoked = 3000
	closeUnauthed       = 3001
	closeBanned         = 3002
	closeAccountDeleted = 3003
	closeResumed        = 3004
	closeSlow           = 3008
)

// errCutOff is why a write fails that would have waited for a client that has
// been given up.
var errCutOff = errors.New("cl4: connection cut off")

// conn is one client. A goroutine of its own reads and runs the commands; it is
// written by whoever has claimed its writing side (write.go); everyone else only
// queues.
type conn struct {
	server  *Server
	ws      *websocket.Conn
	wire    *wire
	ctx     context.Context // of the commands; ends with the connection
	cancel  context.CancelFunc
	address string
	who     atomic.Pointer[identity] // nil until authenticated
	cut     atomic.Bool              // nobody waits for the client any more
	alive   atomic.Int64             // the last sign of life, as time since the server was made
	opened  time.Time

	// The reader's own.
	identified       bool
	closeAfterAnswer bool
	principal        *core.Principal
	budget           *rate.Limiter // nil until there is a command to count
	refusals         int           // in a row
	client           *roomClient   // nil until identified, and where there are no rooms

	// The hub's, under its lock.
	topics        []string
	lost          []string // subscriptions that ended with what they were about
	subscriptions int      // those of the topics that the client asked for

	// Of who writes.
	written    uint64 // bytes, since the handshake
	halfClosed bool   // nothing is written any more

	mu       sync.Mutex
	queue    []*frame
	held     []*frame // events that wait for ready
	holding  bool
	bytes    int    // of queue, held and the frames that are being written
	closing  *frame // the close frame, once it has been decided
	closed   bool   // the close frame is out, or on its way
	closedAt time.Time
	ended    bool          // the reader has ended; nothing is queued any more
	writing  bool          // the writing side has been claimed
	broken   bool          // it cannot be written to
	idle     chan struct{} // closed when the writing side is given back; nil while nobody waits
	pinged   time.Time
	recent   []sentEvent   // the events that the client may not have received
	forgot   uint64        // the end of the last event that recent had no room for
	missed   *bus.Position // before the first event that was dropped; nil where none was
}

func newConn(s *Server, ws *websocket.Conn, w *wire, address string) *conn {
	c := &conn{server: s, ws: ws, wire: w, address: address, opened: time.Now()}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.pinged = c.opened
	c.live()
	w.startKeeping(c.flush)
	return c
}

// live takes note of a sign of life.
func (c *conn) live() { c.alive.Store(int64(time.Since(c.server.born))) }

// serve runs the connection until it has ended.
func (c *conn) serve() {
	clean := c.read()
	c.finish(clean)
}

// cutOff ends the connection without waiting for the client, and the command
// under way. The socket is left to the reader to close, who wants to know first
// what the client has received.
func (c *conn) cutOff() { c.cutOffIn(0) }

// cutOffIn is cutOff that lets a write go on for a moment.
func (c *conn) cutOffIn(moment time.Duration) {
	c.cut.Store(true)
	c.cancel()
	// A broken connection, which takes no deadline, has ended by itself.
	_ = c.wire.Conn.SetWriteDeadline(time.Now().Add(moment))
	_ = c.wire.SetReadDeadline(time.Unix(1, 0))
}

// incoming is what a frame is read with. Idle connections need none.
type incoming struct {
	buffer bytes.Buffer
	limit  io.LimitedReader
	keys   [maxKeys]key
}

var incomings = sync.Pool{New: func() any { return new(incoming) }}

// read takes frames until the connection ends. Once it is being closed, frames
// are read and dropped, so that the client's answer to the close is seen and
// unread bytes do not reset the connection under the close frame. It returns
// true where the client has closed, so that nothing more comes.
func (c *conn) read() (clean bool) {
	c.ws.SetPongHandler(func(string) error {
		c.live()
		return nil
	})
	c.ws.SetPingHandler(func(data string) error {
		c.mu.Lock()
		c.enqueue(&frame{kind: websocket.PongMessage, data: []byte(data), at: time.Now()})
		c.mu.Unlock()
		return nil
	})
	c.ws.SetCloseHandler(func(code int, _ string) error {
		c.close(code, "")
		return nil
	})
	for {
		kind, reader, err := c.ws.NextReader()
		if err != nil {
			if c.wire.broke(err) {
				c.close(closeProtocol, "")
			}
			var closed *websocket.CloseError
			return errors.As(err, &closed)
		}
		if kind != websocket.TextMessage {
			c.close(closeUnsupported, "")
			continue
		}
		c.readFrame(reader)
	}
}

// readFrame handles one text frame. Where reading fails, so does what is read
// next.
func (c *conn) readFrame(reader io.Reader) {
	in := incomings.Get().(*incoming)
	in.buffer.Reset()
	in.limit = io.LimitedReader{R: reader, N: maxFrame + 1}
	defer in.recycle()
	_, err := in.buffer.ReadFrom(&in.limit)
	frame := in.buffer.Bytes()
	switch {
	case isCorrupt(err):
		c.close(closeInvalidText, "")
	case err != nil: // the loop hears of it, too
	case c.isClosing(): // looked at only now, since the frame may have been long in coming
	case len(frame) > maxFrame:
		c.close(closeTooBig, "")
	case !utf8.Valid(frame):
		c.close(closeInvalidText, "")
	default:
		c.handleFrame(frame, in.keys[:])
	}
}

// isCorrupt reports whether it was what the client had compressed that could not
// be read, and not the connection, whose end the library calls a close.
func isCorrupt(err error) bool {
	var corrupt flate.CorruptInputError
	return errors.As(err, &corrupt) || errors.Is(err, io.ErrUnexpectedEOF)
}

func (in *incoming) recycle() {
	in.limit.R = nil
	for i := range in.keys {
		if in.keys[i].name == "" {
			break
		}
		in.keys[i] = key{}
	}
	incomings.Put(in)
}

// finish ends what the reader leaves behind: it takes the connection out of the
// hub, lets out what can be let out, closes the socket, and keeps what the
// client needs to go on elsewhere.
func (c *conn) finish(clean bool) {
	c.cancel()
	departure, left := c.server.leave(c)
	ended := c.server.leaveRooms(c)
	c.mu.Lock()
	c.ended = true
	c.mu.Unlock()
	c.waitWritten()
	c.flush()
	c.waitWritten()
	half := c.closeWrite()
	if departure != nil && c.awaitsReceipt() {
		c.awaitReceipt()
	}
	// Of one that could not be authenticated, there is nothing to go on with.
	if missing := c.missing(left); missing != nil && departure != nil {
		departure.From = *missing
	} else {
		departure = nil
	}
	c.server.keep(c, departure)
	c.server.endStays(ended)
	if half && !clean {
		c.linger()
	}
	_ = c.ws.Close() // there is nobody left to tell
}

// closeWrite tells the client that nothing more comes.
func (c *conn) closeWrite() bool {
	half, ok := c.wire.Conn.(interface{ CloseWrite() error })
	c.halfClosed = ok && half.CloseWrite() == nil
	return c.halfClosed
}

const (
	// receiptWait is how long the end of a connection waits until the client's
	// system has acknowledged what it was sent: what it had already would come
	// again. Systems put that off for 200 ms at most, and one that is gone never
	// does it.
	receiptWait = 250 * time.Millisecond
	receiptTick = 2 * time.Millisecond
)

// awaitsReceipt reports whether there are events that the client may not have.
func (c *conn) awaitsReceipt() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(c.recent)
	return n > 0 && c.recent[n-1].end > c.received()
}

func (c *conn) awaitReceipt() {
	tick := time.NewTicker(receiptTick)
	defer tick.Stop()
	limit := time.NewTimer(receiptWait)
	defer limit.Stop()
	for c.awaitsReceipt() {
		select {
		case <-tick.C:
		case <-limit.C:
			return
		}
	}
}

// linger reads on until the client has closed, too, for a moment at most. To
// close before, with unread bytes, would reset the connection under the close
// frame.
func (c *conn) linger() {
	if c.wire.SetReadDeadline(time.Now().Add(c.server.timing.goodbye)) != nil || c.cut.Load() {
		return
	}
	const enough = 1 << 20
	_, _ = io.CopyN(io.Discard, c.wire.Conn, enough) // ends with the connection, or the deadline
}

// keptRecent is how many events are remembered before it is worth to ask which of
// them the client has; a connection keeps the memory for so many.
const keptRecent = 64

// remember keeps the events that were just written until the client has them. It
// needs the lock.
func (c *conn) remember(events []sentEvent) {
	const most = 4096
	if len(c.recent)+len(events) > max(keptRecent, cap(c.recent)) {
		c.forgetReceived()
	}
	c.recent = append(c.recent, events...)
	if excess := len(c.recent) - most; excess > 0 {
		c.forgot = c.recent[excess-1].end
		c.recent = append(c.recent[:0], c.recent[excess:]...)
	}
}

// forgetReceived forgets the events that the client's system has acknowledged.
// Only who writes calls it; it needs the lock.
func (c *conn) forgetReceived() {
	received := c.received()
	kept := c.recent[:0]
	for _, e := range c.recent {
		if e.end > received {
			kept = append(kept, e)
		}
	}
	c.recent = kept
	if len(kept) == 0 && cap(kept) > keptRecent {
		c.recent = nil
	}
}

// received returns how many bytes have reached the client's system.
func (c *conn) received() uint64 {
	waiting, known := c.wire.unacknowledged()
	if !known || waiting < 0 {
		return c.written
	}
	if c.halfClosed && waiting > 0 {
		waiting-- // the end itself counts as a byte
	}
	return c.written - min(c.written, uint64(waiting)) //nolint:gosec // not negative
}

// missing returns the position from which the client has to hear again: before
// the first event that has not reached it, or else where it left. nil where that
// is not known. It is called when nobody writes any more.
func (c *conn) missing(left *bus.Position) *bus.Position {
	c.mu.Lock()
	defer c.mu.Unlock()
	received := c.received()
	if c.forgot > received {
		return nil
	}
	for _, e := range c.recent {
		if e.end > received {
			return e.prior
		}
	}
	for _, f := range c.queue {
		if f.prior != nil {
			return f.prior
		}
	}
	if c.missed != nil {
		return c.missed
	}
	return left
}
