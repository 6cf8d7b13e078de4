package syscalls

import (
	"encoding/binary"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
)

// hostMsq is the host's struct msqid64_ds.
type hostMsq struct {
	Perm                 hostPerm
	Stime, Rtime, Ctime  int64
	Cbytes, Qnum, Qbytes uint64
	Lspid, Lrpid         int32
	_                    [2]uint64
}

// msgMax is the longest message of a queue (kernel.msgmax).
var msgMax = sync.OnceValue(func() uint64 {
	const usual = 8192
	b, err := os.ReadFile("/proc/sys/kernel/msgmax")
	if err != nil {
		return usual
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 24)
	if err != nil {
		return usual
	}
	return n
})

func sysMsgget(c *Ctx) (uint64, error) {
	return hostCall(unix.SYS_MSGGET, uintptr(c.Int()), uintptr(c.Int()), 0)
}

func (c *Ctx) msgsnd(id int, addr uint64, n int64, flags int) (uint64, error) {
	typ, err := c.ReadWord(addr)
	if err != nil {
		return 0, err
	}
	if n < 0 || uint64(n) > msgMax() || id < 0 || c.longOf(typ) < 1 {
		return 0, unix.EINVAL
	}
	b := make([]byte, 8+n) // the host's struct msgbuf
	binary.NativeEndian.PutUint64(b, uint64(c.longOf(typ)))
	if err := c.Space().CopyIn(b[8:], addr+uint64(c.A.Word)); err != nil {
		return 0, err
	}
	err = c.retry(unix.EAGAIN, flags&unix.IPC_NOWAIT != 0, func(wait bool) error {
		if !wait {
			flags |= unix.IPC_NOWAIT
		}
		_, _, e := unix.Syscall6(unix.SYS_MSGSND, uintptr(id), uintptr(unsafe.Pointer(&b[0])), uintptr(n), uintptr(flags), 0, 0)
		return asError(e)
	})
	if err == nil {
		c.used(ipcMsg, id, msgSender)
	}
	return 0, err
}

func (c *Ctx) msgrcv(id int, addr uint64, n, typ int64, flags int) (uint64, error) {
	if id < 0 || n < 0 {
		return 0, unix.EINVAL
	}
	room := min(uint64(n), msgMax())
	b := make([]byte, 8+room)
	var got uintptr
	err := c.retry(unix.ENOMSG, flags&unix.IPC_NOWAIT != 0, func(wait bool) error {
		if !wait {
			flags |= unix.IPC_NOWAIT
		}
		var e unix.Errno
		got, _, e = unix.Syscall6(unix.SYS_MSGRCV, uintptr(id), uintptr(unsafe.Pointer(&b[0])), uintptr(room), uintptr(typ), uintptr(flags), 0)
		return asError(e)
	})
	if err != nil {
		return 0, err
	}
	c.used(ipcMsg, id, msgReceiver)
	if err := c.WriteWord(addr, binary.NativeEndian.Uint64(b)); err != nil {
		return 0, err
	}
	return uint64(got), c.Space().CopyOut(b[8:8+got], addr+uint64(c.A.Word))
}

// Commands of msgctl(2) (linux/msg.h).
const (
	msgStat    = 11
	msgInfo    = 12
	msgStatAny = 13
)

func hostMsgctl(id, cmd int, arg unsafe.Pointer) (uint64, error) {
	v, _, e := unix.Syscall(unix.SYS_MSGCTL, uintptr(id), uintptr(cmd), uintptr(arg))
	return uint64(v), asError(e)
}

func (c *Ctx) msgctl(id, cmd int, addr uint64, heed bool) (uint64, error) {
	cmd, old := version(cmd, heed)
	name := ipcName("msqid", old)
	switch cmd {
	case unix.IPC_RMID:
		v, err := hostMsgctl(id, cmd, nil)
		if err == nil {
			c.K.ipcUsers.forget(ipcObject{ipcMsg, id})
		}
		return v, err
	case unix.IPC_STAT, msgStat, msgStatAny:
		var ds hostMsq
		v, err := hostMsgctl(id, cmd, unsafe.Pointer(&ds))
		if err != nil {
			return 0, err
		}
		if cmd != unix.IPC_STAT {
			id = int(v) // it was an index
		}
		return v, c.putMsq(name, addr, id, &ds)
	case unix.IPC_SET:
		s, err := c.LoadStruct(name, addr)
		if err != nil {
			return 0, err
		}
		var ds hostMsq
		ds.Perm.get(s, "msg_perm.")
		ds.Qbytes = s.Uint("msg_qbytes")
		return hostMsgctl(id, cmd, unsafe.Pointer(&ds))
	case ipcInfo, msgInfo:
		var h [8]int32 // msgseg, the last, is 16 bits of it
		v, err := hostMsgctl(id, cmd, unsafe.Pointer(&h))
		if err != nil {
			return 0, err
		}
		h[7] = int32(uint16(h[7]))
		return v, c.putInts("msginfo", addr, h[:], msginfoFields)
	}
	return 0, unix.EINVAL
}

var msginfoFields = []string{"msgpool", "msgmap", "msgmax", "msgmnb", "msgmni", "msgssz", "msgtql", "msgseg"}

func (c *Ctx) putMsq(name string, addr uint64, id int, ds *hostMsq) error {
	s := c.NewStruct(name)
	ds.Perm.put(s, "msg_perm.")
	setTime(s, "msg_stime", ds.Stime)
	setTime(s, "msg_rtime", ds.Rtime)
	setTime(s, "msg_ctime", ds.Ctime)
	for field, v := range map[string]uint64{
		"msg_cbytes": ds.Cbytes, "msg_qnum": ds.Qnum, "msg_qbytes": ds.Qbytes, "msg_lcbytes": ds.Cbytes, "msg_lqbytes": ds.Qbytes,
		"msg_lspid": c.user(ipcMsg, id, msgSender, ds.Lspid), "msg_lrpid": c.user(ipcMsg, id, msgReceiver, ds.Lrpid),
	} {
		if len(s.Field(field)) == 2 {
			v = min(v, 0xffff)
		}
		s.Set(field, v)
	}
	return s.Store(c, addr)
}

// hostMqAttr is the host's struct mq_attr.
type hostMqAttr struct {
	Flags, Maxmsg, Msgsize, Curmsgs int64
	_                               [4]int64
}

func (c *Ctx) mqAttr(addr uint64) (*hostMqAttr, error) {
	s, err := c.LoadStruct("mq_attr", addr)
	if err != nil {
		return nil, err
	}
	flags, _ := OpenFlags.Host(c.A, s.Uint("mq_flags"))
	return &hostMqAttr{Flags: int64(flags), Maxmsg: s.Int("mq_maxmsg"), Msgsize: s.Int("mq_msgsize"), Curmsgs: s.Int("mq_curmsgs")}, nil
}

func sysMqOpen(c *Ctx) (uint64, error) {
	namep, flags, mode, attrp := c.Addr(), uint64(c.Uint()), c.Uint(), c.Addr()
	name, err := c.Path(namep)
	if err != nil {
		return 0, err
	}
	host, _ := OpenFlags.Host(c.A, flags)
	host |= flags & unix.O_ACCMODE
	var attr *hostMqAttr
	if attrp != 0 && host&unix.O_CREAT != 0 {
		if attr, err = c.mqAttr(attrp); err != nil {
			return 0, err
		}
	}
	b, err := unix.BytePtrFromString(name)
	if err != nil {
		return 0, err
	}
	fd, _, e := unix.Syscall6(unix.SYS_MQ_OPEN, uintptr(unsafe.Pointer(b)), uintptr(host|unix.O_CLOEXEC),
		uintptr(mode&^c.fs().Mask()), uintptr(unsafe.Pointer(attr)), 0, 0)
	// Queues are close-on-exec without being asked.
	return c.installHost(int(fd), asError(e), plainFile, true)
}

func sysMqUnlink(c *Ctx) (uint64, error) {
	name, err := c.Path(c.Addr())
	if err != nil {
		return 0, err
	}
	b, err := unix.BytePtrFromString(name)
	if err != nil {
		return 0, err
	}
	_, _, e := unix.Syscall(unix.SYS_MQ_UNLINK, uintptr(unsafe.Pointer(b)), 0, 0)
	return 0, asError(e)
}

// maxMqMessage is HARD_MSGSIZEMAX of the kernel.
const maxMqMessage = 16 << 20

// mqEnd is the time at which a call on a queue gives up, nil for never.
func (c *Ctx) mqEnd(addr uint64, wide bool) (*unix.Timespec, error) {
	if addr == 0 {
		return nil, nil
	}
	ts, err := c.getTimespec(addr, wide)
	if err != nil {
		return nil, err
	}
	if !validTime(ts) {
		return nil, unix.EINVAL
	}
	return &ts, nil
}

// mqCall makes a call on a queue that waits until end at most.
func (c *Ctx) mqCall(f *File, end *unix.Timespec, call func(end *unix.Timespec) error) error {
	if c.T.Schedule() == nil {
		return c.restart(func() error { return call(end) })
	}
	left := time.Duration(-1)
	if end != nil {
		now, err := c.clockNow(unix.CLOCK_REALTIME)
		if err != nil {
			return err
		}
		left = max(0, duration(*end)-now)
	}
	// A time that has passed has the host not wait.
	return c.try(unix.ETIMEDOUT, left, func() error { return call(&unix.Timespec{}) })
}

func (c *Ctx) mqSend(wide bool) (uint64, error) {
	fd, addr, n, prio, timep := c.Int(), c.Addr(), c.Size(), c.Uint(), c.Addr()
	end, err := c.mqEnd(timep, wide)
	if err != nil {
		return 0, err
	}
	f, err := c.file(fd)
	if err != nil {
		return 0, err
	}
	if n > maxMqMessage {
		return 0, unix.EMSGSIZE
	}
	b := make([]byte, n+1)
	if err := c.Space().CopyIn(b[:n], addr); err != nil {
		return 0, err
	}
	return 0, c.mqCall(f, end, func(end *unix.Timespec) error {
		_, _, e := unix.Syscall6(unix.SYS_MQ_TIMEDSEND, uintptr(f.Host), uintptr(unsafe.Pointer(&b[0])), uintptr(n), uintptr(prio), uintptr(unsafe.Pointer(end)), 0)
		return asError(e)
	})
}

func (c *Ctx) mqReceive(wide bool) (uint64, error) {
	fd, addr, n, priop, timep := c.Int(), c.Addr(), c.Size(), c.Addr(), c.Addr()
	end, err := c.mqEnd(timep, wide)
	if err != nil {
		return 0, err
	}
	f, err := c.file(fd)
	if err != nil {
		return 0, err
	}
	bufs, err := c.Space().User(addr, min(n, maxMqMessage), arch.Write)
	if err != nil {
		return 0, err
	}
	size := 0
	for _, b := range bufs {
		size += len(b)
	}
	tmp := make([]byte, size+1)
	var got uintptr
	var prio uint32
	err = c.mqCall(f, end, func(end *unix.Timespec) error {
		var e unix.Errno
		got, _, e = unix.Syscall6(unix.SYS_MQ_TIMEDRECEIVE, uintptr(f.Host), uintptr(unsafe.Pointer(&tmp[0])), uintptr(size),
			uintptr(unsafe.Pointer(&prio)), uintptr(unsafe.Pointer(end)), 0)
		return asError(e)
	})
	if err != nil {
		return 0, err
	}
	if err := c.Space().CopyOut(tmp[:got], addr); err != nil {
		return 0, err
	}
	if priop != 0 {
		if err := c.Write32(priop, prio); err != nil {
			return 0, err
		}
	}
	return uint64(got), nil
}

func sysMqGetsetattr(c *Ctx) (uint64, error) {
	f, err := c.FD()
	if err != nil {
		return 0, err
	}
	newp, oldp := c.Addr(), c.Addr()
	var attr *hostMqAttr
	if newp != 0 {
		if attr, err = c.mqAttr(newp); err != nil {
			return 0, err
		}
	}
	var old hostMqAttr
	_, _, e := unix.Syscall(unix.SYS_MQ_GETSETATTR, uintptr(f.Host), uintptr(unsafe.Pointer(attr)), uintptr(unsafe.Pointer(&old)))
	if e != 0 || oldp == 0 {
		return 0, asError(e)
	}
	s := c.NewStruct("mq_attr")
	s.Set("mq_flags", OpenFlags.Guest(c.A, uint64(old.Flags)))
	s.Set("mq_maxmsg", uint64(old.Maxmsg))
	s.Set("mq_msgsize", uint64(old.Msgsize))
	s.Set("mq_curmsgs", uint64(old.Curmsgs))
	return 0, s.Store(c, oldp)
}
