package core

import (
	"context"
	"errors"
	"strings"
	"time"

	"meower/store"
)

// MaxQuoteLength is the longest quote of a profile, in code points.
const MaxQuoteLength = 500

// System users exist without being stored (data.md, "Ids and times").
var (
	serverUser  = newSystemUser("0", "Server")
	deletedUser = newSystemUser("1", "Deleted")
	meowerUser  = newSystemUser("2", "Meower")

	systemUsers = []store.User{serverUser, deletedUser, meowerUser}
)

func newSystemUser(id, name string) store.User {
	return store.User{
		ID: id, Username: name, LowerUsername: store.LowerUsername(name), Flags: store.UserSystem,
		Created: time.Unix(0, 0), // they have always been there
	}
}

// systemUser returns the system user that matches, if one does.
func systemUser(matches func(store.User) bool) (store.User, bool) {
	for _, u := range systemUsers {
		if matches(u) {
			return u, true
		}
	}
	return store.User{}, false
}

func isReservedName(lower string) bool {
	_, reserved := systemUser(func(u store.User) bool { return u.LowerUsername == lower })
	return reserved
}

// user returns the user that an id, or a name behind "@", stands for.
// CodeNotFound where there is none, or no more.
func (c *Core) user(ctx context.Context, ref string) (store.User, error) {
	name, byName := strings.CutPrefix(ref, "@")
	lower := store.LowerUsername(name)
	if u, ok := systemUser(func(u store.User) bool {
		return !byName && u.ID == ref || byName && u.LowerUsername == lower
	}); ok {
		return u, nil
	}
	var user store.User
	var err error
	if byName {
		user, err = c.store.UserByName(ctx, lower)
	} else {
		user, err = c.store.User(ctx, ref)
	}
	if err != nil {
		return store.User{}, notFound(err)
	}
	if user.Flags&store.UserDeleted != 0 {
		return store.User{}, Err(CodeNotFound)
	}
	return user, nil
}

// User returns the public view of a user by id or "@name", and the client view
// to the user themselves. viewer is nil for someone who is not signed in.
func (c *Core) User(ctx context.Context, viewer *Principal, ref string) (any, error) {
	user, err := c.user(ctx, ref)
	if err != nil {
		return nil, err
	}
	if viewer != nil && viewer.User.ID == user.ID {
		return clientUser(user), nil
	}
	return publicUser(user), nil
}

// authors returns the partial views of the users with these ids, in one store
// call. Who is gone is the Deleted user.
func (c *Core) authors(ctx context.Context, ids []string) (func(id string) PartialUser, error) {
	var users map[string]store.User
	if len(ids) > 0 {
		var err error
		if users, err = c.store.UsersByID(ctx, ids); err != nil {
			return nil, err
		}
	}
	return func(id string) PartialUser {
		if u, ok := users[id]; ok && u.Flags&store.UserDeleted == 0 {
			return partialUser(u)
		}
		if u, ok := systemUser(func(u store.User) bool { return u.ID == id }); ok {
			return partialUser(u)
		}
		return partialUser(deletedUser)
	}, nil
}

// Profile returns the principal's own view of themselves.
func (c *Core) Profile(p *Principal) ClientUser { return clientUser(p.User) }

// ProfileChange says what to change about one's profile; nil fields stay.
// Username and Quote have been checked for form.
type ProfileChange struct {
	Username *string
	Quote    *string
	Icon     *store.Icon
}

// UpdateProfile changes the principal's profile, keeps what it was, and tells
// the user's own clients and their subscribers. CodeAlreadyExists when the name
// is taken or reserved; then nothing has changed.
func (c *Core) UpdateProfile(ctx context.Context, p *Principal, change ProfileChange) (ClientUser, error) {
	if change.Username != nil && isReservedName(store.LowerUsername(*change.Username)) {
		return ClientUser{}, Err(CodeAlreadyExists)
	}
	before, after, err := c.store.UpdateUser(ctx, p.User.ID, store.UserChange{
		Username: change.Username,
		Quote:    change.Quote,
		Icon:     change.Icon,
	})
	if errors.Is(err, store.ErrConflict) {
		return ClientUser{}, Err(CodeAlreadyExists)
	}
	if err != nil {
		return ClientUser{}, notFound(err)
	}
	update := profileUpdate(before, after)
	if update == nil {
		return clientUser(after), nil
	}
	err = c.store.AddProfileChange(ctx, store.ProfileChange{
		ID:       c.ids.Next(),
		UserID:   before.ID,
		Username: before.Username,
		Quote:    before.Quote,
		Icon:     before.Icon,
		Time:     c.now(),
	})
	c.publish(ctx, EventUserUpdated, after.ID, update) // the change stands, kept or not
	return clientUser(after), err
}

// userUpdate is the value of EventUserUpdated: the fields of the client view
// that changed.
type userUpdate struct {
	ID       string    `json:"id"`
	Username *string   `json:"username,omitempty"`
	Quote    *string   `json:"quote,omitempty"`
	Icon     *IconView `json:"icon,omitempty"`
}

// profileUpdate says what differs, nil where nothing does.
func profileUpdate(before, after store.User) *userUpdate {
	update := userUpdate{ID: after.ID}
	if before.Username != after.Username {
		update.Username = &after.Username
	}
	if before.Quote != after.Quote {
		update.Quote = &after.Quote
	}
	if before.Icon != after.Icon {
		icon := IconView(after.Icon)
		update.Icon = &icon
	}
	if update == (userUpdate{ID: after.ID}) {
		return nil
	}
	return &update
}
