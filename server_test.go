package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// startTest starts a development server on free ports.
func startTest(t *testing.T) (*app, *config) {
	t.Helper()
	cfg, err := parseConfig(map[string]string{"DEVELOPMENT": "true", "REST_PORT": "0", "CL4_PORT": "0", "PSWD_ROUNDS": "4"})
	if err != nil {
		t.Fatal(err)
	}
	a, err := start(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return a, cfg
}

func TestServerStartsSaysWhereAndEndsWithoutATrace(t *testing.T) {
	a, cfg := startTest(t)
	var banner bytes.Buffer
	a.banner(&banner, cfg)
	for _, address := range []string{"http://" + a.restAddr.String(), "ws://" + a.cl4Addr.String()} {
		if !strings.Contains(banner.String(), address) {
			t.Errorf("the banner lacks %s: %s", address, banner.String())
		}
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+a.restAddr.String()+"/readyz", nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("readyz: %s", response.Status)
	}
	if err := a.close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

func TestTakenPortFailsTheStartAndClosesAll(t *testing.T) {
	a, _ := startTest(t)
	cfg, err := parseConfig(map[string]string{"DEVELOPMENT": "true", "CL4_PORT": "0", "PSWD_ROUNDS": "4"})
	if err != nil {
		t.Fatal(err)
	}
	cfg.RESTPort = a.restAddr.(*net.TCPAddr).Port
	if _, err := start(t.Context(), cfg, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a taken port was taken again")
	}
	if err := a.close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

// Trap 29: by itself the embedded Redis lets no key expire.
func TestKeysOfTheEmbeddedRedisExpire(t *testing.T) {
	embedded, err := startEmbeddedRedis()
	if err != nil {
		t.Fatal(err)
	}
	defer embedded.stop()
	if err := embedded.server.Set("key", "value"); err != nil {
		t.Fatal(err)
	}
	embedded.server.SetTTL("key", 10*time.Millisecond)
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	deadline := time.After(10 * time.Second)
	for embedded.server.Exists("key") {
		select {
		case <-again.C:
		case <-deadline:
			t.Fatal("the key lives for ever")
		}
	}
}

func TestTwoNodesWithTheSameNumbersDoNotStart(t *testing.T) {
	server := miniredis.RunT(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr()})
	defer client.Close()
	log := slog.New(slog.DiscardHandler)
	lost := make(chan error, 1)
	lease := func(ctx context.Context, worker int, node string) (*nodeLease, error) {
		return takeLease(ctx, client, &config{WorkerID: worker}, node, log, func(err error) { lost <- err })
	}
	first, err := lease(t.Context(), 1, "first")
	if err != nil {
		t.Fatal(err)
	}
	other, err := lease(t.Context(), 2, "other")
	if err != nil {
		t.Errorf("other numbers: %v", err)
	}
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := lease(short, 1, "second"); !errors.Is(err, errNumbersTaken) {
		t.Errorf("the same numbers: %v, want %v", err, errNumbersTaken)
	}
	// A node that was killed leaves its numbers when the lease runs out.
	first.quit()
	first.done.Wait()
	server.FastForward(leaseLife)
	third, err := lease(t.Context(), 1, "third")
	if err != nil {
		t.Errorf("after a killed node: %v", err)
	}
	if held, err := first.renew(t.Context()); held || err != nil {
		t.Errorf("the killed node holds the numbers again: %v, %v", held, err)
	}
	first.close() // must not give up another node's
	if !server.Exists(first.key) {
		t.Error("closing a lost lease released another node's")
	}
	third.close()
	other.close()
	if server.Exists(first.key) {
		t.Error("closing did not release the lease")
	}
}
