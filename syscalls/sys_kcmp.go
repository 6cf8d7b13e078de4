package syscalls

import (
	"cmp"
	"slices"

	"golang.org/x/sys/unix"
)

// Types of kcmp(2) (linux/kcmp.h).
const (
	kcmpFile = iota
	kcmpVM
	kcmpFiles
	kcmpFS
	kcmpSighand
	kcmpIO
	kcmpSysvsem
	kcmpEpollTFD
)

// sysKcmp tells whether two tasks have the same of something: 0 if so, else
// which is before the other in an order that stays.
func sysKcmp(c *Ctx) (uint64, error) {
	a, b, kind, x, y := c.Int(), c.Int(), c.Int(), c.Size(), c.Addr()
	one, other := c.K.find(a), c.K.find(b)
	switch {
	case one == nil || other == nil:
		for _, pid := range []int{a, b} {
			if c.K.find(pid) == nil && unix.Kill(pid, 0) == unix.ESRCH || pid <= 0 {
				return 0, unix.ESRCH
			}
		}
		return 0, unix.EPERM // the host's own
	case !c.MayTrace(one.task) || !c.MayTrace(other.task):
		return 0, unix.EPERM
	}
	p, q := one.p, other.p
	switch kind {
	case kcmpFile:
		return c.compareFiles(p, q, x, y)
	case kcmpEpollTFD:
		return c.compareWatched(p, q, x, y)
	case kcmpVM:
		return c.compareOwners(p, q, func(p *Process) any { return p.P.Space })
	case kcmpFiles:
		return c.compareOwners(p, q, func(p *Process) any { return p.Files })
	case kcmpFS:
		return c.compareOwners(p, q, func(p *Process) any { return p.FS })
	case kcmpSighand:
		return c.compareOwners(p, q, func(p *Process) any { return p.Sig })
	case kcmpSysvsem:
		return c.compareOwners(p, q, func(p *Process) any { return p.undo.Load() })
	case kcmpIO:
		return 0, nil // all do what they do as one process of the host
	}
	return 0, unix.EINVAL
}

// order is the result for two things that differ by the sign of a comparison.
func order(by int) uint64 { return map[int]uint64{-1: 1, 0: 0, 1: 2}[by] }

// compareOwners compares what two processes have: it is ordered by the first
// process that has it too.
func (c *Ctx) compareOwners(p, q *Process, has func(*Process) any) (uint64, error) {
	x, y := has(p), has(q)
	if x == y {
		return 0, nil
	}
	first := func(v any) int {
		for _, o := range c.K.others(nil) {
			if has(o) == v {
				return o.P.PID
			}
		}
		return 0
	}
	return order(cmp.Compare(first(x), first(y))), nil
}

// fileOf looks a descriptor of a process up.
func (c *Ctx) fileOf(p *Process, fd uint64) (f *File, err error) {
	if fd > 1<<31-1 {
		return nil, unix.EBADF
	}
	err = unix.EBADF
	c.look(p, func() { f, err = p.Files.Get(int(fd)) })
	return f, err
}

func (c *Ctx) compareFiles(p, q *Process, x, y uint64) (uint64, error) {
	f, err := c.fileOf(p, x)
	if err != nil {
		return 0, err
	}
	g, err := c.fileOf(q, y)
	if err != nil {
		return 0, err
	}
	return order(cmp.Compare(f.Host, g.Host)), nil
}

// compareWatched compares a file with one that an epoll instance watches
// (struct kcmp_epoll_slot).
func (c *Ctx) compareWatched(p, q *Process, x, addr uint64) (uint64, error) {
	var slot [3]uint32 // efd, tfd, toff
	for i := range slot {
		v, err := c.Read32(addr + uint64(4*i))
		if err != nil {
			return 0, err
		}
		slot[i] = v
	}
	f, err := c.fileOf(p, x)
	if err != nil {
		return 0, err
	}
	ep, err := c.fileOf(q, uint64(slot[0]))
	if err != nil {
		return 0, err
	}
	if name, err := ep.Name(); err != nil || name != "anon_inode:[eventpoll]" {
		return 0, unix.EINVAL
	}
	targets := c.K.watchedFiles(ep, int(int32(slot[1])))
	if uint64(slot[2]) >= uint64(len(targets)) {
		return 0, unix.ENOENT
	}
	return order(cmp.Compare(f.Host, targets[slot[2]].Host)), nil
}

// watchedFiles are the files that an epoll instance watches by a descriptor,
// which may have been another's each time, in the order of kcmp(2).
func (k *Kernel) watchedFiles(ep *File, fd int) (out []*File) {
	seen := map[*File]bool{}
	for _, p := range k.others(nil) {
		p.Files.Open(func(_ int, f *File, _ bool) {
			if !seen[f] && f.watched(ep, fd) {
				out = append(out, f)
			}
			seen[f] = true
		})
	}
	slices.SortFunc(out, func(a, b *File) int { return cmp.Compare(a.Host, b.Host) })
	return out
}

// watched tells whether an epoll instance watches the file by a descriptor.
func (f *File) watched(ep *File, fd int) bool {
	f.watchMu.Lock()
	defer f.watchMu.Unlock()
	return slices.ContainsFunc(f.watches, func(w watch) bool { return w.ep == ep && w.fd == fd })
}
