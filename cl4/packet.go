package cl4

import (
	"encoding/json"
	"unicode/utf8"
)

const (
	// maxFrame is the largest frame that is read, in bytes after decompression.
	maxFrame = 16 << 10
	// maxListener is the longest listener, in bytes as encoded by the client.
	maxListener = 256
)

// packet is a request. Its keys are kept as they were sent: keys are told apart
// by case, and a string that happens to hold JSON stays a string.
type packet struct {
	cmd  string
	keys map[string]json.RawMessage
	// listener is what every answer echoes; nil where none was sent or where it
	// is not valid.
	listener json.RawMessage
}

// parseResult says how far a frame could be read.
type parseResult int

const (
	parsed    parseResult = iota
	notJSON               // the frame is no JSON at all
	notPacket             // it is JSON, but no object with a string cmd
)

// parsePacket reads a frame. Where the result is not parsed, the packet still
// holds the listener to answer with, if there is one.
func parsePacket(frame []byte) (packet, parseResult) {
	var p packet
	if err := json.Unmarshal(frame, &p.keys); err != nil {
		if json.Valid(frame) {
			return p, notPacket
		}
		return p, notJSON
	}
	if listener := p.keys["listener"]; checkListener(listener) == 0 {
		p.listener = listener
	}
	if !isString(p.keys["cmd"]) {
		return p, notPacket
	}
	p.cmd = p.text("cmd")
	return p, parsed
}

// unnest turns the CLPv3 form of a command, wrapped in a "direct" without an id,
// into the command itself. It goes one level deep.
func unnest(p packet) (packet, parseResult) {
	if _, addressed := p.keys["id"]; p.cmd != "direct" || addressed {
		return p, parsed
	}
	var inner map[string]json.RawMessage
	if json.Unmarshal(p.keys["val"], &inner) != nil || inner["cmd"] == nil {
		return p, parsed
	}
	keys := map[string]json.RawMessage{"cmd": inner["cmd"]}
	if val, ok := inner["val"]; ok {
		keys["val"] = val
	}
	if listener, ok := p.keys["listener"]; ok {
		keys["listener"] = listener
	}
	p.keys = keys
	if !isString(keys["cmd"]) {
		return p, notPacket
	}
	p.cmd = p.text("cmd")
	return p, parsed
}

// text returns a string key decoded, empty where it is missing or no string.
func (p packet) text(key string) string {
	raw := p.keys[key]
	if !isString(raw) {
		return ""
	}
	// The common string has nothing to decode.
	plain := raw[1 : len(raw)-1]
	for _, b := range plain {
		if b == '\\' || b >= utf8.RuneSelf {
			var s string
			_ = json.Unmarshal(raw, &s) // raw has been checked to be JSON
			return s
		}
	}
	return string(plain)
}

func isString(raw json.RawMessage) bool { return len(raw) >= 2 && raw[0] == '"' }

// checkListener returns 0 for a listener that may be echoed or is missing, and
// otherwise what is wrong with it.
func checkListener(raw json.RawMessage) status {
	switch {
	case raw == nil:
		return 0
	case raw[0] != '"' && raw[0] != '{' && raw[0] != '-' && (raw[0] < '0' || raw[0] > '9'):
		return statusInvalidCommand
	case len(raw) > maxListener:
		return statusTooLarge
	}
	return 0
}
