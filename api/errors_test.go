package api

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"meower/core"
)

// catalogue is a copy of the published page errors.md.
var catalogue = []struct {
	code, status int
	message      string
}{
	{1000, 200, "OK"},
	{1001, 400, "Invalid syntax"},
	{1002, 400, "Invalid datatype"},
	{1003, 404, "Resource not found"},
	{1004, 409, "Resource already exists"},
	{1005, 503, "Server is currently in repair mode"},
	{1006, 500, "Internal server error"},
	{1007, 401, "Not authenticated"},
	{1008, 401, "Invalid credentials"},
	{1009, 401, "Invalid TOTP/recovery code"},
	{1010, 403, "TOTP not enabled"},
	{1011, 403, "TOTP already enabled"},
	{1012, 403, "Post already liked"},
	{1013, 403, "Post not liked"},
	{1014, 403, "Post already meowed"},
	{1015, 403, "Post not meowed"},
	{1016, 403, "Resource already deleted"},
	{1017, 403, "Resource not deleted"},
	{1018, 403, "Parent not linked"},
	{1019, 403, "Child not linked"},
	{1020, 400, "Permission level out of range"},
	{1021, 403, "Chat has vanity invite code"},
	{1022, 403, "Invalid captcha"},
	{1023, 403, "Account locked"},
	{1024, 403, "Your IP address is blocked"},
	{1025, 401, "Invalid ticket"},
	{1026, 403, "Missing permissions"},
	{1027, 404, "Member not found"},
	{1028, 409, "Member already exists"},
	{1029, 403, "User is currently in read-only mode"},
	{1030, 403, "User is currently banned"},
	{1031, 429, "You are being ratelimited"},
	{1032, 405, "Method not allowed"},
	{1033, 413, "Too large"},
	{1034, 503, "Temporarily unavailable"},
	{1035, 403, "Missing scope"},
	{1036, 403, "Registration is closed"},
	{1037, 403, "Email address required"},
	{1038, 415, "Unsupported media type"},
}

func TestCatalogue(t *testing.T) {
	if len(core.Codes()) != len(catalogue) || len(httpStatus) != len(catalogue) {
		t.Errorf("%d codes, %d statuses, %d published", len(core.Codes()), len(httpStatus), len(catalogue))
	}
	for _, row := range catalogue {
		code := core.Code(row.code)
		if code.String() != row.message || httpStatus[code] != row.status {
			t.Errorf("%d is %q with %d, want %q with %d", row.code, code, httpStatus[code], row.message, row.status)
		}
	}
}

func TestFail(t *testing.T) {
	s := newServer(t, nil)
	fail := func(err error) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		s.api.fail(&call{ctx: t.Context(), w: w, r: httptest.NewRequest("GET", "/", nil), requestID: "req-7"}, err)
		return w
	}
	w := fail(&core.Error{Code: core.CodeNotFound, Details: map[string]string{"id": "x"}})
	if got := w.Body.String(); got != `{"error":true,"code":1003,"message":"Resource not found"}`+"\n" {
		t.Errorf("details where none belong: %s", got)
	}
	w = fail(invalid("id", "x<y"))
	if got := w.Body.String(); got != `{"error":true,"code":1002,"message":"Invalid datatype","details":{"id":"x<y"}}`+"\n" {
		t.Errorf("got %s", got)
	}
	w = fail(&core.Error{Code: core.CodeRateLimited, RetryAfter: 1100 * time.Millisecond})
	if w.Code != 429 || w.Header().Get("Retry-After") != "2" {
		t.Errorf("got %d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
	}
	w = fail(errors.New("secret cause"))
	if w.Code != 500 || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	if log := s.log.String(); !strings.Contains(log, "secret cause") || !strings.Contains(log, "req-7") {
		t.Errorf("log: %s", log)
	}
	if w = fail(core.Err(9999)); w.Code != 500 {
		t.Errorf("an unknown code is sent with %d", w.Code)
	}
}
