/* System V and POSIX communication within one process. */
#include "t.h"

#include <mqueue.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

static void memory(void)
{
	int id = shmget(IPC_PRIVATE, 10000, IPC_CREAT | 0600);
	MUST(id >= 0);
	char *a = shmat(id, NULL, 0), *b = shmat(id, NULL, SHM_RDONLY);
	MUST(a != (void *)-1 && b != (void *)-1);
	a[9999] = 'x';
	CHECK(b[9999] == 'x' && a != b);
	struct shmid_ds d;
	CHECK(shmctl(id, IPC_STAT, &d) == 0 && d.shm_segsz == 10000 && d.shm_nattch == 2 && (d.shm_perm.mode & 0777) == 0600);
	CHECK(d.shm_cpid == getpid() && d.shm_perm.uid == geteuid());
	CHECK(shmdt(b) == 0 && shmctl(id, IPC_RMID, NULL) == 0 && a[9999] == 'x' && shmdt(a) == 0);
	ERR(EINVAL, shmctl(id, IPC_STAT, &d));
	ERR(EINVAL, shmdt(a));
}

static void semaphores(void)
{
	int id = semget(IPC_PRIVATE, 3, IPC_CREAT | 0600);
	MUST(id >= 0);
	union { int val; struct semid_ds *buf; unsigned short *array; } u;
	unsigned short all[3] = {1, 2, 3}, got[3];
	u.array = all;
	CHECK(semctl(id, 0, SETALL, u) == 0);
	struct sembuf ops[2] = {{0, -1, IPC_NOWAIT}, {2, 4, SEM_UNDO}};
	CHECK(semop(id, ops, 2) == 0);
	u.array = got;
	CHECK(semctl(id, 0, GETALL, u) == 0 && got[0] == 0 && got[1] == 2 && got[2] == 7);
	ERR(EAGAIN, semop(id, ops, 1));
	ERR(EAGAIN, semtimedop(id, &(struct sembuf){0, -1, 0}, 1, &(struct timespec){0, 1000000}));
	u.val = 9;
	CHECK(semctl(id, 1, SETVAL, u) == 0 && semctl(id, 1, GETVAL) == 9 && semctl(id, 2, GETPID) == getpid());
	struct semid_ds d;
	u.buf = &d;
	CHECK(semctl(id, 0, IPC_STAT, u) == 0 && d.sem_nsems == 3 && semctl(id, 0, IPC_RMID) == 0);
}

static void messages(void)
{
	int id = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
	MUST(id >= 0);
	struct { long type; char text[20]; } m = {7, "seven"}, r;
	CHECK(msgsnd(id, &m, 6, 0) == 0);
	m.type = 3;
	strcpy(m.text, "three");
	CHECK(msgsnd(id, &m, 6, IPC_NOWAIT) == 0);
	CHECK(msgrcv(id, &r, 20, 3, 0) == 6 && r.type == 3 && strcmp(r.text, "three") == 0);
	ERR(ENOMSG, msgrcv(id, &r, 20, 5, IPC_NOWAIT));
	ERR(E2BIG, msgrcv(id, &r, 2, 0, 0));
	struct msqid_ds d;
	CHECK(msgctl(id, IPC_STAT, &d) == 0 && d.msg_qnum == 1 && d.msg_lspid == getpid());
	CHECK(msgrcv(id, &r, 2, 0, MSG_NOERROR) == 2 && r.type == 7 && msgctl(id, IPC_RMID, NULL) == 0);
}

static void events(void)
{
	int fd = eventfd(3, EFD_NONBLOCK | EFD_SEMAPHORE);
	eventfd_t v;
	CHECK(eventfd_read(fd, &v) == 0 && v == 1 && eventfd_write(fd, 5) == 0);
	for (int i = 0; i < 7; i++)
		MUST(eventfd_read(fd, &v) == 0);
	ERR(EAGAIN, eventfd_read(fd, &v));
	int in = inotify_init1(IN_NONBLOCK), w = inotify_add_watch(in, ".", IN_CREATE | IN_DELETE | IN_MODIFY);
	MUST(in >= 0 && w >= 0);
	put("watched", "x");
	unlink("watched");
	char b[4096] __attribute__((aligned(8)));
	int n = read(in, b, sizeof b);
	for (char *p = b; p < b + n;) {
		struct inotify_event *e = (struct inotify_event *)p;
		printf("event %x %s\n", e->mask, e->name);
		p += sizeof *e + e->len;
	}
	CHECK(inotify_rm_watch(in, w) == 0);
	char name[64];
	snprintf(name, sizeof name, "/utemu-test-%d-%p", (int)getpid(), (void *)name);
	int shm = shm_open(name, O_RDWR | O_CREAT, 0600);
	CHECK(shm >= 0 && ftruncate(shm, 4096) == 0 && shm_unlink(name) == 0);
}

static volatile int told, payload, code;

static void on_message(int s, siginfo_t *si, void *u)
{
	(void)u;
	told = s;
	payload = si->si_value.sival_int;
	code = si->si_code;
}

static void on_thread(union sigval v)
{
	payload = v.sival_int;
	told = 1;
}

static void queue(void)
{
	char name[64];
	snprintf(name, sizeof name, "/utemu-test-%d-%p", (int)getpid(), (void *)name);
	struct mq_attr a = {.mq_maxmsg = 3, .mq_msgsize = 8};
	mqd_t q = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &a);
	MUST(q >= 0);
	CHECK(mq_unlink(name) == 0);
	struct sigaction sa = {.sa_sigaction = on_message, .sa_flags = SA_SIGINFO};
	sigaction(SIGUSR1, &sa, NULL);
	struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 42};
	CHECK(mq_notify(q, &e) == 0);
	ERR(EBUSY, mq_notify(q, &e));
	CHECK(mq_send(q, "one", 4, 0) == 0);
	while (!told)
		usleep(1000);
	CHECK(told == SIGUSR1 && payload == 42 && code == SI_MESGQ);
	e.sigev_notify = SIGEV_NONE;
	CHECK(mq_notify(q, &e) == 0 && mq_notify(q, NULL) == 0);
	char b[8];
	CHECK(mq_receive(q, b, sizeof b, NULL) == 4);
	told = 0;
	e = (struct sigevent){.sigev_notify = SIGEV_THREAD, .sigev_notify_function = on_thread, .sigev_value.sival_int = 43};
	CHECK(mq_notify(q, &e) == 0);
	CHECK(mq_send(q, "two", 4, 0) == 0);
	while (!told)
		usleep(1000);
	CHECK(payload == 43 && mq_close(q) == 0);
	e.sigev_notify = SIGEV_NONE;
	ERR(EBADF, mq_notify(q, &e));
}

int main(int argc, char **argv)
{
	enter(argc, argv);
	memory();
	semaphores();
	messages();
	events();
	queue();
	return done();
}
