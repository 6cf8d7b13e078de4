package syscalls

var ipcRows = []Row{}
