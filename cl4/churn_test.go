package cl4

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/gorilla/websocket"

	"meower/bus"
	"meower/core"
)

// TestChurnLeavesNothing has clients come, subscribe, unsubscribe, go on from one
// node to another and vanish, all at once, while others publish: in the end
// nothing is left of them.
func TestChurnLeavesNothing(t *testing.T) {
	const clients, publishers, rounds = 40, 10, 4
	cluster := newCluster(t, 2, nil)
	var users []user
	for i := range 5 {
		users = append(users, cluster.nodes[0].register(fmt.Sprintf("user%d", i)))
	}
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() { // ends with its rounds
			resume := ""
			for range rounds {
				var err error
				if resume, err = churn(cluster.nodes[rand.N(2)], users[i%len(users)], resume); err != nil {
					t.Errorf("client %d: %v", i, err)
					return
				}
			}
		})
	}
	for range publishers {
		all.Go(func() { // ends with its events
			for range 20 * rounds {
				if err := publishAnything(t.Context(), cluster.nodes[rand.N(2)].bus, users); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	for _, w := range cluster.nodes {
		w.dial().expectEmptyAfterShutdown(w)
	}
}

// churn is one connection of a user. It returns with what the next can go on.
func churn(w *world, u user, resume string) (string, error) {
	ws, response, err := websocket.DefaultDialer.Dial(w.url, nil)
	if err != nil {
		return "", err
	}
	defer ws.Close()
	_ = response.Body.Close()
	packets := []string{`{"cmd":"authenticate","token":"` + u.token + `","resume":"` + resume + `"}`}
	for range 10 {
		cmd := []string{"subscribe", "unsubscribe"}[rand.N(2)]
		typ := []string{"new_posts", "users", "posts", "comments"}[rand.N(4)]
		packets = append(packets, fmt.Sprintf(`{"cmd":%q,"type":%q,"id":%q}`, cmd, typ, u.id[:1+rand.N(2)]))
	}
	for _, packet := range packets {
		if err := ws.WriteMessage(websocket.TextMessage, []byte(packet)); err != nil {
			return "", err
		}
	}
	for answers := rand.N(len(packets)); answers > 0; {
		_, frame, err := ws.ReadMessage()
		if err != nil {
			return "", err
		}
		switch {
		case strings.HasPrefix(string(frame), `{"cmd":"statuscode"`):
			answers--
		case strings.HasPrefix(string(frame), `{"cmd":"ready"`):
			_, rest, _ := strings.Cut(string(frame), `"resume":"`)
			resume, _, _ = strings.Cut(rest, `"`)
		}
	}
	if rand.N(2) == 0 {
		return resume, ws.NetConn().(*net.TCPConn).SetLinger(0) // no goodbye
	}
	return resume, nil
}

// publishAnything publishes an event that changes nothing in the store.
func publishAnything(ctx context.Context, b bus.Bus, users []user) error {
	one, other := users[rand.N(len(users))].id, users[rand.N(len(users))].id
	chat := fmt.Sprintf(`{"id":"%d"}`, 70+rand.N(5))
	events := []bus.Event{
		{Name: core.EventPostCreated, Whom: one, Value: []byte(`{}`)},
		{Name: core.EventPostUpdated, Whom: one[:1], Value: []byte(`{"id":"1"}`)},
		{Name: core.EventSyncUpdated, Whom: one, Value: []byte(`{}`)},
		{Name: core.EventChatCreated, Whom: one, Value: []byte(chat)},
		{Name: core.EventChatDeleted, Whom: one, Value: []byte(chat)},
		{Name: core.EventRelationshipUpdated, Whom: one, Value: []byte(`{"id":"` + other + `","blocked":true}`)},
		{Name: core.EventRelationshipUpdated, Whom: one, Value: []byte(`{"id":"` + other + `","blocked":false}`)},
		{Name: core.EventUserUpdated, Whom: one[:2], Value: []byte(`{"id":"1","deleted":true}`)},
	}
	return b.Publish(ctx, events[rand.N(len(events))])
}
