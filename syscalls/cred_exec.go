package syscalls

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
)

// ExecCred are the credentials with which a new program starts.
type ExecCred struct {
	cr     *cred
	secure bool // they are not those of whoever started it (AT_SECURE)
	grown  bool // the program's set-id bits have changed them
}

// IDs are the user and group ids, for AT_UID and the like.
func (e ExecCred) IDs() (uid, euid, gid, egid uint32) {
	cr := e.cr
	return uint32(cr.uid.real), uint32(cr.uid.eff), uint32(cr.gid.real), uint32(cr.gid.eff)
}

// Secure is AT_SECURE.
func (e ExecCred) Secure() bool { return e.secure }

// ExecCred are those that a program has which t executes, or, for nil, this
// process (bprm_creds_from_file). Files have no capabilities here. Set-id bits
// count where this process may become who they say.
func (k *Kernel) ExecCred(t *emu.Task, f *os.File) ExecCred {
	old, state := k.hostCred, &prctlState{}
	if t != nil {
		old, state = stateOf(t).cred, &t.Proc.OS.(*Process).prctl
	}
	n := *old
	uid, gid := k.setID(f, state)
	if uid >= 0 {
		n.uid.eff = uid
	}
	if gid >= 0 {
		n.gid.eff = gid
	}
	e := ExecCred{grown: n.uid.eff != old.uid.eff || n.gid.eff != old.gid.eff}
	if old == k.hostCred && !e.grown { // an exec has made that what it is
		e.cr = old
	} else {
		e.cr = n.exec(k.hostCred, state)
	}
	e.secure = e.cr.uid.eff != e.cr.uid.real || e.cr.gid.eff != e.cr.gid.real
	return e
}

// setID are the ids that a program gives whoever executes it, -1 for none
// (bprm_fill_uid).
func (k *Kernel) setID(f *os.File, s *prctlState) (uid, gid int) {
	uid, gid = -1, -1
	var st unix.Stat_t
	var fs unix.Statfs_t
	if s.noNewPrivs || unix.Fstat(int(f.Fd()), &st) != nil || unix.Fstatfs(int(f.Fd()), &fs) != nil || fs.Flags&unix.ST_NOSUID != 0 {
		return uid, gid
	}
	if st.Mode&unix.S_ISUID != 0 && k.hostCred.has(unix.CAP_SETUID) {
		uid = int(st.Uid)
	}
	const setGID = unix.S_ISGID | unix.S_IXGRP // without the latter it is for locks
	if st.Mode&setGID == setGID && k.hostCred.has(unix.CAP_SETGID) {
		gid = int(st.Gid)
	}
	return uid, gid
}

// exec is what a new program leaves of the credentials
// (cap_bprm_creds_from_file), with the ids that they have from it.
func (cr *cred) exec(host *cred, s *prctlState) *cred {
	n := *cr
	n.uid.saved, n.gid.saved = n.uid.eff, n.gid.eff
	n.uid.fs, n.gid.fs = n.uid.eff, n.gid.eff
	switch {
	case s.secure&secureNoRoot == 0 && (n.uid.real == 0 || n.uid.eff == 0):
		n.caps.permitted = host.caps.permitted | n.caps.inheritable
		if n.caps.effective = n.caps.permitted; n.uid.eff != 0 {
			n.caps.effective = 0
		}
	default:
		n.caps.permitted, n.caps.effective = s.ambient, s.ambient
	}
	if n.equal(host) {
		return host
	}
	return &n
}

// start gives the task that starts a program its credentials.
func (e ExecCred) start(p *Process) {
	p.leader.cred = e.cr
	p.prctl.exec()
	if e.grown {
		p.prctl.dumpable, p.prctl.deathSig, p.prctl.ambient = 0, 0, 0
	}
}
