package regset

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTransfers holds the four helpers to user_regset_copyout and its kin: a
// set of 16 bytes whose pieces are state, a hole, and state up to the end.
func TestTransfers(t *testing.T) {
	for name, tc := range map[string]struct {
		pos, n int
		out    string // what is read
		in     string // the state after writing that many x
	}{
		"all":            {0, 16, "abcd\x00\x00\x00\x00ijklmnop", "xxxx" + "xxxxxxxx"},
		"first":          {0, 4, "abcd", "xxxx" + "ijklmnop"},
		"inside a piece": {1, 2, "bc", "axxd" + "ijklmnop"},
		"over an edge":   {2, 4, "cd\x00\x00", "abxx" + "ijklmnop"},
		"the hole":       {4, 4, "\x00\x00\x00\x00", "abcd" + "ijklmnop"},
		"out of it":      {6, 4, "\x00\x00ij", "abcd" + "xxklmnop"},
		"the end":        {12, 4, "mnop", "abcd" + "ijklxxxx"},
		"nothing":        {8, 0, "", "abcd" + "ijklmnop"},
	} {
		t.Run(name, func(t *testing.T) {
			lo, hi := []byte("abcd"), []byte("ijklmnop")
			dst := make([]byte, tc.n)
			for i := range dst {
				dst[i] = '-'
			}
			o := Out{Pos: tc.pos, Dst: dst}
			o.Copy(lo, 0, 4)
			o.Zero(4, 8)
			o.Copy(hi, 8, -1)
			require.Equal(t, tc.out, string(dst))
			require.Equal(t, tc.pos+tc.n, o.Pos)
			require.Empty(t, o.Dst)

			src := make([]byte, tc.n)
			for i := range src {
				src[i] = 'x'
			}
			i := In{Pos: tc.pos, Src: src}
			i.Copy(lo, 0, 4)
			i.Ignore(4, 8)
			i.Copy(hi, 8, -1)
			require.Equal(t, tc.in, string(lo)+string(hi))
			require.Equal(t, tc.pos+tc.n, i.Pos)
			require.Empty(t, i.Src)
		})
	}
	require.Panics(t, func() { (&Out{Pos: 0, Dst: make([]byte, 8)}).Copy(make([]byte, 8), 4, -1) }, "a piece was left out")
}
