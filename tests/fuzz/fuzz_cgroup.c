// SPDX-License-Identifier: Apache-2.0
// Fuzz target: the files of a cgroup, on v1 and v2, down to what `stats` and `events` print of them. The input is a list of files, a line
// "@NAME" in front of each; a payload that has its cgroup delegated makes directories and processes there as it likes.

#include "fake_files.h"
#include "fuzz.h"

#include "base/str.h"
#include "cgroup/devices.h"
#include "cgroup/stats_read.h"
#include "host/stats.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define DIR "/sys/fs/cgroup/unified/box"

static void check_json(const struct oci_json *json)
{
	unsigned line, column;

	/* No key is "~2" in a pointer: it is not found in a text that is in order. */
	REQUIRE(oci_locate(json->data, json->len, "/~2", &line, &column) == -ENOENT);
}

static void print(const struct cgroup_stats *cg)
{
	struct container_stats stats = {
		.id = "box", .status = LIBCRUN_RUNNING, .any = true, .cg = *cg};
	struct oci_json json = {0};
	struct buf text = {0};

	events_write(&stats, &json);
	REQUIRE(oci_json_finish(&json) == 0);
	check_json(&json);
	oci_json_free(&json);
	stats_write_json(&stats, &json);
	REQUIRE(oci_json_finish(&json) == 0);
	check_json(&json);
	oci_json_free(&json);
	stats_write_header(&text);
	stats_write_row(&stats, &text);
	stats_write_page(&stats, &text);
	REQUIRE(!text.failed && text.len > 0);
	buf_done(&text);
}

static void statistics(int dir)
{
	struct cgroup_stats v1 = {0}, v2 = {0};

	REQUIRE(cg_v1_stats(dir, &v1) == 0);
	REQUIRE(cg_v1_stats_io(dir, &v1) == 0);
	REQUIRE(stat_named_read(dir, &v1) == 0);
	print(&v1);
	cgroup_stats_done(&v1);
	REQUIRE(cg_v2_stats(dir, &v2) == 0);
	print(&v2);
	cgroup_stats_done(&v2);
}

static void lack_of_memory(const struct cgroup *cg)
{
	struct cgroup_oom oom = {0};
	struct buf text = {0};

	cgroup_oom_read(cg, &oom);
	REQUIRE(oom.scope <= OOM_UNKNOWN && memchr(oom.path, '\0', sizeof(oom.path)));
	if (oom.scope != OOM_NONE)
		stats_oom_sentence(&oom, &text);
	buf_done(&text);
}

static void processes(int dir)
{
	struct cg_pids pids = {0};

	if (cg_read_pids(dir, &pids) == 0) {
		for (size_t i = 0; i < pids.len; i++)
			REQUIRE(pids.pids[i] > 0);
	}
	free(pids.pids);
}

static void device_list(const char *text)
{
	struct cg_v1_filter filter = {0};
	char line[64];

	REQUIRE(cg_v1_filter_parse(text, &filter) == 0);
	for (size_t i = 0; i < filter.exceptions.len; i++) {
		cg_v1_format_rule(line, &filter.exceptions.items[i]);
		REQUIRE(memchr(line, '\0', sizeof(line)) && line[0]);
	}
	cg_rules_done(&filter.exceptions);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size), *files = fuzz_text(data, size);
	struct cgroup cg = {.path = "/box", .depth = 1, .ends = {3}, .hier_len = 1};
	struct cg_hier *h = &cg.hier[0];
	struct crun_error err = {0};
	uint64_t number;
	bool frozen;
	int r;

	fake_begin();
	fake_add_all(DIR, files);
	*h = (struct cg_hier){.root = "/sys/fs/cgroup/unified",
			      .root_fd = fake_dir("/sys/fs/cgroup/unified"),
			      .dir_fd = fake_dir(DIR)};
	statistics(h->dir_fd);
	processes(h->dir_fd);
	device_list(text);
	(void)cg_controller_bits(text, " \n", true);
	for (int v2 = 0; v2 <= 1; v2++) {
		const struct cg_dir dir = {.fd = h->dir_fd, .path = DIR};

		h->v2 = v2;
		lack_of_memory(&cg);
		(void)!cg_read_u64(&dir, v2 ? "memory.max" : "memory.limit_in_bytes", &number);
		r = cgroup_is_frozen(&cg, &frozen, &err);
		if (r < 0)
			fuzz_check_error(r, &err);
		r = cg_check_reuse(&cg, h, DIR, &err);
		if (r < 0)
			fuzz_check_error(r, &err);
	}
	close(h->dir_fd);
	close(h->root_fd);
	fake_end();
	free(files);
	free(text);
	return 0;
}
