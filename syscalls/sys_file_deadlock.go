package syscalls

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// The host sees no circle of guests that wait for each other's record locks:
// it has none that belong to a process (posix_locks_deadlock).

// recordLock is a record lock, of the bytes start to end.
type recordLock struct {
	n          inode
	write      bool
	start, end int64
}

// conflicts tells whether two owners cannot have both.
func (l recordLock) conflicts(o recordLock) bool {
	return l.n == o.n && (l.write || o.write) && l.start <= o.end && o.start <= l.end
}

// lockWaits are the record locks that are waited for, by the table of files that
// is to own them.
type lockWaits struct {
	mu     sync.Mutex
	wanted map[*Files][]recordLock
}

// awaitRecord notes that the process may wait for a lock, whose owner is to be the
// host's descriptor fd, until leave is called. It is EDEADLK if that would be
// for ever.
func (c *Ctx) awaitRecord(fd int, fl *unix.Flock_t) (leave func(), err error) {
	leave = func() {}
	now := *fl
	if unix.FcntlFlock(uintptr(fd), unix.F_OFD_SETLK, &now) != unix.EAGAIN {
		return leave, nil // it is there now, or the call says what is wrong
	}
	l, ok := lockOf(fd, fl)
	if !ok {
		return leave, nil
	}
	me, w := c.P.Files, &c.K.lockWaits
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.waitsFor(me, me, []recordLock{l}, map[*Files]bool{}) {
		return nil, unix.EDEADLK
	}
	if w.wanted == nil {
		w.wanted = map[*Files][]recordLock{}
	}
	w.wanted[me] = append(w.wanted[me], l)
	return func() { w.leave(me, l) }, nil
}

func (w *lockWaits) leave(t *Files, l recordLock) {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.Index(w.wanted[t], l)
	if w.wanted[t] = slices.Delete(w.wanted[t], i, i+1); len(w.wanted[t]) == 0 {
		delete(w.wanted, t)
	}
}

// waitsFor tells whether the owner of a table, who wants locks, has to wait for
// me, or for others who do. lockWaits.mu is held.
func (c *Ctx) waitsFor(me, owner *Files, wanted []recordLock, seen map[*Files]bool) bool {
	for _, p := range c.K.others(nil) {
		t := p.Files
		if t == owner || seen[t] || !slices.ContainsFunc(wanted, func(l recordLock) bool {
			return slices.ContainsFunc(t.locks(l.n), l.conflicts)
		}) {
			continue
		}
		if t == me {
			return true
		}
		seen[t] = true
		if c.waitsFor(me, t, c.K.lockWaits.wanted[t], seen) {
			return true
		}
	}
	return false
}

// lockOf is which bytes of which file a lock of a descriptor is of.
func lockOf(fd int, fl *unix.Flock_t) (recordLock, bool) {
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil {
		return recordLock{}, false
	}
	l := recordLock{n: inode{st.Dev, st.Ino}, write: fl.Type == unix.F_WRLCK, start: fl.Start, end: math.MaxInt64}
	if fl.Whence == unix.SEEK_END {
		l.start += st.Size
	}
	switch {
	case fl.Len > 0:
		l.end = l.start + fl.Len - 1
	case fl.Len < 0:
		l.start, l.end = l.start+fl.Len, l.start-1
	}
	return l, true
}

// locks are the record locks that the owner of a table has on a file, as fdinfo
// shows them: "lock: 1: OFDLCK ADVISORY WRITE -1 08:01:77 0 EOF".
func (t *Files) locks(n inode) (out []recordLock) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fd, ok := t.lockers[n]
	if !ok {
		return nil
	}
	b, err := hostFDInfo(fd)
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(b)) {
		w := strings.Fields(line)
		if len(w) < 9 || w[0] != "lock:" {
			continue
		}
		l := recordLock{n: n, write: w[4] == "WRITE", end: math.MaxInt64}
		if l.start, err = strconv.ParseInt(w[7], 10, 64); err != nil {
			continue
		}
		if w[8] != "EOF" {
			if l.end, err = strconv.ParseInt(w[8], 10, 64); err != nil {
				continue
			}
		}
		out = append(out, l)
	}
	return out
}
