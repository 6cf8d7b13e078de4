package strace

import (
	"fmt"
	"strings"
)

// timeKinds are arguments of calls on time.
func timeKinds() map[string]func(string) func(*call) string {
	return map[string]func(string) func(*call) string{
		"ts":        layoutKind(func(c *call, name string) string { return c.structAt(name, c.word()) }),
		"time":      plainKind((*call).timeArg),
		"timezone":  plainKind(func(c *call) string { return c.structAt("timezone", c.word()) }),
		"timeval":   plainKind((*call).selectTime),
		"timevals":  plainKind(func(c *call) string { return c.timePair("timeval", c.word(), "tv_usec", 1000) }),
		"timespecs": layoutKind(func(c *call, name string) string { return c.timePair(name, c.word(), "tv_nsec", 1) }),
		"sleeprem":  layoutKind((*call).remaining),
	}
}

// timeArg writes the argument of time; the result is a date.
func (c *call) timeArg() string {
	at := c.word()
	v, ok := c.uint(at, c.a.Word)
	if !ok {
		return c.addr(at)
	}
	sec := signed(v, c.wordBits())
	return fmt.Sprintf("[%d%s]", sec, date(sec, 0))
}

// timePair writes two times as the calls that change files' times take them.
func (c *call) timePair(layout string, addr uint64, sub string, unit uint64) string {
	l, ok := c.a.Layout[layout]
	if !ok || addr == 0 {
		return c.addr(addr)
	}
	var out []string
	for i := range 2 {
		r, ok := c.load(layout, addr+uint64(i*l.Size))
		if !ok {
			return c.addr(addr)
		}
		out = append(out, c.utimeText(r, sub, unit))
	}
	return "[" + strings.Join(out, ", ") + "]"
}

// Special values of tv_nsec (linux/stat.h).
const (
	utimeNow  = 1<<30 - 1
	utimeOmit = 1<<30 - 2
)

func (c *call) utimeText(r record, sub string, unit uint64) string {
	if sub == "tv_nsec" {
		switch r.uint(sub) {
		case utimeNow:
			return "UTIME_NOW"
		case utimeOmit:
			return "UTIME_OMIT"
		}
	}
	sec, part := r.int("tv_sec"), r.uint(sub)
	return fmt.Sprintf("{tv_sec=%d, %s=%d}%s", sec, sub, part, date(sec, part*unit))
}

// remaining writes the time that an interrupted sleep left.
func (c *call) remaining(layout string) string {
	at := c.word()
	if c.failed && (c.errno == 4 || c.errno == 516) { // EINTR, ERESTART_RESTARTBLOCK
		saved := c.failed
		c.failed = false
		s := c.structAt(layout, at)
		c.failed = saved
		return s
	}
	return c.addr(at)
}

// sigevent writes struct sigevent.
func (r record) sigevent() string {
	c := r.c
	var l []string
	if b := r.field("sigev_value"); c.number(b) != 0 {
		l = append(l, fmt.Sprintf("sigev_value={sival_int=%d, sival_ptr=%s}", signed(c.number(b[:4]), 32), c.addr(c.number(b))))
	}
	notify := lookup("sigev").name(c.a, r.uint("sigev_notify"))
	signo := c.sigName(int(r.int("sigev_signo")))
	if notify == "SIGEV_NONE" || notify == "" {
		signo = fmt.Sprint(r.uint("sigev_signo"))
	}
	l = append(l, "sigev_signo="+signo, "sigev_notify="+c.enum(lookup("sigev"), r.uint("sigev_notify")))
	rest := r.b[r.l.Fields["sigev_notify"].Off+4:]
	switch w := c.a.Word; notify {
	case "SIGEV_THREAD_ID":
		l = append(l, fmt.Sprintf("sigev_notify_thread_id=%d", signed(c.number(rest[:4]), 32)))
	case "SIGEV_THREAD":
		l = append(l, "sigev_notify_function="+c.addr(c.number(rest[:w])), "sigev_notify_attributes="+c.addr(c.number(rest[w:2*w])))
	}
	return "{" + strings.Join(l, ", ") + "}"
}
