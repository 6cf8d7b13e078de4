// Package testsig makes tests independent of how the test process was started.
package testsig

import (
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// Defaults gives the signals that the process was started with ignored, as
// nohup(1) and a shell's background do it, their default action in the
// programs that it executes, native and emulated ones. It is for TestMain.
func Defaults() {
	for no := unix.Signal(1); no <= unix.SIGSYS; no++ {
		if signal.Ignored(no) {
			// execve(2) makes a caught signal a default one.
			signal.Notify(make(chan os.Signal, 1), no)
		}
	}
}
