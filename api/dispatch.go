package api

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/julienschmidt/httprouter"
)

// candidate is a route at a place that it may share with others.
type candidate struct {
	names  map[string]string // what parameters must be for it to match
	handle httprouter.Handle
}

// mount registers the handles, by method and path as in "GET /v1/me". The router
// refuses a fixed name beside a parameter under one method, as in /inbox/unread
// beside /inbox/:id. Such routes go through the one with the parameter, and the
// name decides.
func mount(r *httprouter.Router, handles map[string]httprouter.Handle) {
	parameters := make(map[string]string) // at a place, by what comes before it
	for at := range handles {
		segments := strings.Split(at, "/")
		for i, segment := range segments {
			if strings.HasPrefix(segment, ":") {
				parameters[strings.Join(segments[:i], "/")] = segment
			}
		}
	}
	places := make(map[string][]candidate)
	for at, handle := range handles {
		place, names := share(at, parameters)
		places[place] = append(places[place], candidate{names: names, handle: handle})
	}
	for place, candidates := range places {
		// The one with the most fixed names comes first.
		slices.SortFunc(candidates, func(a, b candidate) int { return len(b.names) - len(a.names) })
		method, path, _ := strings.Cut(place, " ")
		r.Handle(method, path, choose(candidates, r.NotFound))
	}
}

// share replaces the fixed names that stand where another route has a parameter
// and returns what was replaced.
func share(at string, parameters map[string]string) (place string, names map[string]string) {
	segments := strings.Split(at, "/")
	names = make(map[string]string)
	for i, segment := range segments {
		parameter, shared := parameters[strings.Join(segments[:i], "/")]
		if shared && parameter != segment {
			names[parameter[1:]] = segment
			segments[i] = parameter
		}
	}
	return strings.Join(segments, "/"), names
}

// choose returns a handle that passes a request on to the first candidate whose
// names it has.
func choose(candidates []candidate, notFound http.Handler) httprouter.Handle {
	if len(candidates) == 1 && len(candidates[0].names) == 0 {
		return candidates[0].handle
	}
	return func(w http.ResponseWriter, r *http.Request, params httprouter.Params) {
		given := make(map[string]string, len(params))
		for _, p := range params {
			given[p.Key] = p.Value
		}
		for _, c := range candidates {
			wanted := maps.Clone(given)
			maps.Copy(wanted, c.names)
			if maps.Equal(wanted, given) {
				c.handle(w, r, params)
				return
			}
		}
		notFound.ServeHTTP(w, r)
	}
}
