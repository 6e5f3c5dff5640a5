package api

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// go test ./api -run Golden -update writes the golden answers anew. Read the
// difference before you commit it: it is what clients will see.
var update = flag.Bool("update", false, "write the golden answers")

// exchange is a golden request and answer. In all texts $name stands for what an
// earlier answer brought under that name.
type exchange struct {
	Request string          `json:"request"`
	Body    json.RawMessage `json:"body,omitempty"`
	As      string          `json:"as,omitempty"` // whose token is shown
	Status  int             `json:"status"`
	Answer  json.RawMessage `json:"answer,omitempty"`
}

var (
	goldenTime    = regexp.MustCompile(`"(time|created|last_refreshed|last_updated)":\d{10}\b`)
	goldenUnnamed = regexp.MustCompile(`"(?:\d{19}|[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{86})"`)
)

// golden replays a file's requests and compares status and body, byte for byte
// but for ids, tokens and times.
func golden(t *testing.T, file string) {
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var exchanges []exchange
	if err := json.Unmarshal(content, &exchanges); err != nil {
		t.Fatal(err)
	}
	s := newServer(t, nil)
	names := map[string]string{} // value by "$name"
	expand := func(text string) string {
		for name, value := range names {
			text = strings.ReplaceAll(text, name, value)
		}
		return text
	}
	for i := range exchanges {
		e := &exchanges[i]
		method, path, _ := strings.Cut(e.Request, " ")
		a := s.do(method, expand(path), names["$token:"+e.As], expand(string(e.Body)))
		got := goldenAnswer(a, names)
		if *update {
			e.Status, e.Answer = a.status, got
			continue
		}
		var want bytes.Buffer
		if len(e.Answer) > 0 {
			if err := json.Compact(&want, e.Answer); err != nil {
				t.Fatal(err)
			}
		}
		if a.status != e.Status || string(got) != want.String() {
			t.Errorf("%s %s:\ngot  %d %s\nwant %d %s", e.Request, e.Body, a.status, got, e.Status, want.String())
		}
	}
	if *update {
		writeGolden(t, file, exchanges)
	}
}

// goldenAnswer is a body with its changing parts named. The first time an id or
// a token is seen it gets its name: "$token:1", "$id:1" and so on, in order.
func goldenAnswer(a answer, names map[string]string) json.RawMessage {
	if a.body == "" {
		return nil
	}
	body := goldenTime.ReplaceAllString(strings.TrimSpace(a.body), `"$1":1`)
	body = goldenUnnamed.ReplaceAllStringFunc(body, func(quoted string) string {
		value := strings.Trim(quoted, `"`)
		for name, known := range names {
			if known == value {
				return `"` + name + `"`
			}
		}
		kind := "$id:"
		if strings.Contains(value, ".") {
			kind = "$token:"
		}
		n := 1
		for names[fmt.Sprint(kind, n)] != "" {
			n++
		}
		names[fmt.Sprint(kind, n)] = value
		return fmt.Sprintf(`"%s%d"`, kind, n)
	})
	if !json.Valid([]byte(body)) { // a text
		quoted, _ := json.Marshal(body) // of a string: cannot fail
		return quoted
	}
	return json.RawMessage(body)
}

func writeGolden(t *testing.T, file string, exchanges []exchange) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "\t")
	if err := encoder.Encode(exchanges); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestGolden(t *testing.T) {
	files, err := filepath.Glob("../testdata/rest/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("golden answers: %v, %v", files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) { golden(t, file) })
	}
}

// TestGoldenCoversRoutes fails for a route without a golden answer.
func TestGoldenCoversRoutes(t *testing.T) {
	files, err := filepath.Glob("../testdata/rest/*.json")
	if err != nil {
		t.Fatal(err)
	}
	var asked []string
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var exchanges []exchange
		if err := json.Unmarshal(content, &exchanges); err != nil {
			t.Fatal(err)
		}
		for _, e := range exchanges {
			asked = append(asked, e.Request)
		}
	}
	for _, r := range newServer(t, nil).api.routes() {
		pattern := regexp.MustCompile("^" + r.method + " " + regexp.MustCompile(`:\w+`).ReplaceAllString(regexp.QuoteMeta(r.path), `[^/]+`) + `(\?.*)?$`)
		if !slices.ContainsFunc(asked, pattern.MatchString) {
			t.Errorf("no golden answer for %s %s", r.method, r.path)
		}
	}
}
