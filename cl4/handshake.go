package cl4

import "context"

// cloudLinkVersion is the version of CloudLink that is spoken.
const cloudLinkVersion = "0.1.9.2"

// handshake tells the client who and where it is, and who else is here; from then
// on also who comes and goes. Asking again does no harm.
func handshake(_ context.Context, c *conn, p packet) error {
	for _, part := range [...]struct{ cmd, val string }{
		{"client_ip", c.address},
		{"server_version", cloudLinkVersion},
		{"motd", c.server.motd},
	} {
		c.answer(valuePacket(part.cmd, part.val, p.listener))
	}
	switch s := c.server; {
	case s.rooms.lists():
		s.rooms.answerLists(c, p.listener)
	case s.presence != nil:
		s.presence.answerList(c, p.listener)
	default:
		c.answer(ulistPacket("set", []byte("[]"), defaultRoom, p.listener))
	}
	c.ok(p)
	return nil
}
