package bus

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestPayloadIsAsDocumented(t *testing.T) {
	t.Parallel()
	event := Event{Name: "post_created", Whom: "123", Value: json.RawMessage(`{"id": "1"}`)}
	const want = `{"i":"123","m":{"id": "1"},"n":"node"}`
	if got := encodePayload(event, payloadTail("node")); string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := encodePayload(Event{}, payloadTail("node")); string(got) != `{"i":"","m":null,"n":"node"}` {
		t.Errorf("empty event: %s", got)
	}
}

func TestDecodePayload(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, channel, payload string
		want                   string // whom, value and node, or nothing for an error
	}{
		{"ours", "meower:e", `{"i":"1","m":{"a" : 1},"n":"x"}`, `1 {"a" : 1} x`},
		{"other order, more keys", "meower:e", ` {"z":[{}],"n":"x","m":null,"i":""} `, ` null x`},
		{"escapes", "meower:e", `{"i":"\u0031\n","m":"\ud800","n":"\"x"}`, "1\n \"\\ud800\" \"x"},
		{"no name", "meower:", `{"i":"1","m":1,"n":"x"}`, ""},
		{"other channel", "other:e", `{"i":"1","m":1,"n":"x"}`, ""},
		{"empty", "meower:e", "", ""},
		{"not JSON", "meower:e", "post", ""},
		{"not an object", "meower:e", `["1",1,"x"]`, ""},
		{"null", "meower:e", `null`, ""},
		{"cut off", "meower:e", `{"i":"1","m":{"a":1`, ""},
		{"trailing", "meower:e", `{"i":"1","m":1,"n":"x"}}`, ""},
		{"number as whom", "meower:e", `{"i":1,"m":1,"n":"x"}`, ""},
		{"without whom", "meower:e", `{"m":1,"n":"x"}`, ""},
		{"without value", "meower:e", `{"i":"1","n":"x"}`, ""},
		{"without node", "meower:e", `{"i":"1","m":1}`, ""},
		{"not UTF-8", "meower:e", `{"i":"1","m":"` + "\xff" + `","n":"x"}`, ""},
		{"deep", "meower:e", `{"i":"1","m":` + strings.Repeat("[", 1<<20), ""},
		{"huge garbage", "meower:e", strings.Repeat("x", 8<<20), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			event, node, err := decodePayload(test.channel, test.payload)
			if err != nil {
				if test.want != "" {
					t.Error(err)
				}
				return
			}
			if got := event.Whom + " " + string(event.Value) + " " + node; got != test.want || event.Name != "e" {
				t.Errorf("got %q of %q, want %q", got, event.Name, test.want)
			}
		})
	}
}

// FuzzDecodePayload feeds on what anyone with access to Redis can send. What
// it accepts must survive being sent on.
func FuzzDecodePayload(f *testing.F) {
	for _, payload := range []string{
		`{"i":"1","m":{"id":"1"},"n":"node"}`, `{"i":"","m":null,"n":"n"}`, `{"n":"x","m":[1e999],"i":"\u0000"}`,
		`{"I":"1","M":1,"N":"x"}`, `{"i":"1","i":"2","m":1,"m":2,"n":"x"}`, `null`, `[]`, `"`, `{`, "",
	} {
		f.Add("meower:post_created", payload)
	}
	f.Fuzz(func(t *testing.T, channel, payload string) {
		event, node, err := decodePayload(channel, payload)
		if err != nil {
			return
		}
		if event.Name == "" || node == "" || !json.Valid(event.Value) || !utf8.Valid(event.Value) {
			t.Fatalf("accepted %q: %+v from %q", payload, event, node)
		}
		encoded := encodePayload(event, payloadTail(node))
		again, nodeAgain, err := decodePayload(channel, string(encoded))
		if err != nil {
			t.Fatalf("%s: %v", encoded, err)
		}
		if again.Name != event.Name || again.Whom != event.Whom || nodeAgain != node || !bytes.Equal(again.Value, event.Value) {
			t.Fatalf("%+v from %q became %+v from %q", event, node, again, nodeAgain)
		}
	})
}

// FuzzEncodePayload checks ids that are not the digits they should be.
func FuzzEncodePayload(f *testing.F) {
	for _, s := range []string{"", "123", "a\"b", `\`, "\x00", "\x7f", "é", "\u2028", "\xff"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, whom, node string) {
		encoded := encodePayload(Event{Name: "e", Whom: whom, Value: json.RawMessage(`{}`)}, payloadTail(node))
		var got struct{ I, N string }
		if err := json.Unmarshal(encoded, &got); err != nil {
			t.Fatalf("%q: %v", encoded, err)
		}
		if utf8.ValidString(whom) && got.I != whom || utf8.ValidString(node) && got.N != node {
			t.Fatalf("%q and %q became %q and %q", whom, node, got.I, got.N)
		}
	})
}

var benchmarkEvent = Event{
	Name: "message_created",
	Whom: "1234567890123456789",
	Value: json.RawMessage(`{"id":"1234567890123456789","chat_id":"1234567890123456788","author":{"id":"1234567890123456787",` +
		`"username":"mia","public_flags":0,"icon":{"type":0,"data":1}},"reply_to":null,"content":"` +
		strings.Repeat("word ", 50) + `","filtered_content":null,"flags":0,"likes":[],"attachments":[],"time":1700000000,"delete_after":null}`),
}

func BenchmarkEncodePayload(b *testing.B) {
	tail := payloadTail("0123456789abcdef")
	b.ReportAllocs()
	b.SetBytes(int64(len(encodePayload(benchmarkEvent, tail))))
	for b.Loop() {
		encodePayload(benchmarkEvent, tail)
	}
}

func BenchmarkDecodePayload(b *testing.B) {
	payload := string(encodePayload(benchmarkEvent, payloadTail("0123456789abcdef")))
	b.ReportAllocs()
	b.SetBytes(int64(len(payload)))
	for b.Loop() {
		if _, _, err := decodePayload("meower:message_created", payload); err != nil {
			b.Fatal(err)
		}
	}
}
