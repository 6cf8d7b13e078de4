package syscalls

import (
	"slices"

	"golang.org/x/sys/unix"
)

var idRows = []Row{
	{Name: "getuid", Fn: func(c *Ctx) (uint64, error) { return c.shortID(unix.Getuid()), nil }, Level: Full},
	{Name: "geteuid", Fn: func(c *Ctx) (uint64, error) { return c.shortID(unix.Geteuid()), nil }, Level: Full},
	{Name: "getgid", Fn: func(c *Ctx) (uint64, error) { return c.shortID(unix.Getgid()), nil }, Level: Full},
	{Name: "getegid", Fn: func(c *Ctx) (uint64, error) { return c.shortID(unix.Getegid()), nil }, Level: Full},
	{Name: "getuid32", Fn: func(c *Ctx) (uint64, error) { return uint64(uint32(unix.Getuid())), nil }, Level: Full},
	{Name: "geteuid32", Fn: func(c *Ctx) (uint64, error) { return uint64(uint32(unix.Geteuid())), nil }, Level: Full},
	{Name: "getgid32", Fn: func(c *Ctx) (uint64, error) { return uint64(uint32(unix.Getgid())), nil }, Level: Full},
	{Name: "getegid32", Fn: func(c *Ctx) (uint64, error) { return uint64(uint32(unix.Getegid())), nil }, Level: Full},
	{Name: "getresuid", Fn: func(c *Ctx) (uint64, error) { return c.resIDs(unix.Getresuid, c.shortIDs()) }, Level: Full},
	{Name: "getresgid", Fn: func(c *Ctx) (uint64, error) { return c.resIDs(unix.Getresgid, c.shortIDs()) }, Level: Full},
	{Name: "getresuid32", Fn: func(c *Ctx) (uint64, error) { return c.resIDs(unix.Getresuid, false) }, Level: Full},
	{Name: "getresgid32", Fn: func(c *Ctx) (uint64, error) { return c.resIDs(unix.Getresgid, false) }, Level: Full},
	{Name: "setuid", Fn: func(c *Ctx) (uint64, error) { return c.setID(unix.Setuid, c.shortIDs()) }, Level: Full},
	{Name: "setgid", Fn: func(c *Ctx) (uint64, error) { return c.setID(unix.Setgid, c.shortIDs()) }, Level: Full},
	{Name: "setuid32", Fn: func(c *Ctx) (uint64, error) { return c.setID(unix.Setuid, false) }, Level: Full},
	{Name: "setgid32", Fn: func(c *Ctx) (uint64, error) { return c.setID(unix.Setgid, false) }, Level: Full},
	{Name: "setreuid", Fn: func(c *Ctx) (uint64, error) { return c.setREID(unix.Setreuid, c.shortIDs()) }, Level: Full},
	{Name: "setregid", Fn: func(c *Ctx) (uint64, error) { return c.setREID(unix.Setregid, c.shortIDs()) }, Level: Full},
	{Name: "setreuid32", Fn: func(c *Ctx) (uint64, error) { return c.setREID(unix.Setreuid, false) }, Level: Full},
	{Name: "setregid32", Fn: func(c *Ctx) (uint64, error) { return c.setREID(unix.Setregid, false) }, Level: Full},
	{Name: "setresuid", Fn: func(c *Ctx) (uint64, error) { return c.setRESID(unix.Setresuid, c.shortIDs()) }, Level: Full},
	{Name: "setresgid", Fn: func(c *Ctx) (uint64, error) { return c.setRESID(unix.Setresgid, c.shortIDs()) }, Level: Full},
	{Name: "setresuid32", Fn: func(c *Ctx) (uint64, error) { return c.setRESID(unix.Setresuid, false) }, Level: Full},
	{Name: "setresgid32", Fn: func(c *Ctx) (uint64, error) { return c.setRESID(unix.Setresgid, false) }, Level: Full},
	{Name: "setfsuid", Fn: func(c *Ctx) (uint64, error) { return c.setFSID(fsUser, c.shortIDs()) }, Level: Partial, Note: noFSID},
	{Name: "setfsgid", Fn: func(c *Ctx) (uint64, error) { return c.setFSID(fsGroup, c.shortIDs()) }, Level: Partial, Note: noFSID},
	{Name: "setfsuid32", Fn: func(c *Ctx) (uint64, error) { return c.setFSID(fsUser, false) }, Level: Partial, Note: noFSID},
	{Name: "setfsgid32", Fn: func(c *Ctx) (uint64, error) { return c.setFSID(fsGroup, false) }, Level: Partial, Note: noFSID},
	{Name: "getgroups", Fn: func(c *Ctx) (uint64, error) { return c.getgroups(c.shortIDs()) }, Level: Full},
	{Name: "getgroups32", Fn: func(c *Ctx) (uint64, error) { return c.getgroups(false) }, Level: Full},
	{Name: "setgroups", Fn: func(c *Ctx) (uint64, error) { return c.setgroups(c.shortIDs()) }, Level: Full},
	{Name: "setgroups32", Fn: func(c *Ctx) (uint64, error) { return c.setgroups(false) }, Level: Full},
	{Name: "capget", Fn: sysCapget, Level: Full},
	{Name: "capset", Fn: sysCapset, Level: Partial, Note: "the host process keeps its capabilities"},
}

const noFSID = "file access is checked with the effective id"

// overflowID is what a 16-bit id shows of one that does not fit
// (linux/highuid.h).
const overflowID = 65534

// shortIDs tells whether the calls named getuid and so on have 16-bit ids:
// where they do, there are others named getuid32.
func (c *Ctx) shortIDs() bool { return c.P.table.shortIDs }

// shortID is an id as the calls without 32 in their names return it.
func (c *Ctx) shortID(id int) uint64 {
	if c.shortIDs() && uint32(id) > 0xffff {
		return overflowID
	}
	return uint64(uint32(id))
}

// takeID takes an id argument; -1 is 0xffff where it is short.
func (c *Ctx) takeID(short bool) int {
	v := c.Uint()
	if !short {
		return int(int32(v))
	}
	return wideID(uint16(v))
}

func wideID(id uint16) int {
	if id == 0xffff {
		return -1
	}
	return int(id)
}

// putID writes an id.
func (c *Ctx) putID(addr uint64, id int, short bool) error {
	if !short {
		return c.Write32(addr, uint32(id))
	}
	var b [2]byte
	c.A.Order.PutUint16(b[:], uint16(c.shortID(id)))
	return c.Space().CopyOut(b[:], addr)
}

func (c *Ctx) resIDs(get func() (int, int, int), short bool) (uint64, error) {
	r, e, s := get()
	for _, id := range []int{r, e, s} {
		if err := c.putID(c.Addr(), id, short); err != nil {
			return 0, err
		}
	}
	return 0, nil
}

// afterID follows a change of ids: those for file access go with the
// effective ones.
func (c *Ctx) afterID(err error) (uint64, error) {
	if err == nil {
		c.task().fs.reset()
	}
	return 0, err
}

func (c *Ctx) setID(set func(int) error, short bool) (uint64, error) {
	id := c.takeID(short)
	if id == -1 {
		return 0, unix.EINVAL
	}
	return c.afterID(set(id))
}

func (c *Ctx) setREID(set func(r, e int) error, short bool) (uint64, error) {
	return c.afterID(set(c.takeID(short), c.takeID(short)))
}

func (c *Ctx) setRESID(set func(r, e, s int) error, short bool) (uint64, error) {
	return c.afterID(set(c.takeID(short), c.takeID(short), c.takeID(short)))
}

// fsIDs are the ids for file access (setfsuid(2)): user and group.
type fsIDs [2]int

const (
	fsUser = iota
	fsGroup
)

func (f *fsIDs) reset() { *f = fsIDs{unix.Geteuid(), unix.Getegid()} }

// setFSID changes an id for file access and returns the one before, whether
// it could or not.
func (c *Ctx) setFSID(which int, short bool) (uint64, error) {
	id, fs := c.takeID(short), &c.task().fs
	old := fs[which]
	r, e, s := unix.Getresuid()
	if which == fsGroup {
		r, e, s = unix.Getresgid()
	}
	if id >= 0 && (slices.Contains([]int{r, e, s, old}, id) || unix.Geteuid() == 0) {
		fs[which] = id
	}
	if short {
		return c.shortID(old), nil
	}
	return uint64(uint32(old)), nil
}

// maxGroups is NGROUPS_MAX.
const maxGroups = 65536

func idSize(short bool) uint64 {
	if short {
		return 2
	}
	return 4
}

func (c *Ctx) getgroups(short bool) (uint64, error) {
	n, addr := c.Int(), c.Addr()
	list, err := unix.Getgroups()
	switch {
	case err != nil:
		return 0, err
	case n < 0:
		return 0, unix.EINVAL
	case n == 0:
		return uint64(len(list)), nil
	case n < len(list):
		return 0, unix.EINVAL
	}
	for i, g := range list {
		if err := c.putID(addr+uint64(i)*idSize(short), g, short); err != nil {
			return 0, err
		}
	}
	return uint64(len(list)), nil
}

func (c *Ctx) setgroups(short bool) (uint64, error) {
	n, addr := c.Int(), c.Addr()
	if uint(n) > maxGroups {
		return 0, unix.EINVAL
	}
	b := make([]byte, uint64(n)*idSize(short))
	if err := c.Space().CopyIn(b, addr); err != nil {
		return 0, err
	}
	list := make([]int, n)
	for i := range list {
		if short {
			list[i] = wideID(c.A.Order.Uint16(b[2*i:]))
		} else {
			list[i] = int(c.A.Order.Uint32(b[4*i:]))
		}
	}
	return 0, unix.Setgroups(list)
}

// The versions of struct cap_user_header, and how many words of sets each has.
var capWords = map[uint32]int{
	unix.LINUX_CAPABILITY_VERSION_1: 1,
	unix.LINUX_CAPABILITY_VERSION_2: 2,
	unix.LINUX_CAPABILITY_VERSION_3: 2,
}

// capHeader reads and checks a header. A version that is not known is
// answered with the one to use.
func (c *Ctx) capHeader(addr uint64) (pid, words int, err error) {
	h, err := c.LoadStruct("cap_user_header", addr)
	if err != nil {
		return 0, 0, err
	}
	words = capWords[uint32(h.Uint("version"))]
	if words == 0 {
		h.Set("version", unix.LINUX_CAPABILITY_VERSION_3)
		if err := h.Store(c, addr); err != nil {
			return 0, 0, err
		}
		return 0, 0, unix.EINVAL
	}
	return int(h.Int("pid")), words, nil
}

// caps are the capabilities of a process: its own as capset left them.
func (c *Ctx) caps(pid int) ([2]unix.CapUserData, error) {
	if pid == 0 || pid == c.P.P.PID {
		if c.P.prctl.caps != nil {
			return *c.P.prctl.caps, nil
		}
		pid = 0
	}
	var d [2]unix.CapUserData
	h := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3, Pid: int32(pid)}
	return d, unix.Capget(&h, &d[0])
}

func sysCapget(c *Ctx) (uint64, error) {
	hdr, data := c.Addr(), c.Addr()
	pid, words, err := c.capHeader(hdr)
	if err != nil {
		if err == unix.EINVAL && data == 0 {
			err = nil // only the version was asked for
		}
		return 0, err
	}
	if pid < 0 {
		return 0, unix.EINVAL
	}
	d, err := c.caps(pid)
	if err != nil || data == 0 {
		return 0, err
	}
	for i := range words {
		s := c.NewStruct("cap_user_data")
		s.Set("effective", uint64(d[i].Effective))
		s.Set("permitted", uint64(d[i].Permitted))
		s.Set("inheritable", uint64(d[i].Inheritable))
		if err := s.Store(c, data+uint64(i*s.Size())); err != nil {
			return 0, err
		}
	}
	return 0, nil
}

func sysCapset(c *Ctx) (uint64, error) {
	hdr, data := c.Addr(), c.Addr()
	pid, words, err := c.capHeader(hdr)
	if err != nil {
		return 0, err
	}
	if pid != 0 && pid != c.P.P.PID {
		return 0, unix.EPERM
	}
	old, err := c.caps(0)
	if err != nil {
		return 0, err
	}
	var d [2]unix.CapUserData
	for i := range words {
		s, err := c.LoadStruct("cap_user_data", data+uint64(i*c.NewStruct("cap_user_data").Size()))
		if err != nil {
			return 0, err
		}
		d[i] = unix.CapUserData{Effective: uint32(s.Uint("effective")), Permitted: uint32(s.Uint("permitted")), Inheritable: uint32(s.Uint("inheritable"))}
		// Neither set may gain what the permitted one has not.
		if d[i].Permitted&^old[i].Permitted != 0 || d[i].Effective&^d[i].Permitted != 0 {
			return 0, unix.EPERM
		}
	}
	c.P.prctl.caps = &d
	return 0, nil
}
