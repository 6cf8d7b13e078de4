/* What the system tells of files, and how that is changed. */
#include "t.h"
#include <sys/file.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/vfs.h>
#include <utime.h>

static int same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_mode == b->st_mode && a->st_nlink == b->st_nlink &&
		a->st_uid == b->st_uid && a->st_gid == b->st_gid && a->st_size == b->st_size && a->st_blocks == b->st_blocks &&
		a->st_blksize == b->st_blksize && a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
		a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static void kinds(void)
{
	struct stat st, st2;
	put("f", "0123456789");
	CHECK(stat("f", &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 10 && st.st_nlink == 1 && (st.st_mode & 07777) == 0644);
	CHECK(st.st_uid == geteuid() && st.st_blksize > 0 && st.st_blocks >= 0);
	int fd = open("f", O_RDWR);
	CHECK(fstat(fd, &st2) == 0 && same(&st, &st2));
	CHECK(fstatat(fd, "", &st2, AT_EMPTY_PATH) == 0 && same(&st, &st2));
	CHECK(symlink("f", "l") == 0 && stat("l", &st2) == 0 && same(&st, &st2));
	CHECK(lstat("l", &st2) == 0 && S_ISLNK(st2.st_mode) && st2.st_size == 1);
	CHECK(fstatat(AT_FDCWD, "l", &st2, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st2.st_mode));
	CHECK(stat(".", &st) == 0 && S_ISDIR(st.st_mode));
	CHECK(stat("/dev/null", &st) == 0 && S_ISCHR(st.st_mode) && major(st.st_rdev) == 1 && minor(st.st_rdev) == 3);
	CHECK(mkfifo("p", 0622) == 0 && stat("p", &st) == 0 && S_ISFIFO(st.st_mode) && (st.st_mode & 0777) == 0600);
	CHECK(mknod("r", S_IFREG | 0600, 0) == 0 && stat("r", &st) == 0 && S_ISREG(st.st_mode));
	struct statx sx;
	CHECK(statx(AT_FDCWD, "f", 0, STATX_BASIC_STATS, &sx) == 0 && sx.stx_size == 10 && (sx.stx_mask & STATX_BASIC_STATS) == STATX_BASIC_STATS);
	CHECK(fstat(fd, &st) == 0 && sx.stx_ino == st.st_ino && makedev(sx.stx_dev_major, sx.stx_dev_minor) == st.st_dev && sx.stx_mtime.tv_nsec == st.st_mtim.tv_nsec);
	CHECK(statx(fd, "", AT_EMPTY_PATH, STATX_SIZE, &sx) == 0 && sx.stx_size == 10);
	ERR(EINVAL, statx(AT_FDCWD, "f", 0x40000000, STATX_SIZE, &sx));
	ERR(EINVAL, fstatat(AT_FDCWD, "f", &st, 0x40000000));
	ERR(ENOENT, stat("none", &st));
	ERR(ENOTDIR, stat("f/x", &st));
	ERR(EBADF, fstat(999, &st));
	ERR(EBADF, fstatat(999, "f", &st, 0));
	close(fd);
}

static void modes(void)
{
	struct stat st;
	CHECK(chmod("f", 0400) == 0 && stat("f", &st) == 0 && (st.st_mode & 07777) == 0400);
	CHECK(chmod("f", 06755) == 0 && stat("f", &st) == 0 && (st.st_mode & 07777) == 06755);
	int fd = open("f", O_RDONLY);
	CHECK(fchmod(fd, 0640) == 0 && fstat(fd, &st) == 0 && (st.st_mode & 07777) == 0640);
	CHECK(fchmodat(AT_FDCWD, "f", 0600, 0) == 0);
	CHECK(chown("f", (uid_t)-1, (gid_t)-1) == 0 && fchown(fd, getuid(), getgid()) == 0 && lchown("l", getuid(), (gid_t)-1) == 0);
	CHECK(fchownat(fd, "", getuid(), getgid(), AT_EMPTY_PATH) == 0);
	close(fd);
	CHECK(umask(077) == 022 && umask(022) == 077);
	umask(027);
	fd = open("m", O_CREAT | O_WRONLY, 0666);
	CHECK(fstat(fd, &st) == 0 && (st.st_mode & 0777) == 0640);
	close(fd);
	CHECK(mkdir("md", 0777) == 0 && stat("md", &st) == 0 && (st.st_mode & 0777) == 0750);
	umask(022);
	CHECK(access("f", R_OK) == 0 && access("md", X_OK) == 0 && eaccess("f", F_OK) == 0);
	ERR(EINVAL, access("f", 64));
	ERR(EACCES, access("m", X_OK));
}

static void times(void)
{
	struct stat st;
	struct timespec ts[2] = {{1000000000, 123456789}, {1500000000, 987654321}};
	CHECK(utimensat(AT_FDCWD, "f", ts, 0) == 0 && stat("f", &st) == 0);
	CHECK(st.st_atim.tv_sec == 1000000000 && st.st_atim.tv_nsec == 123456789 && st.st_mtim.tv_sec == 1500000000 && st.st_mtim.tv_nsec == 987654321);
	ts[0].tv_nsec = UTIME_OMIT;
	ts[1].tv_nsec = UTIME_NOW;
	CHECK(utimensat(AT_FDCWD, "f", ts, 0) == 0 && stat("f", &st) == 0 && st.st_atim.tv_sec == 1000000000 && st.st_mtim.tv_sec > 1600000000);
	ts[1] = (struct timespec){7, 8};
	CHECK(utimensat(AT_FDCWD, "l", ts, AT_SYMLINK_NOFOLLOW) == 0 && lstat("l", &st) == 0 && st.st_mtim.tv_sec == 7);
	struct timeval tv[2] = {{3, 4}, {5, 6}};
	CHECK(utimes("f", tv) == 0 && stat("f", &st) == 0 && st.st_atim.tv_sec == 3 && st.st_atim.tv_nsec == 4000 && st.st_mtim.tv_nsec == 6000);
	struct utimbuf ub = {11, 12};
	CHECK(utime("f", &ub) == 0 && stat("f", &st) == 0 && st.st_atime == 11 && st.st_mtime == 12);
	int fd = open("f", O_RDWR);
	CHECK(futimens(fd, NULL) == 0 && fstat(fd, &st) == 0 && st.st_mtime > 1600000000);
	close(fd);
	ts[1].tv_nsec = 1000000000;
	ERR(EINVAL, utimensat(AT_FDCWD, "f", ts, 0));
	ERR(ENOENT, utimensat(AT_FDCWD, "none", NULL, 0));
}

static void sizes(void)
{
	struct stat st;
	CHECK(truncate("f", 1 << 20) == 0 && stat("f", &st) == 0 && st.st_size == 1 << 20 && st.st_blocks < 64);
	int fd = open("f", O_RDWR);
	CHECK(ftruncate(fd, 5) == 0 && lseek(fd, 0, SEEK_END) == 5);
	ERR(EINVAL, ftruncate(fd, -1));
	ERR(EINVAL, lseek(fd, -1, SEEK_SET));
	ERR(EINVAL, lseek(fd, 0, 99));
	CHECK(lseek(fd, 0, SEEK_DATA) == 0 && lseek(fd, 0, SEEK_HOLE) == 5);
	ERR(EISDIR, truncate("md", 0));
	CHECK(fsync(fd) == 0 && fdatasync(fd) == 0 && syncfs(fd) == 0);
	struct statfs sf, sf2;
	struct statvfs sv;
	CHECK(statfs(".", &sf) == 0 && fstatfs(fd, &sf2) == 0 && sf.f_type == sf2.f_type && sf.f_blocks == sf2.f_blocks && sf.f_bsize > 0);
	CHECK(statvfs(".", &sv) == 0 && sv.f_namemax == 255 && sv.f_blocks == sf.f_blocks && sv.f_bsize == (unsigned long)sf.f_bsize);
	ERR(ENOENT, statfs("none", &sf));
	CHECK(pathconf(".", _PC_NAME_MAX) == 255 && fpathconf(fd, _PC_PIPE_BUF) == 4096);
	close(fd);
}

static void locks(void)
{
	int fd = open("f", O_RDWR), fd2 = open("f", O_RDWR);
	struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 1, .l_len = 2};
	CHECK(fcntl(fd, F_SETLK, &l) == 0 && fcntl(fd2, F_GETLK, &l) == 0 && l.l_type == F_UNLCK);
	l = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 100, .l_len = 20};
	CHECK(fcntl(fd, F_OFD_SETLK, &l) == 0);
	l = (struct flock){.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 110};
	CHECK(fcntl(fd2, F_OFD_GETLK, &l) == 0 && l.l_type == F_WRLCK && l.l_start == 100 && l.l_len == 20 && l.l_pid == -1);
	l = (struct flock){.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 110};
	ERR(EAGAIN, fcntl(fd2, F_OFD_SETLK, &l));
	CHECK(flock(fd, LOCK_EX) == 0);
	ERR(EAGAIN, flock(fd2, LOCK_SH | LOCK_NB));
	CHECK(flock(fd, LOCK_UN) == 0 && flock(fd2, LOCK_SH | LOCK_NB) == 0);
	CHECK(lockf(fd, F_TLOCK, 3) == 0 && lockf(fd, F_ULOCK, 3) == 0);
	CHECK(fcntl(fd, F_GETFD) == 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
	CHECK((fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND)) == O_RDWR && fcntl(fd, F_SETFL, O_APPEND) == 0 && (fcntl(fd, F_GETFL) & O_APPEND));
	int d = fcntl(fd, F_DUPFD, 100);
	CHECK(d == 100 && fcntl(d, F_GETFD) == 0 && close(d) == 0);
	CHECK(fcntl(fd, F_DUPFD_CLOEXEC, 50) == 50 && fcntl(50, F_GETFD) == FD_CLOEXEC && dup2(fd, 50) == 50 && fcntl(50, F_GETFD) == 0);
	CHECK(dup3(fd, 51, O_CLOEXEC) == 51 && fcntl(51, F_GETFD) == FD_CLOEXEC && close(50) == 0 && close(51) == 0);
	ERR(EINVAL, dup3(fd, fd, 0));
	ERR(EBADF, dup2(999, 5));
	ERR(EINVAL, fcntl(fd, F_DUPFD, -1));
	ERR(EINVAL, fcntl(fd, 12345));
	ERR(EBADF, fcntl(999, F_GETFD));
	close(fd);
	close(fd2);
}

int main(int argc, char **argv)
{
	enter(argc, argv);
	kinds();
	modes();
	times();
	sizes();
	locks();
	return done();
}
