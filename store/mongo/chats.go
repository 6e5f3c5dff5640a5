package mongo

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"

	"meower/store"
)

// CreateChat implements store.Chats.
func (s *Store) CreateChat(ctx context.Context, c store.Chat) error {
	return s.chats.insert(ctx, c)
}

// Chat implements store.Chats.
func (s *Store) Chat(ctx context.Context, id string) (store.Chat, error) {
	return s.chats.find(ctx, bson.M{"_id": id, "deleted": false})
}

// ChatIDsOf implements store.Chats.
func (s *Store) ChatIDsOf(ctx context.Context, userID string) ([]string, error) {
	chats, err := s.chats.list(ctx, bson.M{"members": userID, "deleted": false}, "-_id", 0)
	ids := make([]string, len(chats))
	for i, chat := range chats {
		ids[i] = chat.ID
	}
	return ids, err
}
