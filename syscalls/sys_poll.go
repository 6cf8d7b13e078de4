package syscalls

var pollRows = []Row{}
