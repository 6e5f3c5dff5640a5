//go:build linux

package load

import (
	"fmt"
	"os"
	"sync"
	"testing"
	"time"
)

const (
	postsPerSecond = 10
	postsAtATime   = 32
)

// BenchmarkPaced measures posts that come one at a time, so that every server
// has to write each to every subscriber at once.
func BenchmarkPaced(b *testing.B) {
	benchmarkFanOut(b, func(s *server, all *swarm, window time.Duration) (int, error) {
		posts := int(window * postsPerSecond / time.Second)
		pace := time.NewTicker(time.Second / postsPerSecond)
		defer pace.Stop()
		all.record()
		for range posts {
			<-pace.C
			all.start()
			if err := s.post(content); err != nil {
				return 0, err
			}
		}
		return posts, all.await(posts)
	})
}

// BenchmarkBurst measures posts of which many are under way at any time, so that
// a server may write several at once.
func BenchmarkBurst(b *testing.B) {
	benchmarkFanOut(b, func(s *server, all *swarm, window time.Duration) (int, error) {
		return s.burst(all, window)
	})
}

// benchmarkFanOut compares what a delivery costs the servers. The function posts
// for a while and returns how many posts have reached everyone.
func benchmarkFanOut(b *testing.B, publish func(*server, *swarm, time.Duration) (int, error)) {
	subscribers := number(b, "LOAD_SUBSCRIBERS", 1000)
	window := span(b, "LOAD_WINDOW", 3*time.Second)
	compare(b, "delivery", startAll(b), func(b *testing.B, s *server) func() (figures, error) {
		all := newSwarm(b, subscribers, s.subscribe)
		if _, err := s.burst(all, 200*time.Millisecond); err != nil { // let buffers grow and pools fill
			b.Fatal(err)
		}
		return func() (figures, error) {
			var posts int
			took, used, err := s.usage(func() (err error) {
				posts, err = publish(s, all, window)
				return err
			})
			f := used.per("delivery", posts*subscribers)
			f["posts/s"] = float64(posts) / took.Seconds()
			if delays := all.recorded(); len(delays) > 0 {
				f["median-ms"], f["p99-ms"] = milliseconds(delays, 0.5), milliseconds(delays, 0.99)
			}
			if lost := all.lost.Load(); lost > 0 && err == nil {
				err = fmt.Errorf("%d connections lost", lost)
			}
			return f, err
		}
	})
}

// burst keeps posts under way for that long: whenever one has reached everyone,
// the next is sent. It returns how many there were.
func (s *server) burst(all *swarm, window time.Duration) (posts int, err error) {
	tickets := make(chan struct{}, postsAtATime)
	failed := make(chan error, postsAtATime)
	var posting sync.WaitGroup
	for range postsAtATime {
		tickets <- struct{}{}
		posting.Go(func() {
			for range tickets {
				if err := s.post(content); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	defer posting.Wait()
	defer close(tickets)
	ended, limit := time.Now().Add(window), time.After(window+answerLimit)
	for underWay := postsAtATime; underWay > 0; {
		select {
		case <-all.complete:
			posts++
			if time.Now().Before(ended) {
				tickets <- struct{}{}
			} else {
				underWay--
			}
		case err := <-failed:
			return 0, err
		case <-limit:
			return 0, fmt.Errorf("%w: posts have not reached everyone", os.ErrDeadlineExceeded)
		}
	}
	return posts, nil
}
