package syscalls

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/emu/arch/archs"
)

func archNamed(t *testing.T, name string) *arch.Arch {
	t.Helper()
	for _, a := range archs.All {
		if a.Name == name {
			return a
		}
	}
	t.Fatalf("no %s", name)
	return nil
}

func TestOpenFlags(t *testing.T) {
	for name, c := range map[string]struct {
		guest      uint64
		host, rest uint64
		text       string
	}{
		"x86_64": {0o200000 | 0o4000 | 0o2000000, unix.O_DIRECTORY | unix.O_NONBLOCK | unix.O_CLOEXEC, 0, "O_NONBLOCK|O_DIRECTORY|O_CLOEXEC"},
		"ppc":    {0o40000 | 0o100000 | 0o400000, unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_DIRECT, 0, "O_DIRECT|O_DIRECTORY|O_NOFOLLOW"},
		"arm":    {0o4010000 | 1 | 1<<30, unix.O_SYNC, 1 | 1<<30, "O_SYNC|0x40000001"},
		"ppc64":  {0o20040000 | 0o200000, unix.O_TMPFILE, 0o200000, "O_TMPFILE|0x10000"},
	} {
		t.Run(name, func(t *testing.T) {
			a := archNamed(t, name)
			host, rest := OpenFlags.Host(a, c.guest)
			require.Equal(t, c.host, host)
			require.Equal(t, c.rest, rest)
			require.Equal(t, c.text, OpenFlags.Format(a, c.guest))
			require.Equal(t, c.guest&^c.rest, OpenFlags.Guest(a, host))
		})
	}
}

// TestFlagsRoundTrip takes each flag of each set there and back.
func TestFlagsRoundTrip(t *testing.T) {
	sets := map[string]*Flags{
		"open": OpenFlags, "mmap": MmapFlags, "mlockall": McLockFlags, "poll": PollEvents,
		"iflag": TermInput, "oflag": TermOutput, "cflag": TermControl, "lflag": TermLocal,
	}
	for _, a := range archs.All {
		for name, f := range sets {
			for _, e := range f.list {
				g, ok := a.Const[e.Name]
				if !ok {
					continue
				}
				host, rest := f.Host(a, g)
				require.Zero(t, rest, "%s %s %s", a.Name, name, e.Name)
				require.Equal(t, e.Host, host&(e.Host|f.field(e.Field)), "%s %s %s", a.Name, name, e.Name)
				require.Equal(t, g, f.Guest(a, host), "%s %s %s", a.Name, name, e.Name)
			}
		}
	}
	require.True(t, OpenFlags.Same(archNamed(t, "x86_64")))
	require.False(t, OpenFlags.Same(archNamed(t, "ppc")))
}

func TestEnums(t *testing.T) {
	ppc, x86 := archNamed(t, "ppc"), archNamed(t, "x86_64")
	v, ok := SocketOptions.Host(ppc, 20)
	require.True(t, ok)
	require.EqualValues(t, unix.SO_PASSCRED, v)
	require.Equal(t, "SO_PASSCRED", SocketOptions.Name(ppc, 20))
	v, ok = SocketOptions.Guest(ppc, unix.SO_RCVTIMEO_OLD)
	require.True(t, ok)
	require.EqualValues(t, 18, v)
	_, ok = SocketOptions.Host(ppc, 9999)
	require.False(t, ok)
	_, ok = FcntlCommands.Host(x86, 12)
	require.False(t, ok, "F_GETLK64 is of 32-bit architectures")
	for _, a := range archs.All {
		for _, e := range []*Enum{FcntlCommands, SocketOptions, TermSpeeds, TermChars} {
			seen := map[uint64]string{}
			for _, f := range e.list {
				if g, ok := a.Const[f.Name]; ok {
					require.Empty(t, seen[g], "%s and %s are one on %s", f.Name, seen[g], a.Name)
					seen[g] = f.Name
				}
			}
		}
	}
}
