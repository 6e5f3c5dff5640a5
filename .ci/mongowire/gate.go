package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
)

// The wire protocol: every message starts with a header of four little-endian
// 32-bit integers, of which the first is the length of the whole message and
// the last its kind.
const (
	headerSize = 16
	maxMessage = 48 << 20

	opMsg         = 2013
	opMsgNoAnswer = 1 << 1 // the flag moreToCome: the sender wants no answer
)

// gate lets one command at a time through to FerretDB.
//
// MongoDB changes a document in one step. FerretDB with SQLite reads it, and
// then writes what it has made of it, so of two changes at the same time one
// may be lost. Behind the gate each is one step as well.
type gate struct {
	mu sync.Mutex
}

// serveGate serves until the context ends.
func serveGate(ctx context.Context, address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { _ = listener.Close() })
	var g gate
	for {
		client, err := listener.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		go g.serve(client)
	}
}

// serve passes on what a client sends, until either side hangs up.
func (g *gate) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", backend)
	if err != nil {
		return // FerretDB is starting or ending; the client will try again
	}
	defer server.Close()
	fromClient, fromServer := bufio.NewReader(client), bufio.NewReader(server)
	for {
		command, err := readMessage(fromClient)
		if err != nil {
			return
		}
		answer, err := g.ask(server, fromServer, command)
		if err != nil {
			return
		}
		if _, err := client.Write(answer); err != nil {
			return
		}
	}
}

// ask sends a command and returns the answer to it, if it wants one.
func (g *gate) ask(server io.Writer, answers *bufio.Reader, command []byte) ([]byte, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, err := server.Write(command); err != nil {
		return nil, err
	}
	if kind := binary.LittleEndian.Uint32(command[12:]); kind == opMsg && len(command) >= headerSize+4 &&
		binary.LittleEndian.Uint32(command[headerSize:])&opMsgNoAnswer != 0 {
		return nil, nil
	}
	return readMessage(answers)
}

// readMessage reads one whole message.
func readMessage(r *bufio.Reader) ([]byte, error) {
	header, err := r.Peek(headerSize)
	if err != nil {
		return nil, err
	}
	length := binary.LittleEndian.Uint32(header)
	if length < headerSize || length > maxMessage {
		return nil, fmt.Errorf("a message of %d bytes", length)
	}
	message := make([]byte, length)
	_, err = io.ReadFull(r, message)
	return message, err
}
