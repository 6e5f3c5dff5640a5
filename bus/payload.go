package bus

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// channelPrefix and the event's name make the name of its Redis channel.
const channelPrefix = "meower:"

// The pieces of a payload, {"i":"<whom>","m":<value>,"n":"<node>"}, around its
// values. One that the history keeps also says where, in ,"s":"<id>" at the end.
const (
	payloadWhom  = `{"i":`
	payloadValue = `,"m":`
	payloadNode  = `,"n":`
	payloadSeen  = `,"s":"`
	payloadEnd   = `}`
)

// payloadTail returns the end of every payload of one node, from the comma on.
func payloadTail(node string) string {
	return string(appendString([]byte(payloadNode), node)) + payloadEnd
}

// encodePayload returns what is sent to the other nodes, without looking into
// the value. No value at all is null.
func encodePayload(event Event, tail string) []byte {
	const quotes = 2
	size := len(payloadWhom) + len(event.Whom) + quotes + len(payloadValue) + len(event.Value) + len(tail)
	payload := make([]byte, 0, size)
	payload = append(payload, payloadWhom...)
	payload = appendString(payload, event.Whom)
	payload = append(payload, payloadValue...)
	if len(event.Value) == 0 {
		payload = append(payload, "null"...)
	} else {
		payload = append(payload, event.Value...)
	}
	return append(payload, tail...)
}

// cutSeen takes the place in the history off the end of a payload as it was
// before. Payloads without one, or that others wrote in their own way, stay.
func cutSeen(payload string) (rest string, seen entryID) {
	i := strings.LastIndex(payload, payloadSeen)
	if i < 0 {
		return payload, entryID{}
	}
	id, closed := strings.CutSuffix(payload[i+len(payloadSeen):], `"`+payloadEnd)
	seen, err := parseEntryID(id)
	if !closed || err != nil {
		return payload, entryID{}
	}
	return payload[:i] + payloadEnd, seen
}

// decodePayload returns the event that came over a channel, and the node that
// it comes from. The value keeps its bytes as they are.
func decodePayload(channel, payload string) (event Event, node string, err error) {
	name, ours := strings.CutPrefix(channel, channelPrefix)
	if !ours || name == "" {
		return Event{}, "", errors.New("channel without the name of an event")
	}
	// The value goes on to clients as it is, and JSON's decoder would let it pass.
	if !utf8.ValidString(payload) {
		return Event{}, "", errors.New("payload is not UTF-8")
	}
	var p struct {
		Whom  *string         `json:"i"`
		Value json.RawMessage `json:"m"`
		Node  string          `json:"n"`
	}
	if err := json.Unmarshal([]byte(payload), &p); err != nil {
		return Event{}, "", fmt.Errorf("payload: %w", err)
	}
	if p.Whom == nil || p.Value == nil || p.Node == "" {
		return Event{}, "", errors.New("payload lacks i, m or n")
	}
	return Event{Name: name, Whom: *p.Whom, Value: p.Value}, p.Node, nil
}

// appendString appends s as a JSON string. Ids need no escapes, and then it
// takes no more than a look and a copy.
func appendString(to []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, err := json.Marshal(s)
			if err != nil {
				panic(err) // a string always has an encoding
			}
			return append(to, quoted...)
		}
	}
	to = append(to, '"')
	to = append(to, s...)
	return append(to, '"')
}
