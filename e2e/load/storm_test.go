//go:build linux

package load

import (
	"errors"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	steadyClients = 10
	steadyPace    = 100 * time.Millisecond
	// stormDialers is how many clients of the storm are under way at a time:
	// more would wait for the generator, and not for the server.
	stormDialers = 250
)

// BenchmarkStorm measures what a server's restart leads to, when all clients
// come back at once: how long it takes, what memory it takes, and how late posts
// reach those who are connected already.
func BenchmarkStorm(b *testing.B) {
	s := startMeower(b)
	clients := number(b, "LOAD_STORM", 5000)
	steady := newSwarm(b, steadyClients, s.subscribe)
	before := s.memory("VmRSS")
	steady.record()
	posting := startPosting(s, steady, steadyPace)
	time.Sleep(time.Second) // of calm

	started, cpu := time.Now(), s.cpu()
	storm := make([]func() error, clients)
	var dialing errgroup.Group
	dialing.SetLimit(stormDialers)
	for i := range storm {
		dialing.Go(func() error {
			ws, err := s.connect(i)
			if err == nil {
				storm[i] = ws.Close
			}
			return err
		})
	}
	err := dialing.Wait()
	took, used := time.Since(started), s.cpu()-cpu
	b.Cleanup(func() {
		for _, end := range storm {
			if end != nil {
				_ = end()
			}
		}
	})
	posts, postErr := posting()
	must(b, errors.Join(err, postErr))
	must(b, steady.await(posts))
	delays := steady.recorded()
	report(b, s.name, figures{
		"storm-s":        took.Seconds(),
		"cpu-µs/connect": float64(used.Microseconds()) / float64(clients),
		"median-ms":      milliseconds(delays, 0.5),
		"p99-ms":         milliseconds(delays, 0.99),
		"max-ms":         milliseconds(delays, 1),
		"before-MiB":     float64(before) / (1 << 20),
		"peak-MiB":       float64(s.memory("VmHWM")) / (1 << 20),
	})
}

// startPosting posts at that pace until the function that it returns is called,
// which returns how many posts there were.
func startPosting(s *server, all *swarm, pace time.Duration) func() (posts int, err error) {
	stop := make(chan struct{})
	var posts int
	var err error
	var posting sync.WaitGroup
	posting.Go(func() {
		tick := time.NewTicker(pace)
		defer tick.Stop()
		for err == nil {
			select {
			case <-tick.C:
				all.start()
				if err = s.post(content); err == nil {
					posts++
				}
			case <-stop:
				return
			}
		}
	})
	return func() (int, error) {
		close(stop)
		posting.Wait()
		return posts, err
	}
}
