package mongo

import (
	"context"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"meower/store"
)

// collection is a collection of documents that decode into T. Each of its
// methods is one round trip, bounded in time, and reports the errors of package
// store.
type collection[T any] struct {
	documents *mongo.Collection
	timeout   time.Duration
}

func newCollection[T any](db *mongo.Database, name string, timeout time.Duration) collection[T] {
	return collection[T]{documents: db.Collection(name), timeout: timeout}
}

// batchSize is how many documents come in one answer, where they fit into its
// 16 MiB; the server's own choice would be 101. Only lists that are longer take
// more round trips.
const batchSize = 20_000

// step does one round trip within the timeout, and translates its error.
//
// The driver leaves out the client's own timeout where a context has a deadline,
// however far away, so the bound is set here.
func step(ctx context.Context, timeout time.Duration, do func(context.Context) error) error {
	bounded, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return translate(ctx, do(bounded))
}

func byID(id string) bson.M { return bson.M{"_id": id} }

func among(ids []string) bson.M { return bson.M{"_id": bson.M{"$in": ids}} }

// insert adds a document.
func (c collection[T]) insert(ctx context.Context, document T) error {
	return step(ctx, c.timeout, func(ctx context.Context) error {
		_, err := c.documents.InsertOne(ctx, document)
		return err
	})
}

// find returns the one document that the filter lets through.
func (c collection[T]) find(ctx context.Context, filter bson.M) (T, error) {
	var document T
	err := step(ctx, c.timeout, func(ctx context.Context) error {
		return c.documents.FindOne(ctx, filter).Decode(&document)
	})
	return document, err
}

// list returns all documents that the filter lets through, in the order of one
// field ("-" in front for descending); zero is no limit.
func (c collection[T]) list(ctx context.Context, filter bson.M, order string, limit int) ([]T, error) {
	find := options.Find().SetLimit(int64(limit)).SetBatchSize(batchSize)
	if order != "" {
		find.SetSort(indexKeys(order))
	}
	var documents []T
	err := step(ctx, c.timeout, func(ctx context.Context) error {
		cursor, err := c.documents.Find(ctx, filter, find)
		if err != nil {
			return err
		}
		return cursor.All(ctx, &documents)
	})
	return documents, err
}

// page returns a page of the documents that the filter lets through. It adds to
// the filter.
func (c collection[T]) page(ctx context.Context, filter bson.M, p store.Page) ([]T, error) {
	order := "-_id"
	switch {
	case p.Before != "":
		filter["_id"] = bson.M{"$lt": p.Before}
	case p.After != "":
		filter["_id"] = bson.M{"$gt": p.After}
		order = "_id"
	}
	documents, err := c.list(ctx, filter, order, p.Limit)
	if p.After != "" {
		slices.Reverse(documents)
	}
	return documents, err
}

// update changes the one document that the filter lets through; that there is
// none is no error.
func (c collection[T]) update(ctx context.Context, filter, change bson.M) error {
	return step(ctx, c.timeout, func(ctx context.Context) error {
		_, err := c.documents.UpdateOne(ctx, filter, change)
		return err
	})
}

// The options of modify.
var (
	returnAfter = options.FindOneAndUpdate().SetReturnDocument(options.After)
	upsert      = options.FindOneAndUpdate().SetUpsert(true)
)

// modify changes the one document that the filter lets through, and returns it
// as it was before, or with returnAfter as it is after. With upsert it creates
// what is not there.
func (c collection[T]) modify(
	ctx context.Context, filter, change bson.M, opts ...options.Lister[options.FindOneAndUpdateOptions],
) (T, error) {
	var document T
	err := step(ctx, c.timeout, func(ctx context.Context) error {
		return c.documents.FindOneAndUpdate(ctx, filter, change, opts...).Decode(&document)
	})
	return document, err
}

// take removes the one document that the filter lets through, and returns it.
func (c collection[T]) take(ctx context.Context, filter bson.M) (T, error) {
	var document T
	err := step(ctx, c.timeout, func(ctx context.Context) error {
		return c.documents.FindOneAndDelete(ctx, filter).Decode(&document)
	})
	return document, err
}

// remove removes the documents that the filter lets through, and returns how
// many.
func (c collection[T]) remove(ctx context.Context, filter bson.M) (int64, error) {
	var removed int64
	err := step(ctx, c.timeout, func(ctx context.Context) error {
		result, err := c.documents.DeleteMany(ctx, filter)
		if err == nil {
			removed = result.DeletedCount
		}
		return err
	})
	return removed, err
}

// count returns how many documents the filter lets through.
func (c collection[T]) count(ctx context.Context, filter bson.M) (int64, error) {
	var n int64
	err := step(ctx, c.timeout, func(ctx context.Context) (err error) {
		n, err = c.documents.CountDocuments(ctx, filter)
		return err
	})
	return n, err
}

// estimate returns about how many documents there are, from what the server
// keeps account of.
func (c collection[T]) estimate(ctx context.Context) (int64, error) {
	var n int64
	err := step(ctx, c.timeout, func(ctx context.Context) (err error) {
		n, err = c.documents.EstimatedDocumentCount(ctx)
		return err
	})
	return n, err
}
