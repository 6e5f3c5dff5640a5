package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"meower/e2e/needs"
)

// The other tests drive the server with the very library that it is made with.
// These here have clients that share no code with it.

// python is Debian's, which finds Debian's packages, whatever other Python comes
// first on the PATH.
const python = "/usr/bin/python3"

// programLimit is how long a client's whole program may take. Its single steps
// give up before, and say which of them it was.
const programLimit = 2 * time.Minute

func TestPythonClient(t *testing.T) {
	needsPython(t)
	for _, compression := range []bool{false, true} {
		t.Run(fmt.Sprint("compression ", compression), func(t *testing.T) {
			runPythonClient(t, compression)
		})
	}
}

// TestPythonRooms: programs for plain CloudLink find each other.
func TestPythonRooms(t *testing.T) {
	needsPython(t)
	const motd = "Ahoy!"
	n := startNode(t, "DEVELOPMENT=true", "CL4_MOTD="+motd, "CL4_DISABLED_COMMANDS=")
	runProgram(t, "rooms.py", map[string]any{"cl4": n.cl4, "motd": motd})
}

func needsPython(t *testing.T) {
	t.Helper()
	if err := exec.CommandContext(t.Context(), python, "-c", "import websockets").Run(); err != nil {
		needs.Unavailable(t, fmt.Errorf("needs python3-websockets: install it, or run `.ci/packages`, and test again (%w)", err))
	}
}

// runPythonClient runs the program against a node of its own.
func runPythonClient(t *testing.T, compression bool) {
	t.Helper()
	const motd = "Ahoy!"
	n := startNode(t, "DEVELOPMENT=true", "CL4_MOTD="+motd, fmt.Sprint("CL4_COMPRESSION=", compression))
	user := func(name string) map[string]any {
		id, token := n.register(name)
		return map[string]any{"id": id, "username": name, "token": token}
	}
	runProgram(t, "client.py", map[string]any{
		"rest": n.rest, "cl4": n.cl4, "motd": motd, "compression": compression,
		"me": user("ada"), "other": user("bob"),
	})
}

// runProgram runs a program of testdata, which finds what it must know in a file.
func runProgram(t *testing.T, program string, about map[string]any) {
	t.Helper()
	config := filepath.Join(t.TempDir(), "config.json")
	content := encode(t, about)
	if err := os.WriteFile(config, content, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), programLimit)
	defer cancel()
	output, err := exec.CommandContext(ctx, python, "-B", filepath.Join("testdata", program), config).CombinedOutput()
	if err != nil {
		t.Fatalf("the client: %v\n%s", err, output)
	}
	t.Logf("%s", output)
}

func TestChromium(t *testing.T) {
	browser := startChromium(t)
	page := httptest.NewServer(http.FileServer(http.Dir("testdata")))
	t.Cleanup(page.Close)
	for _, test := range []struct {
		name string
		run  func(*testing.T, context.Context)
	}{
		{"does the main job", chromiumDoesTheMainJob},
		{"is refused where its origin is not allowed", chromiumIsRefused},
	} {
		t.Run(test.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(browser, answerLimit)
			defer cancel()
			if err := chromedp.Do(ctx, chromedp.Navigate(page.URL+"/client.html")); err != nil {
				t.Fatal(err)
			}
			test.run(t, browser)
		})
	}
}

// ending is how a page sees its socket end.
type ending struct {
	Code     int    `json:"code"`
	Reason   string `json:"reason"`
	WasClean bool   `json:"wasClean"`
	Errors   int    `json:"errors"`
}

func chromiumDoesTheMainJob(t *testing.T, browser context.Context) {
	n := startNode(t, "DEVELOPMENT=true", "CL4_COMPRESSION=true")
	_, reader := n.register("ada")
	writerID, writer := n.register("bob")
	got := evaluate[struct {
		Status     int            `json:"status"`
		Post       map[string]any `json:"post"`
		Packets    []packet       `json:"packets"`
		Extensions string         `json:"extensions"`
	}](t, browser, "mainJob(%s)", map[string]any{
		"rest": "http://" + n.rest, "cl4": "ws://" + n.cl4 + "/", "reader": reader, "writer": writer,
	})
	if got.Status != http.StatusOK {
		t.Errorf("the page's post was answered with %d %v", got.Status, got.Post)
	}
	if want := "permessage-deflate; server_no_context_takeover; client_no_context_takeover"; got.Extensions != want {
		t.Errorf("extensions %q, want %q", got.Extensions, want)
	}
	if len(got.Packets) != 4 {
		t.Fatalf("the page got %v, want four packets", got.Packets)
	}
	for i, cmd := range []string{"statuscode", "ready", "statuscode", "post_created"} {
		if p := got.Packets[i]; p["cmd"] != cmd || cmd == "statuscode" && p["code_id"] != float64(100) {
			t.Errorf("packet %d is %v, want %s", i, p, cmd)
		}
	}
	if ready := got.Packets[1]; ready["listener"] != "me" {
		t.Errorf("ready has the listener %v", ready["listener"])
	}
	created, _ := got.Packets[3]["val"].(map[string]any)
	author, _ := created["author"].(map[string]any)
	if created["id"] != got.Post["id"] || created["content"] != "From a pagé 🐱" || author["id"] != writerID {
		t.Errorf("the page heard of %v, and had posted %v", created, got.Post)
	}

	if code := n.stop(); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	end := evaluate[ending](t, browser, "connection.ended")
	if want := (ending{Code: 1012, Reason: "Service restart", WasClean: true}); end != want {
		t.Errorf("at the server's end the page saw %+v, want %+v", end, want)
	}
}

func chromiumIsRefused(t *testing.T, browser context.Context) {
	n := startNode(t, "DEVELOPMENT=true", "ALLOWED_ORIGINS=http://other.example")
	_, writer := n.register("ada")
	got := evaluate[struct {
		Opened  bool   `json:"opened"`
		End     ending `json:"end"`
		Fetched string `json:"fetched"`
	}](t, browser, "attempt(%s)", map[string]any{
		"rest": "http://" + n.rest, "cl4": "ws://" + n.cl4 + "/", "writer": writer,
	})
	if got.Opened {
		t.Fatal("the page's socket opened")
	}
	if want := (ending{Code: 1006, Errors: 1}); got.End != want {
		t.Errorf("the page's socket ended with %+v, want %+v", got.End, want)
	}
	if got.Fetched != "TypeError" {
		t.Errorf("the page's fetch: %s, want it to be refused", got.Fetched)
	}
	// It is the origin that is refused: who has none is let in.
	mainJob(t, n, n, "bob")
}

func encode(t *testing.T, v any) []byte {
	t.Helper()
	content, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
