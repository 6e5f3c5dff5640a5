package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// answerLimit is how long anything in these tests may take before it has failed.
const answerLimit = 20 * time.Second

var binary string

func TestMain(m *testing.M) { os.Exit(build(m)) }

// build makes the binary that the tests drive, race detector included.
func build(m *testing.M) int {
	dir, err := os.MkdirTemp("", "meower-e2e")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "meower")
	command := exec.Command("go", "build", "-race", "-o", binary, "meower")
	command.Stderr = os.Stderr
	if err := command.Run(); err != nil {
		panic(err)
	}
	return m.Run()
}

// dependOnSources looks at all our files, since go test remembers which ones a
// test asked about: so it does not answer for an older binary out of its cache.
func dependOnSources(t *testing.T) {
	t.Helper()
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Name() == ".git" {
			return fs.SkipDir
		}
		if err == nil {
			_, err = os.Stat(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// node is a running server, configured by .env as an operator would.
type node struct {
	t          *testing.T
	rest, cl4  string // host:port
	process    *exec.Cmd
	exited     chan struct{}
	stopped    bool
	output     lockedBuffer
	httpClient http.Client
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

// startNode runs the binary with these lines in its .env and waits until it
// listens.
func startNode(t *testing.T, settings ...string) *node {
	t.Helper()
	dependOnSources(t)
	dir := t.TempDir()
	lines := append([]string{"REST_PORT=0", "CL4_PORT=0", "PSWD_ROUNDS=4", "RATELIMITS=off"}, settings...)
	if err := os.WriteFile(filepath.Join(dir, ".env"), []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	n := &node{t: t, process: exec.Command(binary), exited: make(chan struct{})}
	n.httpClient.Timeout = answerLimit
	n.process.Dir = dir
	n.process.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}
	n.process.Stderr = &n.output
	stdout, err := n.process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := n.process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		n.stop()
		if t.Failed() {
			t.Logf("the server's log:\n%s", n.output.String())
		}
	})
	for scanner := bufio.NewScanner(stdout); n.cl4 == "" && scanner.Scan(); {
		switch found := bannerLine.FindStringSubmatch(scanner.Text()); {
		case found == nil:
		case found[1] == "REST":
			n.rest = found[2]
		default:
			n.cl4 = found[2]
		}
	}
	go func() { // ends with the process, for which stop waits
		defer close(n.exited)
		_ = n.process.Wait()
	}()
	if n.cl4 == "" {
		n.stop()
		t.Fatalf("the server did not start:\n%s", n.output.String())
	}
	return n
}

// stop ends the server as an operator would and returns its exit code.
func (n *node) stop() int {
	if !n.stopped {
		n.stopped = true
		_ = n.process.Process.Signal(syscall.SIGTERM)
		select {
		case <-n.exited:
		case <-time.After(answerLimit):
			_ = n.process.Process.Kill()
			<-n.exited
			n.t.Error("the server did not end by itself")
		}
	}
	return n.process.ProcessState.ExitCode()
}

// call makes a request and returns the status and the decoded answer.
func (n *node) call(method, path, token string, body any) (int, map[string]any) {
	n.t.Helper()
	status, answer, err := n.try(method, path, token, body)
	if err != nil {
		n.t.Fatalf("%s %s: %v", method, path, err)
	}
	return status, answer
}

func (n *node) try(method, path, token string, body any) (int, map[string]any, error) {
	var encoded io.Reader
	if body != nil {
		content, err := json.Marshal(body)
		if err != nil {
			return 0, nil, err
		}
		encoded = bytes.NewReader(content)
	}
	request, err := http.NewRequestWithContext(n.t.Context(), method, "http://"+n.rest+path, encoded)
	if err != nil {
		return 0, nil, err
	}
	if token != "" {
		request.Header.Set("Authorization", token)
	}
	response, err := n.httpClient.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	var answer map[string]any
	err = json.NewDecoder(response.Body).Decode(&answer)
	if errors.Is(err, io.EOF) {
		err = nil // no content
	}
	return response.StatusCode, answer, err
}

// register makes a user and returns their id and token.
func (n *node) register(name string) (id, token string) {
	n.t.Helper()
	status, answer := n.call("POST", "/v1/auth/register", "", map[string]any{"username": name, "password": "correct horse"})
	if status != http.StatusOK {
		n.t.Fatalf("register %s: %d %v", name, status, answer)
	}
	return answer["user_id"].(string), answer["access_token"].(string)
}

// post publishes a post and returns its id.
func (n *node) post(token, content string) string {
	n.t.Helper()
	status, answer := n.call("POST", "/v1/home", token, map[string]any{"content": content})
	if status != http.StatusOK {
		n.t.Fatalf("post: %d %v", status, answer)
	}
	return answer["id"].(string)
}

// client is a websocket client of one node.
type client struct {
	t       *testing.T
	ws      *websocket.Conn
	resyncs int // how often it has been told to read again
}

type packet map[string]any

// connect opens a socket.
func (n *node) connect() *client {
	n.t.Helper()
	ws, _, err := websocket.DefaultDialer.DialContext(n.t.Context(), "ws://"+n.cl4+"/", nil)
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { _ = ws.Close() })
	return &client{t: n.t, ws: ws}
}

// signIn opens a socket that is authenticated and hears of new posts.
func (n *node) signIn(token string) *client {
	n.t.Helper()
	c := n.connect()
	c.send(packet{"cmd": "authenticate", "token": token})
	c.expect("statuscode", 100)
	c.expect("ready", 0)
	c.send(packet{"cmd": "subscribe", "type": "new_posts"})
	c.expect("statuscode", 100)
	return c
}

func (c *client) send(p packet) {
	c.t.Helper()
	if err := c.ws.WriteJSON(p); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) read() (packet, error) {
	var p packet
	if err := c.ws.SetReadDeadline(time.Now().Add(answerLimit)); err != nil {
		return nil, err
	}
	err := c.ws.ReadJSON(&p)
	return p, err
}

// expect reads the next packet, which must be cmd, and with a code that status.
func (c *client) expect(cmd string, code int) packet {
	c.t.Helper()
	p, err := c.read()
	if err != nil {
		c.t.Fatalf("waiting for %s: %v", cmd, err)
	}
	if p["cmd"] != cmd || code != 0 && p["code_id"] != float64(code) {
		c.t.Fatalf("got %v, want %s %d", p, cmd, code)
	}
	return p
}

// expectEvent is expect for a client that may be told to read again before.
func (c *client) expectEvent(cmd string) packet {
	c.t.Helper()
	for {
		p, err := c.read()
		if err != nil {
			c.t.Fatalf("waiting for %s: %v", cmd, err)
		}
		switch p["cmd"] {
		case cmd:
			return p
		case "resync":
			c.resyncs++
		default:
			c.t.Fatalf("got %v, want %s", p, cmd)
		}
	}
}

// expectResync reads until the client has been told to read again, unless it was
// before. Its own node's posts may come first.
func (c *client) expectResync() {
	c.t.Helper()
	for c.resyncs == 0 {
		p, err := c.read()
		if err != nil {
			c.t.Fatalf("waiting for resync: %v", err)
		}
		if p["cmd"] == "resync" {
			c.resyncs++
		}
	}
}

// expectPost reads until a packet tells of the post.
func (c *client) expectPost(id string) {
	c.t.Helper()
	for {
		if c.expectEvent("post_created")["val"].(map[string]any)["id"] == id {
			return
		}
	}
}

// expectClose reads until the socket is closed with that code.
func (c *client) expectClose(code int) {
	c.t.Helper()
	for {
		if _, err := c.read(); err != nil {
			if !websocket.IsCloseError(err, code) {
				c.t.Errorf("closed with %v, want %d", err, code)
			}
			return
		}
	}
}
