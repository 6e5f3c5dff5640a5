package cl4

import "sync"

// writers are the few goroutines that send what connections have queued. A
// goroutine of its own for every connection would cost its memory all the time
// and a switch for every frame. They never wait for a client: what the network
// does not take at once is left to a goroutine of that connection.
type writers struct {
	mu      sync.Mutex
	some    sync.Cond
	waiting []*conn // connections whose writing side has been claimed for us
	stopped bool
	done    sync.WaitGroup
}

// batch is how many connections a writer takes at a time.
const batch = 16

func newWriters() *writers {
	w := &writers{}
	w.some.L = &w.mu
	return w
}

// start starts n writers, until stop.
func (w *writers) start(n int) {
	for range n {
		w.done.Go(w.run)
	}
}

// add has the connections written. The caller has claimed their writing side.
func (w *writers) add(conns ...*conn) {
	if len(conns) == 0 {
		return
	}
	w.mu.Lock()
	w.waiting = append(w.waiting, conns...)
	w.mu.Unlock()
	if len(conns) <= batch {
		w.some.Signal()
	} else {
		w.some.Broadcast()
	}
}

func (w *writers) run() {
	var mine [batch]*conn
	for {
		w.mu.Lock()
		for len(w.waiting) == 0 && !w.stopped {
			w.some.Wait()
		}
		n := copy(mine[:], w.waiting)
		w.waiting = w.waiting[n:]
		if len(w.waiting) == 0 {
			w.waiting = nil
		}
		w.mu.Unlock()
		if n == 0 {
			return
		}
		for i, c := range mine[:n] {
			mine[i] = nil
			c.drain()
		}
	}
}

// stop ends the writers once nothing waits any more.
func (w *writers) stop() {
	w.mu.Lock()
	w.stopped = true
	w.mu.Unlock()
	w.some.Broadcast()
	w.done.Wait()
}
