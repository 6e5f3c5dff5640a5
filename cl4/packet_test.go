package cl4

import (
	"context"
	"encoding/json"
	"testing"
	"unicode/utf8"
)

// FuzzPacket: no frame may crash, and whatever is echoed is what was sent.
func FuzzPacket(f *testing.F) {
	for _, seed := range []string{
		`{"cmd":"ping","listener":{"a": 1}}`, `{"cmd":"direct","val":{"cmd":"ping"},"listener":-1}`,
		`{"cmd":"subscribe","type":"posts","id":"\u0031"}`, `{"cmd":null}`, `null`, `[]`, ``, `{"cmd":"\ud800"}`,
	} {
		f.Add([]byte(seed))
	}
	for _, payloads := range transcriptPayloads(f) {
		for _, payload := range payloads {
			f.Add([]byte(payload))
		}
	}
	var room [maxKeys]key
	f.Fuzz(func(t *testing.T, frame []byte) {
		if !utf8.Valid(frame) {
			t.Skip()
		}
		p, result := parsePacket(frame, room[:])
		if (result == notJSON) == json.Valid(frame) {
			t.Fatalf("result %d for %q", result, frame)
		}
		if result != parsed {
			return
		}
		p, _ = unnest(p)
		if cmd, known := commands[p.cmd]; known {
			checkFields(cmd, &p)
		}
		answer := statusPacket(statusRatelimited, 1, p.listener)
		var decoded map[string]json.RawMessage
		if err := json.Unmarshal(answer, &decoded); err != nil {
			t.Fatalf("%s: %v", answer, err)
		}
		if string(decoded["listener"]) != p.listener {
			t.Fatalf("echoed %s for %s", decoded["listener"], p.listener)
		}
	})
}

func BenchmarkPacket(b *testing.B) {
	frame := []byte(`{"cmd":"subscribe","type":"posts","id":"1234567890123456789","listener":"abc"}`)
	var room [maxKeys]key
	b.ReportAllocs()
	for b.Loop() {
		p, _ := parsePacket(frame, room[:])
		p, _ = unnest(p)
		checkFields(commands[p.cmd], &p)
	}
}

// TestPanicIsAFault: a command that panics is answered and the connection lives.
func TestPanicIsAFault(t *testing.T) {
	w := newWorld(t, nil)
	c := w.dial()
	c.barrier()
	server := w.server.hub.all()[0]
	bad := &command{run: func(context.Context, *conn, packet) error { panic("secret") }}
	server.refuse(packet{cmd: "bad"}, server.run(bad, packet{}))
	server.flush()
	c.expect(`{"cmd":"statuscode","code":"E:105 | Internal server error","code_id":105}`)
	c.barrier()
}
