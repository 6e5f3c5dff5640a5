package bus

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// gapEvent tells the other nodes that an event of this one may not have reached
// them, which they cannot see for themselves when their own subscription was
// fine. Its value is the time since the latest such Publish began, in whole
// milliseconds: that needs no agreement between clocks. Handlers do not get it.
const gapEvent = "bus_gap"

// markEvent gives the node a place in the history when nothing else happens.
// Handlers do not get it.
const markEvent = "bus_mark"

// reader keeps up the subscription and hands on what comes in. Its fields
// belong to the goroutine that runs it.
type reader struct {
	bus *Redis

	subscribed bool      // at least once
	lostAt     time.Time // zero while there is no outage
	tries      int       // to connect, since the subscription was last there
	// complete is since when all events have reached us, or a gap has been
	// reported for those that did not.
	complete time.Time
}

// run reads until ctx ends.
func (r *reader) run(ctx context.Context) {
	for {
		err := r.session(ctx)
		if ctx.Err() != nil {
			return
		}
		if r.lostAt.IsZero() {
			r.lostAt = time.Now()
			r.bus.log.Warn("events of other nodes are cut off", slog.Any("error", err))
		}
		wait := time.NewTimer(r.bus.timing.backoff(r.tries))
		r.tries++
		select {
		case <-ctx.Done():
			wait.Stop()
			return
		case <-wait.C:
		}
	}
}

// backoff returns the pause after this many tries: twice as long every time, up
// to the limit, and up to half of it taken off at random, so that the nodes do
// not all come at once.
func (t timing) backoff(tries int) time.Duration {
	pause := t.maxBackoff
	if tries < 30 { // beyond, the shift could overflow
		pause = min(pause, t.minBackoff<<tries)
	}
	return pause - rand.N(pause/2+1)
}

// session subscribes and reads until something goes wrong, and returns that.
//
// It reads by itself: the library's own channel drops messages when it is full.
// It also takes a new subscription after any error, although the library would
// repair the old one, because that one, after a timeout, may go on reading in
// the middle of a message.
func (r *reader) session(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	pubsub := r.bus.client.PSubscribe(ctx)
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		r.bus.keep(ctx, pubsub)
	}()
	defer func() {
		cancel()
		<-closed
	}()

	if err := subscribe(ctx, pubsub, r.bus.timing.silence); err != nil {
		return err
	}
	for {
		// There is a pong to be read after every ping, at the least.
		message, err := pubsub.ReceiveTimeout(ctx, r.bus.timing.silence)
		if err != nil {
			return fmt.Errorf("receive: %w", err)
		}
		switch message := message.(type) {
		case *redis.Subscription:
			r.established()
		case *redis.Message:
			r.received(message)
		}
	}
}

func subscribe(ctx context.Context, pubsub *redis.PubSub, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := pubsub.PSubscribe(ctx, channelPrefix+"*"); err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	return nil
}

// established takes note that Redis sends us all events from now on.
func (r *reader) established() {
	// The library subscribes again by itself when it cannot ping, hence not
	// only after an outage that we know of. An outage at the very start counts,
	// too: clients may have connected meanwhile.
	missed := r.subscribed || !r.lostAt.IsZero()
	r.subscribed, r.tries = true, 0
	r.complete = time.Now()
	if !r.lostAt.IsZero() {
		r.bus.log.Info("events of other nodes arrive again", slog.Duration("after", time.Since(r.lostAt)))
		r.lostAt = time.Time{}
	}
	if missed {
		r.bus.gap()
	}
	if !r.bus.history.kept() {
		r.ready()
		return
	}
	// From its mark on the node knows its place.
	select {
	case r.bus.mark <- struct{}{}:
	default:
	}
}

func (r *reader) ready() {
	select {
	case <-r.bus.ready:
	default:
		close(r.bus.ready)
	}
}

// received hands on an event of another node, and takes note of the place in the
// history that it and the node's own have.
func (r *reader) received(message *redis.Message) {
	payload, seen := cutSeen(message.Payload)
	if seen != (entryID{}) {
		defer r.ready()
	}
	// What ends like this is ours and has been delivered: no need to decode it.
	if strings.HasSuffix(payload, r.bus.tail) {
		r.bus.passed(seen)
		return
	}
	event, node, err := decodePayload(message.Channel, payload)
	switch {
	case err != nil, node == r.bus.node:
		r.bus.passed(seen)
	case event.Name == markEvent:
		r.bus.passed(seen)
	case event.Name == gapEvent:
		r.bus.passed(seen)
		err = r.gapReported(event.Value)
	default:
		r.bus.handForeign(event, seen)
	}
	if err != nil {
		r.bus.unreadable(message.Channel, len(payload), err)
	}
}

// passed takes note of an entry of the history that is not for the handlers.
func (r *Redis) passed(seen entryID) {
	if seen == (entryID{}) {
		return
	}
	r.order.Lock()
	r.position.Seen = seen.String()
	r.order.Unlock()
}

func (r *Redis) unreadable(channel string, bytes int, err error) {
	const enough = 100
	r.log.Warn("unreadable event skipped",
		slog.String("channel", channel[:min(enough, len(channel))]),
		slog.Int("bytes", bytes),
		slog.Any("error", err))
}

// gapReported takes another node's word that we may have missed an event. When
// its Publish began before we last became complete, that has been reported: so
// an outage that hits all nodes makes one gap on each.
func (r *reader) gapReported(value json.RawMessage) error {
	age, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil {
		return fmt.Errorf("age of a gap: %w", err)
	}
	if time.Since(r.complete).Milliseconds() < age {
		return nil
	}
	r.complete = time.Now()
	r.bus.gap()
	return nil
}

// keep pings on the subscription, so that there is always something to be read
// from a connection that works, and closes it when ctx ends, which does not by
// itself interrupt a read. It also sees to it that other nodes hear of gaps, and
// that the node's place in the history is never an old one.
func (r *Redis) keep(ctx context.Context, pubsub *redis.PubSub) {
	ticker := time.NewTicker(r.timing.ping)
	defer ticker.Stop()
	var marked time.Time
	for {
		select {
		case <-ctx.Done():
			_ = pubsub.Close()
			return
		case <-r.mark:
			marked = r.setMark(ctx)
		case <-ticker.C:
			// An error is left to the reader, who meets it as well.
			_ = pubsub.Ping(ctx)
			r.reportGap(ctx)
			if r.history.kept() && time.Since(marked) > r.history.heartbeat() {
				marked = r.setMark(ctx)
			}
		}
	}
}

// setMark puts an entry of no meaning into the history, and returns when; zero
// where it failed.
func (r *Redis) setMark(ctx context.Context) time.Time {
	if r.send(ctx, Event{Name: markEvent}, 0) != nil {
		return time.Time{} // tried again with the next ping
	}
	return time.Now()
}

// reportGap tells the other nodes of events that may not have reached them, if
// there are any. What fails is tried again with the next ping.
func (r *Redis) reportGap(ctx context.Context) {
	untold := r.untold.Load()
	if untold == 0 {
		return
	}
	age := time.Since(r.born) - time.Duration(untold)
	event := Event{
		Name:      gapEvent,
		Value:     strconv.AppendInt(nil, age.Milliseconds(), 10),
		Transient: !r.history.kept(),
	}
	if err := r.send(ctx, event, 0); err == nil {
		// Unless another one has failed since.
		r.untold.CompareAndSwap(untold, 0)
	}
}
