//go:build linux

// Package load measures the websocket's fan-out from outside: the built server,
// and next to it the broadcast loops that one would write by hand, each in a
// process of its own, take turns under the same generator. So the figures of one
// run can be compared, whatever else the machine does meanwhile.
//
//	go test -run '^$' -bench . -benchtime 1x ./e2e/load
//
// takes three minutes; -benchtime keeps Go from asking for the same figures again
// and again. These variables change what is done, and longer runs need a longer
// -timeout:
//
//	LOAD_SOURCE       the module whose server is measured: this one
//	LOAD_SUBSCRIBERS  of the fan-out: 1000
//	LOAD_ROUNDS       in which the servers take turns: 3
//	LOAD_WINDOW       for which each is measured per round: 3s
//	LOAD_IDLE         connections of BenchmarkIdle: 2000
//	LOAD_IDLE_WAIT    until their memory is read: 20s; at 150s the garbage
//	                  collection that Go forces every two minutes has been
//	LOAD_STORM        clients of BenchmarkStorm: 5000
package load

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"
)

// answerLimit is how long anything may take before it has failed.
const answerLimit = 20 * time.Second

// loopVariable, set in the environment, makes the test binary be one of the
// broadcast loops.
const loopVariable = "LOAD_LOOP"

// workDir holds what a run needs, and goes with it.
var workDir string

func TestMain(m *testing.M) {
	if kind := os.Getenv(loopVariable); kind != "" {
		fmt.Fprintln(os.Stderr, serveLoop(kind))
		os.Exit(1)
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	if workDir, err = os.MkdirTemp("", "meower-load"); err != nil {
		panic(err)
	}
	defer os.RemoveAll(workDir)
	return m.Run()
}

// buildMeower makes the binary as it is released: without the race detector.
var buildMeower = sync.OnceValues(func() (string, error) {
	source := os.Getenv("LOAD_SOURCE")
	if source == "" {
		source = filepath.Join("..", "..")
	}
	binary := filepath.Join(workDir, "meower")
	command := exec.Command("go", "build", "-C", source, "-o", binary, ".")
	command.Stderr = os.Stderr
	return binary, command.Run()
})

// dependOnSources looks at all our files, since go test remembers which ones a
// test asked about: so it does not answer for an older binary out of its cache.
func dependOnSources(tb testing.TB) {
	tb.Helper()
	err := filepath.WalkDir(filepath.Join("..", ".."), func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Name() == ".git" {
			return fs.SkipDir
		}
		if err == nil {
			_, err = os.Stat(path)
		}
		return err
	})
	must(tb, err)
}

// number is a whole number from the environment.
func number(tb testing.TB, name string, otherwise int) int {
	tb.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		tb.Fatalf("%s=%s: want a number of at least 1", name, text)
	}
	return n
}

// span is a duration from the environment.
func span(tb testing.TB, name string, otherwise time.Duration) time.Duration {
	tb.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		tb.Fatalf("%s=%s: want a duration such as 3s", name, text)
	}
	return d
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
