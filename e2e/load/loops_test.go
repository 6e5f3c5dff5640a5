//go:build linux

package load

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"

	"github.com/gorilla/websocket"
)

// Kinds of broadcast loops.
const (
	kindBare       = "bare"
	kindCoalescing = "coalescing"
)

const (
	pingPacket   = `{"cmd":"ping"}`
	answerPacket = `{"cmd":"statuscode","code":"I:100 | OK","code_id":100}`
)

// loop is what one would write by hand where nothing but fan-out counted: one
// goroutine writes every event, prepared once, to all connections. It knows of
// no users, limits or slow clients, so it is the least that this can cost.
type loop struct {
	coalescing bool
	upgrader   websocket.Upgrader
	broadcasts chan *websocket.PreparedMessage

	mu          sync.Mutex // held while a round is written
	subscribers []*websocket.Conn
}

// serveLoop serves for as long as the process lives.
func serveLoop(kind string) error {
	l := &loop{
		coalescing: kind == kindCoalescing,
		broadcasts: make(chan *websocket.PreparedMessage, 1024),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /broadcast", l.broadcast)
	mux.HandleFunc("GET /", l.subscribe)
	mux.HandleFunc("GET /echo", l.echo)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("REST http://%s\nCL4 ws://%s\n", listener.Addr(), listener.Addr())
	go l.write()
	return http.Serve(listener, mux)
}

// broadcast takes an event to send to all.
func (l *loop) broadcast(w http.ResponseWriter, r *http.Request) {
	event, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	prepared, err := websocket.NewPreparedMessage(websocket.TextMessage, event)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	l.broadcasts <- prepared
	w.WriteHeader(http.StatusNoContent)
}

// upgrade makes a websocket, over a connection that buffers where writes are to
// be coalesced. It returns nil where the upgrader has refused.
func (l *loop) upgrade(w http.ResponseWriter, r *http.Request) *websocket.Conn {
	if l.coalescing {
		w = bufferingWriter{w}
	}
	ws, err := l.upgrader.Upgrade(w, r, nil)
	if err != nil {
		return nil
	}
	return ws
}

// subscribe adds a connection to the loop and says so.
func (l *loop) subscribe(w http.ResponseWriter, r *http.Request) {
	ws := l.upgrade(w, r)
	if ws == nil {
		return
	}
	l.mu.Lock()
	l.subscribers = append(l.subscribers, ws)
	_ = ws.WriteMessage(websocket.TextMessage, []byte(answerPacket)) // a broken one fails the next read
	l.mu.Unlock()
	for {
		if _, _, err := ws.NextReader(); err != nil {
			break
		}
	}
	l.mu.Lock()
	l.subscribers = slices.DeleteFunc(l.subscribers, func(other *websocket.Conn) bool { return other == ws })
	l.mu.Unlock()
	_ = ws.Close()
}

// echo answers every frame.
func (l *loop) echo(w http.ResponseWriter, r *http.Request) {
	ws := l.upgrade(w, r)
	if ws == nil {
		return
	}
	defer ws.Close()
	answer, frame := []byte(answerPacket), make([]byte, 512)
	for {
		_, reader, err := ws.NextReader()
		for err == nil {
			_, err = reader.Read(frame)
		}
		if !errors.Is(err, io.EOF) {
			return
		}
		if ws.WriteMessage(websocket.TextMessage, answer) != nil {
			return
		}
	}
}

// write is the loop itself. The coalescing one takes every event that waits.
func (l *loop) write() {
	var round []*websocket.PreparedMessage
	for prepared := range l.broadcasts {
		round = append(round[:0], prepared)
		for l.coalescing && len(l.broadcasts) > 0 {
			round = append(round, <-l.broadcasts)
		}
		l.mu.Lock()
		for _, ws := range l.subscribers {
			for _, prepared := range round {
				_ = ws.WritePreparedMessage(prepared) // a broken one fails the next read
			}
			if l.coalescing {
				_ = ws.NetConn().(*bufferingConn).flush()
			}
		}
		l.mu.Unlock()
	}
}

// bufferingWriter lends the upgrader a connection that buffers.
type bufferingWriter struct{ http.ResponseWriter }

func (w bufferingWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := w.ResponseWriter.(http.Hijacker).Hijack()
	if err != nil {
		return nil, nil, err
	}
	return &bufferingConn{Conn: conn}, rw, nil
}

// outBuffers are shared by all connections, so that the one in use stays in the
// processor's cache.
var outBuffers = sync.Pool{New: func() any { return new([]byte) }}

// bufferingConn keeps what is written until it is flushed, at the latest when
// its reader is about to wait for the client.
type bufferingConn struct {
	net.Conn
	mu  sync.Mutex
	out *[]byte // nil while there is nothing to flush
}

func (c *bufferingConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.out == nil {
		c.out = outBuffers.Get().(*[]byte)
	}
	*c.out = append(*c.out, p...)
	return len(p), nil
}

func (c *bufferingConn) Read(p []byte) (int, error) {
	if err := c.flush(); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

func (c *bufferingConn) flush() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.out == nil {
		return nil
	}
	_, err := c.Conn.Write(*c.out)
	*c.out = (*c.out)[:0]
	outBuffers.Put(c.out)
	c.out = nil
	return err
}
