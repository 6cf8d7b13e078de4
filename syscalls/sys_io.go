package syscalls

var ioRows = []Row{}
