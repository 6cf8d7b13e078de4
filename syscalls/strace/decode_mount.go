package strace

import (
	"fmt"
)

// fanotifyInit writes fanotify's flags, two bits of which are its class.
func (c *call) fanotifyInit() string {
	v := c.word() & 0xffffffff
	if c.p.Consts == ConstsRaw {
		return hex(v)
	}
	const class = 0xc
	t := lookup("fanclass").name(c.a, v&class)
	if t == "" {
		t = hex(v&class) + " /* FAN_CLASS_??? */"
	}
	if v&^class == 0 {
		return t
	}
	return t + "|" + c.flags(v&^class, lookup("faninit"))
}

// swapFlags writes swapon's flags, which hold a priority.
func (c *call) swapFlags() string {
	const priority = 0x7fff
	v := c.word() & 0xffffffff
	if v&^priority == 0 {
		return fmt.Sprint(v)
	}
	return fmt.Sprintf("%s|%d", c.flags(v&^priority, lookup("swap")), v&priority)
}

// quotaCommand writes the command of quotactl.
func (c *call) quotaCommand() string {
	v := c.word() & 0xffffffff
	return fmt.Sprintf("QCMD(%s, %s)", c.enum(lookup("quotacmd"), v>>8), c.enum(lookup("quotatype"), v&0xff))
}

// quotaArgs writes the arguments that the command takes.
func (c *call) quotaArgs() string {
	id, at := c.word()&0xffffffff, c.word()
	switch lookup("quotacmd").name(c.a, c.args[0]&0xffffffff>>8) {
	case "Q_SYNC", "Q_QUOTAOFF", "Q_XQUOTASYNC":
		return omitted
	case "Q_QUOTAON":
		return c.enum(lookup("quotafmt"), id) + ", " + c.path(at)
	case "Q_GETFMT", "Q_GETINFO", "Q_SETINFO", "Q_XGETQSTAT", "Q_XGETQSTATV", "Q_XQUOTAON", "Q_XQUOTAOFF", "Q_XQUOTARM":
		return c.addr(at)
	}
	return values["uid"]("")(c, id, 32) + ", " + c.addr(at)
}

// rebootArg writes reboot's last argument, which one command has.
func (c *call) rebootArg() string {
	at := c.word()
	if lookup("reboot").name(c.a, c.args[2]&0xffffffff) != "LINUX_REBOOT_CMD_RESTART2" {
		return omitted
	}
	return c.str(at)
}

// mountMagic is a number of old that may stand in mount's flags (MS_MGC_VAL).
const mountMagic, mountMagicMask = 0xc0ed0000, 0xffff0000

func (c *call) mountFlags() string {
	v := c.word()
	if v&mountMagicMask == mountMagic {
		return c.or("MS_MGC_VAL", v&^mountMagicMask, lookup("mount"))
	}
	return c.flags(v, lookup("mount"))
}

// mountHas tells whether one of some flags of mount is set.
func (c *call) mountHas(names ...string) bool {
	v := c.args[3]
	if v&mountMagicMask == mountMagic {
		v &^= mountMagicMask
	}
	for _, n := range names {
		if v&lookup("mount").value(c.a, n) != 0 {
			return true
		}
	}
	return false
}

// mountType writes the type of a file system, if mount looks at it.
func (c *call) mountType() string {
	at := c.word()
	if c.mountHas("MS_REMOUNT", "MS_BIND", "MS_MOVE", "MS_SHARED", "MS_PRIVATE", "MS_SLAVE", "MS_UNBINDABLE") {
		return c.addr(at)
	}
	return c.str(at)
}

// mountData writes mount's data, which is a string if the call looks at it.
func (c *call) mountData() string {
	at := c.word()
	if c.mountHas("MS_BIND", "MS_MOVE", "MS_SHARED", "MS_PRIVATE", "MS_SLAVE", "MS_UNBINDABLE") {
		return c.addr(at)
	}
	return c.str(at)
}

// memfdFlags writes memfd_create's flags, which hold a page size.
func (c *call) memfdFlags() string {
	v := c.word() & 0xffffffff
	if v>>hugeShift == 0 {
		return c.flags(v, lookup("memfd"))
	}
	size := fmt.Sprintf("%d<<MFD_HUGE_SHIFT", v>>hugeShift)
	if v &= 1<<hugeShift - 1; v != 0 {
		return c.flags(v, lookup("memfd")) + "|" + size
	}
	return size
}
