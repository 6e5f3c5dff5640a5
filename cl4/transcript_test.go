package cl4

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/gorilla/websocket"
	"github.com/redis/go-redis/v9"

	"meower/e2e/containers"
	"meower/store"
	"meower/store/memory"
	"meower/store/mongo"
)

// The lines of a transcript:
//
//	# comment          = option      (of transcriptOptions)
//	> frame            >N frame      send, N times with $n counting from 1
//	>binary text       >hex ffff     >size N      send something odd
//	< frame            <N frame      expect, compared by value; $any is anything
//	<= frame           expect these bytes
//	! code [reason]    expect the close, and nothing before it
//	@ act …            someone does something; acts (transcript_acts_test.go) has what
//	* event whom val   an event happens of which no act is there yet
//
// Lines that send and expect may begin with the name of a client, as in "bob> …":
// that of a user, with a number where the user has several. A client connects when
// it is first named, and after a close anew. In the end, no client may have
// anything left to read, so that whoever is to hear nothing needs no line.
//
// In all lines, $token:bob, $id:bob and $session:bob stand for what the user or
// the client bob has, $resume:bob for what the client's last ready said, $post for
// the latest post's id, and $x*9 for nine times x.
const transcripts = "../testdata/cl4/*.txt"

// transcriptOptions are how a transcript's server can differ from others.
var transcriptOptions = map[string]func(*Options, *timing){
	"user-list":       func(o *Options, _ *timing) { o.UserList = true },
	"rooms":           func(o *Options, _ *timing) { o.Disabled = nil },
	"slow-commands":   func(o *Options, _ *timing) { o.CommandsPerSecond = 1 },
	"few-connections": func(o *Options, _ *timing) { o.ConnectionsPerAccount, o.ConnectionsPerAddress = 2, 3 },
	"require-auth":    func(o *Options, t *timing) { o.RequireAuth, t.auth = true, time.Millisecond },
	"blocked-address": func(*Options, *timing) {}, // newStage blocks it
}

func TestTranscripts(t *testing.T) {
	runTranscripts(t, func(t *testing.T) backing {
		server := miniredis.RunT(t)
		on := onRedis(t, memory.New(), server.Addr(), 0)
		on.stopRedis = server.Close
		return on
	})
}

// TestTranscriptsOnContainers runs the same on the MongoDB wire protocol and
// Redis.
func TestTranscriptsOnContainers(t *testing.T) {
	mongoServer, redisServer := containers.Mongo(t), containers.Redis(t)
	world := 0
	runTranscripts(t, func(t *testing.T) backing {
		world++
		durable, err := mongo.Open(t.Context(), mongoServer.URI(), "transcript"+strconv.Itoa(world))
		must(t, err)
		t.Cleanup(func() { must(t, durable.Close(context.Background())) })
		before := redis.NewClient(&redis.Options{Addr: redisServer.Addr})
		must(t, before.FlushAll(t.Context()).Err())
		must(t, before.Close())
		on := onRedis(t, durable, redisServer.Addr, 0)
		on.stopRedis = func() {
			redisServer.Stop(t)
			t.Cleanup(func() { redisServer.Start(t) })
		}
		return on
	})
}

func runTranscripts(t *testing.T, open func(*testing.T) backing) {
	for _, file := range transcriptFiles(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			newStage(t, open(t), transcriptLines(t, file)).play()
		})
	}
}

func transcriptFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(transcripts)
	must(t, err)
	if len(files) == 0 {
		t.Fatal("no transcripts")
	}
	return files
}

// line is one line of a transcript, taken apart.
type line struct {
	text         string
	client       string // empty for the first one
	what         string // its sign
	how, content string
}

var directive = regexp.MustCompile(`^([a-z]+\d*)?([<>!@=*])(=|binary|hex|size|\d+)? ?(.*)$`)

func transcriptLines(t testing.TB, file string) []line {
	t.Helper()
	f, err := os.Open(file)
	must(t, err)
	defer f.Close()
	var lines []line
	scanner := bufio.NewScanner(f)
	for scanner.Scan() {
		text := scanner.Text()
		if text == "" || text[0] == '#' {
			continue
		}
		parts := directive.FindStringSubmatch(text)
		if parts == nil {
			t.Fatalf("what is %q?", text)
		}
		lines = append(lines, line{text, parts[1], parts[2], parts[3], parts[4]})
	}
	must(t, scanner.Err())
	return lines
}

// stage is where a transcript is played.
type stage struct {
	*world
	lines   []line
	signIns map[string]user    // by the name of a user or client
	clients map[string]*client // those that are connected, by name
	resume  map[string]string  // what ready said, by the client's name
	postID  string             // the latest post's id
}

func newStage(t *testing.T, on backing, lines []line) *stage {
	options := map[string]bool{}
	for _, line := range lines {
		if line.what == "=" {
			options[line.content] = true
		}
	}
	waits := defaultTiming
	w := newWorldOn(t, on, func(o *Options) {
		for name := range options {
			change, known := transcriptOptions[name]
			if !known {
				t.Fatalf("what is option %q?", name)
			}
			change(o, &waits)
		}
	}, func(s *Server) { s.timing = waits })
	s := &stage{world: w, lines: lines, signIns: map[string]user{}, clients: map[string]*client{}, resume: map[string]string{}}
	for _, name := range []string{"alice", "bob", "carol", "banned", "blocker"} {
		s.signIns[name] = w.register(name)
	}
	w.ban(s.signIns["banned"])
	revoked := w.login("bob")
	s.signIns["revoked"] = revoked
	ctx, now := context.Background(), time.Now()
	must(t, w.core.Logout(ctx, revoked.principal))
	must(t, w.store.Block(ctx, s.signIns["blocker"].id, s.signIns["alice"].id, now))
	must(t, w.store.CreateUser(ctx, store.User{ID: deletedID, LowerUsername: "deleted", Flags: store.UserDeleted, Created: now}))
	s.signIns["deleted"] = user{id: deletedID}
	if options["rooms"] {
		w.twins()
	}
	if options["blocked-address"] {
		must(t, w.store.BlockNetwork(ctx, testAddress, true, true))
	}
	return s
}

// deletedID is the id of a user who has been deleted before the transcript.
const deletedID = "1000000000000000001"

func (s *stage) play() {
	at := "" // which the helpers that fail do not know
	defer func() {
		if s.t.Failed() {
			s.t.Logf("at %s", at)
		}
	}()
	for _, line := range s.lines {
		at = line.text
		s.do(line)
	}
	for name, c := range s.clients {
		at = "the end, of client " + strconv.Quote(name)
		c.barrier() // nothing unexpected is left
	}
}

func (s *stage) do(line line) {
	content := s.expand(line.content)
	switch line.what {
	case ">":
		s.client(line.client).sendLine(line.how, content)
	case "<":
		s.client(line.client).expectLine(line.how, content)
	case "!":
		s.client(line.client).expectCloseLine(content)
		delete(s.clients, line.client)
	case "@":
		s.act(content)
	case "*":
		parts := strings.SplitN(content, " ", 3)
		if len(parts) != 3 {
			s.t.Fatal("want an event, whom it concerns, and its value")
		}
		s.publish(parts[0], parts[1], parts[2])
	}
}

// client returns the client of that name, who connects where they have not yet.
func (s *stage) client(name string) *client {
	c := s.clients[name]
	if c == nil {
		c = s.dial()
		s.clients[name] = c
	}
	return c
}

// signIn returns who a client signs in as: the user whose name it has.
func (s *stage) signIn(name string) user {
	s.t.Helper()
	for _, name := range []string{name, strings.TrimRight(name, "0123456789")} {
		if u, ok := s.signIns[name]; ok {
			return u
		}
	}
	s.t.Fatalf("who is %s?", name)
	return user{}
}

var variable = regexp.MustCompile(`\$(?:(token|id|session|resume):([a-z]+\d*)|(post)\b|(.)\*(\d+))`)

// expand puts in what the variables stand for.
func (s *stage) expand(text string) string {
	return variable.ReplaceAllStringFunc(text, func(found string) string {
		parts := variable.FindStringSubmatch(found)
		switch {
		case parts[3] != "":
			return s.postID
		case parts[4] != "":
			return strings.Repeat(parts[4], times(parts[5]))
		case parts[1] == "resume":
			return s.resume[parts[2]]
		}
		u := s.signIn(parts[2])
		switch parts[1] {
		case "token":
			return u.token
		case "id":
			return u.id
		default:
			return u.principal.SessionID
		}
	})
}

func (c *client) sendLine(how, text string) {
	c.t.Helper()
	kind, payloads := sentBy(c.t, how, text)
	for _, payload := range payloads {
		must(c.t, c.ws.WriteMessage(kind, []byte(payload)))
	}
}

// sentBy returns what a line that sends sends.
func sentBy(t testing.TB, how, text string) (kind int, payloads []string) {
	t.Helper()
	switch how {
	case "binary":
		return websocket.BinaryMessage, []string{text}
	case "hex":
		raw, err := hex.DecodeString(text)
		must(t, err)
		return websocket.TextMessage, []string{string(raw)}
	case "size":
		size, err := strconv.Atoi(text)
		must(t, err)
		return websocket.TextMessage, []string{pingOf(size)}
	}
	for i := 1; i <= times(how); i++ {
		payloads = append(payloads, strings.ReplaceAll(text, "$n", strconv.Itoa(i)))
	}
	return websocket.TextMessage, payloads
}

func (c *client) expectLine(how, text string) {
	c.t.Helper()
	if how == "=" {
		c.expect(text)
		return
	}
	var want any
	must(c.t, json.Unmarshal([]byte(text), &want))
	for range times(how) {
		frame := c.read()
		var got any
		must(c.t, json.Unmarshal([]byte(frame), &got))
		if !matches(got, want) {
			c.t.Fatalf("got  %s\nwant %s", frame, text)
		}
	}
}

// expectCloseLine expects the close to be the next to come.
func (c *client) expectCloseLine(text string) {
	c.t.Helper()
	code, reason, _ := strings.Cut(text, " ")
	_, frame, err := c.ws.ReadMessage()
	var closed *websocket.CloseError
	if !errors.As(err, &closed) {
		c.t.Fatalf("got %q, %v\nwant close %s", frame, err, text)
	}
	if strconv.Itoa(closed.Code) != code || reason != "" && closed.Text != reason {
		c.t.Fatalf("got  %v\nwant close %s", closed, text)
	}
}

func times(how string) int {
	if n, err := strconv.Atoi(how); err == nil {
		return n
	}
	return 1
}

// matches compares by value; "$any" matches everything.
func matches(got, want any) bool {
	if want == "$any" {
		return true
	}
	switch want := want.(type) {
	case map[string]any:
		object, ok := got.(map[string]any)
		if !ok || len(object) != len(want) {
			return false
		}
		for key, value := range want {
			if inner, ok := object[key]; !ok || !matches(inner, value) {
				return false
			}
		}
		return true
	case []any:
		list, ok := got.([]any)
		if !ok || len(list) != len(want) {
			return false
		}
		for i := range want {
			if !matches(list[i], want[i]) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(got, want)
}
