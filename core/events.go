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
	EventUserUpdated          = "user_updated"               // user id → their own connections, and a part of it to subscribers
	EventSyncUpdated          = "sync_updated"               // user id → their own connections
	EventSessionCreated       = "session_created"            // user id → their own connections
	EventSessionUpdated       = "session_updated"            // user id → their own connections
	EventSessionDeleted       = "session_deleted"            // user id → their own connections; ends those of the session
	EventNotificationCount    = "notification_count_updated" // user id → their own connections
	EventInfractionCreated    = "infraction_created"         // user id → their own connections; a ban ends them
	EventInfractionUpdated    = "infraction_updated"         // user id → their own connections; a ban ends them
	EventInfractionDeleted    = "infraction_deleted"         // user id → their own connections
	EventRelationshipUpdated  = "relationship_updated"       // user id → their own connections
	EventPostStatusUpdated    = "post_status_updated"        // user id → their own connections
	EventCommentStatusUpdated = "comment_status_updated"     // user id → their own connections
	EventPostCreated          = "post_created"               // author id → subscribers of new posts
	EventPostUpdated          = "post_updated"               // post id → subscribers of the post
	EventPostDeleted          = "post_deleted"               // post id → subscribers of the post
	EventCommentCreated       = "comment_created"            // post id → subscribers of its comments
	EventCommentUpdated       = "comment_updated"            // post id → subscribers of its comments
	EventCommentDeleted       = "comment_deleted"            // post id → subscribers of its comments
	EventChatCreated          = "chat_created"               // id of who joined → their own connections
	EventChatDeleted          = "chat_deleted"               // id of who left → their own connections
	EventChatUpdated          = "chat_updated"               // chat id → its members
	EventTypingStart          = "typing_start"               // chat id → its members
	EventMessageCreated       = "message_created"            // chat id → its members
	EventMessageUpdated       = "message_updated"            // chat id → its members
	EventMessageDeleted       = "message_deleted"            // chat id → its members
	EventDirect               = "direct"                     // user id → their own connections
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
	c.send(ctx, bus.Event{Name: name, Whom: whom}, value)
}

// Tell publishes an event of a transport to its servers on all nodes. It is for
// the moment: the history does not keep it.
func (c *Core) Tell(ctx context.Context, name, whom string, value any) {
	c.send(ctx, bus.Event{Name: name, Whom: whom, Transient: true}, value)
}

func (c *Core) send(ctx context.Context, event bus.Event, value any) {
	encoded, err := json.Marshal(value)
	if err != nil {
		c.log.ErrorContext(ctx, "event cannot be encoded", slog.String("event", event.Name), slog.Any("error", err))
		return
	}
	// The client that caused the event may be gone; the others still want it.
	ctx = context.WithoutCancel(ctx)
	event.Value = encoded
	if err := c.bus.Publish(ctx, event); err != nil {
		c.log.WarnContext(ctx, "event did not reach other nodes", slog.String("event", event.Name), slog.Any("error", err))
	}
}
