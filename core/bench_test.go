package core

import (
	"log/slog"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"meower/bus"
	"meower/store"
	"meower/store/memory"
)

// BenchmarkCreatePost is the rule with its event on the memory store, with one
// handler on the bus.
func BenchmarkCreatePost(b *testing.B) {
	client := redis.NewClient(&redis.Options{Addr: miniredis.RunT(b).Addr()})
	b.Cleanup(func() { _ = client.Close() })
	ids, err := NewIDs(0, 0, time.Now)
	if err != nil {
		b.Fatal(err)
	}
	local := bus.NewLocal()
	local.Subscribe(func(bus.Event) {})
	c, err := New(b.Context(), Options{
		Store: memory.New(), Redis: client, Bus: local, IDs: ids, Clock: time.Now,
		Log: slog.New(slog.DiscardHandler), PasswordCost: 4,
	})
	if err != nil {
		b.Fatal(err)
	}
	author := &Principal{User: store.User{ID: ids.Next(), Username: "ada", LowerUsername: "ada"}}
	if err := c.store.CreateUser(b.Context(), author.User); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.CreatePost(b.Context(), author, "Hello, world!"); err != nil {
			b.Fatal(err)
		}
	}
}
