package cl4

import "context"

// setid gives the client a name, once. Others may have the same.
func setid(_ context.Context, c *conn, p packet) error {
	username := p.text("val")
	if username == "" {
		return refuse(statusSyntax)
	}
	r, client := c.server.rooms, c.client
	if client.username != "" {
		return refuse(statusAlreadySet)
	}
	r.mu.Lock()
	r.name(client, username)
	for _, name := range client.rooms {
		room := r.rooms[name]
		room.named[client] = struct{}{}
		r.changed(room, "add", client)
	}
	r.tellNodes(client)
	r.mu.Unlock()
	if r.listed {
		r.answerLists(c, "")
	}
	b := append(beginStatus(statusOK, len(client.object)+len(p.listener)), `,"val":`...)
	c.answer(finish(append(b, client.object...), p.listener))
	return nil
}
