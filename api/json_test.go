package api

import (
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"meower/core"
)

type sample struct {
	Name  string  `json:"name" validate:"required,max=5"`
	Count int     `json:"count" validate:"max=9"`
	Quote *string `json:"quote" validate:"omitnil,max=3"`
	On    bool    `json:"on"`
}

func TestDecode(t *testing.T) {
	for _, test := range []struct {
		name, contentType, body string
		code                    core.Code // 0 is none
		field                   string    // that the details name
	}{
		{"plain", "application/json", `{"name":"a","count":1,"quote":"","on":true,"more":[1]}`, 0, ""},
		{"no type", "", `{"name":"a"}`, 0, ""},
		{"parameters", "application/json; charset=utf-8", ` {"name":"a"} `, 0, ""},
		{"upper case", "Application/JSON", `{"name":"a"}`, 0, ""},
		{"form", "application/x-www-form-urlencoded", `{"name":"a"}`, core.CodeUnsupportedMediaType, ""},
		{"text", "text/plain", `{"name":"a"}`, core.CodeUnsupportedMediaType, ""},
		{"no media type", ";;", `{"name":"a"}`, core.CodeUnsupportedMediaType, ""},
		{"empty", "", "", core.CodeInvalidSyntax, "body"},
		{"cut", "", `{"name":"a"`, core.CodeInvalidSyntax, "body"},
		{"two values", "", `{"name":"a"}{}`, core.CodeInvalidSyntax, "body"},
		{"list", "", `[]`, core.CodeInvalidSyntax, "body"},
		{"null", "", `null`, core.CodeInvalidSyntax, "body"},
		{"not UTF-8", "", "{\"name\":\"\xff\"}", core.CodeInvalidSyntax, "body"},
		{"missing", "", `{"count":"x"}`, core.CodeInvalidSyntax, "name"},
		{"other case", "", `{"Name":"a"}`, core.CodeInvalidSyntax, "name"},
		{"wrong type", "", `{"name":"a","count":"x"}`, core.CodeInvalidDatatype, "count"},
		{"fraction", "", `{"name":"a","count":1.5}`, core.CodeInvalidDatatype, "count"},
		{"huge", "", `{"name":"a","count":1e99}`, core.CodeInvalidDatatype, "count"},
		{"null value", "", `{"name":null}`, core.CodeInvalidDatatype, "name"},
		{"empty text", "", `{"name":""}`, core.CodeInvalidDatatype, "name"},
		{"code points", "", `{"name":"ééééé"}`, 0, ""},
		{"too long", "", `{"name":"éééééé"}`, core.CodeInvalidDatatype, "name"},
		{"pointer too long", "", `{"name":"a","quote":"abcd"}`, core.CodeInvalidDatatype, "quote"},
		{"largest", "", `{"name":"a"}` + strings.Repeat(" ", maxBody-12), 0, ""},
		{"too large", "", `{"name":"a"}` + strings.Repeat(" ", maxBody-11), core.CodeTooLarge, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "/", strings.NewReader(test.body))
			if test.contentType != "" {
				r.Header.Set("Content-Type", test.contentType)
			}
			_, err := decode[sample](&call{w: httptest.NewRecorder(), r: r})
			if test.code == 0 {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			var got *core.Error
			if !errors.As(err, &got) || got.Code != test.code {
				t.Fatalf("got %v, want %d", err, test.code)
			}
			if _, named := got.Details[test.field]; test.field != "" && !named {
				t.Errorf("details %v do not name %s", got.Details, test.field)
			}
		})
	}
}

func TestBodyOverHTTP(t *testing.T) {
	s := newServer(t, nil)
	s.want(s.do("POST", "/v1/auth/password", "", strings.Repeat(" ", maxBody+1)), 413, 1033)
	s.want(s.do("POST", "/v1/auth/password", "", "a=b", "Content-Type", "application/x-www-form-urlencoded"), 415, 1038)
}

// Whatever comes in, decoding ends in a value within its bounds or in a refusal
// that is the client's fault.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{`{"name":"a","count":1,"quote":"x"}`, `{"name":null}`, `[`, "", `{"name":"\ud800"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var into sample
		err := decodeBytes(body, &into)
		if err == nil {
			if n := len([]rune(into.Name)); n < 1 || n > 5 || into.Count > 9 || !json.Valid(body) {
				t.Errorf("%q is let through as %+v", body, into)
			}
			return
		}
		var known *core.Error
		if !errors.As(err, &known) || len(known.Details) == 0 {
			t.Errorf("%q: %v", body, err)
		}
	})
}
