//go:build cgo

package uc

import ("testing";"fmt";"time";"os")

func TestDbg(t *testing.T) {
	const count = 3000_000
	g := guests[os.Getenv("G")]
	r := newRig(t, g, false)
	r.put(codeAt, workCode[r.name()])
	pc := r.start(codeAt, dataAt, count)
	part := func(c uint32) (sum, v uint32) {
		var m [256]uint32
		for n := uint32(count); n != c; n-- {
			v = v*1103515245 + n
			m[n&255] = v
			sum += m[n*7&255]
			if sum&4 != 0 { sum += 3 }
			sum ^= v
		}
		return
	}
	for i := 0; i < 40; i++ {
		go func() { time.Sleep(100*time.Microsecond); r.Interrupt() }()
		st := r.run(pc, Limit{})
		if st.Kind != KindInterrupt { fmt.Println("end", st, r.reg(g.result) == work(count)); return }
		c := r.reg(g.count)
		s, v := part(c)
		fmt.Printf("pc %x count %d result %x want %x value %x %x sp %x\n", st.PC-codeAt, c, r.reg(g.result), s, r.reg(g.value), v, r.Reg(g.sp))
		pc = r.next(st)
	}
}
