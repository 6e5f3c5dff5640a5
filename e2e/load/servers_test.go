//go:build linux

package load

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// meowerName is our server among those that are compared.
const meowerName = "meower"

// users is how many accounts the connections are of.
const users = 50

// content is what is posted: 200 bytes.
var content = strings.Repeat("meow ", 40)

// server is one of those that are compared.
type server struct {
	*process
	name   string
	client http.Client
	// subscribe opens a connection that hears of posts, connect one that is
	// idle and answers pings; i tells connections apart.
	subscribe, connect func(i int) (*websocket.Conn, error)
	// request makes the request that publishes a post.
	request func(content string) (path string, body []byte)
	token   string // of who posts
}

func newServer(name string, p *process) *server {
	s := &server{process: p, name: name}
	s.client.Timeout = answerLimit
	s.client.Transport = &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}
	p.tb.Cleanup(s.client.CloseIdleConnections)
	return s
}

// startMeower runs our server as its operators do, without its limits: all
// clients come from one address, and the loops have none either.
func startMeower(tb testing.TB) *server {
	tb.Helper()
	binary, err := buildMeower()
	must(tb, err)
	s := newServer(meowerName, startProcess(tb, binary, []string{
		"DEVELOPMENT=true", "REST_PORT=0", "CL4_PORT=0", "RATELIMITS=off", "PSWD_ROUNDS=4", "CL4_COMMANDS_PER_SECOND=0",
		"CL4_CONNECTIONS_PER_ADDRESS=0", "CL4_CONNECTIONS_PER_ACCOUNT=0", "CL4_ULIST=false",
	}))
	tokens := make([]string, users)
	for i := range tokens {
		tokens[i] = s.register(tb, fmt.Sprint("user", i))
	}
	s.token = s.register(tb, "poster")
	s.connect = func(i int) (*websocket.Conn, error) { return s.authenticate(&dialer, tokens[i%users]) }
	s.subscribe = func(i int) (*websocket.Conn, error) { return s.follow(&dialer, tokens[i%users]) }
	s.request = func(content string) (string, []byte) {
		body, err := json.Marshal(map[string]string{"content": content})
		must(tb, err)
		return "/v1/home", body
	}
	return s
}

// startLoop runs a broadcast loop, whose events are as large as those of meower.
func startLoop(tb testing.TB, kind string, event []byte) *server {
	tb.Helper()
	s := newServer(kind, startProcess(tb, os.Args[0], nil, loopVariable+"="+kind))
	s.connect = func(int) (*websocket.Conn, error) { return dial(&dialer, "ws://"+s.cl4+"/echo") }
	s.subscribe = func(int) (*websocket.Conn, error) {
		ws, err := dial(&dialer, "ws://"+s.cl4+"/")
		if err != nil {
			return nil, err
		}
		return ws, expect(ws, "statuscode")
	}
	s.request = func(own string) (string, []byte) {
		return "/broadcast", bytes.Replace(event, []byte(content), []byte(own), 1)
	}
	return s
}

// startAll runs all servers, meower last.
func startAll(tb testing.TB) []*server {
	tb.Helper()
	meower := startMeower(tb)
	event := meower.sample(tb)
	return []*server{startLoop(tb, kindBare, event), startLoop(tb, kindCoalescing, event), meower}
}

// sample returns the packet by which subscribers hear of a post.
func (s *server) sample(tb testing.TB) []byte {
	tb.Helper()
	ws, err := s.subscribe(0)
	must(tb, err)
	defer ws.Close()
	must(tb, s.post(content))
	must(tb, ws.SetReadDeadline(time.Now().Add(answerLimit)))
	_, event, err := ws.ReadMessage()
	must(tb, err)
	if !bytes.Contains(event, []byte(content)) {
		tb.Fatalf("subscribers of new posts got %s", event)
	}
	return event
}

// dialer is that of ordinary clients.
var dialer = websocket.Dialer{HandshakeTimeout: answerLimit, ReadBufferSize: 4096, WriteBufferSize: 512}

// dial opens a websocket.
func dial(d *websocket.Dialer, url string) (*websocket.Conn, error) {
	ws, response, err := d.Dial(url, nil)
	if err != nil {
		return nil, err
	}
	return ws, errors.Join(response.Body.Close(), ws.SetReadDeadline(time.Now().Add(answerLimit)))
}

// expect reads until there is a packet of that kind.
func expect(ws *websocket.Conn, cmd string) error {
	for {
		_, packet, err := ws.ReadMessage()
		if err != nil {
			return err
		}
		if bytes.HasPrefix(packet, []byte(`{"cmd":"`+cmd+`"`)) {
			return nil
		}
	}
}

// authenticate opens a socket and waits until it is ready.
func (s *server) authenticate(d *websocket.Dialer, token string) (*websocket.Conn, error) {
	ws, err := dial(d, "ws://"+s.cl4+"/")
	if err != nil {
		return nil, err
	}
	command := `{"cmd":"authenticate","token":"` + token + `"}`
	return ws, errors.Join(ws.WriteMessage(websocket.TextMessage, []byte(command)), expect(ws, "ready"))
}

// follow opens a socket that hears of new posts.
func (s *server) follow(d *websocket.Dialer, token string) (*websocket.Conn, error) {
	ws, err := s.authenticate(d, token)
	if err != nil {
		return nil, err
	}
	command := `{"cmd":"subscribe","type":"new_posts"}`
	return ws, errors.Join(ws.WriteMessage(websocket.TextMessage, []byte(command)), expect(ws, "statuscode"))
}

// register makes a user and returns their token.
func (s *server) register(tb testing.TB, name string) string {
	tb.Helper()
	answer, err := s.do("/v1/auth/register", fmt.Appendf(nil, `{"username":%q,"password":"correct horse"}`, name))
	must(tb, err)
	var registered struct {
		Token string `json:"access_token"`
	}
	must(tb, json.Unmarshal(answer, &registered))
	return registered.Token
}

// post publishes a post.
func (s *server) post(content string) error {
	path, body := s.request(content)
	_, err := s.do(path, body)
	return err
}

func (s *server) do(path string, body []byte) ([]byte, error) {
	request, err := http.NewRequest(http.MethodPost, "http://"+s.rest+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if s.token != "" {
		request.Header.Set("Authorization", s.token)
	}
	response, err := s.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode >= http.StatusMultipleChoices {
		err = fmt.Errorf("%s: %s: %.200s", path, response.Status, answer)
	}
	return answer, err
}
