package syscalls

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
	"github.com/utemu/utemu/emu/arch"
)

// procFiles are the files of /proc/PID whose content is not the host's.
var procFiles = map[string]func(v *procView) ([]byte, error){
	"auxv":          func(p *procView) ([]byte, error) { return bytes.Clone(p.Image.Auxv), nil },
	"cmdline":       (*procView).procCmdline,
	"comm":          func(p *procView) ([]byte, error) { return []byte(p.ts.comm + "\n"), nil },
	"environ":       func(p *procView) ([]byte, error) { return p.image(p.Image.EnvStart, p.Image.EnvEnd), nil },
	"limits":        (*procView).procLimits,
	"maps":          (*procView).procMaps,
	"personality":   func(p *procView) ([]byte, error) { return fmt.Appendf(nil, "%08x\n", p.Persona), nil },
	"smaps":         (*procView).procSmaps,
	"smaps_rollup":  (*procView).procRollup,
	"stat":          (*procView).procStat,
	"statm":         (*procView).procStatm,
	"status":        (*procView).procStatus,
	"timerslack_ns": func(p *procView) ([]byte, error) { return fmt.Appendf(nil, "%d\n", p.prctl.slack), nil },
	"syscall":       func(*procView) ([]byte, error) { return []byte("running\n"), nil },
	"wchan":         func(*procView) ([]byte, error) { return []byte("0"), nil },
}

// machineFiles are the files of /proc beside the processes' whose content is not
// the host's, unless there is none.
var machineFiles = map[string]func(p *Process) ([]byte, error){
	cpuInfoFile:                (*Process).cpuInfo,
	"/proc/sys/kernel/pid_max": func(*Process) ([]byte, error) { return fmt.Appendf(nil, "%d\n", maxID), nil },
}

const cpuInfoFile = "/proc/cpuinfo"

// cpuInfo is /proc/cpuinfo of a machine with as many CPUs as the host that are
// all of the guest's model. What the model tells up to the first empty line is
// for each of them.
func (p *Process) cpuInfo() ([]byte, error) {
	if p.P.Model == nil || p.P.Model.CPUInfo == "" {
		return nil, nil
	}
	host, err := os.ReadFile(cpuInfoFile)
	if err != nil {
		return nil, err
	}
	var b []byte
	each, rest, _ := strings.Cut(p.P.Model.CPUInfo, "\n\n")
	for i := range max(1, strings.Count("\n"+string(host), "\nprocessor\t")) {
		b = fmt.Appendf(b, "processor\t: %d\n%s\n\n", i, strings.TrimPrefix(each, "processor\t: 0\n"))
	}
	return append(b, rest...), nil
}

// image is what can be read of a piece of the program's memory.
func (p *procView) image(start, end uint64) []byte {
	const most = 32 << 20 // more than execve allows
	if p.gone || end <= start || end-start > most {
		return nil
	}
	b := make([]byte, end-start)
	n, _ := p.P.Space.ReadAt(b, start)
	return b[:n]
}

// procCmdline follows get_mm_cmdline: a program that has overwritten its
// arguments beyond their end, without a NUL there, set a title, which goes on
// into the environment.
func (p *procView) procCmdline() ([]byte, error) {
	im := &p.Image
	b := p.image(im.ArgStart, im.ArgEnd)
	if len(b) == 0 || b[len(b)-1] == 0 || im.EnvStart != im.ArgEnd {
		return b, nil
	}
	b = p.image(im.ArgStart, im.EnvEnd)
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i+1]
	}
	return b, nil
}

// mapLine is a line of /proc/PID/maps.
type mapLine struct {
	emu.VMA
	dev, ino uint64
	name     string
}

// mapLines are the mappings as the kernel would have them: neighbours that
// continue each other are one there, even when two calls made them.
func (p *procView) mapLines() []mapLine {
	if p.gone {
		return nil
	}
	var out []mapLine
	p.P.Space.VMAs(func(v *emu.VMA) bool {
		l := mapLine{VMA: *v, name: v.Path()}
		switch {
		case v.File != nil:
			l.dev, l.ino = v.File.Dev, v.File.Ino
		case v.Flags&emu.MapShared != 0 && l.name == "":
			l.dev, l.ino, l.name = anonDev, 1, "/dev/zero (deleted)"
		case v.Flags&emu.MapShared != 0:
			l.dev = anonDev
		}
		if n := len(out); n > 0 && out[n-1].continues(&l) {
			out[n-1].End = l.End
			return true
		}
		out = append(out, l)
		return true
	})
	return out
}

// anonDev is the device of the kernel's own tmpfs, 00:01.
const anonDev = 1

func (l *mapLine) continues(n *mapLine) bool {
	return l.End == n.Addr && l.Prot == n.Prot && l.Flags == n.Flags && l.dev == n.dev && l.ino == n.ino && l.name == n.name &&
		(n.File == nil || l.File != nil && l.Off+int64(l.Size()) == n.Off)
}

// append writes a line of /proc/PID/maps (show_map_vma); the name stands in a
// column that depends on the size of a pointer.
func (l *mapLine) append(b []byte, word int) []byte {
	kind := 'p'
	if l.Flags&emu.MapShared != 0 {
		kind = 's'
	}
	start := len(b)
	b = fmt.Appendf(b, "%08x-%08x %s%c %08x %02x:%02x %d ", l.Addr, l.End, l.Prot, kind, l.Off, unix.Major(l.dev), unix.Minor(l.dev), l.ino)
	if l.name != "" {
		for len(b)-start < 25+6*word {
			b = append(b, ' ')
		}
		b = append(b, strings.ReplaceAll(l.name, "\n", `\012`)...)
	}
	return append(b, '\n')
}

func (p *procView) procMaps() ([]byte, error) {
	var b []byte
	for _, l := range p.mapLines() {
		b = l.append(b, p.P.Arch.Word)
	}
	return b, nil
}

// usage is what smaps tells of a mapping, in bytes.
type usage struct{ size, rss, clean, dirty, anon, locked uint64 }

// usage asks the host how much of a mapping is in memory. Private pages that
// are there count as dirty, those of files as clean.
func (p *procView) usage(l *mapLine) (u usage, err error) {
	u.size = l.Size()
	const most = 1 << 40 // what nobody touches: shadow memory and the like
	if l.Prot == 0 || u.size > most {
		return u, nil
	}
	for a := l.Addr; a < l.End; {
		n := min(l.End-a, emu.PageSize*emu.PageSize)
		in, err := p.P.Space.Resident(a, n)
		if err != nil {
			return u, err
		}
		for _, x := range in {
			u.rss += uint64(x&1) * emu.PageSize
		}
		a += n
	}
	if l.File == nil {
		u.dirty, u.anon = u.rss, u.rss
	} else {
		u.clean = u.rss
	}
	if l.Flags&emu.MapLocked != 0 {
		u.locked = u.rss
	}
	return u, nil
}

func (u *usage) append(b []byte, shared bool) []byte {
	sc, sd, pc, pd := uint64(0), uint64(0), u.clean, u.dirty
	if shared {
		sc, sd, pc, pd = u.clean, u.dirty, 0, 0
	}
	for _, f := range []struct {
		name string
		v    uint64
	}{
		{"Rss", u.rss}, {"Pss", u.rss}, {"Pss_Dirty", u.dirty}, {"Shared_Clean", sc}, {"Shared_Dirty", sd},
		{"Private_Clean", pc}, {"Private_Dirty", pd}, {"Referenced", u.rss}, {"Anonymous", u.anon}, {"KSM", 0}, {"LazyFree", 0},
		{"AnonHugePages", 0}, {"ShmemPmdMapped", 0}, {"FilePmdMapped", 0}, {"Shared_Hugetlb", 0},
		{"Private_Hugetlb", 0}, {"Swap", 0}, {"SwapPss", 0}, {"Locked", u.locked},
	} {
		b = appendKB(b, f.name, f.v)
	}
	return b
}

func appendKB(b []byte, name string, v uint64) []byte {
	return fmt.Appendf(b, "%-16s%8d kB\n", name+":", v/1024)
}

func (p *procView) procSmaps() ([]byte, error) {
	var b []byte
	for _, l := range p.mapLines() {
		u, err := p.usage(&l)
		if err != nil {
			return nil, err
		}
		b = l.append(b, p.P.Arch.Word)
		b = appendKB(b, "Size", u.size)
		b = appendKB(b, "KernelPageSize", emu.PageSize)
		b = appendKB(b, "MMUPageSize", emu.PageSize)
		b = u.append(b, l.Flags&emu.MapShared != 0)
		b = append(b, "THPeligible:           0\nVmFlags:"...)
		for _, f := range l.vmFlags() {
			b = append(b, ' ')
			b = append(b, f...)
		}
		b = append(b, " \n"...)
	}
	return b, nil
}

// vmFlags are the mapping's flags in the letters of smaps.
func (l *mapLine) vmFlags() (f []string) {
	for bit, name := range []string{"rd", "wr", "ex"} {
		if l.Prot&(1<<bit) != 0 {
			f = append(f, name)
		}
	}
	if l.Flags&emu.MapShared != 0 {
		f = append(f, "sh")
	}
	f = append(f, "mr", "mw", "me")
	if l.Flags&emu.MapShared != 0 {
		f = append(f, "ms")
	}
	if l.Flags&emu.MapGrowsDown != 0 {
		f = append(f, "gd")
	}
	if l.Flags&emu.MapLocked != 0 {
		f = append(f, "lo")
	}
	return f
}

func (p *procView) procRollup() ([]byte, error) {
	var sum usage
	lines := p.mapLines()
	if len(lines) == 0 {
		return nil, nil
	}
	for _, l := range lines {
		u, err := p.usage(&l)
		if err != nil {
			return nil, err
		}
		sum.rss += u.rss
		sum.clean += u.clean
		sum.dirty += u.dirty
		sum.anon += u.anon
		sum.locked += u.locked
	}
	all := mapLine{VMA: emu.VMA{Addr: lines[0].Addr, End: lines[len(lines)-1].End}, name: "[rollup]"}
	return sum.append(all.append(nil, p.P.Arch.Word), false), nil
}

// memory sums the mappings for stat, statm and status.
type memory struct{ total, resident, file, text, data, stack, locked uint64 }

func (p *procView) memory() (m memory, err error) {
	for _, l := range p.mapLines() {
		u, err := p.usage(&l)
		if err != nil {
			return m, err
		}
		m.total += u.size
		m.resident += u.rss
		m.file += u.clean
		if l.Flags&emu.MapLocked != 0 {
			m.locked += u.size
		}
		switch {
		case l.Flags&emu.MapGrowsDown != 0:
			m.stack += u.size
		case l.Prot&arch.Write != 0 && l.Flags&emu.MapShared == 0:
			m.data += u.size
		}
	}
	if p.gone {
		return m, nil
	}
	m.text = (p.Image.CodeEnd+pageMask)&^pageMask - p.Image.CodeStart&^pageMask
	return m, nil
}

func (p *procView) procStatm() ([]byte, error) {
	m, err := p.memory()
	if err != nil {
		return nil, err
	}
	const page = emu.PageSize
	return fmt.Appendf(nil, "%d %d %d %d 0 %d 0\n", m.total/page, m.resident/page, m.file/page, m.text/page, (m.data+m.stack)/page), nil
}

// signalSets are the sets that stat and status show: pending for the task,
// pending for the process, blocked, ignored, caught.
func (p *procView) signalSets() (pend, shared, blocked, ignored, caught sigset) {
	p.sigMu.Lock()
	defer p.sigMu.Unlock()
	for no := unix.Signal(1); no <= nsig; no++ {
		switch d := p.Sig.get(no); {
		case d.handler == sigIgn:
			ignored |= sigs(no)
		case d.caught():
			caught |= sigs(no)
		}
	}
	return p.ts.pend.set, p.shared.set, p.ts.blocked, ignored, caught
}

// procStat is the host's line with what it says of the program replaced by
// what the guest's is: the numbers are the fields' in proc_pid_stat(5).
func (p *procView) procStat() ([]byte, error) {
	host, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return nil, err
	}
	m, err := p.memory()
	if err != nil {
		return nil, err
	}
	_, rest, ok := strings.Cut(string(host), ") ")
	if !ok {
		return nil, unix.EIO
	}
	f := strings.Fields(rest) // f[0] is field 3
	pend, shared, blocked, ignored, caught := p.signalSets()
	brk := uint64(0)
	if !p.gone {
		brk, _ = p.P.Space.BrkRange()
	}
	im := &p.Image
	pgrp, sid, tty, front := p.place()
	own, children := p.used()
	for n, v := range map[int]uint64{
		14: ticks(own.Utime), 15: ticks(own.Stime), 16: ticks(children.Utime), 17: ticks(children.Stime),
		20: uint64(len(p.P.Tasks())), 22: uint64(p.Start / 1e7), 23: m.total, 24: m.resident / emu.PageSize, 25: p.Limits[unix.RLIMIT_RSS].Cur,
		26: im.CodeStart, 27: im.CodeEnd, 28: im.StackStart, 29: 0, 30: 0,
		31: uint64(pend|shared) & 0x7fffffff, 32: uint64(blocked) & 0x7fffffff,
		33: uint64(ignored) & 0x7fffffff, 34: uint64(caught) & 0x7fffffff,
		45: im.DataStart, 46: im.DataEnd, 47: brk, 48: im.ArgStart, 49: im.ArgEnd, 50: im.EnvStart, 51: im.EnvEnd,
	} {
		if n-3 < len(f) {
			f[n-3] = strconv.FormatUint(v, 10)
		}
	}
	for n, v := range p.K.scheduled(p.ts).stat() {
		if n-3 < len(f) {
			f[n-3] = strconv.Itoa(v)
		}
	}
	p.steadyStat(f)
	head := fmt.Appendf(nil, "%d (%s) %c %d %d %d %d %d ", p.id(), p.ts.comm, p.state(), p.ppid(), pgrp, sid, tty, front)
	return append(append(head, strings.Join(f[min(len(f), 6):], " ")...), '\n'), nil
}

// stateNames are the words of status for the letters of stat.
var stateNames = map[byte]string{'R': "running", 'S': "sleeping", 'T': "stopped", 't': "tracing stop", 'Z': "zombie"}

// procStatus is the host's file with the lines replaced that tell of the
// program.
func (p *procView) procStatus() ([]byte, error) {
	host, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return nil, err
	}
	m, err := p.memory()
	if err != nil {
		return nil, err
	}
	lines := p.statusLines(&m)
	if p.K.cfg.Schedule != nil {
		lines["voluntary_ctxt_switches"], lines["nonvoluntary_ctxt_switches"] = "0", "0"
	}
	var b []byte
	for line := range strings.Lines(string(host)) {
		key, _, _ := strings.Cut(line, ":")
		if v, ok := lines[key]; ok {
			line = key + ":\t" + v + "\n"
		}
		if !p.gone || !strings.HasPrefix(key, "Vm") && !strings.HasPrefix(key, "Rss") {
			b = append(b, line...)
		}
	}
	return b, nil
}

func (p *procView) statusLines(m *memory) map[string]string {
	pend, shared, blocked, ignored, caught := p.signalSets()
	pgrp, sid, _, _ := p.place()
	kb := func(v uint64) string { return fmt.Sprintf("%8d kB", v/1024) }
	set := func(s sigset) string { return fmt.Sprintf("%016x", uint64(s)) }
	state := p.state()
	lines := map[string]string{
		"Name": strings.NewReplacer("\\", `\\`, "\n", `\n`).Replace(p.ts.comm), "State": fmt.Sprintf("%c (%s)", state, stateNames[state]),
		"Umask": fmt.Sprintf("%04o", p.FS.Mask()), "Threads": strconv.Itoa(len(p.P.Tasks())), "TracerPid": strconv.Itoa(p.tracer()),
		"Tgid": strconv.Itoa(p.P.PID), "Pid": strconv.Itoa(p.id()), "PPid": strconv.Itoa(p.ppid()),
		"NStgid": strconv.Itoa(p.P.PID), "NSpid": strconv.Itoa(p.id()), "NSpgid": strconv.Itoa(pgrp), "NSsid": strconv.Itoa(sid),
		"VmPeak": kb(m.total), "VmSize": kb(m.total), "VmHWM": kb(m.resident), "VmRSS": kb(m.resident), "VmLck": kb(m.locked), "VmPin": kb(0),
		"RssAnon": kb(m.resident - m.file), "RssFile": kb(m.file), "RssShmem": kb(0), "VmLib": kb(0),
		"VmData": kb(m.data), "VmStk": kb(m.stack), "VmExe": kb(m.text),
		"SigPnd": set(pend), "ShdPnd": set(shared), "SigBlk": set(blocked), "SigIgn": set(ignored), "SigCgt": set(caught),
		"NoNewPrivs": strconv.FormatUint(bit(p.prctl.noNewPrivs), 10),
	}
	p.ts.cred.status(lines)
	return lines
}

// limitNames are the lines of /proc/PID/limits by number, with units.
var limitNames = [16][2]string{
	unix.RLIMIT_CPU: {"Max cpu time", "seconds"}, unix.RLIMIT_FSIZE: {"Max file size", "bytes"},
	unix.RLIMIT_DATA: {"Max data size", "bytes"}, unix.RLIMIT_STACK: {"Max stack size", "bytes"},
	unix.RLIMIT_CORE: {"Max core file size", "bytes"}, unix.RLIMIT_RSS: {"Max resident set", "bytes"},
	unix.RLIMIT_NPROC: {"Max processes", "processes"}, unix.RLIMIT_NOFILE: {"Max open files", "files"},
	unix.RLIMIT_MEMLOCK: {"Max locked memory", "bytes"}, unix.RLIMIT_AS: {"Max address space", "bytes"},
	unix.RLIMIT_LOCKS: {"Max file locks", "locks"}, unix.RLIMIT_SIGPENDING: {"Max pending signals", "signals"},
	unix.RLIMIT_MSGQUEUE: {"Max msgqueue size", "bytes"}, unix.RLIMIT_NICE: {"Max nice priority", ""},
	unix.RLIMIT_RTPRIO: {"Max realtime priority", ""}, unix.RLIMIT_RTTIME: {"Max realtime timeout", "us"},
}

func (p *procView) procLimits() ([]byte, error) {
	b := fmt.Appendf(nil, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units")
	show := func(v uint64) string {
		if v == unix.RLIM_INFINITY {
			return "unlimited"
		}
		return strconv.FormatUint(v, 10)
	}
	for i, n := range limitNames {
		b = fmt.Appendf(b, "%-25s %-20s %-20s ", n[0], show(p.Limits[i].Cur), show(p.Limits[i].Max))
		if n[1] != "" {
			b = fmt.Appendf(b, "%-10s", n[1])
		}
		b = append(b, '\n')
	}
	return b, nil
}

// Mask is the umask.
func (fs *FS) Mask() uint32 {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return fs.umask
}
