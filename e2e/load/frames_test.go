//go:build linux

package load

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
)

// Opcodes of websocket frames.
const (
	opText  = 1
	opClose = 8
	opPing  = 9
	opPong  = 10
)

// frameReader finds the frames in a server's stream by their headers alone, so
// that counting costs the same and next to nothing for every server. Text is
// skipped unless keep is set; control frames are small and always kept.
type frameReader struct {
	keep    bool
	header  [10]byte
	have    int // bytes of the header
	left    int // bytes of the payload still to come
	inside  bool
	payload []byte
}

// feed takes what has been read and calls frame for each frame that is complete
// with it. The payload is only good during the call.
func (f *frameReader) feed(data []byte, frame func(opcode int, payload []byte)) {
	for len(data) > 0 || f.inside && f.left == 0 {
		if !f.inside {
			data = f.feedHeader(data)
			continue
		}
		n := min(f.left, len(data))
		opcode := int(f.header[0] & 15)
		if f.keep || opcode >= opClose {
			f.payload = append(f.payload, data[:n]...)
		}
		data = data[n:]
		if f.left -= n; f.left == 0 {
			frame(opcode, f.payload)
			f.have, f.inside, f.payload = 0, false, f.payload[:0]
		}
	}
}

// feedHeader takes bytes until the header is complete. Servers do not mask.
func (f *frameReader) feedHeader(data []byte) []byte {
	for len(data) > 0 {
		f.header[f.have] = data[0]
		f.have++
		data = data[1:]
		if f.have < 2 {
			continue
		}
		switch length := int(f.header[1]); {
		case length < 126:
			f.left, f.inside = length, true
		case length == 126 && f.have == 4:
			f.left, f.inside = int(binary.BigEndian.Uint16(f.header[2:])), true
		case length == 127 && f.have == 10:
			f.left, f.inside = int(binary.BigEndian.Uint64(f.header[2:])), true
		}
		if f.inside {
			break
		}
	}
	return data
}

// clientFrame is a frame of at most 125 bytes as a client sends it. The mask is
// always the same: it is there for the server to undo.
func clientFrame(opcode byte, payload []byte) []byte {
	mask := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	b := append([]byte{0x80 | opcode, 0x80 | byte(len(payload))}, mask[:]...)
	for i, c := range payload {
		b = append(b, c^mask[i%4])
	}
	return b
}

// serverFrame is a frame of a server, with the shortest header there is for it.
func serverFrame(opcode byte, payload []byte) []byte {
	b := []byte{0x80 | opcode}
	switch n := len(payload); {
	case n < 126:
		b = append(b, byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 127), uint64(n))
	}
	return append(b, payload...)
}

func TestCountsFramesHoweverTheyAreSplit(t *testing.T) {
	var stream []byte
	var want []string
	for _, size := range []int{0, 1, 125, 126, 560, 65535, 65536} {
		text := strings.Repeat("m", size)
		stream = append(stream, serverFrame(opText, []byte(text))...)
		stream = append(stream, serverFrame(opPing, []byte("p"))...)
		want = append(want, fmt.Sprint(opText, text), fmt.Sprint(opPing, "p"))
	}
	for _, step := range []int{1, 2, 3, 7, 126, 4096, len(stream)} {
		for _, keep := range []bool{false, true} {
			f := frameReader{keep: keep}
			var got []string
			for rest := stream; len(rest) > 0; {
				n := min(step, len(rest))
				f.feed(rest[:n], func(opcode int, payload []byte) { got = append(got, fmt.Sprint(opcode, string(payload))) })
				rest = rest[n:]
			}
			if len(got) != len(want) {
				t.Fatalf("in steps of %d: %d frames, want %d", step, len(got), len(want))
			}
			for i := range want {
				if wanted := want[i]; got[i] != wanted && (keep || i%2 == 1 || got[i] != fmt.Sprint(opText, "")) {
					t.Errorf("in steps of %d, frame %d: %.20q of %d bytes", step, i, got[i], len(got[i]))
				}
			}
		}
	}
}
