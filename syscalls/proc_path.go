package syscalls

import (
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// procPath is a path in the directory of a guest in /proc, or in that of one of
// its tasks; or /proc itself.
type procPath struct {
	p    *Process
	ts   *taskState // of task/TID, nil for the process's directory
	path string     // below it, "." for itself
	root bool       // /proc
}

// ours tells whether there is one.
func (pp procPath) ours() bool { return pp.p != nil || pp.root }

// task is the task whose directory it is in, the leader for that of the process.
func (pp procPath) task() *taskState {
	if pp.ts != nil {
		return pp.ts
	}
	return pp.p.leader
}

// listed tells whether the entries of the directory are ours.
func (pp procPath) listed() bool {
	return pp.root || pp.p != nil && (pp.path == "fd" || pp.path == "fdinfo" || pp.path == "task")
}

// dir is the path for File.proc: that of a directory below which paths are
// resolved by us.
func (pp procPath) dir() procPath {
	if pp.root || pp.path == "." || pp.listed() {
		return pp
	}
	return procPath{}
}

// name is the whole path.
func (pp procPath) name() string {
	if pp.root {
		return "/proc"
	}
	name := "/proc/" + strconv.Itoa(pp.p.P.PID)
	if pp.ts != nil {
		name += "/task/" + strconv.Itoa(pp.ts.task.TID)
	}
	return path.Join(name, pp.path)
}

// host is what stands for it in the host's /proc.
func (pp procPath) host() string {
	if pp.root {
		return "/proc"
	}
	return path.Join("/proc/self", pp.path)
}

// procPath tells which part of /proc a clean absolute path is.
func (c *Ctx) procPath(name string) procPath {
	switch name {
	case "/proc":
		return procPath{root: true}
	case "/dev/stdin":
		return procPath{p: c.P, path: "fd/0"}
	case "/dev/stdout":
		return procPath{p: c.P, path: "fd/1"}
	case "/dev/stderr":
		return procPath{p: c.P, path: "fd/2"}
	}
	if rest, ok := strings.CutPrefix(name, "/dev/fd"); ok && (rest == "" || rest[0] == '/') {
		return procPath{p: c.P, path: "fd" + rest}
	}
	rest, ok := strings.CutPrefix(name, "/proc/")
	if !ok {
		return procPath{}
	}
	who, rest, _ := strings.Cut(rest, "/")
	pp := c.procOwner(who)
	for pp.p != nil && strings.HasPrefix(rest, "task/") {
		tid, sub, _ := strings.Cut(rest[len("task/"):], "/")
		ts := pp.p.taskOf(tid)
		if ts == nil {
			break
		}
		pp.ts, rest = ts, sub
	}
	if pp.path = rest; rest == "" {
		pp.path = "."
	}
	return pp
}

// procOwner is whose directory of /proc a name is.
func (c *Ctx) procOwner(name string) procPath {
	switch name {
	case "self":
		return procPath{p: c.P}
	case "thread-self":
		if c.T == nil { // not in a system call
			return procPath{p: c.P}
		}
		return procPath{p: c.P, ts: c.task()}
	}
	n, err := strconv.Atoi(name)
	if err != nil || strconv.Itoa(n) != name {
		return procPath{}
	}
	if n == c.P.P.PID {
		return procPath{p: c.P}
	}
	if p := c.K.process(n); p != nil {
		return procPath{p: p}
	}
	if ts := c.K.find(n); ts != nil { // not listed, but there
		return procPath{p: ts.p, ts: ts}
	}
	return procPath{}
}

// taskOf is the task with a number in decimal, nil if there is none.
func (p *Process) taskOf(tid string) *taskState {
	for _, ts := range p.tasks() {
		if ts.task != nil && strconv.Itoa(ts.task.TID) == tid {
			return ts
		}
	}
	return nil
}

// magic resolves what lies in a directory of /proc and is not the host's.
func (c *Ctx) magic(pp procPath, follow bool) (place, error) {
	p := place{dir: unix.AT_FDCWD, path: pp.host(), proc: pp}
	if pp.root {
		return p, nil
	}
	q := pp.p
	first, more, deeper := strings.Cut(pp.path, "/")
	if first == "fd" || first == "fdinfo" {
		if !deeper {
			return p, nil
		}
		return c.magicFD(p, first, more, follow)
	}
	follow = follow || deeper
	switch first {
	case ".":
		if follow {
			p.path = "/proc/self/."
		}
	case "exe":
		if deeper {
			return p, unix.ENOTDIR
		}
		exe := ""
		c.look(q, func() { exe = q.Exe })
		return c.magicLink(p, exe, follow)
	case "root":
		if deeper {
			return c.absolute("/"+more, follow)
		}
		p.link = "/"
	case "cwd":
		dir, proc := q.FS.current()
		switch {
		case follow && proc.ours():
			proc.path = path.Join(proc.path, more)
			return c.magic(proc, true)
		case follow:
			return place{dir: dir, path: path.Join(".", more)}, nil
		}
		var err error
		p.link, err = q.FS.path()
		return p, err
	case "task":
		if deeper {
			return p, unix.ENOENT // a task of the host, or none at all
		}
	}
	return p, nil
}

// magicLink is a link to a path.
func (c *Ctx) magicLink(p place, to string, follow bool) (place, error) {
	if to == "" {
		return place{}, unix.ENOENT
	}
	if !follow {
		p.link = to
		return p, nil
	}
	if to[0] != '/' {
		return place{}, unix.ENOENT
	}
	if q, ok := c.K.sysroot(to, true); ok {
		to = q
	}
	return place{dir: unix.AT_FDCWD, path: to}, nil
}

// magicFD is what a descriptor's number in fd or fdinfo stands for.
func (c *Ctx) magicFD(p place, dir, rest string, follow bool) (place, error) {
	num, more, deeper := strings.Cut(rest, "/")
	fd, err := strconv.Atoi(num)
	if err != nil || strconv.Itoa(fd) != num {
		return place{}, unix.ENOENT
	}
	f, err := p.proc.p.Files.Get(fd)
	if err != nil {
		return place{}, unix.ENOENT
	}
	p = place{dir: unix.AT_FDCWD, path: path.Join("/proc/self", dir, strconv.Itoa(f.Host))}
	proc := f.proc
	switch {
	case dir == "fdinfo":
	case deeper:
		if proc.ours() {
			return c.absolute(proc.name()+"/"+more, follow)
		}
		return place{dir: f.Host, path: more}, nil
	case follow && proc.ours():
		return c.magic(proc, true)
	case proc.ours():
		p.link = proc.name()
	case !follow:
		p.link, err = f.Name()
	}
	return p, err
}

// procName is an entry of a directory of /proc.
type procName struct {
	name string
	typ  byte
}

// ownNames are the entries of a directory of /proc that is listed by us.
func (c *Ctx) ownNames(pp procPath) []procName {
	names := []procName{{".", unix.DT_DIR}, {"..", unix.DT_DIR}}
	if pp.root {
		return append(names, c.K.procRoot()...)
	}
	var nums []int
	typ := byte(unix.DT_DIR)
	switch pp.path {
	case "fd", "fdinfo":
		if typ = unix.DT_LNK; pp.path == "fdinfo" {
			typ = unix.DT_REG
		}
		pp.p.Files.Open(func(fd int, _ *File, _ bool) { nums = append(nums, fd) })
	default:
		for _, t := range pp.p.P.Tasks() {
			nums = append(nums, t.TID)
		}
	}
	slices.Sort(nums)
	for _, n := range nums {
		names = append(names, procName{strconv.Itoa(n), typ})
	}
	return names
}

// procRoot are the entries of /proc: those of the host, and the guests that it
// does not know.
func (k *Kernel) procRoot() []procName {
	var names []procName
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	ents, _ := dir.ReadDir(-1) // in the host's order
	for _, e := range ents {
		n := procName{e.Name(), unix.DT_REG}
		switch {
		case e.IsDir():
			n.typ = unix.DT_DIR
		case e.Type()&os.ModeSymlink != 0:
			n.typ = unix.DT_LNK
		}
		names = append(names, n)
	}
	k.family.mu.Lock()
	defer k.family.mu.Unlock()
	var pids []int
	for pid := range k.family.procs {
		if pid >= firstID {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	for _, pid := range pids {
		names = append(names, procName{strconv.Itoa(pid), unix.DT_DIR})
	}
	return names
}
