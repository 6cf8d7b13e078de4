package syscalls

import (
	"maps"
	"slices"

	"github.com/utemu/utemu/emu"
)

// FindTask is the task with a number, also the first one of a process that has
// ended and was not waited for; nil if there is none. Any goroutine may call
// it.
func (k *Kernel) FindTask(tid int) *emu.Task {
	k.family.mu.Lock()
	defer k.family.mu.Unlock()
	if ts := k.family.tasks[tid]; ts != nil {
		return ts.task
	}
	if p := k.family.procs[tid]; p != nil {
		return p.leader.task
	}
	return nil
}

// Tasks are all tasks that have not ended, by number. Any goroutine may call
// it.
func (k *Kernel) Tasks() []*emu.Task {
	k.family.mu.Lock()
	defer k.family.mu.Unlock()
	var l []*emu.Task
	for _, tid := range slices.Sorted(maps.Keys(k.family.tasks)) {
		l = append(l, k.family.tasks[tid].task)
	}
	return l
}
