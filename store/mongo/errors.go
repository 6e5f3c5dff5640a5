package mongo

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology"

	"meower/store"
)

// translate turns an error of the driver into one of package store. The context
// is the caller's, without the bound that we have put on it.
//
// A conflict goes without its cause, since the server's message quotes the
// value, which may be somebody's email address.
func translate(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, mongo.ErrNoDocuments):
		return store.ErrNotFound
	case isConflict(err):
		return store.ErrConflict
	case errors.Is(ctx.Err(), context.Canceled):
		return fmt.Errorf("mongo: %w", ctx.Err())
	case isUnavailable(err):
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	default:
		return fmt.Errorf("mongo: %w", err)
	}
}

// isConflict reports whether a unique index has refused the write. FerretDB
// lets the message of its SQLite through where an update is refused.
func isConflict(err error) bool {
	if mongo.IsDuplicateKeyError(err) {
		return true
	}
	server, ok := errors.AsType[mongo.ServerError](err)
	return ok && server.HasErrorMessage("UNIQUE constraint failed")
}

// unavailableCodes are the server's errors that say that it cannot do anything
// at the moment, rather than that it cannot do this.
var unavailableCodes = []int{
	6,     // HostUnreachable
	7,     // HostNotFound
	50,    // MaxTimeMSExpired
	64,    // WriteConcernFailed
	89,    // NetworkTimeout
	91,    // ShutdownInProgress
	100,   // UnsatisfiableWriteConcern
	134,   // ReadConcernMajorityNotAvailableYet
	189,   // PrimarySteppedDown
	262,   // ExceededTimeLimit
	9001,  // SocketException
	10058, // LegacyNotPrimary
	10107, // NotWritablePrimary
	11600, // InterruptedAtShutdown
	11602, // InterruptedDueToReplStateChange
	13435, // NotPrimaryNoSecondaryOk
	13436, // NotPrimaryOrSecondary
}

// unavailableLabels are what the driver or the server writes on errors that may
// be gone at the next attempt. A pool that was emptied because the server went
// away reports TransientTransactionError, though there are no transactions.
var unavailableLabels = []string{
	"RetryableWriteError", "RetryableError", "TransientTransactionError", "SystemOverloadedError",
}

// isUnavailable reports whether the server could not be reached in time, or has
// said that it cannot serve now.
func isUnavailable(err error) bool {
	if mongo.IsTimeout(err) || mongo.IsNetworkError(err) || errors.Is(err, mongo.ErrClientDisconnected) {
		return true
	}
	if isA[topology.ServerSelectionError](err) || isA[topology.ConnectionError](err) || isA[topology.PoolError](err) {
		return true
	}
	// What waits for a connection when the server goes away gets this one bare.
	if pool := driver.RetryablePoolError(nil); errors.As(err, &pool) {
		return true
	}
	server, ok := errors.AsType[mongo.ServerError](err)
	return ok && (slices.ContainsFunc(unavailableCodes, server.HasErrorCode) ||
		slices.ContainsFunc(unavailableLabels, server.HasErrorLabel))
}

// isA reports whether the error or one of its causes is an E.
func isA[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}
