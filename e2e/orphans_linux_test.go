package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// adoptOrphans makes this process the parent of descendants whose own parent has
// ended, until the test has. They would go to the machine's first process, which
// in a container may reap nobody.
func adoptOrphans(t *testing.T) {
	t.Helper()
	const setChildSubreaper = 36 // PR_SET_CHILD_SUBREAPER, for which syscall has no name
	set := func(on uintptr) {
		if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, setChildSubreaper, on, 0); errno != 0 {
			t.Errorf("adopt orphans: %v", errno)
		}
	}
	set(1)
	t.Cleanup(func() { set(0) })
}

// helpersOf returns the ids of the processes that a browser in this directory has
// left, and reaps those of them that have ended. The browser itself has been reaped
// before.
func helpersOf(dir string) []int {
	var ids []int
	entries, _ := filepath.Glob("/proc/[0-9]*") // the pattern is well-formed
	for _, entry := range entries {
		id, err := strconv.Atoi(filepath.Base(entry))
		if err != nil {
			continue
		}
		name, state, parent := processStat(entry)
		orphan := parent == os.Getpid() && strings.HasPrefix(name, "chrom")
		if orphan && state == "Z" {
			_, err := syscall.Wait4(id, nil, syscall.WNOHANG, nil)
			orphan = err != nil
		}
		arguments, _ := os.ReadFile(filepath.Join(entry, "cmdline")) // none where it has ended
		if orphan || bytes.Contains(arguments, []byte(dir)) {
			ids = append(ids, id)
		}
	}
	return ids
}

// processStat returns the beginning of a process's stat file, or nothing where the
// process is gone.
func processStat(entry string) (name, state string, parent int) {
	content, _ := os.ReadFile(filepath.Join(entry, "stat"))
	_, rest, _ := strings.Cut(string(content), "(")
	end := strings.LastIndex(rest, ")") // a name may hold anything
	if end < 0 {
		return "", "", 0
	}
	_, _ = fmt.Sscan(rest[end+1:], &state, &parent) // the kernel's own format
	return rest[:end], state, parent
}
