package syscalls

import (
	"bytes"
	"math"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/emu/arch"
)

var ioRows = []Row{
	{Name: "read", Fn: sysRead, Level: Full},
	{Name: "write", Fn: sysWrite, Level: Full},
	{Name: "pread64", Fn: sysPread64, Level: Full},
	{Name: "pwrite64", Fn: sysPwrite64, Level: Full},
	{Name: "readv", Fn: func(c *Ctx) (uint64, error) { return vector(c, arch.Write, false, false) }, Level: Full},
	{Name: "writev", Fn: func(c *Ctx) (uint64, error) { return vector(c, arch.Read, false, false) }, Level: Full},
	{Name: "preadv", Fn: func(c *Ctx) (uint64, error) { return vector(c, arch.Write, true, false) }, Level: Full},
	{Name: "pwritev", Fn: func(c *Ctx) (uint64, error) { return vector(c, arch.Read, true, false) }, Level: Full},
	{Name: "preadv2", Fn: func(c *Ctx) (uint64, error) { return vector(c, arch.Write, true, true) }, Level: Full},
	{Name: "pwritev2", Fn: func(c *Ctx) (uint64, error) { return vector(c, arch.Read, true, true) }, Level: Full},
	{Name: "sendfile", Fn: func(c *Ctx) (uint64, error) { return sendfile(c, false) }, Level: Full},
	{Name: "sendfile64", Fn: func(c *Ctx) (uint64, error) { return sendfile(c, true) }, Level: Full},
	{Name: "splice", Fn: sysSplice, Level: Full},
	{Name: "tee", Fn: sysTee, Level: Full},
	{Name: "vmsplice", Fn: sysVmsplice, Level: Full},
	{Name: "copy_file_range", Fn: sysCopyFileRange, Level: Full},
	{Name: "lseek", Fn: sysLseek, Level: Full},
	{Name: "_llseek", Fn: sysLlseek, Level: Full},
	{Name: "truncate", Fn: func(c *Ctx) (uint64, error) { return truncate(c, (*Ctx).Long) }, Level: Full},
	{Name: "truncate64", Fn: func(c *Ctx) (uint64, error) { return truncate(c, (*Ctx).I64) }, Level: Full},
	{Name: "ftruncate", Fn: func(c *Ctx) (uint64, error) { return ftruncate(c, (*Ctx).Long) }, Level: Full},
	{Name: "ftruncate64", Fn: func(c *Ctx) (uint64, error) { return ftruncate(c, (*Ctx).I64) }, Level: Full},
	{Name: "fallocate", Fn: sysFallocate, Level: Full},
	{Name: "fadvise64", Fn: sysFadvise64, Level: Full},
	{Name: "fadvise64_64", Fn: sysFadvise6464, Level: Full},
	{Name: "arm_fadvise64_64", Fn: sysFadvise6464, Level: Full},
	{Name: "readahead", Fn: sysReadahead, Level: Full},
	{Name: "sync", Fn: sysSync, Level: Full},
	{Name: "syncfs", Fn: func(c *Ctx) (uint64, error) { return onFile(c, unix.Syncfs) }, Level: Full},
	{Name: "fsync", Fn: func(c *Ctx) (uint64, error) { return onFile(c, unix.Fsync) }, Level: Full},
	{Name: "fdatasync", Fn: func(c *Ctx) (uint64, error) { return onFile(c, unix.Fdatasync) }, Level: Full},
	{Name: "sync_file_range", Fn: sysSyncFileRange, Level: Full},
	{Name: "sync_file_range2", Fn: sysSyncFileRange2, Level: Full},
	{Name: "eventfd", Fn: func(c *Ctx) (uint64, error) { return eventfd(c, c.Uint(), 0) }, Level: Full},
	{Name: "eventfd2", Fn: func(c *Ctx) (uint64, error) { return eventfd(c, c.Uint(), c.Uint()) }, Level: Full},
	{Name: "signalfd", Fn: func(c *Ctx) (uint64, error) { return signalfd(c, false) }, Level: Full},
	{Name: "signalfd4", Fn: func(c *Ctx) (uint64, error) { return signalfd(c, true) }, Level: Full},
	{Name: "timerfd_create", Fn: sysTimerfdCreate, Level: Full},
	{Name: "timerfd_settime", Fn: func(c *Ctx) (uint64, error) { return timerfdSettime(c, "itimerspec") }, Level: Full},
	{Name: "timerfd_settime64", Fn: func(c *Ctx) (uint64, error) { return timerfdSettime(c, "__kernel_itimerspec") }, Level: Full},
	{Name: "timerfd_gettime", Fn: func(c *Ctx) (uint64, error) { return timerfdGettime(c, "itimerspec") }, Level: Full},
	{Name: "timerfd_gettime64", Fn: func(c *Ctx) (uint64, error) { return timerfdGettime(c, "__kernel_itimerspec") }, Level: Full},
}

const (
	maxRW     = math.MaxInt32 &^ 4095 // MAX_RW_COUNT: the most that one call moves
	maxIovecs = 1024                  // UIO_MAXIOV
)

// writable returns EFAULT unless the guest may write all of [addr,addr+n).
func (c *Ctx) writable(addr, n uint64) error {
	_, err := c.Space().User(addr, n, arch.Write)
	return err
}

// buffer is the guest's memory of a read (arch.Write) or write (arch.Read) of
// n bytes: what of it is accessible, EFAULT if nothing is.
func (c *Ctx) buffer(addr, n uint64, prot arch.Prot) ([][]byte, error) {
	switch {
	case c.A.Word == 4 && n > math.MaxInt32, n > math.MaxInt64:
		return nil, unix.EINVAL
	case addr+n < addr || addr+n > c.A.Start.TaskSize:
		return nil, unix.EFAULT
	case n == 0:
		return nil, nil
	}
	b, err := c.Space().User(addr, min(n, maxRW), prot)
	if len(b) > 0 {
		err = nil
	}
	return b, err
}

func sysRead(c *Ctx) (uint64, error) {
	f, err := c.FD()
	if err != nil {
		return 0, err
	}
	b, err := c.buffer(c.Addr(), c.Size(), arch.Write)
	if err != nil {
		return 0, err
	}
	return c.readFile(f, b, -1, 0)
}

func sysWrite(c *Ctx) (uint64, error) {
	f, err := c.FD()
	if err != nil {
		return 0, err
	}
	b, err := c.buffer(c.Addr(), c.Size(), arch.Read)
	if err != nil {
		return 0, err
	}
	return c.writeFile(f, b, -1, 0)
}

func sysPread64(c *Ctx) (uint64, error) {
	f, err := c.FD()
	if err != nil {
		return 0, err
	}
	addr, n, pos := c.Addr(), c.Size(), c.I64()
	if pos < 0 {
		return 0, unix.EINVAL
	}
	b, err := c.buffer(addr, n, arch.Write)
	if err != nil {
		return 0, err
	}
	return c.readFile(f, b, pos, 0)
}

func sysPwrite64(c *Ctx) (uint64, error) {
	f, err := c.FD()
	if err != nil {
		return 0, err
	}
	addr, n, pos := c.Addr(), c.Size(), c.I64()
	if pos < 0 {
		return 0, unix.EINVAL
	}
	b, err := c.buffer(addr, n, arch.Read)
	if err != nil {
		return 0, err
	}
	return c.writeFile(f, b, pos, 0)
}

// iovecs reads an array of struct iovec and returns the guest's memory it
// names, as far as that is accessible without a gap.
func (c *Ctx) iovecs(addr, count uint64, prot arch.Prot) ([][]byte, error) {
	if count > maxIovecs {
		return nil, unix.EINVAL
	}
	w := uint64(c.A.Word)
	raw := make([]byte, count*2*w)
	if err := c.Space().CopyIn(raw, addr); err != nil {
		return nil, err
	}
	var out [][]byte
	var fault error
	room := uint64(maxRW)
	for ; len(raw) > 0; raw = raw[2*w:] {
		base, n := getUint(c.A, raw[:w]), getUint(c.A, raw[w:2*w])
		if c.A.Word == 4 && n > math.MaxInt32 || n > math.MaxInt64 {
			return nil, unix.EINVAL
		}
		if base+n < base || base+n > c.A.Start.TaskSize {
			return nil, unix.EFAULT
		}
		if n = min(n, room); n == 0 || fault != nil {
			continue
		}
		room -= n
		var b [][]byte
		b, fault = c.Space().User(base, n, prot)
		out = append(out, b...)
	}
	if len(out) == 0 {
		return nil, fault
	}
	return out, nil
}

func vector(c *Ctx, prot arch.Prot, positioned, flagged bool) (uint64, error) {
	f, err := c.FD()
	if err != nil {
		return 0, err
	}
	addr, count := c.Addr(), c.Size()
	pos, flags := int64(-1), 0
	if positioned {
		pos = c.Pos()
		if pos < 0 && !(flagged && pos == -1) {
			return 0, unix.EINVAL
		}
	}
	if flagged {
		flags = c.Int()
	}
	b, err := c.iovecs(addr, count, prot)
	if err != nil {
		return 0, err
	}
	if prot == arch.Write {
		return c.readFile(f, b, pos, flags)
	}
	return c.writeFile(f, b, pos, flags)
}

// readFile reads from f at pos, or at its own position if that is negative.
func (c *Ctx) readFile(f *File, b [][]byte, pos int64, flags int) (uint64, error) {
	switch f.kind {
	case procMem:
		return c.memRead(f, b, pos)
	case signalFile:
		return c.readSignals(f, b)
	case pidFile:
		return 0, unix.EINVAL
	case randomFile:
		for _, p := range b {
			_, _ = c.random(p, 0) // it does not fail
		}
		return uint64(len(flat(b, maxRW))), nil
	}
	if err := c.background(f, unix.SIGTTIN); err != nil {
		return 0, err
	}
	n := 0
	err := c.onFile(f, unix.POLLIN, func() (err error) {
		n, err = hostRead(f.Host, b, pos, flags)
		return err
	})
	if err != nil {
		return 0, err
	}
	if f.kind != plainFile && f.kind != commFile && c.bigEndian() {
		c.turnEvents(f.kind, b, n)
	}
	return uint64(n), nil
}

func hostRead(fd int, b [][]byte, pos int64, flags int) (int, error) {
	switch {
	case flags != 0:
		return unix.Preadv2(fd, b, pos, flags)
	case len(b) > 1 && pos >= 0:
		return unix.Preadv(fd, b[:min(len(b), maxIovecs)], pos)
	case len(b) > 1:
		return unix.Readv(fd, b[:min(len(b), maxIovecs)])
	}
	var one []byte
	if len(b) == 1 {
		one = b[0]
	}
	if pos >= 0 {
		return unix.Pread(fd, one, pos)
	}
	return unix.Read(fd, one)
}

// writeFile writes to f at pos, or at its own position if that is negative.
func (c *Ctx) writeFile(f *File, b [][]byte, pos int64, flags int) (uint64, error) {
	switch f.kind {
	case procMem:
		return c.memWrite(f, b, pos)
	case commFile:
		return c.commWrite(f, b)
	case signalFile, pidFile:
		return 0, unix.EINVAL
	}
	if f.kind == counterFile && c.bigEndian() {
		b = [][]byte{turn(flat(b, 8), 8)}
	}
	if f.stopsOutput() {
		if err := c.background(f, unix.SIGTTOU); err != nil {
			return 0, err
		}
	}
	b, err := c.belowLimit(f, b, pos)
	if err != nil {
		return 0, err
	}
	n, err := c.writeAll(f, b, pos, flags)
	if n > 0 {
		c.K.typed(f, b, n)
		err = nil
	}
	return uint64(max(n, 0)), err
}

// writeAll makes the host's call, with signals for its errors; in a schedule it
// is made for as much as there is room for, until all is written.
func (c *Ctx) writeAll(f *File, b [][]byte, pos int64, flags int) (done int, err error) {
	all := c.T.Schedule() == nil || pos >= 0 || !f.waits() || f.outside()
	for {
		n := 0
		err = c.onFile(f, unix.POLLOUT, func() (err error) {
			n, err = hostWrite(f.Host, b, pos, flags)
			return err
		})
		done += max(n, 0)
		b = beyond(b, max(n, 0))
		if all || err != nil || n == 0 || len(b) == 0 {
			return done, c.pipeSignal(err)
		}
	}
}

// beyond is what is left of b after its first n bytes, of which there may be
// fewer.
func beyond(b [][]byte, n int) [][]byte {
	for len(b) > 0 && n >= len(b[0]) {
		b, n = b[1:], n-len(b[0])
	}
	if n > 0 && len(b) > 0 {
		b = slices.Clone(b)
		b[0] = b[0][n:]
	}
	return b
}

// pipeSignal sends SIGPIPE with an EPIPE; the host process ignores its own.
func (c *Ctx) pipeSignal(err error) error {
	if err == unix.EPIPE {
		c.raise(unix.SIGPIPE)
	}
	return err
}

// belowLimit cuts what is to be written to what RLIMIT_FSIZE allows, EFBIG and
// SIGXFSZ if that is nothing. The limit is not one of the host process.
func (c *Ctx) belowLimit(f *File, b [][]byte, pos int64) ([][]byte, error) {
	limit := c.P.Limits[unix.RLIMIT_FSIZE].Cur
	if limit > math.MaxInt64 {
		return b, nil
	}
	var st unix.Stat_t
	if err := unix.Fstat(f.Host, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return b, err
	}
	if fl, err := unix.FcntlInt(uintptr(f.Host), unix.F_GETFL, 0); err == nil && fl&unix.O_APPEND != 0 {
		pos = st.Size
	} else if pos < 0 {
		if pos, err = unix.Seek(f.Host, 0, unix.SEEK_CUR); err != nil {
			return b, err
		}
	}
	n := 0
	for _, p := range b {
		n += len(p)
	}
	if n == 0 || uint64(pos)+uint64(n) <= limit {
		return b, nil
	}
	if uint64(pos) >= limit {
		return nil, c.tooBig()
	}
	return [][]byte{flat(b, int(min(limit-uint64(pos), maxRW)))}, nil
}

// tooBig sends the signal of a file that would pass RLIMIT_FSIZE.
func (c *Ctx) tooBig() error {
	c.raise(unix.SIGXFSZ)
	return unix.EFBIG
}

func hostWrite(fd int, b [][]byte, pos int64, flags int) (int, error) {
	switch {
	case flags != 0:
		return unix.Pwritev2(fd, b, pos, flags)
	case len(b) > 1 && pos >= 0:
		return unix.Pwritev(fd, b[:min(len(b), maxIovecs)], pos)
	case len(b) > 1:
		return unix.Writev(fd, b[:min(len(b), maxIovecs)])
	}
	var one []byte
	if len(b) == 1 {
		one = b[0]
	}
	if pos >= 0 {
		return unix.Pwrite(fd, one, pos)
	}
	return unix.Write(fd, one)
}

// flat copies the first n bytes of b, or all if there are less.
func flat(b [][]byte, n int) []byte {
	var out []byte
	for _, p := range b {
		out = append(out, p[:min(len(p), n-len(out))]...)
	}
	return out
}

// scatter copies p over the bytes of b.
func scatter(b [][]byte, p []byte) {
	for _, q := range b {
		p = p[copy(q, p):]
	}
}

// turn reverses the bytes of each whole word of size n.
func turn(b []byte, n int) []byte {
	for i := 0; i+n <= len(b); i += n {
		for l, r := i, i+n-1; l < r; l, r = l+1, r-1 {
			b[l], b[r] = b[r], b[l]
		}
	}
	return b
}

// turnEvents puts the n bytes that were read from a file of events into the
// byte order of a guest whose order is not the host's.
func (c *Ctx) turnEvents(kind fileKind, b [][]byte, n int) {
	p := flat(b, n)
	switch kind {
	case counterFile:
		turn(p, 8)
	case inotifyFile:
		const head, length = 16, 12 // of struct inotify_event, and its field len
		for q := p; len(q) >= head; {
			turn(q[:head], 4)
			n := head + int(c.A.Order.Uint32(q[length:]))
			q = q[min(n, len(q)):]
		}
	case fanotifyFile:
		c.turnStructs(p, "fanotify_event_metadata")
	}
	scatter(b, p)
}

// turnStructs turns the fields of each of an array of structures that have the
// same layout on the host.
func (c *Ctx) turnStructs(p []byte, name string) {
	l := c.A.Layout[name]
	for ; len(p) >= l.Size; p = p[l.Size:] {
		for _, f := range l.Fields {
			turn(p[f.Off:f.Off+f.Size], max(1, f.Size))
		}
	}
}

// memFile is an open /proc/PID/mem: the memory that the process had then.
type memFile struct {
	p     *Process
	space *emu.Space
	pos   int64
	flags uint64 // of the host's open
}

// memRead reads a process's memory whatever its protection.
func (c *Ctx) memRead(f *File, b [][]byte, pos int64) (uint64, error) {
	if f.mem.flags&unix.O_ACCMODE == unix.O_WRONLY {
		return 0, unix.EBADF
	}
	return c.memMove(f, b, pos, false)
}

func (c *Ctx) memWrite(f *File, b [][]byte, pos int64) (uint64, error) {
	if f.mem.flags&unix.O_ACCMODE == unix.O_RDONLY {
		return 0, unix.EBADF
	}
	return c.memMove(f, b, pos, true)
}

// reach calls move, which reads b from the memory of a process or writes it
// there: ESRCH if that has ended.
func (c *Ctx) reach(p *Process, b []byte, write bool, move func(b []byte) (int, error)) (n int, err error) {
	if p == c.P {
		return move(b)
	}
	tmp := make([]byte, len(b))
	if write {
		copy(tmp, b)
	}
	if !c.look(p, func() { n, err = move(tmp) }) {
		return 0, unix.ESRCH
	}
	if !write {
		copy(b, tmp[:n])
	}
	return n, err
}

func (c *Ctx) memMove(f *File, b [][]byte, pos int64, write bool) (uint64, error) {
	m := f.mem
	at := pos
	if pos < 0 {
		at = f.mem.pos
	}
	done := uint64(0)
	for _, p := range b {
		n, err := c.reach(m.p, p, write, func(b []byte) (int, error) {
			switch {
			case m.p.P.Space != m.space: // it runs another program
				return 0, nil
			case write:
				return m.space.WriteAt(b, uint64(at))
			}
			return m.space.ReadAt(b, uint64(at))
		})
		done, at = done+uint64(n), at+int64(n)
		if err == nil && n == len(p) {
			continue
		}
		if done == 0 && err != nil && err != unix.ESRCH {
			return 0, unix.EIO
		}
		break
	}
	if pos < 0 {
		f.mem.pos = at
	}
	return done, nil
}

// commWrite changes the name of a task of the caller's process, whatever the
// position (comm_write).
func (c *Ctx) commWrite(f *File, b [][]byte) (uint64, error) {
	if fl, err := unix.FcntlInt(uintptr(f.Host), unix.F_GETFL, 0); err != nil || fl&unix.O_ACCMODE == unix.O_RDONLY {
		return 0, unix.EBADF
	}
	if f.named.p != c.P {
		return 0, unix.EINVAL
	}
	all := flat(b, maxRW)
	name, _, _ := bytes.Cut(all[:min(len(all), commLen-1)], []byte{0})
	f.named.comm = string(name)
	return uint64(len(all)), nil
}

// seek moves f's position.
func (c *Ctx) seek(f *File, off int64, whence int) (int64, error) {
	switch {
	case f.mem != nil:
		if whence == unix.SEEK_CUR {
			off += f.mem.pos
		} else if whence != unix.SEEK_SET {
			return 0, unix.EINVAL
		}
		f.mem.pos = off
		return off, nil
	case f.dir != nil:
		return c.seekDir(f, off, whence)
	}
	return unix.Seek(f.Host, off, whence)
}

func sysLseek(c *Ctx) (uint64, error) {
	f, err := c.FD()
	if err != nil {
		return 0, err
	}
	off, whence := c.Long(), c.Int()
	pos, err := c.seek(f, off, whence)
	if err == nil && c.A.Word == 4 && pos > math.MaxInt32 {
		err = unix.EOVERFLOW
	}
	return uint64(pos), err
}

func sysLlseek(c *Ctx) (uint64, error) {
	f, err := c.FD()
	if err != nil {
		return 0, err
	}
	hi, lo, addr, whence := c.Size(), c.Size(), c.Addr(), c.Int()
	pos, err := c.seek(f, int64(hi<<32|lo&math.MaxUint32), whence)
	if err != nil {
		return 0, err
	}
	return 0, c.Write64(addr, uint64(pos))
}
