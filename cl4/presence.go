package cl4

import (
	"sync"
	"time"

	"meower/bus"
)

// maxUserList is how many users a list holds at most, and up to how many users
// online changes are told.
const maxUserList = 1000

// presence knows who is online on all nodes, and tells those who have asked for
// the list what changes. It is safe for concurrent use.
type presence struct {
	server *Server

	mu     sync.Mutex
	roster *roster
	local  map[string]int // this node's connections of each user
	users  map[string]*presentUser
	// absent are the users without a connection who are listed for a while, in
	// the order in which they went.
	absent []absentUser
	// lost says that changes have not been told, since there were too many users.
	// The whole list follows once there has been no need for a while.
	lost     bool
	recovers time.Time
	encoded  []byte // the list; nil after a change
}

// presentUser is a user who is online or was a moment ago.
type presentUser struct {
	username string
	nodes    map[string]struct{} // that have connections of theirs
	left     time.Time           // since when there are none
}

type absentUser struct {
	userID string
	left   time.Time
}

// listedUser is a user in a list of users.
type listedUser struct {
	ID       string `json:"id"`
	Username string `json:"username"`
}

func newPresence(s *Server) *presence {
	p := &presence{server: s, local: map[string]int{}, users: map[string]*presentUser{}}
	p.roster = newRoster(s, "online", &p.mu, func(node, userID, username string, in bool) {
		if in {
			p.arrive(node, userID, username)
		} else {
			p.depart(node, userID)
		}
	})
	return p
}

// connected takes note of a connection of a user.
func (p *presence) connected(who *identity) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.local[who.userID]++; p.local[who.userID] == 1 {
		username := *who.username.Load()
		p.roster.put(who.userID, username)
		p.arrive(p.roster.node, who.userID, username)
	}
}

// disconnected takes note of the end of such a connection.
func (p *presence) disconnected(userID string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.local[userID]--; p.local[userID] == 0 {
		delete(p.local, userID)
		p.roster.remove(userID)
		p.depart(p.roster.node, userID)
	}
}

// renamed gives a user of this node another name.
func (p *presence) renamed(userID, username string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.local[userID] > 0 {
		p.roster.put(userID, username)
		p.arrive(p.roster.node, userID, username)
	}
}

// arrive needs the lock.
func (p *presence) arrive(node, userID, username string) {
	user := p.users[userID]
	if user == nil {
		user = &presentUser{username: username, nodes: map[string]struct{}{}}
		p.users[userID] = user
		p.changed("add", userID, username)
	} else if user.username != username {
		p.changed("remove", userID, user.username)
		user.username = username
		p.changed("add", userID, username)
	}
	user.nodes[node] = struct{}{}
	user.left = time.Time{}
}

// depart needs the lock. The user stays on the list for a while, since most who
// lose a connection are back at once.
func (p *presence) depart(node, userID string) {
	user := p.users[userID]
	if user == nil {
		return
	}
	if delete(user.nodes, node); len(user.nodes) == 0 {
		user.left = time.Now()
		p.absent = append(p.absent, absentUser{userID, user.left})
	}
}

// look takes those off the list who have been gone for long enough.
func (p *presence) look(now time.Time) {
	grace := p.server.timing.grace
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.absent) > 0 && now.Sub(p.absent[0].left) >= grace {
		gone := p.absent[0]
		p.absent = p.absent[1:]
		// Who was back meanwhile, and perhaps gone again, is another case.
		if user := p.users[gone.userID]; user != nil && user.left.Equal(gone.left) {
			delete(p.users, gone.userID)
			p.changed("remove", gone.userID, user.username)
		}
	}
	if p.lost && len(p.users) <= maxUserList && !now.Before(p.recovers) {
		p.lost = false
		p.tell(p.list(""))
	}
}

// changed tells of a change, which has been made already. It needs the lock.
func (p *presence) changed(mode, userID, username string) {
	p.encoded = nil
	if len(p.users) > maxUserList {
		p.lost = true
	}
	if p.lost {
		p.recovers = time.Now().Add(p.server.timing.grace)
		return
	}
	p.tell(ulistPacket(mode, encoded(listedUser{userID, username}), defaultRoom, ""))
}

// tell sends a packet to all who have asked for the list. It needs the lock, so
// that no change overtakes another or the list.
func (p *presence) tell(packet []byte) {
	p.server.fanOut(delivery{topic: topicUserList, packet: func() []byte { return packet }}, bus.Position{})
}

// answerList sends a connection the list, and from then on the changes.
func (p *presence) answerList(c *conn, listener string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.server.hub.listen(c, topicUserList)
	c.answer(p.list(listener))
}

// list is a packet with all users, or the most that one may hold. It needs the
// lock.
func (p *presence) list(listener string) []byte {
	if p.encoded == nil {
		users := make([]listedUser, 0, min(len(p.users), maxUserList))
		for id, user := range p.users {
			if len(users) == maxUserList {
				break
			}
			users = append(users, listedUser{id, user.username})
		}
		p.encoded = encoded(users)
	}
	return ulistPacket("set", p.encoded, defaultRoom, listener)
}

// ulistPacket is a packet about users, who are encoded already.
func ulistPacket(mode string, val []byte, room, listener string) []byte {
	b := make([]byte, 0, len(val)+len(mode)+len(room)+len(listener)+80)
	b = append(b, `{"cmd":"ulist","mode":"`...)
	b = append(b, mode...)
	b = append(b, `","val":`...)
	b = append(b, val...)
	b = append(b, `,"rooms":`...)
	return finish(append(b, encoded(room)...), listener)
}
