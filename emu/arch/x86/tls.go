package x86

import (
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/regset"
)

// entry reads or writes a descriptor in the CPU's tables.
func entry(c arch.CPU, addr uint64) (uint64, error) {
	var b [8]byte
	if _, err := c.Own().ReadAt(b[:], addr); err != nil {
		return 0, unix.EFAULT
	}
	return le.Uint64(b[:]), nil
}

func setEntry(c arch.CPU, addr, v uint64) error {
	if _, err := c.Own().WriteAt(le.AppendUint64(nil, v), addr); err != nil {
		return unix.EFAULT
	}
	return nil
}

// reload loads the segment registers that hold the selector sel again, so
// that a changed descriptor takes effect.
func reload(c arch.CPU, sel uint64) {
	for _, id := range []regset.ID{ds, es, fs, gs} {
		if c.Reg(id) == sel {
			c.SetReg(id, sel)
		}
	}
}

// setThreadArea is set_thread_area(2).
func setThreadArea(c arch.CPU, a [6]uint64) (uint64, error) {
	return 0, setTLSEntry(c, a[0], true)
}

// setTLS32 is the CLONE_SETTLS of clone: it wants an entry that is named.
func setTLS32(c arch.CPU, v uint64) error { return setTLSEntry(c, v, false) }

// setTLSEntry is do_set_thread_area of the kernel: addr points to a struct
// user_desc, whose entry number -1 asks for a free entry.
func setTLSEntry(c arch.CPU, addr uint64, allocate bool) error {
	d, err := readUserDesc(c, addr)
	if err != nil {
		return err
	}
	if !d.okTLS() {
		return unix.EINVAL
	}
	if d.entry == ^uint32(0) && allocate {
		if d.entry, err = freeTLS(c); err != nil {
			return err
		}
		if _, err := c.WriteAt(le.AppendUint32(nil, d.entry), addr); err != nil {
			return unix.EFAULT
		}
	}
	if d.entry < tlsMin || d.entry > tlsMax {
		return unix.EINVAL
	}
	var v uint64
	if !d.empty() {
		v = d.descriptor()
	}
	if err := setEntry(c, tables32+8*uint64(d.entry), v); err != nil {
		return err
	}
	reload(c, uint64(d.entry)<<3|3)
	return nil
}

// okTLS is tls_desc_okay: an entry for TLS is data that is there, or none.
func (d userDesc) okTLS() bool {
	return d.empty() || d.flags&udSeg32 != 0 && d.flags&udContents>>1 <= 1 && d.flags&udNotPresent == 0
}

// freeTLS finds a TLS entry that is not in use, or fails with ESRCH.
func freeTLS(c arch.CPU) (uint32, error) {
	for i := uint32(tlsMin); i <= tlsMax; i++ {
		v, err := entry(c, tables32+8*uint64(i))
		if err != nil {
			return 0, err
		}
		if v == 0 {
			return i, nil
		}
	}
	return 0, unix.ESRCH
}

// getThreadArea is get_thread_area(2).
func getThreadArea(c arch.CPU, a [6]uint64) (uint64, error) {
	d, err := readUserDesc(c, a[0])
	if err != nil {
		return 0, err
	}
	if d.entry < tlsMin || d.entry > tlsMax {
		return 0, unix.EINVAL
	}
	v, err := entry(c, tables32+8*uint64(d.entry))
	if err != nil {
		return 0, err
	}
	if _, err := c.WriteAt(describe(d.entry, v).bytes(), a[0]); err != nil {
		return 0, unix.EFAULT
	}
	return 0, nil
}

func modifyLDT32(c arch.CPU, a [6]uint64) (uint64, error) { return modifyLDT(c, tables32+ldtOff, a) }
func modifyLDT64(c arch.CPU, a [6]uint64) (uint64, error) { return modifyLDT(c, tables64+ldtOff, a) }

// modifyLDT is modify_ldt(2). The table has 256 entries instead of 8192; a
// higher one fails with ENOMEM.
func modifyLDT(c arch.CPU, table uint64, a [6]uint64) (uint64, error) {
	const (
		read = iota
		writeOld
		readDefault
		write = 0x11

		defaultSize = 128
	)
	switch fn, addr, count := uint32(a[0]), a[1], a[2]; fn {
	case read:
		return readLDT(c, table, addr, count)
	case readDefault:
		return copyOut(c, addr, make([]byte, min(count, defaultSize)))
	case writeOld, write:
		return 0, writeLDT(c, table, addr, count, fn == writeOld)
	}
	return 0, unix.ENOSYS
}

// readLDT copies out the table up to the last entry in use, and zeros.
func readLDT(c arch.CPU, table, addr, count uint64) (uint64, error) {
	const maxCount = 8192 * 8
	b := make([]byte, ldtEntries*8)
	if _, err := c.Own().ReadAt(b, table); err != nil {
		return 0, unix.EFAULT
	}
	n := len(b)
	for n > 0 && le.Uint64(b[n-8:]) == 0 {
		n -= 8
	}
	if n == 0 {
		return 0, nil
	}
	out := make([]byte, min(count, maxCount))
	copy(out, b[:n])
	return copyOut(c, addr, out)
}

func copyOut(c arch.CPU, addr uint64, b []byte) (uint64, error) {
	if _, err := c.WriteAt(b, addr); err != nil {
		return 0, unix.EFAULT
	}
	return uint64(len(b)), nil
}

// writeLDT sets one entry; old is the form of Linux 1.2, which knows fewer
// kinds.
func writeLDT(c arch.CPU, table, addr, count uint64, old bool) error {
	const (
		maxEntries = 8192
		conforming = 3
	)
	if count != userDescSize {
		return unix.EINVAL
	}
	d, err := readUserDesc(c, addr)
	if err != nil {
		return err
	}
	if d.entry >= maxEntries {
		return unix.EINVAL
	}
	if d.flags&udContents>>1 == conforming && (old || d.flags&udNotPresent == 0) {
		return unix.EINVAL
	}
	if d.entry >= ldtEntries {
		return unix.ENOMEM
	}
	var v uint64
	if !(old && d.base == 0 && d.limit == 0 || d.empty()) {
		if old {
			d.flags &^= udUseable
		}
		v = d.descriptor()
	}
	if err := setEntry(c, table+8*uint64(d.entry), v); err != nil {
		return err
	}
	reload(c, uint64(d.entry)<<3|7)
	return nil
}
