package syscalls

import (
	"bytes"
	"path"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

var socketRows = []Row{
	{Name: "socketcall", Fn: sysSocketcall, Level: Full},
	{Name: "socket", Fn: sysSocket, Level: Full},
	{Name: "socketpair", Fn: sysSocketpair, Level: Full},
	{Name: "bind", Fn: sysBind, Level: Full},
	{Name: "connect", Fn: sysConnect, Level: Full},
	{Name: "listen", Fn: sysListen, Level: Full},
	{Name: "accept", Fn: func(c *Ctx) (uint64, error) { return accept(c, false) }, Level: Full},
	{Name: "accept4", Fn: func(c *Ctx) (uint64, error) { return accept(c, true) }, Level: Full},
	{Name: "getsockname", Fn: sysGetsockname, Level: Full},
	{Name: "getpeername", Fn: sysGetpeername, Level: Full},
	{Name: "shutdown", Fn: sysShutdown, Level: Full},
	{Name: "send", Fn: sysSend, Level: Full},
	{Name: "sendto", Fn: sysSendto, Level: Full},
	{Name: "sendmsg", Fn: sysSendmsg, Level: Full},
	{Name: "sendmmsg", Fn: sysSendmmsg, Level: Full},
	{Name: "recv", Fn: sysRecv, Level: Full},
	{Name: "recvfrom", Fn: sysRecvfrom, Level: Full},
	{Name: "recvmsg", Fn: sysRecvmsg, Level: Full},
	{Name: "recvmmsg", Fn: func(c *Ctx) (uint64, error) { return recvmmsg(c, false) }, Level: Full},
	{Name: "recvmmsg_time64", Fn: func(c *Ctx) (uint64, error) { return recvmmsg(c, true) }, Level: Full},
	{Name: "setsockopt", Fn: sysSetsockopt, Level: Partial, Note: "options of rare protocols in the host's layout"},
	{Name: "getsockopt", Fn: sysGetsockopt, Level: Partial, Note: "options of rare protocols in the host's layout"},
}

// socketcalls are the calls behind socketcall by their numbers in linux/net.h,
// with the count of their arguments.
var socketcalls = []struct {
	args int
	fn   Handler
}{
	1: {3, sysSocket}, 2: {3, sysBind}, 3: {3, sysConnect}, 4: {2, sysListen},
	5:  {3, func(c *Ctx) (uint64, error) { return accept(c, false) }},
	6:  {3, sysGetsockname},
	7:  {3, sysGetpeername},
	8:  {4, sysSocketpair},
	9:  {4, sysSend},
	10: {4, sysRecv},
	11: {6, sysSendto},
	12: {6, sysRecvfrom},
	13: {2, sysShutdown},
	14: {5, sysSetsockopt},
	15: {5, sysGetsockopt},
	16: {3, sysSendmsg},
	17: {3, sysRecvmsg},
	18: {4, func(c *Ctx) (uint64, error) { return accept(c, true) }},
	19: {5, func(c *Ctx) (uint64, error) { return recvmmsg(c, false) }},
	20: {4, sysSendmmsg},
}

func sysSocketcall(c *Ctx) (uint64, error) {
	n, at := c.Int(), c.Addr()
	if n < 1 || n >= len(socketcalls) {
		return 0, unix.EINVAL
	}
	call := socketcalls[n]
	w := uint64(c.A.Word)
	raw := make([]byte, uint64(call.args)*w)
	if err := c.Space().CopyIn(raw, at); err != nil {
		return 0, err
	}
	c.w = [6]uint64{}
	for i := range call.args {
		c.w[i] = getUint(c.A, raw[uint64(i)*w:uint64(i+1)*w])
	}
	c.Rewind(0)
	return call.fn(c)
}

// sockInfo is what is known of a socket.
type sockInfo struct {
	domain, proto int
	name          []byte // as the guest bound it, where the host has another path
	cookies       bool   // of netlink: what comes are bytes of mq_notify(2), not routing messages
}

// turned tells whether what goes over the socket has to be put into the other
// byte order.
func (s *sockInfo) turned(c *Ctx) bool {
	return s.domain == unix.AF_NETLINK && !s.cookies && c.bigEndian()
}

// socketNames are the names that guests gave sockets in the file system by
// those that the host knows, for those who ask for their peer's.
type socketNames struct {
	mu    sync.Mutex
	names map[string]string
}

// socketNamesMax bounds what a guest can make of them.
const socketNamesMax = 1 << 12

// sunPath is the path in an address of a socket in the file system, "" in others.
func sunPath(sa []byte) string {
	if len(sa) < 3 || sa[2] == 0 {
		return ""
	}
	name, _, _ := bytes.Cut(sa[2:], []byte{0})
	return string(name)
}

// bound notes that a socket has the host's address sa where the guest gave own.
func (l *socketNames) bound(sa, own []byte) {
	host, guest := sunPath(sa), sunPath(own)
	if host == "" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.names) >= socketNamesMax || l.names == nil {
		l.names = map[string]string{}
	}
	if host == guest {
		delete(l.names, host)
	} else {
		l.names[host] = guest
	}
}

// guest is the address that the guest gave the host's, if it is another one.
func (l *socketNames) guest(sa []byte) ([]byte, bool) {
	if len(sa) < 3 || hostOrder.Uint16(sa) != unix.AF_UNIX {
		return nil, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	name, ok := l.names[sunPath(sa)]
	return append(append(sa[:2:2], name...), 0), ok
}

// socket is a descriptor that must be a socket.
func (c *Ctx) socket(fd int) (*File, error) {
	f, err := c.file(fd)
	if err != nil {
		return nil, err
	}
	if f.sock != nil {
		return f, nil
	}
	domain, err := unix.GetsockoptInt(f.Host, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil {
		return nil, err // ENOTSOCK
	}
	proto, err := unix.GetsockoptInt(f.Host, unix.SOL_SOCKET, unix.SO_PROTOCOL)
	if err != nil {
		return nil, err
	}
	f.sock = &sockInfo{domain: domain, proto: proto}
	return f, nil
}

// sockType takes the type argument of socket apart.
func (c *Ctx) sockType(v uint32) (typ int, cloexec bool, err error) {
	const types = 0xf // SOCK_TYPE_MASK
	host, rest := OpenFlags.Host(c.A, uint64(v&^types))
	if rest != 0 || host&^(unix.O_CLOEXEC|unix.O_NONBLOCK) != 0 {
		return 0, false, unix.EINVAL
	}
	return int(v&types) | int(host) | unix.SOCK_CLOEXEC, host&unix.O_CLOEXEC != 0, nil
}

func sysSocket(c *Ctx) (uint64, error) {
	domain, t, proto := c.Int(), c.Uint(), c.Int()
	typ, cloexec, err := c.sockType(t)
	if err != nil {
		return 0, err
	}
	if c.bigEndian() {
		switch {
		case domain == unix.AF_PACKET: // the number is in network order
			proto = proto&0xff<<8 | proto>>8&0xff
		case domain == unix.AF_NETLINK && proto != unix.NETLINK_ROUTE:
			return 0, unix.EPROTONOSUPPORT // its messages cannot be turned
		}
	}
	fd, err := unix.Socket(domain, typ, proto)
	if err != nil {
		return 0, err
	}
	return c.install(&File{Host: fd, sock: &sockInfo{domain: domain, proto: proto}}, cloexec)
}

func sysSocketpair(c *Ctx) (uint64, error) {
	domain, t, proto, at := c.Int(), c.Uint(), c.Int(), c.Addr()
	typ, cloexec, err := c.sockType(t)
	if err != nil {
		return 0, err
	}
	if err := c.writable(at, 8); err != nil {
		return 0, err
	}
	fds, err := unix.Socketpair(domain, typ, proto)
	if err != nil {
		return 0, err
	}
	return 0, c.installPair(fds, at, cloexec, func(fd int) *File {
		return &File{Host: fd, sock: &sockInfo{domain: domain, proto: proto}}
	})
}

// sockaddrMax is the size of struct sockaddr_storage.
const sockaddrMax = 128

// turnSockaddr puts an address's numbers into the other byte order, in place.
// Ports and addresses of the Internet are in network order anyway.
func turnSockaddr(b []byte, family uint16) {
	part := func(off, n int) {
		if len(b) >= off+n {
			turn(b[off:off+n], n)
		}
	}
	part(0, 2)
	switch family {
	case unix.AF_INET6:
		part(24, 4) // sin6_scope_id
	case unix.AF_NETLINK:
		part(4, 4) // nl_pid
		part(8, 4) // nl_groups
	case unix.AF_PACKET:
		part(4, 4) // sll_ifindex
		part(8, 2) // sll_hatype
	}
}

// getSockaddr reads an address and puts it into the host's form. done must be
// called when the host has taken it.
func (c *Ctx) getSockaddr(at uint64, n int) (sa []byte, done func(), err error) {
	done = func() {}
	if n < 0 || n > sockaddrMax {
		return nil, done, unix.EINVAL
	}
	sa = make([]byte, n)
	if err := c.Space().CopyIn(sa, at); err != nil {
		return nil, done, err
	}
	if n < 2 {
		return sa, done, nil
	}
	family := c.A.Order.Uint16(sa)
	if c.bigEndian() {
		turnSockaddr(sa, family)
	}
	if family == unix.AF_UNIX && n > 2 && sa[2] != 0 {
		return c.unixPath(sa)
	}
	return sa, done, nil
}

// sunPathMax is the room for a path in struct sockaddr_un.
const sunPathMax = 108

// unixPath gives the address of a socket in the file system the host's path.
// One that does not fit goes by a descriptor of its folder.
func (c *Ctx) unixPath(sa []byte) (host []byte, done func(), err error) {
	done = func() {}
	name := sa[2:]
	if i := bytes.IndexByte(name, 0); i >= 0 {
		name = name[:i]
	}
	p, err := c.resolve(unix.AT_FDCWD, string(name), true)
	if err != nil {
		return nil, done, err
	}
	if p.dir == unix.AT_FDCWD && p.path == string(name) {
		return sa, done, nil
	}
	full := p.host()
	if p.dir != unix.AT_FDCWD {
		if cwd, err := c.fs().path(); err == nil && len(cwd)+1+len(p.path) < sunPathMax {
			full = cwd + "/" + p.path
		}
	}
	if len(full) >= sunPathMax {
		dir, err := unix.Open(path.Dir(full), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, done, err
		}
		done = func() { unix.Close(dir) }
		full = hostFD(dir) + "/" + path.Base(full)
	}
	if len(full) >= sunPathMax || strings.HasSuffix(string(name), "/") {
		return nil, done, unix.ENAMETOOLONG
	}
	return append(append(sa[:2:2], full...), 0), done, nil
}

// putSockaddr writes an address of the host, of which n bytes are true, and
// its length to the guest: as much as the guest's own length at lenAt allows.
func (c *Ctx) putSockaddr(sa []byte, n int, at, lenAt uint64) error {
	room, err := c.Read32(lenAt)
	if err != nil {
		return err
	}
	if int32(room) < 0 {
		return unix.EINVAL
	}
	sa = sa[:min(n, len(sa))]
	if own, ok := c.K.sockets.guest(sa); ok {
		sa, n = own, len(own)
	}
	if c.bigEndian() && len(sa) >= 2 {
		family := hostOrder.Uint16(sa)
		turnSockaddr(sa, family)
	}
	if err := c.Space().CopyOut(sa[:min(len(sa), int(room))], at); err != nil {
		return err
	}
	return c.Write32(lenAt, uint32(n))
}

func sysBind(c *Ctx) (uint64, error) {
	fd, at, n := c.Int(), c.Addr(), c.Int()
	f, err := c.socket(fd)
	if err != nil {
		return 0, err
	}
	sa, done, err := c.getSockaddr(at, n)
	defer done()
	if err != nil {
		return 0, err
	}
	if len(sa) > 2 && f.sock.domain == unix.AF_UNIX && sa[2] != 0 {
		// The name in the file system is made with the umask.
		old := unix.Umask(int(0o777 &^ c.mode(0o777)))
		defer unix.Umask(old)
	}
	if err := hostBind(f.Host, sa); err != nil {
		return 0, err
	}
	if f.sock.domain == unix.AF_UNIX && n > 2 {
		own := make([]byte, n)
		if c.Space().CopyIn(own, at) == nil {
			f.sock.name = own
			c.K.sockets.bound(sa, own)
		}
	}
	return 0, nil
}

func sysConnect(c *Ctx) (uint64, error) {
	fd, at, n := c.Int(), c.Addr(), c.Int()
	f, err := c.socket(fd)
	if err != nil {
		return 0, err
	}
	sa, done, err := c.getSockaddr(at, n)
	defer done()
	if err != nil {
		return 0, err
	}
	if c.T.Schedule() != nil {
		return 0, c.connect(f, sa)
	}
	c.Block(func() { err = hostConnect(f.Host, sa) })
	if err != unix.EINTR || c.interrupted() {
		return 0, err
	}
	// An interrupted connect goes on by itself; a second call would tell
	// EALREADY. Its end is told by SO_ERROR.
	return 0, c.connected(f)
}

// connected waits for the end of a connect that goes on by itself.
func (c *Ctx) connected(f *File) error {
	c.noteOutside(f)
	if _, err := c.hostPoll([]unix.PollFd{{Fd: int32(f.Host), Events: unix.POLLOUT}}, forever); err != nil {
		return err
	}
	e, err := unix.GetsockoptInt(f.Host, unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && e != 0 {
		err = unix.Errno(e)
	}
	return err
}

// connect is the call in a schedule.
func (c *Ctx) connect(f *File, sa []byte) error {
	if !f.waits() {
		return hostConnect(f.Host, sa)
	}
	err := c.try(unix.EAGAIN, -1, func() error { // the other side's queue may be full
		return unblocked(f.Host, func() error { return hostConnect(f.Host, sa) })
	})
	if err == unix.EINPROGRESS {
		err = c.connected(f)
	}
	if err == nil && f.sock.domain == unix.AF_UNIX {
		f.meet()
	}
	return err
}

func sysListen(c *Ctx) (uint64, error) {
	f, err := c.socket(c.Int())
	if err != nil {
		return 0, err
	}
	return 0, unix.Listen(f.Host, c.Int())
}

func accept(c *Ctx, flagged bool) (uint64, error) {
	fd, at, lenAt := c.Int(), c.Addr(), c.Addr()
	var flags uint64
	if flagged {
		var rest uint64
		flags, rest = OpenFlags.Host(c.A, uint64(c.Uint()))
		if rest != 0 || flags&^(unix.O_CLOEXEC|unix.O_NONBLOCK) != 0 {
			return 0, unix.EINVAL
		}
	}
	f, err := c.socket(fd)
	if err != nil {
		return 0, err
	}
	sa := make([]byte, sockaddrMax)
	host, n := 0, 0
	err = c.onFile(f, unix.POLLIN, func() (err error) {
		host, n, err = hostAccept(f.Host, sa, int(flags)|unix.SOCK_CLOEXEC)
		return err
	})
	if err != nil {
		return 0, err
	}
	if at != 0 {
		if err := c.putSockaddr(sa, n, at, lenAt); err != nil {
			unix.Close(host)
			return 0, err
		}
	}
	info := *f.sock
	g := &File{Host: host, sock: &info}
	if info.domain == unix.AF_UNIX && c.T.Schedule() != nil {
		g.meet()
	}
	return c.install(g, flags&unix.O_CLOEXEC != 0)
}

func sysGetsockname(c *Ctx) (uint64, error) {
	fd, at, lenAt := c.Int(), c.Addr(), c.Addr()
	f, err := c.socket(fd)
	if err != nil {
		return 0, err
	}
	if own := f.sock.name; own != nil {
		sa := append([]byte(nil), own...)
		if c.bigEndian() {
			turnSockaddr(sa, unix.AF_UNIX) // back to the host's form, which putSockaddr expects
		}
		n := len(sa)
		if i := bytes.IndexByte(sa[3:], 0); sa[2] != 0 && i >= 0 {
			n = 3 + i + 1
		}
		return 0, c.putSockaddr(sa, n, at, lenAt)
	}
	sa := make([]byte, sockaddrMax)
	n, err := hostGetsockname(f.Host, sa)
	if err != nil {
		return 0, err
	}
	return 0, c.putSockaddr(sa, n, at, lenAt)
}

func sysGetpeername(c *Ctx) (uint64, error) {
	fd, at, lenAt := c.Int(), c.Addr(), c.Addr()
	f, err := c.socket(fd)
	if err != nil {
		return 0, err
	}
	sa := make([]byte, sockaddrMax)
	n, err := hostGetpeername(f.Host, sa)
	if err != nil {
		return 0, err
	}
	return 0, c.putSockaddr(sa, n, at, lenAt)
}

func sysShutdown(c *Ctx) (uint64, error) {
	f, err := c.socket(c.Int())
	if err != nil {
		return 0, err
	}
	return 0, unix.Shutdown(f.Host, c.Int())
}
