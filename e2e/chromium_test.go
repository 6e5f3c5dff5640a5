package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"go.uber.org/goleak"

	"meower/e2e/needs"
)

// startChromium returns the context of a tab of a headless browser, which is
// gone with all its processes and goroutines when the test has ended.
func startChromium(t *testing.T) context.Context {
	t.Helper()
	program := findChromium(t)
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
	adoptOrphans(t)
	// The browser's home, too: it leaves nothing behind outside.
	dir := t.TempDir()
	var output lockedBuffer
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program),
		chromedp.UserDataDir(filepath.Join(dir, "profile")),
		chromedp.Env("HOME="+dir, "TMPDIR="+dir, "XDG_CONFIG_HOME="+dir, "XDG_CACHE_HOME="+dir),
		chromedp.CombinedOutput(&output))
	for _, flag := range []string{
		"no-sandbox", "disable-gpu", "disable-quic", "no-first-run",
		"disable-background-networking", "disable-component-update", "disable-sync",
	} {
		options = append(options, chromedp.Flag(flag, true))
	}
	// The test's own context ends before its cleanups, and would kill the browser.
	allocator, free := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), options...)
	browser, cancel := chromedp.NewContext(allocator, chromedp.WithErrorf(t.Logf))
	t.Cleanup(func() {
		endChromium(t, browser)
		cancel()
		free() // waits until the browser is reaped
		expectNoProcess(t, dir)
		if t.Failed() {
			t.Logf("the browser's output:\n%s", output.String())
		}
	})
	// The context of the first action is the browser's: a deadline would end it.
	late := time.AfterFunc(programLimit, cancel)
	defer late.Stop()
	if err := chromedp.Do(browser, chromedp.Navigate("about:blank")); err != nil {
		t.Fatalf("start %s: %v", program, err)
	}
	return browser
}

func findChromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "google-chrome"} {
		if program, err := exec.LookPath(name); err == nil {
			return program
		}
	}
	needs.Unavailable(t, errors.New("needs Chromium: install it, or run `.ci/packages`, and test again (neither chromium nor google-chrome is on the PATH)"))
	return ""
}

// endChromium asks the browser to end, as a user would who closes it.
func endChromium(t *testing.T, browser context.Context) {
	ctx, cancel := context.WithTimeout(browser, answerLimit)
	defer cancel()
	if err := chromedp.Cancel(ctx); err != nil && browser.Err() == nil {
		t.Errorf("end the browser: %v", err)
	}
}

// expectNoProcess waits until the browser's helpers, which live in this directory,
// have ended and been reaped: they end by themselves once the browser has, a
// moment later.
func expectNoProcess(t *testing.T, dir string) {
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	limit := time.After(answerLimit)
	for {
		left := helpersOf(dir)
		if len(left) == 0 {
			return
		}
		select {
		case <-poll.C:
		case <-limit:
			t.Errorf("the browser left the processes %v", left)
			for _, id := range left {
				if helper, err := os.FindProcess(id); err == nil {
					_ = helper.Kill() // may have ended meanwhile
				}
			}
			return
		}
	}
}

// evaluate runs JavaScript in the page, with these arguments as JSON in the place
// of each %s, and returns what its promise resolves to.
func evaluate[T any](t *testing.T, browser context.Context, script string, arguments ...any) T {
	t.Helper()
	for i, argument := range arguments {
		arguments[i] = encode(t, argument)
	}
	ctx, cancel := context.WithTimeout(browser, answerLimit)
	defer cancel()
	result, err := chromedp.Run(ctx, chromedp.Evaluate[T](fmt.Sprintf(script, arguments...), chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("%s: %v", script, err)
	}
	return result
}
