package syscalls

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// hostSem is the host's struct semid64_ds, of x86-64.
type hostSem struct {
	Perm  hostPerm
	Otime int64
	_     uint64
	Ctime int64
	_     uint64
	Nsems uint64
	_     [2]uint64
}

// hostSembuf is struct sembuf, the same everywhere but for the byte order.
type hostSembuf struct {
	Num     uint16
	Op, Flg int16
}

const (
	maxSemOps = 500   // SEMOPM, the default of kernel.sem
	maxSems   = 65536 // more than SEMMSL
)

func sysSemget(c *Ctx) (uint64, error) {
	return hostCall(unix.SYS_SEMGET, uintptr(c.Int()), uintptr(c.Int()), uintptr(c.Int()))
}

func (c *Ctx) semop(id int, addr, n, timep uint64, wide bool) (uint64, error) {
	if n < 1 || id < 0 {
		return 0, unix.EINVAL
	}
	if n > maxSemOps {
		return 0, unix.E2BIG
	}
	var ops [maxSemOps]hostSembuf
	for i := range n {
		s, err := c.LoadStruct("sembuf", addr+6*i)
		if err != nil {
			return 0, err
		}
		ops[i] = hostSembuf{uint16(s.Uint("sem_num")), int16(s.Int("sem_op")), int16(s.Int("sem_flg"))}
	}
	end := timeout{never: true}
	if timep != 0 {
		ts, err := c.getTimespec(timep, wide)
		if err != nil {
			return 0, err
		}
		if end, err = c.newTimeout(ts); err != nil {
			return 0, err
		}
	}
	if err := c.semWait(id, ops[:n], end); err != nil {
		return 0, err
	}
	c.operated(id, ops[:n])
	return 0, nil
}

// semWait has the host do the operations.
func (c *Ctx) semWait(id int, ops []hostSembuf, end timeout) error {
	if c.T.Schedule() != nil {
		return c.semTry(id, ops, end)
	}
	return c.restart(func() error {
		left := end.left()
		_, _, e := unix.Syscall6(unix.SYS_SEMTIMEDOP, uintptr(id), uintptr(unsafe.Pointer(&ops[0])), uintptr(len(ops)), uintptr(unsafe.Pointer(left)), 0, 0)
		return asError(e)
	})
}

// semTry is semop in a schedule.
func (c *Ctx) semTry(id int, ops []hostSembuf, end timeout) error {
	op := func() error {
		_, _, e := unix.Syscall(unix.SYS_SEMOP, uintptr(id), uintptr(unsafe.Pointer(&ops[0])), uintptr(len(ops)))
		return asError(e)
	}
	waits := true
	for i := range ops {
		waits = waits && ops[i].Flg&unix.IPC_NOWAIT == 0
		ops[i].Flg |= unix.IPC_NOWAIT
	}
	if !waits {
		return op()
	}
	left := time.Duration(-1)
	if ts := end.left(); ts != nil {
		left = duration(*ts)
	}
	err := c.try(unix.EAGAIN, left, op)
	if err == unix.ETIMEDOUT {
		err = unix.EAGAIN
	}
	return err
}

// Commands of semctl(2) (linux/sem.h).
const (
	semGetPID  = 11
	semGetVal  = 12
	semGetAll  = 13
	semGetNcnt = 14
	semGetZcnt = 15
	semSetVal  = 16
	semSetAll  = 17
	semStat    = 18
	semInfo    = 19
	semStatAny = 20
)

func hostSemctl(id, num, cmd int, arg unsafe.Pointer) (uint64, error) {
	v, _, e := unix.Syscall6(unix.SYS_SEMCTL, uintptr(id), uintptr(num), uintptr(cmd), uintptr(arg), 0, 0)
	return uint64(v), asError(e)
}

func (c *Ctx) semctl(id, num, cmd int, arg uint64, heed bool) (uint64, error) {
	cmd, old := version(cmd, heed)
	name, addr := ipcName("semid", old), c.A.Addr(arg)
	switch cmd {
	case semGetPID:
		v, err := hostSemctl(id, num, cmd, nil)
		return c.user(ipcSem, id, num, int32(v)), err
	case semGetVal, semGetNcnt, semGetZcnt:
		return hostSemctl(id, num, cmd, nil)
	case unix.IPC_RMID:
		v, err := hostSemctl(id, num, cmd, nil)
		if err == nil {
			c.K.ipcUsers.forget(ipcObject{ipcSem, id})
			c.K.noUndo(func(s semaphore) bool { return s.id == id })
		}
		return v, err
	case semSetVal:
		// The int of the union lies in the upper half of a big-endian long.
		if c.A.Word == 8 && c.bigEndian() {
			arg >>= 32
		}
		v, _, e := unix.Syscall6(unix.SYS_SEMCTL, uintptr(id), uintptr(num), uintptr(cmd), uintptr(uint32(arg)), 0, 0)
		if e == 0 {
			c.used(ipcSem, id, num)
			c.K.noUndo(func(s semaphore) bool { return s == semaphore{id, num} })
		}
		return uint64(v), asError(e)
	case semGetAll, semSetAll:
		return c.semAll(id, cmd, addr)
	case unix.IPC_STAT, semStat, semStatAny:
		var ds hostSem
		v, err := hostSemctl(id, num, cmd, unsafe.Pointer(&ds))
		if err != nil {
			return 0, err
		}
		s := c.NewStruct(name)
		ds.Perm.put(s, "sem_perm.")
		setTime(s, "sem_otime", ds.Otime)
		setTime(s, "sem_ctime", ds.Ctime)
		s.Set("sem_nsems", ds.Nsems)
		return v, s.Store(c, addr)
	case unix.IPC_SET:
		s, err := c.LoadStruct(name, addr)
		if err != nil {
			return 0, err
		}
		var ds hostSem
		ds.Perm.get(s, "sem_perm.")
		return hostSemctl(id, num, cmd, unsafe.Pointer(&ds))
	case ipcInfo, semInfo:
		var h [10]int32
		v, err := hostSemctl(id, num, cmd, unsafe.Pointer(&h))
		if err != nil {
			return 0, err
		}
		return v, c.putInts("seminfo", addr, h[:], seminfoFields)
	}
	return 0, unix.EINVAL
}

var seminfoFields = []string{"semmap", "semmni", "semmns", "semmnu", "semmsl", "semopm", "semume", "semusz", "semvmx", "semaem"}

// putInts writes a structure of ints.
func (c *Ctx) putInts(name string, addr uint64, v []int32, fields []string) error {
	s := c.NewStruct(name)
	for i, f := range fields {
		s.Set(f, uint64(v[i]))
	}
	return s.Store(c, addr)
}

// semAll serves GETALL and SETALL, whose array is as long as the set.
func (c *Ctx) semAll(id, cmd int, addr uint64) (uint64, error) {
	var ds hostSem
	if _, err := hostSemctl(id, 0, unix.IPC_STAT, unsafe.Pointer(&ds)); err != nil {
		return 0, err
	}
	if ds.Nsems == 0 || ds.Nsems > maxSems {
		return 0, unix.EINVAL
	}
	raw, vals := make([]byte, 2*ds.Nsems), make([]uint16, ds.Nsems)
	if cmd == semSetAll {
		if err := c.Space().CopyIn(raw, addr); err != nil {
			return 0, err
		}
		for i := range vals {
			vals[i] = c.A.Order.Uint16(raw[2*i:])
		}
		v, err := hostSemctl(id, 0, cmd, unsafe.Pointer(&vals[0]))
		if err == nil {
			for i := range vals {
				c.used(ipcSem, id, i)
			}
			c.K.noUndo(func(s semaphore) bool { return s.id == id })
		}
		return v, err
	}
	if _, err := hostSemctl(id, 0, cmd, unsafe.Pointer(&vals[0])); err != nil {
		return 0, err
	}
	for i, v := range vals {
		c.A.Order.PutUint16(raw[2*i:], v)
	}
	return 0, c.Space().CopyOut(raw, addr)
}
