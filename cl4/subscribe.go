package cl4

import (
	"context"
	"strings"
)

// maxSubscriptions is how many subscriptions a connection may have.
const maxSubscriptions = 500

// topicNewPosts is the one topic without an id.
const topicNewPosts = "new_posts"

// topicUsers and a user's id is the topic of type "users".
const topicUsers = "users/"

// subscriptionTypes are the types that need an id.
var subscriptionTypes = map[string]bool{"users": true, "posts": true, "comments": true}

// subscriptionFields are the keys of both commands. An unknown type is told as
// such whether or not there is an id.
var subscriptionFields = []field{
	{key: "type", max: 10},
	{key: "id", max: 25, required: func(p packet) bool { return subscriptionTypes[p.text("type")] }},
}

// topicOf returns what the packet is about, and false for an unknown type.
func topicOf(p packet) (string, bool) {
	typ := p.text("type")
	if subscriptionTypes[typ] {
		return typ + "/" + p.text("id"), true
	}
	return topicNewPosts, typ == topicNewPosts
}

// isSubscription reports whether a topic is one that a client asks for.
func isSubscription(topic string) bool {
	typ, _, _ := strings.Cut(topic, "/")
	return topic == topicNewPosts || subscriptionTypes[typ]
}

// subscribe adds a subscription. The id is not looked up: that would say what
// exists.
func subscribe(_ context.Context, c *conn, p packet) error {
	topic, ok := topicOf(p)
	if !ok {
		return refuse(statusInvalidType)
	}
	if !c.server.hub.subscribe(c, topic) {
		return refuse(statusTooManySubs)
	}
	c.ok(p)
	return nil
}

// unsubscribe removes a subscription, if there is one.
func unsubscribe(_ context.Context, c *conn, p packet) error {
	topic, ok := topicOf(p)
	if !ok {
		return refuse(statusInvalidType)
	}
	c.server.hub.unsubscribe(c, topic)
	c.ok(p)
	return nil
}
