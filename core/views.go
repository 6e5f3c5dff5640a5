package core

import (
	"encoding/json"
	"strconv"
	"time"

	"meower/store"
)

// Unix is a time as clients see it: whole seconds since the Unix epoch.
type Unix time.Time

// MarshalJSON implements json.Marshaler.
func (u Unix) MarshalJSON() ([]byte, error) {
	return strconv.AppendInt(nil, time.Time(u).Unix(), 10), nil
}

// unixOrNull is nil for a time that is not set.
func unixOrNull(t *time.Time) *Unix {
	if t == nil {
		return nil
	}
	u := Unix(*t)
	return &u
}

// textOrNull is nil for an empty text.
func textOrNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// listOf is never nil, so that an empty list is sent as [].
func listOf[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}

// Bits that only moderators see (data.md, "Flags").
const (
	hiddenUserFlags = store.UserChild | store.UserAgeNotConfirmed | store.UserRequireEmail | store.UserRequireMFA
	hiddenPostFlags = store.PostReputationBanned
)

// IconView is an icon as it is sent: a preset's data is its number, an upload's
// its id.
type IconView store.Icon

// MarshalJSON implements json.Marshaler.
func (i IconView) MarshalJSON() ([]byte, error) {
	var data any = i.Upload
	if i.Type == store.IconPreset {
		data = i.Preset
	}
	return json.Marshal(struct {
		Type int `json:"type"`
		Data any `json:"data"`
	}{i.Type, data})
}

// ThemeView is a theme as it is sent: colours that are not set are null.
type ThemeView struct {
	Main          *string `json:"main"`
	MainAlternate *string `json:"main_alternate"`
	MainHighlight *string `json:"main_highlight"`
	MainShadow    *string `json:"main_shadow"`
	Background    *string `json:"background"`
	Text          *string `json:"text"`
	TextOnMain    *string `json:"text_on_main"`
}

func themeView(t store.Theme) ThemeView {
	return ThemeView{
		Main:          textOrNull(t.Main),
		MainAlternate: textOrNull(t.MainAlternate),
		MainHighlight: textOrNull(t.MainHighlight),
		MainShadow:    textOrNull(t.MainShadow),
		Background:    textOrNull(t.Background),
		Text:          textOrNull(t.Text),
		TextOnMain:    textOrNull(t.TextOnMain),
	}
}

// PartialUser is a user as others' things mention them.
type PartialUser struct {
	ID          string          `json:"id"`
	Username    string          `json:"username"`
	PublicFlags store.UserFlags `json:"public_flags"`
	Icon        IconView        `json:"icon"`
}

// UserStatsView are a user's public counters.
type UserStatsView struct {
	Followers int64 `json:"followers"`
	Following int64 `json:"following"`
	Posts     int64 `json:"posts"`
}

// PublicUser is a user as everyone may see them.
type PublicUser struct {
	PartialUser
	Created Unix          `json:"created"`
	Theme   ThemeView     `json:"theme"`
	Quote   string        `json:"quote"`
	Badges  []string      `json:"badges"`
	Stats   UserStatsView `json:"stats"`
}

// ClientUser is a user as they see themselves.
type ClientUser struct {
	PublicUser
	Flags store.UserFlags `json:"flags"`
	Admin store.AdminBits `json:"admin"`
}

func partialUser(u store.User) PartialUser {
	return PartialUser{
		ID:          u.ID,
		Username:    u.Username,
		PublicFlags: u.Flags &^ hiddenUserFlags,
		Icon:        IconView(u.Icon),
	}
}

func publicUser(u store.User) PublicUser {
	return PublicUser{
		PartialUser: partialUser(u),
		Created:     Unix(u.Created),
		Theme:       themeView(u.Theme),
		Quote:       u.Quote,
		Badges:      listOf(u.Badges),
		Stats:       UserStatsView(u.Stats),
	}
}

func clientUser(u store.User) ClientUser {
	return ClientUser{PublicUser: publicUser(u), Flags: u.Flags, Admin: u.Admin}
}

// Account is the private side of oneself.
type Account struct {
	ID              string   `json:"id"`
	Email           *string  `json:"email"`
	PasswordEnabled bool     `json:"password_enabled"`
	MFAMethods      []string `json:"mfa_methods"`
	LastUpdated     Unix     `json:"last_updated"`
}

func accountView(a store.Account) *Account {
	return &Account{
		ID:              a.ID,
		Email:           textOrNull(a.Email),
		PasswordEnabled: a.PasswordHash != "",
		MFAMethods:      []string{},
		LastUpdated:     Unix(a.LastUpdated),
	}
}

// DeviceView is what a client said of itself when it signed in.
type DeviceView struct {
	UserAgent     string `json:"user_agent"`
	ClientName    string `json:"client_name"`
	ClientVersion string `json:"client_version"`
	ClientType    string `json:"client_type"`
}

// Session is one of one's own sign-ins.
type Session struct {
	ID            string      `json:"id"`
	User          PartialUser `json:"user"`
	Device        DeviceView  `json:"device"`
	IPAddress     string      `json:"ip_address"`
	Country       *string     `json:"country"`
	LastRefreshed Unix        `json:"last_refreshed"`
	Created       Unix        `json:"created"`
	// Current says whether it is the session that asks; events never are.
	Current bool `json:"current"`
}

func sessionView(s store.Session, owner store.User, current string) Session {
	return Session{
		ID:            s.ID,
		User:          partialUser(owner),
		Device:        DeviceView(s.Device),
		IPAddress:     s.IPAddress,
		Country:       textOrNull(s.Country),
		LastRefreshed: Unix(s.LastRefreshed),
		Created:       Unix(s.Created),
		Current:       s.ID == current,
	}
}

// PostStats are a post's public counters.
type PostStats struct {
	Likes    int64 `json:"likes"`
	Meows    int64 `json:"meows"`
	Comments int64 `json:"comments"`
}

// Post is a post as everyone may see it.
type Post struct {
	ID              string          `json:"id"`
	Author          PartialUser     `json:"author"`
	Masquerade      *struct{}       `json:"masquerade"`
	Content         string          `json:"content"`
	FilteredContent *string         `json:"filtered_content"`
	PublicFlags     store.PostFlags `json:"public_flags"`
	Stats           PostStats       `json:"stats"`
	Attachments     []string        `json:"attachments"`
	Time            Unix            `json:"time"`
	DeleteAfter     *Unix           `json:"delete_after"`
}

func postView(p store.Post, author PartialUser) Post {
	return Post{
		ID:              p.ID,
		Author:          author,
		Content:         p.Content,
		FilteredContent: textOrNull(p.FilteredContent),
		PublicFlags:     p.Flags &^ hiddenPostFlags,
		Stats:           PostStats{Likes: p.Likes, Meows: p.Meows, Comments: p.Comments},
		Attachments:     listOf(p.Attachments),
		Time:            Unix(p.Time),
		DeleteAfter:     unixOrNull(p.DeleteAfter),
	}
}

// Revision is what a post said until Time.
type Revision struct {
	ID              string  `json:"id"`
	PostID          string  `json:"post_id"`
	Content         string  `json:"content"`
	FilteredContent *string `json:"filtered_content"`
	Time            Unix    `json:"time"`
}

func revisionView(r store.PostRevision) Revision {
	return Revision{
		ID:              r.ID,
		PostID:          r.PostID,
		Content:         r.Content,
		FilteredContent: textOrNull(r.FilteredContent),
		Time:            Unix(r.Time),
	}
}

// Infraction is a measure against oneself.
type Infraction struct {
	ID               string      `json:"id"`
	User             PartialUser `json:"user"`
	Action           int         `json:"action"`
	Reason           string      `json:"reason"`
	OffendingContent []string    `json:"offending_content"`
	Status           int         `json:"status"`
	Created          Unix        `json:"created"`
	Expires          *Unix       `json:"expires"`
}

func infractionView(i store.Infraction, user PartialUser) Infraction {
	return Infraction{
		ID:               i.ID,
		User:             user,
		Action:           i.Action,
		Reason:           i.Reason,
		OffendingContent: listOf(i.OffendingContent),
		Status:           i.Status,
		Created:          Unix(i.Created),
		Expires:          unixOrNull(i.Expires),
	}
}

// List is one page of things, newest first. Next is what to ask for with
// "before" to get the page that follows, nil where nothing does.
type List[T any] struct {
	Items []T
	Next  *string
}
