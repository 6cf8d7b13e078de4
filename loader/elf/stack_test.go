package elf

import (
	delf "debug/elf"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
)

// onStack loads a plain program and lays out its stack.
func onStack(t *testing.T, a *arch.Arch, c StackConfig) (*StackImage, *Image, *fakeSpace) {
	t.Helper()
	im, s, err := loadImage(t, plain(a, delf.ET_EXEC, 0x100000), noInterp)
	require.NoError(t, err)
	st, err := Stack(s, im, c)
	require.NoError(t, err)
	return st, im, s
}

// TestStack looks at the stack as a program of each word size and byte order
// does. The layout to the byte is compared in TestNativeStack.
func TestStack(t *testing.T) {
	eachArch(t, func(t *testing.T, a *arch.Arch) {
		b := *a
		b.Start.Aux = func(m *arch.Model) []arch.Aux { return []arch.Aux{{Type: 22, Val: 22}, {Type: 19, Val: m.HWCap2 + 32}} }
		c := StackConfig{
			Argv: []string{"prog", "", "arg"}, Envp: []string{"A=1", "B="}, ExecFn: "./prog",
			Random: [16]byte{1, 2, 3, 15: 16}, UID: 1, EUID: 2, GID: 3, EGID: 4, Secure: true,
			Model:        &arch.Model{HWCap: 0x89abcdef, HWCap2: 7, Platform: "plat"},
			BasePlatform: "base", StackLimit: stackLimit,
		}
		st, im, s := onStack(t, &b, c)
		require.Zero(t, st.SP%16)
		w := uint64(a.Word)
		at := st.SP
		next := func() uint64 { at += w; return s.word(t, at-w) }
		require.Equal(t, uint64(3), next())
		for _, want := range c.Argv {
			require.Equal(t, want, s.cstr(t, next()))
		}
		require.Zero(t, next())
		for _, want := range c.Envp {
			require.Equal(t, want, s.cstr(t, next()))
		}
		require.Zero(t, next())
		require.Equal(t, st.Auxv, s.read(t, at, len(st.Auxv)))

		var types []uint64
		val := map[uint64]uint64{}
		for {
			typ, v := next(), next()
			types, val[typ] = append(types, typ), v
			if typ == atNull {
				break
			}
		}
		require.Equal(t, []uint64{22, 19, 16, 6, 17, 3, 4, 5, 7, 8, 9, 11, 12, 13, 14, 23, 25, 26, 31, 15, 24, 0}, types)
		require.Equal(t, "./prog", s.cstr(t, val[atExecfn]))
		require.Equal(t, "plat", s.cstr(t, val[atPlatform]))
		require.Equal(t, "base", s.cstr(t, val[atBasePlatform]))
		require.Equal(t, c.Random[:], s.read(t, val[atRandom], 16))
		for typ, want := range map[uint64]uint64{
			22: 22, 19: 39, atHwcap: 0x89abcdef, atPagesz: 4096, atClktck: 100, atPhdr: im.Phdr, atPhent: im.Phent, atPhnum: 3,
			atBase: 0, atFlags: 0, atEntry: 0x100200, atUID: 1, atEUID: 2, atGID: 3, atEGID: 4, atSecure: 1, atHwcap2: 7, atNull: 0,
		} {
			require.Equal(t, want, val[typ], "entry %d", typ)
		}
		require.Equal(t, "prog\x00\x00arg\x00", string(s.read(t, st.Args.Low, int(st.Args.High-st.Args.Low))))
		require.Equal(t, "A=1\x00B=\x00", string(s.read(t, st.Env.Low, int(st.Env.High-st.Env.Low))))
		require.Equal(t, st.Args.High, st.Env.Low)
		require.Equal(t, st.Env.High, val[atExecfn])

		// A kernel of 32 bits leaves a word of 32 bits free at the top.
		end := val[atExecfn] + uint64(len("./prog")+1)
		require.Equal(t, map[bool]uint64{true: 8, false: 4}[w == 8 || a == arm || a == i386], im.Stack.High-end)
	})
}

// A word of a 32-bit program holds the low half of what is wider.
func TestStackTruncates(t *testing.T) {
	st, _, _ := onStack(t, ppc, StackConfig{Model: &arch.Model{HWCap: 0x1_2345_6789}})
	require.Equal(t, []byte{0, 0, 0, 16, 0x23, 0x45, 0x67, 0x89}, st.Auxv[:8])
}

func TestCheckArgs(t *testing.T) {
	many := make([]string, 40000)
	tests := map[string]struct {
		c    StackConfig
		want error
	}{
		"none":                    {StackConfig{}, nil},
		"zero byte":               {StackConfig{Envp: []string{"A=\x00"}}, unix.EINVAL},
		"long file name":          {StackConfig{ExecFn: strings.Repeat("x", maxArgStrlen)}, unix.E2BIG},
		"no limit keeps ARG_MAX":  {StackConfig{Argv: []string{strings.Repeat("x", 130000)}}, nil},
		"but no more":             {StackConfig{Argv: []string{strings.Repeat("x", 130000), strings.Repeat("x", 1062)}}, unix.E2BIG},
		"pointers count":          {StackConfig{Argv: many}, unix.E2BIG},
		"pointers, larger limit":  {StackConfig{Argv: many, StackLimit: 4 * (40000*5 + 1)}, nil},
		"pointers, one byte less": {StackConfig{Argv: many, StackLimit: 4 * (40000*5 + 0)}, unix.E2BIG},
		"environment as well":     {StackConfig{Envp: many, StackLimit: 4 * (40000*5 + 1)}, unix.E2BIG}, // argv[0] is there too
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := tt.c.CheckArgs(ppc)
			if tt.want == nil {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, tt.want)
		})
	}
}

// Arguments that are allowed but do not fit the stack there is.
func TestStackTooSmall(t *testing.T) {
	im, s, err := loadImage(t, plain(ppc, delf.ET_EXEC, 0x100000), noInterp)
	require.NoError(t, err)
	im.Stack.Low = im.Stack.High - 0x1000
	for _, n := range []int{3950, 4060, 5000} {
		_, err = Stack(s, im, StackConfig{Argv: []string{strings.Repeat("x", n)}, Model: &arch.Model{}})
		require.ErrorIs(t, err, unix.E2BIG, "%d", n)
	}
}
