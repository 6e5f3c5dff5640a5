package bus

import (
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"
)

// NewFastRedis returns a bus that notices a silent connection within two
// seconds, which a busy machine can keep, and repairs it in no time.
func NewFastRedis(client redis.UniversalClient, node string, history History, log *slog.Logger) *Redis {
	return newRedis(client, node, history, log, timing{
		publish:    time.Second,
		ping:       20 * time.Millisecond,
		silence:    2 * time.Second,
		minBackoff: 5 * time.Millisecond,
		maxBackoff: 50 * time.Millisecond,
	})
}

// Owes reports whether other nodes have yet to hear of a gap.
func (r *Redis) Owes() bool { return r.untold.Load() != 0 }

// Channel is the one that the event goes over.
func Channel(event string) string { return channelPrefix + event }

// GapEvent is the name of the event that tells of a gap.
const GapEvent = gapEvent
