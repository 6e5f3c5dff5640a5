package cl4

import (
	"encoding/binary"
	"errors"
)

// errBadFrame ends the reading of a connection at a frame that cannot be.
var errBadFrame = errors.New("cl4: bad frame")

// headers reads along, frame by frame, for the mistakes that the websocket
// library lets through: a length with the top bit set, a close frame with half a
// code, and, where compression has been agreed upon, its bit on a frame that may
// not have it (RFC 6455, sections 5.2 and 5.5.1; RFC 7692, section 6.1).
type headers struct {
	begun [10]byte // what has come of the header, without the mask
	have  int
	skip  uint64 // how much of the mask and the payload is yet to come
}

// check returns how much of p comes before the first mistake. A header that came
// in several pieces is only judged with the last.
func (h *headers) check(p []byte) int {
	for at := 0; at < len(p); {
		if h.skip > 0 {
			n := min(h.skip, uint64(len(p)-at)) //nolint:gosec // not negative
			h.skip -= n
			at += int(n) //nolint:gosec // at most len(p)
			continue
		}
		h.begun[h.have] = p[at]
		h.have++
		if h.have >= 2 && h.have == h.size() && !h.next() {
			return at
		}
		at++
	}
	return len(p)
}

// size is how long the header is, without the mask.
func (h *headers) size() int {
	switch h.begun[1] & longer {
	case long:
		return 4
	case longer:
		return 10
	}
	return 2
}

// next goes on to the payload, and returns false where there is a mistake.
func (h *headers) next() bool {
	const (
		compressed = 0x40
		opcode     = 0x0f
		closes     = 0x08 // the first of the control frames
		mask       = 4
	)
	n := uint64(h.begun[1] & longer)
	switch n {
	case long:
		n = uint64(binary.BigEndian.Uint16(h.begun[2:]))
	case longer:
		n = binary.BigEndian.Uint64(h.begun[2:])
	}
	h.have, h.skip = 0, mask+n
	kind := h.begun[0] & opcode
	halfCode := kind == closes && n == 1
	misplaced := h.begun[0]&compressed != 0 && (kind == 0 || kind >= closes)
	return n>>63 == 0 && !halfCode && !misplaced
}
