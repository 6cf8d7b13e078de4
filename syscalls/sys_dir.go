package syscalls

var dirRows = []Row{}
