package containers_test

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.uber.org/goleak"

	"meower/e2e/containers"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(containers.Wrap(m))
}

func TestRedisKeepsAddressAndDataAcrossStopAndStart(t *testing.T) {
	t.Parallel()
	s := containers.Redis(t)
	addr := s.Addr
	client := redisClient(t, s)
	if err := client.Set(t.Context(), "key", "value", 0).Err(); err != nil {
		t.Fatal(err)
	}

	s.Stop(t)
	if err := client.Ping(t.Context()).Err(); err == nil {
		t.Error("a stopped server answered")
	}
	mustRefuse(t, addr)
	s.Start(t)

	if s.Addr != addr {
		t.Errorf("address %s became %s", addr, s.Addr)
	}
	if got, err := client.Get(t.Context(), "key").Result(); got != "value" || err != nil {
		t.Errorf("after the restart key is %q, %v", got, err)
	}
}

func TestMongoKeepsAddressAndDataAcrossStopAndStart(t *testing.T) {
	t.Parallel()
	s := containers.Mongo(t)
	addr := s.Addr
	users := mongoClient(t, s).Database("test").Collection("users")
	if _, err := users.InsertOne(t.Context(), bson.M{"_id": "1", "name": "mia"}); err != nil {
		t.Fatal(err)
	}

	s.Stop(t)
	if err := users.FindOne(t.Context(), bson.M{"_id": "1"}).Err(); err == nil {
		t.Error("a stopped server answered")
	}
	mustRefuse(t, addr)
	s.Start(t)

	if s.Addr != addr {
		t.Errorf("address %s became %s", addr, s.Addr)
	}
	var user struct{ Name string }
	if err := users.FindOne(t.Context(), bson.M{"_id": "1"}).Decode(&user); err != nil || user.Name != "mia" {
		t.Errorf("after the restart the user is %+v, %v", user, err)
	}
}

func TestPausedServerIsSilentUntilUnpaused(t *testing.T) {
	t.Parallel()
	s := containers.Redis(t)
	client := redisClient(t, s)
	if err := client.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}

	s.Pause(t)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := client.Ping(ctx).Err(); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a paused server gave %v, want the deadline to pass", err)
	}
	s.Unpause(t)

	if err := client.Ping(t.Context()).Err(); err != nil {
		t.Errorf("after Unpause: %v", err)
	}
}

func TestPausedServerCanBeEnded(t *testing.T) {
	t.Parallel()
	// The test's end is the test: a frozen process cannot hear a signal.
	containers.Redis(t).Pause(t)
}

func TestRedisPasswordIsDemanded(t *testing.T) {
	t.Parallel()
	s := containers.Redis(t, containers.Password("corr:ct h@rse"))
	if err := redisClient(t, s).Ping(t.Context()).Err(); err != nil {
		t.Errorf("with the password: %v", err)
	}

	stranger := redis.NewClient(&redis.Options{Addr: s.Addr})
	defer func() { _ = stranger.Close() }()
	if err := stranger.Ping(t.Context()).Err(); err == nil || !strings.Contains(err.Error(), "NOAUTH") {
		t.Errorf("without the password: %v", err)
	}
}

func TestSharedServersAreTheSameForEveryTest(t *testing.T) {
	t.Parallel()
	if a, b := containers.SharedRedis(t), containers.SharedRedis(t); a != b {
		t.Errorf("two servers, %s and %s", a.Addr, b.Addr)
	}
	if a, b := containers.SharedMongo(t), containers.SharedMongo(t); a != b {
		t.Errorf("two servers, %s and %s", a.Addr, b.Addr)
	}
	if err := redisClient(t, containers.SharedRedis(t)).Ping(t.Context()).Err(); err != nil {
		t.Error(err)
	}
	if err := mongoClient(t, containers.SharedMongo(t)).Ping(t.Context(), nil); err != nil {
		t.Error(err)
	}
}

// TestWithoutEngineOrImage runs one test of this package again, as a process
// of its own, on a machine that lacks something.
func TestWithoutEngineOrImage(t *testing.T) {
	t.Parallel()
	const probe = "TestRedisPasswordIsDemanded"
	// A wrong DOCKER_HOST would not do: the library then tries the usual
	// sockets. A protocol version that no engine speaks spoils them all.
	noEngine := "DOCKER_API_VERSION=99.0"
	noImage := "REDIS_IMAGE=registry.invalid/none:1"

	for _, test := range []struct {
		name, lacks, required string
		wantPass              bool
		want                  string
	}{
		{"no engine", noEngine, "", true, "--- SKIP"},
		{"no engine, required", noEngine, "1", false, "--- FAIL"},
		{"no image", noImage, "", true, "--- SKIP"},
		{"no image, required", noImage, "1", false, "--- FAIL"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+probe+"$", "-test.v")
			cmd.Env = append(os.Environ(), test.lacks, "E2E_REQUIRED="+test.required)
			out, err := cmd.CombinedOutput()
			if passed := err == nil; passed != test.wantPass {
				t.Errorf("passed: %v, want %v", passed, test.wantPass)
			}
			if !strings.Contains(string(out), test.want) || !strings.Contains(string(out), "test again") {
				t.Errorf("%q is missing in", test.want)
			}
			t.Logf("%s", out)
		})
	}
}

func redisClient(t *testing.T, s *containers.Server) *redis.Client {
	t.Helper()
	opts, err := redis.ParseURL(s.URI())
	if err != nil {
		t.Fatal(err)
	}
	opts.ContextTimeoutEnabled = true
	opts.DialerRetries = 1
	client := redis.NewClient(opts)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func mongoClient(t *testing.T, s *containers.Server) *mongo.Client {
	t.Helper()
	client, err := mongo.Connect(options.Client().ApplyURI(s.URI()).SetServerSelectionTimeout(2 * time.Second))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Disconnect(context.Background()) })
	return client
}

func mustRefuse(t *testing.T, addr string) {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
	if err == nil {
		_ = conn.Close()
		t.Errorf("somebody listens on %s while the server is stopped", addr)
	}
}
