package core

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"meower/store"
)

// Limits of an account (rest.md, "Authentication").
const (
	MinPasswordLength = 8   // code points
	MaxPasswordLength = 255 // code points
	MaxUsernameLength = 20

	// freeAccounts is how many accounts one address may register before further
	// ones are asked for an email address.
	freeAccounts = 3
)

const (
	// Five failures within passwordWindow lock an account for one address.
	maxPasswordFailures = 5
	passwordWindow      = 120 * time.Second
	passwordLock        = 60 * time.Second
)

// registrationClosedKey exists in Redis while registration is closed.
const registrationClosedKey = "registration_closed"

// Registration asks for a new account. Username and Password have been checked
// for form.
type Registration struct {
	Username string
	Password string
	Child    bool
	Client   Client
}

// SignIn is the outcome of a registration or a password that was right.
type SignIn struct {
	UserID      string
	AccessToken string
}

// Register makes a user with an account and signs them in. CodeAlreadyExists
// when the name is taken, ignoring case, or reserved; CodeAddressBlocked where
// the network may not register; CodeRegistrationClosed.
func (c *Core) Register(ctx context.Context, r Registration) (SignIn, error) {
	if err := c.mayRegister(ctx, r.Client.Address); err != nil {
		return SignIn{}, err
	}
	lower := store.LowerUsername(r.Username)
	if err := c.checkNameFree(ctx, lower); err != nil {
		return SignIn{}, err
	}
	hash, err := c.passwords.hash(ctx, r.Password)
	if err != nil {
		return SignIn{}, err
	}
	now := c.now()
	network, err := c.store.CountRegistration(ctx, r.Client.Address, now)
	if err != nil {
		return SignIn{}, err
	}
	user := store.User{ID: c.ids.Next(), Username: r.Username, LowerUsername: lower, Created: now}
	if r.Child {
		user.Flags |= store.UserChild
	}
	if network.Users > freeAccounts {
		user.Flags |= store.UserRequireEmail
	}
	if err := c.createUser(ctx, user, store.Account{ID: user.ID, PasswordHash: hash, LastUpdated: now}); err != nil {
		return SignIn{}, err
	}
	return c.signIn(ctx, user, r.Client)
}

// mayRegister refuses when registration is closed, or closed to the address.
func (c *Core) mayRegister(ctx context.Context, address string) error {
	closed, err := c.redis.Exists(ctx, registrationClosedKey).Result()
	if err != nil {
		return fmt.Errorf("registration switch: %w", err)
	}
	if closed != 0 {
		return Err(CodeRegistrationClosed)
	}
	network, err := c.store.Network(ctx, address)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if network.Blocked || network.CreationBlocked {
		return Err(CodeAddressBlocked)
	}
	return nil
}

// checkNameFree spares the cost of hashing for a name that is taken. It decides
// nothing: the store's unique index does.
func (c *Core) checkNameFree(ctx context.Context, lower string) error {
	if isReservedName(lower) {
		return Err(CodeAlreadyExists)
	}
	_, err := c.store.UserByName(ctx, lower)
	switch {
	case err == nil:
		return Err(CodeAlreadyExists)
	case errors.Is(err, store.ErrNotFound):
		return nil
	default:
		return err
	}
}

// createUser stores the account, then the user. In this order nobody sees a user
// who cannot sign in; what is left of a lost race for the name is removed.
func (c *Core) createUser(ctx context.Context, user store.User, account store.Account) error {
	if err := c.store.CreateAccount(ctx, account); err != nil {
		return err
	}
	err := c.store.CreateUser(ctx, user)
	if err == nil {
		return nil
	}
	if !errors.Is(err, store.ErrConflict) {
		return err // it may have been stored: leave the account in place
	}
	if err := c.store.DeleteAccount(context.WithoutCancel(ctx), account.ID); err != nil {
		c.log.WarnContext(ctx, "account of a lost race stays behind", slog.String("account", account.ID), slog.Any("error", err))
	}
	return Err(CodeAlreadyExists)
}

func (c *Core) signIn(ctx context.Context, user store.User, client Client) (SignIn, error) {
	accessToken, err := c.startSession(ctx, user, client)
	if err != nil {
		return SignIn{}, err
	}
	return SignIn{UserID: user.ID, AccessToken: accessToken}, nil
}

// Login signs in by name or email address and password. CodeInvalidCredentials
// for an unknown name, a bot or a wrong password, all in the same time;
// CodeAccountLocked from the fifth failure within two minutes on, for one minute
// and for the client's address only.
func (c *Core) Login(ctx context.Context, name, password string, client Client) (SignIn, error) {
	user, account, err := c.findLogin(ctx, name)
	if err != nil {
		return SignIn{}, err
	}
	// An unknown name is counted as typed, so that it locks as a known one does.
	who := user.ID
	if who == "" {
		who = store.LowerUsername(name)
	}
	if err := c.checkPassword(ctx, account, password, who, client.Address); err != nil {
		return SignIn{}, err
	}
	return c.signIn(ctx, user, client)
}

// findLogin returns the user and account that a name or email address belongs
// to, both zero where there is none.
func (c *Core) findLogin(ctx context.Context, name string) (store.User, store.Account, error) {
	none := func(err error) (store.User, store.Account, error) {
		if errors.Is(err, store.ErrNotFound) {
			err = nil
		}
		return store.User{}, store.Account{}, err
	}
	if strings.Contains(name, "@") { // no username contains one
		account, err := c.store.AccountByEmail(ctx, strings.ToLower(name))
		if err != nil {
			return none(err)
		}
		user, err := c.store.User(ctx, account.ID)
		if err != nil {
			return none(err)
		}
		return user, account, nil
	}
	user, err := c.store.UserByName(ctx, store.LowerUsername(name))
	if err != nil {
		return none(err)
	}
	account, err := c.store.Account(ctx, user.ID)
	if err != nil {
		return none(err)
	}
	return user, account, nil
}

// attempt reserves one of the attempts that an account and an address have left
// and returns how many are used, or -1 while they are locked. The attempt counts
// before the password is looked at, so a hundred at once are no more than five.
var attempt = redis.NewScript(`
if redis.call('EXISTS', KEYS[2]) == 1 then
	return -1
end
local used = redis.call('INCR', KEYS[1])
if redis.call('PTTL', KEYS[1]) < 0 then
	redis.call('PEXPIRE', KEYS[1], ARGV[1])
end
return used`)

// checkPassword refuses a wrong password with CodeInvalidCredentials and counts
// failures of who from address; the last one it bears, and all that follow while
// the lock holds, are CodeAccountLocked.
func (c *Core) checkPassword(ctx context.Context, account store.Account, password, who, address string) error {
	// One hash slot for both keys, as a Redis cluster wants it.
	failures := "pswd_att:{" + who + ":" + address + "}"
	lock := "lock:{" + who + ":" + address + "}"
	used, err := attempt.Run(ctx, c.redis, []string{failures, lock}, passwordWindow.Milliseconds()).Int()
	if err != nil {
		return fmt.Errorf("count password attempt: %w", err)
	}
	if used < 0 || used > maxPasswordFailures {
		return &Error{Code: CodeAccountLocked, RetryAfter: passwordLock}
	}
	right, err := c.passwords.check(ctx, account.PasswordHash, password)
	if err != nil {
		return err
	}
	if right {
		return c.redis.Del(ctx, failures).Err()
	}
	if used < maxPasswordFailures {
		return Err(CodeInvalidCredentials)
	}
	_, err = c.redis.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
		pipe.Set(ctx, lock, "", passwordLock)
		pipe.Del(ctx, failures)
		return nil
	})
	if err != nil {
		return fmt.Errorf("lock account: %w", err)
	}
	return &Error{Code: CodeAccountLocked, RetryAfter: passwordLock}
}

// VerifyPassword checks the principal's own password and returns a verification
// ticket, good once for a minute, for what must not be done with a stolen token
// alone.
func (c *Core) VerifyPassword(ctx context.Context, p *Principal, password, address string) (string, error) {
	account, err := c.store.Account(ctx, p.User.ID)
	if err != nil {
		return "", notFound(err)
	}
	if err := c.checkPassword(ctx, account, password, p.User.ID, address); err != nil {
		return "", err
	}
	return c.issueTicket(ctx, ticket{Kind: verificationTicket, UserID: p.User.ID})
}
