package syscalls

import (
	"encoding/binary"
	"os"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
)

// sent is the record of a signal that the caller sends.
func (c *Ctx) sent(no, code int) sigInfo {
	return sigInfo{Signal: emu.Signal{No: unix.Signal(no), Code: code, PID: c.P.P.PID, UID: c.task().cred.uid.real}}
}

// toSelf sends a signal to the calling process or, not shared, task. Signal 0
// only asks whether it is there.
func (c *Ctx) toSelf(si sigInfo, shared bool) error {
	if si.No == 0 {
		return nil
	}
	return si.lost(c.P.post(c.task(), si, shared))
}

// lost is the error of a signal for which there was no room in the queue: one
// that kill(2) sends, or that is no realtime signal, counts as sent
// (__send_signal_locked).
func (si *sigInfo) lost(err error) error {
	if si.Code == siUser && si.raw == nil || si.No < rtMin {
		return nil
	}
	return err
}

// toTask sends a signal to a task.
func (c *Ctx) toTask(ts *taskState, si sigInfo) error {
	if si.No == 0 {
		return nil
	}
	return si.lost(ts.p.post(ts, si, false))
}

func validSignal(no int) bool { return no >= 0 && no <= nsig }

func sysKill(c *Ctx) (uint64, error) {
	pid, no := c.Int(), c.Int()
	if !validSignal(no) {
		return 0, unix.EINVAL
	}
	switch {
	case pid == c.P.P.PID:
		return 0, c.toSelf(c.sent(no, siUser), true)
	case c.K.processOf(pid) != nil:
		return 0, c.kill(c.K.processOf(pid), c.sent(no, siUser))
	case pid == -1:
		return 0, c.killAll(no)
	case pid == 0:
		return 0, c.killGroup(c.P.group(), no)
	case pid < -1 && (pid == -unix.Getpgrp() || len(c.K.members(-pid)) > 0):
		return 0, c.killGroup(-pid, no)
	case -pid >= firstID || pid >= firstID:
		return 0, unix.ESRCH
	}
	return 0, unix.Kill(pid, unix.Signal(no))
}

// killGroup sends a signal to a process group. If it is that of the host
// process, others of the host's may be in it too; the host process itself must
// not act on it, but the guests.
func (c *Ctx) killGroup(pgrp, no int) error {
	sent := false
	if pgrp == unix.Getpgrp() {
		for _, pid := range groupMembers(pgrp) {
			if pid != os.Getpid() && !c.K.runsOnHost(pid) && unix.Kill(pid, unix.Signal(no)) == nil {
				sent = true // one that gets it is enough
			}
		}
	}
	l := c.K.members(pgrp)
	err := c.killEach(l, c.sent(no, siUser))
	if slices.Contains(l, c.P) {
		return c.toSelf(c.sent(no, siUser), true)
	}
	if sent {
		return nil
	}
	return err
}

// killAll sends a signal to all other guests, since none may reach the host's
// other processes by accident.
func (c *Ctx) killAll(no int) error {
	return c.killEach(c.K.others(c.P), c.sent(no, siUser))
}

// killEach sends a signal to each process but the caller's. One that may get
// it is enough.
func (c *Ctx) killEach(l []*Process, si sigInfo) error {
	err := error(unix.ESRCH)
	for _, p := range l {
		if p == c.P {
			continue
		}
		if e := c.kill(p, si); err != nil {
			err = e
		}
	}
	return err
}

// kill sends a signal to another process if the caller may
// (check_kill_permission).
func (c *Ctx) kill(p *Process, si sigInfo) error {
	if !c.mayKill(p.leader, si.No) {
		return unix.EPERM
	}
	return p.send(si)
}

func (c *Ctx) mayKill(ts *taskState, no unix.Signal) bool {
	if ts.p == c.P || c.task().cred.mayKill(ts.cred) {
		return true
	}
	c.K.family.mu.Lock()
	defer c.K.family.mu.Unlock()
	return no == unix.SIGCONT && ts.p.sid == c.P.sid
}

// others are the guests but one.
func (k *Kernel) others(but *Process) (out []*Process) {
	k.family.mu.Lock()
	defer k.family.mu.Unlock()
	for _, p := range k.family.procs {
		if p != but && !p.zombie {
			out = append(out, p)
		}
	}
	byNumber(out)
	return out
}

// send sends a signal to a process from the task of another.
func (p *Process) send(si sigInfo) error {
	if si.No == 0 || p.isZombie() {
		return nil
	}
	return si.lost(p.post(p.leader, si, true))
}

// groupMembers are the processes of the host in a process group.
func groupMembers(pgrp int) []int {
	ents, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var out []int
	for _, e := range ents {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if g, err := unix.Getpgid(pid); err == nil && g == pgrp {
			out = append(out, pid)
		}
	}
	return out
}

// isTask tells whether tid is a task of the calling process.
func (c *Ctx) isTask(tid int) bool {
	for _, t := range c.P.P.Tasks() {
		if t.TID == tid {
			return true
		}
	}
	return false
}

// hidden tells whether a thread of the host is one of utemu's own that the
// guest does not have.
func (c *Ctx) hidden(tid int) bool {
	if tid == os.Getpid() {
		return false
	}
	_, err := os.Stat("/proc/self/task/" + strconv.Itoa(tid))
	return err == nil
}

func sysTkill(c *Ctx) (uint64, error) { return c.tgkill(0, c.Int(), c.Int()) }

func sysTgkill(c *Ctx) (uint64, error) {
	tgid := c.Int()
	if tgid <= 0 {
		return 0, unix.EINVAL
	}
	return c.tgkill(tgid, c.Int(), c.Int())
}

// tgkill sends a signal to one task; tgid is 0 for tkill.
func (c *Ctx) tgkill(tgid, tid, no int) (uint64, error) {
	switch {
	case tid <= 0 || !validSignal(no):
		return 0, unix.EINVAL
	case c.K.find(tid) != nil:
		ts := c.K.find(tid)
		if tgid != 0 && tgid != ts.p.P.PID {
			return 0, unix.ESRCH
		}
		if !c.mayKill(ts, unix.Signal(no)) {
			return 0, unix.EPERM
		}
		return 0, c.toTask(ts, c.sent(no, siTkill))
	case c.hidden(tid):
		return 0, unix.ESRCH
	case tgid != 0:
		return 0, unix.Tgkill(tgid, tid, unix.Signal(no))
	}
	_, _, e := unix.Syscall(unix.SYS_TKILL, uintptr(tid), uintptr(no), 0)
	return 0, asError(e)
}

// asError makes an error of the errno of a raw system call, nil of 0.
func asError(e unix.Errno) error {
	if e != 0 {
		return e
	}
	return nil
}

func sysRtSigqueueinfo(c *Ctx) (uint64, error) {
	return c.queueInfo(0, c.Int(), c.Int(), c.Addr())
}

func sysRtTgsigqueueinfo(c *Ctx) (uint64, error) {
	tgid, tid := c.Int(), c.Int()
	if tgid <= 0 || tid <= 0 {
		return 0, unix.EINVAL
	}
	return c.queueInfo(tgid, tid, c.Int(), c.Addr())
}

// queueInfo sends a signal with the caller's own siginfo, to a task if tgid
// is not 0.
func (c *Ctx) queueInfo(tgid, id, no int, addr uint64) (uint64, error) {
	s, err := c.LoadStruct("siginfo", addr)
	if err != nil {
		return 0, err
	}
	s.Set("si_signo", uint64(no))
	code := int(s.Int("si_code"))
	self := id == c.P.P.PID || tgid == c.P.P.PID && c.isTask(id)
	switch {
	case (code >= 0 || code == siTkill) && !self:
		return 0, unix.EPERM
	case !validSignal(no):
		return 0, unix.EINVAL
	}
	si := c.sent(no, code)
	si.raw = s.b
	si.Errno, si.Value = int(s.Int("si_errno")), s.Uint("si_value")
	si.PID, si.UID = int(s.Int("si_pid")), int(s.Int("si_uid"))
	if p := c.K.processOf(id); p != nil && p.host.Load() != nil {
		if !c.mayKill(p.leader, si.No) {
			return 0, unix.EPERM
		}
		b := hostSiginfo(s)
		return 0, p.host.Load().send(si, &b)
	}
	switch {
	case self:
		return 0, c.toSelf(si, tgid == 0)
	case tgid == 0 && c.K.processOf(id) != nil:
		return 0, c.kill(c.K.processOf(id), si)
	case tgid != 0 && c.K.find(id) != nil:
		ts := c.K.find(id)
		if ts.p.P.PID != tgid {
			return 0, unix.ESRCH
		}
		if !c.mayKill(ts, si.No) {
			return 0, unix.EPERM
		}
		return 0, c.toTask(ts, si)
	case tgid != 0 && c.hidden(id):
		return 0, unix.ESRCH
	}
	b := hostSiginfo(s)
	if tgid != 0 {
		_, _, e := unix.Syscall6(unix.SYS_RT_TGSIGQUEUEINFO, uintptr(tgid), uintptr(id), uintptr(no), uintptr(unsafe.Pointer(&b)), 0, 0)
		return 0, asError(e)
	}
	_, _, e := unix.Syscall(unix.SYS_RT_SIGQUEUEINFO, uintptr(id), uintptr(no), uintptr(unsafe.Pointer(&b)))
	return 0, asError(e)
}

// hostSiginfo is a guest's siginfo of a signal that was sent, for a process
// of the host: the 64-bit layout of asm-generic/siginfo.h.
func hostSiginfo(s *Struct) (b [128]byte) {
	ne := binary.NativeEndian
	for off, field := range map[int]string{0: "si_signo", 4: "si_errno", 8: "si_code", 16: "si_pid", 20: "si_uid"} {
		ne.PutUint32(b[off:], uint32(s.Uint(field)))
	}
	// sigval_t is a union: programs use its int or its pointer, and each is
	// where the other side of a 32-bit pair of words looks for it.
	v := s.Uint("si_value")
	if len(s.Field("si_value")) == 8 && s.a.Order.Uint16([]byte{0, 1}) == 1 && uint32(v) == 0 {
		v >>= 32
	}
	ne.PutUint64(b[24:], v)
	return b
}

func sysPidfdSendSignal(c *Ctx) (uint64, error) {
	f, err := c.FD()
	if err != nil {
		return 0, err
	}
	no, addr, flags := c.Int(), c.Addr(), c.Uint()
	if flags != 0 || !validSignal(no) {
		return 0, unix.EINVAL
	}
	pid, err := c.target(f)
	if err != nil {
		return 0, err
	}
	if addr != 0 {
		s, err := c.LoadStruct("siginfo", addr)
		if err != nil {
			return 0, err
		}
		if int(s.Int("si_signo")) != no {
			return 0, unix.EINVAL
		}
		return c.queueInfo(0, pid, no, addr)
	}
	if pid == c.P.P.PID {
		return 0, c.toSelf(c.sent(no, siUser), true)
	}
	if p := c.K.process(pid); p != nil {
		return 0, c.kill(p, c.sent(no, siUser))
	}
	return 0, unix.PidfdSendSignal(f.Host, unix.Signal(no), nil, 0)
}

// pidfdPID is the process a pidfd stands for: EBADF if it is no pidfd, ESRCH
// if the process has been waited for.
func pidfdPID(fd int) (int, error) {
	b, err := hostFDInfo(fd)
	if err != nil {
		return 0, unix.EBADF
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, "Pid:"); ok {
			pid, err := strconv.Atoi(strings.TrimSpace(v))
			if err != nil || pid <= 0 {
				return 0, unix.ESRCH
			}
			return pid, nil
		}
	}
	return 0, unix.EBADF
}
