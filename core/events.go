package core

import (
	"context"
	"encoding/json"
	"log/slog"

	"meower/bus"
)

// The events, by the names under which the bus and the clients know them. The
// comment says what Whom holds and who gets the event (cl4.md, "Events").
const (
	EventUserUpdated         = "user_updated"         // user id → their own connections, and a part of it to subscribers
	EventSessionCreated      = "session_created"      // user id → their own connections
	EventSessionUpdated      = "session_updated"      // user id → their own connections
	EventSessionDeleted      = "session_deleted"      // user id → their own connections
	EventRelationshipUpdated = "relationship_updated" // user id → their own connections
	EventPostCreated         = "post_created"         // author id → subscribers of new posts
	EventPostUpdated         = "post_updated"         // post id → subscribers of the post
	EventPostDeleted         = "post_deleted"         // post id → subscribers of the post
	EventDirect              = "direct"               // user id → their own connections
)

// DirectEvent is the value of EventDirect: what one user sends to another's
// connections.
type DirectEvent struct {
	Value  json.RawMessage `json:"val"`
	Origin Origin          `json:"origin"`
}

// Origin names who sent something.
type Origin struct {
	ID       string `json:"id"`
	Username string `json:"username"`
}

// idOnly is the value of events that say no more than what they concern.
type idOnly struct {
	ID string `json:"id"`
}

// publish tells all nodes that something has happened. It comes after the act
// has been stored, so a failure is logged and not the caller's: the act stands,
// and this node's clients have heard of it already.
func (c *Core) publish(ctx context.Context, name, whom string, value any) {
	encoded, err := json.Marshal(value)
	if err != nil {
		c.log.ErrorContext(ctx, "event cannot be encoded", slog.String("event", name), slog.Any("error", err))
		return
	}
	// The client that caused the event may be gone; the others still want it.
	ctx = context.WithoutCancel(ctx)
	if err := c.bus.Publish(ctx, bus.Event{Name: name, Whom: whom, Value: encoded}); err != nil {
		c.log.WarnContext(ctx, "event did not reach other nodes", slog.String("event", name), slog.Any("error", err))
	}
}
