package syscalls

var miscRows = []Row{}
