package cl4

import (
	"context"
	"encoding/json"
)

// cloudLinkVersion is the version of CloudLink that is spoken.
const cloudLinkVersion = "0.1.9.2"

// maxUserList is how many users a list holds at most.
const maxUserList = 1000

// handshake tells the client who and where it is. Asking again does no harm.
func handshake(_ context.Context, c *conn, p packet) error {
	for _, part := range [...]struct{ cmd, val string }{
		{"client_ip", c.address},
		{"server_version", cloudLinkVersion},
		{"motd", c.server.motd},
	} {
		frame, err := valuePacket(part.cmd, part.val, p.listener)
		if err != nil {
			return err
		}
		c.answer(frame)
	}
	users := []listedUser{}
	if c.server.userList {
		users = c.server.hub.userList(maxUserList)
	}
	encoded, err := json.Marshal(users)
	if err != nil {
		return err
	}
	list := append([]byte(`{"cmd":"ulist","mode":"set","val":`), encoded...)
	c.answer(finish(append(list, `,"rooms":"default"`...), p.listener))
	c.ok(p)
	return nil
}
