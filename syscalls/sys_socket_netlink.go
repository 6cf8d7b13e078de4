package syscalls

import (
	"golang.org/x/sys/unix"
)

// Netlink messages are in the byte order of who runs the program, so those of
// a guest of the other order are turned, as far as getifaddrs(3) and
// getaddrinfo(3) go: routing messages of links, addresses, routes and
// neighbours.

// turnNetlink puts a run of routing messages into the other byte order, in
// place. fromHost tells in which order they are.
func turnNetlink(b []byte, fromHost bool) []byte {
	for p := b; len(p) >= unix.SizeofNlMsghdr; {
		n := take32(p, fromHost)
		typ := take16(p[4:], fromHost)
		turn(p[:4], 4)
		turn(p[4:8], 2)
		turn(p[8:16], 4)
		if n < unix.SizeofNlMsghdr || n > uint32(len(p)) {
			break
		}
		turnRoute(p[unix.SizeofNlMsghdr:n], typ, fromHost)
		p = p[min(align(int(n), unix.NLMSG_ALIGNTO), len(p)):]
	}
	return b
}

func take16(b []byte, host bool) uint16 {
	v := hostOrder.Uint16(b)
	if !host {
		v = v<<8 | v>>8
	}
	return v
}

func take32(b []byte, host bool) uint32 {
	if host {
		return hostOrder.Uint32(b)
	}
	var c [4]byte
	copy(c[:], b)
	return hostOrder.Uint32(turn(c[:], 4))
}

// routeHead says how the fixed part of a routing message's body is made: the
// widths of its numbers in their order.
func routeHead(typ uint16) []int {
	switch typ {
	case unix.RTM_NEWLINK, unix.RTM_DELLINK, unix.RTM_GETLINK, unix.RTM_SETLINK:
		return []int{1, 1, 2, 4, 4, 4} // struct ifinfomsg
	case unix.RTM_NEWADDR, unix.RTM_DELADDR, unix.RTM_GETADDR:
		return []int{1, 1, 1, 1, 4} // struct ifaddrmsg
	case unix.RTM_NEWROUTE, unix.RTM_DELROUTE, unix.RTM_GETROUTE, unix.RTM_NEWRULE, unix.RTM_DELRULE, unix.RTM_GETRULE:
		return []int{1, 1, 1, 1, 1, 1, 1, 1, 4} // struct rtmsg
	case unix.RTM_NEWNEIGH, unix.RTM_DELNEIGH, unix.RTM_GETNEIGH:
		return []int{1, 1, 2, 4, 2, 1, 1} // struct ndmsg
	}
	return nil
}

// turnRoute turns the body of one message.
func turnRoute(b []byte, typ uint16, fromHost bool) {
	switch typ {
	case unix.NLMSG_DONE:
		turn(b[:min(4, len(b))], 4)
		return
	case unix.NLMSG_ERROR:
		turn(b[:min(4, len(b))], 4)
		if len(b) >= 4+unix.SizeofNlMsghdr { // the header of what it answers
			turn(b[4:8], 4)
			turn(b[8:12], 2)
			turn(b[12:20], 4)
		}
		return
	}
	// A request may have only the family byte of struct rtgenmsg.
	for _, n := range routeHead(typ) {
		if len(b) < n {
			return
		}
		turn(b[:n], n)
		b = b[n:]
	}
	if routeHead(typ) != nil {
		turnAttrs(b, typ, fromHost)
	}
}

// turnAttrs turns a run of struct rtattr.
func turnAttrs(b []byte, typ uint16, fromHost bool) {
	for len(b) >= unix.SizeofRtAttr {
		n, kind := int(take16(b, fromHost)), take16(b[2:], fromHost)
		turn(b[:4], 2)
		if n < unix.SizeofRtAttr || n > len(b) {
			return
		}
		data := b[unix.SizeofRtAttr:n]
		switch attrKind(typ, kind&^unix.NLA_F_NESTED) {
		case attrWords:
			turn(data, 4)
		case attrWide:
			turn(data, 8)
		case attrIfmap: // struct rtnl_link_ifmap
			if len(data) >= 27 {
				turn(data[:24], 8)
				turn(data[24:26], 2)
			}
		}
		b = b[min(align(n, unix.RTA_ALIGNTO), len(b)):]
	}
}

type attr uint8

const (
	attrBytes attr = iota // text, addresses, and what is nested
	attrWords
	attrWide
	attrIfmap
)

// attrKind is the layout of an attribute's value.
func attrKind(typ, kind uint16) attr {
	switch typ {
	case unix.RTM_NEWLINK, unix.RTM_DELLINK, unix.RTM_GETLINK, unix.RTM_SETLINK:
		switch kind {
		case unix.IFLA_MTU, unix.IFLA_LINK, unix.IFLA_MASTER, unix.IFLA_WEIGHT, unix.IFLA_TXQLEN, unix.IFLA_NET_NS_PID,
			unix.IFLA_STATS, unix.IFLA_NUM_VF, unix.IFLA_GROUP, unix.IFLA_EXT_MASK, unix.IFLA_PROMISCUITY,
			unix.IFLA_NUM_TX_QUEUES, unix.IFLA_NUM_RX_QUEUES, unix.IFLA_CARRIER_CHANGES, unix.IFLA_GSO_MAX_SEGS,
			unix.IFLA_GSO_MAX_SIZE, unix.IFLA_CARRIER_UP_COUNT, unix.IFLA_CARRIER_DOWN_COUNT, unix.IFLA_MIN_MTU,
			unix.IFLA_MAX_MTU, unix.IFLA_LINK_NETNSID, unix.IFLA_NEW_IFINDEX:
			return attrWords
		case unix.IFLA_STATS64:
			return attrWide
		case unix.IFLA_MAP:
			return attrIfmap
		}
	case unix.RTM_NEWADDR, unix.RTM_DELADDR, unix.RTM_GETADDR:
		switch kind {
		case unix.IFA_FLAGS, unix.IFA_CACHEINFO, unix.IFA_RT_PRIORITY, unix.IFA_TARGET_NETNSID:
			return attrWords
		}
	case unix.RTM_NEWROUTE, unix.RTM_DELROUTE, unix.RTM_GETROUTE:
		switch kind {
		case unix.RTA_IIF, unix.RTA_OIF, unix.RTA_PRIORITY, unix.RTA_TABLE, unix.RTA_MARK, unix.RTA_FLOW, unix.RTA_CACHEINFO:
			return attrWords
		}
	case unix.RTM_NEWNEIGH, unix.RTM_DELNEIGH, unix.RTM_GETNEIGH:
		switch kind {
		case unix.NDA_PROBES, unix.NDA_CACHEINFO, unix.NDA_IFINDEX, unix.NDA_MASTER:
			return attrWords
		}
	}
	return attrBytes
}
