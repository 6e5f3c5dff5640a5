package core

import (
	"strings"
	"testing"
)

func TestTokensSayWhatWasSigned(t *testing.T) {
	s := signer{key: []byte("key")}
	want := token{typ: sessionToken, id: "1234567890123456789", version: 3}
	raw := s.sign(want)
	if got, ok := s.parse(raw); !ok || got != want {
		t.Fatalf("parse = %+v, %v", got, ok)
	}
	if _, ok := (signer{key: []byte("other")}).parse(raw); ok {
		t.Error("another key's token was accepted")
	}
	payload, signature, _ := strings.Cut(raw, ".")
	for _, bad := range []string{"", ".", raw + "=", raw + ".", payload, payload + ".", "." + signature, raw[1:], raw[:len(raw)-1], strings.Repeat("a", MaxTokenLength+1)} {
		if got, ok := s.parse(bad); ok {
			t.Errorf("%q was accepted as %+v", bad, got)
		}
	}
}

func FuzzParseToken(f *testing.F) {
	s := signer{key: []byte("key")}
	valid := s.sign(token{typ: sessionToken, id: "1", version: 1})
	f.Add(valid)
	f.Add("MTox.x")
	f.Fuzz(func(t *testing.T, raw string) {
		if got, ok := s.parse(raw); ok && s.sign(got) != raw {
			t.Errorf("%q is another form of %+v", raw, got)
		}
	})
}

func FuzzParseTokenPayload(f *testing.F) {
	f.Add("1:2:3")
	f.Add("1::3")
	f.Fuzz(func(t *testing.T, payload string) {
		if got, ok := parsePayload(payload); ok && got.id == "" {
			t.Error("a token without an id")
		}
	})
}
