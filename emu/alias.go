package emu

import "github.com/utemu/utemu/emu/arch"

// A page of a shared mapping can be seen at two addresses, one writable and
// one executable, as just-in-time compilers do. The engine notices a write to
// translated code only at the address the code was translated from. So of
// such a pair of views the engine knows only one at a time: a write makes the
// executable view unknown to it and drops its translations, a fetch makes the
// writable view unknown.

// aliases calls f for the parts of other mappings that show the same bytes as
// [addr,end) of v. Where no such code is there are none that matter.
func (s *Space) aliases(v *VMA, addr, end uint64, f func(w *VMA, addr, end uint64)) {
	if v.File == nil || v.Flags&MapShared == 0 || !s.codeShared {
		return
	}
	lo := v.Off + int64(addr-v.Addr)
	hi := lo + int64(end-addr)
	for _, w := range s.list {
		if w == v || w.File == nil || w.Flags&MapShared == 0 || w.File.Ino != v.File.Ino || w.File.Dev != v.File.Dev {
			continue
		}
		a, e := max(lo, w.Off), min(hi, w.Off+int64(w.Size()))
		if a < e {
			f(w, w.Addr+uint64(a-w.Off), w.Addr+uint64(e-w.Off))
		}
	}
}

// contested tells whether other mappings show pages of v that one can write
// and another can execute.
func (s *Space) contested(v *VMA) bool {
	if v.File == nil || v.Flags&MapShared == 0 || v.Prot&(arch.Write|arch.Exec) == 0 {
		return false
	}
	want := arch.Prot(0)
	if v.Prot&arch.Write != 0 {
		want |= arch.Exec
	}
	if v.Prot&arch.Exec != 0 {
		want |= arch.Write
	}
	found := false
	s.aliases(v, v.Addr, v.End, func(w *VMA, _, _ uint64) { found = found || w.Prot&want != 0 })
	return found
}

// engineProt is the protection the engine is told of a mapping: views that
// are contested start with reading only.
func (s *Space) engineProt(v *VMA) arch.Prot {
	if s.contested(v) {
		return arch.Read
	}
	return v.Prot
}

// settleAlias gives the engine the one page of a contested view that the
// guest wants to write or execute and takes it from the other views. It
// returns false if v is not contested or only read.
func (s *Space) settleAlias(v *VMA, page uint64, access arch.Prot) (bool, error) {
	if access == arch.Read || !s.contested(v) {
		return false, nil
	}
	lose := arch.Exec
	give := arch.Read | arch.Write
	if access == arch.Exec {
		lose, give = arch.Write, arch.Read|arch.Exec
	}
	s.aliases(v, page, page+PageSize, func(w *VMA, a, e uint64) {
		if w.Prot&lose != 0 {
			s.regions.removed(s, a&^(PageSize-1), pageUp(e))
		}
	})
	return true, s.regions.tell(s, page, page+PageSize, give)
}

// aliasWritten drops the translations of other views of memory that the host
// writes.
func (s *Space) aliasWritten(addr, end uint64) {
	for i := s.list.at(addr); i < len(s.list) && s.list[i].Addr < end; i++ {
		v := s.list[i]
		s.aliases(v, max(v.Addr, addr), min(v.End, end), func(w *VMA, a, e uint64) {
			if s.regions.eng != nil && s.regions.eng.HasCode(a, e-a) {
				s.regions.eng.DropCode(a, e-a)
			}
		})
	}
}
