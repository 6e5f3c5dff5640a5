package api

import (
	"html/template"
	"log/slog"
	"net/http"
	"strings"
)

func (a *API) generalRoutes() []route {
	return []route{
		{"GET", "/", a.index, 0, ""},
		{"GET", "/v1", a.welcome, 0, ""},
		{"GET", "/ip", a.ip, 0, ""},
		{"GET", "/status", a.status, 0, ""},
		{"GET", "/v1/statistics", a.statistics, 0, ""},
		{"GET", "/healthz", a.healthy, 0, ""},
		{"GET", "/readyz", a.ready, 0, ""},
	}
}

// pagePolicy lets the page for people have its own style and nothing else.
const pagePolicy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

var indexPage = template.Must(template.New("index").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Meower Server</title>
<style>
body { font: 1.1rem/1.6 system-ui, sans-serif; max-width: 36rem; margin: 4rem auto; padding: 0 1rem; color-scheme: light dark }
</style>
</head>
<body>
<h1>Meower Server</h1>
<p>This is the server of a Meower community, version {{.Version}}. Programs talk to it; people use one of its clients.</p>
<p>Status: <strong>{{.Status}}</strong></p>
<ul>
<li><a href="/v1/statistics">Statistics</a></li>
<li><a href="/status">Status for programs</a></li>
</ul>
</body>
</html>
`))

// index is a page for people who open the address in a browser.
func (a *API) index(c *call) (any, error) {
	header := c.w.Header()
	header.Add("Vary", "Accept")
	if !strings.Contains(c.r.Header.Get("Accept"), "text/html") {
		return text(a.welcomeLine()), nil
	}
	// The page is for the worst of times, too: it does not fail with a service.
	status := "open"
	if repair, err := a.core.RepairMode(c.ctx); err != nil {
		a.log.WarnContext(c.ctx, "status page", slog.String("request", c.requestID), slog.Any("error", err))
		status = "having trouble"
	} else if repair {
		status = "in repair mode"
	}
	var page strings.Builder
	if err := indexPage.Execute(&page, struct{ Version, Status string }{a.version, status}); err != nil {
		return nil, err
	}
	header.Set("Content-Security-Policy", pagePolicy)
	return reply{status: http.StatusOK, contentType: "text/html; charset=utf-8", body: page.String()}, nil
}

func (a *API) welcomeLine() string {
	return "Welcome to the Meower API, version 1 (server " + a.version + ")\n"
}

func (a *API) welcome(*call) (any, error) { return text(a.welcomeLine()), nil }

func (a *API) ip(c *call) (any, error) { return text(c.address), nil }

// statusAnswer says what the server speaks; Supported is by version of this API.
type statusAnswer struct {
	RepairMode        bool            `json:"isRepairMode"`
	ScratchDeprecated bool            `json:"scratchDeprecated"`
	Supported         map[string]bool `json:"supported"`
	SupportedGateway  map[string]bool `json:"supportedGateway"`
}

func (a *API) status(c *call) (any, error) {
	repair, err := a.core.RepairMode(c.ctx)
	if err != nil {
		return nil, err
	}
	return statusAnswer{
		RepairMode:        repair,
		ScratchDeprecated: true,
		Supported:         map[string]bool{"0": false, "1": true},
		SupportedGateway:  map[string]bool{"cl3": false, "cl4": true},
	}, nil
}

func (a *API) statistics(c *call) (any, error) { return a.core.Statistics(c.ctx) }

// healthy says that the process answers, whatever it stands on does.
func (a *API) healthy(*call) (any, error) { return text("ok\n"), nil }

type readiness struct {
	Ready  bool              `json:"ready"`
	Failed map[string]string `json:"failed"`
}

// ready says whether requests should be sent here, and names what is away; the
// cause is for the log.
func (a *API) ready(c *call) (any, error) {
	failed := make(map[string]string)
	for name, err := range a.core.CheckServices(c.ctx) {
		failed[name] = "unreachable"
		a.log.WarnContext(c.ctx, "not ready", slog.String("service", name), slog.Any("error", err))
	}
	if a.draining.Load() {
		failed["server"] = "draining"
	}
	if len(failed) > 0 {
		return reply{status: http.StatusServiceUnavailable, body: readiness{Failed: failed}}, nil
	}
	return readiness{Ready: true, Failed: failed}, nil
}
