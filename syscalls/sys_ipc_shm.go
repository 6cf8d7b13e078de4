package syscalls

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/emu/arch"
)

// hostShm is the host's struct shmid64_ds.
type hostShm struct {
	Perm                hostPerm
	Size                uint64
	Atime, Dtime, Ctime int64
	Cpid, Lpid          int32
	Nattch              uint64
	_                   [2]uint64
}

func sysShmget(c *Ctx) (uint64, error) { return c.shmget(c.Int(), c.Size(), c.Int()) }

func (c *Ctx) shmget(key int, size uint64, flags int) (uint64, error) {
	id, err := hostCall(unix.SYS_SHMGET, uintptr(key), uintptr(size), uintptr(flags))
	if o := (ipcObject{ipcShm, int(id)}); err == nil && !c.K.ipcUsers.known(o) {
		c.used(ipcShm, o.id, shmCreator) // unless the host knows better
	}
	return id, err
}

// hostShmctl makes the host's call with a structure.
func hostShmctl(id, cmd int, ds *hostShm) (uint64, error) {
	v, _, e := unix.Syscall(unix.SYS_SHMCTL, uintptr(id), uintptr(cmd), uintptr(unsafe.Pointer(ds)))
	return uint64(v), asError(e)
}

// shmat attaches a segment of the host to the guest's memory (do_shmat).
func (c *Ctx) shmat(id int, addr uint64, flags int) (uint64, error) {
	var ds hostShm
	if id < 0 {
		return 0, unix.EINVAL
	}
	if _, err := hostShmctl(id, unix.IPC_STAT, &ds); err != nil {
		return 0, err
	}
	s, size := c.Space(), (ds.Size+pageMask)&^pageMask
	if addr&pageMask != 0 {
		if flags&unix.SHM_RND == 0 {
			return 0, unix.EINVAL
		}
		addr &^= pageMask
	}
	switch {
	case addr == 0 && flags&shmRemap != 0:
		return 0, unix.EINVAL
	case addr == 0:
		a, err := s.Gap(size, emu.PageSize)
		if err != nil {
			return 0, err
		}
		addr = a
	case !c.inUser(addr, size) || addr < c.A.Start.MinAddr,
		flags&shmRemap == 0 && !s.Free(addr, size):
		return 0, unix.EINVAL
	}
	if err := c.room(size, 0, false); err != nil {
		return 0, err
	}
	v := emu.VMA{Addr: addr, End: addr + size, Prot: arch.Read | arch.Write, Flags: emu.MapShared | emu.MapFixedName,
		Shm: emu.SegmentShm | uint64(id), Name: fmt.Sprintf("/SYSV%08x (deleted)", uint32(ds.Perm.Key))}
	if flags&unix.SHM_RDONLY != 0 {
		v.Prot = arch.Read
	}
	if flags&shmExec != 0 {
		v.Prot |= arch.Exec
	}
	if err := s.Unmap(addr, size); err != nil {
		return 0, err
	}
	// Always writable for the host: what the guest may do is the mapping's
	// protection, which mprotect can change.
	err := s.Attach(v, func(at unsafe.Pointer) error {
		_, _, e := unix.Syscall(unix.SYS_SHMAT, uintptr(id), uintptr(at), shmRemap)
		return asError(e)
	})
	if err != nil {
		return 0, err
	}
	if c.P.mem.shm == nil {
		c.P.mem.shm = map[uint64]attached{}
	}
	c.P.mem.shm[addr] = attached{id, size}
	c.used(ipcShm, id, shmLast)
	return addr, nil
}

// shmdt unmaps what is left of the segment that was attached at addr.
func (c *Ctx) shmdt(addr uint64) (uint64, error) {
	at, ok := c.P.mem.shm[addr]
	if !ok {
		return 0, unix.EINVAL
	}
	delete(c.P.mem.shm, addr)
	some, err := c.P.unmapSegment(addr, at)
	if err == nil && !some {
		err = unix.EINVAL
	}
	return 0, err
}

// attached is a segment that a process has in its memory.
type attached struct {
	id   int
	size uint64
}

// unmapSegment is shmdt; some is whether there was something left.
func (p *Process) unmapSegment(addr uint64, at attached) (some bool, err error) {
	var left []userRange
	p.P.Space.VMAs(func(v *emu.VMA) bool {
		a, e := max(v.Addr, addr), min(v.End, addr+at.size)
		if a < e && v.Flags&(emu.MapShared|emu.MapFixedName) == emu.MapShared|emu.MapFixedName {
			left = append(left, userRange{a, e - a})
		}
		return v.Addr < addr+at.size
	})
	for _, r := range left {
		if err := p.P.Space.Unmap(r.addr, r.size); err != nil {
			return true, err
		}
	}
	if len(left) > 0 {
		p.detached(at)
	}
	return len(left) > 0, nil
}

// detached notes the process as the last user of a segment, if that may be there
// still.
func (p *Process) detached(at attached) {
	if o := (ipcObject{ipcShm, at.id}); p.K.ipcUsers.known(o) {
		p.K.ipcUsers.used(o, p.P.PID, shmLast)
	}
}

// detachAll detaches the segments of a process that ends, before its parent
// hears of that. Memory that others share stays.
func (p *Process) detachAll() {
	if len(p.mem.shm) == 0 || p.P.Shared() {
		return
	}
	for addr, at := range p.mem.shm {
		_, _ = p.unmapSegment(addr, at) // all goes soon
	}
}

// Flags of shmat(2) and commands of shmctl(2) that x/sys lacks (linux/shm.h).
const (
	shmRemap = 0o40000
	shmExec  = 0o100000

	shmLock    = 11
	shmUnlock  = 12
	shmStat    = 13
	shmInfo    = 14
	shmStatAny = 15
)

func (c *Ctx) shmctl(id, cmd int, addr uint64, heed bool) (uint64, error) {
	cmd, old := version(cmd, heed)
	name := ipcName("shmid", old)
	switch cmd {
	case ipcInfo:
		return c.shmLimits(old, addr)
	case shmInfo:
		return c.shmUse(addr)
	case unix.IPC_STAT, shmStat, shmStatAny:
		var ds hostShm
		v, err := hostShmctl(id, cmd, &ds)
		if err != nil {
			return 0, err
		}
		if cmd != unix.IPC_STAT {
			id = int(v) // it was an index
		}
		return v, c.putShm(name, addr, id, &ds)
	case unix.IPC_SET:
		s, err := c.LoadStruct(name, addr)
		if err != nil {
			return 0, err
		}
		var ds hostShm
		ds.Perm.get(s, "shm_perm.")
		return hostShmctl(id, cmd, &ds)
	case unix.IPC_RMID, shmLock, shmUnlock:
		v, err := hostShmctl(id, cmd, nil)
		if err == nil && cmd == unix.IPC_RMID {
			c.K.ipcUsers.forget(ipcObject{ipcShm, id})
		}
		return v, err
	}
	return 0, unix.EINVAL
}

func (c *Ctx) putShm(name string, addr uint64, id int, ds *hostShm) error {
	s := c.NewStruct(name)
	ds.Perm.put(s, "shm_perm.")
	s.Set("shm_segsz", ds.Size)
	setTime(s, "shm_atime", ds.Atime)
	setTime(s, "shm_dtime", ds.Dtime)
	setTime(s, "shm_ctime", ds.Ctime)
	s.Set("shm_cpid", c.user(ipcShm, id, shmCreator, ds.Cpid))
	s.Set("shm_lpid", c.user(ipcShm, id, shmLast, ds.Lpid))
	s.Set("shm_nattch", ds.Nattch)
	return s.Store(c, addr)
}

// shmLimits serves IPC_INFO. Limits that do not fit are the greatest that do.
func (c *Ctx) shmLimits(old bool, addr uint64) (uint64, error) {
	var h struct {
		Max, Min, Mni, Seg, All uint64
		_                       [4]uint64
	}
	v, _, e := unix.Syscall(unix.SYS_SHMCTL, 0, ipcInfo, uintptr(unsafe.Pointer(&h)))
	if e != 0 {
		return 0, e
	}
	name, most := "shminfo64", ^uint64(0)
	if c.A.Word == 4 {
		most = 0xffffffff
	}
	if old {
		name, most = "shminfo", 0x7fffffff
	}
	s := c.NewStruct(name)
	s.Set("shmmax", min(h.Max, most))
	s.Set("shmmin", min(h.Min, most))
	s.Set("shmmni", min(h.Mni, most))
	s.Set("shmseg", min(h.Seg, most))
	s.Set("shmall", min(h.All, most))
	return uint64(v), s.Store(c, addr)
}

// shmUse serves SHM_INFO.
func (c *Ctx) shmUse(addr uint64) (uint64, error) {
	var h struct {
		Used                       int32
		Tot, RSS, Swp, Tries, Good uint64
	}
	v, _, e := unix.Syscall(unix.SYS_SHMCTL, 0, shmInfo, uintptr(unsafe.Pointer(&h)))
	if e != 0 {
		return 0, e
	}
	s := c.NewStruct("shm_info")
	s.Set("used_ids", uint64(h.Used))
	s.Set("shm_tot", h.Tot)
	s.Set("shm_rss", h.RSS)
	s.Set("shm_swp", h.Swp)
	s.Set("swap_attempts", h.Tries)
	s.Set("swap_successes", h.Good)
	return uint64(v), s.Store(c, addr)
}
