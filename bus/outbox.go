package bus

import (
	"context"
	"slices"
	"sync"
)

// maxTogether is how many events leave in one step at most: so Redis, which does
// nothing else meanwhile, is not kept for long.
const maxTogether = 64

// outbox has events that come at the same time leave together, in the order in
// which they came: one step of Redis costs much the same for one as for many.
// Who comes while nobody sends does so at once, on the goroutine that it has
// anyway, and the next of those who came meanwhile sends for all of them.
type outbox struct {
	add func([]addition) error

	mu      sync.Mutex
	sending bool
	waiting []*parcel
}

// parcel is an event of someone who waits.
type parcel struct {
	addition
	turn chan struct{} // closed when it is done, or when its sender is to send
	lead bool          // the latter
	err  error
}

func newOutbox(add func([]addition) error) *outbox { return &outbox{add: add} }

// send returns when the event has left, or with ctx's error: then it may have left
// all the same.
func (o *outbox) send(ctx context.Context, a addition) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	p := &parcel{addition: a, turn: make(chan struct{})}
	o.mu.Lock()
	o.waiting = append(o.waiting, p)
	if !o.sending {
		o.sending = true
		o.mu.Unlock()
		o.sendAll()
		return p.err
	}
	o.mu.Unlock()
	select {
	case <-p.turn:
	case <-ctx.Done():
		if o.withdraw(p) {
			return ctx.Err()
		}
		<-p.turn // it is its turn just now
	}
	if p.lead {
		o.sendAll()
	}
	return p.err
}

// withdraw takes back the event of someone who does not want to wait any more,
// unless it is leaving already. It returns false where they are the one to send.
func (o *outbox) withdraw(p *parcel) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if p.lead {
		return false
	}
	o.waiting = slices.DeleteFunc(o.waiting, func(other *parcel) bool { return other == p })
	return true
}

// sendAll sends what waits, the first of which is the caller's, and hands over to
// the next.
func (o *outbox) sendAll() {
	o.mu.Lock()
	n := min(len(o.waiting), maxTogether)
	together := o.waiting[:n:n]
	o.waiting = o.waiting[n:]
	o.mu.Unlock()

	additions := make([]addition, n)
	for i, p := range together {
		additions[i] = p.addition
	}
	err := o.add(additions)
	for i, p := range together {
		p.err = err
		if i > 0 {
			close(p.turn)
		}
	}

	o.mu.Lock()
	defer o.mu.Unlock()
	if o.sending = len(o.waiting) > 0; !o.sending {
		o.waiting = nil
		return
	}
	next := o.waiting[0]
	next.lead = true
	close(next.turn)
}
