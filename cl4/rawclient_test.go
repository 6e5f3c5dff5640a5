package cl4

import (
	"bufio"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// Opcodes (RFC 6455, section 5.2).
const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xA
)

// The other bits of a frame's first byte.
const (
	finBit = 0x80
	rsv1   = 0x40
	rsv2   = 0x20
	rsv3   = 0x10
)

// rawFrame is a frame of a client as it stands on the wire. Everything in it may
// be wrong.
type rawFrame struct {
	head     byte // final bit, reserved bits and opcode
	mask     uint32
	unmasked bool
	// width is in how many bits the length is given: 7, 16 or 64; 0 is as few as
	// it takes.
	width int
	// claim is given for the length where it is not 0.
	claim   uint64
	payload string
}

func (f rawFrame) bytes() []byte {
	b := []byte{f.head, 0}
	n := uint64(len(f.payload))
	if f.claim != 0 {
		n = f.claim
	}
	switch {
	case f.width == 64 || f.width == 0 && n > math.MaxUint16:
		b[1] = longer
		b = binary.BigEndian.AppendUint64(b, n)
	case f.width == 16 || f.width == 0 && n >= long:
		b[1] = long
		b = binary.BigEndian.AppendUint16(b, uint16(n))
	default:
		b[1] = byte(n)
	}
	if f.unmasked {
		return append(b, f.payload...)
	}
	b[1] |= 0x80
	mask := binary.BigEndian.AppendUint32(nil, f.mask)
	b = append(b, mask...)
	for i := range len(f.payload) {
		b = append(b, f.payload[i]^mask[i%4])
	}
	return b
}

// someMask leaves no byte of a payload as it is.
const someMask = 0x37fa213d

// whole is a message in one frame, or a control frame.
func whole(opcode byte, payload string) []byte {
	return rawFrame{head: finBit | opcode, mask: someMask, payload: payload}.bytes()
}

// fragments is a message in pieces, each a frame.
func fragments(opcode byte, pieces ...string) []byte {
	var b []byte
	for i, piece := range pieces {
		head := byte(opContinuation)
		if i == 0 {
			head = opcode
		}
		if i == len(pieces)-1 {
			head |= finBit
		}
		b = append(b, rawFrame{head: head, mask: someMask, payload: piece}.bytes()...)
	}
	return b
}

// pieces cuts s into pieces of n bytes.
func pieces(s string, n int) []string {
	var cut []string
	for len(s) > n {
		cut, s = append(cut, s[:n]), s[n:]
	}
	return append(cut, s)
}

// closing is the payload of a close frame.
func closing(code int, reason string) string {
	return string(binary.BigEndian.AppendUint16(nil, uint16(code))) + reason
}

// deflated is a text as permessage-deflate has it (RFC 7692, section 7.2.1).
func deflated(text string, level int) string {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, level)
	if err == nil {
		_, err = w.Write([]byte(text))
	}
	if err == nil {
		err = w.Flush()
	}
	if err != nil {
		panic(err) // it writes to memory
	}
	return strings.TrimSuffix(b.String(), "\x00\x00\xff\xff")
}

// inflated undoes deflated.
func inflated(data []byte) ([]byte, error) {
	const tail = "\x00\x00\xff\xff\x01\x00\x00\xff\xff" // what was cut off, and an end
	return io.ReadAll(flate.NewReader(io.MultiReader(bytes.NewReader(data), strings.NewReader(tail))))
}

// rawClient is a client that writes bytes and is strict about what it reads.
type rawClient struct {
	t          testing.TB
	tcp        *net.TCPConn
	in         *bufio.Reader
	compressed bool // permessage-deflate has been agreed upon
	closed     bool // the server's close frame has come
	partial    *rawMessage
}

// rawMessage is a message or a control frame of the server.
type rawMessage struct {
	opcode   byte
	deflated bool
	payload  []byte
}

func upgradeRequest(host, extensions string) string {
	request := "GET / HTTP/1.1\r\nHost: " + host + "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	if extensions != "" {
		request += "Sec-WebSocket-Extensions: " + extensions + "\r\n"
	}
	return request + "\r\n"
}

// dialRaw connects without sending anything.
func dialRaw(t testing.TB, w *world) *rawClient {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(w.url, "ws://"))
	must(t, err)
	must(t, c.SetDeadline(time.Now().Add(patience)))
	t.Cleanup(func() { _ = c.Close() })
	return &rawClient{t: t, tcp: c.(*net.TCPConn), in: bufio.NewReader(c)}
}

// dialUpgraded connects and makes the websocket of it; offer offers compression.
func dialUpgraded(t testing.TB, w *world, offer bool) *rawClient {
	t.Helper()
	r := dialRaw(t, w)
	extensions := ""
	if offer {
		extensions = "permessage-deflate"
	}
	r.write([]byte(upgradeRequest(strings.TrimPrefix(w.url, "ws://"), extensions)))
	response, err := http.ReadResponse(r.in, nil)
	must(t, err)
	_ = response.Body.Close()
	// The answer to the key is the RFC's own example.
	if response.StatusCode != http.StatusSwitchingProtocols || response.Header.Get("Sec-Websocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Fatalf("%s %v", response.Status, response.Header)
	}
	r.compressed = strings.Contains(response.Header.Get("Sec-Websocket-Extensions"), "permessage-deflate")
	return r
}

func (r *rawClient) write(b []byte) {
	r.t.Helper()
	_, err := r.tcp.Write(b)
	must(r.t, err)
}

// read returns the next message or control frame. io.EOF is the end of the
// connection; every other error is a mistake of the server.
func (r *rawClient) read() (*rawMessage, error) {
	for {
		head, payload, err := r.readFrame()
		if err != nil {
			return nil, err
		}
		m := &rawMessage{opcode: head & 0xf, deflated: head&rsv1 != 0, payload: payload}
		switch {
		case m.opcode >= opClose:
			r.closed = m.opcode == opClose
			return m, nil
		case m.opcode == opContinuation && r.partial != nil:
			r.partial.payload = append(r.partial.payload, payload...)
		case m.opcode == opContinuation || r.partial != nil:
			return nil, fmt.Errorf("opcode %d where it makes no sense", m.opcode)
		default:
			r.partial = m
		}
		if head&finBit == 0 {
			continue
		}
		m, r.partial = r.partial, nil
		if m.deflated {
			m.payload, err = inflated(m.payload)
		}
		return m, err
	}
}

// readFrame reads a frame and checks what RFC 6455 demands of servers, and that
// nothing comes after the close.
func (r *rawClient) readFrame() (head byte, payload []byte, err error) {
	var b [10]byte
	if _, err := io.ReadFull(r.in, b[:1]); err != nil {
		if errors.Is(err, syscall.ECONNRESET) {
			err = io.EOF // how a connection ends that has not read everything
		}
		return 0, nil, err
	}
	head = b[0]
	n, err := r.readLength(b[1:])
	if err != nil {
		return 0, nil, err
	}
	control := head&0xf >= opClose
	switch {
	case r.closed:
		err = errors.New("a frame after the close")
	case head&(rsv2|rsv3) != 0, head&rsv1 != 0 && (!r.compressed || control || head&0xf == opContinuation):
		err = errors.New("reserved bits")
	case control && (n >= long || head&finBit == 0):
		err = errors.New("a control frame that is too long, or a fragment")
	case !r.compressed && head&finBit == 0:
		err = errors.New("a fragment, of which the server has no need")
	}
	if err != nil {
		return 0, nil, fmt.Errorf("%w: %#x, length %d", err, head, n)
	}
	payload = make([]byte, n)
	if _, err := io.ReadFull(r.in, payload); err != nil {
		return 0, nil, fmt.Errorf("in the midst of a frame: %v", err)
	}
	return head, payload, nil
}

// readLength reads the length of a frame, which must not be masked and must be
// given in as few bytes as it takes.
func (r *rawClient) readLength(b []byte) (uint64, error) {
	if _, err := io.ReadFull(r.in, b[:1]); err != nil {
		return 0, fmt.Errorf("in the midst of a frame: %v", err)
	}
	n, least := uint64(b[0]), uint64(0)
	var err error
	switch n {
	case long:
		_, err = io.ReadFull(r.in, b[:2])
		n, least = uint64(binary.BigEndian.Uint16(b)), long
	case longer:
		_, err = io.ReadFull(r.in, b[:8])
		n, least = binary.BigEndian.Uint64(b), math.MaxUint16+1
	default:
		if n > longer {
			err = errors.New("masked")
		}
	}
	if err == nil && (n < least || n > maxQueued) {
		err = errors.New("a length that cannot be")
	}
	return n, err
}

// expect reads a message or a control frame and compares it.
func (r *rawClient) expect(opcode byte, payload string) {
	r.t.Helper()
	m, err := r.read()
	if err != nil {
		r.t.Fatalf("%v, want %#x %.80q", err, opcode, payload)
	}
	if m.opcode != opcode || string(m.payload) != payload {
		r.t.Fatalf("got %#x %.80q, want %#x %.80q", m.opcode, m.payload, opcode, payload)
	}
}

// expectClose reads the close, answers it and waits for the end.
func (r *rawClient) expectClose(code int) {
	r.t.Helper()
	m, err := r.read()
	if err != nil {
		r.t.Fatalf("%v, want close %d", err, code)
	}
	got := websocket.CloseNoStatusReceived
	if len(m.payload) >= 2 {
		got = int(binary.BigEndian.Uint16(m.payload))
	}
	if m.opcode != opClose || got != code {
		r.t.Fatalf("got %#x %q, want close %d", m.opcode, m.payload, code)
	}
	// The server may be gone already.
	_, _ = r.tcp.Write(whole(opClose, string(m.payload)))
	_ = r.tcp.CloseWrite()
	if m, err := r.read(); !errors.Is(err, io.EOF) {
		r.t.Fatalf("got %v, %v after the close", m, err)
	}
}
