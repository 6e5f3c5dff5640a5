package mongo

import (
	"context"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"meower/store"
)

// CreateUser implements store.Users.
func (s *Store) CreateUser(ctx context.Context, u store.User) error {
	return s.users.insert(ctx, u)
}

// User implements store.Users.
func (s *Store) User(ctx context.Context, id string) (store.User, error) {
	return s.users.find(ctx, byID(id))
}

// UserByName implements store.Users.
func (s *Store) UserByName(ctx context.Context, lower string) (store.User, error) {
	return s.users.find(ctx, bson.M{"lower_username": lower})
}

// UsersByID implements store.Users.
func (s *Store) UsersByID(ctx context.Context, ids []string) (map[string]store.User, error) {
	found := make(map[string]store.User, len(ids))
	if len(ids) == 0 {
		return found, nil
	}
	users, err := s.users.list(ctx, among(ids), "", 0)
	for _, u := range users {
		found[u.ID] = u
	}
	return found, err
}

// UpdateUser implements store.Users.
func (s *Store) UpdateUser(ctx context.Context, id string, change store.UserChange) (before, after store.User, err error) {
	if set := changed(change); len(set) > 0 {
		before, err = s.users.modify(ctx, byID(id), bson.M{"$set": set})
	} else {
		before, err = s.users.find(ctx, byID(id))
	}
	if err != nil {
		return store.User{}, store.User{}, err
	}
	// Nothing else can have come in between, so this is what the server has made
	// of it, without asking again.
	after = change.Apply(before)
	after.Badges = slices.Clone(before.Badges)
	if at := before.DeleteAfter; at != nil {
		after.DeleteAfter = new(*at)
	}
	return before, after, nil
}

// changed returns the fields that a change sets.
func changed(change store.UserChange) bson.M {
	set := bson.M{}
	if change.Username != nil {
		set["username"] = *change.Username
		set["lower_username"] = store.LowerUsername(*change.Username)
	}
	if change.Quote != nil {
		set["quote"] = *change.Quote
	}
	if change.Icon != nil {
		set["icon"] = *change.Icon
	}
	if change.Theme != nil {
		set["theme"] = *change.Theme
	}
	return set
}

// AddProfileChange implements store.Users.
func (s *Store) AddProfileChange(ctx context.Context, change store.ProfileChange) error {
	return s.profileHistory.insert(ctx, change)
}

// ProfileHistory implements store.Users.
func (s *Store) ProfileHistory(ctx context.Context, userID string, page store.Page) ([]store.ProfileChange, error) {
	return s.profileHistory.page(ctx, bson.M{"user_id": userID}, page)
}
