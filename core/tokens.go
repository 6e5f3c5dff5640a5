package core

import (
	"crypto/hmac"
	"crypto/sha512"
	"encoding/base64"
	"strconv"
	"strings"
)

// tokenType says what a token stands for.
type tokenType int

// The token types (data.md, "Sessions, tokens, tickets").
const (
	ticketToken  tokenType = 0
	sessionToken tokenType = 1
	botToken     tokenType = 2
)

// MaxTokenLength is the longest token that is looked at, in bytes.
const MaxTokenLength = 1000

// token is what a token says once its signature has been checked.
type token struct {
	typ     tokenType
	id      string
	version int64
}

// tokenEncoding refuses what is not canonical, so that a token has one form.
var tokenEncoding = base64.RawURLEncoding.Strict()

// signer makes and checks tokens:
// base64url("<type>:<id>:<version>") "." base64url(HMAC-SHA-512 of the former's
// content). It is safe for concurrent use.
type signer struct{ key []byte }

func (s signer) sum(payload []byte) []byte {
	mac := hmac.New(sha512.New, s.key)
	mac.Write(payload)
	return mac.Sum(nil)
}

// sign returns the token that says t.
func (s signer) sign(t token) string {
	payload := []byte(strconv.Itoa(int(t.typ)) + ":" + t.id + ":" + strconv.FormatInt(t.version, 10))
	return tokenEncoding.EncodeToString(payload) + "." + tokenEncoding.EncodeToString(s.sum(payload))
}

// parse returns what a token says, and false where it is malformed or forged.
func (s signer) parse(raw string) (token, bool) {
	if len(raw) > MaxTokenLength {
		return token{}, false
	}
	encoded, signature, found := strings.Cut(raw, ".")
	if !found {
		return token{}, false
	}
	payload, err := tokenEncoding.DecodeString(encoded)
	if err != nil {
		return token{}, false
	}
	given, err := tokenEncoding.DecodeString(signature)
	if err != nil || !hmac.Equal(given, s.sum(payload)) {
		return token{}, false
	}
	return parsePayload(string(payload))
}

// parsePayload reads "<type>:<id>:<version>".
func parsePayload(payload string) (token, bool) {
	parts := strings.Split(payload, ":")
	if len(parts) != 3 || parts[1] == "" {
		return token{}, false
	}
	typ, err := strconv.Atoi(parts[0])
	if err != nil {
		return token{}, false
	}
	version, err := strconv.ParseInt(parts[2], 10, 64)
	if err != nil {
		return token{}, false
	}
	return token{typ: tokenType(typ), id: parts[1], version: version}, true
}
