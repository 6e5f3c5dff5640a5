// Command mongowire answers the MongoDB wire protocol from SQLite files, by
// way of FerretDB. The tests use it where no registry offers a MongoDB image.
//
// It listens on port 27017 of every address and keeps its data in /data, so
// that a container of it remembers across stop and start. It ends at SIGTERM
// or SIGINT.
package main

import (
	"context"
	"log"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/FerretDB/FerretDB/ferretdb"
)

// backend is where FerretDB listens, behind the gate.
const backend = "127.0.0.1:27018"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	db, err := ferretdb.New(&ferretdb.Config{
		Listener:  ferretdb.ListenerConfig{TCP: backend},
		Handler:   "sqlite",
		SQLiteURL: "file:/data/",
		Logger:    slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		if err := serveGate(ctx, ":27017"); err != nil {
			log.Fatal(err)
		}
	}()
	if err := db.Run(ctx); err != nil {
		log.Fatal(err)
	}
}
