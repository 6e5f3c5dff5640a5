package cl4

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// What the fuzzing client of the Autobahn test suite does, as tables, with
// packets of ours in place of echoes: its groups 1 to 4 are here, 5 to 7 and 9 in
// conformance_messages_test.go, 12 and 13 in conformance_deflate_test.go. 8 it
// does not have.

// exchange is what a raw client sends and what must come back.
type exchange struct {
	name string
	// fresh says that the client has not identified its protocol before.
	fresh bool
	send  []byte
	// chop is how many bytes go out at a time; 0 is all.
	chop int
	want []answer
	// code is what the server closes with, after want; 0 is that it does not.
	code int
}

type answer struct {
	opcode  byte
	payload string
}

// says is a status packet.
func says(s status) answer { return answer{opText, string(statusPacket(s, 0, ""))} }

// echoes is the answer to echo.
func echoes(text string) answer {
	return answer{opText, string(statusPacket(statusOK, 0, `"`+text+`"`))}
}

// echo is a packet that has text answered.
func echo(text string) string { return `{"cmd":"ping","listener":"` + text + `"}` }

// pingOf is a packet of n bytes.
func pingOf(n int) string {
	return `{"cmd":"ping","val":"` + strings.Repeat("x", n-len(`{"cmd":"ping","val":""}`)) + `"}`
}

func (x exchange) run(t *testing.T, w *world, offer bool) {
	r := dialUpgraded(t, w, offer)
	if !x.fresh {
		r.write(whole(opText, echo("hello")))
		r.expect(opText, echoes("hello").payload)
	}
	chop := x.chop
	if chop == 0 {
		chop = max(len(x.send), 1)
	}
	for piece := range slices.Chunk(x.send, chop) {
		if _, err := r.tcp.Write(piece); err != nil && x.code == 0 {
			t.Fatal(err) // otherwise the server may be gone already
		}
	}
	for _, want := range x.want {
		r.expect(want.opcode, want.payload)
	}
	if x.code != 0 {
		r.expectClose(x.code)
		return
	}
	r.write(whole(opText, echo("barrier")))
	r.expect(opText, echoes("barrier").payload)
	must(t, r.tcp.CloseWrite())
	if m, err := r.read(); !errors.Is(err, io.EOF) {
		t.Fatalf("got %v, %v after the client has gone", m, err)
	}
}

// conform runs a table against a server that does not compress, one that would,
// and one that does.
func conform(t *testing.T, table func(compressed bool) []exchange) {
	for _, mode := range []struct {
		name           string
		server, client bool
	}{{"plain", false, true}, {"not asked for", true, false}, {"compressed", true, true}} {
		t.Run(mode.name, func(t *testing.T) {
			w := newWorld(t, func(o *Options) { o.Compression = mode.server })
			for _, x := range table(mode.server && mode.client) {
				t.Run(x.name, func(t *testing.T) { x.run(t, w, mode.client) })
			}
		})
	}
}

func TestFraming(t *testing.T) {
	conform(t, func(bool) []exchange { return slices.Concat(lengthRows(), maskRows(), identificationRows()) })
}

// lengthRows: every way to give a length, and the limit.
func lengthRows() []exchange {
	var rows []exchange
	for _, n := range []int{0, 1, 23, 125, 126, 127, 128, maxFrame - 1, maxFrame, maxFrame + 1} {
		for _, width := range []int{7, 16, 64} {
			if width == 7 && n >= long {
				continue
			}
			name := fmt.Sprintf("%d bytes, length in %d bits", n, width)
			frame := rawFrame{head: finBit | opText, mask: someMask, width: width}
			row := exchange{name: name}
			switch {
			case n == 0:
				row.want = []answer{says(statusEmpty)}
			case n == 1:
				frame.payload, row.want = "x", []answer{says(statusSyntax)}
			case n <= maxFrame:
				frame.payload, row.want = pingOf(n), []answer{says(statusOK)}
			default:
				frame.payload, row.code = pingOf(n), closeTooBig
			}
			row.send = frame.bytes()
			rows = append(rows, row)

			frame.head = finBit | opBinary
			rows = append(rows, exchange{name: "binary, " + name, send: frame.bytes(), code: closeUnsupported})
		}
	}
	// The length is read, but nothing is made of it before the bytes are there.
	enormous := rawFrame{head: finBit | opText, claim: 1 << 62, payload: strings.Repeat("x", maxFrame+1)}
	impossible := rawFrame{head: finBit | opText, claim: 1 << 63}
	negative := rawFrame{head: finBit | opText, claim: 1<<64 - 1}
	binary := rawFrame{head: finBit | opBinary, claim: 1 << 62}
	return append(
		rows,
		exchange{name: "enormous", send: enormous.bytes(), code: closeTooBig},
		exchange{name: "enormous binary", send: binary.bytes(), code: closeUnsupported},
		exchange{name: "top bit of the length", send: impossible.bytes(), code: closeProtocol},
		exchange{name: "all bits of the length", send: negative.bytes(), code: closeProtocol},
	)
}

func maskRows() []exchange {
	var rows []exchange
	for _, mask := range []uint32{0, 1, 0xff000000, 0x000000ff, 0x80808080, 0xffffffff, someMask} {
		// Three messages, since a mask begins anew with each.
		var all []byte
		for i := range 3 {
			all = append(all, rawFrame{head: finBit | opText, mask: mask, payload: echo("ab"[:i])}.bytes()...)
		}
		rows = append(rows, exchange{
			name: fmt.Sprintf("mask %#x", mask), send: all, want: []answer{echoes(""), echoes("a"), echoes("ab")},
		})
	}
	for name, head := range map[string]byte{"text": finBit | opText, "fragment": opText, "ping": finBit | opPing, "pong": finBit | opPong} {
		frame := rawFrame{head: head, unmasked: true, payload: echo("a")}
		rows = append(rows, exchange{name: "no mask, " + name, send: frame.bytes(), code: closeProtocol})
	}
	unmasked := rawFrame{head: finBit | opClose, unmasked: true, payload: closing(1000, "")}
	return append(rows, exchange{name: "no mask, close", send: unmasked.bytes(), code: closeProtocol})
}

// identificationRows: what ends a connection that may be of another protocol is
// only answered afterwards (cl4.md, "Status codes").
func identificationRows() []exchange {
	rows := []exchange{
		{name: "empty", send: whole(opText, ""), want: []answer{says(statusEmpty)}},
		{name: "no JSON", send: whole(opText, "nonsense"), want: []answer{says(statusSyntax)}},
		{name: "half of JSON", send: whole(opText, `{"cmd":"pi`), want: []answer{says(statusSyntax)}},
	}
	for _, row := range rows {
		row.name, row.fresh, row.want, row.code = "at first, "+row.name, true, nil, closeProtocol
		rows = append(rows, row)
	}
	other := bytes.Join([][]byte{whole(opText, "[1]"), whole(opText, "")}, nil)
	return append(
		rows,
		exchange{name: "at first, JSON but no packet", fresh: true, send: other, want: []answer{says(statusSyntax)}, code: closeProtocol},
		exchange{name: "at first, binary", fresh: true, send: whole(opBinary, echo("a")), code: closeUnsupported},
		exchange{name: "at first, bad UTF-8", fresh: true, send: whole(opText, "\xff"), code: closeInvalidText},
		exchange{name: "at first, too big", fresh: true, send: whole(opText, pingOf(maxFrame+1)), code: closeTooBig},
	)
}

func TestPings(t *testing.T) {
	conform(t, func(bool) []exchange { return pingRows() })
}

func pingRows() []exchange {
	var every, ten []byte
	var everyPong, tenPongs []answer
	for n := range long {
		payload := strings.Repeat("\xff\x00\xfe", 42)[:n]
		every, everyPong = append(every, whole(opPing, payload)...), append(everyPong, answer{opPong, payload})
	}
	for i := range 10 {
		payload := fmt.Sprint("payload ", i)
		ten, tenPongs = append(ten, whole(opPing, payload)...), append(tenPongs, answer{opPong, payload})
	}
	frame := rawFrame{head: finBit | opPing, payload: "hello", width: 16}
	return []exchange{
		{name: "every length", send: every, want: everyPong},
		{name: "every length, byte by byte", send: every, chop: 1, want: everyPong},
		{name: "ten", send: ten, want: tenPongs},
		{name: "ten, byte by byte", send: ten, chop: 1, want: tenPongs},
		{name: "at first", fresh: true, send: whole(opPing, ""), want: []answer{{opPong, ""}}},
		{name: "pongs that nobody asked for", send: append(whole(opPong, ""), whole(opPong, "hello")...)},
		{name: "pong, then ping", send: append(whole(opPong, "a"), ten...), want: tenPongs},
		{name: "ping of 126 bytes", send: whole(opPing, strings.Repeat("x", 126)), code: closeProtocol},
		{name: "pong of 126 bytes", send: whole(opPong, strings.Repeat("x", 126)), code: closeProtocol},
		{name: "ping with a long length", send: frame.bytes(), code: closeProtocol},
		{
			name: "between answers", send: slices.Concat(whole(opText, echo("a")), whole(opPing, "b"), whole(opText, echo("c"))),
			want: []answer{echoes("a"), {opPong, "b"}, echoes("c")},
		},
	}
}

func TestReservedBits(t *testing.T) {
	conform(t, func(compressed bool) []exchange {
		var rows []exchange
		for bits := byte(rsv3); bits <= rsv1|rsv2|rsv3; bits += rsv3 {
			for name, head := range map[string]byte{
				"text": finBit | opText, "binary": finBit | opBinary, "first fragment": opText,
				"close": finBit | opClose, "ping": finBit | opPing, "pong": finBit | opPong,
			} {
				frame := rawFrame{head: head | bits, mask: someMask, payload: closing(1000, "")}
				if compressed && bits == rsv1 && head&0xf <= opBinary {
					continue // as it should be
				}
				rows = append(rows, mistakes(fmt.Sprintf("%#x on %s", bits, name), frame.bytes())...)
			}
			frame := rawFrame{head: finBit | bits, mask: someMask, payload: "}"}
			bad := append(rawFrame{head: opText, mask: someMask, payload: `{"cmd":"ping"`}.bytes(), frame.bytes()...)
			rows = append(rows, mistakes(fmt.Sprintf("%#x on continuation", bits), bad)...)
		}
		return rows
	})
}

func TestReservedOpcodes(t *testing.T) {
	conform(t, func(bool) []exchange {
		var rows []exchange
		for _, opcode := range []byte{3, 4, 5, 6, 7, 0xB, 0xC, 0xD, 0xE, 0xF} {
			for _, payload := range []string{"", echo("a")} {
				bad := whole(opcode, payload)
				rows = append(rows, mistakes(fmt.Sprintf("%#x, %d bytes", opcode, len(payload)), bad)...)
			}
		}
		return rows
	})
}

// mistakes: a mistake in the protocol ends the connection, whatever was before
// and comes after. What came before has its answer.
func mistakes(name string, bad []byte) []exchange {
	before := slices.Concat(whole(opText, echo("a")), whole(opPing, "b"), bad)
	after := slices.Concat(bad, whole(opText, echo("a")), whole(opPing, "b"), whole(opClose, closing(1000, "")))
	closing := slices.Concat(whole(opBinary, ""), bad)
	return []exchange{
		{name: name, send: bad, code: closeProtocol},
		{name: name + ", byte by byte", send: bad, chop: 1, code: closeProtocol},
		{name: name + ", after others", send: before, want: []answer{echoes("a"), {opPong, "b"}}, code: closeProtocol},
		{name: name + ", before others", send: after, code: closeProtocol},
		{name: name + ", while being closed", send: closing, code: closeUnsupported},
	}
}

func TestHandshakeMistakes(t *testing.T) {
	w := newWorld(t, nil)
	good := upgradeRequest("example.com", "")
	for _, test := range []struct {
		name, replace, by string
		want              int
	}{
		{"none", "", "", http.StatusSwitchingProtocols},
		{"case of the tokens", "Connection: Upgrade\r\nUpgrade: websocket", "Connection: keep-alive, upgrade\r\nUpgrade: WebSocket", http.StatusSwitchingProtocols},
		{"no key", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", http.StatusBadRequest},
		{"short key", "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZQ==", http.StatusBadRequest},
		{"key that is no base64", "dGhlIHNhbXBsZSBub25jZQ==", "!", http.StatusBadRequest},
		{"no version", "Sec-WebSocket-Version: 13\r\n", "", http.StatusBadRequest},
		{"old version", "Version: 13", "Version: 8", http.StatusBadRequest},
		{"no Connection", "Connection: Upgrade\r\n", "", http.StatusBadRequest},
		{"no Upgrade", "Upgrade: websocket\r\n", "", http.StatusBadRequest},
		{"other protocol", "Upgrade: websocket", "Upgrade: h2c", http.StatusBadRequest},
		{"method", "GET", "POST", http.StatusMethodNotAllowed},
		{"path", "GET /", "GET /elsewhere", http.StatusNotFound},
		{"no Host", "Host: example.com\r\n", "", http.StatusBadRequest},
		{"no HTTP", good, "nonsense\r\n\r\n", http.StatusBadRequest},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := dialRaw(t, w)
			r.write([]byte(strings.Replace(good, test.replace, test.by, 1)))
			response, err := http.ReadResponse(r.in, nil)
			must(t, err)
			defer response.Body.Close()
			if response.StatusCode != test.want {
				t.Fatalf("%s, want %d", response.Status, test.want)
			}
			if strings.Contains(test.name, "version") && response.Header.Get("Sec-Websocket-Version") != "13" {
				t.Fatal("it does not say which version it speaks")
			}
		})
	}
}
