# `make check` is what CI runs, apart from the containers: see .ci/run.

GOFUMPT       = go run mvdan.cc/gofumpt@v0.12.0
GOLANGCI_LINT = go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

FUZZTIME ?= 5s
VERSION  ?= dev
IMAGE    ?= meower

.PHONY: check test lint fuzz bench build run image containers

check: lint test fuzz

test:
	go test -race ./...

# The first run compiles the linters, which takes minutes.
lint:
	@unformatted=$$($(GOFUMPT) -l .) || exit 1; \
	if [ -n "$$unformatted" ]; then printf 'gofumpt would change:\n%s\n' "$$unformatted" >&2; exit 1; fi
	go vet ./...
	$(GOLANGCI_LINT) run --allow-serial-runners ./...

# Every fuzz target for FUZZTIME each. It finds them itself.
fuzz:
	@list=$$(go test -list '^Fuzz' ./...) || { printf '%s\n' "$$list" >&2; exit 1; }; \
	printf '%s\n' "$$list" | \
	awk '/^Fuzz/ { name[n++] = $$1 } /^ok/ { for (i = 0; i < n; i++) print $$2, name[i]; n = 0 }' | \
	while read -r package name; do \
		echo "== $$name of $$package"; \
		go test -run='^$$' -fuzz="^$$name\$$" -fuzztime=$(FUZZTIME) "$$package" </dev/null || exit 1; \
	done

bench:
	go test -run='^$$' -bench=. -benchmem ./...

build:
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o meower .

# Needs no database: in development there is a store in memory.
run:
	DEVELOPMENT=true go run .

image:
	docker build --build-arg VERSION=$(VERSION) --tag $(IMAGE):$(VERSION) .

# A container engine, the images of the tests, and the websocket clients of others
# that they run (Python's, Chromium), on Debian 12 as root. Then
# `. .ci/env && make test` runs the tests that need them.
containers:
	.ci/engine
	.ci/images
	.ci/packages
