package mongo

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
	"golang.org/x/sync/errgroup"

	"meower/store"
)

// Counts implements store.Store: all but the bots are estimates, which cost the
// server nothing. It asks for all of them at once.
func (s *Store) Counts(ctx context.Context) (store.Counts, error) {
	var c store.Counts
	group, ctx := errgroup.WithContext(ctx)
	for n, count := range map[*int64]func(context.Context) (int64, error){
		&c.Accounts:     s.accounts.estimate,
		&c.Posts:        s.posts.estimate,
		&c.PostLikes:    s.postLikes.estimate,
		&c.PostMeows:    s.postMeows.estimate,
		&c.Chats:        s.chats.estimate,
		&c.ChatMessages: s.chatMessages.estimate,
		&c.Infractions:  s.infractions.estimate,
		&c.Bots: func(ctx context.Context) (int64, error) {
			return s.users.count(ctx, bson.M{"bot_session": bson.M{"$gt": 0}})
		},
	} {
		group.Go(func() (err error) {
			*n, err = count(ctx)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return store.Counts{}, err
	}
	return c, nil
}
