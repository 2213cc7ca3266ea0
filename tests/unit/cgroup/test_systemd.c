// SPDX-License-Identifier: Apache-2.0
// Tests of what is pure in the systemd driver: names of units, where they are, the text form of properties, limits as properties.
#include "cgroup/controllers.h"
#include "cgroup/devices.h"
#include "cgroup/systemd.h"

#include "../test.h"

/* "SLICE SCOPE" of a path, "" when it is refused. */
static const char *names(const char *path, struct crun_error *err)
{
	static char text[1024];
	char *slice = NULL, *scope = NULL;

	snprintf(text, sizeof(text), "%s", "");
	if (cg_unit_names(path, "c1", &slice, &scope, err) >= 0)
		snprintf(text, sizeof(text), "%s %s", slice ? slice : "default", scope);
	free(slice);
	free(scope);
	return text;
}

TEST(names_of_paths)
{
	static const char *const table[][2] = {
		{NULL, "default crun-c1.scope"},
		{"", "default crun-c1.scope"},
		{"machine.slice:libpod:abc", "machine.slice libpod-abc.scope"},
		{"system.slice:docker:x", "system.slice docker-x.scope"},
		{":docker:x", "default docker-x.scope"},
		{"-:docker:x", "-.slice docker-x.scope"},
		{"-.slice:docker:x", "-.slice docker-x.scope"},
		{"a-b-c.slice::x", "a-b-c.slice x.scope"},
		{"machine:libpod:abc", "machine.slice libpod-abc.scope"},
		{"a.slice:p:x:y:z", "a.slice p-x:y:z.scope"},
		{"a.slice:p:x+y z", "a.slice p-x\\x2by\\x20z.scope"},
		{"a.slice:p:a-b.slice", ""},
		{"a.slice:p:a-b.slic", "a.slice p-a-b.slic.scope"},
		{"test-cgroup", "test-cgroup.slice test-cgroup.scope"},
		{"user.slice", "user.slice user.slice.scope"},
	};
	struct crun_error err;

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		if (table[i][1][0])
			CHECK_STR(names(table[i][0], &err), table[i][1]);
	}
	/* Processes live in scopes: a slice gets one. */
	CHECK_STR(names("a.slice:p:a-b.slice", &err), "a-b.slice crun-c1.scope");
	CHECK_STR(names(":p:a-b.slice", &err), "a-b.slice crun-c1.scope");
	CHECK_STR(names("-:p:b.slice", &err), "b.slice crun-c1.scope");
}

TEST(paths_that_are_no_names)
{
	static const char *const bad[] = {
		"/",
		"/a/b",
		"a/b",
		"a.slice:p",
		"a.slice:p:",
		":",
		"::",
		"a--b.slice:p:x",
		"-a.slice:p:x",
		"a-.slice:p:x",
		"a b:p:x",
		"a.slice:p:x\ny",
		"a.slice:p/q:x",
		"b.slice:p:a-c.slice",
		"@.slice:p:x",
		".slice:p:x",
		"a+b",
	};
	struct crun_error err;
	char path[400];

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		CHECK_STR(names(bad[i], &err), "");
		CHECK_INT(err.kind, KIND_SPEC);
		CHECK_STR(err.at, "/linux/cgroupsPath");
		CHECK(strstr(err.text, "SLICE:PREFIX:NAME"));
	}
	snprintf(path, sizeof(path), "a.slice:p:%0300d", 1);
	CHECK_STR(names(path, &err), "");
	CHECK(strstr(err.text, "255"));
}

TEST(long_id_keeps_a_unique_name)
{
	char id[401], *slice = NULL, *a = NULL, *b = NULL;
	struct crun_error err;

	memset(id, 'x', 400);
	id[400] = '\0';
	CHECK_INT(cg_unit_names(NULL, id, &slice, &a, &err), 0);
	id[399] = 'y';
	CHECK_INT(cg_unit_names(NULL, id, &slice, &b, &err), 0);
	CHECK(strlen(a) <= CG_UNIT_NAME_MAX && strlen(b) <= CG_UNIT_NAME_MAX);
	CHECK(strcmp(a, b) != 0);
	free(a);
	free(b);
}

TEST(places_of_units)
{
	static const struct {
		const char *root, *slice, *scope, *path;
		size_t depth;
	} table[] = {
		{"", "system.slice", "a.scope", "/system.slice/a.scope", 2},
		{"/", "system.slice", "a.scope", "/system.slice/a.scope", 2},
		{"", "-.slice", "a.scope", "/a.scope", 1},
		{"", "a-b-c.slice", "x.scope", "/a.slice/a-b.slice/a-b-c.slice/x.scope", 4},
		{"/user.slice/user-1.slice/user@1.service", "user.slice", "x.scope",
		 "/user.slice/user-1.slice/user@1.service/user.slice/x.scope", 5},
		/* What could be a file of the cgroup's own. */
		{"", "memory.slice", "cpu.scope", "/_memory.slice/_cpu.scope", 2},
		{"", "a.slice", "cgroup.x.scope", "/a.slice/_cgroup.x.scope", 2},
		{"", "a.slice", "_x.scope", "/a.slice/__x.scope", 2},
		{"", "a.slice", "cpux.scope", "/a.slice/cpux.scope", 2},
		{"", "a.slice", "misc.scope", "/a.slice/misc.scope", 2},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		size_t depth;
		char *path = cg_unit_path(table[i].root, table[i].slice, table[i].scope, &depth);

		CHECK_STR(path, table[i].path);
		CHECK_INT(depth, table[i].depth);
		free(path);
	}
}

/* "TYPE VALUE" of a property's text, or the reason against it. */
static const char *value(const char *name, const char *text)
{
	static char out[256];
	struct cg_props props = {0};
	const char *reason = "no reason";
	int r = cg_prop_parse(&props, name, text, &reason);
	const struct cg_prop *p = props.items;
	size_t n = 0;

	if (r < 0) {
		snprintf(out, sizeof(out), "%s", reason);
	} else if (p->type == 'd') {
		snprintf(out, sizeof(out), "%s d %g", p->name, p->real);
	} else if (p->type == 's') {
		snprintf(out, sizeof(out), "%s s %s", p->name, p->strings[0]);
	} else if (p->type == 'S') {
		n = (size_t)snprintf(out, sizeof(out), "%s S", p->name);
		for (size_t i = 0; i < p->len; i++)
			n += (size_t)snprintf(out + n, sizeof(out) - n, " %s", p->strings[i]);
	} else {
		snprintf(out, sizeof(out), "%s %c %lld", p->name, p->type, (long long)p->number);
	}
	cg_props_done(&props);
	return out;
}

TEST(values_of_annotations)
{
	static const char *const table[][3] = {
		{"KillSignal", "37", "KillSignal i 37"},
		{"KillSignal", "-1", "KillSignal i -1"},
		{"X", "+7", "X i 7"},
		{"X", "0x10", "X i 16"},
		{"X", " 7 ", "X i 7"},
		{"X", "-2147483648", "X i -2147483648"},
		{"TimeoutStopUSec", "uint64 90000000", "TimeoutStopUSec t 90000000"},
		{"X", "uint64 18446744073709551615", "X t -1"},
		{"X", "@t 5", "X t 5"},
		{"X", "int64 -5", "X x -5"},
		{"X", "byte 255", "X y 255"},
		{"DefaultDependencies", "true", "DefaultDependencies b 1"},
		{"X", "false", "X b 0"},
		{"X", "boolean true", "X b 1"},
		{"X", "1.5", "X d 1.5"},
		{"CollectMode", "'inactive-or-failed'", "CollectMode s inactive-or-failed"},
		{"X", "\"a'b\"", "X s a'b"},
		{"X", "'a\\'b'", "X s a'b"},
		{"X", "''", "X s "},
		{"After", "['crio.service']", "After S crio.service"},
		{"X", "[ 'a' , \"b\" ]", "X S a b"},
		{"X", "[]", "X S"},
		{"X", "@as []", "X S"},
		/* The names of unit files are in seconds, those of the bus in microseconds. */
		{"TimeoutStopSec", "7", "TimeoutStopUSec t 7000000"},
		{"TimeoutStopSec", "uint64 7", "TimeoutStopUSec t 7000000"},
		{"TimeoutStopSec", "1.5", "TimeoutStopUSec t 1500000"},
		{"TimeoutStopUSec", "7", "TimeoutStopUSec i 7"},
		{"Sec", "7", "Sec i 7"},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		CHECK_STR(value(table[i][0], table[i][1]), table[i][2]);
}

TEST(values_that_are_none)
{
	static const char *const bad[][2] = {
		{"X", ""},
		{"X", "abc"},
		{"X", "'abc"},
		{"X", "'a' b"},
		{"X", "['a'"},
		{"X", "['a' 'b']"},
		{"X", "['a'] x"},
		{"X", "[1, 2]"},
		{"X", "7x"},
		{"X", "2147483648"},
		{"X", "uint64 -1"},
		{"X", "byte 256"},
		{"X", "uint64"},
		{"X", "truex"},
		{"X", "boolean 1"},
		{"X", "uint64 18446744073709551616"},
		{"X", "string 7"},
		{"TimeoutSec", "true"},
		{"TimeoutSec", "-1"},
		{"TimeoutSec", "'7s'"},
		{"", "7"},
		{"A.B", "7"},
		{"A B", "7"},
		/* These would name processes of the host. */
		{"PIDs", "[]"},
		{"PIDFDs", "[]"},
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct cg_props props = {0};
		const char *reason = NULL;

		int r = cg_prop_parse(&props, bad[i][0], bad[i][1], &reason);

		if (r != -EINVAL || !reason)
			TEST_FAIL("%s=%s is accepted", bad[i][0], bad[i][1]);
		cg_props_done(&props);
	}
}

static long long number(const struct cg_props *props, const char *name)
{
	const struct cg_prop *p = cg_prop_find(props, name);

	return p ? (long long)p->number : -1000;
}

TEST(limits_on_v2)
{
	struct oci_linux_memory mem = {.limit = 1 << 20, .reservation = 1 << 19, .swap = 3 << 20};
	struct oci_linux_cpu cpu = {
		.shares = 512, .quota = 15555, .period = 100000, .cpus = "0-1,9"};
	struct oci_linux_pids pids = {.has_limit = true, .limit = -1};
	struct oci_linux_resources res = {.memory = &mem, .cpu = &cpu, .pids = &pids};
	_cleanup_(cg_props_done) struct cg_props props = {0};
	const struct cg_prop *p;

	CHECK_INT(cg_props_of_resources(&res, true, &props), 0);
	CHECK_INT(number(&props, "MemoryMax"), 1 << 20);
	CHECK_INT(number(&props, "MemoryLow"), 1 << 19);
	CHECK_INT(number(&props, "MemorySwapMax"), 2 << 20);
	CHECK_INT(number(&props, "CPUWeight"), 59);
	/* Whole percents, and never less than what was asked for. */
	CHECK_INT(number(&props, "CPUQuotaPerSecUSec"), 160000);
	CHECK_INT(number(&props, "CPUQuotaPeriodUSec"), 100000);
	CHECK_INT(number(&props, "TasksMax"), -1);
	p = cg_prop_find(&props, "AllowedCPUs");
	CHECK(p && p->type == 'Y' && p->len == 2);
	CHECK_INT(p->numbers[0], 3);
	CHECK_INT(p->numbers[1], 2);
	CHECK(!cg_prop_find(&props, "CPUShares"));
}

TEST(limits_on_v1)
{
	struct oci_linux_memory mem = {.limit = -1, .swap = -1, .reservation = 5};
	struct oci_linux_cpu cpu = {.shares = 512, .quota = -1, .cpus = "0"};
	struct oci_linux_resources res = {.memory = &mem, .cpu = &cpu};
	_cleanup_(cg_props_done) struct cg_props props = {0};

	CHECK_INT(cg_props_of_resources(&res, false, &props), 0);
	CHECK_INT(number(&props, "MemoryLimit"), -1);
	CHECK_INT(number(&props, "CPUShares"), 512);
	CHECK_INT(number(&props, "CPUQuotaPerSecUSec"), -1);
	CHECK(!cg_prop_find(&props, "MemorySwapMax"));
	CHECK(!cg_prop_find(&props, "AllowedCPUs"));
}

/* The scope's quota would take away what a burst adds. */
TEST(burst_and_idle)
{
	struct oci_linux_cpu cpu = {.quota = 5000, .burst = 1000, .idle = 1, .shares = 100};
	struct oci_linux_resources res = {.cpu = &cpu};
	_cleanup_(cg_props_done) struct cg_props props = {0};

	CHECK_INT(cg_props_of_resources(&res, true, &props), 0);
	CHECK(!cg_prop_find(&props, "CPUQuotaPerSecUSec"));
	CHECK_INT(number(&props, "CPUWeight"), 0);
	CHECK(cg_prop_find(&props, "CPUWeight")->optional);
}

TEST(unified_overrides)
{
	struct oci_linux_memory mem = {.limit = 1 << 20};
	struct oci_string_pair pairs[] = {
		{"memory.max", "2M"},	     {"memory.high", "max"},   {"pids.max", "9"},
		{"cpu.max", "50000 200000"}, {"cpuset.cpus", "1"},     {"cpu.weight", "7"},
		{"memory.low", "x"},	     {"hugetlb.2MB.max", "0"},
	};
	struct oci_string_map map = {pairs, ARRAY_LEN(pairs)};
	struct oci_linux_resources res = {.memory = &mem, .unified = &map};
	_cleanup_(cg_props_done) struct cg_props props = {0};

	CHECK_INT(cg_props_of_resources(&res, true, &props), 0);
	CHECK_INT(number(&props, "MemoryMax"), 2 << 20);
	CHECK_INT(number(&props, "MemoryHigh"), -1);
	CHECK_INT(number(&props, "TasksMax"), 9);
	CHECK_INT(number(&props, "CPUQuotaPerSecUSec"), 250000);
	CHECK_INT(number(&props, "CPUQuotaPeriodUSec"), 200000);
	CHECK_INT(number(&props, "CPUWeight"), 7);
	CHECK(!cg_prop_find(&props, "MemoryLow"));
	CHECK_INT(cg_prop_find(&props, "AllowedCPUs")->numbers[0], 2);
}

TEST(unified_odd_numbers)
{
	struct oci_string_pair pairs[] = {
		{"memory.max", "1073741824 "},
		{"memory.high", "0x100k"},
		{"memory.low", "99999999999999999999"},
		{"memory.min", "17592186044417m"},
		{"pids.max", " 9"},
		{"cpu.max", "50000 200000 "},
	};
	struct oci_string_map map = {pairs, ARRAY_LEN(pairs)};
	struct oci_linux_resources res = {.unified = &map};
	_cleanup_(cg_props_done) struct cg_props props = {0};

	CHECK_INT(cg_props_of_resources(&res, true, &props), 0);
	CHECK_INT(number(&props, "MemoryMax"), 1 << 30);
	CHECK_INT(number(&props, "MemoryHigh"), 256 << 10);
	CHECK(!cg_prop_find(&props, "MemoryLow"));
	CHECK(!cg_prop_find(&props, "MemoryMin"));
	CHECK(!cg_prop_find(&props, "TasksMax"));
	CHECK_INT(number(&props, "CPUQuotaPeriodUSec"), 200000);
}

TEST(throttles)
{
	struct oci_linux_throttle_device d[] = {{.major = 8, .minor = 0, .rate = 100},
						{.major = 8, .minor = 16, .rate = 0}};
	struct oci_linux_block_io io = {
		.throttle_read_bps_device = d, .throttle_read_bps_device_len = 2, .weight = 10};
	struct oci_linux_resources res = {.block_io = &io};
	_cleanup_(cg_props_done) struct cg_props props = {0};
	const struct cg_prop *p;

	CHECK_INT(cg_props_of_resources(&res, true, &props), 0);
	p = cg_prop_find(&props, "IOReadBandwidthMax");
	CHECK(p && p->len == 2 && p->type == 'T');
	CHECK_STR(p->strings[1], "/dev/block/8:16");
	CHECK_INT(p->numbers[0], 100);
	CHECK_INT(p->numbers[1], -1);
	CHECK_INT(number(&props, "IOWeight"), 1);
}

static const struct cg_prop *devices(struct cg_props *props, const struct cg_rule *list, size_t n)
{
	struct cg_rules rules = {0};

	for (size_t i = 0; i < n; i++)
		if (cg_rules_add(&rules, &list[i]) < 0)
			return NULL;
	if (cg_props_of_devices(&rules, props) < 0)
		return NULL;
	cg_rules_done(&rules);
	return cg_prop_find(props, "DeviceAllow");
}

TEST(device_rules)
{
	static const struct cg_rule some[] = {
		{true, BPF_DEVCG_DEV_CHAR, CG_ACCESS_ALL, false, 9, 9,
		 0}, /* before the rule for everything */
		{false, 0, CG_ACCESS_ALL, false, CG_ANY, CG_ANY, 0},
		{true, BPF_DEVCG_DEV_CHAR, CG_ACCESS_ALL, false, 1, 3, 0},
		{true, BPF_DEVCG_DEV_BLOCK, BPF_DEVCG_ACC_READ, false, 8, CG_ANY, 0},
		{true, 0, BPF_DEVCG_ACC_MKNOD, false, CG_ANY, CG_ANY, 0},
		{false, BPF_DEVCG_DEV_CHAR, CG_ACCESS_ALL, false, 1, 3, 0},
	};
	static const struct cg_rule all[] = {{false, 0, CG_ACCESS_ALL, false, CG_ANY, CG_ANY, 0},
					     {true, 0, CG_ACCESS_ALL, false, CG_ANY, CG_ANY, 0}};
	static const char *const want[] = {"/dev/char/1:3", "rwm", "block-8", "r",
					   "char-*",	    "m",   "block-*", "m"};
	_cleanup_(cg_props_done) struct cg_props props = {0}, open = {0};
	const struct cg_prop *p = devices(&props, some, ARRAY_LEN(some));

	CHECK(p && p->type == 'P');
	CHECK_INT(p->len, ARRAY_LEN(want) / 2);
	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		CHECK_STR(p->strings[i], want[i]);
	CHECK_STR(cg_prop_find(&props, "DevicePolicy")->strings[0], "strict");
	CHECK(!devices(&open, all, ARRAY_LEN(all)));
	CHECK_STR(cg_prop_find(&open, "DevicePolicy")->strings[0], "auto");
}

TEST(device_rules_of_one_name_are_one_entry)
{
	static const struct cg_rule some[] = {
		{true, BPF_DEVCG_DEV_CHAR, BPF_DEVCG_ACC_READ, false, CG_ANY, 11, 0},
		{true, BPF_DEVCG_DEV_BLOCK, BPF_DEVCG_ACC_READ, false, 8, 0, 0},
		{true, 0, BPF_DEVCG_ACC_MKNOD, false, CG_ANY, CG_ANY, 0},
		{true, BPF_DEVCG_DEV_BLOCK, BPF_DEVCG_ACC_WRITE, false, 8, 0, 0},
	};
	static const char *const want[] = {"char-*", "rm", "/dev/block/8:0", "rw", "block-*", "m"};
	_cleanup_(cg_props_done) struct cg_props props = {0};
	const struct cg_prop *p = devices(&props, some, ARRAY_LEN(some));

	CHECK(p);
	CHECK_INT(p->len, ARRAY_LEN(want) / 2);
	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		CHECK_STR(p->strings[i], want[i]);
}

TEST(annotations_override)
{
	struct oci_string_pair pairs[] = {{"org.systemd.property.Slice", "'a.slice'"},
					  {"org.systemd.property.TasksMax", "uint64 7"},
					  {"run.oci.x", "1"}};
	struct oci_string_pair wrong[] = {{"org.systemd.property.X", "abc"}};
	struct oci_string_map map = {pairs, ARRAY_LEN(pairs)}, bad = {wrong, 1};
	_cleanup_(cg_props_done) struct cg_props props = {0};
	struct crun_error err;

	CHECK_INT(cg_prop_u64(&props, "TasksMax", 5), 0);
	CHECK_INT(cg_props_of_annotations(&map, &props, &err), 0);
	CHECK_INT(number(&props, "TasksMax"), 7);
	CHECK_INT(props.len, 2);
	CHECK_INT(cg_props_of_annotations(&bad, &props, &err), -EINVAL);
	CHECK_STR(err.at, "/annotations/org.systemd.property.X");
	CHECK_INT(cg_props_of_annotations(NULL, &props, &err), 0);
}

TEST_MAIN()
