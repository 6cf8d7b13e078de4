package oracle

import (
	"bufio"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/utemu/utemu/emu/arch/archs"
)

// TestReceive takes packets apart: escapes, runs, check sums.
func TestReceive(t *testing.T) {
	for in, want := range map[string]string{
		"$OK#9a":        "OK",
		"+$OK#9a":       "OK",
		"$0* #7a":       "0000",
		"$a}\x03b#43":   "a#b",
		"$T05#b9rest":   "T05",
		"+++$#00":       "",
		"$0*\"12#df":    "00000012",
		"noise$W00#b7+": "W00",
	} {
		r := &remote{r: bufio.NewReader(strings.NewReader(in))}
		got, err := r.receive()
		require.NoError(t, err, in)
		require.Equal(t, want, string(got), in)
		require.True(t, r.ack)
	}
	for _, in := range []string{"", "$OK", "$OK#9b", "-", "$OK#9"} {
		r := &remote{r: bufio.NewReader(strings.NewReader(in))}
		_, err := r.receive()
		require.Error(t, err, in)
	}
}

// TestDescription lays registers out as the answer to g has them.
func TestDescription(t *testing.T) {
	var l []slot
	for _, attr := range []map[string]string{
		{"name": "r0", "bitsize": "32"}, {"name": "f0", "bitsize": "64"}, {"name": "pc", "bitsize": "32", "regnum": "64"}, {"name": "cr", "bitsize": "32"},
	} {
		l = appendSlot(l, attr)
	}
	require.Equal(t, []slot{{"r0", 0, 0, 4}, {"f0", 1, 4, 8}, {"pc", 64, 12, 4}, {"cr", 65, 16, 4}}, l)
}

// TestWord reads and writes registers in the order of the guest.
func TestWord(t *testing.T) {
	for _, a := range archs.All {
		for size, v := range map[int]uint64{4: 0x12345678, 8: 0x123456789abcdef0} {
			got, err := word(a, []byte(digits(a, v, size)))
			require.NoError(t, err)
			require.Equal(t, v, got)
		}
		_, err := word(a, []byte("123"))
		require.Error(t, err)
		_, err = word(a, []byte("xxxxxxxx"))
		require.Error(t, err)
	}
}

// TestRows: every row of a call has a reason, and names what there is.
func TestRows(t *testing.T) {
	known := map[string]bool{}
	for _, a := range archs.All {
		for _, n := range a.Sysnum {
			known[n.Name] = true
		}
	}
	for name, c := range calls {
		require.True(t, known[name], "%s is no system call", name)
		require.True(t, c.why != "" || c.last || c.paths != nil, name)
		for _, o := range c.out {
			if o.name == "" {
				continue
			}
			found := false
			for _, a := range archs.All {
				found = found || a.Layout[o.name].Size > 0
			}
			require.True(t, found, "%s: no structure %s", name, o.name)
		}
	}
}

// TestUndefined finds instructions under their names with suffixes.
func TestUndefined(t *testing.T) {
	require.Equal(t, uint64(fAF), undefinedBy("and"))
	require.Equal(t, uint64(fAF), undefinedBy("xorl"))
	require.Equal(t, undefined["imul"], undefinedBy("imulq"))
	require.Zero(t, undefinedBy("add"))
	require.Zero(t, undefinedBy("mov"))
	require.Zero(t, undefinedBy(""))
	require.Equal(t, undefined["shl"], undefinedBy("shl"))
}
