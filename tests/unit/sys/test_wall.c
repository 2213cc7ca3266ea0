// SPDX-License-Identifier: Apache-2.0
// A page that blocks: its readers sleep until it is opened, and not a moment longer.
#include "sys/wall.h"

#include "base/cleanup.h"

#include "../test.h"

#include <pthread.h>
#include <time.h>
#include <unistd.h>

static struct wall wall;
static int passed;

static void *reader(void *arg)
{
	(void)arg;
	sys_wall_wait(&wall);
	__atomic_store_n(&passed, 1, __ATOMIC_RELEASE);
	return NULL;
}

static double cpu_seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

TEST(readers_sleep_until_it_is_opened)
{
	pthread_t thread;
	double before;

	if (sys_wall_make(&wall) < 0)
		SKIP("no userfaultfd for this user on this kernel");
	CHECK_INT(pthread_create(&thread, NULL, reader, NULL), 0);
	before = cpu_seconds();
	usleep(200000);
	CHECK_INT(__atomic_load_n(&passed, __ATOMIC_ACQUIRE), 0);
	CHECK(cpu_seconds() - before < 0.05);
	CHECK_INT(sys_wall_open(&wall), 0);
	CHECK_INT(wall.fd, FD_NONE);
	CHECK_INT(pthread_join(thread, NULL), 0);
	CHECK_INT(passed, 1);
	/* Who comes later passes as well. */
	sys_wall_wait(&wall);
	sys_wall_done(&wall);
	CHECK(!wall.page);
}

TEST_MAIN()
