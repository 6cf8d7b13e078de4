//go:build cgo

package capstone

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDecode(t *testing.T) {
	tests := map[string]struct {
		mode Mode
		code []byte
		len  int
		mnem string
	}{
		"x86":   {X86, []byte{0x89, 0xd8, 0x90}, 2, "movl"},
		"x8664": {X8664, []byte{0x48, 0x89, 0xd8}, 3, "movq"},
		"arm":   {ARM, []byte{0x01, 0x00, 0xa0, 0xe3}, 4, "mov"},
		"thumb": {Thumb, []byte{0x4f, 0xf0, 0x00, 0x09}, 4, "mov.w"},
		"arm64": {ARM64, []byte{0xc0, 0x03, 0x5f, 0xd6}, 4, "ret"},
		"ppc32": {PPC32, []byte{0x38, 0x60, 0, 1}, 4, "li"},
		"ppc64": {PPC64, []byte{0xe8, 0x61, 0, 8}, 4, "ld"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			h, err := Open(tc.mode)
			require.NoError(t, err)
			got, ok := h.Decode(0x1000, tc.code)
			require.True(t, ok)
			require.Equal(t, tc.len, got.Len)
			require.Equal(t, tc.mnem, got.Mnemonic)
			_, ok = h.Decode(0x1000, nil)
			require.False(t, ok)
		})
	}
}

func TestOpenUnknown(t *testing.T) {
	for _, m := range []Mode{0, PPC64 + 1, 255} {
		_, err := Open(m)
		require.Error(t, err)
	}
}

// TestForgetsIT: libcapstone carries IT blocks from one call to the next.
func TestForgetsIT(t *testing.T) {
	h, err := Open(Thumb)
	require.NoError(t, err)
	it, ok := h.Decode(0, []byte{0x04, 0xbf}) // itt eq
	require.True(t, ok)
	require.Equal(t, "itt", it.Mnemonic)
	mov, ok := h.Decode(2, []byte{0x4f, 0xf0, 0x00, 0x09})
	require.True(t, ok)
	require.Equal(t, "mov.w", mov.Mnemonic)
}

func TestManyGoroutines(t *testing.T) {
	h, err := Open(X8664)
	require.NoError(t, err)
	code := map[byte]string{0x90: "nop", 0xc3: "retq", 0xf4: "hlt", 0xcc: "int3"}
	var wg sync.WaitGroup
	for b, want := range code {
		wg.Go(func() {
			for range 2000 {
				if got, ok := h.Decode(0, []byte{b}); !ok || got.Mnemonic != want {
					t.Errorf("%x: %+v", b, got)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestVersion(t *testing.T) { require.Regexp(t, `^\d+\.\d+$`, Version()) }
