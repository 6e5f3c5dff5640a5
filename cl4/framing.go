package cl4

import (
	"encoding/binary"
	"math"
)

// What stands in place of a length that does not fit in seven bits.
const (
	long   = 126 // two bytes of length follow
	longer = 127 // eight bytes of length follow
)

// frameSize returns how long a frame with n bytes of payload is.
func frameSize(n int) int {
	switch {
	case n < long:
		return 2 + n
	case n <= math.MaxUint16:
		return 4 + n
	}
	return 10 + n
}

// appendFrame appends a whole websocket frame, as servers send them: final and
// not masked (RFC 6455, section 5.2). The websocket library would make the same
// bytes, through two locks and a deadline for each; it still makes them where
// they are to be compressed.
func appendFrame(b []byte, kind int, payload []byte) []byte {
	const final = 0x80
	b = append(b, final|byte(kind)) //nolint:gosec // an opcode has four bits
	switch n := len(payload); {
	case n < long:
		b = append(b, byte(n))
	case n <= math.MaxUint16:
		b = binary.BigEndian.AppendUint16(append(b, long), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, longer), uint64(n))
	}
	return append(b, payload...)
}
