package syscalls

import "golang.org/x/sys/unix"

var ipcRows = []Row{
	{Name: "ipc", Fn: sysIPC, Level: Full},
	{Name: "shmget", Fn: sysShmget, Level: Full},
	{Name: "shmat", Fn: func(c *Ctx) (uint64, error) { return c.shmat(c.Int(), c.Addr(), c.Int()) }, Level: Full},
	{Name: "shmdt", Fn: func(c *Ctx) (uint64, error) { return c.shmdt(c.Addr()) }, Level: Full},
	{Name: "shmctl", Fn: func(c *Ctx) (uint64, error) { return c.shmctl(c.Int(), c.Int(), c.Addr(), c.directOld()) }, Level: Full},
	{Name: "semget", Fn: sysSemget, Level: Full},
	{Name: "semop", Fn: func(c *Ctx) (uint64, error) { return c.semop(c.Int(), c.Addr(), uint64(c.Uint()), 0, false) }, Level: Full},
	{Name: "semtimedop", Fn: func(c *Ctx) (uint64, error) {
		return c.semop(c.Int(), c.Addr(), uint64(c.Uint()), c.Addr(), false)
	}, Level: Full},
	{Name: "semtimedop_time64", Fn: func(c *Ctx) (uint64, error) {
		return c.semop(c.Int(), c.Addr(), uint64(c.Uint()), c.Addr(), true)
	}, Level: Full},
	{Name: "semctl", Fn: func(c *Ctx) (uint64, error) {
		return c.semctl(c.Int(), c.Int(), c.Int(), c.Size(), c.directOld())
	}, Level: Full},
	{Name: "msgget", Fn: sysMsgget, Level: Full},
	{Name: "msgsnd", Fn: func(c *Ctx) (uint64, error) { return c.msgsnd(c.Int(), c.Addr(), c.Long(), c.Int()) }, Level: Full},
	{Name: "msgrcv", Fn: func(c *Ctx) (uint64, error) {
		return c.msgrcv(c.Int(), c.Addr(), c.Long(), c.Long(), c.Int())
	}, Level: Full},
	{Name: "msgctl", Fn: func(c *Ctx) (uint64, error) { return c.msgctl(c.Int(), c.Int(), c.Addr(), c.directOld()) }, Level: Full},
	{Name: "mq_open", Fn: sysMqOpen, Level: Full},
	{Name: "mq_unlink", Fn: sysMqUnlink, Level: Full},
	{Name: "mq_timedsend", Fn: func(c *Ctx) (uint64, error) { return c.mqSend(false) }, Level: Full},
	{Name: "mq_timedsend_time64", Fn: func(c *Ctx) (uint64, error) { return c.mqSend(true) }, Level: Full},
	{Name: "mq_timedreceive", Fn: func(c *Ctx) (uint64, error) { return c.mqReceive(false) }, Level: Full},
	{Name: "mq_timedreceive_time64", Fn: func(c *Ctx) (uint64, error) { return c.mqReceive(true) }, Level: Full},
	{Name: "mq_getsetattr", Fn: sysMqGetsetattr, Level: Full},
	{Name: "mq_notify", Fn: sysMqNotify, Level: Full},
}

// The calls that ipc(2) stands for (linux/ipc.h).
const (
	ipcSemop      = 1
	ipcSemget     = 2
	ipcSemctl     = 3
	ipcSemtimedop = 4
	ipcMsgsnd     = 11
	ipcMsgrcv     = 12
	ipcMsgget     = 13
	ipcMsgctl     = 14
	ipcShmat      = 21
	ipcShmdt      = 22
	ipcShmget     = 23
	ipcShmctl     = 24
)

// ipcInfo is the command IPC_INFO of the control calls.
const ipcInfo = 3

// ipc64 is the bit of a control command that asks for the structures of today
// (IPC_64); without it they are those of libc 5.
const ipc64 = 0x100

// directOld tells whether the control calls that are calls of their own heed
// ipc64: they do where they are as old as the bit, which is on a 32-bit
// architecture that never had ipc(2).
func (c *Ctx) directOld() bool { return c.A.Word == 4 && !c.P.table.ipc }

// version takes ipc64 off a command; old is for structures without it.
func version(cmd int, heed bool) (plain int, old bool) {
	return cmd &^ ipc64, heed && cmd&ipc64 == 0
}

// sysIPC serves ipc(2), ipc/syscall.c.
func sysIPC(c *Ctx) (uint64, error) {
	call, first, second, third, ptr, fifth := c.Uint(), c.Int(), c.Size(), c.Size(), c.Addr(), c.Size()
	ver := call >> 16
	switch call & 0xffff {
	case ipcSemop:
		return c.semop(first, ptr, second, 0, false)
	case ipcSemtimedop:
		return c.semop(first, ptr, second, fifth, false)
	case ipcSemget:
		return hostCall(unix.SYS_SEMGET, uintptr(first), uintptr(int32(second)), uintptr(int32(third)))
	case ipcSemctl:
		if ptr == 0 {
			return 0, unix.EINVAL
		}
		arg, err := c.ReadWord(ptr)
		if err != nil {
			return 0, err
		}
		return c.semctl(first, int(int32(second)), int(int32(third)), arg, true)
	case ipcMsgsnd:
		return c.msgsnd(first, ptr, c.longOf(second), int(int32(third)))
	case ipcMsgrcv:
		typ := fifth
		if ver == 0 {
			if ptr == 0 {
				return 0, unix.EINVAL
			}
			s, err := c.LoadStruct("ipc_kludge", ptr)
			if err != nil {
				return 0, err
			}
			ptr, typ = s.Uint("msgp"), s.Uint("msgtyp")
		}
		return c.msgrcv(first, ptr, c.longOf(second), c.longOf(typ), int(int32(third)))
	case ipcMsgget:
		return hostCall(unix.SYS_MSGGET, uintptr(first), uintptr(int32(second)), 0)
	case ipcMsgctl:
		return c.msgctl(first, int(int32(second)), ptr, true)
	case ipcShmat:
		if ver == 1 {
			return 0, unix.EINVAL
		}
		addr, err := c.shmat(first, ptr, int(int32(second)))
		if err != nil {
			return 0, err
		}
		return 0, c.WriteWord(third, addr)
	case ipcShmdt:
		return c.shmdt(ptr)
	case ipcShmget:
		return c.shmget(first, second, int(int32(third)))
	case ipcShmctl:
		return c.shmctl(first, int(int32(second)), ptr, true)
	}
	return 0, unix.ENOSYS
}

// hostPerm is the host's struct ipc64_perm, of a 64-bit kernel.
type hostPerm struct {
	Key                        int32
	UID, GID, CUID, CGID, Mode uint32
	Seq                        uint16
	_                          uint16
	_                          uint32
	_                          [2]uint64
}

// put writes the permissions into the field prefix names.
func (p *hostPerm) put(s *Struct, prefix string) {
	for field, v := range map[string]uint32{
		"key": uint32(p.Key), "uid": p.UID, "gid": p.GID, "cuid": p.CUID, "cgid": p.CGID, "mode": p.Mode, "seq": uint32(p.Seq),
	} {
		f := s.Field(prefix + field)
		if field[len(field)-2:] == "id" && len(f) == 2 && v > 0xffff {
			v = overflowID
		}
		s.Set(prefix+field, uint64(v))
	}
}

// get reads what the control calls can set.
func (p *hostPerm) get(s *Struct, prefix string) {
	p.UID, p.GID, p.Mode = uint32(s.Uint(prefix+"uid")), uint32(s.Uint(prefix+"gid")), uint32(s.Uint(prefix+"mode"))
}

// setTime puts a time into the field or the pair of fields that name it.
func setTime(s *Struct, field string, t int64) {
	s.Set(field, uint64(t))
	s.Set(field+"_high", uint64(t)>>32)
}

// ipcName is the layout of a control call's structure.
func ipcName(base string, old bool) string {
	if old {
		return base + "_ds"
	}
	return base + "64_ds"
}
