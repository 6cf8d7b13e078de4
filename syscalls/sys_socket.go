package syscalls

var socketRows = []Row{}
