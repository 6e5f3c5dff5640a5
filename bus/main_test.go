package bus_test

import (
	"testing"

	"go.uber.org/goleak"

	"meower/e2e/containers"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(containers.Wrap(m))
}
