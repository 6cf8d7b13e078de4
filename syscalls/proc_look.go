package syscalls

import (
	"bytes"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// look calls f, which looks at another process, while that keeps still. It is
// false, and f is not called, for one that has ended. f must not touch memory
// or registers of the caller.
func (c *Ctx) look(p *Process, f func()) (ok bool) {
	if p == c.P {
		f()
		return true
	}
	c.T.Outside(func() {
		ok = p.P.Visit(func() {
			if !p.isZombie() {
				f()
			}
		}) && !p.isZombie()
	})
	return ok
}

// procView is what a file of /proc is made of.
type procView struct {
	*Process
	ts   *taskState // whose it is, the leader for the process's directory
	one  bool       // it is in the directory of a task
	gone bool       // the process has ended: it has no memory
}

// procFile is the content of a file in /proc as it is now; ok is false for one
// whose content is the host's.
func (c *Ctx) procFile(pp procPath) (data []byte, ok bool, err error) {
	f := procFiles[pp.path]
	if f == nil || pp.p == nil {
		return nil, false, nil
	}
	v := procView{Process: pp.p, ts: pp.task(), one: pp.ts != nil}
	if !c.look(pp.p, func() { data, err = f(&v) }) {
		v.gone = true
		data, err = f(&v)
	}
	return data, true, err
}

// state is the letter of the task's state.
func (v *procView) state() byte {
	v.K.family.mu.Lock()
	zombie, stopped := v.zombie, v.halted
	traced := v.ts.tracee != nil && v.ts.tracee.stopped
	v.K.family.mu.Unlock()
	switch {
	case zombie, v.gone:
		return 'Z'
	case traced:
		return 't'
	case stopped:
		return 'T'
	case v.ts.task != nil && v.ts.task.Asleep() && !v.ts.onCPU() && !v.signalled():
		return 'S'
	}
	return 'R'
}

// signalled tells whether a signal ends the task's sleep, which it does not
// know of yet maybe.
func (v *procView) signalled() bool {
	v.sigMu.Lock()
	defer v.sigMu.Unlock()
	return v.waiting(v.ts, v.ts.blocked) != 0
}

// onCPU tells whether the task is in a call of the host that may block, or
// about to be, and does not do so at the moment.
func (ts *taskState) onCPU() bool {
	tid := ts.blocking.Load()
	if tid <= 0 {
		return tid == aboutTo
	}
	b, err := os.ReadFile("/proc/self/task/" + strconv.Itoa(int(tid)) + "/stat")
	if err != nil {
		return false
	}
	_, rest, _ := bytes.Cut(b, []byte(") "))
	return len(rest) > 0 && rest[0] == 'R'
}

// tracer is the number of the task that traces this one, 0 for none.
func (v *procView) tracer() int {
	v.K.family.mu.Lock()
	defer v.K.family.mu.Unlock()
	if tr := v.ts.tracee; tr != nil {
		return tr.tracer.task.TID
	}
	return 0
}

// id is the number of the task or process.
func (v *procView) id() int {
	if v.one {
		return v.ts.task.TID
	}
	return v.P.PID
}

// place is where the process is among others: its group and session, its
// terminal and the foreground group of that, -1 for none.
func (v *procView) place() (pgrp, sid, tty, front int) {
	v.K.family.mu.Lock()
	defer v.K.family.mu.Unlock()
	front = -1
	if v.tty != nil {
		tty, front = int(v.tty.dev), v.tty.pgrp
	}
	return v.pgrp, v.sid, tty, front
}

// usage is what the process, and its children that it waited for, have used.
func (v *procView) used() (own, children unix.Rusage) {
	v.K.family.mu.Lock()
	defer v.K.family.mu.Unlock()
	if v.zombie {
		return v.Process.used, v.reaped
	}
	if v.one {
		return v.ts.ownUsage(), v.reaped
	}
	return v.ownUsage(), v.reaped
}
