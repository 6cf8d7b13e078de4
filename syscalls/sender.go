package syscalls

import (
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/utemu/utemu/emu"
)

// sender is what the host tells of a signal: the fields of siginfo_t that Go
// does not pass on. A signal's handler writes it.
type sender struct {
	code int32
	pid  int32
	uid  uint32
	_    int32
}

var (
	senders   [nsig + 1]sender
	goHandler uintptr       // Go's handler of signals
	noted     atomic.Uint64 // a sigset: signals whose handler notes the sender
	notingMu  sync.Mutex
)

// NoteSenders has the handlers of signals that package os/signal handles note
// who sends them, for HostSignal.
func NoteSenders(list []os.Signal) error {
	entry := sigEntryPC()
	if entry == 0 {
		return nil
	}
	notingMu.Lock()
	defer notingMu.Unlock()
	for _, s := range list {
		no := s.(unix.Signal)
		var sa hostSigaction
		if err := hostAction(no, nil, &sa); err != nil {
			return err
		}
		if sa.handler == entry || sa.handler == sigDfl || sa.handler == sigIgn || goHandler != 0 && sa.handler != goHandler {
			continue
		}
		goHandler = sa.handler
		sa.handler = entry
		if err := hostAction(no, &sa, nil); err != nil {
			return err
		}
		noted.Or(uint64(sigs(no)))
	}
	return nil
}

// fromHost is the record of a signal that this process has got: it tells who
// sent the last of its kind.
func fromHost(no unix.Signal) sigInfo {
	si := sigInfo{Signal: emu.Signal{No: no, Code: siUser}}
	switch s := &senders[no]; {
	case !sigset(noted.Load()).has(no):
		if fromTerminal.has(no) {
			si.Code = siKernel
		}
	case s.code == siKernel:
		si.Code = siKernel
	default:
		si.PID, si.UID = int(atomic.LoadInt32(&s.pid)), int(atomic.LoadUint32(&s.uid))
	}
	return si
}
