package strace

import (
	"fmt"
	"strings"
)

// ipcKinds are arguments of System V IPC and message queues.
func ipcKinds() map[string]func(string) func(*call) string {
	return map[string]func(string) func(*call) string{
		"ipckey": plainKind(func(c *call) string {
			v := c.word() & 0xffffffff
			if v == 0 {
				return "IPC_PRIVATE"
			}
			return hex(v)
		}),
		"ipcget": func(table string) func(*call) string {
			t := lookup(table)
			return func(c *call) string {
				v := c.word() & 0xffffffff
				names, rest := c.bits(v&^0o777, t)
				if huge := rest >> hugeShift; table == "shmget" && huge != 0 {
					names, rest = append(names, fmt.Sprintf("%d<<SHM_HUGE_SHIFT", huge)), rest&(1<<hugeShift-1)
				}
				if rest != 0 {
					names = append(names, hex(rest))
				}
				return strings.Join(append(names, octal(v&0o777)), "|")
			}
		},
		"ipccmd": func(table string) func(*call) string {
			t := lookup(table)
			return func(c *call) string {
				v := c.word() & 0xffffffff
				if v&ipc64 != 0 {
					return "IPC_64|" + c.enum(t, v&^ipc64)
				}
				return c.enum(t, v)
			}
		},
		"sembufs":   plainKind((*call).semaphoreOps),
		"msgbuf":    plainKind(func(c *call) string { at := c.word(); return c.message(at, c.args[2]) }),
		"msgbufret": plainKind(func(c *call) string { at := c.word(); return c.message(at, c.args[2]) }),
		"semarg":    plainKind((*call).semaphoreArg),
		"ipcset": layoutKind(func(c *call, layout string) string {
			switch c.ipcCommand() {
			case "IPC_SET":
				return c.ipcSettings(layout, c.word())
			case "IPC_STAT", "SHM_STAT", "SHM_STAT_ANY", "MSG_STAT", "MSG_STAT_ANY":
				return omitted
			}
			return c.addr(c.word())
		}),
		"ipcstat": layoutKind(func(c *call, layout string) string {
			switch c.ipcCommand() {
			case "IPC_STAT", "SHM_STAT", "SHM_STAT_ANY", "MSG_STAT", "MSG_STAT_ANY", "SEM_STAT", "SEM_STAT_ANY":
				return c.ipcStatus(layout, c.word())
			}
			return omitted
		}),
	}
}

// ipc64 is IPC_64 of linux/ipc.h.
const ipc64 = 0x100

// ipcCommand is the name of the command of shmctl, semctl or msgctl.
func (c *call) ipcCommand() string {
	n := 1
	if c.name == "semctl" {
		n = 2
	}
	return lookup(c.name).name(c.a, c.args[n]&0xffffffff&^ipc64)
}

// semaphoreArg writes semctl's last argument; the multiplexer has it in memory.
func (c *call) semaphoreArg() string {
	at := c.args[c.next]
	s := c.addr(at)
	switch c.ipcCommand() {
	case "IPC_STAT", "SEM_STAT", "SEM_STAT_ANY":
		return omitted
	case "IPC_SET":
		return c.ipcSettings("semid64_ds", at)
	}
	if c.multiplexed {
		return "[" + s + "]"
	}
	return s
}

// permissions writes struct ipc64_perm: what can be set, and with all the rest.
func (r record) permissions(prefix string, all bool) string {
	p := prefix + "_perm."
	s := fmt.Sprintf("%s_perm={uid=%d, gid=%d, mode=%s", prefix, r.uint(p+"uid"), r.uint(p+"gid"), octal(r.uint(p+"mode")))
	if all {
		s += fmt.Sprintf(", key=%d, cuid=%d, cgid=%d", r.int(p+"key"), r.uint(p+"cuid"), r.uint(p+"cgid"))
	}
	return s + "}"
}

// ipcPrefix is what the names of a structure's fields begin with.
var ipcPrefix = map[string]string{"shmid64_ds": "shm", "semid64_ds": "sem", "msqid64_ds": "msg"}

// ipcSettings writes what IPC_SET changes.
func (c *call) ipcSettings(layout string, at uint64) string {
	r, ok := c.load(layout, at)
	if !ok {
		return c.addr(at)
	}
	s := "{" + r.permissions(ipcPrefix[layout], false)
	if layout == "msqid64_ds" {
		s += fmt.Sprintf(", msg_qbytes=%d", r.uint("msg_qbytes"))
	}
	return s + "}"
}

// ipcFields are the fields of the structures after the permissions.
var ipcFields = map[string][]string{
	"shmid64_ds": {"shm_segsz", "shm_cpid", "shm_lpid", "shm_nattch", "shm_atime", "shm_dtime", "shm_ctime"},
	"semid64_ds": {"sem_otime", "sem_ctime", "sem_nsems"},
	"msqid64_ds": {"msg_stime", "msg_rtime", "msg_ctime", "msg_qnum", "msg_qbytes", "msg_lspid", "msg_lrpid"},
}

// ipcStatus writes what IPC_STAT tells.
func (c *call) ipcStatus(layout string, at uint64) string {
	r, ok := c.load(layout, at)
	if !ok || c.failed {
		return c.addr(at)
	}
	s := "{" + r.permissions(ipcPrefix[layout], true)
	for _, f := range ipcFields[layout] {
		// Times beyond 2038 have their upper half in a field of its own.
		s += fmt.Sprintf(", %s=%d", f, r.uint(f+"_high")<<32|r.uint(f))
	}
	return s + "}"
}

func (c *call) semaphoreOps() string {
	l, ok := c.a.Layout["sembuf"]
	at, n := c.word(), c.args[2]
	if c.name != "semop" && c.name != "semtimedop" && c.name != "semtimedop_time64" || !ok {
		return c.addr(at)
	}
	return c.list(at, n&0xffffffff, l.Size, func(at uint64) (string, bool) {
		r, ok := c.load("sembuf", at)
		if !ok {
			return "", false
		}
		return r.text("sembuf"), true
	})
}

// message writes a message of n bytes with its type before it.
func (c *call) message(at, n uint64) string {
	typ, ok := c.uint(at, c.a.Word)
	if !ok {
		return c.addr(at)
	}
	return fmt.Sprintf("{mtype=%d, mtext=%s}", signed(typ, c.wordBits()), c.buf(at+uint64(c.a.Word), n))
}

// ipcArgs puts the arguments of ipc into the order of the real call.
func (c *call) ipcArgs(name string) (w [6]uint64, ok bool) {
	first, second, third, ptr, fifth := c.args[1], c.args[2], c.args[3], c.args[4], c.args[5]
	switch name {
	case "semop":
		return [6]uint64{first, ptr, second}, true
	case "semtimedop":
		return [6]uint64{first, ptr, second, fifth}, true
	case "semget", "shmget":
		return [6]uint64{first, second, third}, true
	case "semctl":
		arg, ok := c.uint(ptr, c.a.Word)
		return [6]uint64{first, second, third, arg}, ok
	case "msgsnd":
		return [6]uint64{first, ptr, second, third}, true
	case "msgrcv":
		if c.args[0]>>16 != 0 {
			return [6]uint64{first, ptr, second, fifth, third}, true
		}
		// The old form has the buffer and the type in memory (ipc_kludge).
		buf, ok1 := c.uint(ptr, c.a.Word)
		typ, ok2 := c.uint(ptr+uint64(c.a.Word), c.a.Word)
		return [6]uint64{first, buf, second, typ, third}, ok1 && ok2
	case "msgget":
		return [6]uint64{first, second}, true
	case "msgctl", "shmctl":
		return [6]uint64{first, second, ptr}, true
	case "shmat":
		c.indirect = third
		return [6]uint64{first, ptr, second}, true
	case "shmdt":
		return [6]uint64{ptr}, true
	}
	return w, false
}
