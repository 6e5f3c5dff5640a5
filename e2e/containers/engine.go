package containers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/log"

	"meower/e2e/needs"
)

const (
	// label marks our containers; its value is E2E_RUN, so that whoever set
	// that can find what a killed test run left behind.
	label = "meower.e2e"

	pullTimeout = 5 * time.Minute
	// pollInterval is the pause between two questions to a starting server.
	pollInterval = 50 * time.Millisecond

	// Host ports come from below the range that the kernel deals out by
	// itself: nobody who asks for port 0 is given the port of a server that
	// happens to be stopped, and 27017 is left to the one who expects it.
	firstPort, lastPort = 28100, 32700
	portAttempts        = 20
)

// unavailableError says that this machine cannot run the container at all,
// which is no fault of what is being tested.
type unavailableError struct {
	needs  string // what is missing, and where to get it
	reason any
}

// Error fits on one line, as the reason of a skipped test should.
func (e *unavailableError) Error() string {
	return strings.Join(strings.Fields(fmt.Sprintf("needs %s, and test again (%v)", e.needs, e.reason)), " ")
}

// own starts a container for one test.
func own(t testing.TB, k kind) *Server {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), pullTimeout+startTimeout)
	defer cancel()
	s, err := start(ctx, k)
	if err != nil {
		skipOrFail(t, err)
	}
	t.Cleanup(func() {
		if err := s.terminate(); err != nil {
			t.Errorf("end %s: %v", k.name, err)
		}
	})
	return s
}

// skipOrFail ends a test that has no container.
func skipOrFail(t testing.TB, err error) {
	t.Helper()
	if _, unavailable := errors.AsType[*unavailableError](err); unavailable {
		needs.Unavailable(t, err)
	}
	t.Fatal(err)
}

// start runs a new container and waits for its first answer.
func start(ctx context.Context, k kind) (*Server, error) {
	if err := engine(); err != nil {
		return nil, err
	}
	if err := haveImage(ctx, k); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()

	// Between the look at a port and its use anyone may take it, another
	// test process doing the same above all.
	var err error
	for range portAttempts {
		var s *Server
		if s, err = startAt(ctx, k, freePort(ctx)); err == nil {
			return s, nil
		}
		if !portTaken(err) {
			break
		}
	}
	return nil, fmt.Errorf("start %s (%s): %w", k.name, k.image, err)
}

// startAt runs a new container that listens on this port of the host.
func startAt(ctx context.Context, k kind, port int) (*Server, error) {
	const host = "127.0.0.1"
	s := &Server{
		Addr: net.JoinHostPort(host, strconv.Itoa(port)),
		Host: host,
		Port: port,
		kind: k,
	}
	ctr, err := testcontainers.Run(ctx, k.image,
		testcontainers.WithExposedPorts(k.port),
		testcontainers.WithCmd(k.command...),
		testcontainers.WithLabels(map[string]string{label: os.Getenv("E2E_RUN")}),
		testcontainers.WithHostConfigModifier(func(c *container.HostConfig) {
			c.PortBindings = network.PortMap{
				network.MustParsePort(k.port): {{
					HostIP:   netip.MustParseAddr(host),
					HostPort: strconv.Itoa(port),
				}},
			}
		}),
	)
	// Not a nil *DockerContainer in a non-nil interface.
	if ctr != nil {
		s.container = ctr
	}
	if err == nil {
		err = s.waitForAnswer(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, s.terminate())
	}
	return s, nil
}

// restart runs a stopped container again.
func (s *Server) restart(ctx context.Context) error {
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()
	for {
		err := s.container.Start(ctx)
		if err == nil {
			return s.waitForAnswer(ctx)
		}
		// The port was free for anyone while the container was stopped.
		if !portTaken(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-poll.C:
		}
	}
}

// waitForAnswer returns once the server has answered in its own protocol: an
// open port proves nothing, the engine opens it before the server is up.
func (s *Server) waitForAnswer(ctx context.Context) error {
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()
	for {
		attempt, cancel := context.WithTimeout(ctx, pingTimeout)
		err := s.kind.ping(attempt, s.URI())
		cancel()
		if err == nil {
			return nil
		}
		state, stateErr := s.container.State(ctx)
		if stateErr == nil && !state.Running {
			return fmt.Errorf("it ended with exit status %d; its last words: %s", state.ExitCode, s.lastWords())
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("no answer at %s: %w; its last words: %s", s.Addr, err, s.lastWords())
		case <-poll.C:
		}
	}
}

// lastWords returns the end of the container's log.
func (s *Server) lastWords() string {
	const enough = 2000
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	r, err := s.container.Logs(ctx)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = r.Close() }()
	log, err := io.ReadAll(r)
	if err != nil {
		return err.Error()
	}
	return string(log[max(0, len(log)-enough):])
}

// terminate removes the container and its data, running or not.
func (s *Server) terminate() error {
	if s.container == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	// Nobody will miss its data: no grace.
	return testcontainers.TerminateContainer(s.container,
		testcontainers.StopContext(ctx), testcontainers.StopTimeout(0))
}

// engine reports whether a container engine answers. The answer is found
// once for each process.
var engine = sync.OnceValue(func() (err error) {
	defer func() {
		// The library panics on some of the ways not to find an engine.
		if r := recover(); r != nil {
			err = noEngine(r)
		}
	}()
	// It also logs every step of every container.
	log.SetDefault(log.NewNoopLogger())
	provider, err := testcontainers.NewDockerProvider()
	if err != nil {
		return noEngine(err)
	}
	defer func() { _ = provider.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	if err := provider.Health(ctx); err != nil {
		return noEngine(err)
	}
	return nil
})

func noEngine(reason any) error {
	return &unavailableError{needs: "a container engine: start Docker, or `make containers`", reason: reason}
}

// haveImage sees to it that the engine has the image. It asks a registry
// once: the library would go on asking for a quarter of an hour.
func haveImage(ctx context.Context, k kind) error {
	return withClient(ctx, func(c *testcontainers.DockerClient) error {
		if _, err := c.ImageInspect(ctx, k.image); err == nil {
			return nil
		}
		ctx, cancel := context.WithTimeout(ctx, pullTimeout)
		defer cancel()
		pull, err := c.ImagePull(ctx, k.image, client.ImagePullOptions{})
		if err == nil {
			err = pull.Wait(ctx)
		}
		if err != nil {
			return &unavailableError{
				needs:  fmt.Sprintf("the image %s: `docker pull` it, or name another in %s", k.image, k.env),
				reason: err,
			}
		}
		return nil
	})
}

func pause(ctx context.Context, id string) error {
	return withClient(ctx, func(c *testcontainers.DockerClient) error {
		_, err := c.ContainerPause(ctx, id, client.ContainerPauseOptions{})
		return err
	})
}

func unpause(ctx context.Context, id string) error {
	return withClient(ctx, func(c *testcontainers.DockerClient) error {
		_, err := c.ContainerUnpause(ctx, id, client.ContainerUnpauseOptions{})
		return err
	})
}

// withClient calls f with a client of the engine that the library found.
func withClient(ctx context.Context, f func(*testcontainers.DockerClient) error) error {
	c, err := testcontainers.NewDockerClientWithOpts(ctx)
	if err != nil {
		return err
	}
	return errors.Join(f(c), c.Close())
}

// freePort returns a port of the loopback address that nobody listens on at
// this moment, or, when there seems to be none, one that is worth a try.
func freePort(ctx context.Context) int {
	var port int
	for range portAttempts {
		port = firstPort + rand.IntN(lastPort-firstPort)
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			_ = l.Close()
			break
		}
	}
	return port
}

// portTaken reports whether the engine could not bind the host's port. It
// says so in words only.
func portTaken(err error) bool {
	return strings.Contains(err.Error(), "port is already allocated") ||
		strings.Contains(err.Error(), "address already in use")
}
