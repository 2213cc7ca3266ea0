// SPDX-License-Identifier: Apache-2.0
// linux.intelRdt on a tree that behaves like resctrl where the rules are concerned: mkdir fills a group, rmdir removes a full one.
#include "host/stats.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "sys/file.h"
#include "sys/io.h"

#include "../test.h"

#include <errno.h>
#include <ftw.h>
#include <stdbool.h>
#include <unistd.h>

#define DEFAULTS "    MB:0=100;1=100\n    L3:0=7ff;1=7ff\n"

static int base = FD_NONE;
static char base_path[] = "/tmp/crun-unit-rdt-XXXXXX";
static struct buf written; /* "PATH<TEXT" of each write */
static const char *refused_text;
static int refuse_mkdir; /* errno, or 0 */
static struct crun_error err;
static struct intelrdt rdt;

int __real_sys_mkdirat(int dirfd, const char *name, mode_t mode);
int __wrap_sys_mkdirat(int dirfd, const char *name, mode_t mode);
int __real_sys_unlinkat(int dirfd, const char *name, int flags);
int __wrap_sys_unlinkat(int dirfd, const char *name, int flags);
int __real_io_write_file_at(int dirfd, const char *path, const char *text);
int __wrap_io_write_file_at(int dirfd, const char *path, const char *text);

static void put(const char *dir, const char *name, const char *text)
{
	char path[700];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = openat(base, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		abort();
	close(fd);
}

static void fill(const char *dir)
{
	char path[700];

	put(dir, "tasks", "");
	if (strstr(dir, "mon_groups/"))
		return;
	put(dir, "schemata", DEFAULTS);
	snprintf(path, sizeof(path), "%s/mon_groups", dir);
	if (mkdirat(base, path, 0700) < 0)
		abort();
}

int __wrap_sys_mkdirat(int dirfd, const char *name, mode_t mode)
{
	int r = refuse_mkdir ? -refuse_mkdir : __real_sys_mkdirat(dirfd, name, mode);

	if (r == 0)
		fill(name);
	return r;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int remove_tree(const char *path)
{
	return nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS) < 0 ? -errno : 0;
}

int __wrap_sys_unlinkat(int dirfd, const char *name, int flags)
{
	char path[700];

	if (!(flags & AT_REMOVEDIR))
		return __real_sys_unlinkat(dirfd, name, flags);
	snprintf(path, sizeof(path), "%s/%s", base_path, name);
	return access(path, F_OK) < 0 ? -errno : remove_tree(path);
}

int __wrap_io_write_file_at(int dirfd, const char *path, const char *text)
{
	buf_printf(&written, "%s<%s", path, text);
	if (refused_text && strcmp(text, refused_text) == 0)
		return -EINVAL;
	return __real_io_write_file_at(dirfd, path, text);
}

/* An empty tree for each test. */
static void fresh(void)
{
	if (base >= 0) {
		close_fd(&base);
		(void)remove_tree(base_path);
		memcpy(base_path + sizeof(base_path) - 7, "XXXXXX", 7);
	}
	buf_done(&written);
	buf_puts(&written, "");
	refused_text = NULL;
	refuse_mkdir = 0;
	memset(&err, 0, sizeof(err));
	if (!mkdtemp(base_path))
		abort();
	base = open(base_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (base < 0 || mkdirat(base, "info", 0700) < 0)
		abort();
	put("info", "last_cmd_status", "ok\n");
	fill(".");
}

static bool there(const char *path)
{
	return faccessat(base, path, F_OK, 0) == 0;
}

static int set_up(const struct oci_linux_intel_rdt *spec)
{
	int r = intelrdt_select(spec, "box", base, &rdt, &err);

	return r < 0 ? r : intelrdt_create(&rdt, &err);
}

TEST(class_of_its_own_comes_and_goes_with_the_container)
{
	const struct oci_linux_intel_rdt spec = {.l3_cache_schema = "L3:0=f"};

	fresh();
	CHECK_INT(set_up(&spec), 0);
	CHECK_INT(intelrdt_add(&rdt, 77, &err), 0);
	CHECK_STR(written.data, "box/schemata<L3:0=f\nbox/tasks<77\n");
	CHECK_STR(rdt.ours, "box");
	CHECK_INT(intelrdt_remove_group(base, rdt.ours, &err), 0);
	CHECK(!there("box"));
	CHECK_INT(intelrdt_remove_group(base, rdt.ours, &err), 0);
}

TEST(nothing_is_written_to_schemata_that_nobody_gave)
{
	const struct oci_linux_intel_rdt spec = {0};

	fresh();
	CHECK_INT(set_up(&spec), 0);
	CHECK(there("box/tasks"));
	CHECK_STR(written.data, "");
}

TEST(schemata_are_written_in_the_specifications_order)
{
	const char *lines[] = {"L2:0=f", "MB:0=20;1=70\n"};
	const struct oci_linux_intel_rdt spec = {
		.clos_id = "gold",
		.l3_cache_schema = "L3:0=f;1=f0",
		.mem_bw_schema = "MB:0=10",
		.schemata = lines,
		.schemata_len = 2,
	};

	fresh();
	CHECK_INT(set_up(&spec), 0);
	CHECK_STR(written.data, "gold/schemata<L3:0=f;1=f0\ngold/schemata<MB:0=10\n"
				"gold/schemata<L2:0=f\ngold/schemata<MB:0=20;1=70\n");
	/* A class with a name of its own is not removed with the container. */
	CHECK_STR(rdt.ours, "");
}

TEST(monitoring_group_is_in_the_class)
{
	const struct oci_linux_intel_rdt own = {.enable_monitoring = true};
	const struct oci_linux_intel_rdt gold = {.clos_id = "gold", .enable_monitoring = true};
	const struct oci_linux_intel_rdt root = {.clos_id = "/", .enable_monitoring = true};

	fresh();
	CHECK_INT(set_up(&own), 0);
	CHECK_INT(intelrdt_add(&rdt, 5, &err), 0);
	/* In this order: a monitoring group takes only what is in its class. */
	CHECK_STR(written.data, "box/tasks<5\nbox/mon_groups/box/tasks<5\n");
	CHECK_STR(rdt.ours, "box");

	fresh();
	CHECK(mkdirat(base, "gold", 0700) == 0);
	fill("gold");
	CHECK_INT(set_up(&gold), 0);
	CHECK_STR(rdt.ours, "gold/mon_groups/box");
	CHECK_INT(intelrdt_remove_group(base, rdt.ours, &err), 0);
	CHECK(there("gold/mon_groups") && !there("gold/mon_groups/box"));

	fresh();
	CHECK_INT(set_up(&root), 0);
	CHECK_INT(intelrdt_add(&rdt, 5, &err), 0);
	CHECK_STR(written.data, "./tasks<5\n./mon_groups/box/tasks<5\n");
	CHECK_STR(rdt.ours, "./mon_groups/box");
}

TEST(class_that_exists_is_joined)
{
	const struct oci_linux_intel_rdt spec = {.clos_id = "gold"};

	fresh();
	CHECK(mkdirat(base, "gold", 0700) == 0);
	fill("gold");
	CHECK_INT(set_up(&spec), 0);
	CHECK_INT(intelrdt_add(&rdt, 9, &err), 0);
	CHECK_STR(written.data, "gold/tasks<9\n");
	CHECK_STR(rdt.ours, "");
}

TEST(class_that_is_missing_needs_schemata)
{
	const struct oci_linux_intel_rdt spec = {.clos_id = "gold"};

	fresh();
	CHECK_INT(set_up(&spec), -ENOENT);
	CHECK_STR(err.at, "/linux/intelRdt/closID");
	CHECK(strstr(err.text, "no class of service `gold`"));
	CHECK(!there("gold"));
}

/* The kernel pads numbers and lines, and names all domains. */
TEST(schemas_are_compared_with_those_of_the_class)
{
	static const struct {
		const char *file, *l3, *mb;
		bool same;
	} rows[] = {
		{DEFAULTS, "L3:0=7ff;1=7ff", NULL, true},
		{DEFAULTS, "L3:1=7ff", NULL, true},
		{DEFAULTS, "L3:0=7FF", "MB:1=100", true},
		{DEFAULTS, "L3:0=0x7ff", NULL, true},
		{DEFAULTS, "L3:0=7fe", NULL, false},
		{DEFAULTS, "L3:0=7ff;1=f", NULL, false},
		{DEFAULTS, "L3:2=7ff", NULL, false},
		{DEFAULTS, NULL, "MB:0=10", false},
		{DEFAULTS, "L3:0=7ff", "MB:0=64", false},
		{DEFAULTS, "L3CODE:0=7ff", NULL, false},
		{DEFAULTS, "L3", NULL, false},
		{DEFAULTS, "L3:0=", NULL, false},
		{DEFAULTS, "L3:0=7ff,1=7ff", NULL, false},
		{DEFAULTS, "L3:0=7ff\nMB:0=100", NULL, true},
		{DEFAULTS, "L3:0=7ff\nMB:0=99", NULL, false},
		{"MB:0= 10;1=100\nL3:0=0ff;1=00f\n", "L3:0=ff;1=f", "MB:0=10", true},
		{"MB:10=5;0=7\n", NULL, "MB:0=7;10=5", true},
		{"MB:10=5\n", NULL, "MB:0=5", false},
		{"", "L3:0=f", NULL, false},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct oci_linux_intel_rdt spec = {
			.clos_id = "gold",
			.l3_cache_schema = rows[i].l3,
			.mem_bw_schema = rows[i].mb,
		};
		int r;

		fresh();
		CHECK(mkdirat(base, "gold", 0700) == 0);
		fill("gold");
		put("gold", "schemata", rows[i].file);
		r = intelrdt_select(&spec, "box", base, &rdt, &err);
		if (r != (rows[i].same ? 0 : -EINVAL))
			TEST_FAIL("row %zu: %d, %s", i, r, err.text);
		if (r < 0)
			CHECK(strstr(err.text, "differs from the schemata") &&
			      strstr(err.at, "Schema"));
	}
}

TEST(groups_of_others_are_not_taken)
{
	const struct oci_linux_intel_rdt own = {0};
	const struct oci_linux_intel_rdt root = {.clos_id = "/", .enable_monitoring = true};

	fresh();
	CHECK(mkdirat(base, "box", 0700) == 0);
	CHECK_INT(set_up(&own), -EEXIST);
	CHECK(strstr(err.text, "has a group `box` already"));
	CHECK(there("box"));

	fresh();
	CHECK(mkdirat(base, "mon_groups/box", 0700) == 0);
	CHECK_INT(set_up(&root), -EEXIST);
	CHECK(there("mon_groups/box"));
}

TEST(refused_schemata_leave_nothing_and_are_explained)
{
	const char *lines[] = {"L3:0=f", "L3:0=0"};
	const struct oci_linux_intel_rdt spec = {
		.clos_id = "gold", .schemata = lines, .schemata_len = 2};

	fresh();
	refused_text = "L3:0=0\n";
	put("info", "last_cmd_status", "Need at least 1 bits in the mask\n");
	CHECK_INT(set_up(&spec), -EINVAL);
	CHECK_STR(err.at, "/linux/intelRdt/schemata/1");
	CHECK(strstr(err.text, "Need at least 1 bits in the mask"));
	CHECK(!there("gold"));

	/* A class that was there stays, whatever happens. */
	fresh();
	CHECK(mkdirat(base, "gold", 0700) == 0);
	fill("gold");
	refused_text = "L3:0=0\n";
	CHECK_INT(set_up(&spec), -EINVAL);
	CHECK(there("gold"));
}

TEST(processor_without_a_free_class_is_reported)
{
	const struct oci_linux_intel_rdt spec = {0};

	fresh();
	refuse_mkdir = ENOSPC;
	CHECK_INT(set_up(&spec), -ENOSPC);
	CHECK(strstr(err.text, "the processor has no more of them"));
	CHECK_STR(err.at, "/linux/intelRdt");
	fresh();
}

/* Another container made the class between our look and our mkdir. */
TEST(class_made_meanwhile_is_shared)
{
	const struct oci_linux_intel_rdt spec = {.clos_id = "gold", .mem_bw_schema = "MB:0=50"};

	fresh();
	CHECK_INT(intelrdt_select(&spec, "box", base, &rdt, &err), 0);
	CHECK(mkdirat(base, "gold", 0700) == 0);
	fill("gold");
	refused_text = "MB:0=50\n";
	CHECK_INT(intelrdt_create(&rdt, &err), -EINVAL);
	CHECK(there("gold"));
	refused_text = NULL;
	CHECK_INT(intelrdt_create(&rdt, &err), 0);
}

TEST(update_writes_new_schemata_at_once)
{
	const struct oci_linux_intel_rdt own = {.l3_cache_schema = "L3:0=f"},
					 gold = {.clos_id = "gold", .mem_bw_schema = "MB:0=10"};

	fresh();
	CHECK_INT(set_up(&own), 0);
	buf_done(&written);
	CHECK_INT(intelrdt_update_check(&own, "box", base, &rdt, &err), 0);
	CHECK_INT(intelrdt_update(&rdt, "L3:0=ff\nMB:0=50\n", "MB:0=20", &err), 0);
	CHECK_STR(written.data, "box/schemata<L3:0=ff\nMB:0=20\n");
	buf_done(&written);
	CHECK_INT(intelrdt_update(&rdt, "L3:0=f0\nMB:0=50", NULL, &err), 0);
	CHECK_STR(written.data, "box/schemata<L3:0=f0\nMB:0=50\n");
	CHECK_INT(set_up(&gold), 0);
	buf_done(&written);
	CHECK_INT(intelrdt_update_check(&gold, "box", base, &rdt, &err), 0);
	CHECK_INT(intelrdt_update(&rdt, NULL, "MB:0=30", &err), 0);
	CHECK_STR(written.data, "gold/schemata<MB:0=30\n");
	refused_text = "MB:0=7\n";
	put("info", "last_cmd_status", "MB value 7 out of range\n");
	CHECK_INT(intelrdt_update(&rdt, NULL, "MB:0=7", &err), -EINVAL);
	CHECK(strstr(err.text, "out of range"));
}

TEST(update_needs_a_class)
{
	const struct oci_linux_intel_rdt own = {0};

	fresh();
	CHECK_INT(intelrdt_update_check(NULL, "box", base, &rdt, &err), -EOPNOTSUPP);
	CHECK_INT(err.kind, KIND_UNSUPPORTED);
	CHECK_INT(intelrdt_update_check(&own, "box", base, &rdt, &err), -ENOENT);
	CHECK_STR(written.data, "");
}

TEST(machine_without_resctrl_is_told_to_mount_it)
{
	const struct oci_record none = {0}, record = {.intel_rdt_group = "box"};
	int fd;

	fresh();
	fd = intelrdt_open(&err);
	if (fd >= 0) {
		close(fd);
		SKIP("resctrl is mounted here");
	}
	CHECK_INT(fd, -ENOENT);
	CHECK(strstr(err.text, "mount -t resctrl resctrl /sys/fs/resctrl"));
	CHECK_INT(intelrdt_remove(&none, &err), 0);
	CHECK_INT(intelrdt_remove(&record, &err), 0);
}

/* ---- what `events` tells ---- */

static void put_in(const char *dir, const char *name, const char *text)
{
	char path[700];

	for (size_t n = 1; n <= strlen(dir); n++) {
		if (dir[n] && dir[n] != '/')
			continue;
		snprintf(path, sizeof(path), "%.*s", (int)n, dir);
		if (__real_sys_mkdirat(base, path, 0700) < 0 && errno != EEXIST)
			abort();
	}
	put(dir, name, text);
}

static const char *events_text(struct intelrdt_stats *s)
{
	static char text[2048];
	struct container_stats stats = {.id = "x", .rdt = *s};
	struct oci_json out = {0};
	const char *part;

	events_write(&stats, &out);
	part = oci_json_finish(&out) == 0 ? strstr(out.data, "\"intel_rdt\":") : NULL;
	snprintf(text, sizeof(text), "%s", part ? part + strlen("\"intel_rdt\":") : "(failed)");
	oci_json_free(&out);
	part = strstr(text, ",\"network_interfaces\"");
	if (part)
		text[part - text] = '\0';
	return text;
}

TEST(statistics_of_class_and_monitoring_group)
{
	struct intelrdt where = {.class = "gold", .monitor = "gold/mon_groups/c1"};
	struct intelrdt_stats s = {0};

	fresh();
	where.base_fd = base;
	put_in("info/L3", "cbm_mask", "7ff\n");
	put_in("info/L3", "min_cbm_bits", "1\n");
	put_in("info/L3", "num_closids", "16\n");
	put_in("info/MB", "bandwidth_gran", "10\n");
	put_in("info/MB", "delay_linear", "1\n");
	put_in("info/MB", "min_bandwidth", "20\n");
	put_in("info/MB", "num_closids", "8\n");
	put(".", "schemata", DEFAULTS);
	put_in("gold", "schemata", "    MB:0= 30;1=100\n    L3:0=00f;1=7ff\n");
	put_in("gold/mon_data/mon_L3_00", "llc_occupancy", "1\n");
	put_in("gold/mon_groups/c1/mon_data/mon_L3_01", "llc_occupancy", "81920\n");
	put_in("gold/mon_groups/c1/mon_data/mon_L3_01", "mbm_total_bytes", "500\n");
	put_in("gold/mon_groups/c1/mon_data/mon_L3_01", "mbm_local_bytes", "400\n");
	put_in("gold/mon_groups/c1/mon_data/mon_L3_00", "llc_occupancy", "Unavailable\n");
	put_in("gold/mon_groups/c1/mon_data/mon_L3_00", "mbm_total_bytes",
	       "18446744073709551615\n");
	CHECK_INT(intelrdt_stats_read(&where, &s), 0);
	CHECK_STR(
		events_text(&s),
		"{\"l3_cache_info\":{\"cbm_mask\":\"7ff\",\"min_cbm_bits\":1,\"num_closids\":16},"
		"\"l3_cache_schema_root\":\"L3:0=7ff;1=7ff\",\"l3_cache_schema\":\"L3:0=00f;1=7ff\","
		"\"mem_bw_info\":{\"bandwidth_gran\":10,\"delay_linear\":1,\"min_bandwidth\":20,"
		"\"num_closids\":8},\"mem_bw_schema_root\":\"MB:0=100;1=100\","
		"\"mem_bw_schema\":\"MB:0= 30;1=100\",\"mbm_stats\":[{\"mbm_total_bytes\":"
		"18446744073709551615},{\"mbm_total_bytes\":500,\"mbm_local_bytes\":400}],"
		"\"cmt_stats\":[{},{\"llc_occupancy\":81920}]}");
	intelrdt_stats_done(&s);
	/* Without a monitoring group of its own it is the class that is counted. */
	where.monitor[0] = '\0';
	CHECK_INT(intelrdt_stats_read(&where, &s), 0);
	CHECK(strstr(events_text(&s), "\"cmt_stats\":[{\"llc_occupancy\":1}]"));
	CHECK(!strstr(events_text(&s), "mbm_stats"));
	intelrdt_stats_done(&s);
}

TEST(statistics_of_nothing)
{
	struct intelrdt where = {.class = "none"};
	struct intelrdt_stats s = {0};

	where.base_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	CHECK_INT(intelrdt_stats_read(&where, &s), 0);
	CHECK_STR(events_text(&s), "{}");
	intelrdt_stats_done(&s);
	close(where.base_fd);
}

/* The last: tidies up. */
TEST(tree_can_be_removed)
{
	CHECK_INT(remove_tree(base_path), 0);
	close_fd(&base);
	buf_done(&written);
}

TEST_MAIN()
