package store

import (
	"context"
	"time"
)

// Notification tells a user in their inbox that something happened.
type Notification struct {
	ID          string    `bson:"_id"`
	RecipientID string    `bson:"recipient_id"`
	Type        int       `bson:"type"`
	Content     string    `bson:"content,omitempty"`
	Read        bool      `bson:"read"`
	Time        time.Time `bson:"time"`
}

// Notifications keeps inboxes.
type Notifications interface {
	// CreateNotification adds a notification. ErrConflict when the id is taken.
	CreateNotification(ctx context.Context, n Notification) error
	// CountUnread returns how many of a user's notifications are unread.
	CountUnread(ctx context.Context, userID string) (int64, error)
}
