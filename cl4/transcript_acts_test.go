package cl4

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"meower/core"
	"meower/store"
)

// act is something that can be done in a transcript, and what the words behind
// its name are. Those in brackets may be missing, and the last may be several.
type act struct {
	words string
	do    func(s *stage, words []string)
}

// acts are all acts by name. What core can do it does, so that the events are the
// real ones. It is filled once and only read after.
var acts = map[string]act{
	// Clients come, with the ready that connect expects, and go.
	"connect":  {"CLIENT [AFTER]", (*stage).connectClient}, // AFTER is the client where it goes on
	"drop":     {"CLIENT", (*stage).dropClient},            // as a lost network does
	"shutdown": {"", (*stage).shutdown},
	"redis-down": {"", func(s *stage, _ []string) {
		s.stopRedis()
	}},

	// A client's session is that of the user's registration, or the one of login.
	"login": {"CLIENT", func(s *stage, w []string) {
		s.signIns[w[0]] = s.login(strings.TrimRight(w[0], "0123456789"))
	}},
	"refresh": {"CLIENT", func(s *stage, w []string) {
		_, err := s.core.Refresh(context.Background(), s.signIn(w[0]).principal, core.Client{Address: testAddress})
		must(s.t, err)
	}},
	"logout": {"CLIENT", func(s *stage, w []string) {
		must(s.t, s.core.Logout(context.Background(), s.signIn(w[0]).principal))
	}},
	"revoke": {"CLIENT SESSION-OF", func(s *stage, w []string) {
		must(s.t, s.core.RevokeSession(context.Background(), s.signIn(w[0]).principal, s.signIn(w[1]).principal.SessionID))
	}},

	"post": {"USER TEXT", func(s *stage, w []string) {
		s.postID = s.post(s.signIn(w[0]), w[1]).ID
	}},
	"edit": {"USER TEXT", func(s *stage, w []string) { // the latest post
		_, err := s.core.EditPost(context.Background(), s.signIn(w[0]).principal, s.postID, w[1])
		must(s.t, err)
	}},
	"delete": {"USER", func(s *stage, w []string) { // the latest post
		must(s.t, s.core.DeletePost(context.Background(), s.signIn(w[0]).principal, s.postID))
	}},
	"rename": {"USER NAME", func(s *stage, w []string) {
		s.updateProfile(w[0], core.ProfileChange{Username: &w[1]})
	}},
	"quote": {"USER TEXT", func(s *stage, w []string) {
		s.updateProfile(w[0], core.ProfileChange{Quote: &w[1]})
	}},

	"follow": {"USER WHOM", func(s *stage, w []string) {
		s.relate(w, s.store.Follow, true, false)
	}},
	"block": {"USER WHOM", func(s *stage, w []string) {
		s.relate(w, s.store.Block, false, true)
	}},
	"unblock": {"USER WHOM", func(s *stage, w []string) {
		s.relate(w, func(ctx context.Context, blocker, blocked string, _ time.Time) error {
			return s.store.Unblock(ctx, blocker, blocked)
		}, false, false)
	}},
	"infraction": {"USER ACTION", (*stage).punish},
	"chat":       {"ID MEMBER...", (*stage).createChat}, // in the store, without events
	"notify": {"USER", func(s *stage, w []string) { // in the store, without events
		id := s.signIn(w[0]).id
		must(s.t, s.store.CreateNotification(context.Background(), store.Notification{ID: "800" + id, RecipientID: id, Time: time.Now()}))
	}},
}

// act does what a line says.
func (s *stage) act(text string) {
	name, rest, _ := strings.Cut(text, " ")
	act, known := acts[name]
	if !known {
		s.t.Fatalf("what is to %q?", name)
	}
	most := len(strings.Fields(act.words))
	var words []string
	if rest != "" {
		words = strings.SplitN(rest, " ", max(most, 1))
	}
	if len(words) > most || len(words) < most-strings.Count(act.words, "[") {
		s.t.Fatalf("want %s %s", name, act.words)
	}
	act.do(s, words)
}

func (s *stage) connectClient(words []string) {
	name, resume := words[0], ""
	if len(words) > 1 {
		resume = s.resume[words[1]]
	}
	c := s.goOn(s.signIn(name), resume)
	s.clients[name], s.resume[name] = c, c.resume
}

func (s *stage) dropClient(words []string) {
	s.client(words[0]).drop()
	delete(s.clients, words[0])
}

// shutdown begins to end the server, which waits for the clients.
func (s *stage) shutdown([]string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	ended := make(chan error, 1)
	go func() { ended <- s.server.Shutdown(ctx) }() // the cleanup waits for it
	s.t.Cleanup(func() {
		must(s.t, <-ended)
		cancel()
	})
}

func (s *stage) updateProfile(name string, change core.ProfileChange) {
	_, err := s.core.UpdateProfile(context.Background(), s.signIn(name).principal, change)
	must(s.t, err)
}

// relate changes what one user is to another, and tells as it is told.
func (s *stage) relate(words []string, change func(ctx context.Context, who, whom string, at time.Time) error, following, blocked bool) {
	who, whom := s.signIn(words[0]).id, s.signIn(words[1]).id
	must(s.t, change(context.Background(), who, whom, time.Now()))
	s.publish(core.EventRelationshipUpdated, who,
		fmt.Sprintf(`{"id":%q,"following":%t,"blocked":%t}`, whom, following, blocked))
}

// punish takes a measure against a user, and tells as it is told.
func (s *stage) punish(words []string) {
	u := s.signIn(words[0])
	action, err := strconv.Atoi(words[1])
	must(s.t, err)
	measure := store.Infraction{ID: "901" + u.id, UserID: u.id, Action: action, Reason: "Spam", Created: time.Now()}
	must(s.t, s.store.CreateInfraction(context.Background(), measure))
	view, err := json.Marshal(core.Infraction{
		ID:               measure.ID,
		User:             core.PartialUser{ID: u.id, Username: words[0]},
		Action:           action,
		Reason:           measure.Reason,
		OffendingContent: []string{},
		Created:          core.Unix(measure.Created),
	})
	must(s.t, err)
	s.publish(core.EventInfractionCreated, u.id, string(view))
}

func (s *stage) createChat(words []string) {
	var members []string
	for _, name := range strings.Fields(words[1]) {
		members = append(members, s.signIn(name).id)
	}
	must(s.t, s.store.CreateChat(context.Background(), store.Chat{ID: words[0], Members: members, Created: time.Now()}))
}
