package main

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"net/url"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
	"github.com/joho/godotenv"

	"meower/api"
	"meower/bus"
	"meower/core"
)

// config is every setting, once: its variable, its default, and in check what is
// allowed.
type config struct {
	Development bool `env:"DEVELOPMENT" envDefault:"false"`

	Host     string `env:"HOST" envDefault:"127.0.0.1"`
	RESTPort int    `env:"REST_PORT" envDefault:"3000"`
	CL4Port  int    `env:"CL4_PORT" envDefault:"3001"`

	DatabaseURI string `env:"DB_URI" envDefault:"mongodb://127.0.0.1:27017"`
	Database    string `env:"MONGO_DB" envDefault:"meowercl4"`

	RedisURL      string `env:"REDIS_URL"`
	RedisHost     string `env:"REDIS_HOST" envDefault:"127.0.0.1"`
	RedisPort     int    `env:"REDIS_PORT" envDefault:"6379"`
	RedisDB       int    `env:"REDIS_DB" envDefault:"0"`
	RedisPassword string `env:"REDIS_PASSWORD"`

	IPHeader       string   `env:"IP_HEADER" envDefault:"X-Forwarded-For"`
	TrustedProxies []string `env:"TRUSTED_PROXIES" envDefault:"127.0.0.0/8,::1/128,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7"`
	AllowedOrigins []string `env:"ALLOWED_ORIGINS"`

	DatacenterID   int    `env:"DATACENTER_ID" envDefault:"0"`
	WorkerID       int    `env:"WORKER_ID" envDefault:"0"`
	SigningKey     string `env:"SIGNING_KEY"`
	PasswordRounds int    `env:"PSWD_ROUNDS" envDefault:"12"`
	RateLimits     string `env:"RATELIMITS" envDefault:"on"`

	CL4RequireAuth    bool     `env:"CL4_REQUIRE_AUTH" envDefault:"false"`
	CL4Compression    bool     `env:"CL4_COMPRESSION" envDefault:"false"`
	CL4UserList       bool     `env:"CL4_ULIST" envDefault:"true"`
	CL4MOTD           string   `env:"CL4_MOTD" envDefault:"Welcome to Meower!"`
	CL4Commands       int      `env:"CL4_COMMANDS_PER_SECOND" envDefault:"20"`
	CL4PerAccount     int      `env:"CL4_CONNECTIONS_PER_ACCOUNT" envDefault:"20"`
	CL4PerAddress     int      `env:"CL4_CONNECTIONS_PER_ADDRESS" envDefault:"50"`
	CL4HistorySeconds int      `env:"CL4_HISTORY_SECONDS" envDefault:"120"`
	CL4HistoryEvents  int      `env:"CL4_HISTORY_EVENTS" envDefault:"10000"`
	CL4Disabled       []string `env:"-"`
	LogLevel          string   `env:"LOG_LEVEL" envDefault:"info"`
	LogFormat         string   `env:"LOG_FORMAT" envDefault:"auto"`
	proxies           []netip.Prefix
	rateLimits        map[string]core.Limit
	unknownMeowerVars []string
}

// cl4Disabled is read apart, since a set but empty value means that no command
// is disabled.
const (
	cl4DisabledVariable = "CL4_DISABLED_COMMANDS"
	cl4DisabledDefault  = "gmsg,pmsg,gvar,pvar,setid,link,unlink"
)

// loadConfig reads .env in the working directory, then the environment, which
// wins. A bad value is an error of one line that names the variable, the value
// and what is allowed.
func loadConfig() (*config, error) {
	values, err := godotenv.Read()
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf(".env cannot be read: %w", err)
	}
	if values == nil {
		values = make(map[string]string)
	}
	for _, assignment := range os.Environ() {
		name, value, _ := strings.Cut(assignment, "=")
		values[name] = value
	}
	return parseConfig(values)
}

// parseConfig makes a config of variables by name. An empty value is the same as
// none.
func parseConfig(values map[string]string) (*config, error) {
	var c config
	c.CL4Disabled = commaList(cl4DisabledDefault)
	if disabled, set := values[cl4DisabledVariable]; set {
		c.CL4Disabled = commaList(disabled)
	}
	given := make(map[string]string, len(values))
	for name, value := range values {
		if strings.TrimSpace(value) != "" {
			given[name] = value
		}
	}
	if err := env.ParseWithOptions(&c, env.Options{Environment: given}); err != nil {
		return nil, explainParse(err, given)
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	var err error
	if c.rateLimits, err = rateLimitOverrides(given); err != nil {
		return nil, err
	}
	for name := range given {
		if strings.HasPrefix(name, "MEOWER_") {
			c.unknownMeowerVars = append(c.unknownMeowerVars, name)
		}
	}
	slices.Sort(c.unknownMeowerVars)
	return &c, nil
}

func commaList(s string) []string {
	var list []string
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list
}

// variableOf returns the variable of a field of config.
func variableOf(field string) string {
	f, _ := reflect.TypeFor[config]().FieldByName(field)
	return f.Tag.Get("env")
}

// explainParse turns the parser's error into one line about the first variable
// that is wrong.
func explainParse(err error, given map[string]string) error {
	var parse env.ParseError
	if aggregate := (env.AggregateError{}); errors.As(err, &aggregate) && len(aggregate.Errors) > 0 {
		err = aggregate.Errors[0]
	}
	if !errors.As(err, &parse) {
		return err
	}
	name := variableOf(parse.Name)
	allowed := "a whole number"
	if parse.Type.Kind() == reflect.Bool {
		allowed = "true or false"
	}
	return badValue(name, given[name], allowed)
}

func badValue(name, value, allowed string) error {
	return fmt.Errorf("%s=%q: want %s", name, value, allowed)
}

// check says what is allowed where the type alone does not.
func (c *config) check() error {
	for _, number := range []struct {
		name            string
		value, min, max int
	}{
		{"REST_PORT", c.RESTPort, 0, 65535},
		{"CL4_PORT", c.CL4Port, 0, 65535},
		{"REDIS_PORT", c.RedisPort, 1, 65535},
		{"REDIS_DB", c.RedisDB, 0, 1 << 20},
		{"DATACENTER_ID", c.DatacenterID, 0, 31},
		{"WORKER_ID", c.WorkerID, 0, 31},
		{"PSWD_ROUNDS", c.PasswordRounds, 4, 20},
		{"CL4_COMMANDS_PER_SECOND", c.CL4Commands, 0, 1_000_000},
		{"CL4_CONNECTIONS_PER_ACCOUNT", c.CL4PerAccount, 0, 1_000_000},
		{"CL4_CONNECTIONS_PER_ADDRESS", c.CL4PerAddress, 0, 1_000_000},
		{"CL4_HISTORY_SECONDS", c.CL4HistorySeconds, 0, 86_400},
		{"CL4_HISTORY_EVENTS", c.CL4HistoryEvents, 0, 1_000_000},
	} {
		if number.value < number.min || number.value > number.max {
			return badValue(number.name, strconv.Itoa(number.value), fmt.Sprintf("%d to %d", number.min, number.max))
		}
	}
	for _, word := range []struct {
		name, value string
		allowed     []string
	}{
		{"RATELIMITS", c.RateLimits, []string{"on", "off"}},
		{"LOG_LEVEL", c.LogLevel, []string{"debug", "info", "warn", "error"}},
		{"LOG_FORMAT", c.LogFormat, []string{"auto", "text", "json"}},
	} {
		if !slices.Contains(word.allowed, word.value) {
			return badValue(word.name, word.value, strings.Join(word.allowed, ", "))
		}
	}
	if !strings.HasPrefix(c.DatabaseURI, "mongodb://") && !strings.HasPrefix(c.DatabaseURI, "mongodb+srv://") {
		return errors.New("DB_URI: want mongodb://… or mongodb+srv://…") // the value may hold a password
	}
	for _, network := range c.TrustedProxies {
		prefix, err := netip.ParsePrefix(strings.TrimSpace(network))
		if err != nil {
			return badValue("TRUSTED_PROXIES", network, "networks such as 10.0.0.0/8, separated by commas")
		}
		c.proxies = append(c.proxies, prefix)
	}
	return c.checkOrigins()
}

// history is what the bus keeps of its events; either setting at 0 is nothing.
func (c *config) history() bus.History {
	return bus.History{Events: c.CL4HistoryEvents, For: time.Duration(c.CL4HistorySeconds) * time.Second}
}

// checkOrigins also fills in the default: any origin in development, none in
// production, where a browser then reaches the server from its own origin only.
func (c *config) checkOrigins() error {
	if len(c.AllowedOrigins) == 0 && c.Development {
		c.AllowedOrigins = []string{"*"}
	}
	for _, origin := range c.AllowedOrigins {
		if origin == "*" {
			continue
		}
		u, err := url.Parse(origin)
		if err != nil || u.Scheme == "" || u.Host == "" || u.Path != "" {
			return badValue("ALLOWED_ORIGINS", origin, "* or origins such as https://example.org, separated by commas")
		}
	}
	return nil
}

var limitSetting = regexp.MustCompile(`^([1-9][0-9]{0,6})/([1-9][0-9]{0,6})$`)

// rateLimitOverrides reads RATELIMIT_<BUCKET>=hits/seconds.
func rateLimitOverrides(given map[string]string) (map[string]core.Limit, error) {
	buckets := api.Buckets()
	limits := make(map[string]core.Limit)
	for name, value := range given {
		bucket, found := strings.CutPrefix(name, "RATELIMIT_")
		if !found {
			continue
		}
		bucket = strings.ToLower(bucket)
		if _, known := buckets[bucket]; !known {
			return nil, fmt.Errorf("%s=%q: no such bucket; want one of %s", name, value, strings.Join(slices.Sorted(maps.Keys(buckets)), ", "))
		}
		parts := limitSetting.FindStringSubmatch(value)
		if parts == nil {
			return nil, badValue(name, value, "hits/seconds such as 5/60")
		}
		hits, _ := strconv.Atoi(parts[1])    // the expression admits nothing else
		seconds, _ := strconv.Atoi(parts[2]) // likewise
		limits[bucket] = core.Limit{Hits: hits, Window: time.Duration(seconds) * time.Second}
	}
	return limits, nil
}

// logger writes text for people at a terminal and JSON for machines.
func (c *config) logger() *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.LogLevel)) // check admits its names only
	options := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "text" || c.LogFormat == "auto" && isTerminal(os.Stderr) {
		return slog.New(slog.NewTextHandler(os.Stderr, options))
	}
	return slog.New(slog.NewJSONHandler(os.Stderr, options))
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
