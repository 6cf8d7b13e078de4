package ptrace

import (
	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu/arch"
	"github.com/utemu/utemu/hooks"
	"github.com/utemu/utemu/regset"
)

// word is a long of the caller.
func (r *request) word() []byte { return make([]byte, r.A.Word) }

// peek is PTRACE_PEEKTEXT and PTRACE_PEEKDATA.
func (r *request) peek() error {
	b := r.word()
	err := r.examine(func(x *hooks.Examiner) error {
		if n, _ := x.Memory().ReadAt(b, r.addr); n < len(b) {
			return unix.EIO
		}
		return nil
	})
	if err != nil {
		return err
	}
	return r.Space().CopyOut(b, r.data)
}

// poke is PTRACE_POKETEXT and PTRACE_POKEDATA.
func (r *request) poke() error {
	b := r.bytes(r.data)
	return r.examine(func(x *hooks.Examiner) error {
		if n, _ := x.Memory().WriteAt(b, r.addr); n < len(b) {
			return unix.EIO
		}
		return nil
	})
}

// bytes are a long of the caller as it lies in memory.
func (r *request) bytes(v uint64) []byte {
	b := r.word()
	if len(b) == 4 {
		r.A.Order.PutUint32(b, uint32(v))
	} else {
		r.A.Order.PutUint64(b, v)
	}
	return b
}

// view are the register sets of the task as the caller's architecture has them,
// or the task's own if that has no such view (task_user_regset_view).
func (r *request) view() *regset.View {
	l := r.t.task.Proc.Arch.Views
	for _, v := range l {
		if v.Machine == r.A.Views[0].Machine {
			return v
		}
	}
	return l[0]
}

// find is a set of a view, nil if there is none of this note type.
func find(v *regset.View, note uint64) *regset.Set {
	for i := range v.Sets {
		if uint64(v.Sets[i].Note) == note {
			return &v.Sets[i]
		}
	}
	return nil
}

// part reads a part of a set, of whatever size, or with write writes it.
func part(x *hooks.Examiner, s *regset.Set, off int, b []byte, write bool) error {
	img := make([]byte, s.Bytes())
	if err := s.Get(x.Regs(), 0, img); err != nil {
		return err
	}
	if !write {
		copy(b, img[min(off, len(img)):])
		return nil
	}
	copy(img[min(off, len(img)):], b)
	return s.Put(x.Regs(), 0, img)
}

// wholeSet serves PTRACE_GETREGS and its kin.
func (r *request) wholeSet(ps arch.PtraceSet) error {
	s := find(r.view(), uint64(ps.Note))
	if s == nil {
		return unix.EIO
	}
	b := make([]byte, min(ps.Size, s.Bytes()))
	if ps.Write {
		if err := r.Space().CopyIn(b, r.data); err != nil {
			return err
		}
	}
	err := r.examine(func(x *hooks.Examiner) error { return part(x, s, 0, b, ps.Write) })
	if err != nil || ps.Write {
		return err
	}
	return r.Space().CopyOut(b, r.data)
}

// iovec reads the struct iovec of PTRACE_GETREGSET and the set that it is for, of
// which at most all is meant (ptrace_regset).
func (r *request) iovec() (s *regset.Set, base, size uint64, err error) {
	w := uint64(r.A.Word)
	if base, err = r.ReadWord(r.data); err != nil {
		return nil, 0, 0, err
	}
	if size, err = r.ReadWord(r.data + w); err != nil {
		return nil, 0, 0, err
	}
	s = find(r.t.task.Proc.Arch.Views[0], r.addr)
	if s == nil || size%uint64(s.Size) != 0 {
		return nil, 0, 0, unix.EINVAL
	}
	return s, base, min(size, uint64(s.Bytes())), nil
}

// getSet is PTRACE_GETREGSET.
func (r *request) getSet() error {
	s, base, size, err := r.iovec()
	if err != nil {
		return err
	}
	b := make([]byte, size)
	if err := r.examine(func(x *hooks.Examiner) error { return s.Get(x.Regs(), 0, b) }); err != nil {
		return err
	}
	if err := r.Space().CopyOut(b, base); err != nil {
		return err
	}
	return r.WriteWord(r.data+uint64(r.A.Word), size)
}

// putSet is PTRACE_SETREGSET.
func (r *request) putSet() error {
	s, base, size, err := r.iovec()
	if err != nil {
		return err
	}
	b := make([]byte, size)
	if err := r.Space().CopyIn(b, base); err != nil {
		return err
	}
	if err := r.examine(func(x *hooks.Examiner) error { return s.Put(x.Regs(), 0, b) }); err != nil {
		return err
	}
	return r.WriteWord(r.data+uint64(r.A.Word), size)
}

// user finds what lies at an address of struct user; s is nil where nothing is.
func (r *request) user() (s *regset.Set, off int, err error) {
	p := &r.A.Ptrace
	if r.addr%uint64(r.A.Word) != 0 || r.addr >= p.UserSize {
		return nil, 0, unix.EIO
	}
	for _, u := range p.User {
		if r.addr >= u.Addr && r.addr-u.Addr < u.Size {
			return find(r.view(), uint64(u.Note)), int(r.addr - u.Addr), nil
		}
	}
	return nil, 0, nil
}

// peekUser is PTRACE_PEEKUSER.
func (r *request) peekUser() error {
	s, off, err := r.user()
	if err != nil {
		return err
	}
	b := r.word()
	if s != nil {
		if err := r.examine(func(x *hooks.Examiner) error { return part(x, s, off, b, false) }); err != nil {
			return err
		}
	}
	return r.Space().CopyOut(b, r.data)
}

// pokeUser is PTRACE_POKEUSER.
func (r *request) pokeUser() error {
	s, off, err := r.user()
	switch {
	case err != nil:
		return err
	case s == nil && r.data == 0: // debug registers are turned off so
		return nil
	case s == nil:
		return unix.EIO
	}
	return r.examine(func(x *hooks.Examiner) error { return part(x, s, off, r.bytes(r.data), true) })
}

// readOther serves the requests of arch.Ptrace.Read.
func (r *request) readOther() error {
	var b []byte
	var to uint64
	err := r.examine(func(x *hooks.Examiner) error {
		var ok bool
		if b, to, ok = x.Arch().Ptrace.Read(x.Regs(), r.nr, r.addr, r.data); !ok {
			return unix.EIO
		}
		return nil
	})
	if err != nil {
		return err
	}
	return r.Space().CopyOut(b, to)
}
