package main

import (
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/utemu/utemu/internal/gen/cross"
)

// all returns the constants of every target, by the target's variable name.
var all = sync.OnceValues(func() (map[string]map[string]uint64, error) {
	cs := make(map[string]map[string]uint64)
	for _, t := range cross.Targets {
		c, err := consts(t)
		if err != nil {
			return nil, err
		}
		cs[t.Var] = c
	}
	return cs, nil
})

func TestUpToDate(t *testing.T) {
	root, err := cross.Root()
	require.NoError(t, err)
	require.NoError(t, cross.Check(root, "consts", "zconst.go", table))
}

// TestNames shows that no name of the list is misspelt or listed twice.
func TestNames(t *testing.T) {
	cs, err := all()
	require.NoError(t, err)
	order := list(names)
	for i, n := range order {
		require.Equal(t, i, slices.Index(order, n), "%s is there twice", n)
		found := false
		for _, c := range cs {
			_, ok := c[n]
			found = found || ok
		}
		require.True(t, found, "no architecture has %s", n)
	}
}

// TestFacts has values from the kernel's headers; -1 says that the
// architecture has no such constant.
func TestFacts(t *testing.T) {
	targets := []string{"I386", "X86_64", "ARM", "ARM64", "PPC", "PPC64"}
	for name, want := range map[string][6]int64{
		"O_DIRECT":        {0o40000, 0o40000, 0o200000, 0o200000, 0o400000, 0o400000},
		"O_LARGEFILE":     {0o100000, 0o100000, 0o400000, 0o400000, 0o200000, 0o200000},
		"O_DIRECTORY":     {0o200000, 0o200000, 0o40000, 0o40000, 0o40000, 0o40000},
		"O_CLOEXEC":       {0o2000000, 0o2000000, 0o2000000, 0o2000000, 0o2000000, 0o2000000},
		"F_GETLK64":       {12, -1, 12, -1, 12, -1},
		"MAP_NORESERVE":   {0x4000, 0x4000, 0x4000, 0x4000, 0x40, 0x40},
		"MAP_LOCKED":      {0x2000, 0x2000, 0x2000, 0x2000, 0x80, 0x80},
		"MCL_CURRENT":     {1, 1, 1, 1, 0x2000, 0x2000},
		"SO_PASSCRED":     {16, 16, 16, 16, 20, 20},
		"SO_RCVTIMEO_OLD": {20, 20, 20, 20, 18, 18},
		"TCGETS":          {0x5401, 0x5401, 0x5401, 0x5401, 0x402c7413, 0x402c7413},
		"TCSETSW":         {0x5403, 0x5403, 0x5403, 0x5403, 0x802c7415, 0x802c7415},
		"TIOCGWINSZ":      {0x5413, 0x5413, 0x5413, 0x5413, 0x40087468, 0x40087468},
		"TIOCGPTN":        {0x80045430, 0x80045430, 0x80045430, 0x80045430, 0x40045430, 0x40045430},
		"TCGETS2":         {0x802c542a, 0x802c542a, 0x802c542a, 0x802c542a, -1, -1},
		"FS_IOC_GETFLAGS": {0x80046601, 0x80086601, 0x80046601, 0x80086601, 0x40046601, 0x40086601},
		"FICLONE":         {0x40049409, 0x40049409, 0x40049409, 0x40049409, 0x80049409, 0x80049409},
		"ICANON":          {2, 2, 2, 2, 0x100, 0x100},
		"VMIN":            {6, 6, 6, 6, 5, 5},
		"VEOF":            {4, 4, 4, 4, 4, 4},
		"CBAUD":           {0x100f, 0x100f, 0x100f, 0x100f, 0xff, 0xff},
		"SA_RESTORER":     {0x04000000, 0x04000000, 0x04000000, 0x04000000, 0x04000000, 0x04000000},
	} {
		t.Run(name, func(t *testing.T) {
			cs, err := all()
			require.NoError(t, err)
			for i, target := range targets {
				have := int64(-1)
				if v, ok := cs[target][name]; ok {
					have = int64(v)
				}
				require.Equal(t, want[i], have, target)
			}
		})
	}
}

func TestList(t *testing.T) {
	require.Equal(t, []string{"A", "B", "C"}, list("# a comment\nA B\n\nC\n"))
}
