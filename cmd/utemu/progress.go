package main

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// showProgress shows how far a long run is on a line of its own of standard
// error, once a second, if that is a terminal. Stop takes the line away.
func showProgress(line func() string) (stop func()) {
	if _, err := unix.IoctlGetTermios(int(os.Stderr.Fd()), unix.TCGETS); err != nil {
		return func() {}
	}
	done, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		shown := false
		for {
			select {
			case <-done:
				if shown {
					fmt.Fprint(os.Stderr, "\r\x1b[K")
				}
				return
			case <-tick.C:
				shown = true
				fmt.Fprint(os.Stderr, "\r\x1b[Kutemu: "+line())
			}
		}
	}()
	return func() { close(done); <-gone }
}
