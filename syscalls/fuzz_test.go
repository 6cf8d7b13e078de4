package syscalls

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/emu/arch/archs"
)

// fileCalls are the calls of files, directories, sockets and waiting.
func fileCalls() []Row {
	return slices.Concat(fileRows, dirRows, ioRows, pollRows, epollRows, socketRows, ioctlRows)
}

// has tells whether an architecture has a call.
func has(a *arch.Arch, r Row) bool {
	return slices.ContainsFunc(a.Sysnum, func(s arch.Sysno) bool { return rowName(a, s.Name) == r.Name })
}

// fuzzGuest is a guest whose descriptors can do no harm and whose current
// directory is its own.
func fuzzGuest(t *testing.T, a *arch.Arch) *guest {
	g := newGuest(t, a)
	g.ok("chdir", g.str(t.TempDir()))
	g.open("file", "O_CREAT", "O_RDWR")
	g.open(".", "O_DIRECTORY")
	g.pipe()
	g.pair(unix.SOCK_STREAM)
	g.ok("epoll_create1", 0)
	g.ok("eventfd2", 1, g.flag("O_NONBLOCK"))
	g.ok("inotify_init1", g.flag("O_NONBLOCK"))
	g.open("/proc/self/fd")
	g.open("/proc/self/mem", "O_RDWR")
	g.ok("socket", unix.AF_INET, unix.SOCK_DGRAM|g.flag("O_NONBLOCK"), 0)
	g.ok("timerfd_create", 0, g.flag("O_NONBLOCK"))
	return g
}

// fuzzWord makes an argument of random bits that is often a descriptor, an
// address or a size of interest.
func fuzzWord(a *arch.Arch, r uint64) uint64 {
	end := uint64(guestMem + guestSize)
	switch v := r >> 8; r & 15 {
	case 0, 1, 2:
		return v % 18
	case 3, 4, 5, 6:
		return guestMem + v%guestSize
	case 7:
		return end - v%64
	case 8:
		return end + v%4096
	case 9:
		return a.Addr(-(v % 4096))
	case 10:
		return 1 << (v % 64)
	case 11:
		return a.Start.TaskSize - v%64
	case 12:
		return v % 4096
	case 13:
		return cwd
	}
	return r
}

// fuzzOne makes one call and fails if it returns an error that is not the
// guest's. Calls that block are ended by a signal.
func fuzzOne(t *testing.T, g *guest, r Row, args [6]uint64) {
	t.Helper()
	g.w, g.next = args, 0
	_, err := g.run(&r)
	if err != nil {
		require.ErrorAs(t, err, new(unix.Errno), "%s(%#x)", r.Name, args)
	}
}

// TestRandomFileArguments is a short run of FuzzFileArgs over every call.
func TestRandomFileArguments(t *testing.T) {
	calls := fileCalls()
	for _, a := range archs.All {
		t.Run(a.Name, func(t *testing.T) {
			g := fuzzGuest(t, a)
			defer g.interruptions()()
			rnd := rand.New(rand.NewPCG(1, uint64(a.Word)))
			for i := range 3000 {
				r := calls[i%len(calls)]
				if unfit[r.Name] || r.Name == "fallocate" || !has(a, r) {
					continue
				}
				var args [6]uint64
				for j := range args {
					args[j] = fuzzWord(a, rnd.Uint64())
				}
				fuzzOne(t, g, r, args)
			}
		})
	}
}

// FuzzFileArgs makes one call with arguments and memory of the fuzzer's choice.
func FuzzFileArgs(f *testing.F) {
	calls := fileCalls()
	for i := range calls {
		f.Add(uint16(i), uint8(i), []byte{3, 1, 0, 0, 0, 0, 0, 0, 3, 2, 0, 0, 0, 0, 0, 0, 12, 3}, []byte("file\x00"))
	}
	f.Fuzz(func(t *testing.T, call uint16, which uint8, args, mem []byte) {
		r, a := calls[int(call)%len(calls)], archs.All[int(which)%len(archs.All)]
		if unfit[r.Name] || r.Name == "fallocate" || !has(a, r) {
			return
		}
		g := fuzzGuest(t, a)
		mem = bytes.ReplaceAll(mem, []byte("/"), []byte("_")) // paths stay in the test's folder
		require.NoError(t, g.Space().CopyOut(mem[:min(len(mem), 4096)], guestMem))
		var w [6]uint64
		args = append(slices.Clip(args), make([]byte, 48)...)
		for i := range w {
			w[i] = fuzzWord(g.A, binary.LittleEndian.Uint64(args[8*i:]))
		}
		defer g.interruptions()()
		fuzzOne(t, g, r, w)
	})
}
