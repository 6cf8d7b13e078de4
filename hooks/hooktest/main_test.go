package hooktest_test

import (
	"os"
	"testing"

	"github.com/utemu/utemu/internal/testsig"
)

func TestMain(m *testing.M) {
	testsig.Defaults()
	os.Exit(m.Run())
}
