package api

import (
	"maps"
	"strconv"
	"time"

	"meower/core"
)

// Headers of every answer of a limited route.
const (
	bucketHeader    = "X-Ratelimit-Bucket"
	remainingHeader = "X-Ratelimit-Remaining"
	resetHeader     = "X-Ratelimit-Reset" // seconds
)

// defaultBucket is the one of authenticated routes that name none.
const defaultBucket = "default"

// defaultLimits are the published limits, by bucket (rest.md, "Conventions").
var defaultLimits = map[string]core.Limit{
	"register":            {Hits: 2, Window: time.Minute},
	"login":               {Hits: 5, Window: time.Minute},
	"mfa":                 {Hits: 5, Window: time.Minute},
	"verify":              {Hits: 5, Window: time.Minute},
	"change_relationship": {Hits: 5, Window: 10 * time.Second},
	"open_chat":           {Hits: 5, Window: 10 * time.Second},
	"update_chat":         {Hits: 5, Window: 10 * time.Second},
	"typing":              {Hits: 3, Window: time.Second},
	"search":              {Hits: 5, Window: 10 * time.Second},
	"create_post":         {Hits: 1, Window: 2 * time.Second},
	"edit_post":           {Hits: 1, Window: 2 * time.Second},
	"reputation":          {Hits: 2, Window: time.Second},
	"create_comment":      {Hits: 1, Window: 2 * time.Second},
	"edit_comment":        {Hits: 1, Window: 2 * time.Second},
	"create_message":      {Hits: 5, Window: 5 * time.Second},
	"edit_message":        {Hits: 5, Window: 5 * time.Second},
	"report":              {Hits: 5, Window: time.Minute},
	"upload":              {Hits: 5, Window: time.Minute},
	"export":              {Hits: 1, Window: time.Hour},
	defaultBucket:         {Hits: 120, Window: time.Minute},
}

// Buckets returns the published limits by bucket, for whoever reads overrides
// from a configuration. The map is the caller's.
func Buckets() map[string]core.Limit { return maps.Clone(defaultLimits) }

// limitsWith returns the limits with some of them replaced.
func limitsWith(overrides map[string]core.Limit) map[string]core.Limit {
	limits := Buckets()
	maps.Copy(limits, overrides)
	return limits
}

// limit counts a hit by who and refuses the one too many. Without a bucket, and
// while limits are off, it lets everything pass.
func (a *API) limit(c *call, bucket, who string) error {
	limit, limited := a.limits[bucket]
	if !limited {
		return nil
	}
	left, err := a.core.Hit(c.ctx, bucket, limit, who)
	if err != nil {
		return err
	}
	header := c.w.Header()
	header.Set(bucketHeader, bucket)
	header.Set(remainingHeader, strconv.Itoa(left.Remaining))
	header.Set(resetHeader, strconv.Itoa(wholeSeconds(left.Reset)))
	if !left.Allowed {
		return &core.Error{Code: core.CodeRateLimited, RetryAfter: max(left.Reset, time.Second)}
	}
	return nil
}
