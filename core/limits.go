package core

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// Limit is how many hits a window of time allows.
type Limit struct {
	Hits   int
	Window time.Duration // whole milliseconds
}

// Allowance is what is left of a limit after a hit.
type Allowance struct {
	Allowed   bool
	Remaining int           // hits left in this window
	Reset     time.Duration // until the window ends
}

// hit counts in one atomic step and gives a counter without an end one, so that
// neither a race nor a crash between two commands can leave a wrong or an
// endless count. It returns the count and the milliseconds left.
var hit = redis.NewScript(`
local count = redis.call('INCR', KEYS[1])
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
	left = tonumber(ARGV[1])
	redis.call('PEXPIRE', KEYS[1], left)
end
return {count, left}`)

// Hit counts one hit by who against a bucket's limit, shared by all nodes. It
// fails, rather than allow, when Redis is away.
func (c *Core) Hit(ctx context.Context, bucket string, limit Limit, who string) (Allowance, error) {
	key := "rtl:" + bucket + ":" + who
	result, err := hit.Run(ctx, c.redis, []string{key}, limit.Window.Milliseconds()).Int64Slice()
	if err != nil {
		return Allowance{}, fmt.Errorf("rate limit %s: %w", bucket, err)
	}
	count, left := int(result[0]), time.Duration(result[1])*time.Millisecond
	return Allowance{
		Allowed:   count <= limit.Hits,
		Remaining: max(limit.Hits-count, 0),
		Reset:     left,
	}, nil
}
