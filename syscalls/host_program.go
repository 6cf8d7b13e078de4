package syscalls

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
)

// hostProgram is a program that the host runs in place of a guest: a child of
// this process that a guest has executed. The guest process stays, by its
// number: what becomes of the child becomes of it, and signals for it go to the
// child.
type hostProgram struct {
	p       *Process
	unwatch func() bool   // ends that the end of the run ends the program
	done    chan struct{} // closed at its end, after which the rest does not change

	mu     sync.Mutex
	pid    int      // 0: it has not started
	group  int      // its process group on the host
	reaped bool     // its number may be another's
	typed  bool     // the next stop is one for SIGTSTP
	early  []func() // send signals that came before there was a child
	status emu.Status
	usage  unix.Rusage
}

// hostGroup is where a program of the host is to be: in a session of its own,
// or in the process group pgrp, 0 for a new one.
type hostGroup struct {
	session bool
	pgrp    int
}

func (g hostGroup) enter(s *spawn) {
	switch {
	case g.session:
		s.call(unix.SYS_SETSID)
	case g.pgrp != unix.Getpgrp():
		s.call(unix.SYS_SETPGID, 0, uintptr(g.pgrp))
	}
}

// hostGroup is where a program of the host that p executes is to be. With the
// group that has the host's terminal it is in that of this process, where the
// host lets it read and type signals at it as it does the guests; in another
// group, it is in one that all such of the guest's group share.
func (p *Process) hostGroup() hostGroup {
	f := &p.K.family
	f.mu.Lock()
	defer f.mu.Unlock()
	own := unix.Getpgrp()
	if sid, err := unix.Getsid(0); err != nil || p.sid != sid {
		return hostGroup{session: true}
	}
	if p.pgrp == own || p.tty != nil && p.tty.host && p.tty.pgrp == p.pgrp {
		return hostGroup{pgrp: own}
	}
	return hostGroup{pgrp: f.groupOnHost(p.pgrp, 0)}
}

// groupOnHost is the host's group of the programs of the host that are in the
// guests' group pgrp and not in that of this process, none if there is none.
// f.mu is held.
func (f *family) groupOnHost(pgrp, none int) int {
	for _, q := range f.procs {
		if h := q.host.Load(); h != nil && q.pgrp == pgrp && !q.zombie {
			if _, g := h.where(); g != 0 && g != unix.Getpgrp() {
				return g
			}
		}
	}
	return none
}

// groupOfHost is the guests' group for which a group of the host stands. f.mu
// is held.
func (f *family) groupOfHost(group int) int {
	for _, q := range f.procs {
		if h := q.host.Load(); h != nil {
			if _, g := h.where(); g == group {
				return q.pgrp
			}
		}
	}
	return group
}

// StartHost has the host run the program at path, which is relative to the
// process's current directory, in place of the one of the task t, which stands
// in execve(2). The error is an errno for the guest, whose program goes on
// then; else BecomeHost, or HostProgram.Kill, has to follow.
func (p *Process) StartHost(t *emu.Task, path string, argv, env []string) (*HostProgram, error) {
	ts := stateOf(t)
	g := p.hostGroup()
	s, err := p.newSpawn(ts, path, argv, env, g)
	if err != nil {
		return nil, err
	}
	h := &hostProgram{p: p, group: g.pgrp, done: make(chan struct{})}
	// What others see of an exec, and where signals go, is so as soon as there is
	// a child, which may tell them.
	p.host.Store(h)
	execed := p.setExeced(true)
	started := make(chan error)
	go h.watch(s, g, ts.cred, started)
	if err := <-started; err != nil {
		p.host.Store(nil)
		p.setExeced(execed)
		h.begin(0, g) // what has come is the old program's
		return nil, err
	}
	h.unwatch = context.AfterFunc(t.Context(), func() { h.kill(unix.SIGKILL) })
	return &HostProgram{h}, nil
}

// begin tells that the child has started, or that there is none, and sends what
// has come for it.
func (h *hostProgram) begin(pid int, g hostGroup) {
	h.mu.Lock()
	if h.pid = pid; g.session || g.pgrp == 0 {
		h.group = pid
	}
	early := h.early
	h.early = nil
	h.mu.Unlock()
	for _, send := range early {
		send()
	}
}

// HostProgram is a program of the host that has been started in place of a
// guest's.
type HostProgram struct{ h *hostProgram }

// Kill ends the program.
func (h *HostProgram) Kill() { h.h.end() }

// BecomeHost makes the process of the task, which is its only one, the guest
// whose program the host runs. SetProgram must have been called. The host has
// what was the process's: it keeps no files.
func (p *Process) BecomeHost(h *HostProgram) error {
	p.P.User = h.h.run
	return p.Files.Release()
}

// watch starts the program and stays until it has ended: the host kills it with
// this thread.
func (h *hostProgram) watch(s *spawn, g hostGroup, cr *cred, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var pid int
	var err error
	if e := h.p.K.as(cr, func() { pid, err = s.start() }); err == nil {
		err = e
	}
	if err != nil {
		started <- err
		return
	}
	h.begin(pid, g)
	started <- nil
	for {
		ws, err := h.wait()
		switch {
		case err != nil:
			h.p.K.failed(fmt.Errorf("syscalls: waiting for a program of the host: %w", err))
			fallthrough
		case ws.Exited(), ws.Signaled():
			close(h.done)
			return
		case ws.Stopped():
			h.stopped(ws.StopSignal())
		case ws.Continued():
			h.continued()
		}
	}
}

// wait waits for a change of the program. Its number stays its own as long as
// others may use it.
func (h *hostProgram) wait() (ws unix.WaitStatus, err error) {
	const changes = unix.WUNTRACED | unix.WCONTINUED
	for err = unix.EINTR; err == unix.EINTR; {
		err = unix.Waitid(unix.P_PID, h.pid, nil, unix.WEXITED|changes|unix.WNOWAIT, nil)
	}
	if err != nil {
		return 0, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, err = unix.Wait4(h.pid, &ws, changes|unix.WNOHANG, &h.usage); err != nil {
		return 0, err
	}
	switch {
	case ws.Signaled():
		h.reaped, h.status = true, emu.Status{Signal: ws.Signal(), Core: ws.CoreDump()}
	case ws.Exited():
		h.reaped, h.status = true, emu.Status{Code: ws.ExitStatus()}
	}
	return ws, nil
}

// suspend stops the program as SIGTSTP does by default, where the host does not
// do that because it takes the group for orphaned. The guest's is not.
func (h *hostProgram) suspend() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.reaped || h.pid == 0 {
		return
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", h.pid))
	if err != nil {
		return
	}
	for line := range strings.Lines(string(b)) {
		switch key, v, _ := strings.Cut(line, ":"); key {
		case "SigBlk", "SigIgn", "SigCgt":
			if m, err := strconv.ParseUint(strings.TrimSpace(v), 16, 64); err != nil || sigset(m).has(unix.SIGTSTP) {
				return
			}
		}
	}
	h.typed = unix.Kill(h.pid, unix.SIGSTOP) == nil
}

// stopped tells that the host has stopped the program.
func (h *hostProgram) stopped(no unix.Signal) {
	h.mu.Lock()
	if h.typed {
		no, h.typed = unix.SIGTSTP, false
	}
	h.mu.Unlock()
	if err := h.p.halts(no, func() bool { return true }); err != nil {
		h.p.K.failed(err)
	}
}

// end ends the program if it has not ended.
func (h *hostProgram) end() {
	h.kill(unix.SIGKILL)
	<-h.done
	h.unwatch()
}

// continued tells that the program goes on.
func (h *hostProgram) continued() {
	f := &h.p.K.family
	f.mu.Lock()
	defer f.mu.Unlock()
	h.p.resumed()
}

// kill sends the program a signal.
func (h *hostProgram) kill(no unix.Signal) {
	_ = h.send(sigInfo{Signal: emu.Signal{No: no, Code: siUser}}, nil) // kill(2) does not fail for what has ended
}

// send sends the program a signal, with a siginfo of the host's if there is one.
func (h *hostProgram) send(si sigInfo, info *[128]byte) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.reaped || si.No == 0:
		return nil
	case h.pid == 0:
		h.early = append(h.early, func() {
			if h.p.host.Load() == nil {
				h.p.notify(h.p.leader, si)
				return
			}
			_ = h.send(si, info)
		})
		return nil
	case info == nil:
		return unix.Kill(h.pid, si.No)
	}
	_, _, e := unix.Syscall(unix.SYS_RT_SIGQUEUEINFO, uintptr(h.pid), uintptr(si.No), uintptr(unsafe.Pointer(info)))
	return asError(e)
}

// run takes the place of user mode: it waits until the program has ended, or
// somebody wants something of the task.
func (h *hostProgram) run(t *emu.Task) error {
	ts, ctx := stateOf(t), t.Context()
	t.Outside(func() {
		select {
		case <-h.done:
		case <-ts.wake:
		}
	})
	if err := ctx.Err(); err != nil {
		return err
	}
	if gone(h.done) {
		h.p.K.end(t, h.status)
	}
	return nil
}

// where is the program's number and its group for the host.
func (h *hostProgram) where() (pid, group int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.pid, h.group
}

// used is what the program has used, which the host tells at its end.
func (h *hostProgram) used() unix.Rusage {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.usage
}

// runsOnHost tells whether a process of the host is one that a guest has
// executed.
func (k *Kernel) runsOnHost(pid int) bool {
	k.family.mu.Lock()
	defer k.family.mu.Unlock()
	for _, p := range k.family.procs {
		if h := p.host.Load(); h != nil {
			if n, _ := h.where(); n == pid {
				return true
			}
		}
	}
	return false
}
