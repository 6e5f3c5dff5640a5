package memory_test

import (
	"fmt"
	"strconv"
	"testing"

	"meower/store"
	"meower/store/memory"
)

// sizes are the lengths of the archive at which the benchmarks run. What a
// method costs should not grow with it.
var sizes = []int{1e3, 1e4, 1e5, 1e6}

const (
	benchAuthors = 100
	firstPost    = 7_000_000_000_000_000_000
)

func benchPost(i int) store.Post {
	return store.Post{
		ID:       strconv.Itoa(firstPost + i),
		AuthorID: benchAuthor(i),
		Content:  "The quick brown fox jumps over the lazy dog.",
	}
}

func benchAuthor(i int) string { return strconv.Itoa(firstPost + i%benchAuthors) }

// archive returns a store with n posts of benchAuthors authors.
func archive(b *testing.B, n int) *memory.Store {
	b.Helper()
	s := memory.New()
	for i := range n {
		if err := s.CreatePost(b.Context(), benchPost(i)); err != nil {
			b.Fatal(err)
		}
	}
	return s
}

// benchArchive runs a benchmark of one call at every size of the archive.
func benchArchive(b *testing.B, call func(b *testing.B, s *memory.Store, posts int)) {
	for _, n := range sizes {
		s := archive(b, n)
		b.Run(fmt.Sprintf("posts=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				call(b, s, n)
			}
		})
	}
}

// BenchmarkCreatePost adds to the archive, which therefore grows meanwhile.
func BenchmarkCreatePost(b *testing.B) {
	for _, n := range sizes {
		s, next := archive(b, n), n
		b.Run(fmt.Sprintf("posts=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := s.CreatePost(b.Context(), benchPost(next)); err != nil {
					b.Fatal(err)
				}
				next++
			}
		})
	}
}

// BenchmarkLatestPosts reads a page of 25 from the middle of the archive, for
// someone who blocks an author.
func BenchmarkLatestPosts(b *testing.B) {
	exclude := []string{benchAuthor(3)}
	benchArchive(b, func(b *testing.B, s *memory.Store, posts int) {
		page := store.Page{Limit: 25, Before: benchPost(posts / 2).ID}
		got, err := s.LatestPosts(b.Context(), exclude, page)
		if err != nil || len(got) != page.Limit {
			b.Fatalf("%d posts, %v", len(got), err)
		}
	})
}

// BenchmarkPostsBy reads the newest 10 posts of one author.
func BenchmarkPostsBy(b *testing.B) {
	benchArchive(b, func(b *testing.B, s *memory.Store, _ int) {
		page := store.Page{Limit: 10}
		got, err := s.PostsBy(b.Context(), benchAuthor(7), page)
		if err != nil || len(got) != page.Limit {
			b.Fatalf("%d posts, %v", len(got), err)
		}
	})
}
