package syscalls

import (
	"bytes"
	"time"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
)

var miscRows = []Row{
	{Name: "uname", Fn: func(c *Ctx) (uint64, error) { return c.uname("new_utsname") }, Level: Full},
	{Name: "olduname", Fn: func(c *Ctx) (uint64, error) { return c.uname("old_utsname") }, Level: Full},
	{Name: "oldolduname", Fn: func(c *Ctx) (uint64, error) { return c.uname("oldold_utsname") }, Level: Full},
	{Name: "sysinfo", Fn: sysSysinfo, Level: Full},
	{Name: "getrandom", Fn: sysGetrandom, Level: Full},
	{Name: "syslog", Fn: sysSyslog, Level: Partial, Note: "reading only"},
	{Name: "seccomp", Fn: func(*Ctx) (uint64, error) { return 0, unix.EINVAL }, Level: Partial, Note: "no filters: EINVAL"},
	{Name: "pidfd_open", Fn: sysPidfdOpen, Level: Full},
	{Name: "pidfd_getfd", Fn: sysPidfdGetfd, Level: Full},
	{Name: "kcmp", Fn: sysKcmp, Level: Full},

	{Name: "sethostname", Fn: refuse, Level: Partial, Note: noAdmin},
	{Name: "setdomainname", Fn: refuse, Level: Partial, Note: noAdmin},
	{Name: "reboot", Fn: refuse, Level: Partial, Note: noAdmin},
	{Name: "acct", Fn: refuse, Level: Partial, Note: noAdmin},
	{Name: "init_module", Fn: refuse, Level: Partial, Note: noAdmin},
	{Name: "finit_module", Fn: refuse, Level: Partial, Note: noAdmin},
	{Name: "delete_module", Fn: refuse, Level: Partial, Note: noAdmin},
	{Name: "kexec_load", Fn: refuse, Level: Partial, Note: noAdmin},
	{Name: "kexec_file_load", Fn: refuse, Level: Partial, Note: noAdmin},
	{Name: "swapon", Fn: refuse, Level: Partial, Note: noAdmin},
	{Name: "swapoff", Fn: refuse, Level: Partial, Note: noAdmin},
	{Name: "quotactl", Fn: refuse, Level: Partial, Note: noAdmin},
	{Name: "quotactl_fd", Fn: refuse, Level: Partial, Note: noAdmin},
	{Name: "vhangup", Fn: refuse, Level: Partial, Note: noAdmin},
	{Name: "unshare", Fn: sysUnshare, Level: Partial, Note: noAdmin},
	{Name: "setns", Fn: refuse, Level: Partial, Note: noAdmin},
	{Name: "bpf", Fn: refuse, Level: Partial, Note: noAdmin},
	{Name: "perf_event_open", Fn: refuse, Level: Partial, Note: noAdmin},
	{Name: "lookup_dcookie", Fn: refuse, Level: Partial, Note: noAdmin},
	{Name: "nfsservctl", Fn: missing, Level: Full},
	{Name: "_sysctl", Fn: missing, Level: Full},
	{Name: "create_module", Fn: missing, Level: Full},
	{Name: "get_kernel_syms", Fn: missing, Level: Full},
	{Name: "query_module", Fn: missing, Level: Full},
	{Name: "uselib", Fn: missing, Level: Full},
	{Name: "bdflush", Fn: missing, Level: Full},
	{Name: "sysfs", Fn: missing, Level: Partial, Note: "ENOSYS, as from a kernel without CONFIG_SYSFS_SYSCALL"},
}

const noAdmin = "what changes the machine is refused: EPERM"

// refuse is a call that needs more than an ordinary user has.
func refuse(*Ctx) (uint64, error) { return 0, unix.EPERM }

// missing is a call that kernels no longer have.
func missing(*Ctx) (uint64, error) { return 0, unix.ENOSYS }

// machine is utsname.machine: the CPU model's own, or the architecture's, or
// what a program that wants to be taken for a 32-bit one is told.
func (c *Ctx) machine() string {
	if m := c.A.ABI.Machine32; m != "" && c.P.Persona&perMask == perLinux32 {
		return m
	}
	if m := c.P.P.Model; m != nil && m.Machine != "" {
		return m.Machine
	}
	return c.A.ABI.Machine
}

func (c *Ctx) uname(layout string) (uint64, error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return 0, err
	}
	if !c.HasStruct(layout) {
		return 0, unix.ENOSYS
	}
	s := c.NewStruct(layout)
	for field, v := range map[string][]byte{
		"sysname": u.Sysname[:], "nodename": u.Nodename[:], "release": u.Release[:],
		"version": u.Version[:], "machine": []byte(c.machine()), "domainname": u.Domainname[:],
	} {
		b := s.Field(field)
		if len(b) == 0 {
			continue
		}
		v, _, _ = bytes.Cut(v, []byte{0})
		copy(b[:len(b)-1], v)
	}
	return 0, s.Store(c, c.Addr())
}

func sysSysinfo(c *Ctx) (uint64, error) {
	var i unix.Sysinfo_t
	if err := unix.Sysinfo(&i); err != nil {
		return 0, err
	}
	if s := c.T.Schedule(); s != nil {
		i.Uptime, i.Loads, i.Procs = int64((since+s.Now())/time.Second), [3]uint64{}, 1
		i.Freeram, i.Sharedram, i.Bufferram, i.Freeswap = i.Totalram/2, 0, 0, i.Totalswap
	}
	mem := []*uint64{&i.Totalram, &i.Freeram, &i.Sharedram, &i.Bufferram, &i.Totalswap, &i.Freeswap, &i.Totalhigh, &i.Freehigh}
	if c.A.Word == 4 && (i.Totalram>>32 != 0 || i.Totalswap>>32 != 0) {
		// Bigger units, so that the numbers fit, as for a 32-bit program on
		// a 64-bit kernel.
		shift := 0
		for i.Unit < pageMask+1 {
			i.Unit <<= 1
			shift++
		}
		for _, p := range mem {
			*p >>= shift
		}
	}
	s := c.NewStruct("sysinfo")
	for n, field := range []string{"totalram", "freeram", "sharedram", "bufferram", "totalswap", "freeswap", "totalhigh", "freehigh"} {
		s.Set(field, *mem[n])
	}
	s.Set("uptime", uint64(i.Uptime))
	s.Set("procs", uint64(i.Procs))
	s.Set("mem_unit", uint64(i.Unit))
	loads := s.Field("loads")
	for n, v := range i.Loads {
		putUint(c.A, loads[n*c.A.Word:(n+1)*c.A.Word], v)
	}
	return 0, s.Store(c, c.Addr())
}

// maxRandom is the most that getrandom(2) gives at a time.
const maxRandom = 32<<20 - 1

func sysGetrandom(c *Ctx) (uint64, error) {
	addr, n, flags := c.Addr(), c.Size(), c.Int()
	const known = unix.GRND_NONBLOCK | unix.GRND_RANDOM | unix.GRND_INSECURE
	if flags&^known != 0 || flags&unix.GRND_RANDOM != 0 && flags&unix.GRND_INSECURE != 0 {
		return 0, unix.EINVAL
	}
	bufs, err := c.buffer(addr, min(n, maxRandom), arch.Write)
	if err != nil {
		return 0, err
	}
	var done uint64
	for _, b := range bufs {
		for len(b) > 0 {
			got, err := c.random(b, flags)
			if err != nil {
				if done > 0 {
					return done, nil
				}
				return 0, err
			}
			done += uint64(got)
			b = b[got:]
		}
	}
	return done, nil
}

// Types of syslog(2) that read (linux/syslog.h).
const (
	syslogReadAll    = 3
	syslogSizeUnread = 9
	syslogSizeBuffer = 10
)

func sysSyslog(c *Ctx) (uint64, error) {
	kind, addr, n := c.Int(), c.Addr(), c.Int()
	switch kind {
	case 0, 1: // open and close do nothing
		return 0, nil
	case syslogSizeUnread, syslogSizeBuffer:
		return result(unix.Klogctl(kind, nil))
	case syslogReadAll:
		if addr == 0 || n < 0 {
			return 0, unix.EINVAL
		}
		bufs, err := c.buffer(addr, uint64(n), arch.Write)
		if err != nil || len(bufs) == 0 {
			return 0, err
		}
		return result(unix.Klogctl(kind, bufs[0]))
	}
	if kind < 0 || kind > syslogSizeBuffer {
		return 0, unix.EINVAL
	}
	return 0, unix.EPERM
}

// sysUnshare gives the process what it shares with others for itself; its tasks
// have all in common.
func sysUnshare(c *Ctx) (uint64, error) {
	flags := c.Size()
	const alone = unix.CLONE_THREAD | unix.CLONE_SIGHAND | unix.CLONE_VM
	const own = unix.CLONE_FS | unix.CLONE_FILES | unix.CLONE_SYSVSEM | alone
	const spaces = unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWUSER | unix.CLONE_NEWPID |
		unix.CLONE_NEWNET | unix.CLONE_NEWCGROUP | unix.CLONE_NEWTIME
	switch {
	case flags&^(own|spaces) != 0:
		return 0, unix.EINVAL
	case flags&alone != 0 && len(c.P.P.Tasks()) > 1:
		return 0, unix.EINVAL
	case flags&spaces != 0:
		return 0, unix.EPERM
	}
	if flags&unix.CLONE_FILES != 0 {
		c.P.unshareFiles()
	}
	if flags&unix.CLONE_FS != 0 {
		c.task().unshareFS()
	}
	if flags&unix.CLONE_SYSVSEM != 0 {
		c.P.undoAll()
	}
	return 0, nil
}
