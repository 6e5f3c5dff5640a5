package memory

import (
	"context"
	"maps"
	"slices"

	"meower/store"
)

// chats is every chat.
type chats struct {
	table[store.Chat]
	byDirectKey  map[string]string // to id; chats without one are not in it
	byInviteCode map[string]string // to id; chats without one are not in it
	of           indexes           // by member, deleted chats included
}

func newChats() chats {
	return chats{
		table:        newTable(copyChat),
		byDirectKey:  make(map[string]string),
		byInviteCode: make(map[string]string),
		of:           make(indexes),
	}
}

func copyChat(c store.Chat) store.Chat {
	c.Members = slices.Clone(c.Members)
	permissions := make(map[string]int, len(c.Permissions))
	maps.Copy(permissions, c.Permissions)
	c.Permissions = permissions
	c.Created = kept(c.Created)
	return c
}

// CreateChat implements store.Chats.
func (s *Store) CreateChat(ctx context.Context, c store.Chat) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if _, taken := s.chats.byDirectKey[c.DirectKey]; taken {
		return store.ErrConflict
	}
	if _, taken := s.chats.byInviteCode[c.InviteCode]; taken {
		return store.ErrConflict
	}
	if err := s.chats.insert(c.ID, c); err != nil {
		return err
	}
	if c.DirectKey != "" {
		s.chats.byDirectKey[c.DirectKey] = c.ID
	}
	if c.InviteCode != "" {
		s.chats.byInviteCode[c.InviteCode] = c.ID
	}
	for _, member := range c.Members {
		s.chats.of.add(member, c.ID)
	}
	return nil
}

// Chat implements store.Chats.
func (s *Store) Chat(ctx context.Context, id string) (store.Chat, error) {
	if err := s.lock(ctx); err != nil {
		return store.Chat{}, err
	}
	defer s.mu.Unlock()
	chat, err := s.chats.get(id)
	if err != nil || chat.Deleted {
		return store.Chat{}, store.ErrNotFound
	}
	return chat, nil
}

// ChatIDsOf implements store.Chats.
func (s *Store) ChatIDsOf(ctx context.Context, userID string) ([]string, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	ids := s.chats.of[userID].newestFirst()
	return slices.DeleteFunc(ids, func(id string) bool { return s.chats.rows[id].Deleted }), nil
}
