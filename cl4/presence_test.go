package cl4

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"meower/bus"
	"meower/core"
	"meower/store"
)

func listUsers(o *Options) { o.UserList = true }

// shortGrace has users who are gone leave the list almost at once.
func shortGrace(s *Server) { s.timing.grace = 30 * time.Millisecond }

// quickRosters has nodes tell each other of changes almost at once.
func quickRosters(s *Server) {
	for _, r := range s.rosters {
		r.timing = rosterTiming{collect: time.Millisecond, beat: 20 * time.Millisecond, life: time.Second}
	}
}

// handshake sends the command and returns the ids on the list of users.
func (c *client) handshake() []string {
	c.t.Helper()
	c.send(`{"cmd":"handshake"}`)
	for range 3 {
		c.read()
	}
	ids := c.readList("set")
	c.expect(`{"cmd":"statuscode","code":"I:100 | OK","code_id":100}`)
	return ids
}

// readList reads a whole list, or one change of it, and returns the ids.
func (c *client) readList(mode string) []string {
	c.t.Helper()
	var list struct {
		Cmd, Mode, Rooms string
		Val              json.RawMessage
	}
	must(c.t, json.Unmarshal([]byte(c.read()), &list))
	if list.Cmd != "ulist" || list.Mode != mode || list.Rooms != "default" {
		c.t.Fatalf("got %+v, want ulist %s", list, mode)
	}
	users := make([]listedUser, 1)
	if mode == "set" {
		must(c.t, json.Unmarshal(list.Val, &users))
	} else {
		must(c.t, json.Unmarshal(list.Val, &users[0]))
	}
	ids := []string{}
	for _, user := range users {
		ids = append(ids, user.ID)
	}
	slices.Sort(ids)
	return ids
}

func (c *client) expectList(mode string, users ...user) {
	c.t.Helper()
	c.wantUsers(c.readList(mode), users...)
}

func (c *client) wantUsers(got []string, users ...user) {
	c.t.Helper()
	want := []string{}
	for _, u := range users {
		want = append(want, u.id)
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		c.t.Fatalf("listed %v, want %v", got, want)
	}
}

func TestUserListChanges(t *testing.T) {
	w := newWorld(t, listUsers, shortGrace)
	alice, bob := w.register("alice"), w.register("bob")
	watcher, deaf := w.dial(), w.dial()
	watcher.wantUsers(watcher.handshake())

	first := w.connect(alice)
	watcher.expectList("add", alice)
	second := w.connect(alice) // still one user
	ofBob := w.connect(bob)
	watcher.expectList("add", bob)
	watcher.wantUsers(watcher.handshake(), alice, bob)

	_ = first.ws.Close()
	_ = ofBob.ws.Close()
	watcher.expectList("remove", bob)
	_ = second.ws.Close()
	watcher.expectList("remove", alice)
	watcher.barrier()
	deaf.barrier() // has not asked for the list
}

// TestUserListGrace: who is back in time was never gone.
func TestUserListGrace(t *testing.T) {
	w := newWorld(t, listUsers)
	alice, bob := w.register("alice"), w.register("bob")
	watcher := w.dial()
	watcher.handshake()
	_ = w.connect(alice).ws.Close()
	watcher.expectList("add", alice)
	w.untilAbsent(1)
	w.connect(alice)
	w.connect(bob)
	watcher.expectList("add", bob)
	w.server.presence.look(time.Now().Add(time.Hour))
	watcher.barrier()
	watcher.wantUsers(watcher.handshake(), alice, bob)
}

// untilAbsent waits until so many users have lost their last connection.
func (w *world) untilAbsent(n int) {
	w.t.Helper()
	w.until(func() bool {
		p := w.server.presence
		p.mu.Lock()
		defer p.mu.Unlock()
		return len(p.absent) == n
	})
}

// until waits for something that nobody tells of.
func (w *world) until(ok func() bool) {
	w.t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	limit := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-limit:
			w.t.Fatal("waited in vain")
		}
	}
}

func TestUserListFollowsNames(t *testing.T) {
	w := newWorld(t, listUsers)
	alice := w.register("alice")
	w.connect(alice)
	watcher := w.dial()
	watcher.wantUsers(watcher.handshake(), alice)
	w.publish(core.EventUserUpdated, alice.id, `{"id":"`+alice.id+`","username":"alicia"}`)
	for _, change := range []struct{ mode, name string }{{"remove", "alice"}, {"add", "alicia"}} {
		watcher.expect(`{"cmd":"ulist","mode":"` + change.mode + `","val":{"id":"` + alice.id + `","username":"` + change.name + `"},"rooms":"default"}`)
	}
}

func TestUserListOff(t *testing.T) {
	w := newWorld(t, nil)
	watcher := w.dial()
	w.connect(w.register("alice"))
	watcher.wantUsers(watcher.handshake())
	w.connect(w.register("bob"))
	watcher.barrier()
}

// TestUserListIsBounded: above 1000 users nothing is told, and the list follows
// when they have become fewer.
func TestUserListIsBounded(t *testing.T) {
	w := newWorld(t, listUsers)
	watcher := w.dial()
	watcher.handshake()
	p := w.server.presence
	const extra = 10
	ids := make([]string, maxUserList+extra)
	for i := range ids {
		ids[i] = strconv.Itoa(i)
		p.connected(newIdentity(&core.Principal{User: store.User{ID: ids[i], Username: "user" + ids[i]}}, ""))
		if i < maxUserList {
			watcher.readList("add")
		}
	}
	watcher.barrier()
	if got := watcher.handshake(); len(got) != maxUserList {
		t.Fatalf("%d users listed", len(got))
	}
	for _, id := range ids[:2*extra] {
		p.disconnected(id)
	}
	p.look(time.Now().Add(w.server.timing.grace))
	watcher.barrier()
	p.look(time.Now().Add(3 * w.server.timing.grace))
	if got := watcher.readList("set"); len(got) != len(ids)-2*extra {
		t.Fatalf("%d users listed afterwards", len(got))
	}
	p.disconnected(ids[2*extra])
	p.look(time.Now().Add(w.server.timing.grace))
	watcher.readList("remove")
	for _, id := range ids[2*extra+1:] {
		p.disconnected(id)
	}
}

func TestUserListAcrossNodes(t *testing.T) {
	cluster := newCluster(t, 2, listUsers, shortGrace, quickRosters)
	a, b := cluster.nodes[0], cluster.nodes[1]
	alice, bob, cleo := a.register("alice"), a.register("bob"), a.register("cleo")
	onA := a.connect(alice) // before b has anyone
	watcher := b.dial()
	if len(watcher.handshake()) == 0 {
		watcher.expectList("add", alice)
	}
	onB := b.connect(alice) // the same user on another node
	ofBob := a.connect(bob)
	watcher.expectList("add", bob)
	_ = onA.ws.Close()
	_ = ofBob.ws.Close()
	watcher.expectList("remove", bob) // alice is there still
	_ = onB.ws.Close()
	watcher.expectList("remove", alice)

	// A node that ends takes its users along.
	a.connect(cleo)
	watcher.expectList("add", cleo)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	must(t, a.server.Shutdown(ctx))
	watcher.expectList("remove", cleo)
	if cluster.redis.Exists("online:node0") {
		t.Error("the node's users are left in Redis")
	}
}

// TestRosterOfDeadNode: a node that gives no sign of life any more has no users,
// neither for those who are there nor for those who come later.
func TestRosterOfDeadNode(t *testing.T) {
	cluster := newCluster(t, 1, listUsers, shortGrace, quickRosters)
	w := cluster.nodes[0]
	watcher := w.dial()
	watcher.handshake()
	dead := w.core.Roster("online", "dead")
	must(t, dead.Change(t.Context(), map[string]string{"7": "ghost"}, nil, 3))
	w.core.Tell(t.Context(), eventRosterChanged, "online", rosterChange{Node: "dead", Number: 3})
	watcher.expectList("add", user{id: "7"}) // read of Redis, since changes were missed
	watcher.expectList("remove", user{id: "7"})
	cluster.redis.FastForward(core.RosterLife)
	if members, _, err := dead.Of(t.Context(), "dead"); err != nil || len(members) != 0 {
		t.Fatalf("%v %v in Redis", members, err)
	}
}

// TestRosterCatchesUp: whatever changes were lost or came twice, the members are
// those of Redis in the end.
func TestRosterCatchesUp(t *testing.T) {
	cluster := newCluster(t, 1, listUsers, quickRosters)
	w := cluster.nodes[0]
	watcher := w.dial()
	watcher.handshake()
	other := w.core.Roster("online", "other")
	tell := func(change rosterChange) {
		change.Node = "other"
		w.core.Tell(t.Context(), eventRosterChanged, "online", change)
	}
	for i := range 3 {
		id := fmt.Sprint(i)
		must(t, other.Change(t.Context(), map[string]string{id: "user" + id}, nil, int64(i+1)))
	}
	tell(rosterChange{Number: 1, Set: map[string]string{"0": "user0"}})
	watcher.expectList("add", user{id: "0"})
	tell(rosterChange{Number: 1, Set: map[string]string{"9": "not again"}})
	tell(rosterChange{Number: 3, Set: map[string]string{"2": "user2"}})
	got := append(watcher.readList("add"), watcher.readList("add")...)
	slices.Sort(got)
	watcher.wantUsers(got, user{id: "1"}, user{id: "2"})
	watcher.barrier()
}

// TestRosterAfterOutage: what Redis has lost is written again.
func TestRosterAfterOutage(t *testing.T) {
	cluster := newCluster(t, 1, listUsers, quickRosters)
	w := cluster.nodes[0]
	w.connect(w.register("alice"))
	roster := w.server.presence.roster
	there := func() bool {
		members, _, err := roster.shared.Of(t.Context(), roster.node)
		return err == nil && len(members) == 1
	}
	w.until(there)
	cluster.redis.FlushAll()
	w.until(there)
}

// TestUnreadableRoster: another node may run another version.
func TestUnreadableRoster(t *testing.T) {
	w := newWorld(t, listUsers)
	watcher := w.dial()
	watcher.handshake()
	for _, value := range []string{`5`, `{}`, `{"node":5}`} {
		must(t, w.bus.Publish(t.Context(), bus.Event{Name: eventRosterChanged, Whom: "online", Value: json.RawMessage(value)}))
	}
	watcher.barrier()
}
