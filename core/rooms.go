package core

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// RoomLife is how long what a room holds is kept after the latest sign of a
	// node that has clients in it: where a node has died, the room ends then.
	RoomLife = 30 * time.Second
	// maxRoomState is how much a room's variables may take together: the bytes of
	// names and values, and roomVariableCost for each of them.
	maxRoomState     = 64 << 10
	roomVariableCost = 64
)

// The fields of a room's hash. Those of nodes and of variables go on with a name.
const (
	roomNode     = "n"  // the node's stay in the room
	roomVariable = "v"  // a variable's value
	roomMessage  = "m"  // the latest message
	roomNumber   = "#n" // of the latest write; grows, also when the room begins anew
	roomSize     = "#s" // of all variables
)

// Stay is a node's presence in a room, from its first client there to the last.
// No two have the same ID.
type Stay struct {
	Room string
	Node string
	ID   string
}

// RoomState is what a room holds for those who come later. Values are JSON.
type RoomState struct {
	Message   string // empty where there is none
	Variables map[string]string
	// Number is that of the latest write.
	Number int64
}

// NewID returns an id that no other thing has.
func (c *Core) NewID() string { return c.ids.Next() }

func roomKey(room string) string { return "meower:room:" + room }

// EnterRoom begins a stay, or goes on with it, and returns what the room holds.
func (c *Core) EnterRoom(ctx context.Context, stay Stay) (RoomState, error) {
	key := roomKey(stay.Room)
	var all *redis.MapStringStringCmd
	_, err := c.redis.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
		pipe.HSet(ctx, key, roomNode+stay.Node, stay.ID)
		pipe.PExpire(ctx, key, RoomLife)
		all = pipe.HGetAll(ctx, key)
		return nil
	})
	if err != nil {
		return RoomState{}, fmt.Errorf("enter room: %w", err)
	}
	state := RoomState{Message: all.Val()[roomMessage], Variables: map[string]string{}}
	for field, value := range all.Val() {
		if name, ok := strings.CutPrefix(field, roomVariable); ok {
			state.Variables[name] = value
		}
	}
	if number, written := all.Val()[roomNumber]; written {
		if state.Number, err = strconv.ParseInt(number, 10, 64); err != nil {
			return RoomState{}, fmt.Errorf("enter room: number: %w", err)
		}
	}
	return state, nil
}

// renewRoom goes on with a stay, and with a room that Redis has lost. A room that
// has ended meanwhile without the stay is left alone.
var renewRoom = redis.NewScript(`
if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] or redis.call('EXISTS', KEYS[1]) == 0 or ARGV[4] == '1' then
	redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
	redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
return 0`)

// RenewRoom keeps a room for another RoomLife. begin says that the stay may not
// be known yet.
func (c *Core) RenewRoom(ctx context.Context, stay Stay, begin bool) error {
	flag := "0"
	if begin {
		flag = "1"
	}
	keys := []string{roomKey(stay.Room)}
	err := renewRoom.Run(ctx, c.redis, keys, roomNode+stay.Node, stay.ID, RoomLife.Milliseconds(), flag).Err()
	if err != nil {
		return fmt.Errorf("renew room: %w", err)
	}
	return nil
}

// leaveRoom ends a stay, unless another one has begun, and with the last node's
// the room.
var leaveRoom = redis.NewScript(`
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then
	return 0
end
redis.call('HDEL', KEYS[1], ARGV[1])
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
	if string.sub(field, 1, 1) == 'n' then
		return 0
	end
end
return redis.call('DEL', KEYS[1])`)

// LeaveRoom ends a stay. What the room holds is gone when no node is left.
func (c *Core) LeaveRoom(ctx context.Context, stay Stay) error {
	if err := leaveRoom.Run(ctx, c.redis, []string{roomKey(stay.Room)}, roomNode+stay.Node, stay.ID).Err(); err != nil {
		return fmt.Errorf("leave room: %w", err)
	}
	return nil
}

// writeRoom writes a field and returns the write's number, or 0 where the room
// would hold too much. Numbers begin with the time in milliseconds, so that those
// of a room that ended and began anew go on.
var writeRoom = redis.NewScript(`
local key, field, value = KEYS[1], ARGV[3], ARGV[4]
local size = tonumber(redis.call('HGET', key, '#s') or '0')
if field ~= 'm' then
	local before = redis.call('HGET', key, field)
	if before then
		size = size - #before + #value
	else
		size = size + #field + #value + tonumber(ARGV[7])
	end
	if size > tonumber(ARGV[6]) then
		return 0
	end
end
local number = math.max(tonumber(redis.call('HGET', key, '#n') or '0') + 1, tonumber(ARGV[5]))
number = string.format('%.0f', number)
redis.call('HSET', key, ARGV[1], ARGV[2], field, value, '#n', number, '#s', string.format('%.0f', size))
redis.call('PEXPIRE', key, ARGV[8])
return tonumber(number)`)

// SetRoomMessage makes value the latest message of a room where the node has
// clients, and returns the number of the write.
func (c *Core) SetRoomMessage(ctx context.Context, stay Stay, value string) (number int64, err error) {
	return c.writeRoom(ctx, stay, roomMessage, value)
}

// SetRoomVariable is SetRoomMessage for a variable. Where the room has no room
// for it, the error is CodeTooLarge.
func (c *Core) SetRoomVariable(ctx context.Context, stay Stay, name, value string) (number int64, err error) {
	return c.writeRoom(ctx, stay, roomVariable+name, value)
}

func (c *Core) writeRoom(ctx context.Context, stay Stay, field, value string) (int64, error) {
	number, err := writeRoom.Run(ctx, c.redis, []string{roomKey(stay.Room)},
		roomNode+stay.Node, stay.ID, field, value, c.clock().UnixMilli(),
		maxRoomState, roomVariableCost, RoomLife.Milliseconds()).Int64()
	switch {
	case err != nil:
		return 0, fmt.Errorf("write room: %w", err)
	case number == 0:
		return 0, Err(CodeTooLarge)
	}
	return number, nil
}
