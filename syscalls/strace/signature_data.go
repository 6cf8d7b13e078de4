package strace

// signatureText tells what system calls take: a line has names of calls,
// then in any order
//
//	@classes   the classes of -e trace that the calls are in, a letter each:
//	           f file, d desc, p process, n network, s signal, i ipc, m memory,
//	           c creds, k clock
//	=style     how the result is written, if not as a number: hex, oct, uint, fd, none
//	!what      what the result means, which is told behind it
//	kind       an argument; ">kind" is known after the call only, and an
//	           address if the call failed; ">>kind" is asked even then
//
// A kind of a number is of 32 bits, with an "l" before it a long. Kinds with a
// slash have a parameter: the names of a table, of a structure, of what a
// pointer leads to, or the number of another argument.
const signatureText = `
read @d fd >bufret lu
write @d fd buf/2 lu
pread64 @d fd >bufret lu i64
pwrite64 @d fd buf/2 lu i64
readv @d fd >>iovret/2 lu
writev @d fd iov/2 lu
preadv @d fd >>iovret/2 lu pos
pwritev @d fd iov/2 lu pos
preadv2 @d fd >>iovret/2 lu pos flags/rwf
pwritev2 @d fd iov/2 lu pos flags/rwf
vmsplice @d fd iov/2 lu flags/splice
process_vm_readv d >>iovret/2 lu iovaddr/4 lu lx
process_vm_writev d iov/2 lu iovaddr/4 lu lx
process_madvise @d fd iovaddr/2 lu enum/madvise x
open @df =fd path oflags omode
openat @df =fd dirfd path oflags omode
openat2 @df =fd dirfd path openhow lu
creat @df =fd path mode
close @d fd
close_range u u flags/closerange
link @f path path
linkat @df dirfd path dirfd path flags/at
unlink,rmdir,chdir,chroot,acct,uselib,swapoff @f path
umount @f path
unlinkat @df dirfd path flags/at
mknod @f path nodemode nodedev/1
mknodat @df dirfd path nodemode nodedev/2
mkdir @f path mode
mkdirat @df dirfd path mode
chmod @f path mode
fchmod @d fd mode
fchmodat @df dirfd path mode
chown32,lchown32 @f path uid uid
chown,lchown @f path uid16 uid16
fchown32 @d fd uid uid
fchown @d fd uid16 uid16
fchownat @df dirfd path uid uid flags/at
rename @f path path
renameat @df dirfd path dirfd path
renameat2 @df dirfd path dirfd path flags/rename
symlink @f path path
symlinkat @df path dirfd path
readlink @f path >bufret lu
readlinkat @df dirfd path >bufret lu
access @f path flags/access
faccessat @df dirfd path flags/access
faccessat2 @df dirfd path flags/access flags/faccess
truncate @f path lu
ftruncate @d fd lu
truncate64 @f path u64
ftruncate64 @d fd u64
fallocate @d fd flags/falloc i64 i64
fadvise64 @d fd i64 lu enum/fadvise
fadvise64_64 @d fd i64 i64 enum/fadvise
arm_fadvise64_64 @d fd enum/fadvise i64 i64
readahead @d fd i64 lu
sync_file_range @d fd i64 i64 flags/syncrange
sync_file_range2 @d fd flags/syncrange i64 i64
lseek @d fd ld enum/whence
_llseek @d fd llseekoff >at8/d enum/whence
stat @f path >st/stat
lstat @f path >st/stat
fstat @d fd >st/stat
stat64 @f path >st/stat64
lstat64 @f path >st/stat64
fstat64 @d fd >st/stat64
fstatat64 @df dirfd path >st/stat64 flags/at
newfstatat @df dirfd path >st/stat flags/at
oldstat,oldlstat @f path >st/__old_kernel_stat
oldfstat @d fd >st/__old_kernel_stat
statx @df dirfd path statxflags flags/statxmask >st/statx
statfs @f path >st/statfs
fstatfs @d fd >st/statfs
statfs64 @f path lu >st/statfs64
fstatfs64 @d fd lu >st/statfs64
ustat devnum >ptr
sysfs lx lx lx
getcwd @f >pathbuf lu
fchdir @d fd
fsync,fdatasync,syncfs @d fd
sync,munlockall,vhangup,sched_yield,setsid,idle
pause @s
getpid,getppid,gettid,getpgrp
getuid,geteuid,getgid,getegid,getuid32,geteuid32,getgid32,getegid32 @c
umask =oct mode
dup @d =fd fd
dup2 @d =fd fd fd
dup3 @d =fd fd fd flags/oflags
pipe @d >fdpair
pipe2 @d >fdpair flags/oflags
fcntl,fcntl64 @d fd enum/fcntl fcntlarg >>fcntlout !fcntl
flock @d fd flags/flock
ioctl @d fd ioctlcmd ioctlarg >>ioctlout
select,_newselect @d d fdset fdset fdset timeval !select/timeval
old_select @d selectargs !oldselect
pselect6 @d d fdset fdset fdset ts/timespec sigpack !select/timespec
pselect6_time64 @d d fdset fdset fdset ts/__kernel_timespec sigpack !select/__kernel_timespec
poll @d pollfds lu d !poll
ppoll @d pollfds lu ts/timespec sigset/4 lu !poll/timespec
ppoll_time64 @d pollfds lu ts/__kernel_timespec sigset/4 lu !poll/__kernel_timespec
epoll_create @d =fd d
epoll_create1 @d =fd flags/epollcreate
epoll_ctl @d fd enum/epollctl fd epollevent
epoll_wait @d fd >epollevents d d
epoll_pwait @d fd >epollevents d d sigset/5 lu
epoll_pwait2 @d fd >epollevents d ts/__kernel_timespec sigset/5 lu
epoll_ctl_old,epoll_wait_old @d
eventfd @d =fd u
eventfd2 @d =fd u flags/eventfd
signalfd @ds =fd fd sigset/2 lu
signalfd4 @ds =fd fd sigset/2 lu flags/signalfd
timerfd_create @d =fd clockid flags/timerfd
timerfd_settime @d fd flags/timerfd st/itimerspec >st/itimerspec
timerfd_settime64 @d fd flags/timerfd st/__kernel_itimerspec >st/__kernel_itimerspec
timerfd_gettime @d fd >st/itimerspec
timerfd_gettime64 @d fd >st/__kernel_itimerspec
inotify_init @d =fd
inotify_init1 @d =fd flags/inotifyinit
inotify_add_watch @df fd path flags/inotify
inotify_rm_watch @d fd d
fanotify_init @d =fd faninit oflags
fanotify_mark @df fd flags/fanmark fanmask dirfd path
getdents @d fd >dents lu
getdents64 @d fd >dents64 lu
readdir @d fd >dent lu
sendfile @dn fd fd sendfileoff/4 >>sendfilepos/4 lu
sendfile64 @dn fd fd sendfileoff/8 >>sendfilepos/8 lu
splice @d fd at8/d fd at8/d lu flags/splice
tee @d fd fd lu flags/splice
copy_file_range @d fd at8/d fd at8/d lu u
name_to_handle_at @df dirfd path >>ptr >at/d flags/handleat
open_by_handle_at @d =fd fd ptr oflags
memfd_create @d =fd str memfdflags
memfd_secret =fd flags/oflags
userfaultfd @d =fd flags/oflags+userfaultfd
bpf @d enum/bpf ptr u
perf_event_open @d =fd ptr d d fd flags/perfflags
mmap @dm =hex ptr lu flags/prot mapflags lfd mapoff
mmap2 @dm =hex ptr lu flags/prot mapflags lfd mapoff2
old_mmap @dm =hex oldmmap
munmap @m ptr lu
mprotect @m ptr lu flags/prot
pkey_mprotect @m ptr lu flags/prot d
pkey_alloc x x
pkey_free d
mremap @m =hex ptr lu lu flags/mremap mremapaddr
msync @m ptr lu flags/msync
madvise @m ptr lu enum/madvise
mincore @m ptr lu >residency
mlock,munlock @m ptr lu
mlock2 @m ptr lu flags/mlock2
mlockall @m flags/mlockall
brk @m =hex ptr
remap_file_pages @m ptr lu flags/prot lu mapflags
mbind @m ptr lu enum/mpol ptr lu flags/mbind
set_mempolicy @m enum/mpol ptr lu
get_mempolicy @m >at/enum/mpol ptr lu ptr flags/mpolflags
set_mempolicy_home_node ptr lu lu x
migrate_pages @m d lu ptr ptr
move_pages @m d lu ptr ptr ptr x
membarrier enum/membarrier flags/membarrierflags membarriercpu !membarrier
shmat @im =hex d ptr flags/shmat
shmdt @im ptr
shmget @i ipckey lu ipcget/shmget
shmctl @i d ipccmd/shmctl ipcset/shmid64_ds >>ipcstat/shmid64_ds
semget @i ipckey d ipcget/ipcflags
semctl @i d d ipccmd/semctl semarg >>ipcstat/semid64_ds
semop @i d sembufs lu
semtimedop @i d sembufs lu ts/timespec
semtimedop_time64 @i d sembufs lu ts/__kernel_timespec
msgget @i ipckey ipcget/ipcflags
msgsnd @i d msgbuf lu flags/msgflags
msgrcv @i d >msgbufret lu ld flags/msgflags
msgctl @i d ipccmd/msgctl ipcset/msqid64_ds >>ipcstat/msqid64_ds
ipc @i enum/ipc lx lx lx ptr lx
socketcall @n enum/socketcall ptr
mq_open @d =fd str oflags mqmode mqattr
mq_unlink str
mq_timedsend @d fd buf/2 lu u ts/timespec
mq_timedsend_time64 @d fd buf/2 lu u ts/__kernel_timespec
mq_timedreceive @d fd >bufret lu >at/u ts/timespec
mq_timedreceive_time64 @d fd >bufret lu >at/u ts/__kernel_timespec
mq_notify @d fd st/sigevent
mq_getsetattr @d fd st/mq_attr >st/mq_attr
exit @p =none d
exit_group @p =none d
fork,vfork @p
clone @p cloneflags >>clonerest/ptid,ctid,tls
clone_backwards @p cloneflags >>clonerest/ptid,tls,ctid
clone3 @p cloneargs >>cloneargsout lu
execve @fp path argv envp
execveat @dfp dirfd path argv envp flags/at
wait4 @p d >waitstatus flags/wait >rusage
waitpid @p d >waitstatus flags/wait
waitid @p enum/waitid d >st/siginfo flags/wait >st/rusage
kill @ps d sig
tkill @ps d sig
tgkill @ps d d sig
setpgid d d
getpgid,getsid d
sethostname,setdomainname strlen/1 lu
uname >st/new_utsname
olduname >st/old_utsname
oldolduname >st/oldold_utsname
getrlimit,ugetrlimit enum/rlimit >st/rlimit
setrlimit enum/rlimit st/rlimit
prlimit64 d enum/rlimit st/rlimit64 >st/rlimit64
getrusage enum/rusagewho >st/rusage
getpriority enum/prio d
setpriority enum/prio d d
nice d
personality personality !personality
prctl @c enum/prctl prctlarg >>prctlout !prctl
arch_prctl archprctl >>archprctlout
set_thread_area userdesc !threadarea
get_thread_area >>userdescout
set_tls ptr
get_tls =hex
modify_ldt d ldtdesc lu
set_tid_address ptr
set_robust_list ptr lu
get_robust_list d >atptr >atlu
rseq ptr x flags/rseq x
futex futexargs/timespec
futex_time64 futexargs/__kernel_timespec
futex_waitv ptr u x ts/__kernel_timespec clockid
restart_syscall
getcpu >at/u >at/u ptr
sched_setaffinity d lu cpuset
sched_getaffinity d lu >cpusetret
sched_getscheduler d !sched
sched_setscheduler d enum/sched at/d
sched_getparam d >at/d
sched_setparam d at/d
sched_get_priority_max,sched_get_priority_min enum/sched
sched_rr_get_interval d >st/timespec
sched_rr_get_interval_time64 d >st/__kernel_timespec
sched_setattr d st/sched_attr x
sched_getattr d >st/sched_attr u x
ioprio_get enum/ioprio d !ioprio
ioprio_set enum/ioprio d ioprio
kcmp d d enum/kcmp kcmpargs
ptrace enum/ptrace d lx lx
unshare @p flags/unshare
setns @d fd flags/setns
seccomp enum/seccomp seccompflags seccomparg >>seccompout
pidfd_open @d =fd d flags/pidfdopen
pidfd_getfd @d =fd fd fd x
pidfd_send_signal @dsp fd sig siginfo x
capget @c st/cap_user_header >capdata
capset @c st/cap_user_header capdata
setuid32,setgid32,setfsuid32,setfsgid32 @c uid
setuid,setgid,setfsuid,setfsgid @c uid16
setreuid32,setregid32 @c uid uid
setreuid,setregid @c uid16 uid16
setresuid32,setresgid32 @c uid uid uid
setresuid,setresgid @c uid16 uid16 uid16
getresuid32,getresgid32 @c >at/uid >at/uid >at/uid
getresuid,getresgid @c >atuid16 >atuid16 >atuid16
getgroups32 @c d >groupsret/4
getgroups @c d >groupsret/0
setgroups32 @c d groups/4
setgroups @c d groups/0
rt_sigaction @s sig st/sigaction >st/sigaction lu
sigaction @s sig st/old_sigaction >st/old_sigaction
signal @s sig handlerarg
rt_sigprocmask @s enum/sigmask sigset/3 >sigset/3 lu
sigprocmask @s enum/sigmask oldset >oldset
rt_sigpending @s >sigset/1 lu
sigpending @s >oldset
rt_sigsuspend @s sigset/1 lu
sigsuspend @s oldmask
sigsuspend3 @s skip skip oldmask
rt_sigtimedwait @s sigset/3 >siginfo ts/timespec lu !signal
rt_sigtimedwait_time64 @s sigset/3 >siginfo ts/__kernel_timespec lu !signal
rt_sigqueueinfo @ps d sig siginfo
rt_tgsigqueueinfo @ps d d sig siginfo
rt_sigreturn,sigreturn @s frame
sigaltstack @s st/stack_t >st/stack_t
sgetmask @s =hex !mask
ssetmask @s =hex oldmask !oldmask
alarm u
time @k >time !time
stime at/time
gettimeofday,ftime @k >st/timeval >timezone
settimeofday @k st/timeval timezone
adjtimex @k >st/timex !adjtime
clock_adjtime @k clockid >st/timex !adjtime
clock_adjtime64 @k clockid >st/__kernel_timex !adjtime
clock_gettime,clock_getres @k clockid >st/timespec
clock_gettime64,clock_getres_time64 @k clockid >st/__kernel_timespec
clock_settime @k clockid st/timespec
clock_settime64 @k clockid st/__kernel_timespec
clock_nanosleep clockid flags/timerabs st/timespec >>sleeprem/timespec
clock_nanosleep_time64 clockid flags/timerabs st/__kernel_timespec >>sleeprem/__kernel_timespec
nanosleep st/timespec >>sleeprem/timespec
getitimer enum/itimer >st/itimerval
setitimer enum/itimer st/itimerval >st/itimerval
timer_create clockid st/sigevent >at/d
timer_settime d flags/timerabs st/itimerspec >st/itimerspec
timer_settime64 d flags/timerabs st/__kernel_itimerspec >st/__kernel_itimerspec
timer_gettime d >st/itimerspec
timer_gettime64 d >st/__kernel_itimerspec
timer_getoverrun,timer_delete d
times >st/tms
utime @f path st/utimbuf
utimes @f path timevals
futimesat @df dirfd path timevals
utimensat @df dirfd path timespecs/timespec flags/at
utimensat_time64 @df dirfd path timespecs/__kernel_timespec flags/at
sysinfo >st/sysinfo
syslog syslogargs >>syslogbuf
getrandom >hexbufret lu flags/getrandom
socket @n =fd enum/af socktype sockproto
socketpair @n enum/af socktype sockproto >fdpair
bind,connect @n fd sockaddr/2 d
listen @n fd d
accept @n =fd fd >>sockaddrlen
accept4 @n =fd fd >>sockaddrlen flags/sockflags
getsockname,getpeername @n fd >>sockaddrlen
send @n fd buf/2 lu flags/msg
sendto @n fd buf/2 lu flags/msg sockaddr/5 u
recv @n fd >bufret lu flags/msg
recvfrom @n fd >bufret lu flags/msg >>sockaddrlen
sendmsg @n fd msghdr flags/msg
recvmsg @n fd >>msghdrret flags/msg
sendmmsg @n fd >>mmsghdrs u flags/msg
recvmmsg @n fd >mmsghdrsret u flags/msg mmsgtime/timespec !mmsg/timespec
recvmmsg_time64 @n fd >mmsghdrsret u flags/msg mmsgtime/__kernel_timespec !mmsg/__kernel_timespec
shutdown @n fd enum/shut
setsockopt @n fd sockopt setopt d
getsockopt @n fd sockopt >>getopt
getpmsg,putpmsg @n lx lx lx lx lx
mount @f path path mounttype mountflags mountdata
umount2 @f path flags/umount
pivot_root @f path path
swapon @f path swapflags
mount_setattr @df dirfd path flags/at ptr lu
open_tree @df =fd dirfd path flags/at+opentree
move_mount @df dirfd path dirfd path flags/movemount
fsopen @d =fd str flags/fsopen
fsconfig @df fd enum/fsconfig str ptr d
fsmount @d =fd fd flags/fsmount x
fspick @df =fd dirfd path flags/fspick
quotactl @f quotacmd path quotaargs
quotactl_fd @d fd quotacmd quotaargs
setxattr,lsetxattr @f path str buf/3 lu flags/xattr
fsetxattr @d fd str buf/3 lu flags/xattr
getxattr,lgetxattr @f path str >xattrret lu
fgetxattr @d fd str >xattrret lu
listxattr,llistxattr @f path >xattrret lu
flistxattr @d fd >xattrret lu
removexattr,lremovexattr @f path str
fremovexattr @d fd str
reboot enum/reboot1 enum/reboot2 enum/reboot rebootarg
init_module ptr lu str
finit_module @d fd str flags/modinit
delete_module str flags/delmod
create_module =hex str lu
query_module str d ptr lu ptr
get_kernel_syms ptr
add_key str str buf/3 lu keyspec
request_key str str str keyspec
keyctl enum/keyctl keyctlargs
io_setup @m u >atptr
io_destroy @m ptr
io_submit ptr ld ptr
io_cancel ptr ptr ptr
io_getevents ptr ld ld ptr ts/timespec
io_pgetevents ptr ld ld ptr ts/timespec ptr
io_pgetevents_time64 ptr ld ld ptr ts/__kernel_timespec ptr
io_uring_setup @d =fd u ptr
io_uring_enter @d fd u u x sigset/5 lu
io_uring_register @d fd u ptr u
landlock_create_ruleset @d =fd ptr lu x
landlock_add_rule @d fd x ptr x
landlock_restrict_self @d fd x
iopl d
ioperm lx lx d
vm86old ptr
vm86 lx lx
kexec_load lx lu ptr lx
kexec_file_load @d fd fd lu str lx
lookup_dcookie i64 ptr lu
nfsservctl,afs_syscall,vserver,tuxcall,security lx lx lx lx lx lx
gtty,stty,prof,lock,mpx,break,profil,ulimit,multiplexer lx lx lx lx
bdflush lx lx
_sysctl ptr
process_mrelease @d fd x
breakpoint,usr26,usr32
cacheflush ptr ptr x
pciconfig_read,pciconfig_write lx lx lx lx ptr
pciconfig_iobase ld lx lx
rtas ptr
sys_debug_setcontext ptr d ptr
spu_create @df =fd path x mode fd
spu_run @d fd ptr ptr
subpage_prot lx lx ptr
swapcontext ptr ptr ld
switch_endian
`
