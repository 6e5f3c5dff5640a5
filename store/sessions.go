package store

import (
	"context"
	"time"
)

// Device is what a client said of itself when it signed in.
type Device struct {
	UserAgent     string `bson:"user_agent"`
	ClientName    string `bson:"client_name"`
	ClientVersion string `bson:"client_version"`
	ClientType    string `bson:"client_type"`
}

// Session is one sign-in of a person.
type Session struct {
	ID     string `bson:"_id"`
	UserID string `bson:"user_id"`
	// Version is the version of the token that is good now; refreshing raises it.
	Version   int64  `bson:"version"`
	Device    Device `bson:"device"`
	IPAddress string `bson:"ip_address"`
	Country   string `bson:"country,omitempty"`
	// LastRefreshed is when the version last changed, LastUsed when the session
	// was last seen in use (to the hour); an idle session ends by LastUsed.
	LastRefreshed time.Time `bson:"last_refreshed"`
	LastUsed      time.Time `bson:"last_used"`
	Created       time.Time `bson:"created"`
}

// Sessions keeps sessions. A session that ended is gone.
type Sessions interface {
	// CreateSession adds a session. ErrConflict when the id is taken.
	CreateSession(ctx context.Context, s Session) error
	// Session returns the session with that id.
	Session(ctx context.Context, id string) (Session, error)
	// SessionsOf returns a page of a user's sessions, newest first.
	SessionsOf(ctx context.Context, userID string, page Page) ([]Session, error)
	// RefreshSession raises the version by one, if it is version still, and sets
	// Device, IPAddress, Country, LastRefreshed and LastUsed from s (whose ID
	// names the session). It returns the session after. ErrConflict when the
	// version has moved on, ErrNotFound when the session is gone.
	RefreshSession(ctx context.Context, s Session, version int64) (Session, error)
	// TouchSession sets LastUsed; a session that is gone is no error.
	TouchSession(ctx context.Context, id string, at time.Time) error
	// DeleteSession removes a session and returns what it was.
	DeleteSession(ctx context.Context, id string) (Session, error)
	// DeleteSessions removes the sessions with those ids in one round trip; those
	// that are gone already are no error.
	DeleteSessions(ctx context.Context, ids []string) error
	// AllSessionsOf returns every session of a user, in no order.
	AllSessionsOf(ctx context.Context, userID string) ([]Session, error)
}
