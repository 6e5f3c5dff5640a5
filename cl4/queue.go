package cl4

import (
	"time"

	"github.com/gorilla/websocket"
)

const (
	// maxQueued is how many bytes a client may be behind.
	maxQueued = 256 << 10
	// maxBehind is how long a packet may wait to be sent.
	maxBehind = 30 * time.Second
)

// outgoing is a packet on its way to the client: one of its own, or one that
// many connections share.
type outgoing struct {
	data     []byte
	prepared *websocket.PreparedMessage
	size     int // bytes
	queued   time.Time
}

// closeFrame is why a connection is closed.
type closeFrame struct {
	code   int
	reason string
}

// send queues a packet that answers the client. It never blocks.
func (c *conn) send(data []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.enqueue(outgoing{data: data, size: len(data), queued: time.Now()})
}

// deliver queues an event, which waits for ready where the connection is about
// to be authenticated. It never blocks.
func (c *conn) deliver(m *websocket.PreparedMessage, size int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	item := outgoing{prepared: m, size: size, queued: time.Now()}
	if !c.holding {
		c.enqueue(item)
		return
	}
	if c.closing == nil {
		c.held = append(c.held, item)
		c.bytes += size
		c.checkPace(item.queued)
	}
}

// hold keeps events back until release.
func (c *conn) hold() {
	c.mu.Lock()
	c.holding = true
	c.mu.Unlock()
}

// release lets events through again: those held back first, or not at all.
func (c *conn) release(send bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.holding = false
	held := c.held
	c.held = nil
	for _, item := range held {
		c.bytes -= item.size
		if send {
			c.enqueue(item)
		}
	}
	c.bytes = max(c.bytes, 0) // the slow have lost their queue
}

// close lets what is queued go out and then closes the connection with a code.
// The first reason stands. It never blocks.
func (c *conn) close(code int, reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closeLocked(code, reason)
}

func (c *conn) closeLocked(code int, reason string) {
	if c.closing == nil {
		c.closing = &closeFrame{code, reason}
		c.signal()
	}
}

// isClosing reports whether the connection is about to be closed.
func (c *conn) isClosing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closing != nil
}

// enqueue needs the lock. What comes after a close is dropped.
func (c *conn) enqueue(item outgoing) {
	if c.closing != nil {
		return
	}
	c.queue = append(c.queue, item)
	c.bytes += item.size
	c.checkPace(item.queued)
	c.signal()
}

// checkPace gives up on a client that is too far behind: what is queued is
// dropped, since it would only keep the close from going out. It needs the lock.
func (c *conn) checkPace(now time.Time) {
	behind := c.bytes > maxQueued
	if len(c.queue) > 0 {
		behind = behind || now.Sub(c.queue[0].queued) > maxBehind
	}
	if behind && c.closing == nil {
		c.queue, c.held, c.bytes = nil, nil, 0
		c.closeLocked(closeSlow, "Slow")
	}
}

// signal wakes the writer, once however often it is called meanwhile.
func (c *conn) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// next returns the next packet to write. Without one it returns the close frame,
// if the connection is to be closed.
func (c *conn) next() (item outgoing, ok bool, end *closeFrame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.queue) == 0 {
		c.queue = nil // an idle connection keeps no memory
		return outgoing{}, false, c.closing
	}
	item = c.queue[0]
	c.queue[0] = outgoing{}
	c.queue = c.queue[1:]
	return item, true, nil
}

// sent takes a packet off what the client is behind.
func (c *conn) sent(item outgoing) {
	c.mu.Lock()
	c.bytes = max(c.bytes-item.size, 0)
	c.mu.Unlock()
}
