// SPDX-License-Identifier: Apache-2.0
// What is refused before anything is touched: the pointer of the value at fault and the sentence, word for word.
#include "plan_fixture.h"

#include "base/cleanup.h"

#include <errno.h>

#define LINUX(more)	 .linux_ = DEFAULT_LINUX "," more
#define PROCESS(more)	 .process = DEFAULT_PROCESS "," more
#define NAMESPACES(list) .linux_ = "'namespaces':[{'type':'mount'}," list "]"
#define USER_NS		 ".linux_ = 'namespaces':[{'type':'mount'},{'type':'user'}]"
#define MAPS(uid, gid)                                                                  \
	.linux_ = "'namespaces':[{'type':'mount'},{'type':'user'}],'uidMappings':[" uid \
		  "],'gidMappings':[" gid "]"
#define MAP(container, host, size) \
	"{'containerID':" #container ",'hostID':" #host ",'size':" #size "}"
#define WHOLE MAP(0, 100000, 65536)

struct refusal {
	struct parts parts;
	const char *at, *text;
	int errnum;
	enum crun_error_kind kind;
	bool unprivileged;
};

#define SPEC EINVAL, KIND_SPEC, false
#define USER true

static void check_refusals(const struct refusal *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct refusal *w = &rows[i];
		int r = build(&w->parts, w->unprivileged ? &user_facts : &root_facts);

		if (r >= 0)
			TEST_FAIL("row %zu is not refused (%s)", i, w->text);
		if (strcmp(err.at, w->at) != 0 || strcmp(err.text, w->text) != 0 ||
		    err.kind != w->kind || r != -w->errnum)
			TEST_FAIL("row %zu: \"%s\" at %s, kind %d, %d", i, err.text, err.at,
				  err.kind, r);
	}
}

TEST(process)
{
	static const struct refusal rows[] = {
		{{.process = "'cwd':'/'"},
		 "/process/args",
		 "process.args must name the program to run",
		 SPEC},
		{{.process = "'cwd':'/','args':[]"},
		 "/process/args",
		 "process.args must name the program to run",
		 SPEC},
		{{.process = "'cwd':'tmp','args':['sh']"},
		 "/process/cwd",
		 "process.cwd `tmp` must be an absolute path",
		 SPEC},
		{{.process = "'cwd':'','args':['sh']"},
		 "/process/cwd",
		 "process.cwd `` must be an absolute path",
		 SPEC},
		{{PROCESS("'env':['A=1','B']")},
		 "/process/env/1",
		 "`B` is not of the form NAME=value",
		 SPEC},
		{{PROCESS("'env':['=x']")},
		 "/process/env/0",
		 "`=x` is not of the form NAME=value",
		 SPEC},
		{{PROCESS("'env':['']")},
		 "/process/env/0",
		 "`` is not of the form NAME=value",
		 SPEC},
		{{PROCESS("'rlimits':[{'type':'RLIMIT_X','soft':1,'hard':1}]")},
		 "/process/rlimits/0/type",
		 "unknown resource limit `RLIMIT_X`",
		 SPEC},
		{{PROCESS("'rlimits':[{'type':'RLIMIT_CORE','soft':1,'hard':1},"
			  "{'type':'RLIMIT_CORE','soft':1,'hard':1}]")},
		 "/process/rlimits/1/type",
		 "resource limit `RLIMIT_CORE` is given twice",
		 SPEC},
		{{PROCESS("'rlimits':[{'type':'RLIMIT_CORE','soft':2,'hard':1}]")},
		 "/process/rlimits/0/soft",
		 "the soft limit of `RLIMIT_CORE` is above its hard limit",
		 SPEC},
		{{PROCESS("'capabilities':{'effective':['CAP_KILL'],'permitted':['CAP_CHOWN']}")},
		 "/process/capabilities/effective",
		 "every effective capability must be in the permitted set too",
		 SPEC},
	};

	check_refusals(rows, ARRAY_LEN(rows));
}

TEST(root)
{
	static const struct refusal rows[] = {
		{{.root = "'path':''"}, "/root/path", "root.path is empty", SPEC},
	};

	check_refusals(rows, ARRAY_LEN(rows));
}

TEST(namespaces)
{
	static const struct refusal rows[] = {
		{{NAMESPACES("{'type':'pid'},{'type':'pid'}")},
		 "/linux/namespaces/2",
		 "the pid namespace is listed twice",
		 SPEC},
		{{NAMESPACES("{'type':'network','path':'/a'},{'type':'network'}")},
		 "/linux/namespaces/2",
		 "the network namespace is listed twice",
		 SPEC},
		{{NAMESPACES("{'type':'ipc','path':'proc/1/ns/ipc'}")},
		 "/linux/namespaces/1/path",
		 "namespace path `proc/1/ns/ipc` must be absolute",
		 SPEC},
		{{.linux_ = "'namespaces':[{'type':'mount'}]"},
		 "",
		 "an ordinary user's container needs a user namespace: operation not permitted "
		 "without {\"type\": \"user\"} in linux.namespaces and id mappings (see `crun spec "
		 "--rootless`)",
		 EPERM,
		 KIND_PERMISSION,
		 USER},
	};

	check_refusals(rows, ARRAY_LEN(rows));
}

TEST(id_mappings)
{
	static const struct refusal rows[] = {
		{{LINUX("'uidMappings':[" WHOLE "]")},
		 "/linux/uidMappings",
		 "id mappings need a user namespace: add {\"type\": \"user\"} to linux.namespaces",
		 SPEC},
		{{LINUX("'gidMappings':[" WHOLE "]")},
		 "/linux/gidMappings",
		 "id mappings need a user namespace: add {\"type\": \"user\"} to linux.namespaces",
		 SPEC},
		{{MAPS("", WHOLE)},
		 "/linux/uidMappings",
		 "a new user namespace needs linux.uidMappings",
		 SPEC},
		{{MAPS(WHOLE, "")},
		 "/linux/gidMappings",
		 "a new user namespace needs linux.gidMappings",
		 SPEC},
		{{MAPS(MAP(0, 1, 0), WHOLE)},
		 "/linux/uidMappings/0",
		 "mapping 0 of linux.uidMappings has size 0",
		 SPEC},
		{{MAPS(WHOLE, MAP(0, 1, 1) "," MAP(5, 7, 0))},
		 "/linux/gidMappings/1",
		 "mapping 1 of linux.gidMappings has size 0",
		 SPEC},
		{{MAPS(MAP(1, 0, 4294967295), WHOLE)},
		 "/linux/uidMappings/0",
		 "mapping 0 of linux.uidMappings goes beyond the last id",
		 SPEC},
		{{MAPS(MAP(0, 4294967295, 1), WHOLE)},
		 "/linux/uidMappings/0",
		 "mapping 0 of linux.uidMappings goes beyond the last id",
		 SPEC},
		{{MAPS(MAP(0, 100, 10) "," MAP(9, 200, 10), WHOLE)},
		 "/linux/uidMappings/1",
		 "mapping 1 of linux.uidMappings overlaps an earlier one",
		 SPEC},
		{{MAPS(MAP(0, 100, 10) "," MAP(20, 105, 1), WHOLE)},
		 "/linux/uidMappings/1",
		 "mapping 1 of linux.uidMappings overlaps an earlier one",
		 SPEC},
	};

	check_refusals(rows, ARRAY_LEN(rows));
}

TEST(users_beyond_the_mappings)
{
	static const struct refusal rows[] = {
		{{MAPS(WHOLE, WHOLE), .process = DEFAULT_PROCESS ",'user':{'uid':65536,'gid':0}"},
		 "/process/user/uid",
		 "uid 65536 is not mapped by linux.uidMappings",
		 SPEC},
		{{MAPS(WHOLE, WHOLE), .process = DEFAULT_PROCESS ",'user':{'uid':1,'gid':70000}"},
		 "/process/user/gid",
		 "gid 70000 is not mapped by linux.gidMappings",
		 SPEC},
		{{MAPS(WHOLE, WHOLE), .process = DEFAULT_PROCESS
				      ",'user':{'uid':1,'gid':1,'additionalGids':[5,65536]}"},
		 "/process/user/additionalGids/1",
		 "gid 65536 is not mapped by linux.gidMappings",
		 SPEC},
		{{MAPS(MAP(0, 1000, 1), MAP(0, 1000, 1)),
		  .process = DEFAULT_PROCESS ",'user':{'uid':0,'gid':0,'additionalGids':[0]}"},
		 "/process/user/additionalGids/0",
		 "additional groups are not permitted with an ordinary user's single mapping: "
		 "operation not permitted (use newgidmap ranges)",
		 EPERM,
		 KIND_SPEC,
		 USER},
	};

	check_refusals(rows, ARRAY_LEN(rows));
}

TEST(devices)
{
	static const struct refusal rows[] = {
		{{LINUX("'devices':[{'type':'c','path':'dev/x','major':1,'minor':3}]")},
		 "/linux/devices/0/path",
		 "device path `dev/x` must be absolute",
		 SPEC},
		{{LINUX("'devices':[{'type':'p','path':'/dev/p'},{'type':'c','path':'/dev/x'}]")},
		 "/linux/devices/1",
		 "device `/dev/x` needs major and minor numbers",
		 SPEC},
		{{LINUX("'devices':[{'type':'b','path':'/dev/x','major':1}]")},
		 "/linux/devices/0",
		 "device `/dev/x` needs major and minor numbers",
		 SPEC},
		{{LINUX("'devices':[{'type':'u','path':'/dev/x','major':4096,'minor':0}]")},
		 "/linux/devices/0",
		 "device `/dev/x`: number out of range",
		 ERANGE,
		 KIND_SPEC,
		 false},
		{{LINUX("'devices':[{'type':'c','path':'/dev/x','major':1,'minor':1048576}]")},
		 "/linux/devices/0",
		 "device `/dev/x`: number out of range",
		 ERANGE,
		 KIND_SPEC,
		 false},
		{{LINUX("'devices':[{'type':'c','path':'/dev/x','major':-1,'minor':0}]")},
		 "/linux/devices/0",
		 "device `/dev/x`: number out of range",
		 ERANGE,
		 KIND_SPEC,
		 false},
	};

	check_refusals(rows, ARRAY_LEN(rows));
}

#define NOT_OURS(key, type)                                                                   \
	"sysctl `" key "` would change the host: the container has no " type " namespace of " \
	"its own"
#define NOT_NAMESPACED(key) \
	"sysctl `" key "` is not in a namespace: setting it would change the whole host"
#define NO_NAME(key) "sysctl `" key "` is not a valid name"

static const struct {
	const char *key, *at, *text;
} bad_sysctls[] = {
	{"net.ipv4.ip_forward", "net.ipv4.ip_forward", NOT_OURS("net.ipv4.ip_forward", "network")},
	{"net/ipv4/ip_forward", "net~1ipv4~1ip_forward",
	 NOT_OURS("net/ipv4/ip_forward", "network")},
	{"net/ipv4/conf/eth0.1/x", "net~1ipv4~1conf~1eth0.1~1x",
	 NOT_OURS("net/ipv4/conf/eth0.1/x", "network")},
	{"kernel.msgmax", "kernel.msgmax", NOT_OURS("kernel.msgmax", "ipc")},
	{"kernel.sem", "kernel.sem", NOT_OURS("kernel.sem", "ipc")},
	{"fs.mqueue.msg_max", "fs.mqueue.msg_max", NOT_OURS("fs.mqueue.msg_max", "ipc")},
	{"kernel.domainname", "kernel.domainname", NOT_OURS("kernel.domainname", "uts")},
	{"user.max_user_namespaces", "user.max_user_namespaces",
	 NOT_OURS("user.max_user_namespaces", "user")},
	{"vm.overcommit_memory", "vm.overcommit_memory", NOT_NAMESPACED("vm.overcommit_memory")},
	{"kernel.core_pattern", "kernel.core_pattern", NOT_NAMESPACED("kernel.core_pattern")},
	{"kernel.semx", "kernel.semx", NOT_NAMESPACED("kernel.semx")},
	{"kernel.sem.x", "kernel.sem.x", NOT_NAMESPACED("kernel.sem.x")},
	{"network.x", "network.x", NOT_NAMESPACED("network.x")},
	{"net", "net", NOT_NAMESPACED("net")},
	{"net.", "net.", NOT_NAMESPACED("net.")},
	{"/net/ipv4/ip_forward", "~1net~1ipv4~1ip_forward", NOT_NAMESPACED("/net/ipv4/ip_forward")},
	{"", "", NO_NAME("")},
	{".net.x", ".net.x", NO_NAME(".net.x")},
	{"net/../kernel/core_pattern", "net~1..~1kernel~1core_pattern",
	 NO_NAME("net/../kernel/core_pattern")},
	{"net..kernel.core_pattern", "net..kernel.core_pattern",
	 NO_NAME("net..kernel.core_pattern")},
	{"net//x", "net~1~1x", NO_NAME("net//x")},
	{"net.a b", "net.a b", NO_NAME("net.a b")},
	{"net.a\\n", "net.a?", NO_NAME("net.a?")},
	{"net.~", "net.~0", NO_NAME("net.~")},
};

TEST(sysctls)
{
	for (size_t i = 0; i < ARRAY_LEN(bad_sysctls); i++) {
		char lx[400], at[200];

		snprintf(lx, sizeof(lx), DEFAULT_LINUX ",'sysctl':{'%s':'1'}", bad_sysctls[i].key);
		snprintf(at, sizeof(at), "/linux/sysctl/%s", bad_sysctls[i].at);
		CHECK_INT(build(&(struct parts){.linux_ = lx}, &root_facts), -EINVAL);
		CHECK_STR(err.text, bad_sysctls[i].text);
		CHECK_STR(err.at, at);
		CHECK_INT(err.kind, KIND_SPEC);
	}
}

TEST(sysctl_values_and_lengths)
{
	static const struct refusal rows[] = {
		{{NAMESPACES("{'type':'network'}], 'sysctl':{'net.x':'1\\n2'}, 'maskedPaths':[")},
		 "/linux/sysctl/net.x",
		 "the value of sysctl `net.x` contains a newline",
		 SPEC},
	};
	char lx[700], key[400];

	check_refusals(rows, ARRAY_LEN(rows));
	memset(key, 'x', sizeof(key));
	memcpy(key, "net.", 4);
	key[300] = '\0';
	snprintf(lx, sizeof(lx), DEFAULT_LINUX ",'sysctl':{'%s':'1'}", key);
	CHECK_INT(build(&(struct parts){.linux_ = lx}, &root_facts), -EINVAL);
	key[64] = '\0';
	snprintf(lx, sizeof(lx), "sysctl `%s` is not a valid name", key);
	CHECK_STR(err.text, lx);
}

#define X64 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

TEST(names_of_the_host)
{
	static const struct refusal rows[] = {
		{{.more = ",'hostname':'a'"},
		 "/hostname",
		 "setting the hostname needs a uts namespace",
		 SPEC},
		{{.more = ",'domainname':'a'"},
		 "/domainname",
		 "setting the domainname needs a uts namespace",
		 SPEC},
		{{NAMESPACES("{'type':'uts'}"), .more = ",'hostname':'" X64 "y'"},
		 "/hostname",
		 "the hostname is longer than 64 bytes",
		 SPEC},
		{{NAMESPACES("{'type':'uts'}"), .more = ",'domainname':'" X64 "y'"},
		 "/domainname",
		 "the domainname is longer than 64 bytes",
		 SPEC},
	};

	check_refusals(rows, ARRAY_LEN(rows));
	PLAN(NAMESPACES("{'type':'uts'}"), .more = ",'hostname':'" X64 "','domainname':''");
	PLAN(.more = ",'hostname':''");
}

#define SHARED_MOUNTS "'namespaces':[{'type':'pid'}]"
#define JOINED_MOUNTS "'namespaces':[{'type':'mount','path':'/proc/1/ns/mnt'}]"

TEST(mounts_without_a_namespace)
{
	static const struct {
		struct parts parts;
		const char *at, *text;
	} rows[] = {
		{{.more = ",'mounts':[{'destination':'/p','type':'proc'}]"},
		 "/mounts/0",
		 "mounts need a new mount namespace of the container's own"},
		{{.linux_ = ",'maskedPaths':['/proc/kcore']"},
		 "/linux/maskedPaths",
		 "masked paths need a new mount namespace of the container's own"},
		{{.linux_ = ",'readonlyPaths':['/proc/sys']"},
		 "/linux/readonlyPaths",
		 "read-only paths need a new mount namespace of the container's own"},
		{{.linux_ = ",'rootfsPropagation':'private'"},
		 "/linux/rootfsPropagation",
		 "rootfsPropagation needs a new mount namespace of the container's own"},
		{{.root = "'path':'r','readonly':true"},
		 "/root/readonly",
		 "a read-only root needs a new mount namespace of the container's own"},
	};
	static const char *const without[] = {SHARED_MOUNTS, JOINED_MOUNTS};

	for (size_t i = 0; i < ARRAY_LEN(rows) * 2; i++) {
		struct parts p = rows[i / 2].parts;
		char lx[300];

		snprintf(lx, sizeof(lx), "%s%s", without[i % 2], p.linux_ ? p.linux_ : "");
		p.linux_ = lx;
		CHECK_INT(build(&p, &root_facts), -EINVAL);
		CHECK_STR(err.text, rows[i / 2].text);
		CHECK_STR(err.at, rows[i / 2].at);
		CHECK_INT(err.kind, KIND_SPEC);
	}
	PLAN(.linux_ = SHARED_MOUNTS);
	PLAN(.linux_ = JOINED_MOUNTS);
}

TEST(time_offsets)
{
	static const struct refusal rows[] = {
		{{LINUX("'timeOffsets':{'monotonic':{'secs':1}}")},
		 "/linux/timeOffsets",
		 "time offsets need a new time namespace",
		 SPEC},
		{{NAMESPACES("{'type':'time','path':'/t'}],'timeOffsets':{'boottime':{'secs':1}},"
			     "'maskedPaths':[")},
		 "/linux/timeOffsets",
		 "time offsets need a new time namespace",
		 SPEC},
	};

	check_refusals(rows, ARRAY_LEN(rows));
}

#define DEADLINE_AND(flags)                                                                   \
	PROCESS("'scheduler':{'policy':'SCHED_DEADLINE','runtime':2000,'deadline':3000" flags \
		"}"),                                                                         \
		.more = ",'hooks':{'startContainer':[{'path':'/a'}]}"

TEST(scheduling)
{
	static const struct refusal rows[] = {
		{{DEADLINE_AND("")},
		 "/process/scheduler/flags",
		 "startContainer hooks cannot be run from under SCHED_DEADLINE: the kernel forbids "
		 "it to fork without SCHED_FLAG_RESET_ON_FORK",
		 SPEC},
		{{PROCESS("'scheduler':{'policy':'SCHED_ISO'}")},
		 "/process/scheduler/policy",
		 "no Linux kernel has SCHED_ISO: its number is reserved, the scheduler does not "
		 "exist",
		 EOPNOTSUPP,
		 KIND_UNSUPPORTED,
		 false},
		{{LINUX("'memoryPolicy':{'nodes':'0'}")},
		 "/linux/memoryPolicy/mode",
		 "a memory policy needs a mode",
		 SPEC},
	};

	check_refusals(rows, ARRAY_LEN(rows));
	PLAN(DEADLINE_AND(",'flags':['SCHED_FLAG_RESET_ON_FORK']"));
}

#define NET(devices) NAMESPACES("{'type':'network'}],'netDevices':{" devices "},'maskedPaths':[")

TEST(network_devices)
{
	static const struct refusal rows[] = {
		{{LINUX("'netDevices':{'eth0':{}}")},
		 "/linux/netDevices",
		 "network devices need a network namespace: add {\"type\": \"network\"} to "
		 "linux.namespaces",
		 SPEC},
		{{NET("'sixteen-bytes-xx':{}")},
		 "/linux/netDevices/sixteen-bytes-xx",
		 "`sixteen-bytes-xx` is not a name of a network device",
		 SPEC},
		{{NET("'':{'name':'a'}")},
		 "/linux/netDevices/",
		 "`` is not a name of a network device",
		 SPEC},
		{{NET("'e%d':{'name':'a'}")},
		 "/linux/netDevices/e%d",
		 "`e%d` is not a name of a network device",
		 SPEC},
		{{NET("'a/b':{}")},
		 "/linux/netDevices/a~1b",
		 "`a/b` is not a name of a network device",
		 SPEC},
		{{NET("'e':{'name':'..'}")},
		 "/linux/netDevices/e",
		 "`..` is not a name that a network device can have",
		 SPEC},
		{{NET("'e':{'name':'a b'}")},
		 "/linux/netDevices/e",
		 "`a b` is not a name that a network device can have",
		 SPEC},
		{{NET("'e':{'name':'a:0'}")},
		 "/linux/netDevices/e",
		 "`a:0` is not a name that a network device can have",
		 SPEC},
		{{NET("'e':{'name':'a%s'}")},
		 "/linux/netDevices/e",
		 "`a%s` is not a name that a network device can have",
		 SPEC},
		{{NET("'e':{'name':'%d%d'}")},
		 "/linux/netDevices/e",
		 "`%d%d` is not a name that a network device can have",
		 SPEC},
		{{NET("'lo':{'name':'a'}")},
		 "/linux/netDevices/lo",
		 "every network namespace has a loopback device `lo` of its own",
		 SPEC},
		{{NET("'e':{'name':'lo'}")},
		 "/linux/netDevices/e",
		 "every network namespace has a loopback device `lo` of its own",
		 SPEC},
		{{NET("'e':{},'f':{'name':'e'}")},
		 "/linux/netDevices/f",
		 "network devices `e` and `f` would both be called `e`",
		 SPEC},
	};

	check_refusals(rows, ARRAY_LEN(rows));
}

TEST(intel_rdt)
{
	static const struct refusal rows[] = {
		{{LINUX("'intelRdt':{'closID':'a/b'}")},
		 "/linux/intelRdt/closID",
		 "intelRdt.closID `a/b` is not a name that a class of service can have",
		 SPEC},
		{{LINUX("'intelRdt':{'closID':'..'}")},
		 "/linux/intelRdt/closID",
		 "intelRdt.closID `..` is not a name that a class of service can have",
		 SPEC},
		{{LINUX("'intelRdt':{'closID':''}")},
		 "/linux/intelRdt/closID",
		 "intelRdt.closID `` is not a name that a class of service can have",
		 SPEC},
		{{LINUX("'intelRdt':{'closID':'info'}")},
		 "/linux/intelRdt/closID",
		 "intelRdt.closID `info` is not a name that a class of service can have",
		 SPEC},
		{{LINUX("'intelRdt':{'schemata':['L3:0=f','L3:0=f\\nMB:0=1']}")},
		 "/linux/intelRdt/schemata/1",
		 "each of intelRdt.schemata must be one line",
		 SPEC},
		{{LINUX("'intelRdt':{'schemata':['']}")},
		 "/linux/intelRdt/schemata/0",
		 "each of intelRdt.schemata must be one line",
		 SPEC},
	};
	const struct plan_options opts = {.id = "mon_groups", .bundle = "/bundle"};

	check_refusals(rows, ARRAY_LEN(rows));
	CHECK_INT(build_with(&(struct parts){LINUX("'intelRdt':{}")}, &root_facts, &opts), -EINVAL);
	CHECK(strstr(err.text, "give intelRdt.closID"));
}

TEST(hooks)
{
	static const char *const stages[] = {"prestart",       "createRuntime", "createContainer",
					     "startContainer", "poststart",	"poststop"};

	for (size_t i = 0; i < ARRAY_LEN(stages); i++) {
		char more[200], at[100];

		snprintf(more, sizeof(more), ",'hooks':{'%s':[{'path':'/a'},{'path':'bin/a'}]}",
			 stages[i]);
		snprintf(at, sizeof(at), "/hooks/%s/1/path", stages[i]);
		CHECK_INT(build(&(struct parts){.more = more}, &root_facts), -EINVAL);
		CHECK_STR(err.text, "hook path `bin/a` must be absolute");
		CHECK_STR(err.at, at);
	}
}

TEST_MAIN()
