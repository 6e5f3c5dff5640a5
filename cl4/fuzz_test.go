package cl4

import (
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzConnection: whatever a client sends, the server speaks the protocol, has no
// fault of its own, and ends the connection when the client does.
func FuzzConnection(f *testing.F) {
	for i, seed := range connectionSeeds(f) {
		f.Add(seed, i%2 == 0, i%3 == 0)
	}
	type place struct {
		world *world
		token string
	}
	places := map[bool]place{}
	for _, compressed := range []bool{false, true} {
		w := newWorld(f, func(o *Options) { o.Compression, o.UserList = compressed, true })
		places[compressed] = place{w, w.register("alice").token}
	}
	f.Fuzz(func(t *testing.T, sent []byte, compressed, authenticated bool) {
		p := places[compressed]
		r := dialUpgraded(t, p.world, compressed)
		if authenticated {
			r.write(whole(opText, `{"cmd":"authenticate","token":"`+p.token+`"}`))
			r.expect(opText, says(statusOK).payload)
		}
		// The server may have closed meanwhile. It reads on for a while; what it
		// does not read makes writing fail, but what it has said still comes.
		_, _ = r.tcp.Write(sent)
		_ = r.tcp.CloseWrite()
		for {
			m, err := r.read()
			if errors.Is(err, io.EOF) {
				break
			}
			must(t, err)
			checkSaid(t, m)
		}
		// The server ends a connection only after it has forgotten it.
		if left := p.world.server.hub.all(); len(left) != 0 {
			t.Fatalf("%d connections are left", len(left))
		}
		must(t, r.tcp.Close())
	})
}

// checkSaid checks what every message of the server must be.
func checkSaid(t *testing.T, m *rawMessage) {
	t.Helper()
	switch m.opcode {
	case opText:
		var packet struct {
			Cmd    *string
			CodeID status `json:"code_id"`
		}
		if err := json.Unmarshal(m.payload, &packet); err != nil || packet.Cmd == nil || !utf8.Valid(m.payload) {
			t.Fatalf("%q is no packet: %v", m.payload, err)
		}
		if packet.CodeID == statusInternal {
			t.Fatalf("a fault: %s", m.payload)
		}
	case opClose:
		if len(m.payload) == 1 || !utf8.Valid(m.payload[min(2, len(m.payload)):]) {
			t.Fatalf("closed with %q", m.payload)
		}
	case opPing, opPong:
	default:
		t.Fatalf("opcode %#x", m.opcode)
	}
}

// connectionSeeds are the exchanges of the conformance tests that differ most, and
// the transcripts. More would take the fuzzer longer to run than it is given.
func connectionSeeds(f *testing.F) [][]byte {
	f.Helper()
	rows := slices.Concat(
		everyNth(lengthRows(), 5), everyNth(maskRows(), 2), identificationRows(), pingRows(), fragmentRows(),
		everyNth(misplacedRows(), 4), everyNth(closeRows(), 3), everyNth(badCloseRows(), 7),
		deflateRows(), bigDeflateRows(), badDeflateRows(),
		everyNth(validRows(), 7), everyNth(invalidRows(), 23),
	)
	var seeds [][]byte
	for _, row := range rows {
		if row.chop == 0 {
			seeds = append(seeds, row.send)
		}
	}
	for _, payloads := range transcriptPayloads(f) {
		var conversation []byte
		for _, payload := range payloads {
			conversation = append(conversation, whole(opText, payload)...)
		}
		seeds = append(seeds, conversation, fragments(rsv1|opText, pieces(deflate(payloads[0]), 20)...))
		for _, payload := range payloads {
			seeds = append(seeds, whole(opText, payload))
		}
	}
	return seeds
}

func everyNth(rows []exchange, n int) []exchange {
	var some []exchange
	for i := 0; i < len(rows); i += n {
		some = append(some, rows[i])
	}
	return some
}

// transcriptPayloads is what each transcript sends, with names in place of tokens
// and ids. What one line repeats is there once.
func transcriptPayloads(f *testing.F) [][]string {
	f.Helper()
	files, err := filepath.Glob(transcripts)
	must(f, err)
	if len(files) == 0 {
		f.Fatal("no transcripts")
	}
	var all [][]string
	for _, file := range files {
		var sent []string
		for _, line := range transcriptLines(f, file) {
			if line.what != ">" {
				continue
			}
			_, payloads := sentBy(f, line.how, strings.ReplaceAll(line.content, "$", ""))
			sent = append(sent, payloads[0])
		}
		if len(sent) > 0 {
			all = append(all, sent)
		}
	}
	return all
}
