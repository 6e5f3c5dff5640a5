// Command meower is the backend of the Meower social platform: a REST API and a
// CloudLink 4 websocket on top of MongoDB and Redis, or of nothing at all in
// development.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// version is set when a release is built.
var version = "dev"

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "meower:", err)
		os.Exit(1)
	}
}

// run does what the command line asks for: by default it serves until SIGINT or
// SIGTERM, and ends cleanly. A second signal ends it at once.
func run(args []string) error {
	command := ""
	if len(args) > 0 {
		command = args[0]
	}
	if command == "version" {
		fmt.Println(version)
		return nil
	}
	cfg, err := loadConfig()
	if err != nil {
		return err
	}
	switch command {
	case "":
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		context.AfterFunc(ctx, stop) // from now on a signal has its default effect
		return serve(ctx, cfg)
	case "healthcheck":
		return healthcheck(cfg)
	default:
		return fmt.Errorf("unknown command %q: want none, healthcheck or version", command)
	}
}
