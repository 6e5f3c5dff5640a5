package cl4

import (
	"crypto/rand"
	"fmt"
	"log/slog"

	"meower/core"
)

// panicError is a command's panic, as an error.
type panicError struct {
	value any
	stack []byte
}

// Error implements error.
func (e panicError) Error() string { return fmt.Sprintf("panic: %v\n%s", e.value, e.stack) }

// coreStatuses says how the refusals of core are answered; every other error is
// a fault of ours.
var coreStatuses = map[core.Code]status{
	core.CodeNotAuthenticated:   statusInvalidToken,
	core.CodeNotFound:           statusNotFound,
	core.CodeMissingPermissions: statusRefused,
	core.CodeTooLarge:           statusTooLarge,
	core.CodeAddressBlocked:     statusRefused,
	core.CodeBanned:             statusRefused,
}

// refusalOf turns what core returned into what the client is told. Faults are
// logged under an id; the client learns nothing of the cause.
func (c *conn) refusalOf(p packet, err error) refusal {
	if known, ok := core.AsError(err); ok {
		if s, listed := coreStatuses[known.Code]; listed {
			return refusal{status: s}
		}
	}
	c.server.log.ErrorContext(c.ctx, "command failed",
		slog.String("id", rand.Text()), slog.String("cmd", p.cmd), slog.Any("error", err))
	return refusal{status: statusInternal}
}
