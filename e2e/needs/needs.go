// Package needs is for tests that need more of the machine than Go.
package needs

import (
	"os"
	"strconv"
	"testing"
)

// Unavailable ends a test that this machine cannot run. The reason is one line
// that says what is missing and how to get it. The test is skipped; with
// E2E_REQUIRED=1 in the environment, as in CI, it fails instead.
func Unavailable(t testing.TB, reason error) {
	t.Helper()
	if required, _ := strconv.ParseBool(os.Getenv("E2E_REQUIRED")); required {
		t.Fatal(reason)
	}
	t.Skip(reason)
}
