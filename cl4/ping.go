package cl4

import "context"

// ping answers that the connection is alive.
func ping(_ context.Context, c *conn, p packet) error {
	c.ok(p)
	return nil
}
