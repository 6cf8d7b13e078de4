package strace

import (
	"fmt"
	"strings"
)

// interfaceFields are the ioctls on network interfaces (netdevice(7)) by what
// they tell or change of one, a field of struct ifreq.
var interfaceFields = map[string]string{
	"SIOCGIFFLAGS": "ifr_flags", "SIOCSIFFLAGS": "ifr_flags", "SIOCGIFADDR": "ifr_addr", "SIOCSIFADDR": "ifr_addr",
	"SIOCGIFDSTADDR": "ifr_dstaddr", "SIOCSIFDSTADDR": "ifr_dstaddr", "SIOCGIFBRDADDR": "ifr_broadaddr",
	"SIOCSIFBRDADDR": "ifr_broadaddr", "SIOCGIFNETMASK": "ifr_netmask", "SIOCSIFNETMASK": "ifr_netmask",
	"SIOCGIFMETRIC": "ifr_metric", "SIOCSIFMETRIC": "ifr_metric", "SIOCGIFMTU": "ifr_mtu", "SIOCSIFMTU": "ifr_mtu",
	"SIOCGIFHWADDR": "ifr_hwaddr", "SIOCSIFHWADDR": "ifr_hwaddr", "SIOCGIFTXQLEN": "ifr_qlen", "SIOCSIFTXQLEN": "ifr_qlen",
	"SIOCGIFINDEX": "ifr_ifindex", "SIOCGIFNAME": "ifr_ifindex", "SIOCSIFNAME": "ifr_newname",
}

// interfaceArg writes the argument of an ioctl that changes an interface.
func (c *call) interfaceArg(name string) string {
	if strings.HasPrefix(name, "SIOCG") {
		return omitted
	}
	r, ok := c.load("ifreq", c.args[2])
	if !ok {
		return c.addr(c.args[2])
	}
	return fmt.Sprintf("{ifr_name=%s, %s}", c.fixed(r.field("ifr_name")), r.interfaceValue(interfaceFields[name]))
}

// interfaceOut writes the argument of one that tells of an interface.
func (c *call) interfaceOut(name string) string {
	if !strings.HasPrefix(name, "SIOCG") {
		return omitted
	}
	r, ok := c.load("ifreq", c.args[2])
	if !ok {
		return c.addr(c.args[2])
	}
	known, told := "ifr_name="+c.fixed(r.field("ifr_name")), r.interfaceValue(interfaceFields[name])
	switch {
	case name == "SIOCGIFNAME" && c.failed:
		return "{" + told + "}"
	case name == "SIOCGIFNAME":
		return "{" + told + ", " + known + "}"
	case c.failed:
		return "{" + known + "}"
	}
	return "{" + known + ", " + told + "}"
}

// interfaceValue writes a field of struct ifreq.
func (r record) interfaceValue(field string) string {
	c := r.c
	switch field {
	case "ifr_flags":
		return field + "=" + c.flags(r.uint(field), lookup("ifflags"))
	case "ifr_newname":
		return field + "=" + c.fixed(r.field(field))
	case "ifr_hwaddr":
		b := r.field(field)
		if len(b) < 8 {
			return field + "={}"
		}
		mac := make([]string, 6)
		for i := range mac {
			mac[i] = fmt.Sprintf("%02x", b[2+i])
		}
		return fmt.Sprintf("%s={sa_family=%s, sa_data=%s}", field, c.enum(lookup("arphrd"), c.number(b[:2])), strings.Join(mac, ":"))
	case "ifr_addr", "ifr_dstaddr", "ifr_broadaddr", "ifr_netmask":
		return field + "=" + c.sockaddrText(r.field(field))
	}
	return fmt.Sprintf("%s=%d", field, r.int(field))
}

// interfaceList writes struct ifconf after SIOCGIFCONF has filled it.
func (c *call) interfaceList(at uint64) string {
	r, ok := c.load("ifconf", at)
	l, has := c.a.Layout["ifreq"]
	if !ok || !has || c.failed {
		return c.addr(at)
	}
	n, buf := r.int("ifc_len"), r.uint("ifc_buf")
	count := uint64(max(n, 0)) / uint64(l.Size)
	size := fmt.Sprint(n)
	if n >= 0 && uint64(n) == count*uint64(l.Size) {
		size = fmt.Sprintf("%d /* %d * sizeof(struct ifreq) */", n, count)
	}
	if buf == 0 {
		return fmt.Sprintf("{ifc_len=%s, ifc_buf=NULL}", size)
	}
	return fmt.Sprintf("{ifc_len=%s, ifc_buf=%s}", size, c.list(buf, count, l.Size, func(at uint64) (string, bool) {
		r, ok := c.load("ifreq", at)
		if !ok {
			return "", false
		}
		return fmt.Sprintf("{ifr_name=%s, %s}", c.fixed(r.field("ifr_name")), r.interfaceValue("ifr_addr")), true
	}))
}
