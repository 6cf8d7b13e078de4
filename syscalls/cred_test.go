package syscalls

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// wideCall is the name of a call with 32-bit ids.
func (g *guest) wideCall(name string) string {
	if g.shortIDs() {
		return name + "32"
	}
	return name
}

// TestCredentials drops a guest's privileges and takes them again: what the
// guest asks of the host is done as whom it is, and the host process stays who
// it was. Without privileges no id may be changed.
func TestCredentials(t *testing.T) {
	each(t, func(t *testing.T, g *guest) {
		const user, none = 12345, 0xffffffff
		set := func(name string, ids ...uint64) (uint64, error) { return g.call(g.wideCall(name), ids...) }
		if os.Geteuid() != 0 {
			_, err := set("setresuid", user, user, user)
			require.Equal(t, unix.EPERM, err)
			_, err = set("setgroups", 0, 0)
			require.Equal(t, unix.EPERM, err)
			return
		}
		dir, err := filepath.EvalSymlinks(t.TempDir())
		require.NoError(t, err)
		for d := dir; d != "/tmp" && d != "/"; d = filepath.Dir(d) {
			require.NoError(t, os.Chmod(d, 0o777))
		}
		secret := filepath.Join(dir, "secret")
		require.NoError(t, os.WriteFile(secret, []byte("x"), 0o600))
		must := func(name string, ids ...uint64) {
			t.Helper()
			_, err := set(name, ids...)
			require.NoError(t, err, name)
		}
		owner := func(name string) [2]uint32 {
			var st unix.Stat_t
			require.NoError(t, unix.Stat(filepath.Join(dir, name), &st))
			return [2]uint32{st.Uid, st.Gid}
		}
		status := func(key string) string {
			b, ok, err := g.procFile(procPath{p: g.P, path: "status"})
			require.True(t, ok)
			require.NoError(t, err)
			_, rest, _ := strings.Cut(string(b), "\n"+key+":\t")
			line, _, _ := strings.Cut(rest, "\n")
			return line
		}
		must("setgroups", 2, g.ints(54322, 54321))
		must("setresgid", 777, 777, none)
		must("setresuid", user, user, 0)
		require.Equal(t, "12345\t12345\t0\t12345", status("Uid"))
		require.Equal(t, "777\t777\t0\t777", status("Gid"))
		require.Equal(t, "54321 54322 ", status("Groups"))
		require.Equal(t, "0000000000000000", status("CapEff"))
		require.NotEqual(t, "0000000000000000", status("CapPrm"), "it may come back")
		g.fails(unix.EACCES, "openat", cwd, g.str(secret), 0, 0)
		g.fails(unix.EPERM, g.wideCall("setgroups"), 0, 0)
		g.ok("close", g.open(dir+"/mine", "O_CREAT", "O_RDWR"))
		require.Equal(t, [2]uint32{user, 777}, owner("mine"))
		require.Equal(t, 0, unix.Geteuid(), "the host process")
		_, err = os.ReadFile(secret)
		require.NoError(t, err, "of the host process")

		must("setresuid", none, 0, none)
		g.ok("close", g.open(secret))
		require.EqualValues(t, 0, g.ok(g.wideCall("setfsuid"), user))
		require.EqualValues(t, user, g.ok(g.wideCall("setfsuid"), none))
		g.fails(unix.EACCES, "openat", cwd, g.str(secret), 0, 0)
		must("setuid", user)
		require.Equal(t, "12345\t12345\t12345\t12345", status("Uid"))
		require.Equal(t, "0000000000000000", status("CapPrm"))
		g.fails(unix.EPERM, g.wideCall("setuid"), 0)
		g.ok(g.wideCall("setreuid"), user, user)

		other := g.spawn(0)
		other.leader.cred = g.K.hostCred
		g.fails(unix.EPERM, "kill", uint64(other.P.PID), 0)
		other.leader.cred = g.task().cred
		g.ok("kill", uint64(other.P.PID), 0)
	})
}

// TestKeepCaps keeps capabilities over a change of user, and loses them with a
// new program.
func TestKeepCaps(t *testing.T) {
	if os.Geteuid() != 0 {
		require.Equal(t, hostCred().caps.effective, hostCred().exec(hostCred(), &prctlState{ambient: hostCred().caps.effective}).caps.effective)
		return
	}
	each(t, func(t *testing.T, g *guest) {
		g.ok("prctl", unix.PR_SET_KEEPCAPS, 1)
		g.ok(g.wideCall("setuid"), 1000)
		cr := g.task().cred
		require.Zero(t, cr.caps.effective)
		require.Equal(t, g.K.hostCred.caps.permitted, cr.caps.permitted)
		h := g.ints(unix.LINUX_CAPABILITY_VERSION_3, 0)
		kill := uint32(1) << unix.CAP_KILL
		g.ok("capset", h, g.ints(kill, kill, 0, 0, 0, 0))
		require.True(t, g.task().cred.has(unix.CAP_KILL))
		g.fails(unix.EPERM, "capset", h, g.ints(kill|1, kill|1, 0, 0, 0, 0))
		require.Zero(t, g.task().cred.exec(g.K.hostCred, &g.P.prctl).caps.permitted)
	})
}

// TestExecCred: the set-id bits of a program count where the host's user may
// become who they say, unless the guest wants no new privileges.
func TestExecCred(t *testing.T) {
	prog, err := os.Create(filepath.Join(t.TempDir(), "prog"))
	require.NoError(t, err)
	defer prog.Close()
	mode := func(m uint32) { require.NoError(t, unix.Fchmod(int(prog.Fd()), m)) }
	each(t, func(t *testing.T, g *guest) {
		ids := func() (l [4]uint32, secure bool) {
			e := g.K.ExecCred(g.T, prog)
			l[0], l[1], l[2], l[3] = e.IDs()
			return l, e.Secure()
		}
		mode(0o755)
		plain, secure := ids()
		require.Equal(t, [4]uint32{uint32(os.Getuid()), uint32(os.Geteuid()), uint32(os.Getgid()), uint32(os.Getegid())}, plain)
		require.Equal(t, plain[0] != plain[1] || plain[2] != plain[3], secure)
		if os.Geteuid() == 0 {
			require.NoError(t, prog.Chown(12345, 54321))
		}
		for m, set := range map[uint32][2]bool{0o755: {}, 0o4755: {true, false}, 0o2755: {false, true}, 0o6711: {true, true}, 0o2745: {}} {
			mode(m)
			want := plain
			if set[0] && os.Geteuid() == 0 {
				want[1] = 12345
			}
			if set[1] && os.Geteuid() == 0 {
				want[3] = 54321
			}
			got, secure := ids()
			require.Equal(t, want, got, "%o", m)
			require.Equal(t, want != plain, secure, "%o", m)
		}
		if os.Geteuid() == 0 {
			mode(0o6755)
			e := g.K.ExecCred(g.T, prog)
			require.Equal(t, ids4(0, 12345), e.cr.uid)
			require.Zero(t, e.cr.caps.effective, "root is not needed any more")
			g.P.SetProgram("/bin/prog", ImageInfo{}, "prog", e)
			require.EqualValues(t, 0, g.ok("prctl", unix.PR_GET_DUMPABLE), "others may not look at it")
			require.EqualValues(t, 12345, g.ok(g.wideCall("geteuid")))
			require.EqualValues(t, 0, g.ok(g.wideCall("getuid")))
			g.P.SetProgram("/bin/prog", ImageInfo{}, "prog", ExecCred{cr: g.K.hostCred})
		}
		mode(0o6755)
		g.ok("prctl", unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
		got, _ := ids()
		require.Equal(t, plain, got)
	})
}

// ids4 are ids of which all but the real one are the same.
func ids4(real, eff int) ids { return ids{real, eff, eff, eff} }
