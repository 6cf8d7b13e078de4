package syscalls

import (
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// cred is who a task is (struct cred). Tasks share it: it is replaced, not
// changed. The host process stays who it was; what a task of other credentials
// asks of the host, a thread does that takes them for as long (act).
type cred struct {
	uid, gid ids
	groups   []int
	caps     capSets
}

// ids are the user or group ids of a task.
type ids struct{ real, eff, saved, fs int }

// capSets are sets of capabilities.
type capSets struct{ inheritable, permitted, effective uint64 }

// has tells whether the task may use a capability.
func (cr *cred) has(n int) bool { return cr.caps.effective>>n&1 != 0 }

func (cr *cred) equal(o *cred) bool {
	return cr.uid == o.uid && cr.gid == o.gid && cr.caps == o.caps && slices.Equal(cr.groups, o.groups)
}

// hostCred is who the host process is.
func hostCred() *cred {
	cr := &cred{}
	cr.uid.real, cr.uid.eff, cr.uid.saved = unix.Getresuid()
	cr.gid.real, cr.gid.eff, cr.gid.saved = unix.Getresgid()
	cr.uid.fs, cr.gid.fs = cr.uid.eff, cr.gid.eff
	cr.groups, _ = unix.Getgroups() // it fails for a list that grows meanwhile
	var d [2]unix.CapUserData
	if err := capget(0, &d); err == nil {
		cr.caps = newCapSets(&d)
	}
	return cr
}

func capget(pid int, d *[2]unix.CapUserData) error {
	h := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3, Pid: int32(pid)}
	return unix.Capget(&h, &d[0])
}

func newCapSets(d *[2]unix.CapUserData) (s capSets) {
	for i := range d {
		s.effective |= uint64(d[i].Effective) << (32 * i)
		s.permitted |= uint64(d[i].Permitted) << (32 * i)
		s.inheritable |= uint64(d[i].Inheritable) << (32 * i)
	}
	return s
}

func (s capSets) data() (d [2]unix.CapUserData) {
	for i := range d {
		d[i] = unix.CapUserData{Effective: uint32(s.effective >> (32 * i)), Permitted: uint32(s.permitted >> (32 * i)), Inheritable: uint32(s.inheritable >> (32 * i))}
	}
	return d
}

// become makes the task one of credentials cr.
func (c *Ctx) become(cr cred) {
	ts := c.task()
	if host := c.K.hostCred; cr.equal(host) {
		ts.cred = host
		return
	}
	ts.cred = &cr
}

// Capabilities for file access, which go with the user id for it
// (CAP_FS_MASK).
const fsCaps = 1<<unix.CAP_CHOWN | 1<<unix.CAP_MKNOD | 1<<unix.CAP_DAC_OVERRIDE | 1<<unix.CAP_DAC_READ_SEARCH |
	1<<unix.CAP_FOWNER | 1<<unix.CAP_FSETID | 1<<unix.CAP_LINUX_IMMUTABLE | 1<<unix.CAP_MAC_OVERRIDE

func (i ids) root() bool { return i.real == 0 || i.eff == 0 || i.saved == 0 }

// setUIDs changes user ids and what goes with them (cap_emulate_setxuid).
func (c *Ctx) setUIDs(to ids) {
	cr, old := *c.task().cred, c.task().cred.uid
	cr.uid = to
	if c.P.prctl.secure&secureNoFixup == 0 {
		s := &cr.caps
		if old.root() && !to.root() && c.P.prctl.keepCaps == 0 {
			s.permitted, s.effective = 0, 0
			c.P.prctl.ambient = 0
		}
		switch {
		case old.eff == 0 && to.eff != 0:
			s.effective = 0
		case old.eff != 0 && to.eff == 0:
			s.effective = s.permitted
		}
		s.fsFixup(old.fs, to.fs)
	}
	c.become(cr)
}

// fsFixup follows a change of the user id for file access alone.
func (s *capSets) fsFixup(old, to int) {
	switch {
	case old == 0 && to != 0:
		s.effective &^= fsCaps
	case old != 0 && to == 0:
		s.effective |= s.permitted & fsCaps
	}
}

// Bits of prctl(2) PR_SET_SECUREBITS (linux/securebits.h).
const (
	secureNoRoot  = 1 << 0
	secureNoFixup = 1 << 2
)

// status are the lines of /proc/PID/status.
func (cr *cred) status(lines map[string]string) {
	show := func(i ids) string { return fmt.Sprintf("%d\t%d\t%d\t%d", i.real, i.eff, i.saved, i.fs) }
	lines["Uid"], lines["Gid"] = show(cr.uid), show(cr.gid)
	var b strings.Builder
	for _, g := range cr.groups {
		b.WriteString(strconv.Itoa(g) + " ")
	}
	lines["Groups"] = b.String()
	for key, v := range map[string]uint64{"CapInh": cr.caps.inheritable, "CapPrm": cr.caps.permitted, "CapEff": cr.caps.effective} {
		lines[key] = fmt.Sprintf("%016x", v)
	}
}

// as calls f, which makes system calls of the host, with the credentials of a
// task. Only the calling thread of the host has them, and takes its own again.
func (k *Kernel) as(cr *cred, f func()) error {
	if cr == k.hostCred {
		f()
		return nil
	}
	runtime.LockOSThread()
	// A thread that cannot go back ends with its goroutine.
	if err := k.hostCred.change(cr); err != nil {
		return fmt.Errorf("syscalls: taking the guest's credentials: %w", err)
	}
	f()
	if err := cr.back(k.hostCred); err != nil {
		return fmt.Errorf("syscalls: going back to the host's credentials: %w", err)
	}
	runtime.UnlockOSThread()
	return nil
}

// change gives the thread the credentials cr in place of the host's. The saved
// user id stays the host's, which is the way back.
func (host *cred) change(cr *cred) error {
	if !slices.Equal(cr.groups, host.groups) {
		if err := setThreadGroups(cr.groups); err != nil {
			return err
		}
	}
	if err := setThreadIDs(unix.SYS_SETRESGID, unix.SYS_SETFSGID, cr.gid, -1); err != nil {
		return err
	}
	if err := setThreadIDs(unix.SYS_SETRESUID, unix.SYS_SETFSUID, cr.uid, -1); err != nil {
		return err
	}
	if host.uid.eff != 0 {
		return nil
	}
	return setThreadCaps(capSets{host.caps.inheritable, host.caps.permitted, cr.caps.effective & host.caps.permitted})
}

// back undoes change.
func (cr *cred) back(host *cred) error {
	if host.uid.eff == 0 {
		all := host.caps
		all.effective = all.permitted
		if err := setThreadCaps(all); err != nil {
			return err
		}
	}
	if err := setThreadIDs(unix.SYS_SETRESUID, unix.SYS_SETFSUID, host.uid, host.uid.saved); err != nil {
		return err
	}
	if err := setThreadIDs(unix.SYS_SETRESGID, unix.SYS_SETFSGID, host.gid, host.gid.saved); err != nil {
		return err
	}
	if !slices.Equal(cr.groups, host.groups) {
		if err := setThreadGroups(host.groups); err != nil {
			return err
		}
	}
	if host.uid.eff == 0 {
		return setThreadCaps(host.caps)
	}
	return nil
}

// The calls of the host that change the calling thread alone; package unix and
// the C library change all.

func setThreadIDs(res, fs uintptr, i ids, saved int) error {
	if _, _, e := unix.RawSyscall(res, uintptr(i.real), uintptr(i.eff), uintptr(saved)); e != 0 {
		return e
	}
	if i.fs != i.eff {
		_, _, _ = unix.RawSyscall(fs, uintptr(i.fs), 0, 0) // it never tells
	}
	return nil
}

func setThreadGroups(l []int) error {
	b := make([]uint32, len(l)+1)
	for i, g := range l {
		b[i] = uint32(g)
	}
	_, _, e := unix.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(l)), uintptr(unsafe.Pointer(&b[0])), 0)
	return asError(e)
}

func setThreadCaps(s capSets) error {
	h := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	d := s.data()
	_, _, e := unix.RawSyscall(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&h)), uintptr(unsafe.Pointer(&d[0])), 0)
	return asError(e)
}

// mayKill tells whether a task may send a signal to those of other credentials
// (kill_ok_by_cred).
func (cr *cred) mayKill(o *cred) bool {
	return cr.uid.eff == o.uid.saved || cr.uid.eff == o.uid.real || cr.uid.real == o.uid.saved || cr.uid.real == o.uid.real || cr.has(unix.CAP_KILL)
}
