package cl4

import (
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

const (
	// maxFrame is the largest frame that is read, in bytes after decompression.
	maxFrame = 16 << 10
	// maxListener is the longest listener, in bytes as encoded by the client.
	maxListener = 256
)

// packet is a request. Its values are kept as they were sent: a string that
// happens to hold JSON stays a string.
type packet struct {
	cmd  string
	keys []key
	// listener is what every answer echoes, as JSON; empty where none was sent or
	// where it is not valid.
	listener string
}

// key is a key of a packet and its value.
type key struct {
	name  string
	value gjson.Result
}

// parseResult says how far a frame could be read.
type parseResult int

const (
	parsed    parseResult = iota
	notJSON               // the frame is no JSON at all
	notPacket             // it is JSON, but no object with a string cmd
)

// parsePacket reads a frame, into room if that is large enough. Where the result
// is not parsed, the packet still holds the listener to answer with, if there is
// one.
func parsePacket(frame []byte, room []key) (packet, parseResult) {
	// The library that takes the packet apart wants to be sure that it is JSON.
	if !gjson.ValidBytes(frame) {
		return packet{}, notJSON
	}
	object := gjson.ParseBytes(frame)
	if !object.IsObject() {
		return packet{}, notPacket
	}
	return readPacket(object, room)
}

// readPacket takes an object apart.
func readPacket(object gjson.Result, room []key) (packet, parseResult) {
	p := packet{keys: room[:0]}
	object.ForEach(func(name, value gjson.Result) bool {
		p.set(name.Str, value)
		return true
	})
	return p.identify()
}

// identify fills in what the keys say about the packet itself.
func (p packet) identify() (packet, parseResult) {
	p.listener = ""
	if listener := p.get("listener"); checkListener(listener) == 0 {
		p.listener = listener.Raw
	}
	cmd := p.get("cmd")
	if cmd.Type != gjson.String {
		return p, notPacket
	}
	p.cmd = cmd.Str
	return p, parsed
}

// maxKeys is how many keys a packet may have that are looked at. No command has
// as many, and the rest would only cost memory.
const maxKeys = 16

// set gives a key a value. As everywhere with JSON, the last one counts.
func (p *packet) set(name string, value gjson.Result) {
	for i := range p.keys {
		if p.keys[i].name == name {
			p.keys[i].value = value
			return
		}
	}
	if len(p.keys) < maxKeys || knownKeys[name] {
		p.keys = append(p.keys, key{name, value})
	}
}

// knownKeys are those that the protocol uses.
var knownKeys = map[string]bool{
	"cmd": true, "val": true, "name": true, "id": true, "rooms": true, "listener": true,
	"token": true, "type": true, "resume": true,
}

// get returns the value of a key, which does not Exist where the key is missing.
func (p packet) get(name string) gjson.Result {
	for i := range p.keys {
		if p.keys[i].name == name {
			return p.keys[i].value
		}
	}
	return gjson.Result{}
}

// text returns a string key decoded, empty where it is missing or no string.
func (p packet) text(name string) string { return p.get(name).Str }

// unnest turns the CLPv3 form of a command, wrapped in a "direct" without an id,
// into the command itself. It goes one level deep.
func unnest(p packet) (packet, parseResult) {
	if p.cmd != "direct" || p.get("id").Exists() {
		return p, parsed
	}
	val := p.get("val")
	if !val.IsObject() {
		return p, parsed
	}
	wrapped, _ := readPacket(val, nil)
	if !wrapped.get("cmd").Exists() {
		return p, parsed
	}
	inner := packet{keys: make([]key, 0, 3)}
	for _, k := range [...]key{{"cmd", wrapped.get("cmd")}, {"val", wrapped.get("val")}, {"listener", p.get("listener")}} {
		if k.value.Exists() {
			inner.keys = append(inner.keys, k)
		}
	}
	return inner.identify()
}

// checkListener returns 0 for a listener that may be echoed or is missing, and
// otherwise what is wrong with it.
func checkListener(listener gjson.Result) status {
	switch {
	case !listener.Exists():
		return 0
	case listener.Type != gjson.String && listener.Type != gjson.Number && !listener.IsObject():
		return statusInvalidCommand
	case len(listener.Raw) > maxListener:
		return statusTooLarge
	}
	return 0
}

// length is what the limit of a key counts: code points of a string, encoded
// bytes of others.
func length(value gjson.Result, encoded bool) int {
	if encoded || value.Type != gjson.String {
		return len(value.Raw)
	}
	return utf8.RuneCountInString(value.Str)
}
