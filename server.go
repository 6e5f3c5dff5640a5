package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"meower/api"
	"meower/bus"
	"meower/cl4"
	"meower/core"
)

// Limits of the HTTP servers. A websocket leaves them behind when it is
// upgraded.
const (
	headerTimeout  = 10 * time.Second
	requestTimeout = 30 * time.Second
	idleTimeout    = 2 * time.Minute
	maxHeaderBytes = 16 << 10
	// shutdownLimit is how long requests under way, and then sockets, have to
	// end.
	shutdownLimit = 10 * time.Second
)

// app is a running server. Its closers run in reverse order of their making.
type app struct {
	log     *slog.Logger
	closers []func()
	api     *api.API
	rest    *http.Server
	sockets *http.Server
	cl4     *cl4.Server
	serving errgroup.Group
	failed  chan error // of whatever the server cannot go on without

	restAddr net.Addr
	cl4Addr  net.Addr
}

// serve runs the server until ctx ends, then ends it cleanly.
func serve(ctx context.Context, cfg *config) error {
	log := cfg.logger()
	for _, name := range cfg.unknownMeowerVars {
		log.WarnContext(ctx, "no such setting", slog.String("variable", name))
	}
	redis.SetLogger(redisLog{log})
	a, err := start(ctx, cfg, log)
	if err != nil {
		return err
	}
	a.banner(os.Stdout, cfg)
	select {
	case <-ctx.Done():
		log.InfoContext(ctx, "shutting down")
	case err = <-a.failed:
		log.ErrorContext(ctx, "cannot go on", slog.Any("error", err))
	}
	return errors.Join(err, a.close())
}

// start makes everything the server consists of, one after the other. What was
// made is closed again when a later step fails.
func start(ctx context.Context, cfg *config, log *slog.Logger) (_ *app, err error) {
	a := &app{log: log, failed: make(chan error, 4)}
	defer func() {
		if err != nil {
			a.closeAll()
		}
	}()

	durable, err := openStore(ctx, cfg, log)
	if err != nil {
		return nil, err
	}
	a.onClose(func() { a.warn("store", durable.Close(context.WithoutCancel(ctx))) })

	client, closeRedis, err := openRedis(ctx, cfg, log)
	if err != nil {
		return nil, err
	}
	a.onClose(closeRedis)

	node := rand.Text()
	lease, err := takeLease(ctx, client, cfg, node, log, a.fail)
	if err != nil {
		return nil, err
	}
	a.onClose(lease.close)

	events := bus.NewRedis(client, node, cfg.history(), log)
	a.onClose(func() { a.warn("bus", events.Close()) })
	select {
	case <-events.Ready():
	case <-time.After(startWait):
		return nil, errors.New("no subscription to Redis")
	case <-ctx.Done():
		return nil, ctx.Err()
	}

	ids, err := core.NewIDs(cfg.DatacenterID, cfg.WorkerID, time.Now)
	if err != nil {
		return nil, err
	}
	rules, err := core.New(ctx, core.Options{
		Store:        durable,
		Redis:        client,
		Bus:          events,
		IDs:          ids,
		Clock:        time.Now,
		Log:          log,
		PasswordCost: cfg.PasswordRounds,
		SigningKey:   []byte(cfg.SigningKey),
	})
	if err != nil {
		return nil, err
	}

	addresses := addressResolver{header: cfg.IPHeader, proxies: cfg.proxies}
	a.api = api.New(api.Options{
		Core:           rules,
		Log:            log,
		Addresses:      addresses.client,
		AllowedOrigins: cfg.AllowedOrigins,
		RateLimits:     cfg.RateLimits == "on",
		LimitOverrides: cfg.rateLimits,
		Version:        version,
	})
	a.cl4 = cl4.New(cl4.Options{
		Core:                  rules,
		Bus:                   events,
		Log:                   log,
		Address:               addresses.client,
		AllowedOrigins:        cfg.AllowedOrigins,
		Disabled:              cfg.CL4Disabled,
		MOTD:                  cfg.CL4MOTD,
		RequireAuth:           cfg.CL4RequireAuth,
		CommandsPerSecond:     cfg.CL4Commands,
		ConnectionsPerAccount: cfg.CL4PerAccount,
		ConnectionsPerAddress: cfg.CL4PerAddress,
		Compression:           cfg.CL4Compression,
		UserList:              cfg.CL4UserList,
	})
	return a, a.listen(ctx, cfg)
}

// listen opens both ports and begins to serve.
func (a *app) listen(ctx context.Context, cfg *config) error {
	a.rest = a.httpServer(a.api.Handler())
	// Requests read their bodies and are answered within a bounded time; sockets
	// keep deadlines of their own.
	a.rest.ReadTimeout, a.rest.WriteTimeout = requestTimeout, requestTimeout
	a.sockets = a.httpServer(a.cl4)

	var err error
	if a.restAddr, err = a.serveOn(ctx, a.rest, cfg.Host, cfg.RESTPort); err != nil {
		return err
	}
	a.cl4Addr, err = a.serveOn(ctx, a.sockets, cfg.Host, cfg.CL4Port)
	return err
}

func (a *app) httpServer(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
	}
}

func (a *app) serveOn(ctx context.Context, server *http.Server, host string, port int) (net.Addr, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return nil, err
	}
	a.onClose(func() { _ = server.Close() })
	a.serving.Go(func() error {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			a.fail(err)
		}
		return nil
	})
	return listener.Addr(), nil
}

// fail reports what the server cannot go on without. It never blocks.
func (a *app) fail(err error) {
	select {
	case a.failed <- err:
	default:
	}
}

// close ends the server: it stops taking requests and connections, lets those
// under way finish, then closes what they stood on.
func (a *app) close() error {
	a.api.SetDraining(true)
	ctx, cancel := context.WithTimeout(context.Background(), shutdownLimit)
	defer cancel()
	var ending errgroup.Group
	ending.Go(func() error { return a.rest.Shutdown(ctx) })
	ending.Go(func() error { return a.sockets.Shutdown(ctx) }) // does not touch the upgraded
	ending.Go(func() error { return a.cl4.Shutdown(ctx) })
	err := ending.Wait()
	a.closeAll()
	return err
}

func (a *app) onClose(closer func()) { a.closers = append(a.closers, closer) }

func (a *app) closeAll() {
	for i := len(a.closers) - 1; i >= 0; i-- {
		a.closers[i]()
	}
	_ = a.serving.Wait() // its functions report through fail
}

func (a *app) warn(what string, err error) {
	if err != nil {
		a.log.Warn("closing failed", slog.String("what", what), slog.Any("error", err))
	}
}

// banner tells a person where the server listens.
func (a *app) banner(w io.Writer, cfg *config) {
	mode := "production"
	if cfg.Development {
		mode = "development: nothing is kept when it stops"
	}
	fmt.Fprintf(w, "Meower %s (%s)\n  REST  http://%s\n  CL4   ws://%s\n", version, mode, a.restAddr, a.cl4Addr)
}
