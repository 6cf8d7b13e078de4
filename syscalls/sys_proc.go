package syscalls

var procRows = []Row{}
