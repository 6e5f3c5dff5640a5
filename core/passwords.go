package core

import (
	"context"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"time"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/sync/semaphore"
)

const (
	// hashWait is how long a request waits for its turn to hash.
	hashWait = 5 * time.Second
	// bcryptLimit is the longest input that bcrypt takes, in bytes.
	bcryptLimit = 72
)

// passwords hashes and checks passwords with bcrypt, one at a time per core, so
// that a wave of sign-ins cannot starve everything else.
type passwords struct {
	cost  int
	slots *semaphore.Weighted
	// decoy is compared against where there is no account, so that an unknown
	// name takes as long as a wrong password.
	decoy []byte
}

func newPasswords(cost int) (*passwords, error) {
	decoy, err := bcrypt.GenerateFromPassword(digest("no password has this digest"), cost)
	if err != nil {
		return nil, fmt.Errorf("password cost %d: %w", cost, err)
	}
	slots := semaphore.NewWeighted(int64(runtime.GOMAXPROCS(0)))
	return &passwords{cost: cost, slots: slots, decoy: decoy}, nil
}

// digest folds a password of any length into what bcrypt can take whole. The
// base64 form of a SHA-512 has 88 bytes, which bcrypt refuses; its first 72 carry
// 432 bits of the digest, to which every byte of the password contributes.
func digest(password string) []byte {
	sum := sha512.Sum512([]byte(password))
	encoded := base64.StdEncoding.AppendEncode(nil, sum[:])
	return encoded[:bcryptLimit]
}

// turn waits for a core and returns how to give it back. CodeUnavailable when
// none is free within hashWait.
func (p *passwords) turn(ctx context.Context) (done func(), err error) {
	waiting, cancel := context.WithTimeout(ctx, hashWait)
	defer cancel()
	if err := p.slots.Acquire(waiting, 1); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, Err(CodeUnavailable)
	}
	return func() { p.slots.Release(1) }, nil
}

// hash returns what to store for a password.
func (p *passwords) hash(ctx context.Context, password string) (string, error) {
	done, err := p.turn(ctx)
	if err != nil {
		return "", err
	}
	defer done()
	hashed, err := bcrypt.GenerateFromPassword(digest(password), p.cost)
	return string(hashed), err
}

// check reports whether password is the one that hashed was made of. With an
// empty hashed it takes as long and reports false.
func (p *passwords) check(ctx context.Context, hashed, password string) (bool, error) {
	done, err := p.turn(ctx)
	if err != nil {
		return false, err
	}
	defer done()
	against := []byte(hashed)
	if hashed == "" {
		against = p.decoy
	}
	err = bcrypt.CompareHashAndPassword(against, digest(password))
	if errors.Is(err, bcrypt.ErrMismatchedHashAndPassword) {
		return false, nil
	}
	return err == nil && hashed != "", err
}
