package syscalls

import (
	"slices"

	"golang.org/x/sys/unix"
)

var idRows = []Row{
	{Name: "getuid", Fn: func(c *Ctx) (uint64, error) { return c.shortID(c.task().cred.uid.real), nil }, Level: Full},
	{Name: "geteuid", Fn: func(c *Ctx) (uint64, error) { return c.shortID(c.task().cred.uid.eff), nil }, Level: Full},
	{Name: "getgid", Fn: func(c *Ctx) (uint64, error) { return c.shortID(c.task().cred.gid.real), nil }, Level: Full},
	{Name: "getegid", Fn: func(c *Ctx) (uint64, error) { return c.shortID(c.task().cred.gid.eff), nil }, Level: Full},
	{Name: "getuid32", Fn: func(c *Ctx) (uint64, error) { return uint64(uint32(c.task().cred.uid.real)), nil }, Level: Full},
	{Name: "geteuid32", Fn: func(c *Ctx) (uint64, error) { return uint64(uint32(c.task().cred.uid.eff)), nil }, Level: Full},
	{Name: "getgid32", Fn: func(c *Ctx) (uint64, error) { return uint64(uint32(c.task().cred.gid.real)), nil }, Level: Full},
	{Name: "getegid32", Fn: func(c *Ctx) (uint64, error) { return uint64(uint32(c.task().cred.gid.eff)), nil }, Level: Full},
	{Name: "getresuid", Fn: func(c *Ctx) (uint64, error) { return c.resIDs(c.task().cred.uid, c.shortIDs()) }, Level: Full},
	{Name: "getresgid", Fn: func(c *Ctx) (uint64, error) { return c.resIDs(c.task().cred.gid, c.shortIDs()) }, Level: Full},
	{Name: "getresuid32", Fn: func(c *Ctx) (uint64, error) { return c.resIDs(c.task().cred.uid, false) }, Level: Full},
	{Name: "getresgid32", Fn: func(c *Ctx) (uint64, error) { return c.resIDs(c.task().cred.gid, false) }, Level: Full},
	{Name: "setuid", Fn: func(c *Ctx) (uint64, error) { return c.setID(users, c.shortIDs()) }, Level: Full},
	{Name: "setgid", Fn: func(c *Ctx) (uint64, error) { return c.setID(groups, c.shortIDs()) }, Level: Full},
	{Name: "setuid32", Fn: func(c *Ctx) (uint64, error) { return c.setID(users, false) }, Level: Full},
	{Name: "setgid32", Fn: func(c *Ctx) (uint64, error) { return c.setID(groups, false) }, Level: Full},
	{Name: "setreuid", Fn: func(c *Ctx) (uint64, error) { return c.setREID(users, c.shortIDs()) }, Level: Full},
	{Name: "setregid", Fn: func(c *Ctx) (uint64, error) { return c.setREID(groups, c.shortIDs()) }, Level: Full},
	{Name: "setreuid32", Fn: func(c *Ctx) (uint64, error) { return c.setREID(users, false) }, Level: Full},
	{Name: "setregid32", Fn: func(c *Ctx) (uint64, error) { return c.setREID(groups, false) }, Level: Full},
	{Name: "setresuid", Fn: func(c *Ctx) (uint64, error) { return c.setRESID(users, c.shortIDs()) }, Level: Full},
	{Name: "setresgid", Fn: func(c *Ctx) (uint64, error) { return c.setRESID(groups, c.shortIDs()) }, Level: Full},
	{Name: "setresuid32", Fn: func(c *Ctx) (uint64, error) { return c.setRESID(users, false) }, Level: Full},
	{Name: "setresgid32", Fn: func(c *Ctx) (uint64, error) { return c.setRESID(groups, false) }, Level: Full},
	{Name: "setfsuid", Fn: func(c *Ctx) (uint64, error) { return c.setFSID(users, c.shortIDs()) }, Level: Full},
	{Name: "setfsgid", Fn: func(c *Ctx) (uint64, error) { return c.setFSID(groups, c.shortIDs()) }, Level: Full},
	{Name: "setfsuid32", Fn: func(c *Ctx) (uint64, error) { return c.setFSID(users, false) }, Level: Full},
	{Name: "setfsgid32", Fn: func(c *Ctx) (uint64, error) { return c.setFSID(groups, false) }, Level: Full},
	{Name: "getgroups", Fn: func(c *Ctx) (uint64, error) { return c.getgroups(c.shortIDs()) }, Level: Full},
	{Name: "getgroups32", Fn: func(c *Ctx) (uint64, error) { return c.getgroups(false) }, Level: Full},
	{Name: "setgroups", Fn: func(c *Ctx) (uint64, error) { return c.setgroups(c.shortIDs()) }, Level: Full},
	{Name: "setgroups32", Fn: func(c *Ctx) (uint64, error) { return c.setgroups(false) }, Level: Full},
	{Name: "capget", Fn: sysCapget, Level: Full},
	{Name: "capset", Fn: sysCapset, Level: Full},
}

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

func (c *Ctx) resIDs(i ids, short bool) (uint64, error) {
	for _, id := range []int{i.real, i.eff, i.saved} {
		if err := c.putID(c.Addr(), id, short); err != nil {
			return 0, err
		}
	}
	return 0, nil
}

// idKind are the calls of user ids, or those of group ids.
type idKind struct {
	of  func(cr *cred) *ids
	cap int // allows any change
}

var (
	users  = idKind{func(cr *cred) *ids { return &cr.uid }, unix.CAP_SETUID}
	groups = idKind{func(cr *cred) *ids { return &cr.gid }, unix.CAP_SETGID}
)

// ids are the caller's, and whether it may take any.
func (c *Ctx) ids(k idKind) (i ids, any bool) {
	cr := c.task().cred
	return *k.of(cr), cr.has(k.cap)
}

// setIDs changes the caller's ids. Those for file access go with the effective
// ones.
func (c *Ctx) setIDs(k idKind, to ids) {
	to.fs = to.eff
	if k.cap == unix.CAP_SETUID {
		c.setUIDs(to)
		return
	}
	cr := *c.task().cred
	cr.gid = to
	c.become(cr)
}

func (c *Ctx) setID(k idKind, short bool) (uint64, error) {
	id := c.takeID(short)
	i, any := c.ids(k)
	switch {
	case id == -1:
		return 0, unix.EINVAL
	case any:
		i.real, i.saved = id, id
	case id != i.real && id != i.saved:
		return 0, unix.EPERM
	}
	i.eff = id
	c.setIDs(k, i)
	return 0, nil
}

func (c *Ctx) setREID(k idKind, short bool) (uint64, error) {
	r, e := c.takeID(short), c.takeID(short)
	i, any := c.ids(k)
	old := i
	if r != -1 {
		if r != old.real && r != old.eff && !any {
			return 0, unix.EPERM
		}
		i.real = r
	}
	if e != -1 {
		if e != old.real && e != old.eff && e != old.saved && !any {
			return 0, unix.EPERM
		}
		i.eff = e
	}
	if r != -1 || e != -1 && e != old.real {
		i.saved = i.eff
	}
	c.setIDs(k, i)
	return 0, nil
}

func (c *Ctx) setRESID(k idKind, short bool) (uint64, error) {
	i, any := c.ids(k)
	old := []int{-1, i.real, i.eff, i.saved}
	for _, p := range []*int{&i.real, &i.eff, &i.saved} {
		id := c.takeID(short)
		if !any && !slices.Contains(old, id) {
			return 0, unix.EPERM
		}
		if id != -1 {
			*p = id
		}
	}
	c.setIDs(k, i)
	return 0, nil
}

// setFSID changes an id for file access and returns the one before, whether
// it could or not.
func (c *Ctx) setFSID(k idKind, short bool) (uint64, error) {
	id := c.takeID(short)
	i, any := c.ids(k)
	old := i.fs
	if id != -1 && (any || slices.Contains([]int{i.real, i.eff, i.saved, old}, id)) {
		cr := *c.task().cred
		k.of(&cr).fs = id
		if k.cap == unix.CAP_SETUID && c.P.prctl.secure&secureNoFixup == 0 {
			cr.caps.fsFixup(old, id)
		}
		c.become(cr)
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
	list := c.task().cred.groups
	switch {
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
	switch {
	case !c.task().cred.has(unix.CAP_SETGID):
		return 0, unix.EPERM
	case uint(n) > maxGroups:
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
	slices.Sort(list)
	cr := *c.task().cred
	cr.groups = list
	c.become(cr)
	return 0, nil
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

// caps are the capabilities of a task.
func (c *Ctx) caps(tid int) (capSets, error) {
	if tid == 0 {
		return c.task().cred.caps, nil
	}
	if ts := c.K.find(tid); ts != nil {
		return ts.cred.caps, nil
	}
	var d [2]unix.CapUserData
	err := capget(tid, &d)
	return newCapSets(&d), err
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
	sets, err := c.caps(pid)
	if err != nil || data == 0 {
		return 0, err
	}
	d := sets.data()
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
	if pid != 0 && pid != c.T.TID {
		return 0, unix.EPERM
	}
	var d [2]unix.CapUserData
	for i := range words {
		s, err := c.LoadStruct("cap_user_data", data+uint64(i*c.NewStruct("cap_user_data").Size()))
		if err != nil {
			return 0, err
		}
		d[i] = unix.CapUserData{Effective: uint32(s.Uint("effective")), Permitted: uint32(s.Uint("permitted")), Inheritable: uint32(s.Uint("inheritable"))}
	}
	cr := *c.task().cred
	old, to := cr.caps, newCapSets(&d)
	switch {
	case to.permitted&^old.permitted != 0, to.effective&^to.permitted != 0,
		to.inheritable&^(old.inheritable|old.permitted) != 0 && !cr.has(unix.CAP_SETPCAP):
		return 0, unix.EPERM
	}
	cr.caps = to
	c.P.prctl.ambient &= to.permitted & to.inheritable
	c.become(cr)
	return 0, nil
}
