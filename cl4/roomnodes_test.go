package cl4

import (
	"context"
	"testing"

	"meower/core"
)

// untilIn waits until a node knows of so many clients with a name in a room.
func (w *world) untilIn(room string, n int) {
	w.t.Helper()
	w.until(func() bool { return w.server.rooms.count(room) == n })
}

func TestRoomsAcrossNodes(t *testing.T) {
	cluster := newCluster(t, 2, withRooms, quickRosters)
	a, b := cluster.nodes[0], cluster.nodes[1]
	ada, bob := a.in("ada", `["hall","attic"]`), b.in("bob", `"hall"`)
	a.untilIn("hall", 2)
	b.untilIn("hall", 2)

	for _, packet := range []string{`{"cmd":"gmsg","val":"a"`, `{"cmd":"gvar","name":"n","val":[1]`} {
		in := packet + `,"rooms":"hall"`
		ada.do(packet+`,"listener":1}`, in+`,"listener":1}`, packet+`,"rooms":"attic","listener":1}`)
		bob.expect(in + `}`)
		bob.do(packet+`}`, in+`}`)
		ada.expect(in + `}`)
	}
	for _, id := range []string{`"bob"`, `"` + bob.object.ID + `"`, `"` + bob.object.UUID + `"`, bob.json} {
		ada.do(`{"cmd":"pmsg","id":`+id+`,"val":1}`, okPacket)
		bob.expect(`{"cmd":"pmsg","val":1,"origin":` + ada.json + `,"rooms":"hall"}`)
	}
	bob.do(`{"cmd":"pvar","name":"n","id":"ada","val":2}`, okPacket)
	ada.expect(`{"cmd":"pvar","name":"n","val":2,"origin":` + bob.json + `,"rooms":"hall"}`)
	ada.do(`{"cmd":"pmsg","id":"bob","val":1,"rooms":"attic"}`, `{"cmd":"statuscode","code":"E:103 | ID not found","code_id":103}`)

	// A name that only both nodes together know twice.
	twin := a.guest("bob")
	twin.do(`{"cmd":"link","val":"hall"}`, `{"cmd":"gmsg","val":"a","rooms":"hall"}`, `{"cmd":"gvar","name":"n","val":[1],"rooms":"hall"}`, okPacket)
	const ambiguous = `{"cmd":"statuscode","code":"E:104 | ID not specific enough","code_id":104}`
	ada.do(`{"cmd":"pmsg","id":"bob","val":1}`, ambiguous)
	b.untilIn("hall", 3)
	bob.do(`{"cmd":"pvar","name":"n","id":"bob","val":1}`, ambiguous)
	ada.do(`{"cmd":"pmsg","id":"`+bob.object.ID+`","val":3}`, okPacket)
	bob.expect(`{"cmd":"pmsg","val":3,"origin":` + ada.json + `,"rooms":"hall"}`)
	for _, c := range []guest{ada, bob, twin} {
		c.barrier()
	}
}

// TestRoomReplayAcrossNodes: what a room holds is the same on every node, also on
// one that starts later, and ends with the last client on any.
func TestRoomReplayAcrossNodes(t *testing.T) {
	cluster := newCluster(t, 2, withRooms, quickRosters)
	a, b := cluster.nodes[0], cluster.nodes[1]
	ada := a.in("ada", `"hall"`)
	ada.do(`{"cmd":"gvar","name":"n","val":1}`, `{"cmd":"gvar","name":"n","val":1,"rooms":"hall"}`)
	ada.do(`{"cmd":"gmsg","val":2}`, `{"cmd":"gmsg","val":2,"rooms":"hall"}`)
	bob := b.guest("bob") // who is this node's first client
	held := []string{`{"cmd":"gmsg","val":2,"rooms":"hall"}`, `{"cmd":"gvar","name":"n","val":1,"rooms":"hall"}`, okPacket}
	bob.do(`{"cmd":"link","val":"hall"}`, held...)
	_ = ada.ws.Close()
	b.untilIn("hall", 1)
	bob.do(`{"cmd":"link","val":"hall"}`, held...)
	bob.do(`{"cmd":"unlink","val":"hall"}`, okPacket)
	for _, w := range cluster.nodes {
		_ = w.in("cleo", `"hall"`).ws.Close()
		w.until(func() bool { return !cluster.redis.Exists("meower:room:hall") })
	}
}

func TestRoomListsAcrossNodes(t *testing.T) {
	cluster := newCluster(t, 2, withListedRooms, quickRosters)
	a, b := cluster.nodes[0], cluster.nodes[1]
	watcher := b.dial()
	watcher.handshake()
	ada := a.guest("ada")
	watcher.expect(listing("add", "default", ada))
	ada.do(`{"cmd":"link","val":"hall"}`, listing("set", "hall", ada), okPacket)
	watcher.expect(listing("remove", "default", ada))
	ada.do(`{"cmd":"unlink","val":""}`, listing("set", "default", ada), okPacket)
	watcher.expect(listing("add", "default", ada))

	// A node that ends takes its clients along.
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	must(t, a.server.Shutdown(ctx))
	watcher.expect(listing("remove", "default", ada))
	watcher.barrier()
}

// TestRoomOfDeadNode: a node that gives no sign of life any more has no clients,
// and the rooms where it had the last end.
func TestRoomOfDeadNode(t *testing.T) {
	cluster := newCluster(t, 1, withListedRooms, quickRosters)
	w := cluster.nodes[0]
	watcher := w.dial()
	watcher.handshake()

	stay := core.Stay{Room: "hall", Node: "dead", ID: "1"}
	_, err := w.core.SetRoomVariable(t.Context(), stay, "n", "1")
	must(t, err)
	dead := w.core.Roster("meower:clients", "dead")
	ghost := map[string]string{"7": `{"username":"ghost","uuid":"u7","rooms":["hall","default"]}`}
	must(t, dead.Change(t.Context(), ghost, nil, 3))
	w.core.Tell(t.Context(), eventRosterChanged, "meower:clients", rosterChange{Node: "dead", Number: 3})
	const object = `{"id":"7","username":"ghost","uuid":"u7"}`
	watcher.expect(`{"cmd":"ulist","mode":"add","val":` + object + `,"rooms":"default"}`)
	watcher.expect(`{"cmd":"ulist","mode":"remove","val":` + object + `,"rooms":"default"}`)
	w.untilIn("hall", 0)

	cluster.redis.FastForward(core.RoomLife)
	ada := w.guest("ada")
	ada.do(`{"cmd":"link","val":"hall"}`, listing("set", "hall", ada), okPacket) // nothing is replayed
}

// TestRoomIsKept: what a room holds stays as long as anyone is there, though Redis
// forgets it where nobody gives a sign; and a node whose clients are only in
// default counts, too.
func TestRoomIsKept(t *testing.T) {
	cluster := newCluster(t, 2, withRooms, quickRosters)
	a, b := cluster.nodes[0], cluster.nodes[1]
	silent := b.dial()
	silent.barrier()
	key := "meower:room:default"
	w := b
	w.until(func() bool { return cluster.redis.HGet(key, "nnode1") != "" })
	ada := a.guest("ada")
	ada.do(`{"cmd":"gvar","name":"n","val":1}`, `{"cmd":"gvar","name":"n","val":1,"rooms":"default"}`)
	silent.expect(`{"cmd":"gvar","name":"n","val":1,"rooms":"default"}`)
	_ = ada.ws.Close()
	w.until(func() bool { return cluster.redis.HGet(key, "nnode0") == "" })
	for range 3 {
		cluster.redis.FastForward(core.RoomLife / 2)
		b.server.rooms.renew(b.server.rooms.stays(true))
	}
	bob := a.guest("bob")
	bob.do(`{"cmd":"link","val":"default"}`, `{"cmd":"gvar","name":"n","val":1,"rooms":"default"}`, okPacket)

	// What Redis has lost is gone; that someone is there is not.
	cluster.redis.FlushAll()
	b.server.rooms.renew(b.server.rooms.stays(true))
	if cluster.redis.HGet(key, "nnode1") == "" {
		t.Error("the node is not in the room any more")
	}
}
