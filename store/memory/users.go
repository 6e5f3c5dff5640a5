package memory

import (
	"context"
	"slices"

	"meower/store"
)

// users is every user, with the history of their profiles.
type users struct {
	table[store.User]
	byName    map[string]string // LowerUsername to id
	bots      int64
	history   table[store.ProfileChange]
	historyOf indexes // by user
}

func newUsers() users {
	return users{
		table:     newTable(copyUser),
		byName:    make(map[string]string),
		history:   newTable(copyProfileChange),
		historyOf: make(indexes),
	}
}

func copyUser(u store.User) store.User {
	u.Badges = slices.Clone(u.Badges)
	u.DeleteAfter = keptPointer(u.DeleteAfter)
	u.Created = kept(u.Created)
	return u
}

func copyProfileChange(c store.ProfileChange) store.ProfileChange {
	c.Time = kept(c.Time)
	return c
}

// stats returns the counters of a user to change them; where the user is not
// kept, as the built-in ones are not, the change goes nowhere.
func (u users) stats(id string) *store.UserStats {
	if user, ok := u.rows[id]; ok {
		return &user.Stats
	}
	return new(store.UserStats)
}

// CreateUser implements store.Users.
func (s *Store) CreateUser(ctx context.Context, u store.User) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if _, taken := s.users.byName[u.LowerUsername]; taken {
		return store.ErrConflict
	}
	if err := s.users.insert(u.ID, u); err != nil {
		return err
	}
	s.users.byName[u.LowerUsername] = u.ID
	if u.BotSession != 0 {
		s.users.bots++
	}
	return nil
}

// User implements store.Users.
func (s *Store) User(ctx context.Context, id string) (store.User, error) {
	if err := s.lock(ctx); err != nil {
		return store.User{}, err
	}
	defer s.mu.Unlock()
	return s.users.get(id)
}

// UserByName implements store.Users.
func (s *Store) UserByName(ctx context.Context, lower string) (store.User, error) {
	if err := s.lock(ctx); err != nil {
		return store.User{}, err
	}
	defer s.mu.Unlock()
	return s.users.get(s.users.byName[lower])
}

// UsersByID implements store.Users.
func (s *Store) UsersByID(ctx context.Context, ids []string) (map[string]store.User, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	found := make(map[string]store.User, len(ids))
	for _, id := range ids {
		if user, err := s.users.get(id); err == nil {
			found[id] = user
		}
	}
	return found, nil
}

// UpdateUser implements store.Users.
func (s *Store) UpdateUser(ctx context.Context, id string, change store.UserChange) (before, after store.User, err error) {
	if err := s.lock(ctx); err != nil {
		return store.User{}, store.User{}, err
	}
	defer s.mu.Unlock()
	before, err = s.users.get(id)
	if err != nil {
		return store.User{}, store.User{}, err
	}
	after = copyUser(change.Apply(before))
	if owner, taken := s.users.byName[after.LowerUsername]; taken && owner != id {
		return store.User{}, store.User{}, store.ErrConflict
	}
	delete(s.users.byName, before.LowerUsername)
	s.users.byName[after.LowerUsername] = id
	*s.users.rows[id] = copyUser(after)
	return before, after, nil
}

// AddProfileChange implements store.Users.
func (s *Store) AddProfileChange(ctx context.Context, change store.ProfileChange) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if err := s.users.history.insert(change.ID, change); err != nil {
		return err
	}
	s.users.historyOf.add(change.UserID, change.ID)
	return nil
}

// ProfileHistory implements store.Users.
func (s *Store) ProfileHistory(ctx context.Context, userID string, page store.Page) ([]store.ProfileChange, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	return s.users.history.list(s.users.historyOf[userID].page(page, everything)), nil
}
