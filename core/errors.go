package core

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/redis/go-redis/v9"

	"meower/store"
)

// Code is the stable number of an outcome, the same on every transport. Numbers
// are only ever added at the end.
type Code int

// The outcomes, in the order of the published catalogue.
const (
	CodeOK Code = 1000 + iota
	CodeInvalidSyntax
	CodeInvalidDatatype
	CodeNotFound
	CodeAlreadyExists
	CodeRepairMode
	CodeInternal
	CodeNotAuthenticated
	CodeInvalidCredentials
	CodeInvalidTOTP
	CodeTOTPNotEnabled
	CodeTOTPAlreadyEnabled
	CodePostAlreadyLiked
	CodePostNotLiked
	CodePostAlreadyMeowed
	CodePostNotMeowed
	CodeAlreadyDeleted
	CodeNotDeleted
	CodeParentNotLinked
	CodeChildNotLinked
	CodePermissionOutOfRange
	CodeVanityInviteCode
	CodeInvalidCaptcha
	CodeAccountLocked
	CodeAddressBlocked
	CodeInvalidTicket
	CodeMissingPermissions
	CodeMemberNotFound
	CodeMemberAlreadyExists
	CodeReadOnly
	CodeBanned
	CodeRateLimited
	CodeMethodNotAllowed
	CodeTooLarge
	CodeUnavailable
	CodeMissingScope
	CodeRegistrationClosed
	CodeEmailRequired
	CodeUnsupportedMediaType
)

// messages are the published texts, by Code.
var messages = [...]string{
	"OK",
	"Invalid syntax",
	"Invalid datatype",
	"Resource not found",
	"Resource already exists",
	"Server is currently in repair mode",
	"Internal server error",
	"Not authenticated",
	"Invalid credentials",
	"Invalid TOTP/recovery code",
	"TOTP not enabled",
	"TOTP already enabled",
	"Post already liked",
	"Post not liked",
	"Post already meowed",
	"Post not meowed",
	"Resource already deleted",
	"Resource not deleted",
	"Parent not linked",
	"Child not linked",
	"Permission level out of range",
	"Chat has vanity invite code",
	"Invalid captcha",
	"Account locked",
	"Your IP address is blocked",
	"Invalid ticket",
	"Missing permissions",
	"Member not found",
	"Member already exists",
	"User is currently in read-only mode",
	"User is currently banned",
	"You are being ratelimited",
	"Method not allowed",
	"Too large",
	"Temporarily unavailable",
	"Missing scope",
	"Registration is closed",
	"Email address required",
	"Unsupported media type",
}

// Codes returns every Code in order.
func Codes() []Code {
	all := make([]Code, len(messages))
	for i := range all {
		all[i] = CodeOK + Code(i)
	}
	return all
}

// String returns the published text.
func (c Code) String() string {
	if i := int(c - CodeOK); i >= 0 && i < len(messages) {
		return messages[i]
	}
	return fmt.Sprintf("Code(%d)", int(c))
}

// Error is a refusal that is meant for the client. A transport turns it into
// its wire form; every other error is a fault of ours, of which the client
// learns nothing but CodeInternal.
type Error struct {
	Code Code
	// Details says for each field what is wrong with it, where that helps.
	Details map[string]string
	// RetryAfter is how long to wait before trying again, where that is known.
	RetryAfter time.Duration
}

// Err returns the plain Error of a code.
func Err(code Code) *Error { return &Error{Code: code} }

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("%d %s", int(e.Code), e.Code) }

// Is reports whether target is an Error of the same code, so that
// errors.Is(err, core.Err(core.CodeNotFound)) works.
func (e *Error) Is(target error) bool {
	var other *Error
	return errors.As(target, &other) && other.Code == e.Code
}

// AsError returns the Error that a client is to be told of err, and false where
// err is a fault that must be logged. A store or Redis that cannot be reached,
// or not in time, is CodeUnavailable: both are outages, which end by themselves
// and are worth a retry.
func AsError(err error) (*Error, bool) {
	var known *Error
	if errors.As(err, &known) {
		return known, true
	}
	if isOutage(err) {
		return Err(CodeUnavailable), true
	}
	return Err(CodeInternal), false
}

// isOutage reports whether err means that a service we stand on is away.
func isOutage(err error) bool {
	var netErr net.Error
	return errors.Is(err, store.ErrUnavailable) ||
		errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, redis.ErrPoolTimeout) ||
		errors.Is(err, redis.ErrClosed) ||
		errors.Is(err, io.EOF) || // a connection that ended in the middle of a command
		errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.As(err, &netErr) ||
		isRedisLoading(err)
}

// isRedisLoading reports whether Redis answers but is not ready to serve, as
// after a restart or a failover.
func isRedisLoading(err error) bool {
	return redis.HasErrorPrefix(err, "LOADING") || redis.HasErrorPrefix(err, "READONLY") ||
		redis.HasErrorPrefix(err, "MASTERDOWN") || redis.HasErrorPrefix(err, "CLUSTERDOWN") ||
		redis.HasErrorPrefix(err, "TRYAGAIN")
}

// notFound turns a store's ErrNotFound into CodeNotFound and leaves other
// errors alone.
func notFound(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return Err(CodeNotFound)
	}
	return err
}
