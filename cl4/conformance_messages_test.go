package cl4

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
)

func TestFragments(t *testing.T) {
	conform(t, func(bool) []exchange { return slices.Concat(fragmentRows(), misplacedRows()) })
}

func fragmentRows() []exchange {
	var rows []exchange
	text := echo("fragments")
	want := []answer{echoes("fragments")}
	for _, size := range []int{1, 2, 3, 7, len(text) - 1, len(text)} {
		rows = append(rows, exchange{
			name: fmt.Sprintf("of %d bytes", size), send: fragments(opText, pieces(text, size)...), want: want,
		}, exchange{
			name: fmt.Sprintf("of %d bytes, byte by byte", size), send: fragments(opText, pieces(text, size)...), chop: 1, want: want,
		})
	}
	var split, pinged []byte
	var answers, pongs []answer
	for i := range len(text) + 1 {
		split = append(split, fragments(opText, text[:i], text[i:])...)
		answers = append(answers, want...)
	}
	for i, frame := range pieces(text, 1) {
		payload := fmt.Sprint("ping ", i)
		head := byte(opContinuation)
		if i == 0 {
			head = opText
		}
		pinged = append(pinged, rawFrame{head: head, mask: someMask, payload: frame}.bytes()...)
		pinged = append(pinged, whole(opPing, payload)...)
		pongs = append(pongs, answer{opPong, payload})
	}
	pinged = append(pinged, whole(opContinuation, "")...)
	first := rawFrame{head: opText, mask: someMask, payload: text}.bytes()
	limit := pieces(pingOf(maxFrame), 1000)
	return append(
		rows,
		exchange{name: "split everywhere", send: split, want: answers},
		exchange{name: "pings in between", send: pinged, want: append(pongs, want...)},
		exchange{name: "pings in between, byte by byte", send: pinged, chop: 1, want: append(pongs, want...)},
		exchange{name: "pong in between", send: slices.Concat(first, whole(opPong, "x"), whole(opContinuation, "")), want: want},
		exchange{name: "empty ones around", send: fragments(opText, "", text, "", ""), want: want},
		exchange{name: "nothing but empty ones", send: fragments(opText, "", "", ""), want: []answer{says(statusEmpty)}},
		exchange{name: "nothing but empty ones, at first", fresh: true, send: fragments(opText, "", ""), code: closeProtocol},
		exchange{name: "many empty ones", send: fragments(opText, append(make([]string, 10_000), text)...), want: want},
		exchange{name: "up to the limit", send: fragments(opText, limit...), want: []answer{says(statusOK)}},
		exchange{name: "past the limit", send: fragments(opText, append(limit, " ")...), code: closeTooBig},
		exchange{name: "past the limit, each below", send: fragments(opText, pingOf(maxFrame), pingOf(maxFrame)), code: closeTooBig},
		exchange{name: "past the limit, without an end", send: append(first, rawFrame{payload: pingOf(maxFrame)}.bytes()...), code: closeTooBig},
		exchange{name: "binary", send: fragments(opBinary, text, text), code: closeUnsupported},
		exchange{name: "two messages", send: slices.Concat(split, split), want: slices.Concat(answers, answers)},
		exchange{
			name: "close in between", send: append(first, whole(opClose, closing(1000, ""))...), code: websocket.CloseNormalClosure,
		},
	)
}

// misplacedRows: frames that are well made and come at the wrong time.
func misplacedRows() []exchange {
	first := rawFrame{head: opText, mask: someMask, payload: `{"cmd":"ping"`}.bytes()
	middle := rawFrame{head: opContinuation, mask: someMask, payload: " "}.bytes()
	last := whole(opContinuation, "}")
	text := whole(opText, echo("a"))
	ping, pong := whole(opPing, "x"), []answer{{opPong, "x"}}
	rows := []exchange{
		{name: "text, then an end of nothing", send: slices.Concat(text, last), want: []answer{echoes("a")}, code: closeProtocol},
		{name: "text within text, after an answer", send: slices.Concat(text, first, text), want: []answer{echoes("a")}, code: closeProtocol},
		{name: "text within text, after a ping", send: slices.Concat(first, ping, text), want: pong, code: closeProtocol},
		{name: "end of nothing, twice", send: slices.Concat(first, last, last), want: []answer{says(statusOK)}, code: closeProtocol},
	}
	for name, bad := range map[string][]byte{
		"end of nothing":            last,
		"middle of nothing":         middle,
		"empty middle of nothing":   rawFrame{head: opContinuation}.bytes(),
		"text within text":          slices.Concat(first, text),
		"start within text":         slices.Concat(first, first),
		"start after the middle":    slices.Concat(first, middle, first),
		"binary within text":        slices.Concat(first, whole(opBinary, "x")),
		"fragment of a ping":        fragments(opPing, "a", "b"),
		"fragment of a pong":        fragments(opPong, "a", "b"),
		"fragment of a close":       fragments(opClose, closing(1000, ""), "b"),
		"fragment of a ping, empty": rawFrame{head: opPing}.bytes(),
		"fragment of a ping within": slices.Concat(first, rawFrame{head: opPing, payload: "a"}.bytes()),
	} {
		rows = append(rows, mistakes(name, bad)...)
	}
	return rows
}

func TestUTF8(t *testing.T) {
	conform(t, func(bool) []exchange { return append(validRows(), invalidRows()...) })
}

// validRows: every split of a message is one message more on the same connection.
func validRows() []exchange {
	var rows []exchange
	for _, text := range []string{
		"Hello-µ@ßöäüàá-UTF-8!!", "κόσμε",
		"\x7f", "\u0080", "\u07ff", "\u0800", "\uffff", "\U00010000", "\U0010ffff",
		"\ud7ff", "\ue000", "\ufffd", "\ufeff", "\ufffe", "\ufdd0", "\U0001fffe", "\U0010fffe", "a\u0300\u0301",
		"\U0001f468\u200d\U0001f469\u200d\U0001f467", "\u2028\u2029", "\u202e",
	} {
		message := echo(text)
		var all []byte
		var want []answer
		for i := range len(message) + 1 {
			all = append(all, fragments(opText, message[:i], message[i:])...)
			want = append(want, echoes(text))
		}
		all = append(all, fragments(opText, pieces(message, 1)...)...)
		want = append(want, echoes(text))
		for _, chop := range []int{0, 1, 3} {
			rows = append(rows, exchange{name: fmt.Sprintf("%+q, %d bytes at a time", text, chop), send: all, chop: chop, want: want})
		}
	}
	return rows
}

// invalidRows: every split of a message is a row of its own, since it ends the
// connection.
func invalidRows() []exchange {
	var rows []exchange
	for _, bad := range []string{
		"\x80", "\xbf", "\x80\xbf", "\x80\xbf\x80", // continuation without a start
		"\xc2", "\xdf", "\xe0\xa0", "\xef\xbf", "\xf0\x90\x80", "\xf4\x8f\xbf", "\xf0\x90", "\xe1", // start without all of it
		"\xc0", "\xc1", "\xf5", "\xf8", "\xfc", "\xfe", "\xff", "\xfe\xfe\xff\xff", // never there
		"\xc0\xaf", "\xc1\xbf", "\xe0\x80\xaf", "\xe0\x9f\xbf", "\xf0\x80\x80\xaf", "\xf0\x8f\xbf\xbf", // longer than need be
		"\xc0\x80", "\xe0\x80\x80", "\xf0\x80\x80\x80", "\xf8\x88\x80\x80\x80", "\xfc\x84\x80\x80\x80\x80",
		"\xed\xa0\x80", "\xed\xad\xbf", "\xed\xae\x80", "\xed\xbf\xbf", "\xed\xa0\x80\xed\xb0\x80", // surrogates
		"\xf4\x90\x80\x80", "\xf7\xbf\xbf\xbf", "\xfb\xbf\xbf\xbf\xbf", // past U+10FFFF
		"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited", // Autobahn's own
	} {
		message := echo(bad)
		from := strings.Index(message, bad)
		for i := from; i <= from+len(bad); i++ {
			rows = append(rows, exchange{
				name: fmt.Sprintf("%+q, split after %d", bad, i-from),
				send: fragments(opText, message[:i], message[i:]), code: closeInvalidText,
			})
		}
		rows = append(
			rows,
			exchange{name: fmt.Sprintf("%+q", bad), send: whole(opText, message), code: closeInvalidText},
			exchange{name: fmt.Sprintf("%+q, byte by byte", bad), send: fragments(opText, pieces(message, 1)...), chop: 1, code: closeInvalidText},
			exchange{name: fmt.Sprintf("%+q at the end", bad), send: whole(opText, echo("")+bad), code: closeInvalidText},
			exchange{name: fmt.Sprintf("nothing but %+q", bad), send: whole(opText, bad), code: closeInvalidText},
			exchange{name: fmt.Sprintf("%+q in binary", bad), send: whole(opBinary, message), code: closeUnsupported},
			exchange{
				name: fmt.Sprintf("%+q in a ping", bad), send: whole(opPing, bad), want: []answer{{opPong, bad}},
			},
		)
	}
	return rows
}

func TestCloses(t *testing.T) {
	conform(t, func(bool) []exchange { return append(closeRows(), badCloseRows()...) })
}

func closeRows() []exchange {
	end := whole(opClose, closing(1000, ""))
	text, ping := whole(opText, echo("a")), whole(opPing, "x")
	rows := []exchange{
		{name: "empty", send: whole(opClose, ""), code: websocket.CloseNoStatusReceived},
		{name: "at first", fresh: true, send: end, code: 1000},
		{name: "with a reason", send: whole(opClose, closing(1000, "good bye κόσμε")), code: 1000},
		{name: "with the longest reason", send: whole(opClose, closing(1000, strings.Repeat("x", 123))), code: 1000},
		{name: "after a command", send: slices.Concat(text, ping, end), want: []answer{echoes("a"), {opPong, "x"}}, code: 1000},
		{name: "twice", send: slices.Concat(end, whole(opClose, closing(1001, ""))), code: 1000},
		{name: "ping after it", send: slices.Concat(end, ping), code: 1000},
		{name: "text after it", send: slices.Concat(end, text), code: 1000},
		{name: "much after it", send: slices.Concat(end, whole(opText, strings.Repeat("x", 1<<18))), code: 1000},
		{name: "nonsense after it", send: append(end, "\xff\xff\xff\xff"...), code: 1000},
		{name: "after ours", send: slices.Concat(whole(opBinary, ""), end), code: closeUnsupported},
		{name: "commands after ours", send: slices.Concat(whole(opBinary, ""), text, ping, text), code: closeUnsupported},
		{name: "too big after ours", send: slices.Concat(whole(opBinary, ""), whole(opText, pingOf(maxFrame+1))), code: closeUnsupported},
	}
	for _, code := range []int{
		1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013,
		3000, 3001, 3008, 3999, 4000, 4001, 4999,
	} {
		for _, chop := range []int{0, 1} {
			rows = append(rows, exchange{
				name: fmt.Sprintf("%d, %d bytes at a time", code, chop), send: whole(opClose, closing(code, "x")), chop: chop, code: code,
			})
		}
	}
	return rows
}

func badCloseRows() []exchange {
	rows := mistakes("half a code", whole(opClose, "\x03"))
	rows = append(rows, mistakes("half a code, in between", append(rawFrame{head: opText}.bytes(), whole(opClose, "\x03")...))...)
	// 1014 is registered, but the library does not know it.
	for _, code := range []int{0, 1, 999, 1004, 1005, 1006, 1014, 1015, 1016, 1100, 2000, 2999, 5000, 65535} {
		rows = append(rows, mistakes(fmt.Sprint("code ", code), whole(opClose, closing(code, "")))...)
	}
	for _, reason := range []string{"\xff", "\xed\xa0\x80", "\xc2", "good bye \xce\xba\xe1\xbd"} {
		rows = append(rows, mistakes(fmt.Sprintf("reason %+q", reason), whole(opClose, closing(1000, reason)))...)
	}
	return append(rows, mistakes("reason of 124 bytes", whole(opClose, closing(1000, strings.Repeat("x", 124))))...)
}

// TestSizes: messages of many sizes, however the network cuts them.
func TestSizes(t *testing.T) {
	conform(t, func(bool) []exchange {
		var rows []exchange
		for _, size := range []int{64, 200, 250, 256, 260, 1000, 4096, 10_000, maxFrame} {
			for _, chop := range []int{1, 2, 7, 64, 255, 256, 257, 4096, 0} {
				if size > 1000*max(chop, 1) && chop > 0 {
					continue // thousands of writes
				}
				for _, fragment := range []int{16, 256, 1000, size} {
					rows = append(rows, exchange{
						name: fmt.Sprintf("%d in fragments of %d, %d bytes at a time", size, fragment, chop),
						send: fragments(opText, pieces(pingOf(size), fragment)...), chop: chop, want: []answer{says(statusOK)},
					})
				}
			}
		}
		var many []byte
		var want []answer
		for range 1000 {
			many, want = append(many, whole(opText, echo("many"))...), append(want, echoes("many"))
		}
		return append(rows, exchange{name: "a thousand at once", send: many, want: want})
	})
}
