package store

import (
	"context"
	"time"
)

// InfractionFlags is a bit set that says how an infraction works.
type InfractionFlags int64

// The infraction flags, by bit number.
const (
	InfractionAutomatic InfractionFlags = 1 << iota
	InfractionDetectAlts
	InfractionPoisonous
	InfractionBlockAppeals
)

// The actions of an infraction.
const (
	ActionWarning    = 0
	ActionSuspension = 1
	ActionBan        = 2
)

// The states of an infraction's appeal.
const (
	InfractionNoAppeal       = 0
	InfractionAppealPending  = 1
	InfractionMoreInfoWanted = 2
	InfractionUpheld         = 3
	InfractionOverturned     = 4
)

// Infraction is a moderator's measure against a user.
type Infraction struct {
	ID               string          `bson:"_id"`
	UserID           string          `bson:"user_id"`
	Action           int             `bson:"action"`
	Reason           string          `bson:"reason"`
	OffendingContent []string        `bson:"offending_content,omitempty"`
	Flags            InfractionFlags `bson:"flags"`
	Status           int             `bson:"status"`
	Created          time.Time       `bson:"created"`
	Expires          *time.Time      `bson:"expires,omitempty"` // nil is never
}

// Active reports whether the measure is in force at now: not overturned, not
// expired.
func (i Infraction) Active(now time.Time) bool {
	return i.Status != InfractionOverturned && (i.Expires == nil || i.Expires.After(now))
}

// Infractions keeps infractions.
type Infractions interface {
	// CreateInfraction adds an infraction. ErrConflict when the id is taken.
	CreateInfraction(ctx context.Context, i Infraction) error
	// InfractionsOf returns every infraction of a user, newest first.
	InfractionsOf(ctx context.Context, userID string) ([]Infraction, error)
}
