package syscalls

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TestTerminal drives a pseudoterminal: what the guest sets is what the host
// has, and what it reads is what it set, in its own bits.
func TestTerminal(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		m := g.open("/dev/ptmx", "O_RDWR", "O_NOCTTY")
		n := g.room(64)
		g.ok("ioctl", m, g.flag("TIOCSPTLCK"), g.ints(0))
		g.ok("ioctl", m, g.flag("TIOCGPTN"), n)
		s := g.open(fmt.Sprintf("/dev/pts/%d", g.get32(n)), "O_RDWR", "O_NOCTTY")
		peer := g.ok("ioctl", m, g.flag("TIOCGPTPEER"), g.flag("O_RDWR")|g.flag("O_NOCTTY"))
		g.ok("close", peer)
		f, err := g.P.Files.Get(int(s))
		require.NoError(t, err)

		g.ok("ioctl", s, g.flag("TCGETS"), n)
		tio := g.load("termios", n)
		require.NotZero(t, tio.Uint("c_lflag")&g.flag("ICANON"))
		require.NotZero(t, tio.Uint("c_oflag")&g.flag("ONLCR"))
		require.Equal(t, g.flag("CS8"), tio.Uint("c_cflag")&g.flag("CSIZE"))
		require.Equal(t, g.flag("B38400"), tio.Uint("c_cflag")&g.flag("CBAUD"))
		require.EqualValues(t, 3, tio.Field("c_cc")[g.flag("VINTR")], "^C")
		require.EqualValues(t, 4, tio.Field("c_cc")[g.flag("VEOF")], "^D")

		tio.Set("c_lflag", tio.Uint("c_lflag")&^(g.flag("ICANON")|g.flag("ECHO")))
		tio.Set("c_iflag", g.flag("IXON")|g.flag("IUTF8"))
		tio.Set("c_cflag", tio.Uint("c_cflag")&^g.flag("CBAUD")|g.flag("B9600"))
		tio.Set("c_oflag", g.flag("OPOST")|g.flag("TAB3"))
		tio.Field("c_cc")[g.flag("VMIN")] = 9
		tio.Field("c_cc")[g.flag("VTIME")] = 8
		at := g.bytes(tio.Bytes())
		g.ok("ioctl", s, g.flag("TCSETSF"), at)
		host, err := unix.IoctlGetTermios(f.Host, unix.TCGETS2)
		require.NoError(t, err)
		require.EqualValues(t, unix.IXON|unix.IUTF8, host.Iflag)
		require.EqualValues(t, unix.OPOST|unix.TAB3, host.Oflag)
		require.Zero(t, host.Lflag&(unix.ICANON|unix.ECHO))
		require.NotZero(t, host.Lflag&unix.ISIG)
		require.EqualValues(t, unix.B9600, host.Cflag&unix.CBAUD)
		require.Equal(t, []byte{9, 8, 3, 4}, []byte{host.Cc[unix.VMIN], host.Cc[unix.VTIME], host.Cc[unix.VINTR], host.Cc[unix.VEOF]})
		g.ok("ioctl", s, g.flag("TCGETS"), n)
		got := g.load("termios", n)
		for _, w := range termWords {
			require.Equal(t, tio.Uint(w.field), got.Uint(w.field), w.field)
		}
		require.Equal(t, tio.Field("c_cc"), got.Field("c_cc"))

		g.ok("ioctl", s, g.flag("TCGETA"), n)
		old := g.load("termio", n)
		require.Equal(t, tio.Uint("c_oflag"), old.Uint("c_oflag"))
		g.ok("ioctl", s, g.flag("TCSETA"), n)
		again, err := unix.IoctlGetTermios(f.Host, unix.TCGETS2)
		require.NoError(t, err)
		require.Equal(t, host, again)

		ws := g.NewStruct("winsize")
		ws.Set("ws_row", 24)
		ws.Set("ws_col", 300)
		g.ok("ioctl", m, g.flag("TIOCSWINSZ"), g.bytes(ws.Bytes()))
		g.ok("ioctl", s, g.flag("TIOCGWINSZ"), n)
		require.Equal(t, ws.Bytes(), g.get(n, 8))
		size, err := unix.IoctlGetWinsize(f.Host, unix.TIOCGWINSZ)
		require.NoError(t, err)
		require.Equal(t, unix.Winsize{Row: 24, Col: 300}, *size)

		g.fails(unix.ENOTTY, "ioctl", g.open("/dev/null"), g.flag("TCGETS"), n)
		g.fails(unix.ENOTTY, "ioctl", s, 0x12345678, n)
		g.fails(unix.EFAULT, "ioctl", s, g.flag("TCGETS"), 8)
		g.fails(unix.EBADF, "ioctl", 99, g.flag("TCGETS"), n)
		require.Equal(t, "TCGETS", IoctlName(g.A, g.flag("TCGETS")))
	})
}
