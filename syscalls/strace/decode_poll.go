package strace

import (
	"fmt"
	"strings"
)

// pollKinds are arguments of calls that wait for descriptors.
func pollKinds() map[string]func(string) func(*call) string {
	return map[string]func(string) func(*call) string{
		"fdset":      plainKind((*call).fdSet),
		"sigpack":    plainKind((*call).sigPack),
		"selectargs": plainKind((*call).oldSelect),
		"pollfds":    plainKind(func(c *call) string { return c.pollFDs(c.word(), c.args[1]) }),
		"epollevent": plainKind(func(c *call) string {
			at := c.word()
			if lookup("epollctl").name(c.a, c.args[1]) == "EPOLL_CTL_DEL" {
				return c.addr(at)
			}
			return c.structAt("epoll_event", at)
		}),
		"epollevents": plainKind((*call).epollEvents),
	}
}

// fdSet writes a set of descriptors at the entry; the exit tells the result
// once, after the last argument.
func (c *call) fdSet() string { return c.fdSetAt(c.word(), c.args[0]) }

func (c *call) fdSetAt(at, nfds uint64) string {
	l, ok := c.fds(at, nfds)
	if !ok {
		return c.addr(at)
	}
	return "[" + strings.Join(l, " ") + "]"
}

// fds are the descriptors of a set.
func (c *call) fds(at, nfds uint64) (out []string, ok bool) {
	n := int(min(uint64(max(signed(nfds, 32), 0)), 1<<20))
	w := c.a.Word
	b, ok := c.read(at, (n+8*w-1)/(8*w)*w)
	if !ok {
		return nil, false
	}
	for i := range n {
		word := c.number(b[i/(8*w)*w : i/(8*w)*w+w])
		if word>>(i%(8*w))&1 != 0 {
			out = append(out, c.fd(int64(i)))
		}
	}
	return out, true
}

// selectTime writes select's timeout.
func (c *call) selectTime() string { return c.structAt("timeval", c.word()) }

// selectResult tells in the result which descriptors are ready and how much
// time was left.
func (c *call) selectResult(nfds uint64, sets []uint64, timeout uint64, layout string) {
	if c.ret == 0 {
		c.aux = "Timeout"
		return
	}
	var parts []string
	for i, name := range []string{"in", "out", "except"} {
		if l, ok := c.fds(sets[i], nfds); ok && len(l) > 0 {
			parts = append(parts, name+" ["+strings.Join(l, " ")+"]")
		}
	}
	if timeout != 0 {
		parts = append(parts, "left "+c.structAt(layout, timeout))
	}
	c.aux = strings.Join(parts, ", ")
}

func (c *call) sigPack() string {
	at, w := c.word(), c.a.Word
	set, ok1 := c.uint(at, w)
	size, ok2 := c.uint(at+uint64(w), w)
	if !ok1 || !ok2 {
		return c.addr(at)
	}
	return fmt.Sprintf("{sigmask=%s, sigsetsize=%d}", c.sigsetAt(set, size), size)
}

// oldSelect writes the arguments that select takes in memory.
func (c *call) oldSelect() string {
	at := c.word()
	r, ok := c.load("sel_arg_struct", at)
	if !ok {
		return c.addr(at)
	}
	n := r.uint("n")
	return fmt.Sprintf("%d, %s, %s, %s, %s", r.int("n"), c.fdSetAt(r.uint("inp"), n), c.fdSetAt(r.uint("outp"), n),
		c.fdSetAt(r.uint("exp"), n), c.structAt("timeval", r.uint("tvp")))
}

// pollFDs writes an array of struct pollfd.
func (c *call) pollFDs(addr, n uint64) string {
	return c.list(addr, n, 8, func(at uint64) (string, bool) {
		r, ok := c.load("pollfd", at)
		if !ok {
			return "", false
		}
		s := "{fd=" + c.fd(r.int("fd"))
		if r.int("fd") >= 0 {
			s += ", events=" + c.flags(r.uint("events"), lookup("poll"))
		}
		return s + "}", true
	})
}

// pollResult tells in the result which descriptors are ready, and how much time
// was left if that is in a structure.
func (c *call) pollResult(layout string) {
	if c.ret == 0 {
		c.aux = "Timeout"
		return
	}
	var l []string
	for i := range min(c.args[1], 1<<16) {
		r, ok := c.load("pollfd", c.args[0]+8*i)
		if !ok {
			break
		}
		re := r.uint("revents")
		if re == 0 {
			continue
		}
		if c.abbrev() && len(l) >= c.p.Strings {
			l = append(l, "...")
			break
		}
		l = append(l, fmt.Sprintf("{fd=%d, revents=%s}", r.int("fd"), c.flags(re, lookup("poll"))))
	}
	c.aux = array(l, false)
	if layout != "" && c.args[2] != 0 {
		c.aux += ", left " + c.structAt(layout, c.args[2])
	}
}

// epollEvent writes struct epoll_event.
func (r record) epollEvent() string {
	c := r.c
	d := r.field("data")
	u32 := uint64(0)
	if len(d) >= 4 {
		u32 = c.number(d[:4])
	}
	return fmt.Sprintf("{events=%s, data={u32=%d, u64=%d}}", c.flags(r.uint("events"), lookup("epollev")), u32, r.uint("data"))
}

func (c *call) epollEvents() string {
	at := c.word()
	if c.ret == 0 {
		return "[]"
	}
	l := c.a.Layout["epoll_event"]
	return c.list(at, c.count(), l.Size, func(at uint64) (string, bool) {
		r, ok := c.load("epoll_event", at)
		if !ok {
			return "", false
		}
		return r.text("epoll_event"), true
	})
}
