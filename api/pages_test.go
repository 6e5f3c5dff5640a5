package api

import (
	"net/url"
	"testing"

	"meower/core"
	"meower/store"
)

func TestParsePage(t *testing.T) {
	const id = "0000000000000000042"
	for query, want := range map[string]*store.Page{
		"":                           {Limit: 25},
		"limit=1":                    {Limit: 1},
		"limit=100":                  {Limit: 100},
		"before=42":                  {Limit: 25, Before: id},
		"after=42&limit=3":           {Limit: 3, After: id},
		"limit=":                     nil,
		"limit=0":                    nil,
		"limit=-1":                   nil,
		"limit=%2B1":                 nil,
		"limit=101":                  nil,
		"limit=1e1":                  nil,
		"limit=1000000000000":        nil,
		"before=":                    nil,
		"before=x":                   nil,
		"after=-1":                   nil,
		"after=00000000000000000001": nil,
		"before=1&after=1":           nil,
	} {
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		got, err := parsePage(values)
		switch {
		case want != nil && (err != nil || got != *want):
			t.Errorf("%q: got %+v, %v", query, got, err)
		case want == nil:
			known, ok := core.AsError(err)
			if err == nil || !ok || known.Code != core.CodeInvalidDatatype || len(known.Details) == 0 {
				t.Errorf("%q: got %+v, %v", query, got, err)
			}
		}
	}
}

func FuzzPage(f *testing.F) {
	for _, seed := range []string{"limit=1&before=2", "after=x", "limit=%zz", "limit=1&limit=2"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		values, _ := url.ParseQuery(query)
		page, err := parsePage(values)
		if err != nil {
			return
		}
		if page.Limit < 1 || page.Limit > 100 || page.Before != "" && page.After != "" {
			t.Errorf("%q is let through as %+v", query, page)
		}
		for _, id := range []string{page.Before, page.After} {
			if canonical, ok := core.ParseID(id); id != "" && (!ok || canonical != id) {
				t.Errorf("%q gives the id %q", query, id)
			}
		}
	})
}
