package bus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// historyKey is the stream of what all nodes published, oldest first.
const historyKey = "meower:history"

// The fields of an entry.
const (
	fieldName    = "e" // of the event
	fieldNumber  = "o" // among its node's own
	fieldPayload = "p"
)

// History says how much of what was published can be had again. The zero value
// keeps nothing.
type History struct {
	Events int           // at least so many, when they are not older than For
	For    time.Duration // at least so long, when they are not more than Events
}

func (h History) kept() bool { return h.Events > 0 && h.For > 0 }

// heartbeat is how often every node sets a mark. Positions are that much older
// than For at most, for which the history is kept longer.
func (h History) heartbeat() time.Duration { return h.For / 4 }

// life is how long an entry is kept.
func (h History) life() time.Duration { return h.For + 2*h.heartbeat() }

// addEntriesSource adds to the history and publishes, in one step: so every node
// hears of the entries in the order of their ids. It trims what is too old or too
// much, roughly, which costs nothing.
const addEntriesSource = `
local id
for i = 3, #ARGV, 3 do
	id = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'e', ARGV[i], 'o', ARGV[i + 1], 'p', ARGV[i + 2] .. '}')
	redis.call('PUBLISH', 'meower:' .. ARGV[i], ARGV[i + 2] .. ',"s":"' .. id .. '"}')
end
local oldest = tonumber(string.match(id, '^%d+')) - tonumber(ARGV[2])
redis.call('XTRIM', KEYS[1], 'MINID', '~', string.format('%.0f', oldest))
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return id`

var addEntries = redis.NewScript(addEntriesSource)

// addition is an event on its way into the history.
type addition struct {
	name    string
	number  int64 // among its node's own
	payload []byte
}

// add adds events in this order, and returns the id of the last.
func (h History) add(ctx context.Context, client redis.UniversalClient, additions []addition) (id string, err error) {
	arguments := make([]any, 0, 7+3*len(additions))
	arguments = append(arguments, "evalsha", addEntries.Hash(), 1, historyKey, h.Events, h.life().Milliseconds())
	for _, a := range additions {
		arguments = append(arguments, a.name, a.number, a.payload[:len(a.payload)-len(payloadEnd)])
	}
	cmd := redis.NewCmd(ctx, arguments...)
	err = client.Process(ctx, once{cmd})
	if redis.HasErrorPrefix(err, "NOSCRIPT") { // then it has not been done
		arguments[0], arguments[1] = "eval", addEntriesSource
		cmd = redis.NewCmd(ctx, arguments...)
		err = client.Process(ctx, once{cmd})
	}
	if err != nil {
		return "", err
	}
	return cmd.Text()
}

// entryID is the id of an entry: the milliseconds of Redis's clock, and a number
// among those.
type entryID struct{ ms, seq uint64 }

func parseEntryID(s string) (entryID, error) {
	ms, seq, _ := strings.Cut(s, "-")
	var id entryID
	var err, seqErr error
	id.ms, err = strconv.ParseUint(ms, 10, 64)
	id.seq, seqErr = strconv.ParseUint(seq, 10, 64)
	return id, errors.Join(err, seqErr)
}

// String returns the id as Redis writes it.
func (id entryID) String() string {
	return strconv.FormatUint(id.ms, 10) + "-" + strconv.FormatUint(id.seq, 10)
}

func (id entryID) compare(other entryID) int {
	return cmp.Or(cmp.Compare(id.ms, other.ms), cmp.Compare(id.seq, other.seq))
}

// place is a Position, taken apart.
type place struct {
	seen entryID
	node string
	own  int64
}

func (p Position) place() (place, error) {
	seen, err := parseEntryID(p.Seen)
	return place{seen, p.Node, p.Own}, err
}

// entry is what the history keeps of an event.
type entry struct {
	id     entryID
	event  Event
	node   string
	number int64
}

// has reports whether the event was handed out up to the place.
func (p place) has(e entry) bool {
	return e.id.compare(p.seen) <= 0 || e.node == p.node && e.number <= p.own && e.number > 0
}

// Missed implements Bus.
func (r *Redis) Missed(ctx context.Context, from, to Position) ([]Event, error) {
	before, err := from.place()
	after, errAfter := to.place()
	if err := errors.Join(err, errAfter); err != nil || !r.history.kept() {
		return nil, ErrNoHistory
	}
	ctx, cancel := context.WithTimeout(ctx, 2*r.timing.publish)
	defer cancel()
	if err := r.kept(ctx, after.own); err != nil {
		return nil, err
	}
	var missed []Event
	prior := before.seen // the latest entry before
	err = r.entries(ctx, before.seen, func(e entry) error {
		if e.event.Name == gapEvent {
			return errors.New("an event of some node was not kept")
		}
		if e.event.Name != markEvent && after.has(e) && !before.has(e) {
			// Past what the node has seen, it has some of the entries only.
			if prior.compare(after.seen) <= 0 {
				e.event.Prior = Position{Seen: prior.String(), Node: from.Node, Own: from.Own}
			}
			missed = append(missed, e.event)
		}
		prior = e.id
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoHistory, err)
	}
	return missed, nil
}

// kept waits until the history has the node's own events up to a number.
func (r *Redis) kept(ctx context.Context, own int64) error {
	// What was handed out up to then is in the history afterwards, or never.
	if err := r.underWay.wait(ctx, own); err != nil {
		return fmt.Errorf("%w: %w", ErrNoHistory, err)
	}
	if r.untold.Load() != 0 {
		return fmt.Errorf("%w: an event of this node was not kept", ErrNoHistory)
	}
	return nil
}

// Settle implements Bus.
func (r *Redis) Settle(ctx context.Context, p Position) (Position, error) {
	at, err := p.place()
	if err != nil || !r.history.kept() {
		return Position{}, ErrNoHistory
	}
	ctx, cancel := context.WithTimeout(ctx, 2*r.timing.publish)
	defer cancel()
	through := at.seen
	if at.node == r.node {
		err = r.kept(ctx, at.own)
	} else { // what it has is among what this node has seen
		r.Between(func(now Position) { through, err = parseEntryID(now.Seen) })
	}
	if err != nil {
		return Position{}, err
	}
	if added := r.added.Load(); added != nil && added.compare(through) > 0 {
		through = *added
	}
	p.Through = through.String()
	return p, nil
}

// reachTick is how often Reach looks.
const reachTick = 2 * time.Millisecond

// Reach implements Bus.
func (r *Redis) Reach(ctx context.Context, p Position) error {
	through, err := parseEntryID(p.Through)
	if err != nil || !r.history.kept() {
		return ErrNoHistory
	}
	ctx, cancel := context.WithTimeout(ctx, r.timing.publish)
	defer cancel()
	tick := time.NewTicker(reachTick)
	defer tick.Stop()
	for {
		var seen entryID
		r.Between(func(p Position) { seen, err = parseEntryID(p.Seen) })
		if err == nil && seen.compare(through) >= 0 {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ErrNoHistory, ctx.Err())
		}
	}
}

// entries calls f for all entries after one that must still be there: else
// others may be gone as well.
func (r *Redis) entries(ctx context.Context, after entryID, f func(entry) error) error {
	const page = 500
	start, first := after.String(), true
	for {
		messages, err := r.client.XRangeN(ctx, historyKey, start, "+", page).Result()
		if err != nil {
			return err
		}
		if first && (len(messages) == 0 || messages[0].ID != after.String()) {
			return errors.New("the history does not go back so far")
		}
		for _, message := range messages {
			if message.ID == after.String() {
				continue
			}
			e, err := decodeEntry(message)
			if err != nil {
				r.unreadable(historyKey, 0, err)
				continue
			}
			if err := f(e); err != nil {
				return err
			}
		}
		if len(messages) < page {
			return nil
		}
		start, first = "("+messages[len(messages)-1].ID, false
	}
}

func decodeEntry(message redis.XMessage) (e entry, err error) {
	if e.id, err = parseEntryID(message.ID); err != nil {
		return e, err
	}
	name, _ := message.Values[fieldName].(string)
	number, _ := message.Values[fieldNumber].(string)
	payload, _ := message.Values[fieldPayload].(string)
	if e.number, err = strconv.ParseInt(number, 10, 64); err != nil {
		return e, fmt.Errorf("number of an entry: %w", err)
	}
	e.event, e.node, err = decodePayload(channelPrefix+name, payload)
	return e, err
}

// underWay are the own events that have been handed out and whose Publish has not
// ended.
type underWay struct {
	mu      sync.Mutex
	numbers map[int64]struct{}
	changed chan struct{} // closed when one has ended
}

func newUnderWay() *underWay {
	return &underWay{numbers: map[int64]struct{}{}, changed: make(chan struct{})}
}

func (u *underWay) begin(number int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.numbers[number] = struct{}{}
}

// end ends one; zero is none.
func (u *underWay) end(number int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if _, found := u.numbers[number]; found {
		delete(u.numbers, number)
		close(u.changed)
		u.changed = make(chan struct{})
	}
}

// wait waits until all up to a number have ended.
func (u *underWay) wait(ctx context.Context, upTo int64) error {
	for {
		changed := u.earlier(upTo)
		if changed == nil {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// earlier returns nil where none up to a number is under way, and otherwise a
// channel that is closed when that may have changed.
func (u *underWay) earlier(upTo int64) <-chan struct{} {
	u.mu.Lock()
	defer u.mu.Unlock()
	for number := range u.numbers {
		if number <= upTo {
			return u.changed
		}
	}
	return nil
}
