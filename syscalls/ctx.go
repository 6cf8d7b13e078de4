package syscalls

import (
	"bytes"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/emu/arch"
)

// Ctx is one system call in progress: who makes it, and its arguments.
//
// Arguments are read in the order of the call's C prototype by the methods
// Int, Uint, Long, Addr, Size and I64, each taking the next; so the registers
// that a 64-bit argument occupies on a 32-bit architecture, and the one it may
// skip, need no thought in a handler. A Ctx is valid until its handler
// returns.
type Ctx struct {
	K  *Kernel
	T  *emu.Task
	P  *Process
	A  *arch.Arch
	Nr uint64

	w        [6]uint64 // raw argument registers
	next     int
	noResult bool

	outside map[int32]bool // descriptors of the host that Ctx.noteOutside has noted
}

// ctx fills the process's call record from the registers.
func (p *Process) ctx(k *Kernel, t *emu.Task) *Ctx {
	cpu, a := t.CPU(), p.P.Arch
	c := &stateOf(t).call
	*c = Ctx{K: k, T: t, P: p, A: a}
	if f := a.ABI.Number; f != nil {
		c.Nr = f(cpu)
	} else {
		c.Nr = cpu.Reg(a.ABI.Nr)
	}
	for i, id := range a.ABI.Args {
		c.w[i] = cpu.Reg(id)
	}
	return c
}

// KeepRegs tells that the handler has set all registers itself (sigreturn):
// no result is stored.
func (c *Ctx) KeepRegs() { c.noResult = true }

func (c *Ctx) word() uint64 {
	if c.next >= len(c.w) {
		return 0
	}
	v := c.w[c.next]
	c.next++
	return v
}

// Int takes a C int.
func (c *Ctx) Int() int { return int(int32(c.word())) }

// Uint takes an unsigned int.
func (c *Ctx) Uint() uint32 { return uint32(c.word()) }

// Long takes a C long, sign-extended.
func (c *Ctx) Long() int64 {
	v := c.word()
	if c.A.Word == 4 {
		return int64(int32(v))
	}
	return int64(v)
}

// Size takes a size_t or an unsigned long.
func (c *Ctx) Size() uint64 { return c.A.Addr(c.word()) }

// Addr takes a pointer.
func (c *Ctx) Addr() uint64 { return c.A.Addr(c.word()) }

// I64 takes a 64-bit argument (loff_t): one register on a 64-bit
// architecture, else two in memory order of the guest, the first of them even
// where the ABI says so.
func (c *Ctx) I64() int64 {
	if c.A.Word == 8 {
		return int64(c.word())
	}
	if c.A.ABI.EvenPair && c.next&1 == 1 {
		c.next++
	}
	a, b := c.word()&0xffffffff, c.word()&0xffffffff
	if c.bigEndian() {
		a, b = b, a
	}
	return int64(b<<32 | a)
}

// Pos takes a file position split into two longs, low first, as preadv's:
// on a 64-bit architecture the first is all of it.
func (c *Ctx) Pos() int64 {
	lo, hi := c.Size(), c.Size()
	if c.A.Word == 8 {
		return int64(lo)
	}
	return int64(hi<<32 | lo)
}

// FD takes a file descriptor and looks it up, EBADF if it is not open.
func (c *Ctx) FD() (*File, error) { return c.file(c.Int()) }

// file looks a descriptor up and keeps the file open until the call has ended,
// whoever closes the descriptor while the call blocks (fdget of the kernel).
func (c *Ctx) file(fd int) (*File, error) {
	if c.T == nil { // not in a system call
		return c.P.Files.Get(fd)
	}
	f, err := c.P.Files.hold(fd)
	if err == nil {
		ts := c.task()
		ts.held = append(ts.held, f)
	}
	return f, err
}

// run makes the call: its result, or the error that settle leaves of it.
func (c *Ctx) run(r *Row) (uint64, error) {
	ts := c.task()
	var v uint64
	var err error
	if e := c.K.as(ts.cred, func() { v, err = r.Fn(c) }); e != nil {
		err = e
	}
	for i, f := range ts.held {
		_ = f.drop() // whoever closed it was not told either
		ts.held[i] = nil
	}
	ts.held = ts.held[:0]
	asyncFiles.settle()
	return v, c.settle(r.Name, err)
}

// Rewind makes the next accessor read argument i again.
func (c *Ctx) Rewind(i int) { c.next = i }

func (c *Ctx) bigEndian() bool { return c.A.Order.Uint16([]byte{0, 1}) == 1 }

// Space is the address space of the caller.
func (c *Ctx) Space() *emu.Space { return c.T.Proc.Space }

// pathMax is PATH_MAX of linux/limits.h, with the final NUL.
const pathMax = 4096

// Path reads a file name: EFAULT if it is not readable, ENAMETOOLONG if it is
// not ended within PATH_MAX.
func (c *Ctx) Path(addr uint64) (string, error) {
	s, err := c.CString(addr, pathMax)
	if err == unix.E2BIG {
		err = unix.ENAMETOOLONG
	}
	return s, err
}

// CString reads a NUL-terminated string of less than max bytes, E2BIG if it
// is longer.
func (c *Ctx) CString(addr uint64, max int) (string, error) {
	var out []byte
	for len(out) < max {
		n := min(uint64(max-len(out)), emu.PageSize-addr&(emu.PageSize-1))
		b := make([]byte, n)
		if err := c.Space().CopyIn(b, addr); err != nil {
			return "", unix.EFAULT
		}
		if i := bytes.IndexByte(b, 0); i >= 0 {
			return string(append(out, b[:i]...)), nil
		}
		out = append(out, b...)
		addr = c.A.Addr(addr + n)
	}
	return "", unix.E2BIG
}

// ReadWord reads a long or pointer at addr.
func (c *Ctx) ReadWord(addr uint64) (uint64, error) {
	var b [8]byte
	if err := c.Space().CopyIn(b[:c.A.Word], addr); err != nil {
		return 0, err
	}
	if c.A.Word == 4 {
		return uint64(c.A.Order.Uint32(b[:])), nil
	}
	return c.A.Order.Uint64(b[:]), nil
}

// WriteWord writes a long or pointer at addr.
func (c *Ctx) WriteWord(addr, v uint64) error {
	if c.A.Word == 4 {
		return c.Write32(addr, uint32(v))
	}
	return c.Write64(addr, v)
}

// Read32 reads a 32-bit integer at addr.
func (c *Ctx) Read32(addr uint64) (uint32, error) {
	var b [4]byte
	if err := c.Space().CopyIn(b[:], addr); err != nil {
		return 0, err
	}
	return c.A.Order.Uint32(b[:]), nil
}

// Write32 writes a 32-bit integer at addr.
func (c *Ctx) Write32(addr uint64, v uint32) error {
	var b [4]byte
	c.A.Order.PutUint32(b[:], v)
	return c.Space().CopyOut(b[:], addr)
}

// Read64 reads a 64-bit integer at addr.
func (c *Ctx) Read64(addr uint64) (uint64, error) {
	var b [8]byte
	if err := c.Space().CopyIn(b[:], addr); err != nil {
		return 0, err
	}
	return c.A.Order.Uint64(b[:]), nil
}

// Write64 writes a 64-bit integer at addr.
func (c *Ctx) Write64(addr, v uint64) error {
	var b [8]byte
	c.A.Order.PutUint64(b[:], v)
	return c.Space().CopyOut(b[:], addr)
}

// Block runs f, which may block in the host. It is the one place where other
// tasks get their turn meanwhile, but in a schedule, where they do not. A system call of the host that blocks in f
// fails with EINTR when a signal for the guest arrives; interrupted tells
// whether the guest's call has to fail so too, or is to be made again.
func (c *Ctx) Block(f func()) {
	if c.T.Schedule() != nil {
		c.kickable(f)
		return
	}
	ts := c.task()
	ts.blocking.Store(aboutTo)
	c.T.Outside(func() { c.kickable(f) })
	ts.blocking.Store(0)
}

// kickable calls f, whose calls of the host signals for the guest end.
func (c *Ctx) kickable(f func()) {
	ts := c.task()
	// What the host's thread is told must reach the call. A task that waits
	// for its turn is not tied to a thread: handing over would cost two
	// switches of the host's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer ts.blocking.Store(ts.blocking.Swap(int32(unix.Gettid())))
	if ts.alarm.Load() {
		// The signal came too early to see that there is a call to end.
		go ts.kick()
	}
	f()
}
