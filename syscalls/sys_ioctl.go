package syscalls

var ioctlRows = []Row{}
