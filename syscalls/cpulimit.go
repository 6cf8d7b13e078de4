package syscalls

import (
	"math"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
)

// cpuLimit is RLIMIT_CPU of a process, as a guest has set it: the host's would
// hit all guests.
type cpuLimit struct {
	mu         sync.Mutex
	set        bool
	soft, hard time.Duration // soft is when the next SIGXCPU comes
	run        alarm
	gen        int // counts the settings, so that an old run is known
}

// limitCPU sets RLIMIT_CPU. At the soft limit, and each second after it, the
// process gets SIGXCPU, at the hard one SIGKILL (check_process_timers of
// kernel/time/posix-cpu-timers.c).
func (p *Process) limitCPU(l unix.Rlimit) {
	used, c := p.usedCPU(), &p.cpu
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stop()
	c.set, c.soft, c.hard = true, cpuTime(l.Cur), cpuTime(l.Max)
	p.watchCPU(used)
}

// cpuTime is a limit in time. None is as good as a long one, and 0 stands for 1.
func cpuTime(seconds uint64) time.Duration {
	return time.Duration(min(max(seconds, 1), math.MaxInt64/uint64(time.Second))) * time.Second
}

// inheritCPU gives a new process the limit of its parent.
func (p *Process) inheritCPU(parent *Process) {
	parent.cpu.mu.Lock()
	set := parent.cpu.set
	parent.cpu.mu.Unlock()
	if set {
		p.limitCPU(p.Limits[unix.RLIMIT_CPU])
	}
}

// stop ends the watch; c.mu is held.
func (c *cpuLimit) stop() {
	c.gen++
	if c.run != nil {
		c.run.Stop()
	}
}

// endCPU ends the watch of a process that has ended.
func (p *Process) endCPU() {
	p.cpu.mu.Lock()
	defer p.cpu.mu.Unlock()
	p.cpu.stop()
}

// watchCPU looks again when the limit may have been reached; p.cpu.mu is held.
func (p *Process) watchCPU(used time.Duration) {
	c := &p.cpu
	next := min(c.soft, c.hard)
	if next >= cpuTime(math.MaxUint64) {
		return
	}
	gen := c.gen
	c.run = p.after(max(next-used, time.Millisecond), true, func() { p.checkCPU(gen) })
}

func (p *Process) usedCPU() time.Duration {
	p.K.family.mu.Lock()
	defer p.K.family.mu.Unlock()
	u := p.ownUsage()
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func (p *Process) checkCPU(gen int) {
	used, c := p.usedCPU(), &p.cpu
	c.mu.Lock()
	if gen != c.gen {
		c.mu.Unlock()
		return
	}
	var no unix.Signal
	switch {
	case used >= c.hard:
		no = unix.SIGKILL
		c.stop()
	case used >= c.soft:
		no = unix.SIGXCPU
		c.soft += time.Second
		p.watchCPU(used)
	default:
		p.watchCPU(used)
	}
	c.mu.Unlock()
	if no != 0 {
		_ = p.send(sigInfo{Signal: emu.Signal{No: no, Code: siKernel}}) // a full queue takes no more
	}
}
