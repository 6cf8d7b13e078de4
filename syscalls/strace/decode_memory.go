package strace

import (
	"fmt"
)

// memoryKinds are arguments of calls on memory.
func memoryKinds() map[string]func(string) func(*call) string {
	return map[string]func(string) func(*call) string{
		"mapflags": plainKind(func(c *call) string { return c.mapFlags(c.word() & 0xffffffff) }),
		"mapoff":   plainKind(func(c *call) string { return hex(c.word()) }),
		"mapoff2":  plainKind(func(c *call) string { return hex(c.word() << 12) }),
		"oldmmap":  plainKind((*call).oldMmap),
		"mremapaddr": plainKind(func(c *call) string {
			t := lookup("mremap")
			if c.args[3]&(t.value(c.a, "MREMAP_FIXED")|t.value(c.a, "MREMAP_DONTUNMAP")) == 0 {
				return omitted
			}
			return c.addr(c.word())
		}),
		"membarriercpu": plainKind(func(c *call) string {
			if c.args[1] == 0 {
				return omitted
			}
			return fmt.Sprint(signed(c.word(), 32))
		}),
		"residency": plainKind((*call).residency),
	}
}

// hugeShift and hugeMask are where flags hold a page size: MAP_HUGE_SHIFT and
// MAP_HUGE_MASK, and the same of shmget and memfd_create.
const hugeShift, hugeMask = 26, 0x3f

func (c *call) mapFlags(v uint64) string {
	if c.p.Consts == ConstsRaw {
		return hex(v)
	}
	const mask = 0xf // MAP_TYPE of every architecture
	t := lookup("maptype").name(c.a, v&mask)
	if t == "" {
		return c.flags(v, lookup("mapflags"))
	}
	huge := v >> hugeShift & hugeMask
	s := c.or(t, v&^(mask|hugeMask<<hugeShift), lookup("mapflags"))
	if huge != 0 {
		s += fmt.Sprintf("|%d<<MAP_HUGE_SHIFT", huge)
	}
	if c.p.Consts == ConstsVerbose {
		return fmt.Sprintf("%s /* %s */", hex(v), s)
	}
	return s
}

// oldMmap writes the arguments that i386's mmap takes in memory.
func (c *call) oldMmap() string {
	at := c.word()
	r, ok := c.load("mmap_arg_struct", at)
	if !ok {
		return c.addr(at)
	}
	return fmt.Sprintf("{addr=%s, len=%d, prot=%s, flags=%s, fd=%s, offset=%s}", c.addr(r.uint("addr")), r.uint("len"),
		c.flags(r.uint("prot"), lookup("prot")), c.mapFlags(r.uint("flags")), c.fd(r.int("fd")), hex(r.uint("offset")))
}

// residency writes the vector of mincore, a byte a page.
func (c *call) residency() string {
	at, pages := c.word(), (c.args[1]+4095)/4096
	return c.list(at, pages, 1, func(at uint64) (string, bool) {
		v, ok := c.uint(at, 1)
		return fmt.Sprint(v & 1), ok
	})
}
