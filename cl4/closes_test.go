package cl4

import (
	"errors"
	"io"
	"net"
	"testing"

	"github.com/gorilla/websocket"

	"meower/core"
)

// TestClosesOnEveryNode: where an account or session ends is not where its
// connections are.
func TestClosesOnEveryNode(t *testing.T) {
	cluster := newCluster(t, 2, nil)
	a, b := cluster.nodes[0], cluster.nodes[1]
	alice, bob, carol, dave := b.register("alice"), b.register("bob"), b.register("carol"), b.register("dave")
	banned, deleted, revoked, stays := b.connect(alice), b.connect(bob), b.connect(carol), b.connect(dave)
	stays.subscribe(`{"cmd":"subscribe","type":"users","id":"` + bob.id + `"}`)

	a.publish(core.EventInfractionCreated, alice.id, `{"id":"5","action":2,"status":0,"expires":null}`)
	banned.expectClose(closeBanned)
	must(t, a.core.Logout(t.Context(), carol.principal))
	revoked.expectClose(closeSessionRevoked)
	a.publish(core.EventUserUpdated, bob.id, `{"id":"`+bob.id+`","deleted":true}`)
	deleted.expectClose(closeAccountDeleted)
	stays.expect(`{"cmd":"user_updated","val":{"deleted":true,"id":"` + bob.id + `"}}`)
	a.publish(core.EventUserUpdated, bob.id, `{"id":"`+bob.id+`","quote":"gone"}`)
	a.publish(core.EventDirect, dave.id, `{"val":1,"origin":{"id":"1","username":"x"}}`)
	stays.expect(`{"cmd":"direct","val":1,"origin":{"id":"1","username":"x"}}`)
	stays.barrier()
}

// TestBannedCannotGoOn: what a client has begun to send when it is banned, or
// sends afterwards, is not done.
func TestBannedCannotGoOn(t *testing.T) {
	w := newWorld(t, nil)
	alice, bob := w.register("alice"), w.register("bob")
	goes, stays := w.connect(alice), w.connect(bob)
	goes.ws.SetCloseHandler(func(int, string) error { return nil }) // no answer yet
	command := masked(`{"cmd":"direct","id":"` + bob.id + `","val":"from one who is banned"}`)
	tcp := goes.ws.NetConn().(*net.TCPConn)
	// The server reads on while it answers what came along.
	_, err := tcp.Write(append(masked(`{"cmd":"ping"}`), command[:20]...))
	must(t, err)
	goes.expect(`{"cmd":"statuscode","code":"I:100 | OK","code_id":100}`)

	w.publish(core.EventInfractionCreated, alice.id, `{"id":"5","action":2,"status":0,"expires":null}`)
	goes.expectClose(closeBanned)
	_, err = tcp.Write(append(command[20:], command...))
	must(t, err)
	must(t, tcp.CloseWrite())
	if _, err := io.Copy(io.Discard, tcp); err != nil && !errors.Is(err, net.ErrClosed) {
		t.Fatal(err)
	}
	stays.barrier() // the server has ended the connection, and bob has heard nothing
}

// masked is a text frame of a client, of up to 125 bytes, for what the library
// cannot send: less than the whole.
func masked(text string) []byte {
	frame := []byte{0x80 | websocket.TextMessage, 0x80 | byte(len(text)), 0, 0, 0, 0}
	return append(frame, text...)
}
