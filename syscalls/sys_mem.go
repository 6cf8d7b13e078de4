package syscalls

var memRows = []Row{}
