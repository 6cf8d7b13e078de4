package syscalls

import (
	"cmp"
	"maps"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// For the host all guests are one process. Which of them was the last to use a
// queue, a semaphore or a segment of System V, and what is to be undone at its
// end, is known here.

// ipcClass is a kind of objects of System V.
type ipcClass uint8

const (
	ipcMsg ipcClass = iota
	ipcSem
	ipcShm
)

// Places of an ipcObject that have a user each; a semaphore's is its number.
const (
	msgSender   = 0
	msgReceiver = 1
	shmCreator  = 0
	shmLast     = 1
)

type ipcObject struct {
	class ipcClass
	id    int
}

// ipcUsers are the processes that used objects last, by place.
type ipcUsers struct {
	mu sync.Mutex
	of map[ipcObject]map[int]int
}

// used notes the caller as the user of places of an object.
func (c *Ctx) used(class ipcClass, id int, places ...int) {
	c.K.ipcUsers.used(ipcObject{class, id}, c.P.P.PID, places...)
}

func (u *ipcUsers) used(o ipcObject, pid int, places ...int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.of == nil {
		u.of = map[ipcObject]map[int]int{}
	}
	if u.of[o] == nil {
		u.of[o] = map[int]int{}
	}
	for _, n := range places {
		u.of[o][n] = pid
	}
}

// known tells whether a guest has used an object.
func (u *ipcUsers) known(o ipcObject) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.of[o] != nil
}

func (u *ipcUsers) forget(o ipcObject) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.of, o)
}

// user is the user of a place of an object; host is what the host says.
func (c *Ctx) user(class ipcClass, id, place int, host int32) uint64 {
	u := &c.K.ipcUsers
	u.mu.Lock()
	defer u.mu.Unlock()
	if pid := u.of[ipcObject{class, id}][place]; pid != 0 && int(host) == os.Getpid() {
		return uint64(pid)
	}
	return uint64(c.K.guestID(int(host)))
}

// semUndo is what semop(2) has to undo at the end of the processes that share
// it (struct sem_undo_list). The host has it too, for the end of this process.
type semUndo struct {
	users atomic.Int32 // beyond the first

	mu  sync.Mutex
	adj map[semaphore]int
}

type semaphore struct{ id, num int }

// undoList is that of the process, which has one from then on.
func (p *Process) undoList() *semUndo {
	if p.undo.Load() == nil {
		p.undo.CompareAndSwap(nil, &semUndo{adj: map[semaphore]int{}})
	}
	return p.undo.Load()
}

// operated notes what a semop(2) that was done has to do with processes.
func (c *Ctx) operated(id int, ops []hostSembuf) {
	for _, op := range ops {
		c.used(ipcSem, id, int(op.Num))
		if op.Flg&semUndoFlag == 0 || op.Op == 0 {
			continue
		}
		u, s := c.P.undoList(), semaphore{id, int(op.Num)}
		u.mu.Lock()
		u.adj[s] -= int(op.Op)
		u.mu.Unlock()
	}
}

// semUndoFlag is SEM_UNDO, which package unix lacks.
const semUndoFlag = 0x1000

// noUndo drops what is to be undone of the semaphores that gone tells.
func (k *Kernel) noUndo(gone func(semaphore) bool) {
	for _, p := range k.others(nil) {
		if u := p.undo.Load(); u != nil {
			u.mu.Lock()
			maps.DeleteFunc(u.adj, func(s semaphore, _ int) bool { return gone(s) })
			u.mu.Unlock()
		}
	}
}

// undoAll undoes at the end of a process what it has asked for (exit_sem).
func (p *Process) undoAll() {
	u := p.undo.Swap(nil)
	if u == nil || u.users.Add(-1) >= 0 {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	list := slices.SortedFunc(maps.Keys(u.adj), func(a, b semaphore) int {
		return cmp.Or(cmp.Compare(a.id, b.id), cmp.Compare(a.num, b.num))
	})
	for _, s := range list {
		if s.add(u.adj[s]) {
			p.K.ipcUsers.used(ipcObject{ipcSem, s.id}, p.P.PID, s.num)
		}
	}
}

// add changes a semaphore's value, as far as it goes, and takes that off what
// the host would undo.
func (s semaphore) add(by int) bool {
	const most = 32767 // SEMVMX
	for range 8 {      // others change it meanwhile
		op := hostSembuf{uint16(s.num), int16(by), semUndoFlag | unix.IPC_NOWAIT}
		if by == 0 {
			return true
		}
		_, _, e := unix.Syscall(unix.SYS_SEMOP, uintptr(s.id), uintptr(unsafe.Pointer(&op)), 1)
		if e != unix.EAGAIN && e != unix.ERANGE {
			return e == 0
		}
		v, err := hostSemctl(s.id, s.num, semGetVal, nil)
		if err != nil {
			return false
		}
		by = min(max(by, -int(v)), most-int(v))
	}
	return false
}
