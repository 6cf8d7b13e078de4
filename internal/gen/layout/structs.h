/*
 * The structures of the kernel ABI that utemu reads and writes in guest
 * memory, for the layout generator. They are the kernel's, not the C
 * library's: where a user-space header has only the form that a C library
 * wants, or none, the structure is written out here under the name k_*.
 *
 *	LAYOUT(name, type)	a structure with all its fields but padding
 *	PICK(name, type)	a structure with only the fields named by
 *	FIELD(name, field, path)	... where path is the C expression of it
 *
 * PICK is for structures that are mostly unions, and whose fields go by
 * macros; names are then those of the macros.
 */

#include <linux/types.h>
#include <linux/posix_types.h>

#include <asm/fcntl.h>
#include <asm/poll.h>
#include <asm/signal.h>
#include <asm/siginfo.h>
#include <asm/stat.h>
#include <asm/statfs.h>
#include <asm/termios.h>

#include <linux/aio_abi.h>
#include <linux/capability.h>
#include <linux/eventpoll.h>
#include <linux/fanotify.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/futex.h>
#include <linux/inotify.h>
#include <linux/mount.h>
#include <linux/mqueue.h>
#include <linux/msg.h>
#include <linux/openat2.h>
#include <linux/prctl.h>
#include <linux/resource.h>
#include <linux/rseq.h>
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <linux/seccomp.h>
#include <linux/sem.h>
#define _UNISTD_H /* shm.h asks the C library for getpagesize, not needed here */
#include <linux/shm.h>
#include <linux/signalfd.h>
#include <linux/stat.h>
#include <linux/sysinfo.h>
#include <linux/time.h>
#include <linux/times.h>
#include <linux/timex.h>
#include <linux/utime.h>
#include <linux/utsname.h>

#include <linux/socket.h>
struct sockaddr { /* include/linux/socket.h */
	__kernel_sa_family_t sa_family;
	char sa_data[14];
};
#define _SYS_SOCKET_H /* if.h would take struct sockaddr from the C library */
#include <linux/if.h>
#include <linux/if_packet.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ipv6.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/tcp.h>
#include <linux/uio.h>
#include <linux/un.h>

#if defined(__i386__) || defined(__x86_64__)
#include <asm/ldt.h>
#endif

/* Files: include/linux/dirent.h, fs/readdir.c, fs/fhandle.c, fcntl.h. */

struct k_old_linux_dirent {
	unsigned long d_ino;
	unsigned long d_offset;
	unsigned short d_namlen;
	char d_name[];
};

struct k_linux_dirent {
	unsigned long d_ino;
	unsigned long d_off;
	unsigned short d_reclen;
	char d_name[];
};

struct k_linux_dirent64 {
	__u64 d_ino;
	__s64 d_off;
	unsigned short d_reclen;
	unsigned char d_type;
	char d_name[];
};

struct k_file_handle {
	__u32 handle_bytes;
	int handle_type;
	unsigned char f_handle[];
};

#if __BITS_PER_LONG == 32
LAYOUT(__old_kernel_stat, struct __old_kernel_stat);
LAYOUT(stat64, struct stat64);
#endif
LAYOUT(stat, struct stat);
LAYOUT(statx, struct statx);
LAYOUT(statfs, struct statfs);
LAYOUT(statfs64, struct statfs64);
LAYOUT(old_linux_dirent, struct k_old_linux_dirent);
LAYOUT(linux_dirent, struct k_linux_dirent);
LAYOUT(linux_dirent64, struct k_linux_dirent64);
LAYOUT(file_handle, struct k_file_handle);
LAYOUT(flock, struct flock);
LAYOUT(flock64, struct flock64);
LAYOUT(f_owner_ex, struct f_owner_ex);
LAYOUT(open_how, struct open_how);
LAYOUT(mount_attr, struct mount_attr);
LAYOUT(file_clone_range, struct file_clone_range);
LAYOUT(fsxattr, struct fsxattr);
LAYOUT(utimbuf, struct utimbuf);
LAYOUT(inotify_event, struct inotify_event);
LAYOUT(fanotify_event_metadata, struct fanotify_event_metadata);
LAYOUT(iovec, struct iovec);
LAYOUT(pollfd, struct pollfd);
LAYOUT(epoll_event, struct epoll_event);
LAYOUT(fd_set, __kernel_fd_set);
LAYOUT(io_event, struct io_event);
LAYOUT(iocb, struct iocb);

/* Arguments passed in memory: mm/mmap.c, fs/select.c. */

struct k_mmap_arg_struct {
	unsigned long addr;
	unsigned long len;
	unsigned long prot;
	unsigned long flags;
	unsigned long fd;
	unsigned long offset;
};

struct k_sel_arg_struct {
	unsigned long n;
	__kernel_fd_set *inp;
	__kernel_fd_set *outp;
	__kernel_fd_set *exp;
	struct __kernel_old_timeval *tvp;
};

struct k_sigset_argpack {
	void *p;
	__kernel_size_t size;
};

LAYOUT(mmap_arg_struct, struct k_mmap_arg_struct);
LAYOUT(sel_arg_struct, struct k_sel_arg_struct);
LAYOUT(sigset_argpack, struct k_sigset_argpack);
LAYOUT(ipc_kludge, struct ipc_kludge);

/*
 * Time. struct timespec and its kin in the old headers are in long words;
 * the kernel calls the ones that are 64 bits wide everywhere __kernel_*.
 */

LAYOUT(timespec, struct __kernel_old_timespec);
LAYOUT(timeval, struct __kernel_old_timeval);
LAYOUT(itimerval, struct __kernel_old_itimerval);
LAYOUT(itimerspec, struct itimerspec);
LAYOUT(__kernel_timespec, struct __kernel_timespec);
LAYOUT(__kernel_itimerspec, struct __kernel_itimerspec);
LAYOUT(__kernel_sock_timeval, struct __kernel_sock_timeval);
LAYOUT(timezone, struct timezone);
LAYOUT(timex, struct timex);
LAYOUT(__kernel_timex, struct __kernel_timex);
LAYOUT(tms, struct tms);

/* Processes. */

LAYOUT(rusage, struct rusage);
LAYOUT(rlimit, struct rlimit);
LAYOUT(rlimit64, struct rlimit64);
LAYOUT(sysinfo, struct sysinfo);
LAYOUT(oldold_utsname, struct oldold_utsname);
LAYOUT(old_utsname, struct old_utsname);
LAYOUT(new_utsname, struct new_utsname);
LAYOUT(sched_param, struct sched_param);
LAYOUT(sched_attr, struct sched_attr);
LAYOUT(clone_args, struct clone_args);
LAYOUT(rseq, struct rseq);
LAYOUT(rseq_cs, struct rseq_cs);
LAYOUT(robust_list, struct robust_list);
LAYOUT(robust_list_head, struct robust_list_head);
LAYOUT(futex_waitv, struct futex_waitv);
LAYOUT(cap_user_header, struct __user_cap_header_struct);
LAYOUT(cap_user_data, struct __user_cap_data_struct);
LAYOUT(seccomp_data, struct seccomp_data);
LAYOUT(sock_filter, struct sock_filter);
LAYOUT(sock_fprog, struct sock_fprog);
LAYOUT(prctl_mm_map, struct prctl_mm_map);

/*
 * Signals: include/linux/signal_types.h. The kernel's set has 64 signals on
 * every one of the architectures; the headers of i386 and ARM still show the
 * one long word of libc 4, and sigaction(2)'s structure instead of
 * rt_sigaction(2)'s.
 */

#undef sa_handler

typedef unsigned long k_old_sigset_t;

typedef struct {
	unsigned long sig[64 / __BITS_PER_LONG];
} k_sigset_t;

struct k_sigaction {
	__sighandler_t sa_handler;
	unsigned long sa_flags;
#ifdef SA_RESTORER
	__sigrestore_t sa_restorer;
#endif
	k_sigset_t sa_mask;
};

struct k_old_sigaction {
	__sighandler_t sa_handler;
	k_old_sigset_t sa_mask;
	unsigned long sa_flags;
	__sigrestore_t sa_restorer;
};

LAYOUT(sigset_t, k_sigset_t);
LAYOUT(sigaction, struct k_sigaction);
#if __BITS_PER_LONG == 32
LAYOUT(old_sigaction, struct k_old_sigaction);
#endif
LAYOUT(stack_t, stack_t);
LAYOUT(signalfd_siginfo, struct signalfd_siginfo);

PICK(siginfo, siginfo_t);
FIELD(siginfo, si_signo, si_signo);
FIELD(siginfo, si_errno, si_errno);
FIELD(siginfo, si_code, si_code);
FIELD(siginfo, si_pid, si_pid);
FIELD(siginfo, si_uid, si_uid);
FIELD(siginfo, si_timerid, si_tid);
FIELD(siginfo, si_overrun, si_overrun);
FIELD(siginfo, si_sys_private, si_sys_private);
FIELD(siginfo, si_status, si_status);
FIELD(siginfo, si_utime, si_utime);
FIELD(siginfo, si_stime, si_stime);
FIELD(siginfo, si_value, si_value);
FIELD(siginfo, si_int, si_int);
FIELD(siginfo, si_ptr, si_ptr);
FIELD(siginfo, si_addr, si_addr);
FIELD(siginfo, si_trapno, si_trapno);
FIELD(siginfo, si_addr_lsb, si_addr_lsb);
FIELD(siginfo, si_lower, si_lower);
FIELD(siginfo, si_upper, si_upper);
FIELD(siginfo, si_pkey, si_pkey);
FIELD(siginfo, si_perf_data, si_perf_data);
FIELD(siginfo, si_perf_type, si_perf_type);
FIELD(siginfo, si_perf_flags, si_perf_flags);
FIELD(siginfo, si_band, si_band);
FIELD(siginfo, si_fd, si_fd);
FIELD(siginfo, si_call_addr, si_call_addr);
FIELD(siginfo, si_syscall, si_syscall);
FIELD(siginfo, si_arch, si_arch);

PICK(sigevent, struct sigevent);
FIELD(sigevent, sigev_value, sigev_value);
FIELD(sigevent, sigev_signo, sigev_signo);
FIELD(sigevent, sigev_notify, sigev_notify);
FIELD(sigevent, sigev_notify_function, sigev_notify_function);
FIELD(sigevent, sigev_notify_attributes, sigev_notify_attributes);
FIELD(sigevent, sigev_notify_thread_id, sigev_notify_thread_id);

/* System V and POSIX interprocess communication; *_ds is the form of before IPC_64. */

LAYOUT(ipc_perm, struct ipc_perm);
LAYOUT(ipc64_perm, struct ipc64_perm);
LAYOUT(semid_ds, struct semid_ds);
LAYOUT(semid64_ds, struct semid64_ds);
LAYOUT(sembuf, struct sembuf);
LAYOUT(seminfo, struct seminfo);
LAYOUT(shmid_ds, struct shmid_ds);
LAYOUT(shmid64_ds, struct shmid64_ds);
LAYOUT(shminfo, struct shminfo);
LAYOUT(shminfo64, struct shminfo64);
LAYOUT(shm_info, struct shm_info);
LAYOUT(msqid_ds, struct msqid_ds);
LAYOUT(msqid64_ds, struct msqid64_ds);
LAYOUT(msgbuf, struct msgbuf);
LAYOUT(msginfo, struct msginfo);
LAYOUT(mq_attr, struct mq_attr);

/* Terminals. PowerPC's termios has the speeds in it and no second version. */

LAYOUT(termio, struct termio);
LAYOUT(termios, struct termios);
#ifdef TCGETS2
LAYOUT(termios2, struct termios2);
#endif
LAYOUT(winsize, struct winsize);

/* Sockets: include/linux/socket.h. */

struct k_user_msghdr {
	void *msg_name;
	int msg_namelen;
	struct iovec *msg_iov;
	__kernel_size_t msg_iovlen;
	void *msg_control;
	__kernel_size_t msg_controllen;
	unsigned int msg_flags;
};

struct k_mmsghdr {
	struct k_user_msghdr msg_hdr;
	unsigned int msg_len;
};

struct k_cmsghdr {
	__kernel_size_t cmsg_len;
	int cmsg_level;
	int cmsg_type;
};

struct k_ucred {
	__u32 pid;
	__u32 uid;
	__u32 gid;
};

struct k_linger {
	int l_onoff;
	int l_linger;
};

LAYOUT(msghdr, struct k_user_msghdr);
LAYOUT(mmsghdr, struct k_mmsghdr);
LAYOUT(cmsghdr, struct k_cmsghdr);
LAYOUT(ucred, struct k_ucred);
LAYOUT(linger, struct k_linger);
LAYOUT(sockaddr, struct sockaddr);
LAYOUT(sockaddr_un, struct sockaddr_un);
LAYOUT(sockaddr_in, struct sockaddr_in);
LAYOUT(sockaddr_nl, struct sockaddr_nl);
LAYOUT(sockaddr_ll, struct sockaddr_ll);
PICK(sockaddr_in6, struct sockaddr_in6);
FIELD(sockaddr_in6, sin6_family, sin6_family);
FIELD(sockaddr_in6, sin6_port, sin6_port);
FIELD(sockaddr_in6, sin6_flowinfo, sin6_flowinfo);
FIELD(sockaddr_in6, sin6_addr, sin6_addr);
FIELD(sockaddr_in6, sin6_scope_id, sin6_scope_id);
PICK(sockaddr_storage, struct __kernel_sockaddr_storage);
FIELD(sockaddr_storage, ss_family, ss_family);
LAYOUT(in_pktinfo, struct in_pktinfo);
LAYOUT(ip_mreq, struct ip_mreq);
LAYOUT(ip_mreqn, struct ip_mreqn);
LAYOUT(ip_mreq_source, struct ip_mreq_source);
LAYOUT(group_req, struct group_req);
PICK(ipv6_mreq, struct ipv6_mreq);
FIELD(ipv6_mreq, ipv6mr_multiaddr, ipv6mr_multiaddr);
FIELD(ipv6_mreq, ipv6mr_ifindex, ipv6mr_ifindex);
PICK(in6_pktinfo, struct in6_pktinfo);
FIELD(in6_pktinfo, ipi6_addr, ipi6_addr);
FIELD(in6_pktinfo, ipi6_ifindex, ipi6_ifindex);
LAYOUT(packet_mreq, struct packet_mreq);
LAYOUT(tcp_info, struct tcp_info);
LAYOUT(nlmsghdr, struct nlmsghdr);
LAYOUT(nlmsgerr, struct nlmsgerr);
LAYOUT(ifinfomsg, struct ifinfomsg);
LAYOUT(ifaddrmsg, struct ifaddrmsg);
LAYOUT(ifa_cacheinfo, struct ifa_cacheinfo);
LAYOUT(rtgenmsg, struct rtgenmsg);
LAYOUT(rtmsg, struct rtmsg);
LAYOUT(rtattr, struct rtattr);

PICK(ifreq, struct ifreq);
FIELD(ifreq, ifr_name, ifr_name);
FIELD(ifreq, ifr_hwaddr, ifr_hwaddr);
FIELD(ifreq, ifr_addr, ifr_addr);
FIELD(ifreq, ifr_dstaddr, ifr_dstaddr);
FIELD(ifreq, ifr_broadaddr, ifr_broadaddr);
FIELD(ifreq, ifr_netmask, ifr_netmask);
FIELD(ifreq, ifr_flags, ifr_flags);
FIELD(ifreq, ifr_metric, ifr_metric);
FIELD(ifreq, ifr_mtu, ifr_mtu);
FIELD(ifreq, ifr_map, ifr_map);
FIELD(ifreq, ifr_slave, ifr_slave);
FIELD(ifreq, ifr_data, ifr_data);
FIELD(ifreq, ifr_ifindex, ifr_ifindex);
FIELD(ifreq, ifr_qlen, ifr_qlen);
FIELD(ifreq, ifr_newname, ifr_newname);
LAYOUT(ifmap, struct ifmap);
PICK(ifconf, struct ifconf);
FIELD(ifconf, ifc_len, ifc_len);
FIELD(ifconf, ifc_buf, ifc_buf);
FIELD(ifconf, ifc_req, ifc_req);

/*
 * x86 alone. The bits after the third word are one word here, "flags":
 * seg_32bit:1 contents:2 read_exec_only:1 limit_in_pages:1 seg_not_present:1
 * useable:1, and lm:1 on x86-64.
 */

#if defined(__i386__) || defined(__x86_64__)
struct k_user_desc {
	unsigned int entry_number;
	unsigned int base_addr;
	unsigned int limit;
	unsigned int flags;
};
_Static_assert(sizeof(struct k_user_desc) == sizeof(struct user_desc), "user_desc");
LAYOUT(user_desc, struct k_user_desc);
#endif

/*
 * Core files: include/linux/elfcore.h and elfcore-compat.h, which are not for
 * programs; pr_reg is the general register set.
 */

#if defined(__x86_64__)
#define K_NGREG 27
#elif defined(__i386__)
#define K_NGREG 17
#elif defined(__arm__)
#define K_NGREG 18
#elif defined(__aarch64__)
#define K_NGREG 34
#else
#define K_NGREG 48
#endif

struct k_elf_siginfo {
	int si_signo;
	int si_code;
	int si_errno;
};

struct k_elf_prstatus {
	struct k_elf_siginfo pr_info;
	short pr_cursig;
	unsigned long pr_sigpend;
	unsigned long pr_sighold;
	__kernel_pid_t pr_pid;
	__kernel_pid_t pr_ppid;
	__kernel_pid_t pr_pgrp;
	__kernel_pid_t pr_sid;
	struct __kernel_old_timeval pr_utime;
	struct __kernel_old_timeval pr_stime;
	struct __kernel_old_timeval pr_cutime;
	struct __kernel_old_timeval pr_cstime;
	unsigned long pr_reg[K_NGREG];
	int pr_fpvalid;
};

struct k_elf_prpsinfo {
	char pr_state;
	char pr_sname;
	char pr_zomb;
	char pr_nice;
	unsigned long pr_flag;
	__kernel_uid_t pr_uid;
	__kernel_gid_t pr_gid;
	__kernel_pid_t pr_pid;
	__kernel_pid_t pr_ppid;
	__kernel_pid_t pr_pgrp;
	__kernel_pid_t pr_sid;
	char pr_fname[16];
	char pr_psargs[80];
};

LAYOUT(elf_prstatus, struct k_elf_prstatus);
LAYOUT(elf_prpsinfo, struct k_elf_prpsinfo);
