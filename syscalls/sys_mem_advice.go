package syscalls

import (
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/emu/arch"
)

func sysMsync(c *Ctx) (uint64, error) {
	addr, n, flags := c.Addr(), c.Size(), c.Int()
	size := c.pages(n)
	switch {
	case flags&^(unix.MS_ASYNC|unix.MS_INVALIDATE|unix.MS_SYNC) != 0, addr&pageMask != 0,
		flags&unix.MS_ASYNC != 0 && flags&unix.MS_SYNC != 0:
		return 0, unix.EINVAL
	case n == 0:
		return 0, nil
	case size == 0 || !c.inUser(addr, size):
		return 0, unix.ENOMEM
	case flags&unix.MS_INVALIDATE != 0 && c.lockedIn(addr, addr+size) != 0:
		return 0, unix.EBUSY
	}
	if err := c.Space().Sync(addr, size, flags); err != nil {
		return 0, err
	}
	if !c.covered(addr, size) {
		return 0, unix.ENOMEM
	}
	return 0, nil
}

// madvSoftOffline is an advice that x/sys lacks (asm-generic/mman-common.h).
const madvSoftOffline = 101

func sysMadvise(c *Ctx) (uint64, error) { return c.madvise(c.Addr(), c.Size(), c.Int()) }

func (c *Ctx) madvise(addr, n uint64, advice int) (uint64, error) {
	size := c.pages(n)
	switch {
	case !knownAdvice(advice), addr&pageMask != 0, n != 0 && size == 0, c.A.Addr(addr+size) < addr && addr+size != c.A.Start.TaskSize:
		return 0, unix.EINVAL
	case size == 0:
		return 0, nil
	case advice == unix.MADV_HWPOISON || advice == madvSoftOffline:
		return 0, unix.EPERM
	case !c.inUser(addr, size):
		return 0, unix.ENOMEM
	}
	if err := c.allows(addr, size, advice); err != nil {
		return 0, err
	}
	switch advice {
	case unix.MADV_DONTNEED, unix.MADV_DONTNEED_LOCKED, unix.MADV_FREE, unix.MADV_REMOVE, unix.MADV_WILLNEED,
		unix.MADV_RANDOM, unix.MADV_SEQUENTIAL, unix.MADV_NORMAL, unix.MADV_COLD, unix.MADV_PAGEOUT:
		if err := c.Space().Advise(addr, size, advice); err != nil {
			return 0, err
		}
	}
	if m, ok := marks[advice]; ok {
		c.Space().Mark(addr, size, m.set, m.clear)
	}
	if !c.covered(addr, size) {
		return 0, unix.ENOMEM
	}
	return 0, nil
}

// marks are the advices that are for forks and core files to come.
var marks = map[int]struct{ set, clear emu.MapFlags }{
	unix.MADV_DONTFORK:   {set: emu.MapDontFork},
	unix.MADV_DOFORK:     {clear: emu.MapDontFork},
	unix.MADV_WIPEONFORK: {set: emu.MapWipeOnFork},
	unix.MADV_KEEPONFORK: {clear: emu.MapWipeOnFork},
	unix.MADV_DONTDUMP:   {set: emu.MapDontDump},
	unix.MADV_DODUMP:     {clear: emu.MapDontDump},
}

func knownAdvice(advice int) bool {
	switch advice {
	case unix.MADV_NORMAL, unix.MADV_RANDOM, unix.MADV_SEQUENTIAL, unix.MADV_WILLNEED, unix.MADV_DONTNEED,
		unix.MADV_FREE, unix.MADV_REMOVE, unix.MADV_DONTFORK, unix.MADV_DOFORK, unix.MADV_MERGEABLE,
		unix.MADV_UNMERGEABLE, unix.MADV_HUGEPAGE, unix.MADV_NOHUGEPAGE, unix.MADV_DONTDUMP, unix.MADV_DODUMP,
		unix.MADV_WIPEONFORK, unix.MADV_KEEPONFORK, unix.MADV_COLD, unix.MADV_PAGEOUT, unix.MADV_POPULATE_READ,
		unix.MADV_POPULATE_WRITE, unix.MADV_DONTNEED_LOCKED, unix.MADV_COLLAPSE, unix.MADV_HWPOISON, madvSoftOffline:
		return true
	}
	return false
}

// allows tells whether the mappings in a range can take an advice.
func (c *Ctx) allows(addr, size uint64, advice int) (err error) {
	c.Space().VMAs(func(v *emu.VMA) bool {
		if v.End <= addr || v.Addr >= addr+size {
			return v.Addr < addr+size
		}
		anon, locked := v.File == nil && v.Flags&emu.MapShared == 0, v.Flags&emu.MapLocked != 0
		switch advice {
		case unix.MADV_DONTNEED, unix.MADV_COLD, unix.MADV_PAGEOUT:
			if locked {
				err = unix.EINVAL
			}
		case unix.MADV_FREE:
			if !anon || locked {
				err = unix.EINVAL
			}
		case unix.MADV_WIPEONFORK:
			if !anon {
				err = unix.EINVAL
			}
		case unix.MADV_REMOVE:
			switch {
			case anon, locked:
				err = unix.EINVAL
			case v.Flags&emu.MapShared == 0 || v.File != nil && v.File.Max&arch.Write == 0:
				err = unix.EACCES
			}
		case unix.MADV_POPULATE_READ:
			if v.Prot == 0 {
				err = unix.EFAULT
			}
		case unix.MADV_POPULATE_WRITE:
			if v.Prot&arch.Write == 0 {
				err = unix.EFAULT
			}
		}
		return err == nil
	})
	return err
}

func sysProcessMadvise(c *Ctx) (uint64, error) {
	f, err := c.FD()
	if err != nil {
		return 0, err
	}
	addr, count, advice, flags := c.Addr(), c.Size(), c.Int(), c.Uint()
	if flags != 0 || count > maxIovecs {
		return 0, unix.EINVAL
	}
	pid, err := c.pidOf(f)
	if err != nil {
		return 0, err
	}
	if pid != c.P.P.PID {
		return 0, unix.EPERM
	}
	list, err := c.ranges(addr, count)
	if err != nil {
		return 0, err
	}
	var done uint64
	for _, r := range list {
		if _, err := c.madvise(r.addr, r.size, advice); err != nil {
			if done > 0 {
				return done, nil
			}
			return 0, err
		}
		done += r.size
	}
	return done, nil
}

func sysMincore(c *Ctx) (uint64, error) {
	addr, n, vec := c.Addr(), c.Size(), c.Addr()
	size := c.pages(n)
	switch {
	case addr&pageMask != 0:
		return 0, unix.EINVAL
	case n == 0:
		return 0, nil
	case size == 0 || !c.inUser(addr, n):
		return 0, unix.ENOMEM
	}
	// A page's worth of answers at a time, as the kernel does.
	for size > 0 {
		part := min(size, emu.PageSize*emu.PageSize)
		if !c.covered(addr, part) {
			return 0, unix.ENOMEM
		}
		b, err := c.Space().Resident(addr, part)
		if err != nil {
			return 0, err
		}
		if err := c.Space().CopyOut(b, vec); err != nil {
			return 0, err
		}
		addr, size, vec = addr+part, size-part, vec+uint64(len(b))
	}
	return 0, nil
}

// Commands of membarrier(2) (linux/membarrier.h). Those that act do nothing:
// a process's tasks run one at a time, with full barriers between.
const (
	mbQuery           = 0
	mbGlobal          = 1 << 0
	mbGlobalExpedited = 1 << 1
	mbRegisterGlobal  = 1 << 2
	mbPrivate         = 1 << 3
	mbRegisterPrivate = 1 << 4
	mbSyncCore        = 1 << 5
	mbRegisterSync    = 1 << 6
)

func sysMembarrier(c *Ctx) (uint64, error) {
	cmd, flags := c.Uint(), c.Uint()
	if flags != 0 {
		return 0, unix.EINVAL
	}
	m := &c.P.mem
	switch cmd {
	case mbQuery:
		return mbGlobal | mbGlobalExpedited | mbRegisterGlobal | mbPrivate | mbRegisterPrivate | mbSyncCore | mbRegisterSync, nil
	case mbGlobal, mbGlobalExpedited:
	case mbRegisterGlobal, mbRegisterPrivate, mbRegisterSync:
		m.membarriers |= cmd
	case mbPrivate, mbSyncCore:
		// Each needs the registration whose bit follows its own.
		if m.membarriers&(cmd<<1) == 0 {
			return 0, unix.EPERM
		}
	default:
		return 0, unix.EINVAL
	}
	return 0, nil
}

// userRange is a struct iovec.
type userRange struct{ addr, size uint64 }

// ranges reads an array of struct iovec without looking at what it names.
func (c *Ctx) ranges(addr, count uint64) ([]userRange, error) {
	if count > maxIovecs {
		return nil, unix.EINVAL
	}
	w := uint64(c.A.Word)
	raw := make([]byte, count*2*w)
	if err := c.Space().CopyIn(raw, addr); err != nil {
		return nil, err
	}
	var out []userRange
	for ; len(raw) > 0; raw = raw[2*w:] {
		out = append(out, userRange{getUint(c.A, raw[:w]), getUint(c.A, raw[w:2*w])})
	}
	return out, nil
}

// processVM serves process_vm_readv and process_vm_writev.
func (c *Ctx) processVM(write bool) (uint64, error) {
	pid, lv, ln, rv, rn, flags := c.Int(), c.Addr(), c.Size(), c.Addr(), c.Size(), c.Size()
	if flags != 0 || rn > maxIovecs {
		return 0, unix.EINVAL
	}
	prot := arch.Write
	if write {
		prot = arch.Read
	}
	local, err := c.iovecs(lv, ln, prot)
	if err != nil {
		return 0, err
	}
	remote, err := c.ranges(rv, rn)
	if err != nil {
		return 0, err
	}
	of := c.K.processOf(pid)
	switch {
	case of == nil:
		if err := unix.Kill(pid, 0); err == unix.ESRCH || pid <= 0 {
			return 0, unix.ESRCH
		}
		return 0, unix.EPERM
	case !c.MayTrace(of.leader.task):
		return 0, unix.EPERM
	}
	var done uint64
	for _, r := range remote {
		for r.size > 0 && len(local) > 0 {
			n := int(min(uint64(len(local[0])), r.size))
			_, err := c.reach(of, local[0][:n], write, func(b []byte) (int, error) {
				if write {
					return len(b), of.P.Space.CopyOut(b, r.addr)
				}
				return len(b), of.P.Space.CopyIn(b, r.addr)
			})
			if err != nil {
				if done > 0 {
					return done, nil
				}
				return 0, err
			}
			done, r.addr, r.size = done+uint64(n), r.addr+uint64(n), r.size-uint64(n)
			if local[0] = local[0][n:]; len(local[0]) == 0 {
				local = local[1:]
			}
		}
	}
	return done, nil
}
