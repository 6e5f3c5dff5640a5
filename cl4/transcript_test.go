package cl4

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/redis/go-redis/v9"

	"meower/bus"
	"meower/e2e/containers"
	"meower/store/mongo"
)

// The lines of a transcript:
//
//	# comment          = option      (before anything is sent)
//	> frame            >N frame      send, N times with $n counting from 1
//	>binary text       >hex ffff     >size N      send something odd
//	< frame            <N frame      expect, compared by value; $any is anything
//	<= frame           expect these bytes
//	! code             expect the close
//	@ redis-down       an outage begins
//
// $token:NAME and $id:NAME stand for users, whom transcriptWorld makes.
const transcripts = "../testdata/cl4/*.txt"

func TestTranscripts(t *testing.T) {
	runTranscripts(t, func(t *testing.T) backing { return inProcess(t) })
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
		client := redis.NewClient(&redis.Options{Addr: redisServer.Addr, MaxRetries: -1, ContextTimeoutEnabled: true})
		t.Cleanup(func() { must(t, client.Close()) })
		must(t, client.FlushAll(t.Context()).Err())
		events := bus.NewRedis(client, t.Name(), bus.History{Events: 10_000, For: 2 * time.Minute}, slog.New(slog.DiscardHandler))
		t.Cleanup(func() { must(t, events.Close()) })
		<-events.Ready()
		return backing{store: durable, client: client, bus: events, stopRedis: func() {
			redisServer.Stop(t)
			t.Cleanup(func() { redisServer.Start(t) })
		}}
	})
}

func runTranscripts(t *testing.T, open func(*testing.T) backing) {
	files, err := filepath.Glob(transcripts)
	must(t, err)
	if len(files) == 0 {
		t.Fatal("no transcripts")
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { runTranscript(t, open(t), file) })
	}
}

// TestTranscriptsCoverStatuses fails for a status that no transcript expects.
func TestTranscriptsCoverStatuses(t *testing.T) {
	files, err := filepath.Glob(transcripts)
	must(t, err)
	var all strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		must(t, err)
		all.Write(text)
	}
	for s, text := range statusTexts {
		if s == statusNotSpecific || s == statusRoomNotJoined {
			continue // of the room commands, which are disabled
		}
		want := `{"cmd":"statuscode","code":"` + text + `","code_id":` + strconv.Itoa(int(s))
		if !strings.Contains(all.String(), "< "+want) && !strings.Contains(all.String(), "<= "+want) {
			t.Errorf("no transcript expects %s", text)
		}
	}
}

func transcriptWorld(t *testing.T, on backing, lines []string) (*world, *strings.Replacer) {
	options := map[string]bool{}
	for _, line := range lines {
		if name, ok := strings.CutPrefix(line, "= "); ok {
			options[name] = true
		}
	}
	w := newWorldOn(t, on, func(o *Options) {
		o.UserList = options["user-list"]
		if options["slow-commands"] {
			o.CommandsPerSecond = 1
		}
	})
	alice, bob := w.register("alice"), w.register("bob")
	banned, blocker := w.register("banned"), w.register("blocker")
	w.ban(banned)
	revoked := w.login("bob")
	ctx := context.Background()
	must(t, w.core.Logout(ctx, revoked.principal))
	must(t, w.store.Block(ctx, blocker.id, alice.id, alice.principal.User.Created))
	if options["blocked-address"] {
		must(t, w.store.BlockNetwork(ctx, testAddress, true, true))
	}
	return w, strings.NewReplacer(
		"$token:alice", alice.token, "$id:alice", alice.id,
		"$session:alice", alice.principal.SessionID,
		"$token:banned", banned.token, "$token:revoked", revoked.token,
		"$id:blocker", blocker.id, "$id:bob", bob.id,
	)
}

var directive = regexp.MustCompile(`^([<>!@])(=|binary|hex|size|\d+)? ?(.*)$`)

func runTranscript(t *testing.T, on backing, file string) {
	f, err := os.Open(file)
	must(t, err)
	defer f.Close()
	var lines []string
	for scanner := bufio.NewScanner(f); scanner.Scan(); {
		if line := scanner.Text(); line != "" && line[0] != '#' {
			lines = append(lines, line)
		}
	}
	w, names := transcriptWorld(t, on, lines)
	c := w.dial()
	for _, line := range lines {
		if line[0] == '=' {
			continue
		}
		parts := directive.FindStringSubmatch(line)
		if parts == nil {
			t.Fatalf("what is %q?", line)
		}
		rest := names.Replace(parts[3])
		switch parts[1] {
		case ">":
			c.sendLine(parts[2], rest)
		case "<":
			c.expectLine(parts[2], rest)
		case "!":
			code, err := strconv.Atoi(rest)
			must(t, err)
			c.expectClose(code)
			return
		case "@":
			w.stopRedis()
		}
	}
	c.barrier() // nothing unexpected is left
}

func (c *client) sendLine(how, text string) {
	c.t.Helper()
	switch how {
	case "binary":
		must(c.t, c.ws.WriteMessage(websocket.BinaryMessage, []byte(text)))
	case "hex":
		raw, err := hex.DecodeString(text)
		must(c.t, err)
		c.send(string(raw))
	case "size":
		size, err := strconv.Atoi(text)
		must(c.t, err)
		c.send(`{"cmd":"ping","val":"` + strings.Repeat("x", size-23) + `"}`)
	default:
		for i := 1; i <= times(how); i++ {
			c.send(strings.ReplaceAll(text, "$n", strconv.Itoa(i)))
		}
	}
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
