// Package containers gives tests a real Redis and a real MongoDB, each in a
// container of its own, on whatever container engine the machine has.
//
//	func TestUsers(t *testing.T) {
//		db := containers.Mongo(t)
//		open(t, db.URI())
//		db.Stop(t)  // an outage …
//		db.Start(t) // … and its end: same address, same data
//	}
//
// A package with many tests starts one container for all of them: see
// [SharedMongo] and [Main].
//
// Where there is no engine, or an image cannot be had, the test is skipped
// with one line that says so; with E2E_REQUIRED=1 in the environment, as in
// CI, it fails instead. MONGO_IMAGE and REDIS_IMAGE name other images than
// mongo:7 and redis:7; anything that speaks the protocol on the usual port
// will do, with or without a shell inside.
package containers

import (
	"cmp"
	"context"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/testcontainers/testcontainers-go"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

const (
	// startTimeout bounds the time from asking for a container to its first
	// answer, on a machine that is busy with other tests.
	startTimeout = 2 * time.Minute
	// stopTimeout is how long a container may take to end by itself before
	// it is killed.
	stopTimeout = 10 * time.Second
	// pingTimeout bounds one attempt to get an answer.
	pingTimeout = 2 * time.Second
)

// Server is one running container. Its methods are for the goroutine of the
// test that owns it; the address fields never change.
type Server struct {
	// Addr is where the server listens, as "127.0.0.1:port", and Host and
	// Port are its two halves. They stay the same across Stop and Start.
	Addr string
	Host string
	Port int

	kind      kind
	container testcontainers.Container
}

// Mongo starts a MongoDB server without authentication and returns once it
// answers. It ends with the test.
func Mongo(t testing.TB) *Server {
	t.Helper()
	return own(t, mongoKind())
}

// RedisOption changes how [Redis] starts its server.
type RedisOption func(*kind)

// Password makes the server demand this password.
func Password(password string) RedisOption {
	return func(k *kind) {
		k.user = url.UserPassword("", password)
		k.command = append(k.command, "--requirepass", password)
	}
}

// Redis starts a Redis server with an append-only file, so that what it
// acknowledged is there again after Stop and Start, and returns once it
// answers. It ends with the test.
func Redis(t testing.TB, opts ...RedisOption) *Server {
	t.Helper()
	return own(t, redisKind(opts...))
}

// URI returns the address in the form that the drivers parse, mongodb:// or
// redis://, including the password where there is one.
func (s *Server) URI() string {
	u := url.URL{Scheme: s.kind.scheme, User: s.kind.user, Host: s.Addr}
	return u.String()
}

// Stop ends the server: it is told to end, and killed after ten seconds.
// Connections to it break and new ones are refused. Its data stays for
// Start.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	grace := stopTimeout
	if err := s.container.Stop(ctx, &grace); err != nil {
		t.Fatalf("stop %s: %v", s.kind.name, err)
	}
}

// Start brings a stopped server back at the address and with the data that
// it had, and returns once it answers.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	if err := s.restart(ctx); err != nil {
		t.Fatalf("start %s again: %v", s.kind.name, err)
	}
}

// Pause freezes the server: connections stay open and new ones are accepted,
// but nothing is answered until Unpause. It is the outage that only a
// timeout notices.
func (s *Server) Pause(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	if err := pause(ctx, s.container.GetContainerID()); err != nil {
		t.Fatalf("pause %s: %v", s.kind.name, err)
	}
}

// Unpause lets a paused server go on, and returns once it answers.
func (s *Server) Unpause(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	if err := unpause(ctx, s.container.GetContainerID()); err != nil {
		t.Fatalf("unpause %s: %v", s.kind.name, err)
	}
	if err := s.waitForAnswer(ctx); err != nil {
		t.Fatalf("unpause %s: %v", s.kind.name, err)
	}
}

// kind is what tells one sort of server from another.
type kind struct {
	name    string // for people
	env     string // the variable that names another image
	image   string
	port    string // inside the container
	command []string
	scheme  string
	user    *url.Userinfo
	// ping asks the server at this URI for the smallest answer there is.
	ping func(ctx context.Context, uri string) error
}

func mongoKind() kind {
	return kind{
		name:   "MongoDB",
		env:    "MONGO_IMAGE",
		image:  cmp.Or(os.Getenv("MONGO_IMAGE"), "mongo:7"),
		port:   "27017/tcp",
		scheme: "mongodb",
		ping:   pingMongo,
	}
}

func redisKind(opts ...RedisOption) kind {
	k := kind{
		name:  "Redis",
		env:   "REDIS_IMAGE",
		image: cmp.Or(os.Getenv("REDIS_IMAGE"), "redis:7"),
		port:  "6379/tcp",
		command: []string{
			"redis-server", "--bind", "0.0.0.0", "--protected-mode", "no", "--appendonly", "yes",
		},
		scheme: "redis",
		ping:   pingRedis,
	}
	for _, opt := range opts {
		opt(&k)
	}
	return k
}

func pingMongo(ctx context.Context, uri string) error {
	client, err := mongo.Connect(options.Client().ApplyURI(uri).
		SetServerSelectionTimeout(pingTimeout).
		SetDirect(true))
	if err != nil {
		return err
	}
	// The client's goroutines must be gone before the test looks for leaks,
	// whatever has become of ctx.
	defer func() { _ = client.Disconnect(context.WithoutCancel(ctx)) }()
	return client.Ping(ctx, nil)
}

func pingRedis(ctx context.Context, uri string) error {
	opts, err := redis.ParseURL(uri)
	if err != nil {
		return err
	}
	opts.ContextTimeoutEnabled = true
	opts.MaxRetries = -1   // the caller asks again by itself
	opts.DialerRetries = 1 // likewise
	opts.DisableIdentity = true
	client := redis.NewClient(opts)
	defer func() { _ = client.Close() }()
	return client.Ping(ctx).Err()
}
