// A program of Go's own runtime: goroutines on several threads, garbage
// collection, timers, signals, a child, a fault that is recovered.
package main

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

func work() (n int64) {
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			runtime.LockOSThread()
			for j := range 2000 {
				b := make([]byte, 100+j)
				b[len(b)-1] = byte(i)
				atomic.AddInt64(&n, int64(len(b))+int64(b[len(b)-1]))
			}
		})
	}
	wg.Wait()
	runtime.GC()
	return n
}

func fault(p *int) (err error) {
	defer func() { err = recover().(error) }()
	return fmt.Errorf("%d", *p)
}

func main() {
	if len(os.Args) > 1 {
		io.Copy(os.Stdout, os.Stdin)
		os.Exit(7)
	}
	fmt.Println(work())
	fmt.Println(fault(nil))
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGUSR1)
	syscall.Kill(os.Getpid(), syscall.SIGUSR1)
	fmt.Println(<-c)
	begin := time.Now()
	<-time.After(20 * time.Millisecond)
	fmt.Println(time.Since(begin) >= 20*time.Millisecond)
	f := big.NewInt(1)
	for i := range int64(200) {
		f.Mul(f, big.NewInt(i+1))
	}
	j, err := json.Marshal(map[string]any{"f": 1.0 / 3, "h": sha256.Sum256(f.Bytes()), "n": f})
	fmt.Println(string(j), err)
	child := exec.Command(os.Args[0], "child")
	in, _ := child.StdinPipe()
	out, _ := child.StdoutPipe()
	fmt.Println(child.Start())
	fmt.Fprint(in, "over a pipe")
	in.Close()
	b, err := io.ReadAll(out)
	fmt.Printf("%q %v\n", b, err)
	var exit *exec.ExitError
	fmt.Println(errors.As(child.Wait(), &exit), exit.ExitCode())
}
