package memory

import (
	"context"

	"meower/store"
)

// notifications is everyone's inbox.
type notifications struct {
	table[store.Notification]
	unread map[string]int64 // by recipient
}

func newNotifications() notifications {
	return notifications{table: newTable(copyNotification), unread: make(map[string]int64)}
}

func copyNotification(n store.Notification) store.Notification {
	n.Time = kept(n.Time)
	return n
}

// CreateNotification implements store.Notifications.
func (s *Store) CreateNotification(ctx context.Context, n store.Notification) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if err := s.notifications.insert(n.ID, n); err != nil {
		return err
	}
	if !n.Read {
		s.notifications.unread[n.RecipientID]++
	}
	return nil
}

// CountUnread implements store.Notifications.
func (s *Store) CountUnread(ctx context.Context, userID string) (int64, error) {
	if err := s.lock(ctx); err != nil {
		return 0, err
	}
	defer s.mu.Unlock()
	return s.notifications.unread[userID], nil
}
