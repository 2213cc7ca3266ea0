// SPDX-License-Identifier: Apache-2.0
// Fuzz target: files of /proc whose text a container has a hand in: names and command lines of processes, interfaces, mount points, cgroup
// paths. The input is a list of files, a line "@NAME" in front of each; they are those of process 42, and our own.

#include "fake_files.h"
#include "fuzz.h"

#include "base/buf.h"
#include "base/str.h"
#include "cgroup/internal.h"
#include "fs/mountinfo.h"
#include "host/exec.h"
#include "host/intelrdt.h"
#include "host/payload.h"
#include "host/ps.h"
#include "host/stats.h"
#include "state/liveness.h"

#include <errno.h>
#include <unistd.h>

#define PID 42

static void process(void)
{
	pid_t pid = PID;
	const struct ps_pids pids = {.pids = &pid, .len = 1};
	struct crun_error err;
	struct buf table = {0};
	uint64_t start;
	size_t rows = 0;
	bool dead;
	int r;

	(void)!process_start_time(PID, &start, &dead);
	r = payload_check_began(PID, &err);
	if (r < 0)
		fuzz_check_error(r, &err);
	ps_table(&pids, &table);
	/* A row each, and nothing that a terminal would act upon. */
	for (const char *p = table.data; *p; p++) {
		REQUIRE((unsigned char)*p >= ' ' || *p == '\n');
		REQUIRE(*p != 0x7f);
		rows += *p == '\n';
	}
	REQUIRE(rows <= 2 && strlen(table.data) == table.len);
	buf_done(&table);
}

static void interfaces(void)
{
	struct net_stats net = {0};

	REQUIRE(net_stats_read(PID, -1, &net) == 0);
	for (size_t i = 0; i < net.len; i++)
		REQUIRE(memchr(net.items[i].name, '\0', sizeof(net.items[i].name)));
	free(net.items);
}

static void mount_table(int proc_fd)
{
	struct buf text = {0};
	struct crun_error err;
	struct mountinfo m;
	char *cursor;
	int fd;

	if (mountinfo_read(proc_fd, "self/mountinfo", &text, &err) == 0) {
		cursor = text.data;
		while (mountinfo_next(&cursor, &m)) {
			REQUIRE(m.root && m.mount_point && m.options && m.fstype);
			(void)mountinfo_has_option(m.super_options, "cpu", 3);
			REQUIRE(strlen(m.mount_point) < text.len);
		}
	}
	buf_done(&text);
	fd = intelrdt_open(&err);
	if (fd < 0)
		fuzz_check_error(fd, &err);
	else
		close(fd);
}

static void cgroups(char *paths)
{
	static const enum cgroup_layout layouts[] = {CGROUP_NONE, CGROUP_V1, CGROUP_HYBRID,
						     CGROUP_V2};
	struct oci_record record = {.id = "box"};
	char where[256];

	for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++) {
		struct cgroup cg = {0};
		struct crun_error err;
		int r = cg_discover(&cg, layouts[i], &err);

		if (r < 0)
			fuzz_check_error(r, &err);
		REQUIRE(cg.hier_len <= CG_MAX_HIER);
		cg_clear(&cg);
		if (cgroup_delegated(layouts[i], where, sizeof(where)))
			REQUIRE(memchr(where, '\0', sizeof(where)) && !strstr(where, ".."));
	}
	record.cgroup_path = fuzz_line(&paths);
	(void)cgroup_is_off_limits(&record);
}

static void user_map(void)
{
	struct launch_plan plan = {0};
	struct oci_record record = {.id = "box", .has_pid = true, .pid = PID};
	struct exec x = {.l = {.plan = &plan}, .c = CONTAINER_EMPTY};

	x.c.record = &record;
	(void)exec_user_is_mapped(0, &x);
	(void)exec_user_is_mapped(100000, &x);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *theirs = fuzz_text(data, size), *ours = fuzz_text(data, size);
	char *line = fuzz_text(data, size);
	int proc_fd;

	fake_begin();
	fake_add_all("/proc/42", theirs);
	fake_add_all("/proc/self", ours);
	fake_add("/sys/fs/cgroup/unified/cgroup.procs", "1\n", 2);
	fake_add("/sys/fs/cgroup/cpu,cpuacct/cgroup.procs", "1\n", 2);
	fake_add("/sys/fs/resctrl/schemata", "L3:0=f\n", 7);
	proc_fd = fake_dir("/proc");
	process();
	interfaces();
	mount_table(proc_fd);
	cgroups(line);
	user_map();
	close(proc_fd);
	fake_end();
	free(line);
	free(ours);
	free(theirs);
	return 0;
}
