package store

import (
	"context"
	"time"
)

// ChatFlags is a bit set that says what a chat is.
type ChatFlags int64

// The chat flags, by bit number.
const (
	ChatInviteCodeDisabled ChatFlags = 1 << iota
	ChatVanityInviteCode
	ChatNotSafeForKids
)

// The permission levels of a chat's members.
const (
	ChatMemberLevel    = 0
	ChatModeratorLevel = 1
	ChatOwnerLevel     = 2
)

// Chat is a private room of its members.
type Chat struct {
	ID     string `bson:"_id"`
	Name   string `bson:"name,omitempty"` // empty for direct chats
	Direct bool   `bson:"direct"`
	// DirectKey is the two user ids of a direct chat in order, joined by a
	// colon, under which it is unique; empty for others.
	DirectKey   string         `bson:"direct_key,omitempty"`
	Flags       ChatFlags      `bson:"flags"`
	Members     []string       `bson:"members"`     // user ids, longest-standing first
	Permissions map[string]int `bson:"permissions"` // by user id; absent is ChatMemberLevel; not nil when returned
	InviteCode  string         `bson:"invite_code,omitempty"`
	Created     time.Time      `bson:"created"`
	Deleted     bool           `bson:"deleted"`
}

// Chats keeps chats.
type Chats interface {
	// CreateChat adds a chat. ErrConflict when the id, a non-empty DirectKey or
	// a non-empty InviteCode is taken.
	CreateChat(ctx context.Context, c Chat) error
	// Chat returns the chat with that id. Deleted chats are ErrNotFound.
	Chat(ctx context.Context, id string) (Chat, error)
	// ChatIDsOf returns the ids of the chats that the user is a member of and
	// that are not deleted, newest first.
	ChatIDsOf(ctx context.Context, userID string) ([]string, error)
}
