package cl4

import (
	"fmt"
	"sync"
	"testing"

	"github.com/gorilla/websocket"

	"meower/core"
)

// BenchmarkFanOut measures one post reaching every one of many real
// connections, loopback included.
func BenchmarkFanOut(b *testing.B) {
	for _, n := range []int{100, 1000, 5000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			w := newWorld(b, nil)
			alice := w.register("alice")
			var received, readers sync.WaitGroup
			clients := make([]*client, n)
			for i := range clients {
				clients[i] = w.connect(alice)
				clients[i].subscribe(subscribeNewPosts)
			}
			for _, c := range clients {
				readers.Go(func() {
					for {
						_, _, err := c.ws.ReadMessage()
						if err != nil {
							return
						}
						received.Done()
					}
				})
			}
			b.ReportAllocs()
			for b.Loop() {
				received.Add(n)
				w.publish(core.EventPostCreated, "5", `{"id":"1234567890123456789","content":"Hello, world"}`)
				received.Wait()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/conn")
			for _, c := range clients {
				_ = c.ws.Close()
			}
			readers.Wait()
		})
	}
}

// BenchmarkAuthenticate measures a whole connection: dial, token, ready.
func BenchmarkAuthenticate(b *testing.B) {
	w := newWorld(b, nil)
	alice := w.register("alice")
	b.ReportAllocs()
	for b.Loop() {
		ws, _, err := websocket.DefaultDialer.Dial(w.url, nil)
		must(b, err)
		c := &client{t: b, ws: ws}
		c.send(`{"cmd":"authenticate","token":"` + alice.token + `"}`)
		c.read()
		c.read()
		_ = ws.Close()
	}
}
