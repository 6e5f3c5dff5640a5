package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"meower/store"
	"meower/store/memory"
	"meower/store/mongo"
)

const (
	// startWait is how long a start waits for the services it stands on.
	startWait = 30 * time.Second
	startPoll = time.Second
	// redisTimeout bounds one exchange with Redis, so that an outage is told to
	// clients within two seconds.
	redisTimeout = time.Second
	// clockTick is how often the embedded Redis learns that time has passed.
	clockTick = 100 * time.Millisecond
)

// openStore opens the durable store: memory in development, else MongoDB.
func openStore(ctx context.Context, cfg *config, log *slog.Logger) (store.Store, error) {
	if cfg.Development {
		return memory.New(), nil
	}
	var opened *mongo.Store
	err := await(ctx, log, "MongoDB", func(ctx context.Context) (err error) {
		opened, err = mongo.Open(ctx, cfg.DatabaseURI, cfg.Database)
		return err
	})
	if err != nil {
		return nil, err
	}
	return opened, nil
}

// redisLog takes what go-redis has to say, which it would print otherwise. What
// matters of it is logged where the command was given.
type redisLog struct{ log *slog.Logger }

// Printf implements the library's logger.
func (l redisLog) Printf(ctx context.Context, format string, args ...any) {
	l.log.DebugContext(ctx, "go-redis", slog.String("message", fmt.Sprintf(format, args...)))
}

// openRedis connects to Redis, or in development starts one within the process.
// closeRedis ends both.
func openRedis(ctx context.Context, cfg *config, log *slog.Logger) (client redis.UniversalClient, closeRedis func(), err error) {
	stopEmbedded := func() {}
	options := &redis.UniversalOptions{
		Addrs:    []string{net.JoinHostPort(cfg.RedisHost, strconv.Itoa(cfg.RedisPort))},
		Password: cfg.RedisPassword,
		DB:       cfg.RedisDB,
	}
	if cfg.Development {
		embedded, err := startEmbeddedRedis()
		if err != nil {
			return nil, nil, err
		}
		stopEmbedded = embedded.stop
		options = &redis.UniversalOptions{Addrs: []string{embedded.server.Addr()}}
	} else if cfg.RedisURL != "" {
		parsed, err := redis.ParseURL(cfg.RedisURL)
		if err != nil {
			return nil, nil, fmt.Errorf("REDIS_URL: want redis://… or rediss://…")
		}
		options = &redis.UniversalOptions{
			Addrs: []string{parsed.Addr}, Username: parsed.Username, Password: parsed.Password,
			DB: parsed.DB, TLSConfig: parsed.TLSConfig,
		}
	}
	options.ContextTimeoutEnabled = true
	options.DialTimeout, options.ReadTimeout, options.WriteTimeout = redisTimeout, redisTimeout, redisTimeout
	// A command whose answer was lost is not sent again: counting twice would be
	// wrong, and three tries would take longer than clients are kept waiting.
	options.MaxRetries = -1
	options.DialerRetries = 1
	client = redis.NewUniversalClient(options)
	closeRedis = func() {
		_ = client.Close()
		stopEmbedded()
	}
	if err := await(ctx, log, "Redis", func(ctx context.Context) error { return client.Ping(ctx).Err() }); err != nil {
		closeRedis()
		return nil, nil, err
	}
	return client, closeRedis, nil
}

// await tries to reach a service until it answers, for at most startWait.
func await(ctx context.Context, log *slog.Logger, service string, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startWait)
	defer cancel()
	poll := time.NewTicker(startPoll)
	defer poll.Stop()
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		log.WarnContext(ctx, "waiting for a service", slog.String("service", service), slog.Any("error", err))
		select {
		case <-poll.C:
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer: %w", service, err)
		}
	}
}

// embeddedRedis is a Redis within the process, for development.
type embeddedRedis struct {
	server *miniredis.Miniredis
	quit   chan struct{}
	done   sync.WaitGroup
}

// startEmbeddedRedis also moves the clock of the embedded Redis: by itself it
// lets no key expire, and limits and tickets would live for ever.
func startEmbeddedRedis() (*embeddedRedis, error) {
	server, err := miniredis.Run()
	if err != nil {
		return nil, fmt.Errorf("embedded Redis: %w", err)
	}
	e := &embeddedRedis{server: server, quit: make(chan struct{})}
	e.done.Go(func() {
		tick := time.NewTicker(clockTick)
		defer tick.Stop()
		last := time.Now()
		for {
			select {
			case now := <-tick.C:
				server.FastForward(now.Sub(last))
				last = now
			case <-e.quit:
				return
			}
		}
	})
	return e, nil
}

func (e *embeddedRedis) stop() {
	close(e.quit)
	e.done.Wait()
	e.server.Close()
}
