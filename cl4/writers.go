package cl4

import (
	"sync"
	"time"
)

const (
	// batch is how many connections a writer takes at a time.
	batch = 16
	// roundTime is what a round's length is counted with, for each connection:
	// about twice what a write takes. A round begins when the one before has had
	// its time, at most roundLimit. So when much is going on, what comes meanwhile
	// leaves in one write for each connection; when little is, nothing waits.
	roundTime  = 20 * time.Microsecond
	roundLimit = 20 * time.Millisecond
)

// writers are the few goroutines that send what connections have queued. A
// goroutine of its own for every connection would cost its memory all the time
// and a switch for every frame. They never wait for a client: what the network
// does not take at once is left to a goroutine of that connection.
//
// What concerns many connections is sent in rounds; what concerns few is sent
// before that.
type writers struct {
	mu      sync.Mutex
	some    sync.Cond
	few     []*conn // connections whose writing side has been claimed for us
	many    []*conn // likewise, for the rounds
	round   []*conn // of many, those of the round under way
	began   time.Time
	length  time.Duration
	timer   *time.Timer // wakes the writers for the next round
	stopped bool
	done    sync.WaitGroup
}

func newWriters() *writers {
	w := &writers{}
	w.some.L = &w.mu
	return w
}

// start starts n writers, until stop. Half of them take part in rounds: the
// others, and the processors that they leave, are for what should not wait.
func (w *writers) start(n int) {
	w.timer = time.AfterFunc(time.Hour, w.some.Broadcast)
	for i := range n {
		w.done.Go(func() { w.run(i < max(1, n/2)) })
	}
}

// add has the connections written. The caller has claimed their writing side.
func (w *writers) add(conns ...*conn) {
	if len(conns) == 0 {
		return
	}
	w.mu.Lock()
	if len(conns) <= batch {
		w.few = append(w.few, conns...)
	} else {
		w.many = append(w.many, conns...)
	}
	w.mu.Unlock()
	w.some.Broadcast()
}

func (w *writers) run(rounds bool) {
	var mine [batch]*conn
	for {
		n := w.next(mine[:], rounds)
		if n == 0 {
			return
		}
		for i, c := range mine[:n] {
			mine[i] = nil
			c.drain()
		}
	}
}

// next takes connections to write, and waits for some. It returns 0 at the end.
func (w *writers) next(mine []*conn, rounds bool) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		if n := take(mine, &w.few); n > 0 {
			return n
		}
		if !rounds {
			if w.stopped {
				return 0
			}
			w.some.Wait()
			continue
		}
		if n := take(mine, &w.round); n > 0 {
			return n
		}
		if len(w.many) > 0 {
			now := time.Now()
			pause := w.length - now.Sub(w.began)
			if pause <= 0 || w.stopped {
				w.began, w.length = now, min(time.Duration(len(w.many))*roundTime, roundLimit)
				w.round, w.many = w.many, w.round
				continue
			}
			w.timer.Reset(pause)
		} else if w.stopped {
			return 0
		}
		w.some.Wait()
	}
}

// take moves connections from the front of a list.
func take(into []*conn, from *[]*conn) int {
	n := copy(into, *from)
	clear((*from)[:n])
	if *from = (*from)[n:]; len(*from) == 0 {
		*from = nil
	}
	return n
}

// stop ends the writers once nothing waits any more.
func (w *writers) stop() {
	w.mu.Lock()
	w.stopped = true
	w.mu.Unlock()
	w.some.Broadcast()
	w.done.Wait()
	w.timer.Stop()
}
