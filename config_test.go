package main

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"meower/core"
)

func TestDefaults(t *testing.T) {
	c, err := parseConfig(nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Development || c.Host != "127.0.0.1" || c.RESTPort != 3000 || c.CL4Port != 3001 ||
		c.DatabaseURI != "mongodb://127.0.0.1:27017" || c.Database != "meowercl4" ||
		c.RedisHost != "127.0.0.1" || c.RedisPort != 6379 || c.RedisDB != 0 || c.PasswordRounds != 12 {
		t.Errorf("defaults are off: %+v", c)
	}
	if len(c.AllowedOrigins) != 0 {
		t.Errorf("production allows origins %v, want none", c.AllowedOrigins)
	}
	want := []string{"gmsg", "pmsg", "gvar", "pvar", "setid", "link", "unlink"}
	if !slices.Equal(c.CL4Disabled, want) {
		t.Errorf("disabled commands %v, want %v", c.CL4Disabled, want)
	}
}

func TestEmptyValuesAreDefaultsButForDisabledCommands(t *testing.T) {
	c, err := parseConfig(map[string]string{"REST_PORT": "", "CL4_DISABLED_COMMANDS": ""})
	if err != nil {
		t.Fatal(err)
	}
	if c.RESTPort != 3000 {
		t.Errorf("empty REST_PORT is %d, want the default", c.RESTPort)
	}
	if len(c.CL4Disabled) != 0 {
		t.Errorf("empty CL4_DISABLED_COMMANDS disables %v", c.CL4Disabled)
	}
}

func TestDevelopmentAllowsAnyOrigin(t *testing.T) {
	c, err := parseConfig(map[string]string{"DEVELOPMENT": "true"})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(c.AllowedOrigins, []string{"*"}) {
		t.Errorf("origins %v, want *", c.AllowedOrigins)
	}
}

func TestRateLimitOverride(t *testing.T) {
	c, err := parseConfig(map[string]string{"RATELIMIT_CREATE_POST": "7/3"})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := c.rateLimits["create_post"], (core.Limit{Hits: 7, Window: 3 * time.Second}); got != want {
		t.Errorf("limit %v, want %v", got, want)
	}
}

func TestBadValuesNameVariableValueAndWhatIsAllowed(t *testing.T) {
	for _, tc := range []struct{ name, value, allowed string }{
		{"DEVELOPMENT", "maybe", "true or false"},
		{"REST_PORT", "http", "a whole number"},
		{"REST_PORT", "70000", "0 to 65535"},
		{"CL4_PORT", "-1", "0 to 65535"},
		{"REDIS_PORT", "0", "1 to 65535"},
		{"REDIS_DB", "x", "a whole number"},
		{"WORKER_ID", "32", "0 to 31"},
		{"DATACENTER_ID", "-1", "0 to 31"},
		{"PSWD_ROUNDS", "3", "4 to 20"},
		{"RATELIMITS", "maybe", "on, off"},
		{"RATELIMIT_LOGIN", "5", "hits/seconds"},
		{"RATELIMIT_LOGIN", "0/5", "hits/seconds"},
		{"RATELIMIT_LOGNI", "5/60", "login"},
		{"LOG_LEVEL", "loud", "debug, info, warn, error"},
		{"LOG_FORMAT", "xml", "auto, text, json"},
		{"TRUSTED_PROXIES", "10.0.0.1", "10.0.0.0/8"},
		{"ALLOWED_ORIGINS", "example.org", "https://example.org"},
		{"CL4_COMMANDS_PER_SECOND", "-1", "0 to"},
	} {
		_, err := parseConfig(map[string]string{tc.name: tc.value})
		if err == nil {
			t.Errorf("%s=%s was accepted", tc.name, tc.value)
			continue
		}
		text := err.Error()
		if strings.Contains(text, "\n") || !strings.Contains(text, tc.name) || !strings.Contains(text, tc.value) || !strings.Contains(text, tc.allowed) {
			t.Errorf("%s=%s: %q does not say, in one line, the variable, the value and %q", tc.name, tc.value, text, tc.allowed)
		}
	}
}

func TestBadDatabaseURIDoesNotShowItsPassword(t *testing.T) {
	_, err := parseConfig(map[string]string{"DB_URI": "mongo://u:secret@host"})
	if err == nil || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "DB_URI") {
		t.Errorf("error %v", err)
	}
}

func TestEnvironmentWinsOverDotEnv(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile(".env", []byte("REST_PORT=4000\nCL4_PORT=4001\nIPHUB_KEY=\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CL4_PORT", "5001")
	c, err := loadConfig()
	if err != nil {
		t.Fatal(err)
	}
	if c.RESTPort != 4000 || c.CL4Port != 5001 {
		t.Errorf("ports %d, %d; want 4000 of .env, 5001 of the environment", c.RESTPort, c.CL4Port)
	}
}

func TestUnknownMeowerVariablesAreNoticed(t *testing.T) {
	c, err := parseConfig(map[string]string{"MEOWER_PORT": "1"})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(c.unknownMeowerVars, []string{"MEOWER_PORT"}) {
		t.Errorf("noticed %v", c.unknownMeowerVars)
	}
}
