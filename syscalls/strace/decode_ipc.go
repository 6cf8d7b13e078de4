package strace

import "fmt"

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
				if f := v &^ 0o777; f != 0 {
					return c.flags(f, t) + "|" + octal(v&0o777)
				}
				return octal(v)
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
		"msgbufret": plainKind(func(c *call) string { return c.message(c.word(), c.count()) }),
	}
}

// ipc64 is IPC_64 of linux/ipc.h.
const ipc64 = 0x100

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
