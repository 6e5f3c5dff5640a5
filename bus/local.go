package bus

import (
	"context"
	"sync"
)

var _ Bus = (*Local)(nil)

// Local is a Bus within one process. Several nodes in that process may share it:
// Publish calls all handlers, in the order in which they subscribed, before it
// returns. Nothing is ever lost on the way, so there are no gaps. Nothing is kept
// either: positions are unknown.
type Local struct {
	order    sync.Mutex // held while handlers are called
	handlers listeners[Event]
}

// NewLocal returns an open bus without handlers.
func NewLocal() *Local {
	return new(Local)
}

// Publish implements Bus. The only error is ErrClosed; ctx is not looked at.
func (l *Local) Publish(_ context.Context, event Event) error {
	if l.handlers.closed.Load() {
		return ErrClosed
	}
	l.order.Lock()
	defer l.order.Unlock() // deferred, as the publisher may survive a handler's panic
	l.handlers.call(event)
	return nil
}

// Subscribe implements Bus.
func (l *Local) Subscribe(handler Handler) (cancel func()) {
	return l.handlers.add(handler)
}

// OnGap implements Bus. The function is never called.
func (l *Local) OnGap(func()) (cancel func()) {
	return func() {}
}

// Between implements Bus.
func (l *Local) Between(f func(Position)) {
	l.order.Lock()
	defer l.order.Unlock()
	f(Position{})
}

// Missed implements Bus. The error is always ErrNoHistory.
func (l *Local) Missed(context.Context, Position, Position) ([]Event, error) {
	return nil, ErrNoHistory
}

// Settle implements Bus. The error is always ErrNoHistory.
func (l *Local) Settle(context.Context, Position) (Position, error) {
	return Position{}, ErrNoHistory
}

// Reach implements Bus. The error is always ErrNoHistory.
func (l *Local) Reach(context.Context, Position) error { return ErrNoHistory }

// Close implements Bus. It closes the bus for everyone who shares it; the error
// is always nil.
func (l *Local) Close() error {
	l.handlers.close()
	return nil
}
