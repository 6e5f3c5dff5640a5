package mongo

import (
	"time"

	"pgregory.net/rapid"

	"meower/store"
)

// draw draws arguments for the model test. There are few different ones, so that
// calls meet each other.
type draw struct {
	t   *rapid.T
	ids []string
}

func (d draw) id() string { return rapid.SampledFrom(d.ids).Draw(d.t, "id") }

func (d draw) some() []string {
	return rapid.SliceOfN(rapid.SampledFrom(d.ids), 0, 4).Draw(d.t, "ids")
}

// name is a username, or what else must be unique, of which some differ in
// nothing but case.
func (d draw) name() string {
	return rapid.SampledFrom([]string{"Ann", "ann", "ANN", "Bob", "Zoë"}).Draw(d.t, "name") + d.ids[0]
}

// maybe is s, or nothing.
func (d draw) maybe(s string) string { return rapid.SampledFrom([]string{"", s}).Draw(d.t, "maybe") }

func (d draw) text() string {
	return rapid.SampledFrom([]string{"", "a", "ü", "$set", "a.b", "\x00", "\u2028", "12"}).Draw(d.t, "text")
}

func (d draw) bool() bool { return rapid.Bool().Draw(d.t, "bool") }

func (d draw) number() int64 { return rapid.Int64Range(0, 3).Draw(d.t, "number") }

// time is a time with more precision than is kept, in some zone, on either side
// of the epoch.
func (d draw) time() time.Time {
	nanos := rapid.Int64Range(-1<<53, 1<<60).Draw(d.t, "nanos")
	zone := rapid.IntRange(-12, 12).Draw(d.t, "zone")
	return time.Unix(0, nanos).In(time.FixedZone("", zone*60*60))
}

func (d draw) maybeTime() *time.Time {
	if d.bool() {
		return nil
	}
	return new(d.time())
}

// list is some texts, or nil.
func (d draw) list() []string {
	if d.bool() {
		return nil
	}
	return []string{d.text(), d.text()}
}

// page is a page with or without a cursor, which may lie between items.
func (d draw) page() store.Page {
	p := store.Page{Limit: rapid.IntRange(1, 3).Draw(d.t, "limit")}
	cursor := d.id()
	if d.bool() {
		cursor = cursor[:len(cursor)-1] + "1"
	}
	switch rapid.IntRange(0, 2).Draw(d.t, "cursor") {
	case 1:
		p.Before = cursor
	case 2:
		p.After = cursor
	}
	return p
}

func (d draw) icon() store.Icon {
	return store.Icon{Type: int(d.number()), Preset: d.number(), Upload: d.text()}
}

func (d draw) theme() store.Theme { return store.Theme{Main: d.text(), Text: d.text()} }

func (d draw) user() store.User {
	name := d.name()
	return store.User{
		ID: d.id(), Username: name, LowerUsername: store.LowerUsername(name),
		Flags: store.UserFlags(d.number()), Admin: store.AdminBits(d.number()),
		Icon: d.icon(), Theme: d.theme(), Quote: d.text(), Badges: d.list(),
		BotSession: d.number(), RedirectTo: d.text(), DeleteAfter: d.maybeTime(), Created: d.time(),
	}
}

func (d draw) session() store.Session {
	return store.Session{
		ID: d.id(), UserID: d.id(), Version: d.number(),
		Device:    store.Device{UserAgent: d.text(), ClientType: d.text()},
		IPAddress: d.text(), Country: d.text(),
		LastRefreshed: d.time(), LastUsed: d.time(), Created: d.time(),
	}
}

func (d draw) post() store.Post {
	return store.Post{
		ID: d.id(), AuthorID: d.id(), Content: d.text(), FilteredContent: d.text(),
		Flags: rapid.SampledFrom([]store.PostFlags{0, store.PostBridged, store.PostProtected}).Draw(d.t, "flags"),
		Likes: d.number(), Attachments: d.list(), Time: d.time(), DeleteAfter: d.maybeTime(),
	}
}

func (d draw) chat() store.Chat {
	return store.Chat{
		ID: d.id(), Name: d.text(), Direct: d.bool(), DirectKey: d.maybe(d.name()),
		Flags: store.ChatFlags(d.number()), Members: []string{d.id(), d.id()},
		Permissions: map[string]int{d.id(): int(d.number())},
		InviteCode:  d.maybe(d.name()), Created: d.time(), Deleted: d.bool(),
	}
}

func (d draw) infraction() store.Infraction {
	return store.Infraction{
		ID: d.id(), UserID: d.id(), Action: int(d.number()), Reason: d.text(), OffendingContent: d.list(),
		Flags: store.InfractionFlags(d.number()), Status: int(d.number()), Created: d.time(), Expires: d.maybeTime(),
	}
}
