package syscalls

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/emu/arch/archs"
)

// powerpc is the architecture to try first: 32 bits, big-endian.
func powerpc() *arch.Arch {
	for _, a := range archs.All {
		if a.Name == "ppc" {
			return a
		}
	}
	panic("no ppc")
}

// entry is what a guest sees of a directory's entry.
type entry struct {
	name string
	off  uint64
	typ  byte
}

// parse takes entries of getdents64 apart.
func (g *guest) parse(b []byte) (out []entry) {
	l := g.A.Layout["linux_dirent64"]
	for len(b) > 0 {
		s := &Struct{b: b, l: l, a: g.A}
		n := s.Uint("d_reclen")
		name, _, _ := strings.Cut(string(b[l.Fields["d_name"].Off:n]), "\x00")
		out = append(out, entry{name, s.Uint("d_off"), byte(s.Uint("d_type"))})
		b = b[n:]
	}
	return out
}

// list reads a directory.
func (g *guest) list(fd uint64) (names []string) {
	g.t.Helper()
	buf := g.room(256)
	for {
		n := g.ok("getdents64", fd, buf, 256)
		if n == 0 {
			return names
		}
		for _, e := range g.parse(g.get(buf, int(n))) {
			names = append(names, e.name)
		}
	}
}

func TestGetdents(t *testing.T) {
	dir := t.TempDir()
	want := []string{".", ".."}
	for i := range 40 {
		name := fmt.Sprintf("file-%s-%d", strings.Repeat("x", i), i)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
		want = append(want, name)
	}
	slices.Sort(want)
	each(t, func(t *testing.T, g *guest) {
		fd := g.open(dir, "O_DIRECTORY")
		names := g.list(fd)
		slices.Sort(names)
		require.Equal(t, want, names)
		g.ok("lseek", fd, 0, unix.SEEK_SET)
		buf := g.room(4096)
		all := g.parse(g.get(buf, int(g.ok("getdents64", fd, buf, 4096))))
		require.Len(t, all, len(want))
		for i, e := range all[:len(all)-1] {
			if g.A.Word == 4 {
				require.Less(t, e.off, uint64(1<<31), "a position fits a long")
			}
			g.ok("lseek", fd, e.off, unix.SEEK_SET)
			require.Equal(t, e.off, g.ok("lseek", fd, 0, unix.SEEK_CUR))
			next := g.parse(g.get(buf, int(g.ok("getdents64", fd, buf, 200))))
			require.Equal(t, all[i+1], next[0])
		}
		g.ok("lseek", fd, 0, unix.SEEK_SET)
		g.fails(unix.EINVAL, "getdents64", fd, buf, 10)
		n := g.ok("getdents", fd, buf, 4096)
		l := g.A.Layout["linux_dirent"]
		var old []string
		for b := g.get(buf, int(n)); len(b) > 0; {
			s := &Struct{b: b, l: l, a: g.A}
			size := s.Uint("d_reclen")
			name, _, _ := strings.Cut(string(b[l.Fields["d_name"].Off:size]), "\x00")
			old = append(old, name)
			if strings.HasPrefix(name, "file") {
				require.EqualValues(t, unix.DT_REG, b[size-1])
			}
			b = b[size:]
		}
		slices.Sort(old)
		require.Equal(t, want, old)
		g.fails(unix.ENOTDIR, "getdents64", g.open("/dev/null"), buf, 4096)
	})
}

func TestReaddir(t *testing.T) {
	g := newGuest(t, powerpc())
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(dir+"/one", nil, 0o600))
	fd := g.open(dir)
	buf := g.room(300)
	var names []string
	for g.ok("readdir", fd, buf, 1) == 1 {
		s := g.load("old_linux_dirent", buf)
		b := g.get(buf+uint64(g.A.Layout["old_linux_dirent"].Fields["d_name"].Off), int(s.Uint("d_namlen")))
		names = append(names, string(b))
	}
	slices.Sort(names)
	require.Equal(t, []string{".", "..", "one"}, names)
}

func TestTree(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		dir, err := filepath.EvalSymlinks(t.TempDir())
		require.NoError(t, err)
		buf := g.room(4096)
		g.ok("chdir", g.str(dir))
		require.EqualValues(t, len(dir)+1, g.ok("getcwd", buf, 4096))
		require.Equal(t, dir, g.text(buf))
		g.fails(unix.ERANGE, "getcwd", buf, uint64(len(dir)))
		g.ok("umask", 0o022)
		g.ok("mkdirat", cwd, g.str("d"), 0o777)
		st, err := os.Stat(dir + "/d")
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o755)|os.ModeDir, st.Mode())
		d := g.open("d", "O_DIRECTORY")
		g.ok("close", g.ok("openat", d, g.str("f"), g.flag("O_CREAT"), 0o600))
		g.ok("linkat", d, g.str("f"), cwd, g.str("g"), 0)
		g.ok("symlinkat", g.str("target"), d, g.str("l"))
		n := g.ok("readlinkat", d, g.str("l"), buf, 100)
		require.Equal(t, "target", string(g.get(buf, int(n))))
		g.ok("renameat2", d, g.str("f"), cwd, g.str("h"), 0)
		g.fails(unix.EEXIST, "renameat2", cwd, g.str("h"), cwd, g.str("g"), unix.RENAME_NOREPLACE)
		g.ok("mknodat", cwd, g.str("p"), unix.S_IFIFO|0o666, 0)
		g.fails(unix.ENOTEMPTY, "unlinkat", cwd, g.str("d"), unix.AT_REMOVEDIR)
		g.ok("unlinkat", d, g.str("l"), 0)
		g.ok("fchdir", d)
		g.ok("getcwd", buf, 4096)
		require.Equal(t, dir+"/d", g.text(buf))
		g.ok("chdir", g.str(".."))
		g.ok("unlinkat", cwd, g.str("d"), unix.AT_REMOVEDIR)
		g.ok("fchdir", d)
		g.fails(unix.ENOENT, "getcwd", buf, 4096)
		g.fails(unix.ENOTDIR, "chdir", g.str(dir+"/h"))
		g.fails(unix.EBADF, "openat", 99, g.str("x"), 0)
		g.ok("openat", 99, g.str(dir), 0)
		ents, err := os.ReadDir(dir)
		require.NoError(t, err)
		var names []string
		for _, e := range ents {
			names = append(names, e.Name())
		}
		require.Equal(t, []string{"g", "h", "p"}, names)

		// A path through the current directory where the host takes no descriptor.
		g.ok("chdir", g.str(dir))
		g.ok("truncate", g.str("h"), 77)
		g.ok("setxattr", g.str("h"), g.str("user.x"), g.str("value"), 5, 0)
		require.EqualValues(t, 5, g.ok("getxattr", g.str("h"), g.str("user.x"), buf, 100))
		require.Equal(t, "value", string(g.get(buf, 5)))
		require.EqualValues(t, 5, g.ok("getxattr", g.str("h"), g.str("user.x"), 0, 0))
		g.fails(unix.ERANGE, "getxattr", g.str("h"), g.str("user.x"), buf, 2)
		require.EqualValues(t, len("user.x")+1, g.ok("flistxattr", g.open("h"), buf, 100))
		g.ok("removexattr", g.str("h"), g.str("user.x"))
		g.fails(unix.ENODATA, "lgetxattr", g.str("h"), g.str("user.x"), buf, 100)
	})
}
