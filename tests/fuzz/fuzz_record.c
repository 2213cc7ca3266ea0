// SPDX-License-Identifier: Apache-2.0
// Fuzz target: the record in a state directory, and what every command makes of it before it does anything: status, state document, the
// cgroup that it names. Of the files that it could name there are none.

#include "fake_files.h"
#include "fuzz.h"

#include "base/str.h"
#include "cgroup/cgroup.h"
#include "cgroup/internal.h"
#include "host/verbs.h"

#include <stdio.h>

static void open_cgroup(const struct oci_record *record)
{
	bool off_limits = cgroup_is_off_limits(record);
	struct cgroup *cg = NULL;
	struct crun_error err;
	int r = cgroup_open(record, &cg, &err);

	if (r < 0) {
		fuzz_check_error(r, &err);
		return;
	}
	REQUIRE(!off_limits);
	/* Whatever it says, it is below the root, and nothing of it was there to be opened. */
	REQUIRE(!cg->path || (cg->path[0] == '/' && cg->path[1] && !strstr(cg->path, "/../")));
	for (size_t i = 0; i < cg->hier_len; i++)
		REQUIRE(cg->hier[i].dir_fd < 0 || cg->path);
	cgroup_free(cg);
}

static void write_state(const struct container *c)
{
	struct oci_json json = {.pretty = true};
	struct oci_state state = {0};

	container_state(c, &state);
	REQUIRE(oci_state_write(&state, &json) == 0);
	REQUIRE(oci_json_finish(&json) == 0);
	oci_json_free(&json);
}

static bool same(const char *a, const char *b)
{
	return a && b && str_eq(a, b);
}

/* What listings read of a record is what the parser reads, where that takes it at all. */
static void compare_readers(const uint8_t *data, size_t size)
{
	struct oci_arena arena = {0};
	struct oci_record *part, *whole;
	struct oci_parse_error why;
	struct oci_text text = {.len = size};

	text.data = oci_arena_strndup(&arena, (const char *)data, size);
	REQUIRE(text.data);
	if (strlen(text.data) == size && state_peek_record(&text, &arena, &part) &&
	    oci_record_parse(NULL, text.data, text.len, &arena, &whole, &why) == 0) {
		REQUIRE(part->version == whole->version && part->phase == whole->phase);
		REQUIRE(whole->has_pid && part->pid == whole->pid);
		REQUIRE(whole->has_pid_start_time && part->pid_start_time == whole->pid_start_time);
		REQUIRE(same(part->id, whole->id) && same(part->bundle, whole->bundle));
		REQUIRE(same(part->rootfs, whole->rootfs) && same(part->owner, whole->owner));
		REQUIRE(same(part->oci_version, whole->oci_version));
		REQUIRE(same(part->created, whole->created) && !whole->annotations);
	}
	oci_arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char own[] = "1:name=systemd:/user.slice\n0::/user.slice/session.scope\n";
	struct container c = CONTAINER_EMPTY;
	struct crun_error err;
	int r;

	compare_readers(data, size);
	fake_begin();
	fake_add("/run/crun/box/state.json", data, size);
	fake_add("/proc/self/cgroup", own, sizeof(own) - 1);
	fake_add("/sys/fs/cgroup/unified/box/cgroup.procs", "1\n", 2);
	fake_add("/sys/fs/cgroup/unified/box/cgroup.freeze", "1\n", 2);
	c.dir.root_fd = fake_dir("/run/crun");
	c.dir.fd = fake_dir("/run/crun/box");
	c.dir.locked = true;
	snprintf(c.dir.id, sizeof(c.dir.id), "box");
	r = container_load(&c, &err);
	if (r < 0) {
		fuzz_check_error(r, &err);
	} else {
		REQUIRE(c.record && c.pidfd < 0);
		REQUIRE(libcrun_status_name(c.status)[0]);
		write_state(&c);
		open_cgroup(c.record);
	}
	close_fd(&c.dir.fd);
	close_fd(&c.dir.root_fd);
	oci_arena_free(&c.arena);
	fake_end();
	return 0;
}
