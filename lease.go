package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// leaseLife is how long a node keeps its numbers without a word, and so how
	// long a node that was killed keeps its successor waiting.
	leaseLife  = 15 * time.Second
	leaseRenew = 5 * time.Second
	// leaseWait is a little longer, so that a killed node's successor starts.
	leaseWait = leaseLife + 5*time.Second
)

// nodeLease holds a node's numbers, since two nodes with the same pair would
// make the same ids.
type nodeLease struct {
	client redis.UniversalClient
	key    string
	node   string
	log    *slog.Logger
	quit   context.CancelFunc
	done   sync.WaitGroup
}

// renewLease takes the key if it is free or the node's own, and says whether it
// is the node's afterwards.
var renewLease = redis.NewScript(`
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
	return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`)

// releaseLease gives the key up if it is the node's own.
var releaseLease = redis.NewScript(`
if redis.call('GET', KEYS[1]) == ARGV[1] then
	redis.call('DEL', KEYS[1])
end
return 1`)

var errNumbersTaken = errors.New("another node has the same DATACENTER_ID and WORKER_ID")

// takeLease takes the numbers for the node, waiting for a killed predecessor's
// lease to run out. lost is called once if another node gets hold of them.
func takeLease(ctx context.Context, client redis.UniversalClient, cfg *config, node string, log *slog.Logger, lost func(error)) (*nodeLease, error) {
	l := &nodeLease{
		client: client,
		key:    fmt.Sprintf("meower:node:%d:%d", cfg.DatacenterID, cfg.WorkerID),
		node:   node,
		log:    log,
	}
	if err := l.acquire(ctx); err != nil {
		return nil, err
	}
	ctx, l.quit = context.WithCancel(context.WithoutCancel(ctx))
	l.done.Go(func() { l.keep(ctx, lost) })
	return l, nil
}

func (l *nodeLease) acquire(ctx context.Context) error {
	deadline, cancel := context.WithTimeout(ctx, leaseWait)
	defer cancel()
	poll := time.NewTicker(startPoll)
	defer poll.Stop()
	for said := false; ; {
		held, err := l.renew(deadline)
		if err != nil {
			return err
		}
		if held {
			return nil
		}
		if !said {
			l.log.WarnContext(ctx, "waiting for the lease of another node with the same DATACENTER_ID and WORKER_ID")
			said = true
		}
		select {
		case <-poll.C:
		case <-deadline.Done():
			return errNumbersTaken
		}
	}
}

func (l *nodeLease) renew(ctx context.Context) (held bool, err error) {
	n, err := renewLease.Run(ctx, l.client, []string{l.key}, l.node, leaseLife.Milliseconds()).Int()
	if err != nil {
		return false, fmt.Errorf("node lease: %w", err)
	}
	return n == 1, nil
}

// keep renews the lease until the node closes. While Redis is away nobody else
// can take it either, so an outage is only logged.
func (l *nodeLease) keep(ctx context.Context, lost func(error)) {
	tick := time.NewTicker(leaseRenew)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		switch held, err := l.renew(ctx); {
		case ctx.Err() != nil:
			return
		case err != nil:
			l.log.WarnContext(ctx, "node lease was not renewed", slog.Any("error", err))
		case !held:
			lost(errNumbersTaken)
			return
		}
	}
}

func (l *nodeLease) close() {
	l.quit()
	l.done.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), redisTimeout)
	defer cancel()
	if err := releaseLease.Run(ctx, l.client, []string{l.key}, l.node).Err(); err != nil {
		l.log.WarnContext(ctx, "node lease was not released", slog.Any("error", err))
	}
}
