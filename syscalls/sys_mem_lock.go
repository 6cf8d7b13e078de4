package syscalls

import (
	"math"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
)

// toLock checks a range for mlock(2) and munlock(2), and returns its pages.
func (c *Ctx) toLock(addr, n uint64) (start, size uint64, err error) {
	size = c.pages(n + addr&pageMask)
	addr &^= pageMask
	switch {
	case size == 0:
	case c.A.Addr(addr+size) < addr:
		err = unix.EINVAL
	case !c.inUser(addr, size) || !c.covered(addr, size):
		err = unix.ENOMEM
	}
	return addr, size, err
}

func (c *Ctx) mlock(addr, n uint64, flags int) (uint64, error) {
	if c.P.Limits[unix.RLIMIT_MEMLOCK].Cur == 0 && !c.capable(unix.CAP_IPC_LOCK) {
		return 0, unix.EPERM
	}
	addr, size, err := c.toLock(addr, n)
	if err != nil || size == 0 {
		return 0, err
	}
	if err := c.mayLock(size - c.lockedIn(addr, addr+size)); err != nil {
		return 0, err
	}
	c.Space().Mark(addr, size, emu.MapLocked, 0)
	if flags&mlockOnFault == 0 {
		c.populate(addr, size)
	}
	return 0, nil
}

func (c *Ctx) munlock(addr, n uint64) (uint64, error) {
	addr, size, err := c.toLock(addr, n)
	if err == nil && size > 0 {
		c.Space().Mark(addr, size, 0, emu.MapLocked)
	}
	return 0, err
}

// mayLock checks the limit of locked memory for size more bytes.
func (c *Ctx) mayLock(size uint64) error {
	switch limit := c.P.Limits[unix.RLIMIT_MEMLOCK].Cur; {
	case c.capable(unix.CAP_IPC_LOCK):
		return nil
	case limit == 0:
		return unix.EPERM
	case c.lockedIn(0, math.MaxUint64)+size > limit:
		return unix.ENOMEM
	}
	return nil
}

// lockedIn is how much of [start,end) is locked.
func (c *Ctx) lockedIn(start, end uint64) (n uint64) {
	c.Space().VMAs(func(v *emu.VMA) bool {
		if a, e := max(v.Addr, start), min(v.End, end); a < e && v.Flags&emu.MapLocked != 0 {
			n += e - a
		}
		return v.Addr < end
	})
	return n
}

// populate brings pages into memory, as far as that goes.
func (c *Ctx) populate(addr, size uint64) {
	_ = c.Space().Advise(addr, size, unix.MADV_POPULATE_READ) // what is not there comes when it is used
}

// mlockOnFault is MLOCK_ONFAULT of linux/mman.h.
const mlockOnFault = 1

func sysMlock2(c *Ctx) (uint64, error) {
	addr, n, flags := c.Addr(), c.Size(), c.Int()
	if flags&^mlockOnFault != 0 {
		return 0, unix.EINVAL
	}
	return c.mlock(addr, n, flags)
}

func sysMlockall(c *Ctx) (uint64, error) {
	flags, rest := McLockFlags.Host(c.A, uint64(c.Uint()))
	if rest != 0 || flags == 0 || flags == unix.MCL_ONFAULT {
		return 0, unix.EINVAL
	}
	limit := c.P.Limits[unix.RLIMIT_MEMLOCK].Cur
	total, _ := c.Space().Size()
	switch {
	case c.capable(unix.CAP_IPC_LOCK):
	case limit == 0:
		return 0, unix.EPERM
	case flags&unix.MCL_CURRENT != 0 && total > limit:
		return 0, unix.ENOMEM
	}
	c.P.mem.lockAll = flags&unix.MCL_FUTURE != 0
	if flags&unix.MCL_CURRENT != 0 {
		c.lockEach(emu.MapLocked, 0)
	}
	return 0, nil
}

func sysMunlockall(c *Ctx) (uint64, error) {
	c.P.mem.lockAll = false
	c.lockEach(0, emu.MapLocked)
	return 0, nil
}

// lockEach marks all mappings.
func (c *Ctx) lockEach(set, clear emu.MapFlags) {
	var list []emu.VMA
	c.Space().VMAs(func(v *emu.VMA) bool {
		list = append(list, *v)
		return true
	})
	for _, v := range list {
		c.Space().Mark(v.Addr, v.Size(), set, clear)
	}
}
