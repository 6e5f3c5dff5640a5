package cl4

import (
	"compress/flate"
	"slices"
	"strings"
	"testing"
)

// TestDeflate: messages compressed by the client (RFC 7692).
func TestDeflate(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.Compression = true })
	for _, x := range slices.Concat(deflateRows(), bigDeflateRows(), badDeflateRows()) {
		t.Run(x.name, func(t *testing.T) { x.run(t, w, true) })
	}
}

// TestDeflateNotAgreed: the same bytes are mistakes where it has not been agreed
// upon.
func TestDeflateNotAgreed(t *testing.T) {
	w := newWorld(t, nil)
	for _, x := range slices.Concat(deflateRows(), bigDeflateRows()) {
		x.want, x.code = nil, closeProtocol
		t.Run(x.name, func(t *testing.T) { x.run(t, w, true) })
	}
}

func deflate(text string) string { return deflated(text, flate.BestCompression) }

func deflateRows() []exchange {
	text := echo("deflated κόσμε")
	want := []answer{echoes("deflated κόσμε")}
	packed := deflate(text)
	var split []byte
	var answers []answer
	for i := range len(packed) + 1 {
		split = append(split, fragments(rsv1|opText, packed[:i], packed[i:])...)
		answers = append(answers, want...)
	}
	first := rawFrame{head: rsv1 | opText, mask: someMask, payload: packed[:3]}.bytes()
	rest := whole(opContinuation, packed[3:])
	return []exchange{
		{name: "whole", send: whole(rsv1|opText, packed), want: want},
		{name: "whole, byte by byte", send: whole(rsv1|opText, packed), chop: 1, want: want},
		{name: "split everywhere", send: split, want: answers},
		{name: "in fragments of a byte", send: fragments(rsv1|opText, pieces(packed, 1)...), want: want},
		{name: "empty fragments around", send: fragments(rsv1|opText, "", packed, ""), want: want},
		{
			name: "ping in between", send: slices.Concat(first, whole(opPing, "x"), rest),
			want: append([]answer{{opPong, "x"}}, want...),
		},
		{name: "in turn with others", send: slices.Concat(whole(rsv1|opText, packed), whole(opText, text), split), want: slices.Concat(want, want, answers)},
		{name: "stored", send: whole(rsv1|opText, deflated(text, flate.NoCompression)), want: want},
		{name: "in two blocks", send: whole(rsv1|opText, deflate(text)+"\x00\x00\xff\xff"+deflate(" ")), want: want},
		{name: "nothing", send: whole(rsv1|opText, "\x00"), want: []answer{says(statusEmpty)}},
		// The RFC's own example of a final block, section 7.2.3.4.
		{name: "final block", send: whole(rsv1|opText, "\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), want: []answer{says(statusSyntax)}},
	}
}

// bigDeflateRows: the limit counts what comes out.
func bigDeflateRows() []exchange {
	big := func(name string, n int) exchange {
		return exchange{name: name, send: whole(rsv1|opText, deflate(pingOf(n)))}
	}
	atLimit, past, bomb := big("at the limit", maxFrame), big("past the limit", maxFrame+1), big("bomb", 4<<20)
	atLimit.want = []answer{says(statusOK)}
	past.code, bomb.code = closeTooBig, closeTooBig
	stored := deflated(pingOf(maxFrame), flate.NoCompression)
	return []exchange{
		atLimit, past, bomb,
		{name: "bomb in fragments", send: fragments(rsv1|opText, pieces(deflate(pingOf(1<<20)), 10)...), code: closeTooBig},
		{name: "bomb, then commands", send: append(bomb.send, whole(opText, echo("a"))...), code: closeTooBig},
		{name: "bomb, binary", send: whole(rsv1|opBinary, deflate(pingOf(1<<20))), code: closeUnsupported},
		{name: "at the limit, larger when packed", send: whole(rsv1|opText, stored), want: []answer{says(statusOK)}},
	}
}

func badDeflateRows() []exchange {
	packed := deflate(echo("deflated"))
	first := rawFrame{head: rsv1 | opText, mask: someMask, payload: packed[:3]}.bytes()
	text := whole(opText, echo("a"))
	rows := []exchange{
		{name: "garbage", send: whole(rsv1|opText, "\xff\xff\xff\xff"), code: closeInvalidText},
		{name: "much garbage", send: whole(rsv1|opText, strings.Repeat("\xa5\x5a", 4000)), code: closeInvalidText},
		{name: "no bytes at all", send: whole(rsv1|opText, ""), code: closeInvalidText},
		{name: "cut off", send: whole(rsv1|opText, packed[:len(packed)/2]), code: closeInvalidText},
		{name: "garbage in fragments", send: fragments(rsv1|opText, packed[:3], "\xff\xff\xff", "\xff\xff"), code: closeInvalidText},
		{name: "text that is not packed", send: whole(rsv1|opText, echo("a")), code: closeInvalidText},
		{name: "UTF-8", send: whole(rsv1|opText, deflate(echo("\xed\xa0\x80"))), code: closeInvalidText},
		{name: "garbage, then commands", send: append(whole(rsv1|opText, "\xff\xff\xff\xff"), text...), code: closeInvalidText},
		{name: "commands, then garbage", send: append(text, whole(rsv1|opText, "\xff\xff\xff\xff")...), want: []answer{echoes("a")}, code: closeInvalidText},
	}
	rows = append(rows, mistakes("second compressed within", slices.Concat(first, whole(rsv1|opText, packed)))...)
	return append(rows, mistakes("continuation that says so, too", slices.Concat(first, whole(rsv1|opContinuation, packed[3:])))...)
}
