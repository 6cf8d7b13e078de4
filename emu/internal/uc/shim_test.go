//go:build cgo

package uc

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The shim proves itself for all guests with the libraries that we know.
func TestSelfTest(t *testing.T) {
	for name, g := range guests {
		t.Run(name, func(t *testing.T) { require.Empty(t, shimTrouble(g.Config)) })
	}
}
