package cl4

import (
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"meower/bus"
)

const (
	// maxQueued is how many bytes a client may be behind.
	maxQueued = 256 << 10
	// maxBehind is how long a packet may wait to be sent.
	maxBehind = 30 * time.Second
	// keptQueue is the longest queue whose memory a connection keeps when it is
	// empty.
	keptQueue = 8
	// longQueue is how long the queues are that are lent to connections whose own
	// is too short.
	longQueue = 64
)

var longQueues = sync.Pool{New: func() any { return new([longQueue]*frame) }}

// lineUp needs the lock.
func (c *conn) lineUp(f *frame) {
	if len(c.queue) == cap(c.queue) {
		switch len(c.queue) {
		case 0:
			c.queue = make([]*frame, 0, keptQueue)
		case keptQueue:
			c.queue = append(longQueues.Get().(*[longQueue]*frame)[:0], c.queue...)
		}
	}
	c.queue = append(c.queue, f)
}

// giveBack takes an empty queue that was lent.
func giveBack(queue []*frame) {
	if cap(queue) == longQueue {
		longQueues.Put((*[longQueue]*frame)(queue[:longQueue]))
	}
}

// frame is something on its way to one client or many. It is not changed once it
// has been queued.
type frame struct {
	kind     int // as the websocket library numbers them
	data     []byte
	prepared *websocket.PreparedMessage // of a text that many share, where it may be compressed
	at       time.Time                  // when it was queued; zero where many are
	// prior is the node's position before the event that this is about, nil for
	// everything else.
	prior *bus.Position
}

// size is what a frame counts for a client that is behind: the smallest take
// memory, too.
func (f *frame) size() int {
	const least = 64
	return max(len(f.data), least)
}

// answer queues a packet that answers the client. It is sent when the reader has
// no more to do, with whatever else has come together by then. It is for the
// reader only.
func (c *conn) answer(data []byte) {
	c.answerFrame(textFrame(data))
}

// textFrame makes a frame for one client.
func textFrame(data []byte) *frame {
	return &frame{kind: websocket.TextMessage, data: data, at: time.Now()}
}

// answerFrame is answer for a frame that is there already.
func (c *conn) answerFrame(f *frame) {
	c.mu.Lock()
	c.enqueue(f)
	c.mu.Unlock()
}

// deliver queues an event, which waits for ready where the connection is about
// to be authenticated. It returns true where the caller must hand the connection
// to the writers. It never blocks.
func (c *conn) deliver(f *frame) (claimed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.holding || c.closing != nil || c.ended {
		c.enqueue(f)
	} else {
		c.held = append(c.held, f)
		c.bytes += f.size()
		c.checkPace(f.at)
	}
	return c.claim()
}

// push is deliver for what has nothing to do with the user, and so does not wait.
func (c *conn) push(f *frame) (claimed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.enqueue(f)
	return c.claim()
}

// hold keeps events back until release.
func (c *conn) hold() {
	c.mu.Lock()
	c.holding = true
	c.mu.Unlock()
}

// release lets events through again: those held back first, or not at all. It is
// for the reader only.
func (c *conn) release(send bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.holding = false
	held := c.held
	c.dropHeld()
	for _, f := range held {
		if send {
			c.enqueue(f)
		}
	}
}

// dropHeld needs the lock.
func (c *conn) dropHeld() {
	for _, f := range c.held {
		c.bytes -= f.size()
	}
	c.held = nil
}

// close lets what is queued go out and then closes the connection with a code.
// The first reason stands. It never blocks.
func (c *conn) close(code int, reason string) {
	c.mu.Lock()
	c.closeLocked(code, reason)
	claimed := c.claim()
	c.mu.Unlock()
	if claimed {
		c.server.writers.add(c)
	}
}

func (c *conn) closeLocked(code int, reason string) {
	if c.closing == nil && !c.ended {
		c.closing = &frame{kind: websocket.CloseMessage, data: websocket.FormatCloseMessage(code, reason)}
	}
}

// isClosing reports whether the connection is about to be closed.
func (c *conn) isClosing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closing != nil
}

// enqueue needs the lock. What comes after a close is dropped.
func (c *conn) enqueue(f *frame) {
	if c.closing != nil || c.ended {
		c.miss(f)
		return
	}
	c.lineUp(f)
	c.bytes += f.size()
	c.checkPace(f.at)
}

// checkPace gives up on a client that is too far behind: what is queued is
// dropped, since it would only keep the close from going out. It needs the lock.
func (c *conn) checkPace(now time.Time) {
	behind := c.bytes > maxQueued
	if len(c.queue) > 0 && !c.queue[0].at.IsZero() {
		behind = behind || now.Sub(c.queue[0].at) > maxBehind
	}
	if !behind || c.closing != nil {
		return
	}
	for _, f := range c.queue {
		c.miss(f)
	}
	for _, f := range c.held {
		c.miss(f)
	}
	c.queue, c.held, c.bytes = nil, nil, 0
	c.closeLocked(closeSlow, "Slow")
}

// miss takes note of the first event that the client will not get. It needs the
// lock.
func (c *conn) miss(f *frame) {
	if c.missed == nil {
		c.missed = f.prior
	}
}

// claim takes the writing side of the connection, where there is something to
// write and nobody has it yet. It needs the lock.
func (c *conn) claim() bool {
	if c.writing || c.broken || !c.unwritten() {
		return false
	}
	c.writing = true
	return true
}

// unwritten needs the lock.
func (c *conn) unwritten() bool {
	return len(c.queue) > 0 || (c.closing != nil && !c.closed)
}
