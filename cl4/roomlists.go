package cl4

// loudAgain is how few clients with a name must be left in a room, of which there
// were more than a list holds, until changes are told again. The distance keeps
// a room at the limit from sending whole lists all the time.
const loudAgain = maxUserList - maxUserList/10

// lists reports whether clients are told who is in their rooms. r may be nil.
func (r *rooms) lists() bool { return r != nil && r.listed }

// changed tells the others in a room of a client with a name who has come or
// gone. In a room with more than a list holds, nothing is told, and everyone gets
// a list when enough have left. It needs the lock, so that no change overtakes
// another.
func (r *rooms) changed(room *room, mode string, client *roomClient) {
	if !r.listed {
		return
	}
	n := len(room.named)
	switch {
	case n > maxUserList:
		room.quiet = true
	case room.quiet && n > loudAgain:
	case !room.here():
		room.quiet = false
	case room.quiet:
		room.quiet = false
		r.send(room, r.server.sharedFrame(room.list("")), 0, "")
	default:
		r.send(room, r.server.sharedFrame(ulistPacket(mode, client.object, room.name, "")), 0, client.id)
	}
}

// answerLists tells a client who is in its rooms. It is for the reader.
func (r *rooms) answerLists(c *conn, listener string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, name := range c.client.rooms {
		c.answer(r.rooms[name].list(listener))
	}
}

// list is a packet with those in the room who have a name, or the most that one
// may hold. It needs the lock.
func (rm *room) list(listener string) []byte {
	val := []byte{'['}
	n := 0
	for client := range rm.named {
		if n == maxUserList {
			break
		}
		if n > 0 {
			val = append(val, ',')
		}
		val = append(val, client.object...)
		n++
	}
	return ulistPacket("set", append(val, ']'), rm.name, listener)
}
