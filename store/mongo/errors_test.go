package mongo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology"

	"meower/store"
)

func TestTranslate(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	fault := errors.New("fault")
	duplicate := mongo.WriteException{WriteErrors: mongo.WriteErrors{{Code: 11000, Message: "E11000 mia@example.com"}}}
	for _, c := range []struct {
		name string
		ctx  context.Context
		err  error
		want error
	}{
		{"nothing", t.Context(), nil, nil},
		{"nothing, for someone who is gone", cancelled, nil, nil},
		{"no document", t.Context(), mongo.ErrNoDocuments, store.ErrNotFound},
		{"duplicate", t.Context(), duplicate, store.ErrConflict},
		{"duplicate by findAndModify", t.Context(), mongo.CommandError{Code: 11000}, store.ErrConflict},
		{
			"duplicate as FerretDB has it", t.Context(),
			mongo.CommandError{Code: 1, Message: "constraint failed: UNIQUE constraint failed: index 'users'"},
			store.ErrConflict,
		},
		{"cancelled", cancelled, mongo.CommandError{Labels: []string{"NetworkError"}, Wrapped: context.Canceled}, context.Canceled},
		{"timeout", t.Context(), context.DeadlineExceeded, store.ErrUnavailable},
		{"network", t.Context(), mongo.CommandError{Labels: []string{"NetworkError"}, Wrapped: io.EOF}, store.ErrUnavailable},
		{"no server", t.Context(), topology.ServerSelectionError{Wrapped: fault}, store.ErrUnavailable},
		{"no connection", t.Context(), topology.ConnectionError{Wrapped: fault}, store.ErrUnavailable},
		{"closed pool", t.Context(), topology.ErrPoolClosed, store.ErrUnavailable},
		{"emptied pool", t.Context(), emptiedPool{fault}, store.ErrUnavailable},
		{"emptied pool, labelled", t.Context(), mongo.CommandError{Labels: []string{"TransientTransactionError"}}, store.ErrUnavailable},
		{"closed", t.Context(), mongo.ErrClientDisconnected, store.ErrUnavailable},
		{"not primary", t.Context(), mongo.CommandError{Code: 10107}, store.ErrUnavailable},
		{
			"no majority in time", t.Context(),
			mongo.WriteException{WriteConcernError: &mongo.WriteConcernError{Code: 64}},
			store.ErrUnavailable,
		},
		{"server's time limit", t.Context(), mongo.CommandError{Code: 50}, store.ErrUnavailable},
		{"fault", t.Context(), fault, fault},
		{"refused command", t.Context(), fmt.Errorf("x: %w", mongo.CommandError{Code: 2, Wrapped: fault}), fault},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := translate(c.ctx, c.err)
			if !errors.Is(got, c.want) {
				t.Errorf("%v became %v, want %v", c.err, got, c.want)
			}
			for _, other := range []error{store.ErrNotFound, store.ErrConflict, store.ErrUnavailable} {
				if other != c.want && errors.Is(got, other) { //nolint:errorlint // the values themselves
					t.Errorf("%v is %v as well", got, other)
				}
			}
		})
	}
	// The server quotes the value, which is nobody's business.
	if got := translate(t.Context(), duplicate); got.Error() != store.ErrConflict.Error() {
		t.Errorf("a conflict says %q", got)
	}
}

// emptiedPool looks as the driver's own error for it does, which has no name
// outside of the driver.
type emptiedPool struct{ error }

func (emptiedPool) Retryable() bool { return true }

var _ driver.RetryablePoolError = emptiedPool{}
