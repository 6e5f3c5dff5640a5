//go:build !unix

package cl4

// canTry says that the system can write without waiting. Here every write has a
// goroutine that waits for it.
const canTry = false

func (*wire) tryOnce(uintptr) bool { return true }
