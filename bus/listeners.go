package bus

import (
	"math"
	"slices"
	"sync"
	"sync/atomic"
)

// listeners is a list of functions to call with every value. Calling them takes
// no lock: the list is replaced as a whole whenever it changes. The zero value
// is an empty list.
type listeners[T any] struct {
	mu     sync.Mutex // held to replace the list, never to read it
	list   atomic.Pointer[[]*listener[T]]
	closed atomic.Bool
}

// all returns the list as it is now; it is not to be changed.
func (l *listeners[T]) all() []*listener[T] {
	if list := l.list.Load(); list != nil {
		return *list
	}
	return nil
}

// call calls every function on the list, in the order in which they were added.
func (l *listeners[T]) call(value T) {
	for _, listener := range l.all() {
		listener.call(value)
	}
}

// add puts a function on the list. It is not called any more once cancel has
// returned. On a closed list it is never called.
func (l *listeners[T]) add(f func(T)) (cancel func()) {
	added := &listener[T]{f: f, idle: make(chan struct{}, 1)}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed.Load() {
		return func() {}
	}
	list := append(slices.Clip(l.all()), added) // clipped, so that append copies
	l.list.Store(&list)
	return func() {
		l.remove(added)
		added.stop()
	}
}

func (l *listeners[T]) remove(removed *listener[T]) {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := slices.DeleteFunc(slices.Clone(l.all()), func(other *listener[T]) bool {
		return other == removed
	})
	l.list.Store(&list)
}

// close empties the list for good. No function is called any more once it has
// returned.
func (l *listeners[T]) close() {
	l.mu.Lock()
	l.closed.Store(true)
	list := l.all()
	l.list.Store(nil)
	l.mu.Unlock()
	// Not under the lock: a call under way may want to cancel another function.
	for _, listener := range list {
		listener.stop()
	}
}

// stopped is added to a listener's calls to stop it; what remains above it are
// calls under way.
const stopped = math.MinInt64 / 2

// listener is one function, together with what is needed to know that nobody is
// calling it: whoever has read the list earlier may be about to.
type listener[T any] struct {
	f     func(T)
	calls atomic.Int64 // under way; negative once stopped
	once  sync.Once
	idle  chan struct{} // gets a value when a stopped listener's last call ends
}

func (l *listener[T]) call(value T) {
	defer l.leave() // deferred, as a publisher may survive the panic of f
	if l.calls.Add(1) > 0 {
		l.f(value)
	}
}

func (l *listener[T]) leave() {
	if l.calls.Add(-1) != stopped {
		return
	}
	// Latecomers, who do not call f, pass here as well: one value is enough.
	select {
	case l.idle <- struct{}{}:
	default:
	}
}

// stop returns when f is not being called and will not be again.
func (l *listener[T]) stop() {
	l.once.Do(func() {
		if l.calls.Add(stopped) != stopped {
			<-l.idle
		}
	})
}
