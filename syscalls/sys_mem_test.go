package syscalls

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/emu/arch"
)

const (
	rw   = unix.PROT_READ | unix.PROT_WRITE
	anon = unix.MAP_PRIVATE | unix.MAP_ANONYMOUS
	page = emu.PageSize
	none = ^uint64(0) // no descriptor
)

// mmap orders the arguments of the call that maps with a byte offset.
func (g *guest) mmap(addr, size, prot, flags, fd, off uint64) (uint64, error) {
	if g.A.ABI.OldMmap {
		return g.call("old_mmap", g.words(addr, size, prot, flags, fd, off))
	}
	return g.call("mmap", addr, size, prot, flags, fd, off)
}

func TestMmapErrors(t *testing.T) {
	dir := t.TempDir()
	each(t, func(t *testing.T, g *guest) {
		top := g.A.Start.TaskSize
		rd := g.open("/proc/self/../self/status")
		file := g.open(filepath.Join(dir, g.A.Name), "O_CREAT", "O_RDWR")
		ro := g.open(filepath.Join(dir, g.A.Name))
		wo := g.open(filepath.Join(dir, g.A.Name), "O_WRONLY")
		folder := g.open(dir, "O_DIRECTORY")
		fixed := uint64(anon | unix.MAP_FIXED)
		for name, c := range map[string]struct {
			addr, size, prot, flags, fd, off uint64
			want                             unix.Errno
		}{
			"no length":            {0, 0, rw, anon, none, 0, unix.EINVAL},
			"length wraps":         {0, ^uint64(0) - 10, rw, anon, none, 0, unix.ENOMEM},
			"too long":             {0, top + page, rw, anon, none, 0, unix.ENOMEM},
			"no type":              {0, page, rw, unix.MAP_ANONYMOUS, none, 0, unix.EINVAL},
			"offset off a page":    {0, page, rw, anon, none, 1, unix.EINVAL},
			"fixed off a page":     {0x10001, page, rw, fixed, none, 0, unix.EINVAL},
			"fixed too low":        {0, page, rw, fixed, none, 0, unix.EPERM},
			"fixed past the end":   {top, page, rw, fixed, none, 0, unix.ENOMEM},
			"taken":                {guestMem, page, rw, anon | g.flag("MAP_FIXED_NOREPLACE"), none, 0, unix.EEXIST},
			"bad descriptor":       {0, page, rw, unix.MAP_PRIVATE, 77, 0, unix.EBADF},
			"write-only file":      {0, page, rw, unix.MAP_PRIVATE, wo, 0, unix.EACCES},
			"shared read-only":     {0, page, rw, unix.MAP_SHARED, ro, 0, unix.EACCES},
			"directory":            {0, page, unix.PROT_READ, unix.MAP_PRIVATE, folder, 0, unix.ENODEV},
			"growing file":         {0, page, rw, unix.MAP_PRIVATE | unix.MAP_GROWSDOWN, file, 0, unix.EINVAL},
			"shared growing":       {0, page, rw, unix.MAP_SHARED | unix.MAP_ANONYMOUS | unix.MAP_GROWSDOWN, none, 0, unix.EINVAL},
			"validated, odd flags": {0, page, rw, unix.MAP_SHARED_VALIDATE | 1<<29, file, 0, unix.EOPNOTSUPP},
			"huge":                 {0, page, rw, anon | unix.MAP_HUGETLB, none, 0, unix.ENOMEM},
		} {
			_, err := g.mmap(c.addr, c.size, c.prot, c.flags, c.fd, c.off)
			require.Equal(t, c.want, err, name)
		}
		_, err := g.mmap(0, page, rw, unix.MAP_PRIVATE, rd, 0)
		require.NoError(t, err, "what /proc shows of the program is a file of ours and can be mapped")
	})
}

func TestMmapPlaces(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		hint := uint64(0x40000000)
		at, err := g.mmap(hint+5, 3*page-7, rw, anon, none, 0)
		require.NoError(t, err)
		require.EqualValues(t, hint, at, "a free hint is taken, rounded down")
		again, err := g.mmap(hint, page, rw, anon, none, 0)
		require.NoError(t, err)
		require.NotEqual(t, at, again)
		require.LessOrEqual(t, again, g.A.Start.MmapBase-page, "else it goes below the base")

		require.NoError(t, g.Write32(at, 0x1234))
		at2, err := g.mmap(at, page, rw, anon|unix.MAP_FIXED, none, 0)
		require.NoError(t, err)
		require.Equal(t, at, at2)
		require.Zero(t, g.get32(at), "a fixed mapping replaces")
		v, err := g.mmap(at+3*page, page, rw, anon|g.flag("MAP_FIXED_NOREPLACE"), none, 0)
		require.NoError(t, err)
		require.Equal(t, at+3*page, v)

		low, err := g.mmap(1, page, rw, anon, none, 0)
		require.NoError(t, err)
		require.GreaterOrEqual(t, low, g.A.Start.MinAddr)
		if f, ok := g.A.Const["MAP_32BIT"]; ok && g.A.Word == 8 {
			v, err := g.mmap(0, page, rw, anon|f, none, 0)
			require.NoError(t, err)
			require.Less(t, v, uint64(1<<31))
		}
	})
}

// However often a file is mapped, one descriptor of the host is behind all of
// it, and none when nothing is mapped any more; pages that follow each other are
// one mapping.
func TestMmapFileOften(t *testing.T) {
	const often = 100
	behind := func(f unix.Stat_t) (n int) {
		ents, err := os.ReadDir("/proc/self/fd")
		require.NoError(t, err)
		for _, e := range ents {
			fd, err := strconv.Atoi(e.Name())
			require.NoError(t, err)
			var st unix.Stat_t
			if unix.Fstat(fd, &st) == nil && st.Dev == f.Dev && st.Ino == f.Ino {
				n++
			}
		}
		return n
	}
	each(t, func(t *testing.T, g *guest) {
		path := filepath.Join(t.TempDir(), "f")
		require.NoError(t, os.WriteFile(path, bytes.Repeat([]byte{'x'}, often*page), 0o600))
		var st unix.Stat_t
		require.NoError(t, unix.Stat(path, &st))
		fd := g.open(path)
		for range 2 {
			for _, kind := range []uint64{unix.MAP_PRIVATE, unix.MAP_SHARED} {
				at, err := g.mmap(0, often*page, unix.PROT_READ, kind, fd, 0)
				require.NoError(t, err)
				for i := range uint64(often) { // in the other order
					_, err := g.mmap(at+i*page, page, unix.PROT_READ, kind|unix.MAP_FIXED, fd, (often-1-i)*page)
					require.NoError(t, err)
				}
				require.Equal(t, 2, behind(st))
				for i := range uint64(often) { // over itself
					_, err := g.mmap(at+i*page, page, unix.PROT_READ, kind|unix.MAP_FIXED, fd, i*page)
					require.NoError(t, err)
				}
				require.Equal(t, 2, behind(st))
				v := g.Space().Find(at)
				require.Equal(t, []uint64{at, at + often*page}, []uint64{v.Addr, v.End})
				require.Equal(t, "x", string(g.get(at, 1)))
				g.ok("munmap", at, often*page)
				require.Equal(t, 1, behind(st))
			}
		}
		at, err := g.mmap(0, page, unix.PROT_READ, unix.MAP_PRIVATE, fd, 0)
		require.NoError(t, err)
		g.ok("close", fd)
		require.Equal(t, 1, behind(st))
		require.Equal(t, "x", string(g.get(at, 1)))
		g.ok("munmap", at, page)
		require.Zero(t, behind(st))
	})
}

func TestMmapFile(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		path := filepath.Join(t.TempDir(), "f")
		data := make([]byte, 3*page)
		data[2*page] = 'x'
		require.NoError(t, os.WriteFile(path, data, 0o600))
		fd := g.open(path, "O_RDWR")
		shared, err := g.mmap(0, page, rw, unix.MAP_SHARED, fd, 2*page)
		require.NoError(t, err)
		require.Equal(t, "x", string(g.get(shared, 1)))
		require.NoError(t, g.Space().CopyOut([]byte("S"), shared))
		g.ok("msync", shared, page, unix.MS_SYNC)
		private, err := g.mmap(0, page, rw, unix.MAP_PRIVATE, fd, 2*page)
		require.NoError(t, err)
		require.NoError(t, g.Space().CopyOut([]byte("P"), private))
		data, err = os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, "S", string(data[2*page:2*page+1]))
		g.ok("madvise", private, page, unix.MADV_DONTNEED)
		require.Equal(t, "S", string(g.get(private, 1)), "the page is the file's again")
		if g.A.Word == 4 {
			v := g.ok("mmap2", 0, page, unix.PROT_READ, unix.MAP_SHARED, fd, 2)
			require.Equal(t, "S", string(g.get(v, 1)), "the offset of mmap2 counts pages")
			g.fails(unix.EOVERFLOW, "mmap2", 0, 2*page, rw, unix.MAP_PRIVATE, fd, 0xffffffff)
		}
		g.ok("close", fd)
		require.Equal(t, "S", string(g.get(shared, 1)))

		ro := g.open(path)
		v, err := g.mmap(0, page, unix.PROT_READ, unix.MAP_SHARED, ro, 0)
		require.NoError(t, err)
		g.fails(unix.EACCES, "mprotect", v, page, rw)
	})
}

func TestMunmapMprotect(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		at, err := g.mmap(0x30000000, 4*page, rw, anon, none, 0)
		require.NoError(t, err)
		g.fails(unix.EINVAL, "munmap", at+1, page)
		g.fails(unix.EINVAL, "munmap", at, 0)
		g.fails(unix.EINVAL, "munmap", g.A.Start.TaskSize, page)
		g.ok("munmap", at+page, 1)
		require.True(t, g.Space().Free(at+page, page))
		g.fails(unix.EFAULT, "getrandom", at+page, 4, 0)

		g.fails(unix.EINVAL, "mprotect", at+1, page, rw)
		g.fails(unix.EINVAL, "mprotect", at, page, 0x100)
		g.fails(unix.EINVAL, "mprotect", at, page, rw|protGrowsUp)
		g.fails(unix.ENOMEM, "mprotect", at, 2*page, unix.PROT_READ)
		g.fails(unix.ENOMEM, "mprotect", at, ^uint64(0)-page, unix.PROT_READ)
		g.ok("mprotect", at, 0, unix.PROT_READ)
		require.Equal(t, arch.Read, g.Space().Find(at).Prot, "what comes before the hole has changed")
		require.Equal(t, unix.EFAULT, g.Write32(at, 1))

		g.P.Persona = readImpliesExec
		g.ok("mprotect", at, page, unix.PROT_READ)
		require.Equal(t, arch.Read|arch.Exec, g.Space().Find(at).Prot)
	})
}

func TestMremap(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		const may, fix, keep = unix.MREMAP_MAYMOVE, unix.MREMAP_FIXED, unix.MREMAP_DONTUNMAP
		at, err := g.mmap(0x30000000, 4*page, rw, anon, none, 0)
		require.NoError(t, err)
		require.NoError(t, g.Write32(at, 0xcafe))
		require.NoError(t, g.Write32(at+3*page, 0xbeef))
		for name, c := range map[string]struct {
			args [5]uint64
			want unix.Errno
		}{
			"off a page":           {[5]uint64{at + 1, page, page, 0, 0}, unix.EINVAL},
			"no new size":          {[5]uint64{at, page, 0, 0, 0}, unix.EINVAL},
			"odd flag":             {[5]uint64{at, page, page, 16, 0}, unix.EINVAL},
			"fixed, not move":      {[5]uint64{at, page, page, fix, at + 8*page}, unix.EINVAL},
			"keep, other size":     {[5]uint64{at, page, 2 * page, may | keep, 0}, unix.EINVAL},
			"overlap":              {[5]uint64{at, 2 * page, page, may | fix, at + page}, unix.EINVAL},
			"nothing there":        {[5]uint64{at + 4*page, page, 2 * page, may, 0}, unix.EFAULT},
			"longer than mapping":  {[5]uint64{at, 5 * page, 6 * page, may, 0}, unix.EFAULT},
			"copy of private":      {[5]uint64{at, 0, page, may, 0}, unix.EINVAL},
			"no room to grow":      {[5]uint64{at, page, 2 * page, 0, 0}, unix.ENOMEM},
			"target out of bounds": {[5]uint64{at, page, page, may | fix, g.A.Start.TaskSize}, unix.EINVAL},
		} {
			_, err := g.call("mremap", c.args[:]...)
			require.Equal(t, c.want, err, name)
		}
		require.Equal(t, at, g.ok("mremap", at, 4*page, 6*page, 0), "grows in place")
		require.EqualValues(t, 0xbeef, g.get32(at+3*page))
		require.Zero(t, g.get32(at+5*page))
		require.Equal(t, at, g.ok("mremap", at, 6*page, 4*page, 0), "shrinks")
		require.True(t, g.Space().Free(at+4*page, 2*page))

		_, err = g.mmap(at+4*page, page, rw, anon|unix.MAP_FIXED, none, 0)
		require.NoError(t, err)
		g.ok("mprotect", at+4*page, page, unix.PROT_READ) // another mapping, in the way
		to := g.ok("mremap", at, 4*page, 8*page, may)
		require.NotEqual(t, at, to)
		require.EqualValues(t, 0xcafe, g.get32(to))
		require.EqualValues(t, 0xbeef, g.get32(to+3*page))
		require.Zero(t, g.get32(to+7*page))
		require.True(t, g.Space().Free(at, 4*page))

		fixed := uint64(0x50000000)
		require.Equal(t, fixed, g.ok("mremap", to, 8*page, 2*page, may|fix, fixed))
		require.EqualValues(t, 0xcafe, g.get32(fixed))
		require.True(t, g.Space().Free(to, 8*page))

		kept := g.ok("mremap", fixed, 2*page, 2*page, may|keep, 0)
		require.EqualValues(t, 0xcafe, g.get32(kept))
		require.Zero(t, g.get32(fixed), "the old place is there, and empty")

		shared, err := g.mmap(0, 2*page, rw, unix.MAP_SHARED|unix.MAP_ANONYMOUS, none, 0)
		require.NoError(t, err)
		twin := g.ok("mremap", shared, 0, 2*page, may)
		require.NoError(t, g.Write32(twin+page, 77))
		require.EqualValues(t, 77, g.get32(shared+page), "the same pages twice")
	})
}

func TestBrk(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		g.Space().SetBrk(0x20000100)
		require.EqualValues(t, 0x20000100, g.ok("brk", 0))
		require.EqualValues(t, 0x20005001, g.ok("brk", 0x20005001))
		require.NoError(t, g.Write32(0x20005ffc, 1))
		require.EqualValues(t, 0x20001000, g.ok("brk", 0x20001000))
		require.True(t, g.Space().Free(0x20001000, page))
		require.EqualValues(t, 0x20001000, g.ok("brk", g.A.Start.TaskSize+1))
		g.P.Limits[unix.RLIMIT_DATA] = unix.Rlimit{Cur: guestSize + 8*page, Max: guestSize + 8*page}
		require.EqualValues(t, 0x20001000, g.ok("brk", 0x20100000), "RLIMIT_DATA")
		g.P.Limits[unix.RLIMIT_DATA].Cur = unix.RLIM_INFINITY
		g.P.Limits[unix.RLIMIT_AS] = unix.Rlimit{Cur: guestSize + 16*page, Max: unix.RLIM_INFINITY}
		_, err := g.mmap(0, 32*page, rw, anon, none, 0)
		require.Equal(t, unix.ENOMEM, err, "RLIMIT_AS")
	})
}

func TestAdvice(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		at, err := g.mmap(0x30000000, 3*page, rw, anon, none, 0)
		require.NoError(t, err)
		require.NoError(t, g.Write32(at, 1))
		require.NoError(t, g.Write32(at+2*page, 2))
		g.fails(unix.EINVAL, "madvise", at+1, page, unix.MADV_DONTNEED)
		g.fails(unix.EINVAL, "madvise", at, page, 5555)
		vec := g.room(8)
		g.ok("mincore", at, 3*page, vec)
		require.Equal(t, []byte{1, 0, 1}, g.get(vec, 3))
		g.ok("madvise", at, page, unix.MADV_DONTNEED)
		require.Zero(t, g.get32(at))
		require.EqualValues(t, 2, g.get32(at+2*page))
		g.ok("madvise", at, 3*page, unix.MADV_HUGEPAGE)
		g.ok("munmap", at+page, page)
		g.fails(unix.ENOMEM, "madvise", at, 3*page, unix.MADV_DONTNEED)
		require.Zero(t, g.get32(at+2*page), "the part after the hole is done too")
		g.fails(unix.ENOMEM, "mincore", at, 3*page, vec)
		g.fails(unix.EFAULT, "mincore", at, page, 8)
		g.fails(unix.ENOMEM, "mlock", at, 3*page)
		g.ok("mlock", at+1, 1)
		last := g.A.Addr(^uint64(0)) &^ (page - 1)
		g.fails(unix.ENOMEM, "mlock", last/2+1-page, 8)
		g.fails(unix.EINVAL, "mlock", last-page, 2*page)
		g.fails(unix.EINVAL, "mlockall", 0)
		g.ok("mlockall", g.flag("MCL_CURRENT"))
		g.fails(unix.ENOMEM, "msync", at, 3*page, unix.MS_ASYNC)
		g.fails(unix.EINVAL, "msync", at, page, unix.MS_ASYNC|unix.MS_SYNC)
		g.fails(unix.EPERM, "membarrier", mbPrivate, 0)
		g.ok("membarrier", mbRegisterPrivate, 0)
		g.ok("membarrier", mbPrivate, 0)
	})
}

func TestProcessVM(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		src, dst := g.bytes([]byte("hello")), g.room(8)
		pid := uint64(os.Getpid())
		n := g.ok("process_vm_readv", pid, g.words(dst, 2, dst+2, 6), 2, g.words(src, 5), 1, 0)
		require.EqualValues(t, 5, n)
		require.Equal(t, "hello", string(g.get(dst, 5)))
		g.ok("process_vm_writev", pid, g.words(src, 1), 1, g.words(dst+4, 1), 1, 0)
		require.Equal(t, "hellh", string(g.get(dst, 5)))
		g.fails(unix.EFAULT, "process_vm_readv", pid, g.words(dst, 2), 1, g.words(8, 2), 1, 0)
		g.fails(unix.ESRCH, "process_vm_readv", 0x3fffffff, g.words(dst, 2), 1, g.words(src, 2), 1, 0)
	})
}

func TestGrowsDown(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		at, err := g.mmap(0x60000000, page, rw, anon|unix.MAP_GROWSDOWN, none, 0)
		require.NoError(t, err)
		f := func(addr uint64) emu.Fault {
			return emu.Fault{Signal: emu.Signal{No: unix.SIGSEGV, Code: segvMaperr, Addr: addr}}
		}
		require.NoError(t, g.K.Fault(g.T, f(at-3*page+5)))
		require.Nil(t, g.T.Status())
		require.NoError(t, g.Write32(at-3*page, 5))
		require.NoError(t, g.K.Fault(g.T, f(at-1<<30)))
		require.Equal(t, &emu.Status{Signal: unix.SIGSEGV, Fault: g.T.Status().Fault}, g.T.Status())
		require.EqualValues(t, at-1<<30, g.T.Status().Fault.Addr)
	})
}
