package mongo

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"

	"meower/store"
)

// CreateNotification implements store.Notifications.
func (s *Store) CreateNotification(ctx context.Context, n store.Notification) error {
	return s.notifications.insert(ctx, n)
}

// CountUnread implements store.Notifications.
func (s *Store) CountUnread(ctx context.Context, userID string) (int64, error) {
	return s.notifications.count(ctx, bson.M{"recipient_id": userID, "read": false})
}
