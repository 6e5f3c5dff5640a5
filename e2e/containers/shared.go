package containers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
)

// shared are the containers of this test process that no single test owns.
var shared struct {
	sync.Mutex
	wrapped bool // Wrap's Run is there to end them
	servers []*Server
}

var (
	sharedMongo = sync.OnceValues(func() (*Server, error) { return share(mongoKind()) })
	sharedRedis = sync.OnceValues(func() (*Server, error) { return share(redisKind()) })
)

// SharedMongo returns a MongoDB server for all tests of a package; the first
// call starts it. Tests keep apart by using a database of their own, and
// neither stop nor pause it. The package's TestMain calls [Main] or [Wrap],
// which end it. Safe for concurrent use.
func SharedMongo(t testing.TB) *Server {
	t.Helper()
	return borrow(t, sharedMongo)
}

// SharedRedis is to [Redis], without options, as [SharedMongo] is to
// [Mongo]. Tests keep apart by key prefixes or channel names of their own.
func SharedRedis(t testing.TB) *Server {
	t.Helper()
	return borrow(t, sharedRedis)
}

func borrow(t testing.TB, get func() (*Server, error)) *Server {
	t.Helper()
	shared.Lock()
	wrapped := shared.wrapped
	shared.Unlock()
	if !wrapped {
		t.Fatal("a shared container needs containers.Main or containers.Wrap in TestMain, to end it")
	}
	s, err := get()
	if err != nil {
		skipOrFail(t, err)
	}
	return s
}

// share starts a container that lives until the tests are over.
func share(k kind) (*Server, error) {
	ctx, cancel := context.WithTimeout(context.Background(), pullTimeout+startTimeout)
	defer cancel()
	s, err := start(ctx, k)
	if err != nil {
		return nil, err
	}
	shared.Lock()
	defer shared.Unlock()
	shared.servers = append(shared.servers, s)
	return s, nil
}

// Main runs the tests, ends the shared containers, and exits. It is all that
// a TestMain has to call.
func Main(m *testing.M) {
	os.Exit(Wrap(m).Run())
}

// Runner is what runs the tests of a package: a [testing.M], or one wrapped.
type Runner interface {
	Run() int
}

// Wrap returns m with the end of the shared containers added to its Run, for
// a TestMain that has more to do than [Main], such as looking for leaked
// goroutines:
//
//	goleak.VerifyTestMain(containers.Wrap(m))
func Wrap(m *testing.M) Runner { return runner{m} }

type runner struct{ m *testing.M }

func (r runner) Run() int {
	shared.Lock()
	shared.wrapped = true
	shared.Unlock()

	code := r.m.Run()

	shared.Lock()
	defer shared.Unlock()
	var errs []error
	for _, s := range shared.servers {
		errs = append(errs, s.terminate())
	}
	if err := errors.Join(errs...); err != nil {
		fmt.Fprintln(os.Stderr, "end the shared containers:", err)
		code = max(code, 1)
	}
	return code
}
