package cl4

import (
	"strconv"

	"github.com/gorilla/websocket"
)

// status is one outcome of a command, by its number on the wire.
type status int

// The status codes of the protocol and of Meower (cl4.md, "Status codes").
const (
	statusOK             status = 100
	statusSyntax         status = 101
	statusNotFound       status = 103
	statusNotSpecific    status = 104
	statusInternal       status = 105
	statusEmpty          status = 106
	statusAlreadySet     status = 107
	statusRefused        status = 108
	statusInvalidCommand status = 109
	statusDisabled       status = 110
	statusIDRequired     status = 111
	statusTooLarge       status = 113
	statusRoomNotJoined  status = 115
	statusInvalidToken   status = 200
	statusInvalidType    status = 201
	statusTooManySubs    status = 202
	statusRatelimited    status = 203
)

// statusTexts are the exact texts that go with the codes.
var statusTexts = map[status]string{
	statusOK:             "I:100 | OK",
	statusSyntax:         "E:101 | Syntax",
	statusNotFound:       "E:103 | ID not found",
	statusNotSpecific:    "E:104 | ID not specific enough",
	statusInternal:       "E:105 | Internal server error",
	statusEmpty:          "E:106 | Empty packet",
	statusAlreadySet:     "E:107 | ID already set",
	statusRefused:        "E:108 | Refused",
	statusInvalidCommand: "E:109 | Invalid command",
	statusDisabled:       "E:110 | Command disabled",
	statusIDRequired:     "E:111 | ID required",
	statusTooLarge:       "E:113 | Too large",
	statusRoomNotJoined:  "E:115 | Room not joined",
	statusInvalidToken:   "E:200 | Invalid token",
	statusInvalidType:    "E:201 | Invalid subscription type",
	statusTooManySubs:    "E:202 | Too many subscriptions",
	statusRatelimited:    "E:203 | Ratelimited",
}

// refusal is the error of a command that is answered with a status other than
// 100. A wait above 0 is sent as val, in seconds.
type refusal struct {
	status status
	wait   int
}

// Error implements error.
func (r refusal) Error() string { return statusTexts[r.status] }

func refuse(s status) error { return refusal{status: s} }

// statusPacket encodes a status. wait 0 and an empty listener are left out; the
// order of the keys is the one that the seed documents.
func statusPacket(s status, wait int, listener string) []byte {
	b := beginStatus(s, len(listener))
	if wait > 0 {
		b = append(b, `,"val":`...)
		b = strconv.AppendInt(b, int64(wait), 10)
	}
	return finish(b, listener)
}

// beginStatus is the beginning of a status packet, with room for more.
func beginStatus(s status, more int) []byte {
	b := make([]byte, 0, 96+more)
	b = append(b, `{"cmd":"statuscode","code":"`...)
	b = append(b, statusTexts[s]...)
	b = append(b, `","code_id":`...)
	return strconv.AppendInt(b, int64(s), 10)
}

// finish adds the listener, byte for byte as it was sent, and closes the object.
func finish(b []byte, listener string) []byte {
	if listener != "" {
		b = append(b, `,"listener":`...)
		b = append(b, listener...)
	}
	return append(b, '}')
}

// plainStatuses are the frames of all statuses without a listener, which most
// answers are.
var plainStatuses = func() map[status]*frame {
	frames := make(map[status]*frame, len(statusTexts))
	for s := range statusTexts {
		frames[s] = &frame{kind: websocket.TextMessage, data: statusPacket(s, 0, "")}
	}
	return frames
}()

// answerStatus answers a packet with a status.
func (c *conn) answerStatus(s status, wait int, listener string) {
	if wait > 0 || listener != "" {
		c.answer(statusPacket(s, wait, listener))
		return
	}
	c.answerFrame(plainStatuses[s])
}
