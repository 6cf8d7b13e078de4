package syscalls

import (
	"fmt"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
)

// Flag is one value of the kernel ABI that has a name: a bit, several bits, or
// one value of a field of several bits.
type Flag struct {
	Name string
	Host uint64
	// Field names the mask of the field that this is a value of; "" if its own
	// bits are all that matter.
	Field string
}

// Flags is a set of flags, whose values may differ between the architectures.
// The first of several flags that a value holds is the one it is shown as.
type Flags struct {
	list  []Flag
	cache sync.Map // *arch.Arch to *flagConv
}

func newFlags(list ...Flag) *Flags { return &Flags{list: list} }

// flagConv is a set as one architecture has it.
type flagConv struct {
	same bool // as on the host
	rows []flagRow
}

type flagRow struct {
	name                             string
	guest, guestMask, host, hostMask uint64
}

func (f *Flags) conv(a *arch.Arch) *flagConv {
	if c, ok := f.cache.Load(a); ok {
		return c.(*flagConv)
	}
	c := &flagConv{same: true}
	for _, e := range f.list {
		r := flagRow{name: e.Name, host: e.Host, hostMask: e.Host}
		g, ok := a.Const[e.Name]
		if !ok {
			c.same = false
			continue
		}
		r.guest, r.guestMask = g, g
		if e.Field != "" {
			r.guestMask, r.hostMask = a.Const[e.Field], f.field(e.Field)
		}
		c.same = c.same && r.guest == r.host && r.guestMask == r.hostMask
		c.rows = append(c.rows, r)
	}
	f.cache.Store(a, c)
	return c
}

// field is the host's mask of a field: all bits of its values.
func (f *Flags) field(name string) uint64 {
	var m uint64
	for _, e := range f.list {
		if e.Field == name {
			m |= e.Host
		}
	}
	return m
}

// host is all bits the host's values have.
func (f *Flags) host() uint64 {
	var m uint64
	for _, e := range f.list {
		m |= e.Host
	}
	return m
}

// Host turns a guest's value into the host's. What no flag of the guest's
// architecture stands for is returned as rest, in the guest's bits.
func (f *Flags) Host(a *arch.Arch, v uint64) (host, rest uint64) {
	rest = v
	for _, r := range f.conv(a).rows {
		if v&r.guestMask == r.guest {
			host |= r.host
			rest &^= r.guestMask
		}
	}
	return host, rest
}

// Guest turns a host's value into the guest's. Flags that the guest's
// architecture lacks are left out.
func (f *Flags) Guest(a *arch.Arch, v uint64) uint64 {
	var guest uint64
	for _, r := range f.conv(a).rows {
		if v&r.hostMask == r.host {
			guest |= r.guest
		}
	}
	return guest
}

// Same tells that all values are the host's own.
func (f *Flags) Same(a *arch.Arch) bool { return f.conv(a).same }

// Format writes a guest's value as strace does: names joined by "|", what has
// no name in hexadecimal, and nothing for 0.
func (f *Flags) Format(a *arch.Arch, v uint64) string {
	var out []string
	rest := v
	for _, r := range f.conv(a).rows {
		if r.guest == 0 || r.guestMask == r.guest && rest&r.guest != r.guest || v&r.guestMask != r.guest {
			continue
		}
		out = append(out, r.name)
		rest &^= r.guestMask
	}
	if rest != 0 {
		out = append(out, fmt.Sprintf("%#x", rest))
	}
	return strings.Join(out, "|")
}

// Enum is a set of numbers that mean one thing each (commands, options), whose
// values may differ between the architectures.
type Enum struct {
	list  []Flag
	cache sync.Map // *arch.Arch to *enumConv
}

func newEnum(list ...Flag) *Enum { return &Enum{list: list} }

type enumConv struct {
	host, guest map[uint64]uint64
	name        map[uint64]string // by the guest's value
}

func (e *Enum) conv(a *arch.Arch) *enumConv {
	if c, ok := e.cache.Load(a); ok {
		return c.(*enumConv)
	}
	c := &enumConv{map[uint64]uint64{}, map[uint64]uint64{}, map[uint64]string{}}
	for _, f := range e.list {
		g, ok := a.Const[f.Name]
		if !ok {
			continue
		}
		if _, ok := c.host[g]; !ok {
			c.host[g], c.name[g] = f.Host, f.Name
		}
		if _, ok := c.guest[f.Host]; !ok {
			c.guest[f.Host] = g
		}
	}
	e.cache.Store(a, c)
	return c
}

// Host is the host's number for a guest's; ok is false if it means nothing.
func (e *Enum) Host(a *arch.Arch, v uint64) (host uint64, ok bool) {
	host, ok = e.conv(a).host[v]
	return host, ok
}

// Guest is the guest's number for a host's; ok is false if the guest's
// architecture has none.
func (e *Enum) Guest(a *arch.Arch, v uint64) (guest uint64, ok bool) {
	guest, ok = e.conv(a).guest[v]
	return guest, ok
}

// Name is the name of a guest's number, "" if it means nothing.
func (e *Enum) Name(a *arch.Arch, v uint64) string { return e.conv(a).name[v] }

// Bits that C libraries hide inside other flags, by include/uapi/asm-generic/fcntl.h.
const (
	hostSync    = unix.O_SYNC &^ unix.O_DSYNC
	hostTmpfile = unix.O_TMPFILE &^ unix.O_DIRECTORY
)

// OpenFlags are the flags of open(2) without the access mode. O_LARGEFILE is
// no flag of the host, which always has it.
var OpenFlags = newFlags(
	Flag{Name: "O_TMPFILE", Host: unix.O_TMPFILE},
	Flag{Name: "O_SYNC", Host: unix.O_SYNC},
	Flag{Name: "O_CREAT", Host: unix.O_CREAT},
	Flag{Name: "O_EXCL", Host: unix.O_EXCL},
	Flag{Name: "O_NOCTTY", Host: unix.O_NOCTTY},
	Flag{Name: "O_TRUNC", Host: unix.O_TRUNC},
	Flag{Name: "O_APPEND", Host: unix.O_APPEND},
	Flag{Name: "O_NONBLOCK", Host: unix.O_NONBLOCK},
	Flag{Name: "O_DSYNC", Host: unix.O_DSYNC},
	Flag{Name: "FASYNC", Host: unix.O_ASYNC},
	Flag{Name: "O_DIRECT", Host: unix.O_DIRECT},
	Flag{Name: "O_DIRECTORY", Host: unix.O_DIRECTORY},
	Flag{Name: "O_NOFOLLOW", Host: unix.O_NOFOLLOW},
	Flag{Name: "O_NOATIME", Host: unix.O_NOATIME},
	Flag{Name: "O_CLOEXEC", Host: unix.O_CLOEXEC},
	Flag{Name: "O_PATH", Host: unix.O_PATH},
	Flag{Name: "__O_SYNC", Host: hostSync},
	Flag{Name: "__O_TMPFILE", Host: hostTmpfile},
)

// MmapFlags are the flags of mmap(2) without MAP_TYPE's.
var MmapFlags = newFlags(
	Flag{Name: "MAP_FIXED", Host: unix.MAP_FIXED},
	Flag{Name: "MAP_ANONYMOUS", Host: unix.MAP_ANONYMOUS},
	Flag{Name: "MAP_GROWSDOWN", Host: unix.MAP_GROWSDOWN},
	Flag{Name: "MAP_DENYWRITE", Host: unix.MAP_DENYWRITE},
	Flag{Name: "MAP_EXECUTABLE", Host: unix.MAP_EXECUTABLE},
	Flag{Name: "MAP_LOCKED", Host: unix.MAP_LOCKED},
	Flag{Name: "MAP_NORESERVE", Host: unix.MAP_NORESERVE},
	Flag{Name: "MAP_POPULATE", Host: unix.MAP_POPULATE},
	Flag{Name: "MAP_NONBLOCK", Host: unix.MAP_NONBLOCK},
	Flag{Name: "MAP_STACK", Host: unix.MAP_STACK},
	Flag{Name: "MAP_HUGETLB", Host: unix.MAP_HUGETLB},
	Flag{Name: "MAP_SYNC", Host: unix.MAP_SYNC},
	Flag{Name: "MAP_FIXED_NOREPLACE", Host: unix.MAP_FIXED_NOREPLACE},
)

// McLockFlags are the flags of mlockall(2).
var McLockFlags = newFlags(
	Flag{Name: "MCL_CURRENT", Host: unix.MCL_CURRENT},
	Flag{Name: "MCL_FUTURE", Host: unix.MCL_FUTURE},
	Flag{Name: "MCL_ONFAULT", Host: unix.MCL_ONFAULT},
)

// PollEvents are the events of poll(2).
var PollEvents = newFlags(
	Flag{Name: "POLLIN", Host: 0x1},
	Flag{Name: "POLLPRI", Host: 0x2},
	Flag{Name: "POLLOUT", Host: 0x4},
	Flag{Name: "POLLERR", Host: 0x8},
	Flag{Name: "POLLHUP", Host: 0x10},
	Flag{Name: "POLLNVAL", Host: 0x20},
	Flag{Name: "POLLRDNORM", Host: 0x40},
	Flag{Name: "POLLRDBAND", Host: 0x80},
	Flag{Name: "POLLWRNORM", Host: 0x100},
	Flag{Name: "POLLWRBAND", Host: 0x200},
	Flag{Name: "POLLMSG", Host: 0x400},
	Flag{Name: "POLLRDHUP", Host: 0x2000},
)

// FcntlCommands are the commands of fcntl(2). Those of locks have numbers of
// their own here, since the host's differ with its word size.
var FcntlCommands = newEnum(
	Flag{Name: "F_GETLK", Host: cmdGetlk},
	Flag{Name: "F_SETLK", Host: cmdSetlk},
	Flag{Name: "F_SETLKW", Host: cmdSetlkw},
	Flag{Name: "F_GETLK64", Host: cmdGetlk64},
	Flag{Name: "F_SETLK64", Host: cmdSetlk64},
	Flag{Name: "F_SETLKW64", Host: cmdSetlkw64},
	Flag{Name: "F_GETOWNER_UIDS", Host: cmdGetownerUIDs},
	Flag{Name: "F_DUPFD", Host: unix.F_DUPFD},
	Flag{Name: "F_GETFD", Host: unix.F_GETFD},
	Flag{Name: "F_SETFD", Host: unix.F_SETFD},
	Flag{Name: "F_GETFL", Host: unix.F_GETFL},
	Flag{Name: "F_SETFL", Host: unix.F_SETFL},
	Flag{Name: "F_SETOWN", Host: unix.F_SETOWN},
	Flag{Name: "F_GETOWN", Host: unix.F_GETOWN},
	Flag{Name: "F_SETSIG", Host: unix.F_SETSIG},
	Flag{Name: "F_GETSIG", Host: unix.F_GETSIG},
	Flag{Name: "F_SETOWN_EX", Host: unix.F_SETOWN_EX},
	Flag{Name: "F_GETOWN_EX", Host: unix.F_GETOWN_EX},
	Flag{Name: "F_OFD_GETLK", Host: unix.F_OFD_GETLK},
	Flag{Name: "F_OFD_SETLK", Host: unix.F_OFD_SETLK},
	Flag{Name: "F_OFD_SETLKW", Host: unix.F_OFD_SETLKW},
	Flag{Name: "F_SETLEASE", Host: unix.F_SETLEASE},
	Flag{Name: "F_GETLEASE", Host: unix.F_GETLEASE},
	Flag{Name: "F_NOTIFY", Host: unix.F_NOTIFY},
	Flag{Name: "F_DUPFD_CLOEXEC", Host: unix.F_DUPFD_CLOEXEC},
	Flag{Name: "F_SETPIPE_SZ", Host: unix.F_SETPIPE_SZ},
	Flag{Name: "F_GETPIPE_SZ", Host: unix.F_GETPIPE_SZ},
	Flag{Name: "F_ADD_SEALS", Host: unix.F_ADD_SEALS},
	Flag{Name: "F_GET_SEALS", Host: unix.F_GET_SEALS},
	Flag{Name: "F_GET_RW_HINT", Host: unix.F_GET_RW_HINT},
	Flag{Name: "F_SET_RW_HINT", Host: unix.F_SET_RW_HINT},
	Flag{Name: "F_GET_FILE_RW_HINT", Host: unix.F_GET_FILE_RW_HINT},
	Flag{Name: "F_SET_FILE_RW_HINT", Host: unix.F_SET_FILE_RW_HINT},
)

// Commands without a number of the host's. Those with 64 are of 32-bit
// architectures: struct flock64.
const (
	cmdGetlk = 1<<32 + iota
	cmdSetlk
	cmdSetlkw
	cmdGetlk64
	cmdSetlk64
	cmdSetlkw64
	cmdGetownerUIDs
)

// SocketOptions are the options of getsockopt(2)'s level SOL_SOCKET. Those
// whose value holds times have the number of the host's form of the same
// layout.
var SocketOptions = newEnum(
	Flag{Name: "SO_DEBUG", Host: unix.SO_DEBUG},
	Flag{Name: "SO_REUSEADDR", Host: unix.SO_REUSEADDR},
	Flag{Name: "SO_TYPE", Host: unix.SO_TYPE},
	Flag{Name: "SO_ERROR", Host: unix.SO_ERROR},
	Flag{Name: "SO_DONTROUTE", Host: unix.SO_DONTROUTE},
	Flag{Name: "SO_BROADCAST", Host: unix.SO_BROADCAST},
	Flag{Name: "SO_SNDBUF", Host: unix.SO_SNDBUF},
	Flag{Name: "SO_RCVBUF", Host: unix.SO_RCVBUF},
	Flag{Name: "SO_SNDBUFFORCE", Host: unix.SO_SNDBUFFORCE},
	Flag{Name: "SO_RCVBUFFORCE", Host: unix.SO_RCVBUFFORCE},
	Flag{Name: "SO_KEEPALIVE", Host: unix.SO_KEEPALIVE},
	Flag{Name: "SO_OOBINLINE", Host: unix.SO_OOBINLINE},
	Flag{Name: "SO_NO_CHECK", Host: unix.SO_NO_CHECK},
	Flag{Name: "SO_PRIORITY", Host: unix.SO_PRIORITY},
	Flag{Name: "SO_LINGER", Host: unix.SO_LINGER},
	Flag{Name: "SO_BSDCOMPAT", Host: unix.SO_BSDCOMPAT},
	Flag{Name: "SO_REUSEPORT", Host: unix.SO_REUSEPORT},
	Flag{Name: "SO_PASSCRED", Host: unix.SO_PASSCRED},
	Flag{Name: "SO_PEERCRED", Host: unix.SO_PEERCRED},
	Flag{Name: "SO_RCVLOWAT", Host: unix.SO_RCVLOWAT},
	Flag{Name: "SO_SNDLOWAT", Host: unix.SO_SNDLOWAT},
	Flag{Name: "SO_RCVTIMEO_OLD", Host: unix.SO_RCVTIMEO_OLD},
	Flag{Name: "SO_SNDTIMEO_OLD", Host: unix.SO_SNDTIMEO_OLD},
	Flag{Name: "SO_BINDTODEVICE", Host: unix.SO_BINDTODEVICE},
	Flag{Name: "SO_ATTACH_FILTER", Host: unix.SO_ATTACH_FILTER},
	Flag{Name: "SO_DETACH_FILTER", Host: unix.SO_DETACH_FILTER},
	Flag{Name: "SO_PEERNAME", Host: unix.SO_PEERNAME},
	Flag{Name: "SO_TIMESTAMP_OLD", Host: unix.SO_TIMESTAMP_OLD},
	Flag{Name: "SO_ACCEPTCONN", Host: unix.SO_ACCEPTCONN},
	Flag{Name: "SO_PEERSEC", Host: unix.SO_PEERSEC},
	Flag{Name: "SO_PASSSEC", Host: unix.SO_PASSSEC},
	Flag{Name: "SO_TIMESTAMPNS_OLD", Host: unix.SO_TIMESTAMPNS_OLD},
	Flag{Name: "SO_MARK", Host: unix.SO_MARK},
	Flag{Name: "SO_TIMESTAMPING_OLD", Host: unix.SO_TIMESTAMPING_OLD},
	Flag{Name: "SO_PROTOCOL", Host: unix.SO_PROTOCOL},
	Flag{Name: "SO_DOMAIN", Host: unix.SO_DOMAIN},
	Flag{Name: "SO_RXQ_OVFL", Host: unix.SO_RXQ_OVFL},
	Flag{Name: "SO_WIFI_STATUS", Host: unix.SO_WIFI_STATUS},
	Flag{Name: "SO_PEEK_OFF", Host: unix.SO_PEEK_OFF},
	Flag{Name: "SO_NOFCS", Host: unix.SO_NOFCS},
	Flag{Name: "SO_LOCK_FILTER", Host: unix.SO_LOCK_FILTER},
	Flag{Name: "SO_SELECT_ERR_QUEUE", Host: unix.SO_SELECT_ERR_QUEUE},
	Flag{Name: "SO_BUSY_POLL", Host: unix.SO_BUSY_POLL},
	Flag{Name: "SO_MAX_PACING_RATE", Host: unix.SO_MAX_PACING_RATE},
	Flag{Name: "SO_BPF_EXTENSIONS", Host: unix.SO_BPF_EXTENSIONS},
	Flag{Name: "SO_INCOMING_CPU", Host: unix.SO_INCOMING_CPU},
	Flag{Name: "SO_ATTACH_BPF", Host: unix.SO_ATTACH_BPF},
	Flag{Name: "SO_ATTACH_REUSEPORT_CBPF", Host: unix.SO_ATTACH_REUSEPORT_CBPF},
	Flag{Name: "SO_ATTACH_REUSEPORT_EBPF", Host: unix.SO_ATTACH_REUSEPORT_EBPF},
	Flag{Name: "SO_CNX_ADVICE", Host: unix.SO_CNX_ADVICE},
	Flag{Name: "SO_MEMINFO", Host: unix.SO_MEMINFO},
	Flag{Name: "SO_INCOMING_NAPI_ID", Host: unix.SO_INCOMING_NAPI_ID},
	Flag{Name: "SO_COOKIE", Host: unix.SO_COOKIE},
	Flag{Name: "SO_PEERGROUPS", Host: unix.SO_PEERGROUPS},
	Flag{Name: "SO_ZEROCOPY", Host: unix.SO_ZEROCOPY},
	Flag{Name: "SO_TXTIME", Host: unix.SO_TXTIME},
	Flag{Name: "SO_BINDTOIFINDEX", Host: unix.SO_BINDTOIFINDEX},
	Flag{Name: "SO_TIMESTAMP_NEW", Host: unix.SO_TIMESTAMP_NEW},
	Flag{Name: "SO_TIMESTAMPNS_NEW", Host: unix.SO_TIMESTAMPNS_NEW},
	Flag{Name: "SO_TIMESTAMPING_NEW", Host: unix.SO_TIMESTAMPING_NEW},
	Flag{Name: "SO_RCVTIMEO_NEW", Host: unix.SO_RCVTIMEO_NEW},
	Flag{Name: "SO_SNDTIMEO_NEW", Host: unix.SO_SNDTIMEO_NEW},
	Flag{Name: "SO_DETACH_REUSEPORT_BPF", Host: unix.SO_DETACH_REUSEPORT_BPF},
	Flag{Name: "SO_PREFER_BUSY_POLL", Host: unix.SO_PREFER_BUSY_POLL},
	Flag{Name: "SO_BUSY_POLL_BUDGET", Host: unix.SO_BUSY_POLL_BUDGET},
	Flag{Name: "SO_NETNS_COOKIE", Host: unix.SO_NETNS_COOKIE},
	Flag{Name: "SO_BUF_LOCK", Host: unix.SO_BUF_LOCK},
	Flag{Name: "SO_RESERVE_MEM", Host: unix.SO_RESERVE_MEM},
	Flag{Name: "SO_TXREHASH", Host: unix.SO_TXREHASH},
	Flag{Name: "SO_RCVMARK", Host: unix.SO_RCVMARK},
)

// TermInput, TermOutput, TermControl and TermLocal are the mode words of
// termios(3), without speeds in TermControl.
var (
	TermInput = newFlags(
		Flag{Name: "IGNBRK", Host: unix.IGNBRK},
		Flag{Name: "BRKINT", Host: unix.BRKINT},
		Flag{Name: "IGNPAR", Host: unix.IGNPAR},
		Flag{Name: "PARMRK", Host: unix.PARMRK},
		Flag{Name: "INPCK", Host: unix.INPCK},
		Flag{Name: "ISTRIP", Host: unix.ISTRIP},
		Flag{Name: "INLCR", Host: unix.INLCR},
		Flag{Name: "IGNCR", Host: unix.IGNCR},
		Flag{Name: "ICRNL", Host: unix.ICRNL},
		Flag{Name: "IUCLC", Host: unix.IUCLC},
		Flag{Name: "IXON", Host: unix.IXON},
		Flag{Name: "IXANY", Host: unix.IXANY},
		Flag{Name: "IXOFF", Host: unix.IXOFF},
		Flag{Name: "IMAXBEL", Host: unix.IMAXBEL},
		Flag{Name: "IUTF8", Host: unix.IUTF8},
	)
	TermOutput = newFlags(
		Flag{Name: "OPOST", Host: unix.OPOST},
		Flag{Name: "OLCUC", Host: unix.OLCUC},
		Flag{Name: "ONLCR", Host: unix.ONLCR},
		Flag{Name: "OCRNL", Host: unix.OCRNL},
		Flag{Name: "ONOCR", Host: unix.ONOCR},
		Flag{Name: "ONLRET", Host: unix.ONLRET},
		Flag{Name: "OFILL", Host: unix.OFILL},
		Flag{Name: "OFDEL", Host: unix.OFDEL},
		Flag{Name: "NL0", Host: unix.NL0, Field: "NLDLY"},
		Flag{Name: "NL1", Host: unix.NL1, Field: "NLDLY"},
		Flag{Name: "CR0", Host: unix.CR0, Field: "CRDLY"},
		Flag{Name: "CR1", Host: unix.CR1, Field: "CRDLY"},
		Flag{Name: "CR2", Host: unix.CR2, Field: "CRDLY"},
		Flag{Name: "CR3", Host: unix.CR3, Field: "CRDLY"},
		Flag{Name: "TAB0", Host: unix.TAB0, Field: "TABDLY"},
		Flag{Name: "TAB1", Host: unix.TAB1, Field: "TABDLY"},
		Flag{Name: "TAB2", Host: unix.TAB2, Field: "TABDLY"},
		Flag{Name: "TAB3", Host: unix.TAB3, Field: "TABDLY"},
		Flag{Name: "BS0", Host: unix.BS0, Field: "BSDLY"},
		Flag{Name: "BS1", Host: unix.BS1, Field: "BSDLY"},
		Flag{Name: "VT0", Host: unix.VT0, Field: "VTDLY"},
		Flag{Name: "VT1", Host: unix.VT1, Field: "VTDLY"},
		Flag{Name: "FF0", Host: unix.FF0, Field: "FFDLY"},
		Flag{Name: "FF1", Host: unix.FF1, Field: "FFDLY"},
	)
	TermControl = newFlags(
		Flag{Name: "CS5", Host: unix.CS5, Field: "CSIZE"},
		Flag{Name: "CS6", Host: unix.CS6, Field: "CSIZE"},
		Flag{Name: "CS7", Host: unix.CS7, Field: "CSIZE"},
		Flag{Name: "CS8", Host: unix.CS8, Field: "CSIZE"},
		Flag{Name: "CSTOPB", Host: unix.CSTOPB},
		Flag{Name: "CREAD", Host: unix.CREAD},
		Flag{Name: "PARENB", Host: unix.PARENB},
		Flag{Name: "PARODD", Host: unix.PARODD},
		Flag{Name: "HUPCL", Host: unix.HUPCL},
		Flag{Name: "CLOCAL", Host: unix.CLOCAL},
		Flag{Name: "CMSPAR", Host: unix.CMSPAR},
		Flag{Name: "CRTSCTS", Host: unix.CRTSCTS},
	)
	TermLocal = newFlags(
		Flag{Name: "ISIG", Host: unix.ISIG},
		Flag{Name: "ICANON", Host: unix.ICANON},
		Flag{Name: "XCASE", Host: unix.XCASE},
		Flag{Name: "ECHO", Host: unix.ECHO},
		Flag{Name: "ECHOE", Host: unix.ECHOE},
		Flag{Name: "ECHOK", Host: unix.ECHOK},
		Flag{Name: "ECHONL", Host: unix.ECHONL},
		Flag{Name: "NOFLSH", Host: unix.NOFLSH},
		Flag{Name: "TOSTOP", Host: unix.TOSTOP},
		Flag{Name: "ECHOCTL", Host: unix.ECHOCTL},
		Flag{Name: "ECHOPRT", Host: unix.ECHOPRT},
		Flag{Name: "ECHOKE", Host: unix.ECHOKE},
		Flag{Name: "FLUSHO", Host: unix.FLUSHO},
		Flag{Name: "PENDIN", Host: unix.PENDIN},
		Flag{Name: "IEXTEN", Host: unix.IEXTEN},
		Flag{Name: "EXTPROC", Host: unix.EXTPROC},
	)
)

// TermSpeeds are the line speeds that have a number, TermChars the control
// characters' places in c_cc.
var (
	TermSpeeds = newEnum(
		Flag{Name: "B0", Host: unix.B0},
		Flag{Name: "B50", Host: unix.B50},
		Flag{Name: "B75", Host: unix.B75},
		Flag{Name: "B110", Host: unix.B110},
		Flag{Name: "B134", Host: unix.B134},
		Flag{Name: "B150", Host: unix.B150},
		Flag{Name: "B200", Host: unix.B200},
		Flag{Name: "B300", Host: unix.B300},
		Flag{Name: "B600", Host: unix.B600},
		Flag{Name: "B1200", Host: unix.B1200},
		Flag{Name: "B1800", Host: unix.B1800},
		Flag{Name: "B2400", Host: unix.B2400},
		Flag{Name: "B4800", Host: unix.B4800},
		Flag{Name: "B9600", Host: unix.B9600},
		Flag{Name: "B19200", Host: unix.B19200},
		Flag{Name: "B38400", Host: unix.B38400},
		Flag{Name: "BOTHER", Host: unix.BOTHER},
		Flag{Name: "B57600", Host: unix.B57600},
		Flag{Name: "B115200", Host: unix.B115200},
		Flag{Name: "B230400", Host: unix.B230400},
		Flag{Name: "B460800", Host: unix.B460800},
		Flag{Name: "B500000", Host: unix.B500000},
		Flag{Name: "B576000", Host: unix.B576000},
		Flag{Name: "B921600", Host: unix.B921600},
		Flag{Name: "B1000000", Host: unix.B1000000},
		Flag{Name: "B1152000", Host: unix.B1152000},
		Flag{Name: "B1500000", Host: unix.B1500000},
		Flag{Name: "B2000000", Host: unix.B2000000},
		Flag{Name: "B2500000", Host: unix.B2500000},
		Flag{Name: "B3000000", Host: unix.B3000000},
		Flag{Name: "B3500000", Host: unix.B3500000},
		Flag{Name: "B4000000", Host: unix.B4000000},
	)
	TermChars = newEnum(
		Flag{Name: "VINTR", Host: unix.VINTR},
		Flag{Name: "VQUIT", Host: unix.VQUIT},
		Flag{Name: "VERASE", Host: unix.VERASE},
		Flag{Name: "VKILL", Host: unix.VKILL},
		Flag{Name: "VEOF", Host: unix.VEOF},
		Flag{Name: "VTIME", Host: unix.VTIME},
		Flag{Name: "VMIN", Host: unix.VMIN},
		Flag{Name: "VSWTC", Host: unix.VSWTC},
		Flag{Name: "VSTART", Host: unix.VSTART},
		Flag{Name: "VSTOP", Host: unix.VSTOP},
		Flag{Name: "VSUSP", Host: unix.VSUSP},
		Flag{Name: "VEOL", Host: unix.VEOL},
		Flag{Name: "VREPRINT", Host: unix.VREPRINT},
		Flag{Name: "VDISCARD", Host: unix.VDISCARD},
		Flag{Name: "VWERASE", Host: unix.VWERASE},
		Flag{Name: "VLNEXT", Host: unix.VLNEXT},
		Flag{Name: "VEOL2", Host: unix.VEOL2},
	)
)
