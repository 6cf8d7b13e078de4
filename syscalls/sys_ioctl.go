package syscalls

import (
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
)

var ioctlRows = []Row{
	{Name: "ioctl", Fn: sysIoctl, Level: Partial, Note: "terminals, files, sockets and network interfaces"},
}

// ioctl serves one command with its argument.
type ioctl func(c *Ctx, f *File, arg uint64) (uint64, error)

// ioctls are the commands by the names of their numbers.
var ioctls = map[string]ioctl{
	// terminals: drivers/tty/tty_ioctl.c
	"TCGETS": getTermios("termios"), "TCGETS2": getTermios("termios2"), "TCGETA": getTermios("termio"),
	"TCSETS": changes(setTermios("termios", 0)), "TCSETSW": changes(setTermios("termios", 1)), "TCSETSF": changes(setTermios("termios", 2)),
	"TCSETS2": changes(setTermios("termios2", 0)), "TCSETSW2": changes(setTermios("termios2", 1)), "TCSETSF2": changes(setTermios("termios2", 2)),
	"TCSETA": changes(setTermios("termio", 0)), "TCSETAW": changes(setTermios("termio", 1)), "TCSETAF": changes(setTermios("termio", 2)),
	"TIOCGWINSZ": getShorts(unix.TIOCGWINSZ, 4), "TIOCSWINSZ": ttyResize,
	"TIOCGPGRP": ttyGetPgrp, "TIOCSPGRP": ttySetPgrp,
	"TIOCGSID": ttyGetSid, "TIOCOUTQ": getInts(unix.TIOCOUTQ, 1), "FIONREAD": getInts(unix.TIOCINQ, 1),
	"TIOCGETD": getInts(unix.TIOCGETD, 1), "TIOCSETD": setInts(unix.TIOCSETD, 1),
	"TIOCMGET": getInts(unix.TIOCMGET, 1), "TIOCMSET": setInts(unix.TIOCMSET, 1),
	"TIOCMBIS": setInts(unix.TIOCMBIS, 1), "TIOCMBIC": setInts(unix.TIOCMBIC, 1),
	"TIOCGPTN": getInts(unix.TIOCGPTN, 1), "TIOCSPTLCK": setInts(unix.TIOCSPTLCK, 1), "TIOCGPTLCK": getInts(unix.TIOCGPTLCK, 1),
	"TIOCGPKT": getInts(unix.TIOCGPKT, 1), "TIOCPKT": setInts(unix.TIOCPKT, 1), "TIOCGEXCL": getInts(unix.TIOCGEXCL, 1),
	"TIOCGDEV": getInts(unix.TIOCGDEV, 1), "TIOCGSOFTCAR": getInts(unix.TIOCGSOFTCAR, 1), "TIOCSSOFTCAR": setInts(unix.TIOCSSOFTCAR, 1),
	"TIOCSCTTY": ttySetControlling, "TIOCNOTTY": ttyLeave, "TIOCEXCL": number(unix.TIOCEXCL),
	"TIOCNXCL": number(unix.TIOCNXCL), "TCFLSH": changes(number(unix.TCFLSH)), "TCXONC": changes(number(unix.TCXONC)),
	"TCSBRK": changes(number(unix.TCSBRK)), "TCSBRKP": changes(number(unix.TCSBRKP)), "TIOCSBRK": number(unix.TIOCSBRK),
	"TIOCCBRK": number(unix.TIOCCBRK), "TIOCSIG": number(unix.TIOCSIG), "TIOCGPTPEER": openPeer,

	// any descriptor: fs/ioctl.c
	"FIOCLEX": onDescriptor, "FIONCLEX": onDescriptor, "FIONBIO": setNonblock, "FIOASYNC": onDescriptor,
	"FIOQSIZE": fileSize, "FIBMAP": inOut(hostFIBMAP, 1), "FIGETBSZ": getInts(hostFIGETBSZ, 1),
	"FICLONE": clone, "FICLONERANGE": cloneRange,
	"FS_IOC_GETFLAGS": getInts(unix.FS_IOC_GETFLAGS, 1), "FS_IOC_SETFLAGS": setInts(unix.FS_IOC_SETFLAGS, 1),
	"FS_IOC_GETVERSION": getInts(hostGetVersion, 1), "FS_IOC_FSGETXATTR": getInts(hostGetXattr, 7), "FS_IOC_FSSETXATTR": setInts(hostSetXattr, 7),

	// sockets: net/socket.c
	"SIOCINQ": getInts(unix.TIOCINQ, 1), "SIOCOUTQ": getInts(unix.TIOCOUTQ, 1), "SIOCATMARK": getInts(siocAtMark, 1),
	"FIOSETOWN": setOwner, "SIOCSPGRP": setOwner, "FIOGETOWN": getOwner, "SIOCGPGRP": getOwner,
	"SIOCGSTAMP_OLD": stamp(stampOld, false), "SIOCGSTAMPNS_OLD": stamp(stampNsOld, false),
	"SIOCGSTAMP_NEW": stamp(stampOld, true), "SIOCGSTAMPNS_NEW": stamp(stampNsOld, true),
	"SIOCGIFCONF": ifconf, "SIOCGIFNAME": ifreq(unix.SIOCGIFNAME, "ifr_ifindex"),
	"SIOCGIFINDEX": ifreq(unix.SIOCGIFINDEX, "ifr_ifindex"), "SIOCGIFFLAGS": ifreq(unix.SIOCGIFFLAGS, "ifr_flags"),
	"SIOCSIFFLAGS": ifreq(unix.SIOCSIFFLAGS, "ifr_flags"), "SIOCGIFMTU": ifreq(unix.SIOCGIFMTU, "ifr_mtu"),
	"SIOCSIFMTU": ifreq(unix.SIOCSIFMTU, "ifr_mtu"), "SIOCGIFMETRIC": ifreq(unix.SIOCGIFMETRIC, "ifr_metric"),
	"SIOCGIFTXQLEN": ifreq(unix.SIOCGIFTXQLEN, "ifr_qlen"), "SIOCGIFADDR": ifreq(unix.SIOCGIFADDR, "ifr_addr"),
	"SIOCSIFADDR": ifreq(unix.SIOCSIFADDR, "ifr_addr"), "SIOCGIFDSTADDR": ifreq(unix.SIOCGIFDSTADDR, "ifr_addr"),
	"SIOCGIFBRDADDR": ifreq(unix.SIOCGIFBRDADDR, "ifr_addr"), "SIOCGIFNETMASK": ifreq(unix.SIOCGIFNETMASK, "ifr_addr"),
	"SIOCGIFHWADDR": ifreq(unix.SIOCGIFHWADDR, "ifr_addr"),

	// block devices and clocks
	"BLKROGET": getInts(unix.BLKROGET, 1), "BLKSSZGET": getInts(unix.BLKSSZGET, 1), "BLKPBSZGET": getInts(unix.BLKPBSZGET, 1),
	"BLKBSZGET": getInts(unix.BLKBSZGET, 1), "BLKIOMIN": getInts(unix.BLKIOMIN, 1), "BLKIOOPT": getInts(unix.BLKIOOPT, 1),
	"BLKALIGNOFF": getInts(unix.BLKALIGNOFF, 1), "BLKGETSIZE": getLong(unix.BLKGETSIZE), "BLKGETSIZE64": getWide(unix.BLKGETSIZE64),
	"BLKFLSBUF":   number(unix.BLKFLSBUF),
	"RTC_RD_TIME": getInts(unix.RTC_RD_TIME, 9), "RTC_ALM_READ": getInts(unix.RTC_ALM_READ, 9),
	"RTC_SET_TIME": setInts(unix.RTC_SET_TIME, 9), "RTC_ALM_SET": setInts(unix.RTC_ALM_SET, 9),
	"RTC_AIE_ON": number(unix.RTC_AIE_ON), "RTC_AIE_OFF": number(unix.RTC_AIE_OFF),
	"RTC_UIE_ON": number(unix.RTC_UIE_ON), "RTC_UIE_OFF": number(unix.RTC_UIE_OFF),
	"RNDGETENTCNT": getInts(unix.RNDGETENTCNT, 1),
}

// Commands of the host that package unix does not name (linux/fs.h,
// asm-generic/sockios.h). FS_IOC_GETVERSION's number holds the size of a long.
const (
	hostFIBMAP     = 1
	hostFIGETBSZ   = 2
	siocAtMark     = 0x8905
	stampOld       = 0x8906
	stampNsOld     = 0x8907
	hostGetVersion = unix.FS_IOC_GETFLAGS&^0xffff | 'v'<<8 | 1
	hostGetXattr   = 0x801c581f
	hostSetXattr   = 0x401c5820
)

func sysIoctl(c *Ctx) (uint64, error) {
	fd := c.Int()
	f, err := c.file(fd)
	if err != nil {
		return 0, err
	}
	cmd, arg := c.Uint(), c.Size()
	call := c.ioctlTable()[uint64(cmd)]
	if call == nil {
		return 0, unix.ENOTTY
	}
	switch n := IoctlName(c.A, uint64(cmd)); n {
	case "FIOCLEX", "FIONCLEX":
		return 0, c.P.Files.SetCloexec(fd, n == "FIOCLEX")
	case "FIOASYNC":
		return 0, c.fioasync(f, fd, arg)
	}
	if f.kind == procMem {
		return 0, unix.ENOTTY
	}
	return call(c, f, arg)
}

// getInts is a command that fills 32-bit numbers.
func getInts(cmd uint64, n int) ioctl { return fill(cmd, n, 4) }

// getShorts is a command that fills 16-bit numbers.
func getShorts(cmd uint64, n int) ioctl { return fill(cmd, n, 2) }

// getWide is a command that fills a 64-bit number.
func getWide(cmd uint64) ioctl { return fill(cmd, 1, 8) }

func fill(cmd uint64, n, size int) ioctl {
	return func(c *Ctx, f *File, arg uint64) (uint64, error) {
		b := make([]byte, max(n*size, 8))
		v, err := ioctlBytes(f.Host, cmd, b)
		if err != nil {
			return 0, err
		}
		b = b[:n*size]
		turnIf(c, b, size)
		return v, c.Space().CopyOut(b, arg)
	}
}

// getLong is a command that fills a long.
func getLong(cmd uint64) ioctl {
	return func(c *Ctx, f *File, arg uint64) (uint64, error) {
		b := make([]byte, 8)
		v, err := ioctlBytes(f.Host, cmd, b)
		if err != nil {
			return 0, err
		}
		return v, c.WriteWord(arg, hostOrder.Uint64(b))
	}
}

// setInts is a command that takes 32-bit numbers.
func setInts(cmd uint64, n int) ioctl { return give(cmd, n, 4, false) }

// setShorts is a command that takes 16-bit numbers.
func setShorts(cmd uint64, n int) ioctl { return give(cmd, n, 2, false) }

// inOut is a command that takes 32-bit numbers and changes them.
func inOut(cmd uint64, n int) ioctl { return give(cmd, n, 4, true) }

func give(cmd uint64, n, size int, back bool) ioctl {
	return func(c *Ctx, f *File, arg uint64) (uint64, error) {
		b := make([]byte, n*size)
		if err := c.Space().CopyIn(b, arg); err != nil {
			return 0, err
		}
		turnIf(c, b, size)
		v := uint64(0)
		err := c.restart(func() (err error) {
			v, err = ioctlBytes(f.Host, cmd, b)
			return err
		})
		if err != nil || !back {
			return v, err
		}
		turnIf(c, b, size)
		return v, c.Space().CopyOut(b, arg)
	}
}

// number is a command whose argument is a number or nothing.
func number(cmd uint64) ioctl {
	return func(c *Ctx, f *File, arg uint64) (v uint64, err error) {
		err = c.restart(func() error {
			v, err = ioctlValue(f.Host, cmd, uint64(uint32(arg)))
			return err
		})
		return v, err
	}
}

// onDescriptor marks the commands that are about a descriptor of the guest,
// not its file; sysIoctl serves them.
func onDescriptor(*Ctx, *File, uint64) (uint64, error) { return 0, unix.ENOTTY }

func setNonblock(c *Ctx, f *File, arg uint64) (uint64, error) {
	on, err := c.Read32(arg)
	if err != nil {
		return 0, err
	}
	return 0, unix.SetNonblock(f.Host, on != 0)
}

// fioasync is FIOASYNC.
func (c *Ctx) fioasync(f *File, fd int, arg uint64) error {
	on, err := c.Read32(arg)
	if err != nil {
		return err
	}
	if on != 0 {
		if err := c.setAsync(f, fd); err != nil {
			return err
		}
	}
	const fioasync = 0x5452 // the host's number
	return unix.IoctlSetPointerInt(f.Host, fioasync, int(on))
}

func fileSize(c *Ctx, f *File, arg uint64) (uint64, error) {
	var st unix.Stat_t
	if err := unix.Fstat(f.Host, &st); err != nil {
		return 0, err
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG, unix.S_IFDIR, unix.S_IFLNK:
		return 0, c.Write64(arg, uint64(st.Size))
	}
	return 0, unix.ENOTTY
}

func clone(c *Ctx, f *File, arg uint64) (uint64, error) {
	src, err := c.file(int(int32(arg)))
	if err != nil {
		return 0, err
	}
	return 0, unix.IoctlFileClone(f.Host, src.Host)
}

func cloneRange(c *Ctx, f *File, arg uint64) (uint64, error) {
	s, err := c.LoadStruct("file_clone_range", arg)
	if err != nil {
		return 0, err
	}
	src, err := c.file(int(s.Int("src_fd")))
	if err != nil {
		return 0, err
	}
	return 0, unix.IoctlFileCloneRange(f.Host, &unix.FileCloneRange{
		Src_fd: int64(src.Host), Src_offset: s.Uint("src_offset"), Src_length: s.Uint("src_length"), Dest_offset: s.Uint("dest_offset"),
	})
}

// openPeer opens the other side of a pseudoterminal.
func openPeer(c *Ctx, f *File, arg uint64) (uint64, error) {
	guest := uint64(uint32(arg))
	host, _ := OpenFlags.Host(c.A, guest)
	v, err := ioctlValue(f.Host, unix.TIOCGPTPEER, host|guest&unix.O_ACCMODE|unix.O_CLOEXEC|unix.O_NOCTTY)
	if err != nil {
		return 0, err
	}
	peer := &File{Host: int(v), large: true}
	var st unix.Stat_t
	if err := unix.Fstat(peer.Host, &st); err == nil {
		c.opened(peer, &st, host|guest&unix.O_ACCMODE)
	}
	return c.install(peer, host&unix.O_CLOEXEC != 0)
}

func setOwner(c *Ctx, f *File, arg uint64) (uint64, error) {
	v, err := c.Read32(arg)
	if err != nil {
		return 0, err
	}
	return c.fcntlOwner(f, -1, unix.F_SETOWN, uint64(v))
}

func getOwner(c *Ctx, f *File, arg uint64) (uint64, error) {
	v, err := c.fcntlOwner(f, -1, unix.F_GETOWN, 0)
	if err != nil {
		return 0, err
	}
	return 0, c.Write32(arg, uint32(v))
}

// stamp tells when the last packet came: two numbers, of the long's size or
// of 64 bits.
func stamp(cmd uint64, wide bool) ioctl {
	return func(c *Ctx, f *File, arg uint64) (uint64, error) {
		b := make([]byte, 16)
		if _, err := ioctlBytes(f.Host, cmd, b); err != nil {
			return 0, err
		}
		if wide {
			turnIf(c, b, 8)
		} else {
			b = c.longs(b)
		}
		return 0, c.Space().CopyOut(b, arg)
	}
}

// The host's struct ifreq: a name of 16 bytes and a union.
const (
	ifNameSize  = 16
	ifreqSize   = 40
	ifAddrBytes = 16
)

// ifreq is a command on a network interface; field names what of the union it
// takes or fills.
func ifreq(cmd uint64, field string) ioctl {
	return func(c *Ctx, f *File, arg uint64) (uint64, error) {
		s, err := c.LoadStruct("ifreq", arg)
		if err != nil {
			return 0, err
		}
		b := make([]byte, ifreqSize)
		copy(b, s.Bytes()[:ifNameSize])
		copy(b[ifNameSize:], c.turnIfreq(field, append([]byte(nil), s.Field(field)...), false))
		v, err := ioctlBytes(f.Host, cmd, b)
		if err != nil {
			return 0, err
		}
		copy(s.Bytes(), b[:ifNameSize])
		part := s.Field(field)
		copy(part, c.turnIfreq(field, b[ifNameSize:ifNameSize+len(part)], true))
		return v, s.Store(c, arg)
	}
}

// turnIfreq puts a field of the union into the other byte order.
func (c *Ctx) turnIfreq(field string, b []byte, fromHost bool) []byte {
	if !c.bigEndian() {
		return b
	}
	if field == "ifr_addr" {
		turnSockaddr(b, take16(b, fromHost))
		return b
	}
	return turn(b, len(b))
}

// ifconf lists the interfaces that have an IPv4 address.
func ifconf(c *Ctx, f *File, arg uint64) (uint64, error) {
	s, err := c.LoadStruct("ifconf", arg)
	if err != nil {
		return 0, err
	}
	size := c.A.Layout["ifreq"].Size
	room := int(s.Int("ifc_len")) / size
	buf := s.Uint("ifc_buf")
	if room < 0 {
		return 0, unix.EINVAL
	}
	const most = 4096
	if buf == 0 {
		room = most
	}
	list, err := hostIfconf(f.Host, min(room, most))
	if err != nil {
		return 0, err
	}
	n := len(list) / ifreqSize
	for i := 0; i < n && buf != 0; i++ {
		r := c.NewStruct("ifreq")
		e := list[i*ifreqSize:]
		copy(r.Bytes(), e[:ifNameSize])
		copy(r.Bytes()[ifNameSize:], c.turnIfreq("ifr_addr", e[ifNameSize:ifNameSize+ifAddrBytes], true))
		if err := r.Store(c, buf+uint64(i*size)); err != nil {
			return 0, err
		}
	}
	s.Set("ifc_len", uint64(n*size))
	return 0, s.Store(c, arg)
}

// IoctlName is the name of a command's number for a guest, "" if it is not
// served.
func IoctlName(a *arch.Arch, cmd uint64) string { return ioctlNames(a)[cmd] }
