package syscalls

var fileRows = []Row{}
