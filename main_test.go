package utemu_test

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/utemu/utemu/internal/testsig"
)

func TestMain(m *testing.M) {
	testsig.Defaults()
	if v := os.Getenv(libcGuestVar); v != "" {
		var g libcGuest
		err := json.Unmarshal([]byte(v), &g)
		if err == nil {
			err = g.run()
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}
