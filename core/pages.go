package core

import "meower/store"

// Limits of ?limit= (rest.md, "Conventions").
const (
	DefaultPageLimit = 25
	MaxPageLimit     = 100
)

// lookahead asks for one item more than the page holds, which tells whether
// there is a next page. A page of newer items needs none: what it was asked to
// be newer than is always there to go back to.
func lookahead(page store.Page) store.Page {
	if page.After == "" {
		page.Limit++
	}
	return page
}

// listPage makes a page of what was found with lookahead(page).
func listPage[S, V any](found []S, page store.Page, id func(S) string, view func(S) V) List[V] {
	more := page.After != ""
	if !more && len(found) > page.Limit {
		found, more = found[:page.Limit], true
	}
	list := List[V]{Items: make([]V, len(found))}
	for i, item := range found {
		list.Items[i] = view(item)
	}
	if more && len(found) > 0 {
		last := id(found[len(found)-1])
		list.Next = &last
	}
	return list
}
