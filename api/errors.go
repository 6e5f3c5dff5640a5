package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"meower/core"
)

// errPanicked stands for a panic that has been logged already.
var errPanicked = errors.New("panicked")

// httpStatus is the published HTTP status of each code (errors.md).
var httpStatus = map[core.Code]int{
	core.CodeOK:                   http.StatusOK,
	core.CodeInvalidSyntax:        http.StatusBadRequest,
	core.CodeInvalidDatatype:      http.StatusBadRequest,
	core.CodeNotFound:             http.StatusNotFound,
	core.CodeAlreadyExists:        http.StatusConflict,
	core.CodeRepairMode:           http.StatusServiceUnavailable,
	core.CodeInternal:             http.StatusInternalServerError,
	core.CodeNotAuthenticated:     http.StatusUnauthorized,
	core.CodeInvalidCredentials:   http.StatusUnauthorized,
	core.CodeInvalidTOTP:          http.StatusUnauthorized,
	core.CodeTOTPNotEnabled:       http.StatusForbidden,
	core.CodeTOTPAlreadyEnabled:   http.StatusForbidden,
	core.CodePostAlreadyLiked:     http.StatusForbidden,
	core.CodePostNotLiked:         http.StatusForbidden,
	core.CodePostAlreadyMeowed:    http.StatusForbidden,
	core.CodePostNotMeowed:        http.StatusForbidden,
	core.CodeAlreadyDeleted:       http.StatusForbidden,
	core.CodeNotDeleted:           http.StatusForbidden,
	core.CodeParentNotLinked:      http.StatusForbidden,
	core.CodeChildNotLinked:       http.StatusForbidden,
	core.CodePermissionOutOfRange: http.StatusBadRequest,
	core.CodeVanityInviteCode:     http.StatusForbidden,
	core.CodeInvalidCaptcha:       http.StatusForbidden,
	core.CodeAccountLocked:        http.StatusForbidden,
	core.CodeAddressBlocked:       http.StatusForbidden,
	core.CodeInvalidTicket:        http.StatusUnauthorized,
	core.CodeMissingPermissions:   http.StatusForbidden,
	core.CodeMemberNotFound:       http.StatusNotFound,
	core.CodeMemberAlreadyExists:  http.StatusConflict,
	core.CodeReadOnly:             http.StatusForbidden,
	core.CodeBanned:               http.StatusForbidden,
	core.CodeRateLimited:          http.StatusTooManyRequests,
	core.CodeMethodNotAllowed:     http.StatusMethodNotAllowed,
	core.CodeTooLarge:             http.StatusRequestEntityTooLarge,
	core.CodeUnavailable:          http.StatusServiceUnavailable,
	core.CodeMissingScope:         http.StatusForbidden,
	core.CodeRegistrationClosed:   http.StatusForbidden,
	core.CodeEmailRequired:        http.StatusForbidden,
	core.CodeUnsupportedMediaType: http.StatusUnsupportedMediaType,
}

// refusal is the wire form of an error.
type refusal struct {
	Error   bool              `json:"error"`
	Code    core.Code         `json:"code"`
	Message string            `json:"message"`
	Details map[string]string `json:"details,omitempty"`
}

// fail answers with an error. What is not meant for the client is logged with
// the request's id, and the client learns the id and nothing else.
func (a *API) fail(c *call, err error) {
	known, ok := core.AsError(err)
	switch {
	case ok && known.Code == core.CodeUnavailable:
		a.log.WarnContext(c.ctx, "service away", slog.String("request", c.requestID), slog.Any("error", err))
	case ok, errors.Is(err, errPanicked):
	case errors.Is(err, context.Canceled) && c.ctx.Err() != nil:
		// The client has gone. Nobody reads this, and it is no fault.
		known = core.Err(core.CodeUnavailable)
	default:
		a.log.ErrorContext(c.ctx, "fault", slog.String("request", c.requestID), slog.String("route", c.pattern), slog.Any("error", err))
	}
	status, published := httpStatus[known.Code]
	if !published {
		known, status = core.Err(core.CodeInternal), http.StatusInternalServerError
	}
	body := refusal{Error: true, Code: known.Code, Message: known.Code.String()}
	if known.Code == core.CodeInvalidSyntax || known.Code == core.CodeInvalidDatatype {
		body.Details = known.Details
	}
	if known.RetryAfter > 0 {
		c.w.Header().Set("Retry-After", strconv.Itoa(wholeSeconds(known.RetryAfter)))
	}
	a.answer(c, reply{status: status, body: body})
}

// refusing answers everything with a code.
func (a *API) refusing(code core.Code) http.Handler {
	return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { a.fail(callOf(r), core.Err(code)) })
}

// invalid refuses one field's value.
func invalid(field, reason string) error {
	return &core.Error{Code: core.CodeInvalidDatatype, Details: map[string]string{field: reason}}
}

// wholeSeconds rounds up: who waits that long has waited long enough.
func wholeSeconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }
