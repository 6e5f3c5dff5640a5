package cl4

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/websocket"
	"pgregory.net/rapid"

	"meower/bus"
)

// maxLinks is how many connections of the model there are at a time.
const maxLinks = 7

// pick draws one of several; where there is none, the step is not possible.
func pick[T any](m *model, label string, from []T) T {
	if len(from) == 0 {
		m.t.Skip("nobody")
	}
	return rapid.SampledFrom(from).Draw(m.t, label)
}

func (m *model) number() string {
	m.count++
	return strconv.Itoa(m.count)
}

func (m *model) linksThat(are state) []*modelConn {
	var those []*modelConn
	for _, l := range m.links {
		if l.state == are {
			those = append(those, l)
		}
	}
	return those
}

func (m *model) pickNode() int {
	return rapid.IntRange(0, len(m.nodes)-1).Draw(m.t, "node")
}

// settle waits until every node has heard of everything.
func (m *model) settle() {
	m.marked++
	for _, w := range m.nodes {
		mark := bus.Event{Name: "model_mark", Whom: strconv.Itoa(m.marked), Value: []byte("null"), Transient: true}
		must(w.t, w.bus.Publish(context.Background(), mark))
	}
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for _, heard := range m.heard {
		for n := 0; n < len(m.nodes); {
			select {
			case mark := <-heard:
				if mark == m.marked {
					n++
				}
			case <-limit.C:
				m.t.Fatal("a node does not hear the others")
			}
		}
	}
	clear(m.unheard)
}

// before is for what happens at a node next. Where it, or what went before it at
// another node, changes who hears what, then there must be one order for both.
func (m *model) before(node int, changes bool) {
	for other, changed := range m.unheard {
		if other != node && (changes || changed) {
			m.settle()
			break
		}
	}
	m.unheard[node] = m.unheard[node] || changes
}

// frame reads one frame.
func (m *model) frame(l *modelConn) (string, error) {
	must(l.client.t, l.client.ws.SetReadDeadline(time.Now().Add(patience)))
	_, frame, err := l.client.ws.ReadMessage()
	return string(frame), err
}

// got is called with an event that has arrived.
func (m *model) got(l *modelConn, packet string) {
	l.late = append(l.late, packet)
	if !m.take(l, packet) {
		m.t.Fatalf("%s got  %s\nbut is to get%s", l, packet, m.dueTo(l))
	}
}

// ask sends a command and reads its answer, before which all that was due must
// come.
func (m *model) ask(l *modelConn, command string) {
	l.late = nil
	l.client.send(command[:len(command)-1] + `,"listener":"asked"}`)
	for {
		frame, err := m.frame(l)
		if err != nil {
			m.t.Fatalf("%s: %v", l, err)
		}
		if strings.HasPrefix(frame, `{"cmd":"statuscode"`) {
			if frame != `{"cmd":"statuscode","code":"I:100 | OK","code_id":100,"listener":"asked"}` {
				m.t.Fatalf("%s is answered %s", l, frame)
			}
			break
		}
		m.got(l, frame)
	}
	m.nothingDue(l)
}

func (m *model) nothingDue(l *modelConn) {
	if len(l.due) > 0 {
		m.t.Fatalf("%s did not get%s", l, m.dueTo(l))
	}
}

func (m *model) read(l *modelConn) {
	m.settle()
	m.ask(l, `{"cmd":"ping"}`)
}

func (m *model) readAll() {
	m.settle()
	for _, l := range m.linksThat(online) {
		m.ask(l, `{"cmd":"ping"}`)
	}
}

func (m *model) subscribe(l *modelConn) {
	typ, id := rapid.SampledFrom([]string{"new_posts", "users", "posts", "comments"}).Draw(m.t, "type"), ""
	switch typ {
	case "users":
		id = m.pickPerson("whom").id()
	case "posts", "comments":
		id = m.pickID("post", postIDs)
	}
	m.t.Logf("%s subscribes to %s %s", l, typ, id)
	m.settle()
	m.ask(l, `{"cmd":"subscribe","type":"`+typ+`","id":"`+id+`"}`)
	l.topics[typ+"/"+id] = true
}

func (m *model) unsubscribe(l *modelConn) {
	typ, id, _ := strings.Cut(pick(m, "topic", sorted(l.topics)), "/")
	m.t.Logf("%s unsubscribes from %s %s", l, typ, id)
	m.settle()
	m.ask(l, `{"cmd":"unsubscribe","type":"`+typ+`","id":"`+id+`"}`)
	delete(l.topics, typ+"/"+id)
}

// disconnect ends a connection from the client's side, with a goodbye or without
// one.
func (m *model) disconnect(l *modelConn) {
	dropped := rapid.Bool().Draw(m.t, "without a word")
	waits := rapid.Bool().Draw(m.t, "until the server has noticed")
	m.t.Logf("%s disconnects", l)
	m.read(l)
	m.ask(l, `{"cmd":"ping"}`) // so the server knows that all has arrived
	l.watch(m)
	if dropped {
		l.client.drop()
	} else {
		must(l.client.t, l.client.ws.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(1000, "")))
		l.client.expectClose(1000)
		must(l.client.t, l.client.ws.Close())
	}
	l.state, l.known = offline, false
	if waits {
		m.noticed()
	}
}

// watch has gone closed when the server has seen the connection's end.
func (l *modelConn) watch(m *model) {
	_, id, _ := strings.Cut(l.client.resume, ".")
	l.gone = m.nodes[l.node].server.resumes.wait(id)
}

// noticed waits until the server has seen the end of all that have ended.
func (m *model) noticed() {
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for _, l := range m.links {
		if l.state != offline {
			continue
		}
		select {
		case <-l.gone:
		case <-limit.C:
			m.t.Fatalf("the server does not see the end of %s", l)
		}
	}
}

// reap reads the end of the connections that the server must have closed.
func (m *model) reap() {
	for _, l := range m.linksThat(online) {
		if l.closed == 0 {
			continue
		}
		m.settle()
		l.watch(m)
		m.readEnd(l, l.closed)
		l.state, l.known, l.closed = offline, false, 0
		m.nothingDue(l)
	}
}

// readEnd reads a connection until it is closed.
func (m *model) readEnd(l *modelConn, code int) {
	for {
		frame, err := m.frame(l)
		if websocket.IsCloseError(err, code) {
			return
		}
		if err != nil {
			m.t.Fatalf("%s: %v, want close %d", l, err, code)
		}
		m.got(l, frame)
	}
}

// connect is a client that was not there before, or whose token has been used.
func (m *model) connect() {
	if len(m.linksThat(online))+len(m.linksThat(offline)) >= maxLinks {
		m.t.Skip("enough")
	}
	who := m.pickPerson("user")
	l := &modelConn{name: who.name + m.number(), who: who, topics: map[string]bool{}, chats: map[string]bool{}}
	m.links = append(m.links, l)
	resume := ""
	for _, spent := range m.spent {
		// For one of another node, the server would wait a second.
		if len(m.nodes) == 1 && spent.who == who && rapid.Bool().Draw(m.t, "with an old token") {
			resume = spent.client.resume
		}
	}
	if client := m.authenticate(l, resume, func() {}); client == nil {
		return
	}
	for chat := range who.chats {
		l.chats[chat] = true
	}
	if resume != "" {
		l.client.expect(resyncFrame)
	}
	m.ask(l, `{"cmd":"ping"}`)
	for range rapid.IntRange(0, 4).Draw(m.t, "subscriptions") {
		m.subscribe(l)
	}
}

// resume is a client that goes on, maybe from a connection that the server has
// not ended. What that one has got since it last sent something may come again: the
// server cannot know that it has arrived before the network has said so.
func (m *model) resume(l *modelConn) {
	old := *l
	again := map[string]int{}
	wasOnline := l.state == online
	if wasOnline {
		l.watch(m)
	}
	client := m.authenticate(l, old.client.resume, func() {
		if wasOnline {
			old.due = l.due
			m.readEnd(&old, closeResumed)
			for _, frame := range old.late {
				again[frame]++
			}
			l.due, l.state = old.due, offline
		}
	})
	m.spent = append(m.spent, &old)
	if client == nil {
		return
	}
	m.forget(l)
	for count := 0; ; count++ {
		frame, err := m.frame(l)
		if err != nil {
			m.t.Fatalf("%s: %v", l, err)
		}
		if strings.HasPrefix(frame, `{"cmd":"resumed"`) && frame == resumedFrame(count) {
			break
		}
		if again[frame] > 0 {
			again[frame]--
			continue
		}
		m.got(l, frame)
	}
	m.nothingDue(l)
	m.ask(l, `{"cmd":"ping"}`)
}

// authenticate has a client connect, while other things happen. entered is called
// when the server knows of the connection. It returns nil where the server has
// closed the connection meanwhile.
func (m *model) authenticate(l *modelConn, resume string, entered func()) *client {
	l.session = pick(m, "session", l.who.live())
	node := m.pickNode()
	gate := newGate()
	gate.stale = rapid.Bool().Draw(m.t, "chats are read before")
	meanwhile := rapid.IntRange(0, 4).Draw(m.t, "meanwhile")
	m.t.Logf("%s connects to node %d with the %s session, resume %q", l, node, l.session.name, resume)
	m.before(node, l.state != online)
	m.store.setGate(gate)
	defer m.store.setGate(nil)
	c := m.nodes[node].dial()
	packet := `{"cmd":"authenticate","token":"` + l.session.token + `"`
	if resume != "" {
		packet += `,"resume":"` + resume + `"`
	}
	c.send(packet + "}")
	select {
	case <-gate.entered:
	case <-time.After(patience):
		m.t.Fatalf("%s cannot authenticate", l)
	}
	entered()
	l.node, l.client, l.known = node, c, true
	for range meanwhile {
		if rapid.Bool().Draw(m.t, "a change") {
			m.happen(changes)
		} else {
			m.happen(plainDeeds)
		}
	}
	m.settle()
	close(gate.open)
	return m.ready(l)
}

// ready reads what authentication answers.
func (m *model) ready(l *modelConn) *client {
	ok, err := m.frame(l)
	if l.closed != 0 {
		if !websocket.IsCloseError(err, l.closed) {
			m.t.Fatalf("%s: %s %v, want close %d", l, ok, err, l.closed)
		}
		l.state, l.known = ended, false
		return nil
	}
	if ok != `{"cmd":"statuscode","code":"I:100 | OK","code_id":100}` {
		m.t.Fatalf("%s: %s %v, want 100", l, ok, err)
	}
	frame, err := m.frame(l)
	var ready struct{ Cmd, Resume string }
	if err := errors.Join(err, json.Unmarshal([]byte(frame), &ready)); err != nil || ready.Cmd != "ready" {
		m.t.Fatalf("%s: %s %v, want ready", l, frame, err)
	}
	l.client.resume = ready.Resume
	l.state = online
	return l.client
}
