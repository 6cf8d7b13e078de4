// Threads that add to a counter: "counter racy N" without a lock, so that
// updates are lost if another thread runs between a load and its store,
// "counter locked N" with one.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 4 };

static volatile long counter;
static long rounds;
static int locked;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *add(void *unused)
{
	(void)unused;
	for (long i = 0; i < rounds; i++) {
		if (locked)
			pthread_mutex_lock(&lock);
		counter = counter + 1;
		if (locked)
			pthread_mutex_unlock(&lock);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	locked = strcmp(argv[1], "locked") == 0;
	rounds = atol(argv[2]);
	pthread_t t[THREADS];
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&t[i], NULL, add, NULL) != 0)
			return 3;
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	printf("%ld of %ld\n", counter, THREADS * rounds);
	return counter != THREADS * rounds;
}
