package api

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"

	"meower/core"
	"meower/store"
)

func (a *API) profileRoutes() []route {
	return []route{
		{"GET", "/v1/me/profile", a.profile, user, ""},
		{"PATCH", "/v1/me/profile", a.updateProfile, user | unsuspended, ""},
	}
}

func (a *API) profile(c *call) (any, error) { return a.core.Profile(c.user), nil }

type profileRequest struct {
	Username *string   `json:"username" validate:"omitnil,username"`
	Quote    *string   `json:"quote" validate:"omitnil,max=500"`
	IconType *int      `json:"icon_type" validate:"omitnil,min=0,max=2"`
	IconData *iconData `json:"icon_data" validate:"-"`
}

// maxIconData is the longest icon_data that is a text, in code points.
const maxIconData = 255

// iconData is the number of a built-in picture, or a text.
type iconData struct {
	number int64
	text   *string // nil where it is a number
}

// UnmarshalJSON implements json.Unmarshaler.
func (d *iconData) UnmarshalJSON(raw []byte) error {
	const want = badValue("must be a whole number or a string")
	if bytes.HasPrefix(raw, []byte(`"`)) {
		if err := json.Unmarshal(raw, &d.text); err != nil {
			return want
		}
		if utf8.RuneCountInString(*d.text) > maxIconData {
			return badValue("must be at most 255 characters")
		}
		return nil
	}
	if err := json.Unmarshal(raw, &d.number); err != nil {
		return want
	}
	return nil
}

// icon combines what is given of an icon with what the user has, nil where
// nothing is given.
func (r profileRequest) icon(current store.Icon) (*store.Icon, error) {
	if r.IconType == nil && r.IconData == nil {
		return nil, nil
	}
	icon := current
	if r.IconType != nil {
		icon.Type = *r.IconType
	}
	isText := current.Type != store.IconPreset
	if r.IconData != nil {
		icon.Preset, icon.Upload = r.IconData.number, ""
		if isText = r.IconData.text != nil; isText {
			icon.Upload = *r.IconData.text
		}
	}
	switch wantText := icon.Type != store.IconPreset; {
	case wantText && !isText:
		return nil, invalid("icon_data", "must be a string for this icon_type")
	case !wantText && isText:
		return nil, invalid("icon_data", "must be a whole number for this icon_type")
	}
	return &icon, nil
}

func (a *API) updateProfile(c *call) (any, error) {
	req, err := decode[profileRequest](c)
	if err != nil {
		return nil, err
	}
	icon, err := req.icon(c.user.User.Icon)
	if err != nil {
		return nil, err
	}
	return a.core.UpdateProfile(c.ctx, c.user, core.ProfileChange{Username: req.Username, Quote: req.Quote, Icon: icon})
}
