package cl4

import "golang.org/x/sys/unix"

// unacknowledged returns how many of the bytes that were sent the other side's
// system has not acknowledged, and false where that cannot be known.
func (w *wire) unacknowledged() (bytes int, known bool) {
	if w.raw == nil {
		return 0, false
	}
	err := w.raw.Control(func(fd uintptr) {
		var e error
		bytes, e = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) //nolint:gosec // descriptors fit an int
		known = e == nil
	})
	return bytes, known && err == nil
}
