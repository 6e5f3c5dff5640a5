package cl4

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"runtime/debug"
	"time"

	"github.com/tidwall/gjson"
	"golang.org/x/time/rate"

	"meower/core"
)

// commandTimeout is how long a command may take; past it the client is told of
// a fault of ours.
const commandTimeout = 10 * time.Second

// maxRefusals is how many refusals for going too fast a client may collect in a
// row before it is disconnected.
const maxRefusals = 10

// field is a key of a command.
type field struct {
	key string
	// instead is taken where key is missing; empty means nothing is.
	instead string
	// any admits every JSON type; otherwise it is a string.
	any bool
	// kind says what else it may be; nil is nothing.
	kind *kind
	// max is the longest value: code points of a string, encoded bytes of a field
	// that admits any type.
	max int
	// required says whether the packet must have it; nil means it must.
	required func(packet) bool
}

// kind is a form that the value of a key may have.
type kind struct {
	admits func(gjson.Result) bool
	// fits says whether a value that is admitted is not too large. nil leaves that
	// to the field's max.
	fits func(gjson.Result) bool
}

func (f field) admits(value gjson.Result) bool {
	if f.kind != nil {
		return f.kind.admits(value)
	}
	return f.any || value.Type == gjson.String
}

func (f field) fits(value gjson.Result) bool {
	if f.kind != nil && f.kind.fits != nil {
		return f.kind.fits(value)
	}
	return length(value, f.any) <= f.max
}

// optional is the required of a key that may be missing.
func optional(packet) bool { return false }

// command is a row of the table of commands.
type command struct {
	fields   []field
	needAuth bool
	// needName says that the client must have set a name.
	needName bool
	// waits says that the command may take a while, since it asks other services.
	// It then has a time limit, and what was answered before is sent first.
	waits bool
	// run does what is the command's own and sends what answers it. What it
	// returns is answered by the dispatcher.
	run func(ctx context.Context, c *conn, p packet) error
	// disabled says that the operator does not want it.
	disabled bool
}

// commands are all commands by name. It is filled once and only read after.
var commands = map[string]*command{
	"handshake": {run: handshake},
	"ping":      {run: ping},
	"authenticate": {run: authenticate, waits: true, fields: []field{
		{key: "token", instead: "val", max: core.MaxTokenLength},
		{key: "resume", max: maxResume, required: optional},
	}},
	"subscribe":   {run: subscribe, fields: subscriptionFields, needAuth: true},
	"unsubscribe": {run: unsubscribe, fields: subscriptionFields, needAuth: true},
	"direct": {run: direct, needAuth: true, waits: true, fields: []field{
		{key: "id", max: 25},
		{key: "val", any: true, max: 1000},
	}},

	"setid":  {run: setid, fields: []field{{key: "val", max: maxUsername}}},
	"link":   {run: link, needName: true, waits: true, fields: []field{{key: "val", kind: roomNames}}},
	"unlink": {run: unlink, needName: true, waits: true, fields: []field{{key: "val", kind: roomNamesOrNone, required: optional}}},
	"gmsg":   {run: gmsg, waits: true, fields: []field{roomValueField, roomsField}},
	"gvar":   {run: gvar, waits: true, fields: []field{variableField, roomValueField, roomsField}},
	"pmsg":   {run: pmsg, needName: true, waits: true, fields: []field{clientField, roomValueField, roomsField}},
	"pvar":   {run: pvar, needName: true, waits: true, fields: []field{clientField, variableField, roomValueField, roomsField}},
}

// commandsWithout returns the table of a server that refuses some commands, known
// or not.
func commandsWithout(disabled []string) map[string]*command {
	table := maps.Clone(commands)
	for _, name := range disabled {
		table[name] = &command{disabled: true}
	}
	return table
}

// handleFrame answers a text frame. It never fails: whatever is wrong with the
// frame is told to the client.
func (c *conn) handleFrame(frame []byte, room []key) {
	if len(frame) == 0 {
		if !c.identified {
			c.close(closeProtocol, "")
			return
		}
		c.answerStatus(statusEmpty, 0, "")
		return
	}
	p, result := parsePacket(frame, room)
	if result == notJSON && !c.identified {
		c.close(closeProtocol, "")
		return
	}
	if result == parsed {
		c.identify()
		p, result = unnest(p)
	}
	if result != parsed {
		c.answerStatus(statusSyntax, 0, p.listener)
		return
	}
	if err := c.dispatch(&p); err != nil {
		c.refuse(p, err)
	}
}

// identify takes note that the client speaks the protocol.
func (c *conn) identify() {
	if c.identified {
		return
	}
	c.identified = true
	if rooms := c.server.rooms; rooms != nil {
		rooms.welcome(c)
	}
}

// dispatch makes the checks that all commands share, in the order of cl4.md, and
// runs the command.
func (c *conn) dispatch(p *packet) error {
	cmd := c.server.commands[p.cmd]
	if cmd == nil {
		return refuse(statusInvalidCommand)
	}
	if cmd.disabled {
		return refuse(statusDisabled)
	}
	if s := checkFields(cmd, p); s != 0 {
		return refuse(s)
	}
	if cmd.needAuth && c.principal == nil || cmd.needName && c.client.username == "" {
		return refuse(statusIDRequired)
	}
	if wait := c.overBudget(); wait > 0 {
		return refusal{status: statusRatelimited, wait: wait}
	}
	return c.run(cmd, *p)
}

// run runs a command. A panic is a fault of ours like any other: it must not take
// the connection along.
func (c *conn) run(cmd *command, p packet) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = panicError{r, debug.Stack()}
		}
	}()
	if !cmd.waits {
		return cmd.run(c.ctx, c, p)
	}
	c.flush()
	ctx, cancel := context.WithTimeout(c.ctx, commandTimeout)
	defer cancel()
	return cmd.run(ctx, c, p)
}

// checkFields makes the checks of types, required keys and sizes, each for all
// keys before the next. It returns 0 where all is well.
func checkFields(cmd *command, p *packet) status {
	listener := checkListener(p.get("listener"))
	if listener == statusInvalidCommand {
		return listener
	}
	for _, f := range cmd.fields {
		f.adopt(p)
		if value := p.get(f.key); value.Exists() && !f.admits(value) {
			return statusInvalidCommand
		}
	}
	for _, f := range cmd.fields {
		if !p.get(f.key).Exists() && (f.required == nil || f.required(*p)) {
			return statusSyntax
		}
	}
	if listener == statusTooLarge {
		return listener
	}
	for _, f := range cmd.fields {
		if !f.fits(p.get(f.key)) {
			return statusTooLarge
		}
	}
	return 0
}

// adopt puts what stands in the key's place under the key itself.
func (f field) adopt(p *packet) {
	if f.instead == "" || p.get(f.key).Exists() {
		return
	}
	if value := p.get(f.instead); value.Exists() {
		p.set(f.key, value)
	}
}

// overBudget takes a command from the connection's budget. Where that is used
// up, it returns how many seconds to wait.
func (c *conn) overBudget() int {
	perSecond := c.server.commandsPerSecond
	if perSecond == 0 {
		return 0
	}
	if c.budget == nil {
		c.budget = rate.NewLimiter(rate.Limit(perSecond), burstFactor*perSecond)
	}
	now := time.Now()
	if c.budget.AllowN(now, 1) {
		c.refusals = 0
		return 0
	}
	if c.refusals++; c.refusals >= maxRefusals {
		c.closeAfterAnswer = true
	}
	wait := (1 - c.budget.TokensAt(now)) / float64(perSecond)
	return max(1, int(math.Ceil(wait)))
}

// refuse tells the client why its command was not done.
func (c *conn) refuse(p packet, err error) {
	var r refusal
	if !errors.As(err, &r) {
		r = c.refusalOf(p, err)
	}
	c.answerStatus(r.status, r.wait, p.listener)
	if c.closeAfterAnswer {
		c.close(closePolicy, "Ratelimited")
	}
}

// ok answers that the command is done.
func (c *conn) ok(p packet) { c.answerStatus(statusOK, 0, p.listener) }

// valuePacket encodes a packet that answers with a value.
func valuePacket(cmd, val, listener string) []byte {
	b := append([]byte(`{"cmd":"`+cmd+`","val":`), encoded(val)...)
	return finish(b, listener)
}

// encoded encodes what always has an encoding, as strings do and what is made of
// them.
func encoded(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
