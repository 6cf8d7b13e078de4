package syscalls

import (
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
)

// corePattern is the host's kernel.core_pattern; "" if it is not known.
func (k *Kernel) corePattern() string { return k.sysctl("core_pattern") }

// coreUsesPID is kernel.core_uses_pid.
func (k *Kernel) coreUsesPID() bool {
	s := k.sysctl("core_uses_pid")
	return s != "" && s != "0"
}

// hostSysctl is a setting of the host's, kernel.name; "" if it is not known.
func hostSysctl(name string) string {
	b, err := os.ReadFile("/proc/sys/kernel/" + name)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(string(b), "\n")
}

// plainPattern tells whether a core_pattern names a file, not a program to
// pipe to or a socket: those would see utemu's process, not the guest's.
func plainPattern(s string) bool { return s != "" && s[0] != '|' && s[0] != '@' }

// coreName is what a core file's name can tell of.
type coreName struct {
	t      *emu.Task
	p      *Process
	signal unix.Signal
}

// expand replaces the % of a core_pattern (format_corename); pid tells that
// there was a %p. A conversion that does not exist stands for nothing.
func (c *coreName) expand(pattern string) (name string, pid bool) {
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		if pattern[i] != '%' {
			b.WriteByte(pattern[i])
			continue
		}
		if i++; i == len(pattern) {
			break
		}
		pid = pid || pattern[i] == 'p'
		b.WriteString(c.conversion(pattern[i]))
	}
	return b.String(), pid
}

func (c *coreName) conversion(verb byte) string {
	switch verb {
	case '%':
		return "%"
	case 'p', 'P':
		return strconv.Itoa(c.t.Proc.PID)
	case 'i', 'I':
		return strconv.Itoa(c.t.TID)
	case 'u':
		return strconv.Itoa(stateOf(c.t).cred.uid.real)
	case 'g':
		return strconv.Itoa(stateOf(c.t).cred.gid.real)
	case 'd':
		return strconv.FormatUint(c.p.prctl.dumpable, 10)
	case 's':
		return strconv.Itoa(int(c.signal))
	case 't':
		return strconv.FormatInt(time.Now().Unix(), 10)
	case 'c':
		return strconv.FormatUint(c.p.Limits[unix.RLIMIT_CORE].Cur, 10)
	case 'h':
		host, _ := os.Hostname()
		return component(host)
	case 'e':
		return component(stateOf(c.t).comm)
	case 'f':
		return component(path.Base(c.p.Exe))
	case 'E':
		return component(c.p.Exe)
	}
	return ""
}

// component makes a string one component of a path (cn_esc_printf).
func component(s string) string {
	switch s {
	case "", ".":
		return "!"
	case "..":
		return "!."
	}
	return strings.ReplaceAll(s, "/", "!")
}
