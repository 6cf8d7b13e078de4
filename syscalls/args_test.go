package syscalls

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/emu/arch/archs"
)

// unfit are calls that must not be made with any arguments: they reach
// processes of the host other than the test, or change the test's own.
var unfit = map[string]bool{
	"clone": true, "clone3": true, "fork": true, "vfork": true, // need a CPU
	"kill": true, "tkill": true, "tgkill": true, "rt_sigqueueinfo": true, "rt_tgsigqueueinfo": true, "pidfd_send_signal": true,
	"setuid": true, "setuid32": true, "setgid": true, "setgid32": true, "setreuid": true, "setreuid32": true,
	"setregid": true, "setregid32": true, "setresuid": true, "setresuid32": true, "setresgid": true, "setresgid32": true,
	"setgroups": true, "setgroups32": true, "setpgid": true, "setsid": true, "setpriority": true, "nice": true,
	"sched_setaffinity": true, "sched_setscheduler": true, "sched_setparam": true, "sched_setattr": true, "ioprio_set": true,
	"setrlimit": true, "prlimit64": true, "ipc": true, "shmctl": true, "semctl": true, "msgctl": true,
	"shmget": true, "semget": true, "msgget": true, "mq_open": true, "mq_unlink": true, // what they make outlives the test
	"sync": true, "syncfs": true, "chroot": true,
	"sigreturn": true, "rt_sigreturn": true, "swapcontext": true, // there are no registers
}

// odd are the arguments that handlers trip over, beside addresses.
var odd = []uint64{
	0, 1, 2, 3, 4, 5, 7, 8, 16, 0xff, 0x100, 0xfff, 0x1000, 0x1001, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xfffff000,
	0xffffff9c, 0xffffffff, 1 << 32, 1 << 47, 1<<47 - 4096, 1<<63 - 1, 1 << 63, ^uint64(0) - 4095, ^uint64(0),
}

// pick makes an argument of a random number.
func pick(a *arch.Arch, r uint64) uint64 {
	k := r >> 8
	switch r & 7 {
	case 0, 1:
		return odd[k%uint64(len(odd))]
	case 2, 3, 4: // in the memory there is
		return guestMem + k%guestSize
	case 5: // over its end
		return guestMem + guestSize - k%32
	case 6: // near the end of user space
		return a.Start.TaskSize - k%8192
	}
	return k
}

// argGuest is a guest with descriptors that can do no harm.
func argGuest(t *testing.T, a *arch.Arch) *guest {
	g := newGuest(t, a)
	g.Space().Limit = 256 << 20
	require.NoError(t, g.P.Files.Release())
	for _, path := range []string{"/dev/null", "/dev/zero", "file"} {
		fd, err := unix.Open(path, unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC, 0o600)
		require.NoError(t, err)
		_, err = g.install(&File{Host: fd}, false)
		require.NoError(t, err)
	}
	return g
}

// litter fills the guest's memory: small numbers make structures that get
// past the first checks, and there is no slash for a path to leave the test's
// folder by. It fails when the guest has unmapped its memory.
func (g *guest) litter(seed uint64) error {
	rnd := rand.New(rand.NewPCG(seed, 1))
	mem := make([]byte, guestSize)
	for i := 0; i < len(mem); i += 8 {
		binary.LittleEndian.PutUint64(mem[i:], rnd.Uint64()>>(rnd.Uint32()&63))
	}
	return g.Space().CopyOut(bytes.ReplaceAll(mem, []byte("/"), []byte("_")), guestMem)
}

// try makes one call with arguments from random numbers. Nothing but an errno
// may come out of it.
func (g *guest) try(row *Row, args [6]uint64) {
	for i, v := range args {
		g.w[i] = pick(g.A, v)
	}
	g.next, g.noResult = 0, false
	_, err := g.run(row)
	var e unix.Errno
	if err != nil && !errors.As(err, &e) {
		g.t.Fatalf("%s %s(%#x): %v", g.A.Name, row.Name, g.w, err)
	}
}

// interruptions ends calls that block by a signal for the guest. What it
// returns ends the interruptions.
func (g *guest) interruptions() (end func()) {
	stop, done := make(chan struct{}), make(chan struct{})
	tick := time.NewTicker(time.Millisecond)
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				g.P.notify(g.P.leader, sigInfo{Signal: emu.Signal{No: unix.SIGKILL}})
			}
		}
	}()
	return func() {
		tick.Stop()
		close(stop)
		<-done
	}
}

// bound are the rows that an architecture has and that fit.
func bound(a *arch.Arch) []*Row {
	var out []*Row
	tab := bind(a)
	for _, s := range a.Sysnum {
		if r := tab.row(uint64(s.Nr)); r != nil && !unfit[r.Name] && a.ABI.Calls[s.Name] == nil {
			out = append(out, r)
		}
	}
	return out
}

func TestArgs(t *testing.T) {
	t.Chdir(t.TempDir())
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, a := range archs.All {
		t.Run(a.Name, func(t *testing.T) {
			g := argGuest(t, a)
			end := g.interruptions()
			defer func() { end() }()
			for i, row := range slices.Repeat(bound(a), 6) {
				if i%8 == 0 && g.litter(uint64(i)) != nil {
					end()
					g = argGuest(t, a)
					end = g.interruptions()
					require.NoError(t, g.litter(uint64(i)))
				}
				var args [6]uint64
				for i := range args {
					args[i] = rnd.Uint64()
				}
				g.try(row, args)
			}
		})
	}
}

func FuzzArgs(f *testing.F) {
	dir := f.TempDir()
	require.NoError(f, os.Chdir(dir))
	lists := map[*arch.Arch][]*Row{}
	for i, a := range archs.All {
		lists[a] = bound(a)
		for row := range lists[a] {
			f.Add(uint16(row), uint8(i), uint64(2), uint64(2), uint64(0x102), uint64(0x203), uint64(0x300), uint64(0x405), uint64(row))
		}
	}
	f.Fuzz(func(t *testing.T, row uint16, which uint8, a0, a1, a2, a3, a4, a5, seed uint64) {
		a := archs.All[int(which)%len(archs.All)]
		g := argGuest(t, a)
		require.NoError(t, g.litter(seed))
		defer g.interruptions()()
		g.try(lists[a][int(row)%len(lists[a])], [6]uint64{a0, a1, a2, a3, a4, a5})
	})
}
