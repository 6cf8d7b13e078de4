package strace

import (
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/utemu/utemu/emu/arch"
)

// retStyle is how a result is written.
type retStyle uint8

const (
	retInt retStyle = iota
	retHex
	retOct
	retUint
	retFD
	retNone
)

var retStyles = map[string]retStyle{"hex": retHex, "oct": retOct, "uint": retUint, "fd": retFD, "none": retNone}

// signature is what a system call takes and returns.
type signature struct {
	args    []argument
	ret     retStyle
	meaning func(c *call) // sets aux or style from the result
	classes string
}

// argument is one argument of a signature.
type argument struct {
	fn     func(c *call) string
	out    bool // known after the call only
	always bool // fn is asked even if the call failed
	words  int  // registers it takes; pair is two of a 32-bit architecture

	optional bool // the call may not have it, which only its end tells
}

// signatures are those of all calls by name. See signatureText for the form.
// They are made, with all that they need, when somebody asks: most runs do not.
var signatures = sync.OnceValue(func() map[string]*signature {
	defineValues()
	defineDecoders()
	defineMeanings()
	structures = parseStructures(structureText)
	return parseSignatures(signatureText)
})

func parseSignatures(text string) map[string]*signature {
	out := map[string]*signature{}
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		s := &signature{}
		for _, tok := range f[1:] {
			switch {
			case tok[0] == '@':
				s.classes = tok[1:]
			case tok[0] == '=':
				s.ret = retStyles[tok[1:]]
			case tok[0] == '!':
				kind, param, _ := strings.Cut(tok[1:], "/")
				s.meaning = meanings[kind](param)
			default:
				s.args = append(s.args, parseArgument(tok))
			}
		}
		for _, name := range strings.Split(f[0], ",") {
			if out[name] != nil {
				panic("strace: two signatures of " + name)
			}
			out[name] = s
		}
	}
	return out
}

// parseArgument makes an argument from its notation: ">" for one that the
// kernel fills in, ">>" if it is to be decoded of a call that failed, too; a
// kind, and after a slash the kind's parameter.
func parseArgument(tok string) argument {
	kind := strings.TrimLeft(tok, ">")
	n := len(tok) - len(kind)
	kind, param, _ := strings.Cut(kind, "/")
	words, ok := widths[kind]
	if !ok {
		words = 1
	}
	return argument{fn: decoder(kind, param), out: n > 0, always: n > 1, words: words, optional: words == 0 || optional[kind]}
}

// decoder is the function of a kind of argument.
func decoder(kind, param string) func(c *call) string {
	if f := decoders[kind]; f != nil {
		return f(param)
	}
	bits := 32
	v := values[kind]
	if v == nil && kind[0] == 'l' {
		v, bits = values[kind[1:]], 0
	}
	if v == nil {
		panic("strace: no kind of argument " + kind)
	}
	f := v(param)
	return func(c *call) string {
		n := bits
		if n == 0 {
			n = c.wordBits()
		}
		w := c.word()
		if n == 32 {
			w &= 0xffffffff
		}
		return f(c, w, n)
	}
}

// signatureOf is the signature of a call of an architecture. Some names mean
// an older form of calling on some.
func signatureOf(a *arch.Arch, name string) *signature {
	switch {
	case name == "mmap" && a.ABI.OldMmap:
		name = "old_mmap"
	case name == "select" && a.ABI.OldSelect:
		name = "old_select"
	case name == "clone" && a.ABI.CloneTLSFourth:
		name = "clone_backwards"
	case name == "fadvise64_64" && a.ABI.AdviceSecond:
		name = "arm_fadvise64_64"
	case name == "sigsuspend" && a.ABI.SuspendThird:
		name = "sigsuspend3"
	}
	if s := signatures()[name]; s != nil {
		return s
	}
	return rawSignature(6)
}

// pair is how many registers a number of 64 bits takes.
const pair = -1

// widths are the numbers of registers of the kinds of arguments that take not
// one.
var widths = map[string]int{
	"i64": pair, "u64": pair, "fanmask": pair, "pos": 2, "llseekoff": 2, "futexargs": 6, "ioctlout": 0, "fcntlout": 0, "prctlarg": 4,
	"prctlout": 0, "archprctl": 2, "archprctlout": 0, "cloneflags": 2, "clonerest": 3, "cloneargsout": 0, "sendfilepos": 0,
	"kcmpargs": 2, "keyctlargs": 4, "quotaargs": 2, "syslogbuf": 2, "seccompout": 0, "ipcstat": 0, "sockaddrlen": 2, "getopt": 2,
	"sockopt": 2,
}

// optional are kinds of arguments that some calls do not have.
var optional = map[string]bool{"clonerest": true, "syslogbuf": true}

// raw is the signature of the same call whose arguments are just numbers.
func (s *signature) raw(a *arch.Arch) *signature {
	n := 0
	for _, arg := range s.args {
		switch {
		case arg.words != pair:
			n += arg.words
		case a.Word == 8:
			n++
		default:
			if a.ABI.EvenPair {
				n += n & 1
			}
			n += 2
		}
	}
	out := rawSignature(min(n, 6))
	out.ret, out.classes = s.ret, s.classes
	return out
}

// rawSignature is that of a call whose arguments are just n numbers.
func rawSignature(n int) *signature {
	s := &signature{}
	for range n {
		s.args = append(s.args, argument{fn: func(c *call) string { return hex(c.word()) }})
	}
	return s
}

// value is a way to write a number of some bits.
type value func(c *call, v uint64, bits int) string

// values are the ways by name; the string is the parameter after the slash.
var values map[string]func(param string) value

// plainValue is for ways without a parameter.
func plainValue(f value) func(string) value { return func(string) value { return f } }

func defineValues() {
	values = map[string]func(string) value{
		"d":    plainValue(func(_ *call, v uint64, bits int) string { return fmt.Sprint(signed(v, bits)) }),
		"u":    plainValue(func(_ *call, v uint64, bits int) string { return fmt.Sprint(v) }),
		"x":    plainValue(func(_ *call, v uint64, bits int) string { return hex(v) }),
		"mode": plainValue(func(_ *call, v uint64, _ int) string { return octal(v) }),
		"ptr":  plainValue(func(c *call, v uint64, _ int) string { return c.addr(v) }),
		"fd":   plainValue(func(c *call, v uint64, bits int) string { return c.fd(signed(v, bits)) }),
		"sig":  plainValue(func(c *call, v uint64, bits int) string { return c.sigName(int(signed(v, bits))) }),
		"uid": plainValue(func(_ *call, v uint64, bits int) string {
			if signed(v, bits) == -1 {
				return "-1"
			}
			return fmt.Sprint(v)
		}),
		"err":    plainValue(func(c *call, v uint64, bits int) string { return c.errorValue(signed(v, bits)) }),
		"symode": plainValue(func(c *call, v uint64, _ int) string { return c.symbolicMode(v) }),
		"dev":    plainValue(func(c *call, v uint64, bits int) string { return device(v, bits) }),
		"rlim":   plainValue(rlimValue),
		"time": plainValue(func(_ *call, v uint64, bits int) string {
			return fmt.Sprint(signed(v, bits)) + date(signed(v, bits), 0)
		}),
		"id":      plainValue(func(_ *call, v uint64, bits int) string { return fmt.Sprint(signed(v, bits)) }),
		"clockt":  plainValue(func(c *call, v uint64, bits int) string { return c.clockTicks(v) }),
		"clockid": plainValue(func(c *call, v uint64, _ int) string { return c.enum(lookup("clock"), v&0xffffffff) }),
		"handler": plainValue(func(c *call, v uint64, _ int) string { return c.handler(v) }),
		"sigset":  plainValue(func(c *call, v uint64, bits int) string { return c.sigset(v, bits) }),
		"version": plainValue(func(c *call, v uint64, _ int) string { return c.enum(lookup("capver"), v) }),
		"htons":   plainValue(func(c *call, v uint64, _ int) string { return fmt.Sprintf("htons(%d)", c.swap16(v)) }),
		"enum": func(p string) value {
			t := lookup(p)
			return func(c *call, v uint64, _ int) string { return c.enum(t, v) }
		},
		"flags": func(p string) value {
			var ts []*table
			for _, n := range strings.Split(p, "+") {
				ts = append(ts, lookup(n))
			}
			return func(c *call, v uint64, _ int) string { return c.flags(v, ts...) }
		},
	}
}

// errorValue writes a number that is an errno, negative or not.
func (c *call) errorValue(v int64) string {
	if v > 0 {
		if n := c.errnoName(uint16(v)); n != "" {
			return n
		}
	}
	return strconv.FormatInt(v, 10)
}
