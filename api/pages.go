package api

import (
	"net/url"
	"strconv"

	"meower/core"
	"meower/store"
)

// page reads which page of a list is asked for. CodeInvalidDatatype for a limit
// or an id that is none, and for two directions at once.
func (c *call) page() (store.Page, error) { return parsePage(c.r.URL.Query()) }

func parsePage(query url.Values) (store.Page, error) {
	page := store.Page{Limit: core.DefaultPageLimit}
	if query.Has("limit") {
		limit, err := strconv.ParseUint(query.Get("limit"), 10, 16) // takes no sign
		if err != nil || limit < 1 || limit > core.MaxPageLimit {
			return store.Page{}, invalid("limit", "must be a whole number from 1 to 100")
		}
		page.Limit = int(limit)
	}
	for name, into := range map[string]*string{"before": &page.Before, "after": &page.After} {
		if !query.Has(name) {
			continue
		}
		id, ok := core.ParseID(query.Get(name))
		if !ok {
			return store.Page{}, invalid(name, "must be an id")
		}
		*into = id
	}
	if page.Before != "" && page.After != "" {
		return store.Page{}, invalid("after", "must not be given together with before")
	}
	return page, nil
}

// list is how a page of things is sent, under their plural.
func list[T any](plural string, items core.List[T], err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return map[string]any{plural: items.Items, "next": items.Next}, nil
}
