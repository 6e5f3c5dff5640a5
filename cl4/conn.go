package cl4

import (
	"bytes"
	"context"
	"io"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"
	"golang.org/x/time/rate"

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
	closeAccountDeleted = 3003
	closeSlow           = 3008
)

// timing is how long a connection waits for things.
type timing struct {
	ping    time.Duration // between two pings
	pong    time.Duration // for a sign of life
	write   time.Duration // for one packet to go out
	auth    time.Duration // for authentication, where it is required
	goodbye time.Duration // for the client's answer to a close
}

var defaultTiming = timing{
	ping:    25 * time.Second,
	pong:    60 * time.Second,
	write:   10 * time.Second,
	auth:    60 * time.Second,
	goodbye: 3 * time.Second,
}

// frameBuffers hold the frames while they are handled, so that idle connections
// need none.
var frameBuffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// conn is one client. Its handler's goroutine reads and runs the commands, one
// other goroutine writes; everyone else only queues.
type conn struct {
	server  *Server
	ws      *websocket.Conn
	ctx     context.Context // of the commands; ends with the connection
	cancel  context.CancelFunc
	address string
	who     atomic.Pointer[identity] // nil until authenticated

	// The reader's own.
	identified       bool
	principal        *core.Principal
	budget           *rate.Limiter // nil is no limit
	refusals         int           // in a row
	closeAfterAnswer bool

	wake chan struct{} // one slot: there is something to write
	gone chan struct{} // closed when the reader has ended
	done chan struct{} // closed when the writer has ended

	mu      sync.Mutex
	queue   []outgoing
	held    []outgoing // events that wait for ready
	holding bool
	bytes   int // of queue, held and the packet that is being written
	closing *closeFrame
	closed  bool // the close frame is out
}

func newConn(ctx context.Context, s *Server, ws *websocket.Conn, address string) *conn {
	ctx, cancel := context.WithCancel(ctx)
	c := &conn{
		server:  s,
		ws:      ws,
		ctx:     ctx,
		cancel:  cancel,
		address: address,
		wake:    make(chan struct{}, 1),
		gone:    make(chan struct{}),
		done:    make(chan struct{}),
	}
	if perSecond := s.commandsPerSecond; perSecond > 0 {
		c.budget = rate.NewLimiter(rate.Limit(perSecond), burstFactor*perSecond)
	}
	return c
}

// serve runs the connection until it has ended, the writer included.
func (c *conn) serve() {
	go c.write()
	c.read()
	close(c.gone)
	c.cutOff() // a write under way waits for nobody
	<-c.done
}

// cutOff ends the connection without a word, and the command under way.
func (c *conn) cutOff() {
	c.cancel()
	_ = c.ws.Close() // there is nobody left to tell
}

// read takes frames until the connection ends. Once it is being closed, frames
// are read and dropped, so that the client's answer to the close is seen and
// unread bytes do not reset the connection under the close frame.
func (c *conn) read() {
	c.extend()
	c.ws.SetPongHandler(func(string) error {
		c.extend()
		return nil
	})
	for {
		kind, reader, err := c.ws.NextReader()
		if err != nil {
			return
		}
		if c.isClosing() {
			continue
		}
		if kind != websocket.TextMessage {
			c.close(closeUnsupported, "")
			continue
		}
		if !c.readFrame(reader) {
			return
		}
	}
}

// readFrame handles one text frame and returns false when the connection broke.
func (c *conn) readFrame(reader io.Reader) bool {
	buffer := frameBuffers.Get().(*bytes.Buffer)
	buffer.Reset()
	defer frameBuffers.Put(buffer)
	if _, err := buffer.ReadFrom(io.LimitReader(reader, maxFrame+1)); err != nil {
		return false
	}
	frame := buffer.Bytes()
	switch {
	case len(frame) > maxFrame:
		c.close(closeTooBig, "")
	case !utf8.Valid(frame):
		c.close(closeInvalidText, "")
	default:
		c.handleFrame(frame)
	}
	return true
}

// extend gives the client time for its next sign of life, unless the connection
// is being closed and has its last deadline.
func (c *conn) extend() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		_ = c.ws.SetReadDeadline(time.Now().Add(c.server.timing.pong)) // a broken one fails the next read
	}
}

// write sends what is queued until the reader has ended or the close frame is
// out.
func (c *conn) write() {
	defer close(c.done)
	ping := time.NewTicker(c.server.timing.ping)
	defer ping.Stop()
	var unauthenticated <-chan time.Time
	if c.server.requireAuth {
		timer := time.NewTimer(c.server.timing.auth)
		defer timer.Stop()
		unauthenticated = timer.C
	}
	for {
		select {
		case <-c.wake:
			if !c.flush() {
				return
			}
		case now := <-ping.C:
			if err := c.ws.WriteControl(websocket.PingMessage, nil, now.Add(c.server.timing.write)); err != nil {
				_ = c.ws.Close() // ends the reader
				return
			}
		case <-unauthenticated:
			if c.who.Load() == nil {
				c.close(closeUnauthed, "Unauthenticated")
			}
		case <-c.gone:
			return
		}
	}
}

// flush writes all that is queued and, where the connection is to be closed, the
// close frame. It returns false when nothing more can be written.
func (c *conn) flush() bool {
	for {
		item, ok, end := c.next()
		if end != nil {
			c.sayGoodbye(end)
			return false
		}
		if !ok {
			return true
		}
		_ = c.ws.SetWriteDeadline(time.Now().Add(c.server.timing.write)) // never fails
		var err error
		if item.prepared != nil {
			err = c.ws.WritePreparedMessage(item.prepared)
		} else {
			err = c.ws.WriteMessage(websocket.TextMessage, item.data)
		}
		if err != nil {
			_ = c.ws.Close() // ends the reader
			return false
		}
		c.sent(item)
	}
}

// sayGoodbye sends the close frame and gives the client a moment to answer it.
func (c *conn) sayGoodbye(end *closeFrame) {
	now := time.Now()
	message := websocket.FormatCloseMessage(end.code, end.reason)
	err := c.ws.WriteControl(websocket.CloseMessage, message, now.Add(c.server.timing.write))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	_ = c.ws.SetReadDeadline(now.Add(c.server.timing.goodbye)) // a broken one fails the next read
	if err != nil {
		_ = c.ws.Close() // ends the reader
	}
}
