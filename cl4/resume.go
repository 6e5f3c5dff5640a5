package cl4

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"meower/bus"
	"meower/core"
)

const (
	// maxResume is the longest resume token, in code points.
	maxResume = 100
	// resumeLife is how long after its end a connection can be resumed (cl4.md,
	// "Missed events").
	resumeLife = 2 * time.Minute
	// claimWait is how long a connection that goes on waits for the one before,
	// which another node may still take for alive, to end.
	claimWait = time.Second
	// lastWord is how long the close frame of a connection that goes on elsewhere
	// may take.
	lastWord = 100 * time.Millisecond
	// keepWait is how long the end of a connection waits for Redis.
	keepWait = time.Second
	// maxReplays is how many connections may read the history at once: what they
	// have read is in memory until it is sent.
	maxReplays = 8
	// paceQueued is how many bytes of a replay may be queued.
	paceQueued = maxQueued / 4

	resyncPacket = `{"cmd":"resync"}`
)

// The events between nodes about connections that go on elsewhere. Whom is the
// connection's id.
const (
	eventSocketClaimed  = "socket_claimed"  // whoever has the connection ends it
	eventSocketReleased = "socket_released" // it has ended, and what it left can be taken
)

// departure is what a connection leaves behind for the one that goes on.
type departure struct {
	id     string
	Topics []string `json:"topics"`
	// Lost are subscriptions that ended before it did. It may not have received
	// why.
	Lost []string     `json:"lost,omitempty"`
	From bus.Position `json:"from"`
	// Whom the user blocked, and who blocked them.
	Blocked   []string `json:"blocked,omitempty"`
	BlockedBy []string `json:"blocked_by,omitempty"`
}

// resumes are the connections that could be asked for, and who asks.
type resumes struct {
	mu    sync.Mutex
	open  map[string]*conn           // by the id in their token, until what they leave is kept
	asked map[string]bool            // of open, claimed by another node
	waits map[string][]chan struct{} // closed when the connection has ended
}

func newResumes() *resumes {
	return &resumes{open: map[string]*conn{}, asked: map[string]bool{}, waits: map[string][]chan struct{}{}}
}

func newResumeID() string { return rand.Text() }

// resumeToken names the connection and the node that has it.
func (s *Server) resumeToken(who *identity) string { return s.node + "." + who.resume }

// opened makes a connection one that can be resumed, and its user one who is
// online.
func (s *Server) opened(c *conn, who *identity) {
	if s.presence != nil {
		s.presence.connected(who)
	}
	s.resumes.mu.Lock()
	s.resumes.open[who.resume] = c
	s.resumes.mu.Unlock()
}

// keep keeps what a connection leaves behind, and says that it has ended.
func (s *Server) keep(c *conn, left *departure) {
	who := c.who.Load()
	if who == nil || c.principal == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), keepWait)
	defer cancel()
	if left != nil && left.From.Seen != "" && !s.forgetful {
		left.id = who.resume
		var err error
		if left.From, err = s.bus.Settle(ctx, left.From); err != nil {
			s.log.InfoContext(ctx, "connection cannot be resumed", slog.Any("error", err))
		} else {
			s.putBack(ctx, who.userID, left)
		}
	}
	s.resumes.mu.Lock()
	delete(s.resumes.open, who.resume)
	asked := s.resumes.asked[who.resume]
	delete(s.resumes.asked, who.resume)
	s.resumes.mu.Unlock()
	s.released(who.resume)
	if asked {
		s.core.Tell(ctx, eventSocketReleased, who.resume, struct{}{})
	}
}

// putBack keeps a departure, for another try of the client.
func (s *Server) putBack(ctx context.Context, userID string, left *departure) {
	if left == nil {
		return
	}
	state, err := json.Marshal(left)
	if err == nil {
		err = s.core.KeepConnection(context.WithoutCancel(ctx), userID, left.id, state, resumeLife)
	}
	if err != nil {
		s.log.WarnContext(ctx, "connection cannot be resumed", slog.Any("error", err))
	}
}

// takeOver returns what the connection that a token names left behind, nil where
// it left nothing or its time is over. One that is still open is ended.
func (s *Server) takeOver(ctx context.Context, userID, token string) *departure {
	node, id, ok := strings.Cut(token, ".")
	if !ok || s.forgetful {
		return nil
	}
	ended := s.resumes.wait(id)
	defer s.resumes.forget(id, ended)
	left := s.departed(ctx, userID, id)
	if left != nil {
		return left
	}
	if node == s.node {
		if !s.claim(id, userID) {
			return s.departed(ctx, userID, id) // it may have ended between the two
		}
	} else {
		s.core.Tell(ctx, eventSocketClaimed, id, core.Origin{ID: userID})
	}
	limit := time.NewTimer(claimWait)
	defer limit.Stop()
	select {
	case <-ended:
	case <-limit.C:
	case <-ctx.Done():
	}
	return s.departed(ctx, userID, id)
}

// departed takes what a connection that has ended left behind.
func (s *Server) departed(ctx context.Context, userID, id string) *departure {
	state, err := s.core.TakeConnection(ctx, userID, id)
	if err != nil {
		s.log.WarnContext(ctx, "connection cannot be resumed", slog.Any("error", err))
		return nil
	}
	left := &departure{id: id}
	if state == nil || json.Unmarshal(state, left) != nil {
		return nil
	}
	return left
}

// wait returns a channel that is closed when the connection has ended. forget
// must follow.
func (r *resumes) wait(id string) chan struct{} {
	ended := make(chan struct{})
	r.mu.Lock()
	r.waits[id] = append(r.waits[id], ended)
	r.mu.Unlock()
	return ended
}

func (r *resumes) forget(id string, ended chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	waits := slices.DeleteFunc(r.waits[id], func(other chan struct{}) bool { return other == ended })
	if len(waits) == 0 {
		delete(r.waits, id)
		return
	}
	r.waits[id] = waits
}

// claim ends the open connection with that id, if it is the user's.
func (s *Server) claim(id, userID string) bool {
	s.resumes.mu.Lock()
	c := s.resumes.open[id]
	s.resumes.mu.Unlock()
	if c == nil {
		return false
	}
	if who := c.who.Load(); who == nil || who.userID != userID {
		return false
	}
	// The client is elsewhere, so nobody waits for it to say goodbye here.
	c.mu.Lock()
	c.closeLocked(closeResumed, "Resumed elsewhere")
	c.mu.Unlock()
	c.flush()
	c.cutOffIn(lastWord)
	return true
}

// socketClaimed ends a connection of this node that goes on at another.
func (s *Server) socketClaimed(e bus.Event) {
	var user core.Origin
	if !s.read(e, &user) {
		return
	}
	s.resumes.mu.Lock()
	if s.resumes.open[e.Whom] != nil {
		s.resumes.asked[e.Whom] = true
	}
	s.resumes.mu.Unlock()
	s.claim(e.Whom, user.ID)
}

// socketReleased lets go on who waits for a connection's end.
func (s *Server) socketReleased(e bus.Event) { s.released(e.Whom) }

func (s *Server) released(id string) {
	s.resumes.mu.Lock()
	defer s.resumes.mu.Unlock()
	for _, ended := range s.resumes.waits[id] {
		close(ended)
	}
	delete(s.resumes.waits, id)
}

// reaches waits until this node has heard of all that a connection elsewhere got,
// and returns false where that takes too long: it would come again.
func (s *Server) reaches(ctx context.Context, p bus.Position) bool {
	err := s.bus.Reach(ctx, p)
	if err != nil {
		s.log.InfoContext(ctx, "missed events cannot be known", slog.Any("error", err))
	}
	return err == nil
}

// missed returns the events between two positions, and false where they cannot
// be known.
func (s *Server) missed(ctx context.Context, from, to bus.Position) ([]bus.Event, bool) {
	select {
	case s.replays <- struct{}{}:
		defer func() { <-s.replays }()
	case <-ctx.Done():
		return nil, false
	}
	events, err := s.bus.Missed(ctx, from, to)
	if err != nil {
		s.log.InfoContext(ctx, "missed events cannot be known", slog.Any("error", err))
	}
	return events, err == nil
}
