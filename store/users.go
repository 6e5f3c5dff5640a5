package store

import (
	"context"
	"time"
)

// UserFlags is a bit set that says what a user is.
type UserFlags int64

// The user flags, by bit number.
const (
	UserSystem UserFlags = 1 << iota
	UserChild
	UserBot
	UserVerifiedBot
	UserDeleted
	UserNotSafeForKids
	UserAgeNotConfirmed
	UserRequireEmail
	UserRequireMFA
)

// AdminBits is the bit set of an admin's powers; zero is no admin.
type AdminBits int64

// The admin bits, by bit number.
const (
	AdminAccessReports AdminBits = 1 << iota
	AdminModerateUsers
	AdminModerateIPs
	AdminModeratePosts
	AdminModerateChats
	AdminManageUsers
	AdminManageBots
	AdminManageOAuth
	AdminManageSystem
)

// The kinds of icon.
const (
	IconPreset = 0 // Preset is the number of a built-in picture
	IconUpload = 1 // Upload is the id of an uploaded file
)

// Icon is a user's picture: a number for presets, otherwise a text.
type Icon struct {
	Type   int    `bson:"type"`
	Preset int64  `bson:"preset"`
	Upload string `bson:"upload,omitempty"`
}

// Theme is a user's colours as CSS hex colours; an empty one is unset. Empty
// ones are kept too, since FerretDB tells documents apart by their values alone.
type Theme struct {
	Main          string `bson:"main"`
	MainAlternate string `bson:"main_alternate"`
	MainHighlight string `bson:"main_highlight"`
	MainShadow    string `bson:"main_shadow"`
	Background    string `bson:"background"`
	Text          string `bson:"text"`
	TextOnMain    string `bson:"text_on_main"`
}

// UserStats are counters that move in the same step as the act they count.
type UserStats struct {
	Followers int64 `bson:"followers"`
	Following int64 `bson:"following"`
	Posts     int64 `bson:"posts"`
}

// User is a person or a bot as the community knows it.
type User struct {
	ID            string    `bson:"_id"`
	Username      string    `bson:"username"`
	LowerUsername string    `bson:"lower_username"` // unique
	Flags         UserFlags `bson:"flags"`
	Admin         AdminBits `bson:"admin"`
	Icon          Icon      `bson:"icon"`
	Theme         Theme     `bson:"theme"`
	Quote         string    `bson:"quote"`
	Badges        []string  `bson:"badges,omitempty"`
	Stats         UserStats `bson:"stats"`
	// BotSession is the version of a bot's token; zero for people.
	BotSession  int64      `bson:"bot_session,omitempty"`
	RedirectTo  string     `bson:"redirect_to,omitempty"`
	DeleteAfter *time.Time `bson:"delete_after,omitempty"`
	Created     time.Time  `bson:"created"`
}

// UserChange says which fields of a user become what; nil fields stay.
type UserChange struct {
	Username *string // LowerUsername follows
	Quote    *string
	Icon     *Icon
	Theme    *Theme
}

// Apply returns u as it is after the change.
func (c UserChange) Apply(u User) User {
	if c.Username != nil {
		u.Username, u.LowerUsername = *c.Username, LowerUsername(*c.Username)
	}
	if c.Quote != nil {
		u.Quote = *c.Quote
	}
	if c.Icon != nil {
		u.Icon = *c.Icon
	}
	if c.Theme != nil {
		u.Theme = *c.Theme
	}
	return u
}

// LowerUsername is the form under which a username is unique. Names are ASCII
// (rest.md, register), so folding ASCII letters is enough.
func LowerUsername(name string) string {
	lower := []byte(name)
	for i, b := range lower {
		if 'A' <= b && b <= 'Z' {
			lower[i] = b + 'a' - 'A'
		}
	}
	return string(lower)
}

// ProfileChange is what a profile was until Time, kept for moderation.
type ProfileChange struct {
	ID       string    `bson:"_id"`
	UserID   string    `bson:"user_id"`
	Username string    `bson:"username"`
	Quote    string    `bson:"quote"`
	Icon     Icon      `bson:"icon"`
	Time     time.Time `bson:"time"`
}

// Users keeps users and the history of their profiles.
type Users interface {
	// CreateUser adds a user. ErrConflict when the id or LowerUsername is taken,
	// also under a race.
	CreateUser(ctx context.Context, u User) error
	// User returns the user with that id, deleted ones included.
	User(ctx context.Context, id string) (User, error)
	// UserByName returns the user whose LowerUsername is lower.
	UserByName(ctx context.Context, lower string) (User, error)
	// UsersByID returns those of the users that exist, by id, in one round trip
	// however many are asked for; repeated ids do no harm.
	UsersByID(ctx context.Context, ids []string) (map[string]User, error)
	// UpdateUser applies the change in one step and returns the user as it was
	// before and as it is after. ErrConflict when the new name is taken by
	// another user; a change of nothing but case in one's own name is fine.
	UpdateUser(ctx context.Context, id string, change UserChange) (before, after User, err error)
	// AddProfileChange appends to a user's profile history. ErrConflict when the
	// id is taken.
	AddProfileChange(ctx context.Context, change ProfileChange) error
	// ProfileHistory returns a page of a user's profile history, newest first.
	ProfileHistory(ctx context.Context, userID string, page Page) ([]ProfileChange, error)
}
