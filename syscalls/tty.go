package syscalls

import (
	"os"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
)

// tty is a terminal that is the controlling one of a session. That of the
// host process's session the host drives: it sends this process the signals of
// the keyboard, which go to the guest's foreground group. Others are
// pseudoterminals that guests have made, whose other side guests hold: for the
// host they belong to no session.
type tty struct {
	dev     uint64 // its number as TIOCGDEV has it
	path    string // where to open it, for /dev/tty
	session int
	pgrp    int // the foreground group
	host    bool
}

// terminal is what is known of a file that is a terminal.
type terminal struct {
	dev    uint64 // of the slave, also for a master
	master bool
}

var noTerminal terminal

// terminal tells which terminal a file is, nil for none. It is found out once.
func (f *File) terminal() *terminal {
	t := f.term.Load()
	if t == nil {
		t = &noTerminal
		if f.kind == plainFile {
			if dev, err := unix.IoctlGetUint32(f.Host, unix.TIOCGDEV); err == nil {
				_, err := unix.IoctlGetUint32(f.Host, unix.TIOCGPTN)
				t = &terminal{uint64(dev), err == nil}
			}
		}
		f.term.Store(t)
	}
	if t == &noTerminal {
		return nil
	}
	return t
}

// hostTTY is the number of the host process's controlling terminal, 0 if there
// is none: field 7 of proc_pid_stat(5).
var hostTTY = sync.OnceValue(func() uint64 {
	b, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	if f := strings.Fields(rest); len(f) > 4 {
		if n, err := strconv.ParseInt(f[4], 10, 64); err == nil {
			return uint64(uint32(n))
		}
	}
	return 0
})

// newFirst places the first guest in the group and the session of the host.
func (f *family) newFirst(p *Process) {
	p.pgrp = unix.Getpgrp()
	p.sid, _ = unix.Getsid(0) // that of the caller is never missing
	f.mu.Lock()
	defer f.mu.Unlock()
	if p.K.cfg.Schedule != nil {
		p.pgrp, p.sid, f.last = p.P.PID, FirstPID-1, p.P.PID
	}
	if f.ttys == nil {
		f.ttys = map[uint64]*tty{}
	}
	if dev := hostTTY(); dev != 0 {
		p.tty = &tty{dev: dev, path: "/dev/tty", session: p.sid, pgrp: p.pgrp, host: true}
		f.ttys[dev] = p.tty
	}
}

// hostForeground tells whether the host has this process in the foreground of
// its controlling terminal, which fd is; else which group is.
func hostForeground(fd int) (pgrp int, ok bool) {
	g, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP)
	return g, err != nil || g == unix.Getpgrp()
}

// background is what a process in the background of its controlling terminal
// f gets for reading (SIGTTIN) or changing it (SIGTTOU): nil if it is not
// (__tty_check_change).
func (c *Ctx) background(f *File, s unix.Signal) error {
	t := f.terminal()
	if t == nil || t.master {
		return nil
	}
	fam := &c.K.family
	fam.mu.Lock()
	tt, pgrp := c.P.tty, c.P.pgrp
	front := tt == nil || tt.dev != t.dev || tt.pgrp == 0 || tt.pgrp == pgrp
	orphaned := !front && fam.orphaned(pgrp, nil)
	fam.mu.Unlock()
	if front && tt != nil && tt.dev == t.dev && tt.host {
		if _, front = hostForeground(f.Host); !front {
			orphaned = c.P.isOrphaned()
		}
	}
	if front {
		return nil
	}
	d := c.P.Sig.get(s)
	ignored := d.handler == sigIgn || c.task().blocked.has(s)
	switch {
	case ignored && s == unix.SIGTTOU:
		return nil
	case ignored, orphaned:
		return unix.EIO
	}
	c.K.signalGroup(pgrp, s)
	return erestartsys
}

// stopsOutput tells whether a terminal stops writers in the background.
func (f *File) stopsOutput() bool {
	if t := f.terminal(); t == nil || t.master {
		return false
	}
	m, err := hostTermios(f.Host)
	return err == nil && m.Lflag&unix.TOSTOP != 0
}

// changes makes a command one that changes a terminal, which processes in the
// background may not.
func changes(call ioctl) ioctl {
	return func(c *Ctx, f *File, arg uint64) (uint64, error) {
		if err := c.background(f, unix.SIGTTOU); err != nil {
			return 0, err
		}
		return call(c, f, arg)
	}
}

// controlling is the controlling terminal that f is for the caller: ENOTTY if
// it is another. Through a master anybody may ask.
func (c *Ctx) controlling(f *File, anybody bool) (*tty, error) {
	t := f.terminal()
	if t == nil {
		return nil, unix.ENOTTY
	}
	fam := &c.K.family
	fam.mu.Lock()
	defer fam.mu.Unlock()
	tt := fam.ttys[t.dev]
	if tt == nil || tt.session == 0 || !(anybody && t.master) && c.P.tty != tt {
		return nil, unix.ENOTTY
	}
	return tt, nil
}

func ttyGetPgrp(c *Ctx, f *File, arg uint64) (uint64, error) {
	tt, err := c.controlling(f, true)
	if err != nil {
		if t := f.terminal(); t != nil && t.master {
			return getInts(unix.TIOCGPGRP, 1)(c, f, arg)
		}
		return 0, err
	}
	c.K.family.mu.Lock()
	pgrp := tt.pgrp
	c.K.family.mu.Unlock()
	if tt.host {
		if g, ok := hostForeground(f.Host); !ok {
			c.K.family.mu.Lock()
			pgrp = c.K.family.groupOfHost(g)
			c.K.family.mu.Unlock()
		}
	}
	return 0, c.Write32(arg, uint32(pgrp))
}

func ttySetPgrp(c *Ctx, f *File, arg uint64) (uint64, error) {
	if err := c.background(f, unix.SIGTTOU); err != nil {
		return 0, err
	}
	tt, err := c.controlling(f, true)
	if err != nil {
		return 0, err
	}
	v, err := c.Read32(arg)
	if err != nil {
		return 0, err
	}
	fam, pgrp := &c.K.family, int(int32(v))
	fam.mu.Lock()
	defer fam.mu.Unlock()
	switch {
	case pgrp < 0:
		return 0, unix.EINVAL
	case tt.session != c.P.sid:
		return 0, unix.ENOTTY
	case !fam.inSession(pgrp, c.P.sid):
		if _, err := unix.Getpgid(pgrp); err != nil && !fam.groupThere(pgrp) {
			return 0, unix.ESRCH
		}
		return 0, unix.EPERM
	}
	if tt.host {
		if err := foreground(f.Host, fam.groupOnHost(pgrp, unix.Getpgrp())); err != nil {
			return 0, err
		}
	}
	tt.pgrp = pgrp
	return 0, nil
}

// groupThere tells whether a guest is in a group. f.mu is held.
func (f *family) groupThere(pgrp int) bool {
	for _, p := range f.procs {
		if p.pgrp == pgrp {
			return true
		}
	}
	return false
}

// foreground puts a group of the host into the foreground of the controlling
// terminal: that of this process, which may have been in the background, or one
// of programs that the host runs.
func foreground(fd, pgrp int) error {
	if g, ok := hostForeground(fd); ok && pgrp == unix.Getpgrp() || g == pgrp {
		return nil
	}
	return masked(unix.SIGTTOU, func() error { return unix.IoctlSetPointerInt(fd, unix.TIOCSPGRP, pgrp) })
}

func ttyGetSid(c *Ctx, f *File, arg uint64) (uint64, error) {
	tt, err := c.controlling(f, true)
	if err != nil {
		return 0, err
	}
	return 0, c.Write32(arg, uint32(tt.session))
}

// ttySetControlling is TIOCSCTTY (tiocsctty).
func ttySetControlling(c *Ctx, f *File, arg uint64) (uint64, error) {
	t := f.terminal()
	if t == nil {
		return 0, unix.ENOTTY
	}
	fam := &c.K.family
	fam.mu.Lock()
	defer fam.mu.Unlock()
	p, tt := c.P, fam.ttys[t.dev]
	leader := p.sid == p.P.PID
	switch {
	case tt != nil && leader && tt.session == p.sid:
		return 0, nil
	case !leader, p.tty != nil, tt != nil && tt.session != 0 && (arg != 1 || tt.host || !c.capable(unix.CAP_SYS_ADMIN)):
		return 0, unix.EPERM
	}
	if tt != nil {
		fam.leave(tt)
	}
	fam.control(p, f, t)
	return 0, nil
}

// control makes f the controlling terminal of the session that p leads. f.mu
// is held.
func (f *family) control(p *Process, file *File, t *terminal) {
	path, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(file.Host))
	if err != nil {
		path = ""
	}
	tt := &tty{dev: t.dev, path: path, session: p.sid, pgrp: p.pgrp}
	f.ttys[t.dev], p.tty = tt, tt
}

// leave takes a terminal from its session. f.mu is held.
func (f *family) leave(tt *tty) {
	for _, p := range f.procs {
		if p.tty == tt {
			p.tty = nil
		}
	}
	tt.session, tt.pgrp = 0, 0
	delete(f.ttys, tt.dev)
}

func ttyLeave(c *Ctx, f *File, _ uint64) (uint64, error) {
	tt, err := c.controlling(f, false)
	if err != nil {
		return 0, err
	}
	fam := &c.K.family
	fam.mu.Lock()
	if c.P.sid != c.P.P.PID {
		c.P.tty = nil
		fam.mu.Unlock()
		return 0, nil
	}
	fam.mu.Unlock()
	c.K.hangUp(tt, false)
	return 0, nil
}

// hangUp ends the session of a terminal: its foreground group learns of it,
// and, where the line is gone, the session's leader too.
func (k *Kernel) hangUp(tt *tty, leader bool) {
	f := &k.family
	f.mu.Lock()
	pgrp, head := tt.pgrp, f.procs[tt.session]
	f.leave(tt)
	f.mu.Unlock()
	if leader && head != nil && head.group() != pgrp {
		for _, s := range []unix.Signal{unix.SIGHUP, unix.SIGCONT} {
			head.notify(head.leader, sigInfo{Signal: emu.Signal{No: s, Code: siKernel}})
		}
	}
	if pgrp != 0 {
		k.signalGroup(pgrp, unix.SIGHUP, unix.SIGCONT)
	}
}

// ofSession is the terminal that f is, if guests alone drive it.
func (k *Kernel) ofSession(f *File) *tty {
	t := f.terminal()
	if t == nil {
		return nil
	}
	k.family.mu.Lock()
	defer k.family.mu.Unlock()
	if tt := k.family.ttys[t.dev]; tt != nil && !tt.host {
		return tt
	}
	return nil
}

// typed looks at what was written to a pseudoterminal's master: for the
// characters of its keyboard's signals (isig of n_tty.c), which the host takes
// out of the input but has nobody to send to.
func (k *Kernel) typed(f *File, b [][]byte, n int) {
	t := f.terminal()
	if t == nil || !t.master {
		return
	}
	tt := k.ofSession(f)
	m, err := hostTermios(f.Host)
	if tt == nil || err != nil || m.Lflag&unix.ISIG == 0 {
		return
	}
	quoted := false
	for _, ch := range flat(b, n) {
		switch {
		case quoted:
			quoted = false
			continue
		case ch == 0:
			continue
		case ch == m.Cc[unix.VLNEXT] && m.Lflag&unix.IEXTEN != 0:
			quoted = true
			continue
		}
		for i, s := range map[int]unix.Signal{unix.VINTR: unix.SIGINT, unix.VQUIT: unix.SIGQUIT, unix.VSUSP: unix.SIGTSTP} {
			if ch == m.Cc[i] {
				k.signalGroup(k.foreground(tt), s)
			}
		}
	}
}

func (k *Kernel) foreground(tt *tty) int {
	k.family.mu.Lock()
	defer k.family.mu.Unlock()
	return tt.pgrp
}

// ttyResize is TIOCSWINSZ, of which the foreground group hears.
func ttyResize(c *Ctx, f *File, arg uint64) (uint64, error) {
	old, err := unix.IoctlGetWinsize(f.Host, unix.TIOCGWINSZ)
	if err != nil {
		return 0, err
	}
	v, err := setShorts(unix.TIOCSWINSZ, 4)(c, f, arg)
	if err != nil {
		return v, err
	}
	now, err := unix.IoctlGetWinsize(f.Host, unix.TIOCGWINSZ)
	if tt := c.K.ofSession(f); tt != nil && err == nil && *now != *old {
		c.K.signalGroup(c.K.foreground(tt), unix.SIGWINCH)
	}
	return v, nil
}

// devTTY is the number of /dev/tty (Documentation/admin-guide/devices.txt).
var devTTY = unix.Mkdev(5, 0)

// ownTTY is the place that /dev/tty stands for, where p is that.
func (c *Ctx) ownTTY(p place) (place, error) {
	if !strings.HasSuffix(p.path, "tty") {
		return p, nil
	}
	var st unix.Stat_t
	if unix.Fstatat(p.dir, p.path, &st, 0) != nil || st.Mode&unix.S_IFMT != unix.S_IFCHR || st.Rdev != devTTY {
		return p, nil
	}
	f := &c.K.family
	f.mu.Lock()
	defer f.mu.Unlock()
	switch tt := c.P.tty; {
	case tt == nil:
		return p, unix.ENXIO
	case !tt.host:
		p.dir, p.path = unix.AT_FDCWD, tt.path
	}
	return p, nil
}

// opened does what opening a terminal does beside: it becomes the controlling
// one of a session without (tty_open_proc_set_tty), and the end of a
// pseudoterminal's master hangs the line up.
func (c *Ctx) opened(f *File, st *unix.Stat_t, flags uint64) {
	if st.Mode&unix.S_IFMT != unix.S_IFCHR || flags&unix.O_PATH != 0 {
		return
	}
	t := f.terminal()
	if t == nil {
		return
	}
	fam := &c.K.family
	if t.master {
		k := c.K
		f.closed = func() {
			fam.mu.Lock()
			tt := fam.ttys[t.dev]
			fam.mu.Unlock()
			if tt != nil && !tt.host {
				k.hangUp(tt, true)
			}
		}
		return
	}
	if flags&unix.O_NOCTTY != 0 || flags&unix.O_ACCMODE == unix.O_WRONLY {
		return
	}
	fam.mu.Lock()
	defer fam.mu.Unlock()
	if p := c.P; p.sid == p.P.PID && !p.first && p.tty == nil && fam.ttys[t.dev] == nil {
		fam.control(p, f, t)
	}
}
