// Package e2e drives the built binary as its operators and users do, against
// real Redis and the MongoDB wire protocol in containers.
package e2e

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"meower/e2e/containers"
)

// mainJob is what the project exists for: register over REST, hear over the
// socket what is posted.
func mainJob(t *testing.T, writer, listener *node, name string) {
	t.Helper()
	_, token := writer.register(name)
	c := listener.signIn(token)
	id := writer.post(token, "Hello, world!")
	c.expectPost(id)
}

// production are the settings of a node on these services.
func production(mongo, redis *containers.Server, worker int) []string {
	return []string{
		"DB_URI=" + mongo.URI(), "MONGO_DB=meowere2e",
		"REDIS_HOST=" + redis.Host, fmt.Sprint("REDIS_PORT=", redis.Port), fmt.Sprint("WORKER_ID=", worker),
	}
}

func TestDevelopmentNeedsNothing(t *testing.T) {
	n := startNode(t, "DEVELOPMENT=true")
	mainJob(t, n, n, "ada")
	_, token := n.register("bob")
	c := n.signIn(token)
	if status, _ := n.call("POST", "/v1/auth/logout", token, nil); status != http.StatusNoContent {
		t.Errorf("logout: %d", status)
	}
	c.expectClose(3000)
	if status, _ := n.call("GET", "/v1/me/profile", token, nil); status != http.StatusUnauthorized {
		t.Errorf("after logout: %d, want 401", status)
	}
}

func TestSIGTERMClosesSocketsAndExitsCleanly(t *testing.T) {
	n := startNode(t, "DEVELOPMENT=true")
	_, token := n.register("ada")
	c := n.signIn(token)
	if code := n.stop(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	c.expectClose(1012)
}

func TestTwoNodesHearEachOtherAndSurviveOutages(t *testing.T) {
	mongo, redis := containers.Mongo(t), containers.Redis(t)
	a := startNode(t, production(mongo, redis, 0)...)
	b := startNode(t, production(mongo, redis, 1)...)
	mainJob(t, a, b, "ada")
	mainJob(t, b, a, "bob")

	t.Run("a session ends on every node", func(t *testing.T) {
		_, token := a.register("cleo")
		c := b.signIn(token)
		if status, _ := a.call("POST", "/v1/auth/logout", token, nil); status != http.StatusNoContent {
			t.Errorf("logout: %d", status)
		}
		c.expectClose(3000)
		if status, _ := b.call("GET", "/v1/me/profile", token, nil); status != http.StatusUnauthorized {
			t.Errorf("the other node answers %d, want 401", status)
		}
	})

	_, token := a.register("dora")
	onA, onB := a.signIn(token), b.signIn(token)
	t.Run("Redis stops and starts", func(t *testing.T) {
		redis.Stop(t)
		expectOutage(t, a, token)
		redis.Start(t)
		recovered(t, a, token, onA, onB)
		onA.expectResync()
		onB.expectResync()
	})
	t.Run("the store stops and starts", func(t *testing.T) {
		before := a.post(token, "kept")
		onA.expectPost(before)
		onB.expectPost(before)
		mongo.Stop(t)
		expectOutage(t, b, token)
		mongo.Start(t)
		recovered(t, b, token, onA, onB)
		if status, _ := a.call("GET", "/v1/posts/"+before, "", nil); status != http.StatusOK {
			t.Errorf("an acknowledged post is lost: %d", status)
		}
	})
}

// expectOutage checks that a node says 1034 within two seconds, which are four
// here for the sake of a busy machine.
func expectOutage(t *testing.T, n *node, token string) {
	t.Helper()
	started := time.Now()
	status, answer := n.call("POST", "/v1/home", token, map[string]any{"content": "lost"})
	if status != http.StatusServiceUnavailable || answer["code"] != float64(1034) {
		t.Errorf("during an outage: %d %v, want 1034", status, answer)
	}
	if took := time.Since(started); took > 4*time.Second {
		t.Errorf("the refusal took %v", took)
	}
	if status, _ := n.call("GET", "/readyz", "", nil); status != http.StatusServiceUnavailable {
		t.Errorf("readyz %d, want 503", status)
	}
}

// recovered posts until every client, whose sockets have stayed open, has heard
// of a post again.
func recovered(t *testing.T, n *node, token string, clients ...*client) {
	t.Helper()
	heard := make(chan struct{})
	var posting sync.WaitGroup
	posting.Go(func() {
		again := time.NewTicker(100 * time.Millisecond)
		defer again.Stop()
		for {
			select {
			case <-again.C:
				_, _, _ = n.try("POST", "/v1/home", token, map[string]any{"content": "back"}) // may fail for a while
			case <-heard:
				return
			}
		}
	})
	defer posting.Wait()
	defer close(heard)
	for _, c := range clients {
		c.expectEvent("post_created")
	}
}
