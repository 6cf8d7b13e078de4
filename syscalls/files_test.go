package syscalls

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch/archs"
)

// TestInherit shows which descriptors of the host process a guest gets, and
// whose they are then.
func TestInherit(t *testing.T) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	defer w.Close()
	open, err := unix.FcntlInt(w.Fd(), unix.F_DUPFD, 500)
	require.NoError(t, err)
	files := inherit(false)
	_, err = files.Get(int(w.Fd()))
	require.Equal(t, unix.EBADF, err, "close-on-exec")
	f, err := files.Get(open)
	require.NoError(t, err)
	require.Equal(t, open, f.Host)
	std, err := files.Get(1)
	require.NoError(t, err)
	require.True(t, std.keep)
	require.NoError(t, files.Close(1))
	_, err = unix.FcntlInt(1, unix.F_GETFD, 0)
	require.NoError(t, err, "standard output stays the host process's")
	require.NoError(t, files.Close(open))
	_, err = unix.FcntlInt(uintptr(open), unix.F_GETFD, 0)
	require.Equal(t, unix.EBADF, err)
}

func TestFiles(t *testing.T) {
	dev := func() *File {
		fd, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
		require.NoError(t, err)
		return &File{Host: fd}
	}
	var files Files
	f := dev()
	fd, err := files.Add(f, 5, 10, false)
	require.NoError(t, err)
	require.Equal(t, 5, fd)
	again, err := files.Add(f, 5, 10, true)
	require.NoError(t, err)
	require.Equal(t, 6, again)
	require.NoError(t, files.Close(5))
	_, err = unix.FcntlInt(uintptr(f.Host), unix.F_GETFD, 0)
	require.NoError(t, err, "one of two is left")
	files.Set(6, dev(), false)
	_, err = unix.FcntlInt(uintptr(f.Host), unix.F_GETFD, 0)
	require.Equal(t, unix.EBADF, err, "and now none")
	over := dev()
	_, err = files.Add(over, 10, 10, false)
	require.Equal(t, unix.EMFILE, err)
	_, err = unix.FcntlInt(uintptr(over.Host), unix.F_GETFD, 0)
	require.Equal(t, unix.EBADF, err)
	require.NoError(t, files.Release())
	require.Equal(t, unix.EBADF, files.Close(6))
}

// TestFileHeld closes a descriptor while a call blocks on it: the call goes on
// with its file, also when the number is given to another one.
func TestFileHeld(t *testing.T) {
	g := newGuest(t, archs.All[0])
	fds := g.room(8)
	g.ok("pipe2", fds, 0)
	r, w := int(g.get32(fds)), uint64(g.get32(fds+4))
	f, err := g.P.Files.Get(r)
	require.NoError(t, err)
	_, err = g.run(&Row{Name: "read", Fn: func(c *Ctx) (uint64, error) {
		held, err := c.file(r)
		require.NoError(t, err)
		require.NoError(t, g.P.Files.Close(r))
		_, err = unix.FcntlInt(uintptr(held.Host), unix.F_GETFD, 0)
		require.NoError(t, err, "still open")
		return 0, nil
	}})
	require.NoError(t, err)
	_, err = unix.FcntlInt(uintptr(f.Host), unix.F_GETFD, 0)
	require.Equal(t, unix.EBADF, err, "closed with the call")
	g.fails(unix.EPIPE, "write", w, g.str("x"), 1)
}
