package emu

import (
	"os"
	"sort"
	"sync/atomic"

	"github.com/utemu/utemu/emu/arch"
)

// PageSize is the page size that guests are told and that mappings are made
// in. It is the host's too: file mappings need that.
const PageSize = 4096

// MapFlags say what kind of mapping a VMA is.
type MapFlags uint8

// The kinds.
const (
	MapShared     MapFlags = 1 << iota // MAP_SHARED; else private
	MapGrowsDown                       // a stack
	MapNoReserve                       // not counted against the memory limit until touched
	MapDontFork                        // left out by a fork
	MapWipeOnFork                      // zero in a fork's child
	MapFixedName                       // Name is the kernel's own ("[stack]"), not a path
	MapDontDump                        // left out of core files
	MapLocked                          // by mlock, which a fork's child does not inherit
)

// Backing is the file behind mappings. It has a descriptor of its own, so the
// guest may close its one.
type Backing struct {
	File *os.File
	Path string // as /proc/PID/maps shows it
	Dev  uint64 // st_dev, the host's
	Ino  uint64
	Max  arch.Prot // protections mprotect may give (a shared mapping of a file opened read-only lacks Write)

	refs atomic.Int32 // mappings, of all address spaces, and whoever holds it
}

// VMA is one mapping of an address space: a run of pages with one protection
// and one backing. The fields are for reading.
type VMA struct {
	Addr, End uint64
	Prot      arch.Prot
	Flags     MapFlags
	Name      string   // "[heap]", "[stack]", ... where there is no file
	File      *Backing // nil for anonymous memory
	Off       int64    // in File, or in Shm's memory, of Addr
	// Shm tells shared memory without a file from other such memory, also in a
	// copy that Fork made; 0 for other mappings. Map sets it for anonymous
	// memory; that of a System V segment is SegmentShm and the segment's id.
	Shm uint64

	// Reserved without memory of the host behind it: never accessible so far.
	bare bool
}

// SegmentShm is in VMA.Shm of memory that others may attach as well.
const SegmentShm = 1 << 63

// Size is the length of the mapping in bytes.
func (v *VMA) Size() uint64 { return v.End - v.Addr }

// Path is what /proc/PID/maps shows in its last column.
func (v *VMA) Path() string {
	if v.File != nil {
		return v.File.Path
	}
	return v.Name
}

// joins tells whether w continues v so that both can be one VMA.
func (v *VMA) joins(w *VMA) bool {
	if v.End != w.Addr || v.Prot != w.Prot || v.Flags != w.Flags || v.File != w.File || v.Name != w.Name || v.bare != w.bare || v.Shm != w.Shm {
		return false
	}
	return v.File == nil && v.Shm == 0 || v.Off+int64(v.Size()) == w.Off
}

// vmas is a sorted list of mappings that do not overlap.
type vmas []*VMA

// at returns the index of the first mapping that ends above addr.
func (l vmas) at(addr uint64) int {
	return sort.Search(len(l), func(i int) bool { return l[i].End > addr })
}

// find returns the mapping that holds addr, or nil.
func (l vmas) find(addr uint64) *VMA {
	if i := l.at(addr); i < len(l) && l[i].Addr <= addr {
		return l[i]
	}
	return nil
}

// split makes addr a border between mappings.
func (l *vmas) split(addr uint64) {
	i := l.at(addr)
	if i == len(*l) || (*l)[i].Addr >= addr {
		return
	}
	lo := (*l)[i]
	hi := *lo
	hi.Addr = addr
	if hi.File != nil || hi.Shm != 0 {
		hi.Off += int64(addr - lo.Addr)
	}
	if hi.File != nil {
		hi.File.refs.Add(1)
	}
	lo.End = addr
	*l = append(*l, nil)
	copy((*l)[i+2:], (*l)[i+1:])
	(*l)[i+1] = &hi
}

// cut takes the mappings inside [addr,end) out of the list, splitting those
// that stick out, and returns them.
func (l *vmas) cut(addr, end uint64) []*VMA {
	l.split(addr)
	l.split(end)
	i := l.at(addr)
	j := i
	for j < len(*l) && (*l)[j].Addr < end {
		j++
	}
	if i == j {
		return nil
	}
	out := append([]*VMA(nil), (*l)[i:j]...)
	*l = append((*l)[:i], (*l)[j:]...)
	return out
}

// insert adds a mapping to a place that is free and joins it with its
// neighbours where they continue each other.
func (l *vmas) insert(v *VMA) {
	i := l.at(v.Addr)
	*l = append(*l, nil)
	copy((*l)[i+1:], (*l)[i:])
	(*l)[i] = v
	l.joinAt(i + 1)
	l.joinAt(i)
}

// joinAt joins entry i with the one before it if they continue each other.
func (l *vmas) joinAt(i int) {
	if i <= 0 || i >= len(*l) {
		return
	}
	v, w := (*l)[i-1], (*l)[i]
	if !v.joins(w) {
		return
	}
	v.End = w.End
	if w.File != nil {
		w.File.refs.Add(-1)
	}
	*l = append((*l)[:i], (*l)[i+1:]...)
}

// join joins what can be joined among the mappings that touch [addr,end].
func (l *vmas) join(addr, end uint64) {
	i := l.at(addr)
	if i > 0 {
		i--
	}
	for i+1 < len(*l) && (*l)[i].Addr <= end {
		n := len(*l)
		l.joinAt(i + 1)
		if len(*l) == n {
			i++
		}
	}
}
