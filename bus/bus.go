// Package bus carries events between the nodes that share one Redis.
package bus

import (
	"context"
	"encoding/json"
	"errors"
)

// ErrClosed is what Publish returns once the bus has been closed.
var ErrClosed = errors.New("bus: closed")

// Event is something that happened, on its way to whoever may hear of it.
type Event struct {
	// Name is the event's name, such as "post_created"; it is the channel's
	// name behind "meower:" (data.md, "Redis").
	Name string
	// Whom is the id of what the event concerns, by which a node finds the
	// connections that get it. What kind of id it is depends on the name.
	Whom string
	// Value is the event's value, JSON encoded once by the publisher. It must
	// not be changed by anyone afterwards.
	Value json.RawMessage
	// Transient events are for the moment: the history does not keep them.
	Transient bool
	// Prior is the node's position before this event; zero where that is not
	// known, or the event is not kept. The bus sets it for handlers; publishers
	// leave it alone.
	Prior Position
}

// Position says which events a node has handed to its handlers up to a moment.
// That cannot be one place in the history, since a node hands out its own events
// before the history has them. It can be kept as JSON. The zero value is an
// unknown position.
type Position struct {
	// Seen is the id, in the history, of the latest entry that has reached the
	// node; empty where there has been none yet.
	Seen string `json:"s"`
	// Node is whose position it is.
	Node string `json:"n"`
	// Own is the number of the node's latest own event.
	Own int64 `json:"o"`
	// Through, set by Settle, is the id of an entry that comes after none that the
	// position has.
	Through string `json:"t,omitempty"`
}

// ErrNoHistory is what Missed returns where it cannot be known what was missed.
var ErrNoHistory = errors.New("bus: what was missed cannot be known")

// Handler takes events in the order in which they reach the node. All handlers
// of a node are called one at a time: for the node's own events on the
// publisher's goroutine, for those of others on the bus's reader. So it must not
// block, and must not publish.
//
// The bus does not recover a handler's panic: whatever the handler left half
// changed would go on giving wrong answers. On the reader it ends the process;
// on a publisher's goroutine it goes up to the publisher, before the other
// nodes hear of the event, so that one event cannot take all nodes down in turn.
type Handler func(Event)

// Bus publishes events to all nodes and hands every event to the node's own
// handlers exactly once. It is safe for concurrent use.
type Bus interface {
	// Publish hands the event to this node's handlers, then to the other nodes.
	// It returns an error when the other nodes could not be told, or cannot be
	// known to have been told; this node's handlers have been called all the
	// same. After Close it does nothing and returns ErrClosed. Where one call
	// returned before the next one began, on the same node, the handlers of every
	// node get their events in this order. Events of different nodes have no
	// order: a node hears its own at once and those of others a little later.
	Publish(ctx context.Context, event Event) error
	// Subscribe adds a handler for every event from now on. The handler is not
	// called any more once cancel has returned: cancel waits for calls under
	// way, so a handler must not wait for its own cancel. Calling cancel again
	// does no harm.
	Subscribe(handler Handler) (cancel func())
	// OnGap adds a function that is called when events of other nodes may have
	// been lost on the way to this node. What was lost happened before the call;
	// what happens after it is delivered, so whoever reads the state afresh from
	// then on has missed nothing. The function is like a Handler in all else.
	OnGap(gap func()) (cancel func())
	// Between calls f with the node's position while no handler is being called:
	// every event up to the position has been handed to all handlers, and none
	// after it. f must not block, nor publish.
	Between(f func(Position))
	// Missed returns the events that are in to, a position of this node, and not
	// in from, a position of any node, in the order of the history. The Prior of
	// each is a position from which it and those after it are missed, zero where
	// there is none. The error is ErrNoHistory, wrapped, where it cannot promise to
	// know them all: they are too many or too long ago, some were lost on their
	// way, or the history does not answer.
	Missed(ctx context.Context, from, to Position) ([]Event, error)
	// Settle waits until the history has all events that are in p, a position of
	// this node or one that it has reached, and returns it in a form with which
	// other nodes can Reach it. Its errors are those of Missed.
	Settle(ctx context.Context, p Position) (Position, error)
	// Reach waits until this node has handed to its handlers all events that are in
	// p, a settled position of any node, so that none of them comes later. Its
	// errors are those of Missed.
	Reach(ctx context.Context, p Position) error
	// Close ends the bus's work and waits for it. Handlers are not called
	// afterwards, so like cancel it must not be called by one. Closing again
	// does no harm.
	Close() error
}
