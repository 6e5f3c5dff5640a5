package cl4

import (
	"context"
	"encoding/json"
	"strings"
)

// direct sends a value to all connections of a user, who is named by id only.
func direct(ctx context.Context, c *conn, p packet) error {
	id := p.text("id")
	if strings.HasPrefix(id, "@") {
		return refuse(statusNotFound) // core would take it for a name
	}
	if err := c.server.core.Direct(ctx, c.principal, id, json.RawMessage(p.get("val").Raw)); err != nil {
		return err
	}
	c.ok(p)
	return nil
}
