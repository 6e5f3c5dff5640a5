//go:build unix

package cl4

import (
	"errors"
	"syscall"
)

// canTry says that the system can write without waiting.
const canTry = true

// tryOnce is what the connection runs with its descriptor. It always says that
// it is done, since otherwise it would be called again once there is room.
func (w *wire) tryOnce(fd uintptr) bool {
	for {
		n, err := syscall.Write(int(fd), w.trying) //nolint:gosec // descriptors fit an int
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EAGAIN):
		case err != nil:
			w.failed = err
		default:
			w.tried = n
		}
		return true
	}
}
