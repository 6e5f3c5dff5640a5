package cl4

import (
	"context"
	"net"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"

	"meower/store"
	"meower/store/memory"
)

// redisCalls counts what is asked of Redis: commands, and pipelines as one.
type redisCalls struct{ atomic.Int64 }

func (*redisCalls) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		return next(ctx, network, address)
	}
}

func (r *redisCalls) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		r.Add(1)
		return next(ctx, cmd)
	}
}

func (r *redisCalls) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		r.Add(1)
		return next(ctx, cmds)
	}
}

// TestConnectCalls: a storm of clients that come back costs the stores the same
// few calls for each, whoever they are and however much they have. The numbers
// are those of doc/performance.md.
func TestConnectCalls(t *testing.T) {
	const storeCalls, redisCallsEach = 10, 2
	on := inProcess(t)
	durable := memory.New()
	on.store = durable
	w := newWorldOn(t, on, nil)
	ctx := t.Context()
	loner, busy := w.register("loner"), w.register("busy")
	for i := range 200 {
		id := strconv.Itoa(1000 + i)
		must(t, w.store.CreateChat(ctx, store.Chat{ID: id, Members: []string{busy.id}}))
		must(t, w.store.Block(ctx, busy.id, id, busy.principal.User.Created))
		must(t, w.store.Block(ctx, id, busy.id, busy.principal.User.Created))
		must(t, w.store.Follow(ctx, busy.id, id, busy.principal.User.Created))
	}
	asked := new(redisCalls)
	on.client.AddHook(asked)
	w.connect(loner) // whose address is remembered from here on
	for _, u := range []user{loner, busy, loner, busy} {
		store, redis := durable.Calls(), asked.Load()
		w.connect(u)
		if got := durable.Calls() - store; got != storeCalls {
			t.Errorf("%d store calls, want %d", got, storeCalls)
		}
		if got := asked.Load() - redis; got != redisCallsEach {
			t.Errorf("%d Redis calls, want %d", got, redisCallsEach)
		}
	}
}
