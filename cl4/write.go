package cl4

import (
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"meower/bus"
)

// A connection is written by whoever has claimed its writing side: a writer,
// the reader when it has answers, or, for a client that does not keep up, a
// goroutine that waits for it. The frames that wait together leave in one write.

const (
	// chunk is how much is written under one deadline to a client that does not
	// keep up.
	chunk = 16 << 10
	// keptRoom is the largest room for frames that is kept for the next ones.
	keptRoom = 64 << 10
)

// sentEvent is an event that was sent, and the number of bytes that the client
// must have received to have it.
type sentEvent struct {
	end   uint64
	prior *bus.Position
}

// sheet is what a writer works on.
type sheet struct {
	frames []*frame
	out    []byte
	events []sentEvent
}

var sheets = sync.Pool{New: func() any { return new(sheet) }}

// flush writes what waits, unless someone does so already.
func (c *conn) flush() {
	c.mu.Lock()
	claimed := c.claim()
	c.mu.Unlock()
	if claimed {
		c.drain()
	}
}

// drain writes until nothing waits any more, and gives the writing side back. It
// never blocks.
func (c *conn) drain() {
	s := sheets.Get().(*sheet)
	for c.next(s) {
		encoded := c.encode(s)
		n, err := c.wire.try(s.out)
		c.written += uint64(n) //nolint:gosec // not negative
		if err == nil && n < len(s.out) {
			go c.drainSlowly(s, s.out[n:]) // ends before the connection does, which waits for it
			return
		}
		if encoded != nil || err != nil {
			c.fail()
		}
	}
	s.recycle()
}

// drainSlowly is drain for a client that does not take everything at once.
func (c *conn) drainSlowly(s *sheet, rest []byte) {
	for {
		for len(rest) > 0 {
			n, err := c.writeChunk(rest[:min(chunk, len(rest))])
			c.written += uint64(n) //nolint:gosec // not negative
			if err != nil {
				c.fail()
				break
			}
			rest = rest[n:]
		}
		if !c.next(s) {
			break
		}
		if c.encode(s) != nil {
			c.fail()
		}
		rest = s.out
	}
	s.recycle()
}

// writeChunk writes with a deadline. That the connection is to be cut off is
// looked at after the deadline has been set: whoever cuts it off sets another
// one afterwards.
func (c *conn) writeChunk(p []byte) (int, error) {
	if err := c.wire.Conn.SetWriteDeadline(time.Now().Add(c.server.timing.write)); err != nil {
		return 0, err
	}
	if c.cut.Load() {
		return 0, errCutOff
	}
	n, err := c.wire.Conn.Write(p)
	if err == nil {
		// The next writer may be one that only tries, for which there is no time.
		err = c.wire.Conn.SetWriteDeadline(time.Time{})
		if c.cut.Load() {
			err = errCutOff
		}
	}
	return n, err
}

// next takes what waits. Without anything, or where the connection is broken, it
// gives the writing side back and returns false.
func (c *conn) next(s *sheet) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.settle(s)
	if c.broken || !c.unwritten() {
		c.writing = false
		if c.idle != nil {
			close(c.idle)
			c.idle = nil
		}
		return false
	}
	s.frames, c.queue = c.queue, s.frames
	if len(s.frames) == 0 && c.closing != nil && !c.closed {
		s.frames = append(s.frames, c.closing)
		c.closed = true
		c.closedAt = time.Now()
	}
	return true
}

// settle takes the frames that have been written off what the client is behind.
// It needs the lock.
func (c *conn) settle(s *sheet) {
	for i, f := range s.frames {
		if f != c.closing {
			c.bytes = max(c.bytes-f.size(), 0)
		}
		s.frames[i] = nil
	}
	s.frames = s.frames[:0]
	if cap(s.frames) > keptQueue { // the connection is to get it
		giveBack(s.frames)
		s.frames = nil
	}
	if len(s.events) > 0 {
		c.remember(s.events)
		clear(s.events)
		s.events = s.events[:0]
	}
}

// encode makes one piece of the frames.
func (c *conn) encode(s *sheet) (err error) {
	if c.server.compression {
		c.wire.lend(s.out)
		err = c.compress(s)
		s.out = c.wire.take()
	} else {
		s.out = s.out[:0]
		for _, f := range s.frames {
			s.out = appendFrame(s.out, f.kind, f.data)
		}
	}
	if !c.server.forgetful {
		c.locate(s)
	}
	return err
}

// compress has the websocket library write the texts to the wire, compressed
// where the client agreed to it.
func (c *conn) compress(s *sheet) (err error) {
	for _, f := range s.frames {
		before := c.wire.kept()
		switch {
		case f.kind != websocket.TextMessage:
			c.wire.append(f)
		case f.prepared != nil:
			err = c.ws.WritePreparedMessage(f.prepared)
		default:
			err = c.ws.WriteMessage(f.kind, f.data)
		}
		if errors.Is(err, websocket.ErrCloseSent) && c.wire.kept() == before {
			// The library thinks that it has closed the connection (see wire.Write).
			// What was queued before goes out as it is.
			c.wire.append(f)
			err = nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// locate notes where in what is to be sent the events end. Where they are
// compressed, that is where the whole ends.
func (c *conn) locate(s *sheet) {
	end := c.written + uint64(len(s.out))
	for i := len(s.frames) - 1; i >= 0; i-- {
		f := s.frames[i]
		if f.prior != nil {
			s.events = append(s.events, sentEvent{end, f.prior})
		}
		if !c.server.compression {
			end -= uint64(frameSize(len(f.data))) //nolint:gosec // not negative
		}
	}
	slices.Reverse(s.events)
}

// fail ends a connection that cannot be written to.
func (c *conn) fail() {
	c.mu.Lock()
	c.broken = true
	c.mu.Unlock()
	c.cutOff()
}

// waitWritten waits until nobody writes.
func (c *conn) waitWritten() {
	for {
		c.mu.Lock()
		if !c.writing {
			c.mu.Unlock()
			return
		}
		if c.idle == nil {
			c.idle = make(chan struct{})
		}
		idle := c.idle
		c.mu.Unlock()
		<-idle
	}
}

func (s *sheet) recycle() {
	if cap(s.out) > keptRoom {
		s.out = nil
	}
	s.events = s.events[:0]
	sheets.Put(s)
}
