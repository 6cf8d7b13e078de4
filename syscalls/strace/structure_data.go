package strace

// structureText tells how structures are written: a line is a structure's
// name in arch.Arch.Layout and its fields in the order of strace, each with
// its kind: a kind of value, "st" for a structure within, "str" for text, and
// "words" or "ints" for arrays. A field whose label is not its name is
// label@name. "..." stands before the fields that strace leaves out unless -v
// is given.
const structureText = `
timespec tv_sec=d tv_nsec=u
__kernel_timespec tv_sec=d tv_nsec=u
timeval tv_sec=d tv_usec=u
__kernel_sock_timeval tv_sec=d tv_usec=u
itimerval it_interval=st/timeval it_value=st/timeval
itimerspec it_interval=st/timespec it_value=st/timespec
__kernel_itimerspec it_interval=st/__kernel_timespec it_value=st/__kernel_timespec
timezone tz_minuteswest=d tz_dsttime=d
utimbuf actime=time modtime=time
tms tms_utime=clockt tms_stime=clockt tms_cutime=clockt tms_cstime=clockt
rlimit rlim_cur=rlim rlim_max=rlim
rlimit64 rlim_cur=rlim rlim_max=rlim
rusage ru_utime=st/timeval ru_stime=st/timeval ... ru_maxrss=u ru_ixrss=u ru_idrss=u ru_isrss=u ru_minflt=u ru_majflt=u ru_nswap=u ru_inblock=u ru_oublock=u ru_msgsnd=u ru_msgrcv=u ru_nsignals=u ru_nvcsw=u ru_nivcsw=u
sysinfo uptime=u loads=words/u totalram=u freeram=u sharedram=u bufferram=u totalswap=u freeswap=u procs=u totalhigh=u freehigh=u mem_unit=u
new_utsname sysname=str nodename=str ... release=str version=str machine=str domainname=str
old_utsname sysname=str nodename=str ... release=str version=str machine=str
oldold_utsname sysname=str nodename=str ... release=str version=str machine=str
statfs f_type=enum/fsmagic f_bsize=u f_blocks=u f_bfree=u f_bavail=u f_files=u f_ffree=u f_fsid=fsid f_namelen=u f_frsize=u f_flags=statfsflags
statfs64 f_type=enum/fsmagic f_bsize=u f_blocks=u f_bfree=u f_bavail=u f_files=u f_ffree=u f_fsid=fsid f_namelen=u f_frsize=u f_flags=statfsflags
flock l_type=enum/lock l_whence=enum/whence l_start=d l_len=d
flock64 l_type=enum/lock l_whence=enum/whence l_start=d l_len=d
f_owner_ex type=enum/ownertype pid=d
winsize ws_row=u ws_col=u ws_xpixel=u ws_ypixel=u
linger l_onoff=d l_linger=d
ucred pid=d uid=uid gid=uid
stack_t ss_sp=ptr ss_flags=flags/sigaltstack ss_size=u
sched_param sched_priority@sched_priority=d
open_how flags=oflags mode=mode resolve=flags/resolve
clone_args flags=flags/clone+clone3
timex modes=flags/timexmodes offset=d freq=d maxerror=u esterror=u status=flags/timexstatus constant=d precision=u tolerance=d time=st/timeval tick=d ppsfreq=d jitter=d shift=d stabil=d jitcnt=d calcnt=d errcnt=d stbcnt=d tai=d
__kernel_timex modes=flags/timexmodes offset=d freq=d maxerror=u esterror=u status=flags/timexstatus constant=d precision=u tolerance=d time=st/__kernel_sock_timeval tick=d ppsfreq=d jitter=d shift=d stabil=d jitcnt=d calcnt=d errcnt=d stbcnt=d tai=d
mq_attr mq_flags=flags/oflags mq_maxmsg=d mq_msgsize=d mq_curmsgs=d
ip_mreq imr_multiaddr=inaddr imr_interface=inaddr
ip_mreqn imr_multiaddr=inaddr imr_address=inaddr imr_ifindex=d
ipv6_mreq ipv6mr_multiaddr=in6addr ipv6mr_interface@ipv6mr_ifindex=u
sock_fprog len=u filter=ptr
sembuf sem_num=u sem_op=d sem_flg=flags/semop
cap_user_header version=version pid=d
user_desc entry_number=d base_addr=x limit=x flags=x
file_handle handle_bytes=u handle_type=x
sched_attr size=u sched_policy=enum/sched sched_flags=flags/schedflags sched_nice=d sched_priority=u sched_runtime=u sched_deadline=u sched_period=u sched_util_min=u sched_util_max=u
`
