// Package ptrace is ptrace(2) for guests: one engine of package hooks on each
// task that is traced, as ptrace on utrace was (kernel/ptrace-utrace.c). The
// requests of the tracer, a guest too, steer it; its callbacks put the task
// into the stops of ptrace(2), of which the tracer's wait calls tell.
//
// A stop that a callback announces comes about when the task gets to the place
// where it can be held. That may be later in the same system call; what the
// tracer asks for waits until then. So at a stop for PTRACE_EVENT_FORK, _CLONE or
// _EXEC the result of the call is in the registers already.
package ptrace
