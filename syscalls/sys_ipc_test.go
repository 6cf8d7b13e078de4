package syscalls

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// ipc makes a call of System V by its own name, or through ipc(2) where there
// is no call of that name.
func (g *guest) ipc(name string, a ...uint64) (uint64, error) {
	for _, s := range g.A.Sysnum {
		if s.Name == name && name != "shmat" {
			return g.call(name, a...)
		}
	}
	a = append(a, make([]uint64, 6)...)
	switch name {
	case "shmat":
		out := g.words(0)
		if _, err := g.call("ipc", ipcShmat, a[0], a[2], out, a[1]); err != nil {
			return 0, err
		}
		return g.ReadWord(out)
	case "semop":
		return g.call("ipc", ipcSemop, a[0], a[2], 0, a[1])
	case "semctl":
		return g.call("ipc", ipcSemctl, a[0], a[1], a[2]|ipc64, g.words(a[3]))
	case "msgctl":
		return g.call("ipc", ipcMsgctl, a[0], a[1]|ipc64, 0, a[2])
	}
	g.t.Fatalf("ipc %s", name)
	return 0, nil
}

// ctl is a command with the bit for today's structures, where it is heeded.
func (g *guest) ctl(cmd uint64) uint64 {
	if g.directOld() {
		cmd |= ipc64
	}
	return cmd
}

func TestShm(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		id := g.ok("shmget", unix.IPC_PRIVATE, 2*page-1, 0o600|unix.IPC_CREAT)
		removed := false
		defer func() {
			if !removed {
				g.ok("shmctl", id, unix.IPC_RMID, 0)
			}
		}()
		a, err := g.ipc("shmat", id, 0, 0)
		require.NoError(t, err)
		b, err := g.ipc("shmat", id, 0x40000123, unix.SHM_RND|unix.SHM_RDONLY)
		require.NoError(t, err)
		require.EqualValues(t, 0x40000000, b)
		require.NoError(t, g.Write32(a+page, 0x1234))
		require.EqualValues(t, 0x1234, g.get32(b+page))
		require.Equal(t, unix.EFAULT, g.Write32(b, 1))
		g.ok("mprotect", b, page, rw)
		require.NoError(t, g.Write32(b, 7), "a read-only view that is made writable")
		_, err = g.call("shmat", id, b, 0)
		require.Equal(t, unix.EINVAL, err)
		_, err = g.call("shmat", id, b+1, 0)
		require.Equal(t, unix.EINVAL, err)

		ds := g.room(128)
		g.ok("shmctl", id, g.ctl(unix.IPC_STAT), ds)
		s := g.load("shmid64_ds", ds)
		require.EqualValues(t, 2*page-1, s.Uint("shm_segsz"))
		require.EqualValues(t, 2, s.Uint("shm_nattch"))
		require.EqualValues(t, os.Getpid(), s.Uint("shm_cpid"))
		require.EqualValues(t, 0o600, s.Uint("shm_perm.mode")&0o777)
		require.NotZero(t, s.Uint("shm_ctime"))

		g.ok("shmdt", b)
		require.True(t, g.Space().Free(b, 2*page))
		g.fails(unix.EINVAL, "shmdt", b)
		g.ok("munmap", a, page)
		g.ok("shmdt", a)
		require.True(t, g.Space().Free(a, 2*page))
		g.ok("shmctl", id, g.ctl(unix.IPC_STAT), ds)
		require.Zero(t, g.load("shmid64_ds", ds).Uint("shm_nattch"))
		g.ok("shmctl", id, g.ctl(ipcInfo), ds)
		g.ok("shmctl", id, unix.IPC_RMID, 0)
		removed = true
		_, err = g.call("shmat", id, 0, 0)
		require.Error(t, err)
	})
}

func TestSem(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		id := g.ok("semget", unix.IPC_PRIVATE, 3, 0o600)
		defer func() { g.ok("semctl", id, 0, unix.IPC_RMID, 0) }()
		ds := g.room(128)
		_, err := g.ipc("semctl", id, 0, g.ctl(unix.IPC_STAT), ds)
		require.NoError(t, err)
		require.EqualValues(t, 3, g.load("semid64_ds", ds).Uint("sem_nsems"))
		vals := make([]byte, 6)
		for i := range 3 {
			g.A.Order.PutUint16(vals[2*i:], uint16(10+i))
		}
		_, err = g.ipc("semctl", id, 0, semSetAll, g.bytes(vals))
		require.NoError(t, err)
		v := uint64(42)
		if g.A.Word == 8 && g.bigEndian() {
			v <<= 32 // the int of the union
		}
		_, err = g.ipc("semctl", id, 1, semSetVal, v)
		require.NoError(t, err)
		op := g.NewStruct("sembuf")
		down := -2
		op.Set("sem_num", 2)
		op.Set("sem_op", uint64(down))
		_, err = g.ipc("semop", id, g.bytes(op.Bytes()), 1)
		require.NoError(t, err)
		out := g.room(6)
		_, err = g.ipc("semctl", id, 0, semGetAll, out)
		require.NoError(t, err)
		b := g.get(out, 6)
		require.Equal(t, []uint16{10, 42, 10}, []uint16{g.A.Order.Uint16(b), g.A.Order.Uint16(b[2:]), g.A.Order.Uint16(b[4:])})
		require.EqualValues(t, 42, g.ok("semctl", id, 1, semGetVal, 0))
		down = -20
		op.Set("sem_op", uint64(down))
		g.fails(unix.EAGAIN, "semtimedop", id, g.bytes(op.Bytes()), 1, g.words(0, 1000))
		g.fails(unix.E2BIG, "semop", id, guestMem, maxSemOps+1)
		g.fails(unix.EINVAL, "semop", id, guestMem, 0)
	})
}

func TestMsg(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		id := g.ok("msgget", unix.IPC_PRIVATE, 0o600)
		defer func() { g.ok("msgctl", id, unix.IPC_RMID, 0) }()
		msg := g.words(7, 0)
		require.NoError(t, g.Space().CopyOut([]byte("text"), msg+uint64(g.A.Word)))
		g.ok("msgsnd", id, msg, 4, 0)
		g.ok("msgsnd", id, msg, 4, 0)
		g.fails(unix.EINVAL, "msgsnd", id, g.words(0, 0), 4, 0)
		g.fails(unix.EINVAL, "msgsnd", id, msg, 1<<30, 0)
		ds := g.room(128)
		_, err := g.ipc("msgctl", id, g.ctl(unix.IPC_STAT), ds)
		require.NoError(t, err)
		require.EqualValues(t, 2, g.load("msqid64_ds", ds).Uint("msg_qnum"))
		out := g.room(32)
		require.EqualValues(t, 4, g.ok("msgrcv", id, out, 16, 0, 0))
		require.Equal(t, "text", string(g.get(out+uint64(g.A.Word), 4)))
		typ, err := g.ReadWord(out)
		require.NoError(t, err)
		require.EqualValues(t, 7, typ)
		// The first form of ipc(2) takes the buffer and the type from memory.
		require.EqualValues(t, 4, g.ok("ipc", ipcMsgrcv, id, 16, 0, g.words(out, 7)))
		g.fails(unix.ENOMSG, "ipc", 1<<16|ipcMsgrcv, id, 16, 0o4000, out, 0) // IPC_NOWAIT
		g.fails(unix.ENOSYS, "ipc", 99)
	})
}

func TestMq(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		name := g.str(fmt.Sprintf("utemu-test-%d-%s", os.Getpid(), g.A.Name))
		attr := g.NewStruct("mq_attr")
		attr.Set("mq_maxmsg", 3)
		attr.Set("mq_msgsize", 64)
		fd := g.ok("mq_open", name, g.flag("O_CREAT")|g.flag("O_RDWR")|g.flag("O_NONBLOCK"), 0o600, g.bytes(attr.Bytes()))
		defer func() { g.ok("mq_unlink", name) }()
		old := g.room(64)
		g.ok("mq_getsetattr", fd, 0, old)
		s := g.load("mq_attr", old)
		require.Equal(t, []uint64{g.flag("O_NONBLOCK"), 3, 64}, []uint64{s.Uint("mq_flags"), s.Uint("mq_maxmsg"), s.Uint("mq_msgsize")})
		g.ok("mq_timedsend", fd, g.str("hello"), 5, 9, 0)
		buf, prio := g.room(64), g.room(4)
		g.fails(unix.EMSGSIZE, "mq_timedreceive", fd, buf, 5, 0, 0)
		require.EqualValues(t, 5, g.ok("mq_timedreceive", fd, buf, 64, prio, 0))
		require.Equal(t, "hello", g.text(buf))
		require.EqualValues(t, 9, g.get32(prio))
		g.fails(unix.EAGAIN, "mq_timedreceive", fd, buf, 64, prio, 0)
		g.fails(unix.EMSGSIZE, "mq_timedsend", fd, buf, 1<<30, 0, 0)
		g.fails(unix.EINVAL, "mq_timedsend", fd, buf, 1, 0, g.words(0, 1e9))
	})
}
