package core

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// ticketKind says what a ticket is good for. A ticket of one kind is no good
// for another.
type ticketKind string

// The kinds of ticket.
const verificationTicket ticketKind = "verification"

// ticketLife is how long a ticket of a kind is good (data.md).
var ticketLife = map[ticketKind]time.Duration{verificationTicket: time.Minute}

// ticket is what Redis keeps under a ticket's id until it is used.
type ticket struct {
	Kind   ticketKind `json:"kind"`
	UserID string     `json:"user_id"`
}

func ticketKey(id string) string { return "tic:" + id }

// issueTicket makes a ticket that is good once.
func (c *Core) issueTicket(ctx context.Context, t ticket) (string, error) {
	content, err := json.Marshal(t)
	if err != nil {
		return "", err
	}
	id := rand.Text()
	if err := c.redis.Set(ctx, ticketKey(id), content, ticketLife[t.Kind]).Err(); err != nil {
		return "", fmt.Errorf("issue ticket: %w", err)
	}
	return c.tokens.sign(token{typ: ticketToken, id: id}), nil
}

// consumeTicket uses a ticket up. CodeInvalidTicket when it is not a ticket of
// that kind for that user, or has been used or has run out. Reading and removing
// are one step, so of two uses at the same time one fails.
func (c *Core) consumeTicket(ctx context.Context, raw string, kind ticketKind, userID string) error {
	parsed, ok := c.tokens.parse(raw)
	if !ok || parsed.typ != ticketToken {
		return Err(CodeInvalidTicket)
	}
	content, err := c.redis.GetDel(ctx, ticketKey(parsed.id)).Bytes()
	if errors.Is(err, redis.Nil) {
		return Err(CodeInvalidTicket)
	}
	if err != nil {
		return fmt.Errorf("consume ticket: %w", err)
	}
	var t ticket
	if err := json.Unmarshal(content, &t); err != nil {
		return fmt.Errorf("consume ticket: %w", err)
	}
	if t.Kind != kind || t.UserID != userID {
		return Err(CodeInvalidTicket)
	}
	return nil
}
