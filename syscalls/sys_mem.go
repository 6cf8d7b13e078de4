package syscalls

import (
	"os"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/emu/arch"
)

var memRows = []Row{
	{Name: "mmap", Fn: sysMmap, Level: Full},
	{Name: "mmap2", Fn: sysMmap2, Level: Full},
	{Name: "old_mmap", Fn: sysOldMmap, Level: Full},
	{Name: "munmap", Fn: sysMunmap, Level: Full},
	{Name: "mprotect", Fn: sysMprotect, Level: Full},
	{Name: "mremap", Fn: sysMremap, Level: Full},
	{Name: "brk", Fn: sysBrk, Level: Full},
	{Name: "msync", Fn: sysMsync, Level: Full},
	{Name: "madvise", Fn: sysMadvise, Level: Full},
	{Name: "mincore", Fn: sysMincore, Level: Full},
	{Name: "mlock", Fn: func(c *Ctx) (uint64, error) { return c.mlock(c.Addr(), c.Size(), 0) }, Level: Partial, Note: noLock},
	{Name: "mlock2", Fn: sysMlock2, Level: Partial, Note: noLock},
	{Name: "munlock", Fn: func(c *Ctx) (uint64, error) { return c.munlock(c.Addr(), c.Size()) }, Level: Partial, Note: noLock},
	{Name: "mlockall", Fn: sysMlockall, Level: Partial, Note: noLock},
	{Name: "munlockall", Fn: sysMunlockall, Level: Partial, Note: noLock},
	{Name: "remap_file_pages", Fn: sysRemapFilePages, Level: Full},
	{Name: "membarrier", Fn: sysMembarrier, Level: Full},
	{Name: "process_vm_readv", Fn: func(c *Ctx) (uint64, error) { return c.processVM(false) }, Level: Partial, Note: ownVM},
	{Name: "process_vm_writev", Fn: func(c *Ctx) (uint64, error) { return c.processVM(true) }, Level: Partial, Note: ownVM},
	{Name: "process_madvise", Fn: sysProcessMadvise, Level: Partial, Note: "only the caller's own memory"},
	{Name: "pkey_alloc", Fn: func(*Ctx) (uint64, error) { return 0, unix.ENOSPC }, Level: Full},
	{Name: "pkey_free", Fn: func(*Ctx) (uint64, error) { return 0, unix.EINVAL }, Level: Full},
	{Name: "pkey_mprotect", Fn: sysPkeyMprotect, Level: Full},
}

const (
	noLock = "pages are brought in and counted, but the host may page them out"
	ownVM  = "only the memory of guests"
)

// memState is what a program has set up of its memory beside the mappings.
type memState struct {
	shm         map[uint64]attached // System V segments by address
	membarriers uint32              // registrations
	lockAll     bool                // mappings to come are locked (MCL_FUTURE)
}

const pageMask = emu.PageSize - 1

// pages rounds a length up to pages in the guest's width, as PAGE_ALIGN does.
func (c *Ctx) pages(n uint64) uint64 { return c.A.Addr(n+pageMask) &^ pageMask }

// inUser tells whether [addr,addr+size) lies in user space.
func (c *Ctx) inUser(addr, size uint64) bool {
	top := c.A.Start.TaskSize
	return size <= top && addr <= top-size
}

// maxMaps is how many mappings a process may have: the host's vm.max_map_count,
// as it was when first asked for, or its default.
var maxMaps = sync.OnceValue(func() int {
	b, err := os.ReadFile("/proc/sys/vm/max_map_count")
	if n, e := strconv.Atoi(strings.TrimSpace(string(b))); err == nil && e == nil {
		return n
	}
	return 65530
})

// parted are the mappings within which [addr,addr+size) begins and ends, so
// that a change of it makes more of them; nil where a border is there already.
func (c *Ctx) parted(addr, size uint64) (first, last *emu.VMA) {
	if first = c.Space().Find(addr); first != nil && first.Addr == addr {
		first = nil
	}
	if last = c.Space().Find(addr + size - 1); last != nil && last.End == addr+size {
		last = nil
	}
	return first, last
}

// covered tells whether all of [addr,addr+size) is mapped.
func (c *Ctx) covered(addr, size uint64) bool {
	for end := addr + size; addr < end; {
		v := c.Space().Find(addr)
		if v == nil {
			return false
		}
		addr = v.End
	}
	return true
}

// room checks the limits of address space and data for size more bytes that
// replace old ones.
func (c *Ctx) room(size, old uint64, data bool) error {
	as, dl := c.P.Limits[unix.RLIMIT_AS].Cur, c.P.Limits[unix.RLIMIT_DATA].Cur
	if as == unix.RLIM_INFINITY && dl == unix.RLIM_INFINITY || size <= old {
		return nil
	}
	total, used := c.Space().Size()
	if total-old+size > as || data && used-min(old, used)+size > dl {
		return unix.ENOMEM
	}
	return nil
}

// mmapArgs are the arguments of mmap(2).
type mmapArgs struct {
	addr, size, prot, flags uint64
	fd                      int
	off                     uint64 // in bytes
}

func sysMmap(c *Ctx) (uint64, error) {
	m := mmapArgs{addr: c.Addr(), size: c.Size(), prot: c.Size(), flags: c.Size(), fd: c.Int(), off: c.Size()}
	if m.off&pageMask != 0 {
		return 0, unix.EINVAL
	}
	return c.mmap(m)
}

// sysMmap2 takes the offset in units of 4096 bytes, whatever the page size.
func sysMmap2(c *Ctx) (uint64, error) {
	return c.mmap(mmapArgs{addr: c.Addr(), size: c.Size(), prot: c.Size(), flags: c.Size(), fd: c.Int(), off: c.Size() << 12})
}

func sysOldMmap(c *Ctx) (uint64, error) {
	s, err := c.LoadStruct("mmap_arg_struct", c.Addr())
	if err != nil {
		return 0, err
	}
	m := mmapArgs{addr: s.Uint("addr"), size: s.Uint("len"), prot: s.Uint("prot"), flags: s.Uint("flags"), fd: int(int32(s.Uint("fd"))), off: s.Uint("offset")}
	if m.off&pageMask != 0 {
		return 0, unix.EINVAL
	}
	return c.mmap(m)
}

// mapType is MAP_TYPE of mmap's flags, the same on every architecture.
const mapType = unix.MAP_TYPE

// mmap makes a mapping (do_mmap of mm/mmap.c, with the order of its checks).
func (c *Ctx) mmap(m mmapArgs) (uint64, error) {
	host, _ := MmapFlags.Host(c.A, m.flags)
	var file *File
	if host&unix.MAP_ANONYMOUS == 0 {
		f, err := c.file(m.fd)
		if err != nil {
			return 0, err
		}
		file = f
	} else if host&unix.MAP_HUGETLB != 0 {
		return 0, unix.ENOMEM // no huge pages are set aside
	}
	if m.size == 0 {
		return 0, unix.EINVAL
	}
	size := c.pages(m.size)
	if size == 0 {
		return 0, unix.ENOMEM
	}
	if c.A.Addr(m.off>>12+size>>12) < m.off>>12 {
		return 0, unix.EOVERFLOW
	}
	if c.Space().Count() > maxMaps() {
		return 0, unix.ENOMEM
	}
	addr, err := c.mmapAddr(m.addr, size, m.flags, host)
	if err != nil {
		return 0, err
	}
	v, err := c.mapping(addr, size, m, host, file)
	if err != nil {
		return 0, err
	}
	if v.File != nil {
		defer v.File.Release()
	}
	if host&unix.MAP_LOCKED != 0 || c.P.mem.lockAll {
		v.Flags |= emu.MapLocked
		if err = c.mayLock(size); err == unix.ENOMEM {
			err = unix.EAGAIN
		}
	}
	if err == nil {
		err = c.room(size, c.mappedIn(addr, size), v.Prot&arch.Write != 0 && v.Flags&emu.MapShared == 0)
	}
	if err == nil {
		err = c.Space().Map(v)
	}
	if err != nil {
		return 0, err
	}
	if v.Flags&emu.MapLocked != 0 || host&unix.MAP_POPULATE != 0 && host&unix.MAP_NONBLOCK == 0 {
		c.populate(addr, size)
	}
	return addr, nil
}

// mappedIn is how much of [addr,addr+size) is mapped.
func (c *Ctx) mappedIn(addr, size uint64) (n uint64) {
	if c.Space().Free(addr, size) {
		return 0
	}
	c.Space().VMAs(func(v *emu.VMA) bool {
		if a, e := max(v.Addr, addr), min(v.End, addr+size); a < e {
			n += e - a
		}
		return v.Addr < addr+size
	})
	return n
}

// mmapAddr is where a mapping goes (get_unmapped_area).
func (c *Ctx) mmapAddr(hint, size, flags, host uint64) (uint64, error) {
	st := &c.A.Start
	if host&(unix.MAP_FIXED|unix.MAP_FIXED_NOREPLACE) != 0 {
		switch {
		case !c.inUser(hint, size):
			return 0, unix.ENOMEM
		case hint&pageMask != 0:
			return 0, unix.EINVAL
		case hint < st.MinAddr:
			return 0, unix.EPERM
		case host&unix.MAP_FIXED_NOREPLACE != 0 && !c.Space().Free(hint, size):
			return 0, unix.EEXIST
		}
		return hint, nil
	}
	if low := c.A.Const["MAP_32BIT"]; low != 0 && flags&low != 0 && c.A.Word == 8 {
		return c.lowAddr(hint&^pageMask, size)
	}
	return c.Space().Place(hint&^pageMask, size)
}

// lowAddr is where a mapping with MAP_32BIT goes (find_start_end of
// arch/x86/kernel/sys_x86_64.c).
func (c *Ctx) lowAddr(hint, size uint64) (uint64, error) {
	const begin, end = 0x4000_0000, 0x8000_0000
	if hint != 0 && hint+size <= end {
		if a, err := c.Space().Place(hint, size); err == nil && a == hint {
			return a, nil
		}
	}
	a, err := c.Space().Below(end, size)
	if err == nil && a < begin {
		err = unix.ENOMEM
	}
	return a, err
}

// protection is what mmap and mprotect make of PROT_ bits.
func (c *Ctx) protection(prot uint64) arch.Prot {
	p := arch.Prot(prot) & (arch.Read | arch.Write | arch.Exec)
	if p&arch.Read != 0 && c.P.Persona&readImpliesExec != 0 {
		p |= arch.Exec
	}
	return p
}

// mapping is the mapping that mmap is to make; the file of one that has any is
// the caller's to release.
func (c *Ctx) mapping(addr, size uint64, m mmapArgs, host uint64, file *File) (emu.VMA, error) {
	v := emu.VMA{Addr: addr, End: addr + size, Prot: c.protection(m.prot)}
	if host&unix.MAP_NORESERVE != 0 {
		v.Flags |= emu.MapNoReserve
	}
	if host&unix.MAP_GROWSDOWN != 0 {
		v.Flags |= emu.MapGrowsDown
	}
	kind := m.flags & mapType
	switch {
	case kind == unix.MAP_SHARED, kind == unix.MAP_SHARED_VALIDATE && file != nil:
		v.Flags |= emu.MapShared
	case kind != unix.MAP_PRIVATE:
		return v, unix.EINVAL
	}
	if file == nil {
		if v.Flags&emu.MapShared != 0 && v.Flags&emu.MapGrowsDown != 0 {
			return v, unix.EINVAL
		}
		return v, nil
	}
	if kind == unix.MAP_SHARED_VALIDATE {
		if _, rest := MmapFlags.Host(c.A, m.flags&^mapType); rest != 0 || host&unix.MAP_SYNC != 0 {
			return v, unix.EOPNOTSUPP
		}
	}
	v.Off = int64(m.off)
	var err error
	v.File, err = c.backing(file, v, m.prot)
	return v, err
}

// backing checks that a file can be mapped so and returns the mapping's backing,
// which is the caller's to release.
func (c *Ctx) backing(f *File, v emu.VMA, prot uint64) (*emu.Backing, error) {
	mode, err := unix.FcntlInt(uintptr(f.Host), unix.F_GETFL, 0)
	if err != nil {
		return nil, err
	}
	most := arch.Read | arch.Write | arch.Exec
	shared := v.Flags&emu.MapShared != 0
	switch {
	case mode&unix.O_PATH != 0:
		return nil, unix.EBADF
	case mode&unix.O_ACCMODE == unix.O_WRONLY:
		return nil, unix.EACCES
	case shared && mode&unix.O_ACCMODE == unix.O_RDONLY:
		if prot&unix.PROT_WRITE != 0 {
			return nil, unix.EACCES
		}
		most &^= arch.Write
	case v.Flags&emu.MapGrowsDown != 0:
		return nil, unix.EINVAL
	}
	if err := mappable(f.Host, most, shared, v.Off); err != nil {
		return nil, err
	}
	name, err := f.Name()
	if err != nil {
		return nil, err
	}
	return f.backing(name, most)
}

// backing is what is behind the mappings of an open file with the protections
// they may have: as long as one of them is there, others have the same.
func (f *File) backing(name string, most arch.Prot) (*emu.Backing, error) {
	f.backMu.Lock()
	defer f.backMu.Unlock()
	if b := f.backs[most]; b != nil && b.Path == name && b.Hold() {
		return b, nil
	}
	b, err := emu.DupBacking(f.Host, name, most)
	if err != nil {
		return nil, err
	}
	if f.backs == nil {
		f.backs = map[arch.Prot]*emu.Backing{}
	}
	f.backs[most] = b
	return b, nil
}

// mappable asks the host whether a file can be mapped at all, before anything
// has been unmapped for it.
func mappable(fd int, most arch.Prot, shared bool, off int64) error {
	flags, prot := unix.MAP_PRIVATE|unix.MAP_NORESERVE, unix.PROT_READ
	if shared {
		flags = unix.MAP_SHARED
		prot |= int(most & arch.Write)
	}
	p, err := unix.MmapPtr(fd, off, nil, emu.PageSize, prot, flags)
	if err != nil {
		return err
	}
	return unix.MunmapPtr(p, emu.PageSize)
}

func sysMunmap(c *Ctx) (uint64, error) {
	addr, n := c.Addr(), c.Size()
	size := c.pages(n)
	if addr&pageMask != 0 || !c.inUser(addr, n) || size == 0 {
		return 0, unix.EINVAL
	}
	if first, last := c.parted(addr, size); first != nil && first == last && c.Space().Count() >= maxMaps() {
		return 0, unix.ENOMEM
	}
	return 0, c.Space().Unmap(addr, size)
}

func sysMprotect(c *Ctx) (uint64, error) { return c.mprotect(c.Addr(), c.Size(), c.Size()) }

// The bits of mprotect's protection beside the three (asm/mman.h).
const (
	protSem       = 0x8
	protGrowsDown = 0x01000000
	protGrowsUp   = 0x02000000
)

func (c *Ctx) mprotect(addr, n, prot uint64) (uint64, error) {
	grows := prot & (protGrowsDown | protGrowsUp)
	prot &^= protGrowsDown | protGrowsUp
	size := c.pages(n)
	switch {
	case grows == protGrowsDown|protGrowsUp, addr&pageMask != 0:
		return 0, unix.EINVAL
	case n == 0:
		return 0, nil
	case size == 0 || c.A.Addr(addr+size) <= addr && addr+size != c.A.Start.TaskSize:
		return 0, unix.ENOMEM
	case prot&^(unix.PROT_READ|unix.PROT_WRITE|unix.PROT_EXEC|protSem|c.A.Const["PROT_BTI"]) != 0:
		return 0, unix.EINVAL
	case !c.inUser(addr, size):
		return 0, unix.ENOMEM
	}
	if grows != 0 {
		v := c.Space().Find(addr)
		switch {
		case v == nil:
			return 0, unix.ENOMEM
		case grows == protGrowsUp || v.Flags&emu.MapGrowsDown == 0:
			return 0, unix.EINVAL
		}
		size += addr - v.Addr
		addr = v.Addr
	}
	to := c.protection(prot)
	if c.Space().Count() >= maxMaps() {
		first, last := c.parted(addr, size)
		if first != nil && first.Prot != to || last != nil && last.Prot != to {
			return 0, unix.ENOMEM
		}
	}
	return 0, c.Space().Protect(addr, size, to)
}

func sysPkeyMprotect(c *Ctx) (uint64, error) {
	addr, n, prot := c.Addr(), c.Size(), c.Size()
	if c.Int() != -1 {
		return 0, unix.EINVAL
	}
	return c.mprotect(addr, n, prot)
}

func sysBrk(c *Ctx) (uint64, error) {
	addr := c.Addr()
	s := c.Space()
	start, end := s.BrkRange()
	if addr > end && (c.pages(addr) < addr || c.room(c.pages(addr-start), c.pages(end-start), true) != nil) {
		return end, nil
	}
	return s.Brk(addr), nil
}

// expandStack makes a mapping that grows down reach addr, which lies below
// it, if its limit and its neighbour allow that.
func (p *Process) expandStack(addr uint64) bool {
	s := p.P.Space
	var above *emu.VMA
	low := uint64(0)
	s.VMAs(func(v *emu.VMA) bool {
		if v.Addr > addr {
			above = v
			return false
		}
		low = v.End
		return true
	})
	page := addr &^ pageMask
	if above == nil || above.Flags&emu.MapGrowsDown == 0 || page < p.P.Arch.Start.MinAddr {
		return false
	}
	const gap = 256 * emu.PageSize // stack_guard_gap
	if above.End-page > p.Limits[unix.RLIMIT_STACK].Cur || low != 0 && page-low < gap {
		return false
	}
	w := *above
	w.Addr, w.End = page, above.Addr
	return s.Map(w) == nil
}
