package core

import (
	"fmt"
	"strconv"
	"sync"
	"time"
)

// Layout of a snowflake (data.md, "Ids and times").
const (
	sequenceBits     = 12
	workerShift      = sequenceBits
	datacenterShift  = workerShift + 5
	timestampShift   = datacenterShift + 5
	maxNodePart      = 1<<5 - 1
	sequencesPerTick = 1 << sequenceBits

	// idDigits is how many digits an id of our time has: all have 19 until 2039.
	idDigits = 19
)

// IDs makes snowflakes: decimal strings of 19 digits that are unique among all
// generators with different node numbers and that grow with time. It is safe
// for concurrent use and never makes two alike, also when the clock steps back:
// it then goes on from the latest time it has used.
type IDs struct {
	node  int64
	clock func() time.Time

	mu       sync.Mutex
	tick     int64 // milliseconds since the Unix epoch
	sequence int64
}

// NewIDs returns a generator for the node with these numbers, each 0 to 31.
func NewIDs(datacenter, worker int, clock func() time.Time) (*IDs, error) {
	if datacenter < 0 || datacenter > maxNodePart || worker < 0 || worker > maxNodePart {
		return nil, fmt.Errorf("node numbers %d/%d: want 0 to %d each", datacenter, worker, maxNodePart)
	}
	return &IDs{node: int64(datacenter)<<datacenterShift | int64(worker)<<workerShift, clock: clock}, nil
}

// Next returns a new id.
func (g *IDs) Next() string {
	now := g.clock().UnixMilli()
	g.mu.Lock()
	switch {
	case now > g.tick:
		g.tick, g.sequence = now, 0
	case g.sequence+1 < sequencesPerTick:
		g.sequence++
	default:
		// More than 4096 in one millisecond, or a clock that stands still:
		// borrow from the future rather than wait.
		g.tick++
		g.sequence = 0
	}
	id := g.tick<<timestampShift | g.node | g.sequence
	g.mu.Unlock()
	return strconv.FormatInt(id, 10)
}

// ParseID returns the canonical form of an id that came from outside: a decimal
// number that fits an id, padded to 19 digits so that it compares as it should.
func ParseID(s string) (string, bool) {
	if s == "" || len(s) > idDigits {
		return "", false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return "", false
		}
	}
	const zeros = "0000000000000000000"
	return zeros[:idDigits-len(s)] + s, true
}
