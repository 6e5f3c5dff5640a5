//go:build linux

package load

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is a server in a process of its own, so that what it uses can be told
// from what the generator uses.
type process struct {
	tb        testing.TB
	command   *exec.Cmd
	exited    chan struct{}
	rest, cl4 string // host:port
	log       lockedBuffer
}

// lockedBuffer is a buffer that a process may write to while a test reads.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

var bannerLine = regexp.MustCompile(`(REST|CL4)\s+\w+://(\S+)`)

// startProcess runs a binary in a directory of its own and waits until its
// banner says where it listens. It ends with the test, at the latest with us.
func startProcess(tb testing.TB, binary string, settings []string, environment ...string) *process {
	tb.Helper()
	dir := tb.TempDir()
	must(tb, os.WriteFile(filepath.Join(dir, ".env"), []byte(strings.Join(settings, "\n")), 0o600))
	p := &process{tb: tb, command: exec.Command(binary), exited: make(chan struct{})}
	p.command.Dir = dir
	p.command.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}, environment...)
	p.command.Stderr = &p.log
	p.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stdout, err := p.command.StdoutPipe()
	must(tb, err)
	must(tb, p.command.Start())
	tb.Cleanup(func() {
		p.stop()
		if tb.Failed() {
			log := p.log.String()
			tb.Logf("the end of the server's log:\n%s", log[max(0, len(log)-2000):])
		}
	})
	for scanner := bufio.NewScanner(stdout); p.cl4 == "" && scanner.Scan(); {
		switch found := bannerLine.FindStringSubmatch(scanner.Text()); {
		case found == nil:
		case found[1] == "REST":
			p.rest = found[2]
		default:
			p.cl4 = found[2]
		}
	}
	go func() { // ends with the process, for which stop waits
		defer close(p.exited)
		_ = p.command.Wait()
	}()
	if p.cl4 == "" {
		tb.Fatal("the server did not start")
	}
	return p
}

// stop ends the process, by force where it takes its time.
func (p *process) stop() {
	_ = p.command.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(answerLimit):
		_ = p.command.Process.Kill()
		<-p.exited
	}
}

// cpu is how long the process has run on any core, including what the kernel
// did on its behalf.
func (p *process) cpu() time.Duration {
	p.tb.Helper()
	used, err := cpuOf(p.command.Process.Pid)
	must(p.tb, err)
	return used
}

// cpuOf reads the scheduler's own account, to the nanosecond, and where the
// kernel keeps none the one in ticks.
func cpuOf(pid int) (time.Duration, error) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(threads) == 0 {
		return cpuTicks(pid)
	}
	var total time.Duration
	for _, path := range threads {
		content, err := os.ReadFile(path)
		if err != nil {
			continue // the thread has just ended
		}
		first, _, _ := strings.Cut(string(content), " ")
		used, err := strconv.ParseInt(first, 10, 64)
		if err != nil {
			return 0, err
		}
		total += time.Duration(used)
	}
	return total, nil
}

func cpuTicks(pid int) (time.Duration, error) {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name in parentheses may hold anything, the rest is numbers; user and
	// system time are the 14th and 15th.
	_, rest, _ := strings.Cut(string(content), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, fmt.Errorf("stat of %d: %q", pid, content)
	}
	user, err := strconv.ParseInt(fields[11], 10, 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond, err // always a 100th of a second
}

// memory is a figure of the process's status in bytes: VmRSS, or VmHWM for the
// most that it ever was.
func (p *process) memory(name string) int {
	p.tb.Helper()
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.command.Process.Pid))
	must(p.tb, err)
	for line := range strings.Lines(string(content)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == name+":" {
			kilobytes, err := strconv.Atoi(fields[1])
			must(p.tb, err)
			return kilobytes << 10
		}
	}
	p.tb.Fatalf("no %s in status", name)
	return 0
}
