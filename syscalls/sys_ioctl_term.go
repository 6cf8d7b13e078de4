package syscalls

import (
	"sync"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
)

// ioctlTables are the commands of each architecture by number.
var ioctlTables sync.Map // *arch.Arch to *ioctlTable

type ioctlTable struct {
	calls map[uint64]ioctl
	names map[uint64]string
}

func ioctlTableOf(a *arch.Arch) *ioctlTable {
	if t, ok := ioctlTables.Load(a); ok {
		return t.(*ioctlTable)
	}
	t := &ioctlTable{map[uint64]ioctl{}, map[uint64]string{}}
	for name, call := range ioctls {
		nr, ok := a.Const[name]
		if !ok {
			continue
		}
		// Two names of one number are served alike; the shown one must not
		// depend on the map's order.
		if old, ok := t.names[nr]; !ok || name < old {
			t.calls[nr], t.names[nr] = call, name
		}
	}
	ioctlTables.Store(a, t)
	return t
}

func (c *Ctx) ioctlTable() map[uint64]ioctl { return ioctlTableOf(c.A).calls }

func ioctlNames(a *arch.Arch) map[uint64]string { return ioctlTableOf(a).names }

// termWord is one of the four mode words of a terminal.
type termWord struct {
	field string
	flags *Flags
}

var termWords = []termWord{
	{"c_iflag", TermInput}, {"c_oflag", TermOutput}, {"c_cflag", TermControl}, {"c_lflag", TermLocal},
}

// hostTermios is the host's struct termios2, in package unix's words.
func hostTermios(fd int) (*unix.Termios, error) { return unix.IoctlGetTermios(fd, unix.TCGETS2) }

// speedBits are the line speed's bits in c_cflag: those of the output speed.
// The input speed's are the same, shifted.
func speedBits(a *arch.Arch) (mask, shift uint64) { return a.Const["CBAUD"], a.Const["IBSHIFT"] }

// getTermios is TCGETS and its kin: the modes in the form of the named
// structure.
func getTermios(name string) ioctl {
	return func(c *Ctx, f *File, arg uint64) (uint64, error) {
		if !c.HasStruct(name) {
			return 0, unix.ENOTTY
		}
		t, err := hostTermios(f.Host)
		if err != nil {
			return 0, err
		}
		s := c.NewStruct(name)
		c.fillTermios(s, t)
		return 0, s.Store(c, arg)
	}
}

func (c *Ctx) fillTermios(s *Struct, t *unix.Termios) {
	for i, v := range []uint32{t.Iflag, t.Oflag, t.Cflag, t.Lflag} {
		g := termWords[i].flags.Guest(c.A, uint64(v))
		if termWords[i].field == "c_cflag" {
			mask, shift := speedBits(c.A)
			out, _ := TermSpeeds.Guest(c.A, uint64(t.Cflag&unix.CBAUD))
			in, _ := TermSpeeds.Guest(c.A, uint64(t.Cflag>>unix.IBSHIFT&unix.CBAUD))
			g |= out&mask | in&mask<<shift
		}
		s.setLow(termWords[i].field, g)
	}
	s.Set("c_line", uint64(t.Line))
	s.Set("c_ispeed", uint64(t.Ispeed))
	s.Set("c_ospeed", uint64(t.Ospeed))
	cc := s.Field("c_cc")
	old := c.oldTermio(s)
	for _, e := range TermChars.list {
		if i, ok := c.charPlace(e.Name, old); ok && int(i) < len(cc) && int(e.Host) < len(t.Cc) {
			cc[i] = t.Cc[e.Host]
		}
	}
}

// oldTermio tells whether s is System V's struct termio.
func (c *Ctx) oldTermio(s *Struct) bool { return len(s.Field("c_iflag")) == 2 }

// charPlace is the index of a control character in c_cc. The old structure has
// places of its own where the headers say so (_VINTR), else the first 8.
func (c *Ctx) charPlace(name string, old bool) (uint64, bool) {
	if old {
		if i, ok := c.A.Const["_"+name]; ok {
			return i, true
		}
	}
	i, ok := c.A.Const[name]
	return i, ok
}

// setTermios is TCSETS and its kin; how is 0 for at once, 1 for after the
// output, 2 for that with the input dropped.
func setTermios(name string, how uint64) ioctl {
	return func(c *Ctx, f *File, arg uint64) (uint64, error) {
		if !c.HasStruct(name) {
			return 0, unix.ENOTTY
		}
		s, err := c.LoadStruct(name, arg)
		if err != nil {
			return 0, err
		}
		t, err := hostTermios(f.Host)
		if err != nil {
			return 0, err
		}
		c.takeTermios(s, t)
		return 0, c.restart(func() error { return unix.IoctlSetTermios(f.Host, uint(unix.TCSETS2+how), t) })
	}
}

// takeTermios changes t as s says.
func (c *Ctx) takeTermios(s *Struct, t *unix.Termios) {
	words := []*uint32{&t.Iflag, &t.Oflag, &t.Cflag, &t.Lflag}
	keep := uint64(0)
	if c.oldTermio(s) {
		keep = 0xffff << 16 // the old words have only the lower half
	}
	for i, w := range termWords {
		g := s.Uint(w.field)
		if keep != 0 {
			g |= w.flags.Guest(c.A, uint64(*words[i])) & keep
		}
		host, _ := w.flags.Host(c.A, g)
		if w.field == "c_cflag" {
			host |= c.takeSpeeds(s, g, t)
		}
		*words[i] = uint32(host)
	}
	t.Line = uint8(s.Uint("c_line"))
	cc, old := s.Field("c_cc"), c.oldTermio(s)
	for _, e := range TermChars.list {
		i, ok := c.charPlace(e.Name, old)
		if ok && int(i) < len(cc) && int(e.Host) < len(t.Cc) {
			t.Cc[e.Host] = cc[i]
		}
	}
}

// takeSpeeds turns the speeds in the guest's c_cflag g into the host's bits,
// and sets those that have no bits.
func (c *Ctx) takeSpeeds(s *Struct, g uint64, t *unix.Termios) uint64 {
	mask, shift := speedBits(c.A)
	out, ok := TermSpeeds.Host(c.A, g&mask)
	if !ok {
		out = unix.B38400
	}
	in, ok := TermSpeeds.Host(c.A, g>>shift&mask)
	if !ok {
		in = 0
	}
	if out == unix.BOTHER && s.Field("c_ospeed") != nil {
		t.Ospeed = uint32(s.Uint("c_ospeed"))
	}
	if in == unix.BOTHER && s.Field("c_ispeed") != nil {
		t.Ispeed = uint32(s.Uint("c_ispeed"))
	}
	return out | in<<unix.IBSHIFT
}
