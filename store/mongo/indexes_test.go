package mongo

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
)

// command is a command that was sent, as far as indexes are concerned.
type command struct {
	name       string
	collection string
	shape      string // of its query; empty where it has none
}

// recorder records the commands that a store sends. Its zero value is ready, and
// safe for concurrent use.
type recorder struct {
	mu   sync.Mutex
	sent int // commands, of which some hold several queries
	seen []command
}

func (r *recorder) monitor() *event.CommandMonitor {
	return &event.CommandMonitor{Started: func(_ context.Context, e *event.CommandStartedEvent) {
		commands := read(e.CommandName, e.Command)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.sent++
		r.seen = append(r.seen, commands...)
	}}
}

// commands returns what was recorded so far.
func (r *recorder) commands() []command {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.seen)
}

// reset forgets what was recorded so far.
func (r *recorder) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sent, r.seen = 0, nil
}

// trips returns how many commands were sent, each of which is a round trip.
func (r *recorder) trips() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sent
}

// read returns one command for each query that a command of the wire holds, and
// one without a shape where there is none.
func read(name string, raw bson.Raw) []command {
	collection, _ := raw.Lookup(name).StringValueOK()
	each := func(list, filter string) []command {
		values, err := raw.Lookup(list).Array().Values()
		if err != nil {
			panic(err)
		}
		var commands []command
		for _, v := range values {
			commands = append(commands, command{name, collection, shape(v.Document().Lookup(filter), bson.RawValue{})})
		}
		return commands
	}
	switch name {
	case "find":
		return []command{{name, collection, shape(raw.Lookup("filter"), raw.Lookup("sort"))}}
	case "findAndModify":
		return []command{{name, collection, shape(raw.Lookup("query"), raw.Lookup("sort"))}}
	case "count":
		return []command{{name, collection, shape(raw.Lookup("query"), bson.RawValue{})}}
	case "update":
		return each("updates", "q")
	case "delete":
		return each("deletes", "q")
	case "aggregate":
		return each("pipeline", "$match")[:1]
	default:
		return []command{{name: name, collection: collection}}
	}
}

// shape returns the shape of a query, as the table of indexes has it.
func shape(filter, order bson.RawValue) string {
	sorted := fields(order)
	var terms []string
	for name, v := range fields(filter) {
		operators := fields(v)
		if len(operators) == 0 || !strings.HasPrefix(slices.Collect(maps.Keys(operators))[0], "$") {
			terms = append(terms, name)
			continue
		}
		for op := range operators {
			if _, ok := sorted[name]; !ok || op != "$lt" && op != "$gt" {
				terms = append(terms, name+":"+op)
			}
		}
	}
	slices.Sort(terms)
	if len(sorted) > 0 {
		terms = append(terms, "sort")
	}
	for name := range sorted { // no query of ours sorts by more than one
		terms = append(terms, name)
	}
	return strings.Join(terms, " ")
}

// fields returns the fields of a value, if it is a document.
func fields(v bson.RawValue) map[string]bson.RawValue {
	document, ok := v.DocumentOK()
	if !ok {
		return nil
	}
	elements, err := document.Elements()
	if err != nil {
		panic(err)
	}
	values := make(map[string]bson.RawValue)
	for _, e := range elements {
		values[e.Key()] = e.Value()
	}
	return values
}

// checkIndexed fails the test when a query was sent that the table of indexes
// does not have, or when the table has one that was not sent.
func checkIndexed(t *testing.T, sent []command) {
	missing := make(map[command]bool)
	for _, index := range indexes {
		for _, shape := range index.serves {
			missing[command{collection: index.collection, shape: shape}] = true
		}
	}
	planned := maps.Clone(missing)
	for _, c := range sent {
		query := command{collection: c.collection, shape: c.shape}
		switch {
		case c.shape == "":
			checkWithoutQuery(t, c)
		case !planned[query]:
			t.Errorf("%s of %s by %q: no index is meant for it", c.name, c.collection, c.shape)
			planned[query] = true // once is enough
		}
		delete(missing, query)
	}
	for query := range missing {
		t.Errorf("nothing asks %s by %q", query.collection, query.shape)
	}
}

// checkWithoutQuery fails the test when a command without a query is none of
// those that need no index.
func checkWithoutQuery(t *testing.T, c command) {
	switch c.name {
	case "insert", "createIndexes", "ping", "endSessions":
	case "count": // of a whole collection, which the server keeps
	default:
		t.Errorf("%s of %s without a query", c.name, c.collection)
	}
}

// TestIndexesServe checks that every index can find what it is meant to find.
func TestIndexesServe(t *testing.T) {
	for _, index := range indexes {
		for _, shape := range index.serves {
			if !serves(index, shape) {
				t.Errorf("%v of %s does not serve %q", index.keys, index.collection, shape)
			}
		}
	}
}

// TestServes checks the rule itself.
func TestServes(t *testing.T) {
	for _, c := range []struct {
		keys   string
		unique bool
		shape  string
		want   bool
	}{
		{"a", false, "a", true},
		{"a", false, "b", false},
		{"a", false, "a b", false},
		{"a", true, "a b", true}, // there is one at most
		{"a b", true, "a c", false},
		{"a b", false, "a", true},
		{"a b", false, "b", false},
		{"a b", false, "a b", true},
		{"b a", false, "a b", true},
		{"a -b", false, "a sort b", true},
		{"a b c", false, "a sort c", false},
		{"a b c", false, "a b sort c", true},
		{"a b", false, "a sort c", false},
		{"a b", false, "sort b", false},
		{"a", false, "a:$in", true},
		{"a b", false, "a:$in sort b", false}, // several runs, each in order
		{"a", false, "a:$gt", true},
		{"b a", false, "a:$gt", false},
		{"a b", false, "a c:$nin sort b", true},
		{"a b", false, "a:$nin sort b", false},
		{"a", false, "a:$nin", false},
	} {
		if got := serves(index{keys: strings.Fields(c.keys), unique: c.unique}, c.shape); got != c.want {
			t.Errorf("serves(%s, %q) is %t", c.keys, c.shape, got)
		}
	}
}

// serves reports whether the index leads to what a query of that shape asks for
// without reading much else: fields compared for equality come first, in any
// order, then the one by which is sorted or of which a range is asked. Fields
// with other operators are read over. Where all fields of a unique index are
// given, the rest of the filter is looked up in the one document.
func serves(x index, shape string) bool {
	filter, order, _ := strings.Cut(" "+shape, " sort ")
	var equal, then []string
	several := false
	for term := range strings.FieldsSeq(filter) {
		switch name, op, _ := strings.Cut(term, ":"); op {
		case "":
			equal = append(equal, name)
		case "$in":
			equal = append(equal, name)
			several = true
		case "$lt", "$gt":
			then = append(then, name)
		}
	}
	if order != "" {
		if several {
			return false
		}
		then = append(then, order)
	}
	keys := make([]string, len(x.keys))
	for i, key := range x.keys {
		keys[i] = strings.TrimPrefix(key, "-")
	}
	given := func(key string) bool { return slices.Contains(equal, key) }
	if x.unique && !slices.ContainsFunc(keys, func(key string) bool { return !given(key) }) {
		return true
	}
	if len(equal)+len(then) == 0 || len(equal)+len(then) > len(keys) {
		return false
	}
	return !slices.ContainsFunc(keys[:len(equal)], func(key string) bool { return !given(key) }) &&
		slices.Equal(keys[len(equal):len(equal)+len(then)], then)
}

// TestIndexesExist checks that Open has made every index of the table.
func TestIndexesExist(t *testing.T) {
	s := use(t)
	for _, want := range indexes {
		if want.own() {
			continue
		}
		specs, err := s.users.documents.Database().Collection(want.collection).Indexes().ListSpecifications(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		keys, err := bson.Marshal(indexKeys(want.keys...))
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, spec := range specs {
			unique := spec.Unique != nil && *spec.Unique
			found = found || spec.KeysDocument.String() == bson.Raw(keys).String() && unique == want.unique
		}
		if !found {
			t.Errorf("%s lacks an index over %v", want.collection, want.keys)
		}
	}
}
