package mongo

import (
	"context"
	"fmt"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"

	"meower/store"
	"meower/store/storetest"
)

// moment is a time like any other.
var moment = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// crowd is a user who has n of everything.
type crowd struct {
	*Store
	n    int
	user string
	ids  []string // of everything else
}

// newCrowd fills a store. It takes few round trips itself.
func newCrowd(t *testing.T, s *Store, n int) crowd {
	t.Helper()
	c := crowd{Store: s, n: n, user: storetest.NewID(), ids: storetest.NewIDs(n)}
	for documents, one := range map[*mongo.Collection]func(id string) any{
		s.users.documents: func(id string) any { return store.User{ID: id, LowerUsername: id} },
		s.profileHistory.documents: func(id string) any {
			return store.ProfileChange{ID: id, UserID: c.user}
		},
		s.sessions.documents: func(id string) any { return store.Session{ID: id, UserID: c.user} },
		s.posts.documents:    func(id string) any { return store.Post{ID: id, AuthorID: c.user} },
		s.postRevisions.documents: func(id string) any {
			return store.PostRevision{ID: id, PostID: c.user, Public: true}
		},
		s.chats.documents:         func(id string) any { return store.Chat{ID: id, Members: []string{c.user}} },
		s.follows.documents:       func(id string) any { return edge{ID: pair{c.user, id}} },
		s.blocks.documents:        func(id string) any { return edge{ID: pair{c.user, id}} },
		s.infractions.documents:   func(id string) any { return store.Infraction{ID: id, UserID: c.user} },
		s.notifications.documents: func(id string) any { return store.Notification{ID: id, RecipientID: c.user} },
	} {
		items := make([]any, n)
		for i, id := range c.ids {
			items[i] = one(id)
		}
		if _, err := documents.InsertMany(t.Context(), items); err != nil {
			t.Fatal(err)
		}
	}
	// BlockedBy is the one list that is read from the other end.
	for _, id := range c.ids[:min(n, 3)] {
		if err := s.Block(t.Context(), id, c.user, moment); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func (c crowd) page() store.Page { return store.Page{Limit: c.n} }

// expect checks that a list has all its items, and passes on its error.
func expect[T any](c crowd, items []T, err error) error {
	if err == nil && len(items) != c.n {
		return fmt.Errorf("%d items, want %d", len(items), c.n)
	}
	return err
}

// roundTrips are calls of every method that succeed, and how many round trips
// each may take, however much there is. They run in this order.
var roundTrips = []struct {
	method string
	want   int
	call   func(ctx context.Context, c crowd) error
}{
	{"Ping", 1, func(ctx context.Context, c crowd) error { return c.Ping(ctx) }},
	{"Counts", 8, func(ctx context.Context, c crowd) error { return errorOf(c.Counts(ctx)) }},

	{"CreateUser", 1, func(ctx context.Context, c crowd) error {
		return c.CreateUser(ctx, store.User{ID: c.user, LowerUsername: c.user})
	}},
	{"User", 1, func(ctx context.Context, c crowd) error { return errorOf(c.User(ctx, c.user)) }},
	{"UserByName", 1, func(ctx context.Context, c crowd) error { return errorOf(c.UserByName(ctx, c.user)) }},
	{"UsersByID", 1, func(ctx context.Context, c crowd) error {
		users, err := c.UsersByID(ctx, c.ids)
		return expect(c, make([]int, len(users)), err)
	}},
	{"UpdateUser", 1, func(ctx context.Context, c crowd) error {
		_, _, err := c.UpdateUser(ctx, c.user, store.UserChange{Quote: &c.user})
		return err
	}},
	{"AddProfileChange", 1, func(ctx context.Context, c crowd) error {
		return c.AddProfileChange(ctx, store.ProfileChange{ID: storetest.NewID(), UserID: c.user})
	}},
	{"ProfileHistory", 1, func(ctx context.Context, c crowd) error {
		changes, err := c.ProfileHistory(ctx, c.user, c.page())
		return expect(c, changes, err)
	}},

	{"CreateAccount", 1, func(ctx context.Context, c crowd) error {
		return c.CreateAccount(ctx, store.Account{ID: c.user, EmailLower: c.user})
	}},
	{"Account", 1, func(ctx context.Context, c crowd) error { return errorOf(c.Account(ctx, c.user)) }},
	{"AccountByEmail", 1, func(ctx context.Context, c crowd) error { return errorOf(c.AccountByEmail(ctx, c.user)) }},
	{"DeleteAccount", 1, func(ctx context.Context, c crowd) error { return c.DeleteAccount(ctx, c.user) }},

	{"AllSessionsOf", 1, func(ctx context.Context, c crowd) error {
		sessions, err := c.AllSessionsOf(ctx, c.user)
		return expect(c, sessions, err)
	}},
	{"CreateSession", 1, func(ctx context.Context, c crowd) error {
		return c.CreateSession(ctx, store.Session{ID: c.user, UserID: c.user})
	}},
	{"Session", 1, func(ctx context.Context, c crowd) error { return errorOf(c.Session(ctx, c.user)) }},
	{"SessionsOf", 1, func(ctx context.Context, c crowd) error {
		sessions, err := c.SessionsOf(ctx, c.user, c.page())
		return expect(c, sessions, err)
	}},
	{"RefreshSession", 1, func(ctx context.Context, c crowd) error {
		return errorOf(c.RefreshSession(ctx, store.Session{ID: c.user}, 0))
	}},
	{"TouchSession", 1, func(ctx context.Context, c crowd) error { return c.TouchSession(ctx, c.user, moment) }},
	{"DeleteSession", 1, func(ctx context.Context, c crowd) error { return errorOf(c.DeleteSession(ctx, c.user)) }},
	{"DeleteSessions", 1, func(ctx context.Context, c crowd) error { return c.DeleteSessions(ctx, c.ids) }},

	{"CountRegistration", 1, func(ctx context.Context, c crowd) error {
		return errorOf(c.CountRegistration(ctx, c.user, moment))
	}},
	{"BlockNetwork", 1, func(ctx context.Context, c crowd) error { return c.BlockNetwork(ctx, c.user, true, true) }},
	{"Network", 1, func(ctx context.Context, c crowd) error { return errorOf(c.Network(ctx, c.user)) }},

	{"CreatePost", 2, func(ctx context.Context, c crowd) error {
		return c.CreatePost(ctx, store.Post{ID: c.user, AuthorID: c.user})
	}},
	{"Post", 1, func(ctx context.Context, c crowd) error { return errorOf(c.Post(ctx, c.user)) }},
	{"LatestPosts", 1, func(ctx context.Context, c crowd) error {
		posts, err := c.LatestPosts(ctx, c.ids, c.page())
		return expect(c, posts, err)
	}},
	{"PostsBy", 1, func(ctx context.Context, c crowd) error {
		posts, err := c.PostsBy(ctx, c.user, c.page())
		return expect(c, posts, err)
	}},
	{"PublicRevisions", 1, func(ctx context.Context, c crowd) error {
		revisions, err := c.PublicRevisions(ctx, c.user, c.page())
		return expect(c, revisions, err)
	}},
	{"EditPost", 2, func(ctx context.Context, c crowd) error {
		return errorOf(c.EditPost(ctx, c.user, store.PostEdit{RevisionID: storetest.NewID()}))
	}},
	{"DeletePost", 2, func(ctx context.Context, c crowd) error { return c.DeletePost(ctx, c.user, moment) }},

	{"ChatIDsOf", 1, func(ctx context.Context, c crowd) error {
		ids, err := c.ChatIDsOf(ctx, c.user)
		return expect(c, ids, err)
	}},
	{"CreateChat", 1, func(ctx context.Context, c crowd) error {
		return c.CreateChat(ctx, store.Chat{ID: c.user, Members: c.ids})
	}},
	{"Chat", 1, func(ctx context.Context, c crowd) error { return errorOf(c.Chat(ctx, c.user)) }},

	{"Following", 1, func(ctx context.Context, c crowd) error {
		ids, err := c.Following(ctx, c.user)
		return expect(c, ids, err)
	}},
	{"Follow", 2, func(ctx context.Context, c crowd) error { return c.Follow(ctx, c.user, "0", moment) }},
	{"Unfollow", 2, func(ctx context.Context, c crowd) error { return c.Unfollow(ctx, c.user, "0") }},
	{"Blocked", 1, func(ctx context.Context, c crowd) error {
		ids, err := c.Blocked(ctx, c.user)
		return expect(c, ids, err)
	}},
	{"BlockedBy", 1, func(ctx context.Context, c crowd) error { return errorOf(c.BlockedBy(ctx, c.user)) }},
	{"EitherBlocks", 1, func(ctx context.Context, c crowd) error {
		return errorOf(c.EitherBlocks(ctx, c.ids[0], c.user))
	}},
	{"Block", 1, func(ctx context.Context, c crowd) error { return c.Block(ctx, c.user, "0", moment) }},
	{"Unblock", 1, func(ctx context.Context, c crowd) error { return c.Unblock(ctx, c.user, "0") }},

	{"InfractionsOf", 1, func(ctx context.Context, c crowd) error {
		infractions, err := c.InfractionsOf(ctx, c.user)
		return expect(c, infractions, err)
	}},
	{"CreateInfraction", 1, func(ctx context.Context, c crowd) error {
		return c.CreateInfraction(ctx, store.Infraction{ID: c.user, UserID: c.user})
	}},
	{"CountUnread", 1, func(ctx context.Context, c crowd) error {
		n, err := c.CountUnread(ctx, c.user)
		return expect(c, make([]int, n), err)
	}},
	{"CreateNotification", 1, func(ctx context.Context, c crowd) error {
		return c.CreateNotification(ctx, store.Notification{ID: c.user, RecipientID: c.user})
	}},
}

func errorOf[T any](_ T, err error) error { return err }

// TestRoundTrips checks that every method takes as many round trips as the table
// says, for a few items and for more than a server sends by itself at once.
func TestRoundTrips(t *testing.T) {
	var sent recorder
	s := use(t, withMonitor(sent.monitor()))
	for _, n := range []int{1, 150} {
		t.Run(fmt.Sprintf("items=%d", n), func(t *testing.T) {
			c := newCrowd(t, s, n)
			untested := storetest.Methods(s)
			for _, r := range roundTrips {
				delete(untested, r.method)
				sent.reset()
				if err := r.call(t.Context(), c); err != nil {
					t.Errorf("%s: %v", r.method, err)
				}
				if got := sent.trips(); got != r.want {
					t.Errorf("%s takes %d round trips, want %d: %v", r.method, got, r.want, sent.commands())
				}
			}
			for method := range untested {
				t.Errorf("the round trips of %s are not counted", method)
			}
		})
	}
}
