package bus

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

var _ Bus = (*Redis)(nil)

// Redis is a Bus between all nodes that share one Redis. A node's own events
// reach its handlers directly and are ignored when Redis brings them back, so
// that one node works through an outage of Redis. It reconnects by itself; what
// was lost meanwhile shows as a gap. The events go over the channels
// "meower:<event>", besides "meower:bus_gap", where nodes tell each other that a
// Publish failed.
type Redis struct {
	client redis.UniversalClient
	node   string
	tail   string // the end of all our payloads
	log    *slog.Logger
	timing timing

	history  History
	outbox   *outbox
	underWay *underWay // own events on their way into the history
	// added is the id of the node's latest own entry, since one step at a time adds.
	added atomic.Pointer[entryID]

	handlers listeners[Event]
	gaps     listeners[struct{}]

	order    sync.Mutex // held while handlers are called
	position Position   // under order

	// untold is when the latest Publish began that may not have reached the
	// other nodes, as time since born; zero when they need not be told of any.
	untold atomic.Int64
	born   time.Time

	mark   chan struct{} // one slot: a mark is due
	ready  chan struct{} // closed by the reader
	cancel context.CancelFunc
	done   chan struct{} // closed when the reader has ended
}

// timing is how long things take or may take.
type timing struct {
	publish    time.Duration // at most, until Redis has taken an event
	ping       time.Duration // between two pings on the subscription
	silence    time.Duration // without a word from Redis before it counts as lost
	minBackoff time.Duration // before the first try to connect again
	maxBackoff time.Duration // between tries, later on
}

// A lost connection that nobody closes is noticed after 8 s, two missed pings
// and some: sooner would take a Redis that is busy for a dead one.
var defaultTiming = timing{
	publish:    time.Second,
	ping:       3 * time.Second,
	silence:    8 * time.Second,
	minBackoff: 100 * time.Millisecond,
	maxBackoff: 2 * time.Second,
}

// NewRedis returns an open bus, which starts to connect at once: see Ready. The
// history is the same for all nodes. The
// node's name must not be empty and must be another for every process, now and
// later; a random one will do. The caller keeps the client and closes it after
// the bus. It should have ContextTimeoutEnabled: without that, the limit of a
// second on Publish is the client's own timeouts.
func NewRedis(client redis.UniversalClient, node string, history History, log *slog.Logger) *Redis {
	return newRedis(client, node, history, log, defaultTiming)
}

func newRedis(client redis.UniversalClient, node string, history History, log *slog.Logger, timing timing) *Redis {
	ctx, cancel := context.WithCancel(context.Background())
	r := &Redis{
		client:   client,
		node:     node,
		tail:     payloadTail(node),
		log:      log,
		timing:   timing,
		history:  history,
		underWay: newUnderWay(),
		born:     time.Now(),
		mark:     make(chan struct{}, 1),
		ready:    make(chan struct{}),
		cancel:   cancel,
		done:     make(chan struct{}),
	}
	if history.kept() {
		r.position.Node = node
	}
	r.outbox = newOutbox(r.addAll)
	go func() {
		defer close(r.done)
		(&reader{bus: r}).run(ctx)
	}()
	return r
}

// Ready is closed once the node has begun to hear the others, and, where there is
// a history, knows its place in it. Events of theirs before that are not
// delivered.
func (r *Redis) Ready() <-chan struct{} {
	return r.ready
}

// Publish implements Bus. It waits for Redis's answer, so that acts one after
// the other on different nodes stay in order, but no longer than a second nor
// than ctx allows. It does not try again. Whatever the error, other nodes will
// be told of a gap as soon as they can be, so the caller need not do more than
// log it.
func (r *Redis) Publish(ctx context.Context, event Event) error {
	if r.handlers.closed.Load() {
		return ErrClosed
	}
	began := max(1, time.Since(r.born)) // zero is taken
	if !r.history.kept() {
		event.Transient = true
	}
	var number int64
	defer func() { r.underWay.end(number) }() // also when a handler panics
	r.hand(event, &number)
	if err := r.send(ctx, event, number); err != nil {
		r.owe(began)
		return fmt.Errorf("publish %s: %w", event.Name, err)
	}
	return nil
}

// hand hands an own event to the handlers. It gets a number where it is to be
// kept.
func (r *Redis) hand(event Event, number *int64) {
	r.order.Lock()
	defer r.order.Unlock() // deferred, as the publisher may survive a handler's panic
	event.Prior = Position{}
	if !event.Transient {
		event.Prior = r.position
		r.position.Own++
		*number = r.position.Own
		r.underWay.begin(*number)
	}
	r.handlers.call(event)
}

// handForeign hands another node's event to the handlers.
func (r *Redis) handForeign(event Event, seen entryID) {
	r.order.Lock()
	defer r.order.Unlock()
	if seen != (entryID{}) {
		event.Prior = r.position
		r.position.Seen = seen.String()
	}
	r.handlers.call(event)
}

// gap calls the functions that want to know of lost events.
func (r *Redis) gap() {
	r.order.Lock()
	defer r.order.Unlock()
	r.gaps.call(struct{}{})
}

// Between implements Bus.
func (r *Redis) Between(f func(Position)) {
	r.order.Lock()
	defer r.order.Unlock()
	f(r.position)
}

// Subscribe implements Bus.
func (r *Redis) Subscribe(handler Handler) (cancel func()) {
	return r.handlers.add(handler)
}

// OnGap implements Bus. There is a gap when the subscription was lost, which is
// reported once it is there again, and when another node failed to publish.
func (r *Redis) OnGap(gap func()) (cancel func()) {
	return r.gaps.add(func(struct{}) { gap() })
}

// Close implements Bus. Where Redis does not answer it may take as long as the
// client's timeouts. The error is always nil.
func (r *Redis) Close() error {
	r.cancel()
	r.handlers.close()
	r.gaps.close()
	<-r.done
	return nil
}

// once is a command that the client sends once, whatever its settings say about
// retries: an answer that got lost does not mean that the event did, and the
// clients of other nodes are to get it once. The alternative, a number in every
// payload by which receivers know what they have seen, would have to tell
// repeated events from reordered ones, and needs memory for every node.
type once struct {
	*redis.Cmd
}

// NoRetry overrides the command's.
func (once) NoRetry() bool { return true }

// send tells the other nodes, and the history unless the event is transient.
func (r *Redis) send(ctx context.Context, event Event, number int64) error {
	ctx, cancel := context.WithTimeout(ctx, r.timing.publish)
	defer cancel()
	payload := encodePayload(event, r.tail)
	if event.Transient {
		client, err := r.publisher(ctx)
		if err != nil {
			return err
		}
		return client.Process(ctx, once{redis.NewCmd(ctx, "publish", channelPrefix+event.Name, payload)})
	}
	return r.outbox.send(ctx, addition{event.Name, number, payload})
}

// addAll adds events to the history, in this order. It takes no longer than a
// Publish may.
func (r *Redis) addAll(additions []addition) error {
	ctx, cancel := context.WithTimeout(context.Background(), r.timing.publish)
	defer cancel()
	client, err := r.publisher(ctx)
	if err != nil {
		return err
	}
	id, err := r.history.add(ctx, client, additions)
	if err != nil {
		return err
	}
	added, err := parseEntryID(id)
	if err != nil {
		return fmt.Errorf("id of an entry: %w", err)
	}
	r.added.Store(&added)
	return nil
}

// publisher returns the client to publish with. In a Redis Cluster that is the
// same node of it for all events: each channel by itself would go to the node
// that its name hashes to, and the order among them would be lost.
func (r *Redis) publisher(ctx context.Context) (redis.UniversalClient, error) {
	if cluster, ok := r.client.(*redis.ClusterClient); ok {
		return cluster.MasterForKey(ctx, historyKey)
	}
	return r.client, nil
}

// owe notes that other nodes may have missed an event whose Publish began then.
func (r *Redis) owe(began time.Duration) {
	for {
		latest := r.untold.Load()
		if latest >= int64(began) || r.untold.CompareAndSwap(latest, int64(began)) {
			return
		}
	}
}
