// SPDX-License-Identifier: Apache-2.0
// What a plan decides: process, ids, devices, cgroup, the ladder, and what this version refuses to drop silently.
#include "plan_fixture.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"

#include <errno.h>
#include <linux/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define PROCESS(more)	 .process = DEFAULT_PROCESS "," more
#define NAMESPACES(list) .linux_ = "'namespaces':[{'type':'mount'}," list "]"
#define USER_NS(uid, gid)                                                               \
	.linux_ = "'namespaces':[{'type':'mount'},{'type':'user'}],'uidMappings':[" uid \
		  "],'gidMappings':[" gid "]"
#define MAP(container, host, size) \
	"{'containerID':" #container ",'hostID':" #host ",'size':" #size "}"

/* PLAN() for an ordinary user. */
#define USER_PLAN(...)                                                          \
	do {                                                                    \
		if (build(&(struct parts){__VA_ARGS__}, &user_facts) != 0)      \
			TEST_FAIL("not planned: %s (at %s)", err.text, err.at); \
	} while (0)

TEST(the_least_configuration)
{
	PLAN(.more = "");
	CHECK_STR(plan->rootfs, "/bundle/rootfs");
	CHECK_STR(plan->bundle, "/bundle");
	CHECK_STR(plan->id, "box");
	CHECK(plan->gate && plan->detach && plan->new_keyring);
	CHECK(!plan->sync_go && !plan->sync_hooks && !plan->sync_filter && !plan->wants_label);
	CHECK_INT(plan->id_map_writer, ID_MAP_NONE);
	CHECK_INT(plan->process.uid, 0);
	CHECK_INT(plan->process.umask, 0022);
	CHECK(!plan->process.has_caps && !plan->process.no_new_privs && !plan->process.terminal);
	CHECK(!plan->process.envp[0]);
	CHECK_STR(plan->process.path,
		  "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	CHECK(!plan->root_readonly);
	PLAN(.root = "'path':'/abs','readonly':true");
	CHECK_STR(plan->rootfs, "/abs");
	CHECK(plan->root_readonly);
}

TEST(a_document_without_linux_or_process_or_root)
{
	const struct plan_options opts = {.id = "a", .bundle = "/b"};
	struct oci_process process = {.cwd = "/", .args = (const char *[]){"a"}, .args_len = 1};
	struct oci_root root = {.path = "r"};
	struct oci_config config = {0};

	oci_arena_free(&arena);
	CHECK_INT(plan_build(&config, &root_facts, &opts, &arena, &plan, &err), -EINVAL);
	CHECK_STR(err.text, "process is missing: it says what to run");
	CHECK_STR(err.at, "/process");
	config.process = &process;
	CHECK_INT(plan_build(&config, &root_facts, &opts, &arena, &plan, &err), -EINVAL);
	CHECK_STR(err.text, "root is missing: it names the container's root file system");
	CHECK_STR(err.at, "/root");
	config.root = &root;
	CHECK_INT(plan_build(&config, &root_facts, &opts, &arena, &plan, &err), 0);
	for (int i = 0; i < NS_COUNT; i++)
		CHECK_INT(plan->ns[i].action, NS_SHARE);
	CHECK(plan->linux_);
}

TEST(environment)
{
	PLAN(PROCESS("'env':['A=','PATH=/x:/y','B==','PATH=/z']"));
	CHECK_STR(plan->process.envp[0], "A=");
	CHECK_STR(plan->process.envp[3], "PATH=/z");
	CHECK(!plan->process.envp[4]);
	CHECK_STR(plan->process.path, "/z");
	/* Init adds up to four variables and the end. */
	for (int i = 5; i < 9; i++)
		CHECK(!plan->process.envp[i]);
	PLAN(PROCESS("'env':['PATH=']"));
	CHECK_STR(plan->process.path, "");
	PLAN(PROCESS("'env':['XPATH=/x','PATHX=/y']"));
	CHECK(str_after(plan->process.path, "/usr/local/sbin:"));
}

TEST(user)
{
	PLAN(PROCESS("'user':{'uid':4294967294,'gid':7,'additionalGids':[1,2],'umask':63}"));
	CHECK_INT(plan->process.uid, 4294967294U);
	CHECK_INT(plan->process.gid, 7);
	CHECK_INT(plan->process.groups_len, 2);
	CHECK_INT(plan->process.groups[1], 2);
	CHECK_INT(plan->process.umask, 077);
	CHECK(plan->process.set_groups);
	PLAN(PROCESS("'user':{'uid':0,'gid':0,'umask':0}"));
	CHECK_INT(plan->process.umask, 0);
	PLAN(PROCESS("'user':{'uid':0,'gid':0,'umask':4095}"));
	CHECK_INT(plan->process.umask, 0777);
}

TEST(memory_policy)
{
	PLAN(.linux_ = "'memoryPolicy':{'mode':'MPOL_BIND','nodes':'0-1,64,100',"
		       "'flags':['MPOL_F_STATIC_NODES','MPOL_F_NUMA_BALANCING']}");
	CHECK_INT(plan->memory_policy.mode, 2 | 1 << 15 | 1 << 13);
	CHECK_INT(plan->memory_policy.end, 101);
	for (unsigned i = 0; i < 128; i++)
		CHECK_INT(plan->memory_policy.nodes[i / (8 * sizeof(long))] >>
					  i % (8 * sizeof(long)) &
				  1,
			  i < 2 || i == 64 || i == 100);
	PLAN(.linux_ = "'memoryPolicy':{'mode':'MPOL_WEIGHTED_INTERLEAVE','nodes':'0'}");
	CHECK_INT(plan->memory_policy.mode, 6);
	PLAN(.linux_ = "'memoryPolicy':{'mode':'MPOL_LOCAL'}");
	CHECK_INT(plan->memory_policy.mode, 4);
	CHECK_INT(plan->memory_policy.end, 0);
}

/* Init must wait while the host side sets them. */
TEST(scheduler_and_io_priority_take_a_go)
{
	PLAN(PROCESS("'scheduler':{'policy':'SCHED_BATCH','nice':3}"));
	CHECK(plan->sync_go);
	PLAN(PROCESS("'ioPriority':{'class':'IOPRIO_CLASS_BE','priority':2}"));
	CHECK(plan->sync_go);
	PLAN(PROCESS("'execCPUAffinity':{'initial':'0-2000'}"));
	CHECK(!plan->sync_go);
}

static int warnings;
static char warning[1024];

static void keep_warning(void *data, enum crun_log_level level, const char *text)
{
	(void)data;
	warnings += level == LOG_LEVEL_WARNING;
	snprintf(warning, sizeof(warning), "%s", text);
}

TEST(capabilities)
{
	struct host_facts old = root_facts;

	PLAN(PROCESS("'capabilities':{'bounding':['CAP_CHOWN','CAP_KILL','CAP_KILL'],"
		     "'permitted':['CAP_KILL'],'effective':['CAP_KILL'],"
		     "'inheritable':['CAP_CHOWN'],'ambient':['CAP_CHECKPOINT_RESTORE']}"));
	CHECK(plan->process.has_caps);
	CHECK_INT(plan->process.caps.bounding, 1 << 0 | 1 << 5);
	CHECK_INT(plan->process.caps.permitted, 1 << 5);
	CHECK_INT(plan->process.caps.effective, 1 << 5);
	CHECK_INT(plan->process.caps.inheritable, 1 << 0);
	CHECK(plan->process.caps.ambient == UINT64_C(1) << 40);

	/* config.md: what the kernel does not know is a warning. */
	warnings = 0;
	log_set_sink(keep_warning, NULL, LOG_LEVEL_WARNING);
	old.last_cap = 39;
	CHECK_INT(build(&(struct parts){PROCESS("'capabilities':{'bounding':['CAP_CHOWN',"
						"'CAP_CHECKPOINT_RESTORE','CAP_NO','kill']}")},
			&old),
		  0);
	log_set_sink(NULL, NULL, LOG_LEVEL_ERROR);
	CHECK_INT(warnings, 3);
	CHECK_STR(warning, "/process/capabilities/bounding/3: capability `kill` is unknown to this "
			   "kernel and left out");
	CHECK_INT(plan->process.caps.bounding, 1);

	PLAN(PROCESS("'capabilities':{}"));
	CHECK(plan->process.has_caps);
	CHECK_INT(plan->process.caps.bounding, 0);
}

TEST(rlimits)
{
	PLAN(PROCESS("'rlimits':[{'type':'RLIMIT_NOFILE','soft':1024,'hard':4096},"
		     "{'type':'RLIMIT_CORE','soft':0,'hard':18446744073709551615},"
		     "{'type':'RLIMIT_STACK','soft':5,'hard':5}]"));
	CHECK_INT(plan->process.rlimits_len, 3);
	CHECK_INT(plan->process.rlimits[0].resource, RLIMIT_NOFILE);
	CHECK_STR(plan->process.rlimits[0].name, "RLIMIT_NOFILE");
	CHECK_INT(plan->process.rlimits[0].soft, 1024);
	CHECK_INT(plan->process.rlimits[0].hard, 4096);
	CHECK(plan->process.rlimits[1].hard == UINT64_MAX);
	CHECK_INT(plan->process.rlimits[2].soft, 5);
}

TEST(namespaces)
{
	PLAN(NAMESPACES("{'type':'pid','path':''},{'type':'network','path':'/n'},"
			"{'type':'cgroup'}"));
	CHECK_INT(plan->ns[NS_MNT].action, NS_NEW);
	CHECK_INT(plan->ns[NS_PID].action, NS_NEW);
	CHECK_INT(plan->ns[NS_NET].action, NS_JOIN);
	CHECK_STR(plan->ns[NS_NET].path, "/n");
	CHECK_INT(plan->ns[NS_CGROUP].action, NS_NEW);
	CHECK_INT(plan->ns[NS_USER].action, NS_SHARE);
	CHECK_INT(plan->ns[NS_UTS].action, NS_SHARE);
}

TEST(who_writes_the_id_maps)
{
	/* Root, any map: we do. */
	PLAN(USER_NS(MAP(0, 100000, 65536), MAP(0, 100000, 65536)));
	CHECK_INT(plan->id_map_writer, ID_MAP_DIRECT);
	CHECK(!plan->deny_setgroups && plan->process.set_groups && plan->sync_go);
	/* An ordinary user's own ids: we do, and setgroups is denied (user_namespaces(7)). */
	USER_PLAN(USER_NS(MAP(0, 1000, 1), MAP(0, 1000, 1)));
	CHECK_INT(plan->id_map_writer, ID_MAP_DIRECT);
	CHECK(plan->deny_setgroups && !plan->process.set_groups);
	/* Anything else of an ordinary user's: the helpers. */
	USER_PLAN(USER_NS(MAP(0, 1000, 1) "," MAP(1, 100000, 65536),
			  MAP(0, 1000, 1) "," MAP(1, 100000, 65536)));
	CHECK_INT(plan->id_map_writer, ID_MAP_HELPERS);
	CHECK(!plan->deny_setgroups && plan->process.set_groups);
	USER_PLAN(USER_NS(MAP(0, 1000, 1), MAP(0, 1000, 2)));
	CHECK_INT(plan->id_map_writer, ID_MAP_HELPERS);
	USER_PLAN(USER_NS(MAP(0, 1001, 1), MAP(0, 1000, 1)));
	CHECK_INT(plan->id_map_writer, ID_MAP_HELPERS);
}

TEST(mappings_at_the_edge)
{
	PLAN(USER_NS(MAP(0, 0, 4294967295), MAP(0, 0, 4294967295)));
	PLAN(USER_NS(MAP(0, 100, 10) "," MAP(10, 110, 10), MAP(10, 110, 10) "," MAP(0, 100, 10)));
	CHECK_INT(plan_host_id(plan, false, 0), 100);
	CHECK_INT(plan_host_id(plan, false, 9), 109);
	CHECK_INT(plan_host_id(plan, true, 19), 119);
	CHECK_INT(plan_host_id(plan, true, 20), -1);
	CHECK_INT(plan_host_id(plan, false, UINT32_MAX), -1);
	PLAN(.more = "");
	CHECK_INT(plan_host_id(plan, false, 4711), 4711);
}

/* Engines send mappings along with a joined user namespace: nothing is written, and they are not held against the user. */
TEST(a_joined_user_namespace)
{
	PLAN(.linux_ = "'namespaces':[{'type':'mount'},{'type':'user','path':'/proc/9/ns/user'}],"
		       "'uidMappings':[" MAP(0, 5, 1) "],'gidMappings':[" MAP(0, 5, 1) "]",
	     PROCESS("'user':{'uid':77,'gid':77}"));
	CHECK_INT(plan->id_map_writer, ID_MAP_NONE);
	CHECK(!plan->sync_go && plan->process.set_groups && plan->bind_devices);
	USER_PLAN(.linux_ = "'namespaces':[{'type':'mount'},{'type':'user','path':'/u'}]");
	/* The host side raises the hard limit before init sets it. */
	PLAN(.linux_ = "'namespaces':[{'type':'mount'},{'type':'user','path':'/u'}]",
	     PROCESS("'rlimits':[{'type':'RLIMIT_NOFILE','soft':9,'hard':9}]"));
	CHECK(plan->sync_go);
}

TEST(keeping_groups)
{
	static const struct {
		const char *value;
		bool keep;
	} rows[] = {{"1", true}, {"true", true}, {"", true}, {"0", false}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char more[100];

		snprintf(more, sizeof(more), ",'annotations':{'run.oci.keep_original_groups':'%s'}",
			 rows[i].value);
		PLAN(.more = more);
		CHECK_INT(plan->process.keep_groups, rows[i].keep);
	}
	PLAN(.more = ",'annotations':{'run.oci.keep_original_groups2':'1'}");
	CHECK(!plan->process.keep_groups);
}

TEST(descriptors_to_keep)
{
	static const struct {
		unsigned preserve, listen, want;
	} rows[] = {{0, 0, 0}, {2, 0, 2}, {0, 3, 3}, {2, 3, 3}, {5, 3, 5}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct plan_options opts = {
			.id = "a",
			.bundle = "/b",
			.preserve_fds = rows[i].preserve,
			.listen_fds = rows[i].listen,
		};

		CHECK_INT(build_with(&(struct parts){0}, &root_facts, &opts), 0);
		CHECK_INT(plan->process.preserve_fds, rows[i].want);
		CHECK_INT(plan->process.listen_fds, rows[i].listen);
	}
}

TEST(socket_for_readiness)
{
	static const struct {
		struct parts parts;
		bool wants;
	} rows[] = {
		{{0}, true},
		{{PROCESS("'env':['A=b','XNOTIFY_SOCKET=/x']")}, true},
		/* An arrangement of the engine's own. */
		{{PROCESS("'env':['NOTIFY_SOCKET=/x']")}, false},
		/* The mount would be the host's. */
		{{.linux_ = "'namespaces':[{'type':'pid'}]"}, false},
	};
	const struct plan_options opts = {.id = "a", .bundle = "/b", .notify_dir = "/state/notify"};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CHECK_INT(build_with(&rows[i].parts, &root_facts, &opts), 0);
		CHECK_INT(plan->notify_dir != NULL, rows[i].wants);
		CHECK_INT(plan->mounts_len, rows[i].wants);
	}
	CHECK_INT(build_with(
			  &(struct parts){
				  .more = ",'mounts':[{'destination':'/run','type':'tmpfs'}]"},
			  &root_facts, &opts),
		  0);
	CHECK_INT(plan->mounts_len, 2);
	CHECK_STR(plan->mounts[1].destination, "/run/notify");
	CHECK_STR(plan->mounts[1].source, "/state/notify");
	CHECK_INT(plan->mounts[1].kind, MOUNT_BIND);
	CHECK(plan->mounts[1].attr_set & MOUNT_ATTR_RDONLY);
	PLAN(.more = "");
	CHECK(!plan->notify_dir && !plan->mounts_len);
}

TEST(annotation_for_the_v1_hierarchy_of_systemd)
{
	const struct parts parts = {
		.more = ",'annotations':{'run.oci.systemd.force_cgroup_v1':'/sys/fs/cgroup'}"};
	struct host_facts facts = root_facts;

	facts.cgroup_layout = CGROUP_HYBRID;
	CHECK_INT(build(&parts, &facts), 0);
	facts.cgroup_layout = CGROUP_V2;
	CHECK_INT(build(&parts, &facts), -EOPNOTSUPP);
	CHECK_STR(err.at, "/annotations/run.oci.systemd.force_cgroup_v1");
}

static const struct plan_device *device(const char *path)
{
	const struct plan_device *found = NULL;

	for (size_t i = 0; i < plan->devices_len; i++) {
		if (!str_eq(plan->devices[i].path, path))
			continue;
		if (found)
			return NULL;
		found = &plan->devices[i];
	}
	return found;
}

TEST(default_devices)
{
	static const struct {
		const char *path;
		unsigned major, minor;
	} rows[] = {{"/dev/null", 1, 3},   {"/dev/zero", 1, 5},	   {"/dev/full", 1, 7},
		    {"/dev/random", 1, 8}, {"/dev/urandom", 1, 9}, {"/dev/tty", 5, 0}};

	PLAN(.more = "");
	CHECK_INT(plan->devices_len, ARRAY_LEN(rows));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct plan_device *d = device(rows[i].path);

		CHECK(d);
		CHECK_INT(d->major, rows[i].major);
		CHECK_INT(d->minor, rows[i].minor);
		CHECK_INT(d->type, S_IFCHR);
		CHECK_INT(d->mode, 0666);
		CHECK_INT(d->index, -1);
	}
	CHECK(!plan->bind_devices);
}

TEST(listed_devices)
{
	const struct plan_device *d;

	PLAN(NAMESPACES("{'type':'pid'}],'devices':["
			"{'type':'c','path':'/dev/null','major':1,'minor':3,'fileMode':384,"
			"'uid':5,'gid':6},"
			"{'type':'p','path':'/dev/fifo'},"
			"{'type':'b','path':'/dev/loop','major':4095,'minor':1048575,"
			"'fileMode':25008},"
			"{'type':'u','path':'/dev/fifo','major':1,'minor':5}"));
	CHECK_INT(plan->devices_len, 8);
	d = device("/dev/null");
	CHECK(d);
	CHECK_INT(d->mode, 0600);
	CHECK_INT(d->uid, 5);
	CHECK_INT(d->gid, 6);
	CHECK_INT(d->index, 0);
	d = device("/dev/loop");
	CHECK(d);
	CHECK_INT(d->type, S_IFBLK);
	/* Engines leave the type in: S_IFBLK | 0660. */
	CHECK_INT(d->mode, 0660);
	/* Of two with the same path the later one counts. */
	d = device("/dev/fifo");
	CHECK(d);
	CHECK_INT(d->type, S_IFCHR);
	CHECK_INT(d->index, 3);
	CHECK(plan->cgroup.devices == plan->devices);
	CHECK_INT(plan->cgroup.devices_len, 8);
}

TEST(devices_are_bound_where_mknod_is_not_ours)
{
	struct host_facts inside = root_facts;

	PLAN(USER_NS(MAP(0, 1, 9), MAP(0, 1, 9)));
	CHECK(plan->bind_devices);
	inside.in_userns = true;
	CHECK_INT(build(&(struct parts){0}, &inside), 0);
	CHECK(plan->bind_devices);
}

TEST(the_ladder)
{
	PLAN(.more = ",'hooks':{'prestart':[{'path':'/a'}]}");
	CHECK(plan->sync_hooks);
	PLAN(.more = ",'hooks':{'createRuntime':[{'path':'/a'}]}");
	CHECK(plan->sync_hooks);
	PLAN(.more = ",'hooks':{'createContainer':[{'path':'/a'}]}");
	CHECK(plan->sync_hooks);
	/* With a gate it is start that runs and answers for startContainer hooks. */
	PLAN(.more = ",'hooks':{'startContainer':[{'path':'/a'}],"
		     "'poststart':[{'path':'/a'}],'poststop':[{'path':'/a'}],'prestart':[]}");
	CHECK(!plan->sync_hooks);
	PLAN(NAMESPACES("{'type':'pid'}],'seccomp':{'defaultAction':'SCMP_ACT_ALLOW'},"
			"'maskedPaths':["));
	CHECK(plan->sync_filter);
	CHECK(!plan->sync_go);
}

TEST(labels)
{
	struct host_facts lsm = root_facts;
	struct parts both = {PROCESS("'apparmorProfile':'p','selinuxLabel':'l'")};
	struct parts none = {PROCESS("'apparmorProfile':'unconfined','selinuxLabel':''")};
	struct parts empty = {PROCESS("'apparmorProfile':'','selinuxLabel':''")};

	CHECK_INT(build(&both, &lsm), -ENOTSUP);
	CHECK_STR(err.at, "/process/apparmorProfile");
	CHECK_INT(build(&none, &lsm), 0);
	CHECK(!plan->wants_label);
	lsm.apparmor = true;
	CHECK_INT(build(&both, &lsm), -ENOTSUP);
	CHECK_STR(err.at, "/process/selinuxLabel");
	lsm.selinux = true;
	CHECK_INT(build(&both, &lsm), 0);
	CHECK(plan->wants_label);
	CHECK_INT(build(&empty, &lsm), 0);
	CHECK(!plan->wants_label);
}

TEST(cgroups)
{
	PLAN(NAMESPACES("{'type':'cgroup'}],'cgroupsPath':'/a/b','maskedPaths':["));
	CHECK_STR(plan->cgroup.path, "/a/b");
	CHECK_STR(plan->cgroup.id, "box");
	CHECK_INT(plan->cgroup.layout, CGROUP_V2);
	CHECK(!plan->cgroup.optional && !plan->cgroup.unprivileged);
	CHECK_INT(plan->cgroup.owner, (uid_t)-1);
	PLAN(NAMESPACES("{'type':'pid'}],'cgroupsPath':'','maskedPaths':["));
	CHECK(!plan->cgroup.path);
	CHECK(!plan->cgroup.optional);
}

#define CGROUP_MOUNT(options)                                                           \
	",'mounts':[{'destination':'/sys/fs/cgroup','type':'cgroup','source':'cgroup'," \
	"'options':[" options "]}]"

#define OWNING                                                               \
	"'namespaces':[{'type':'mount'},{'type':'user'},{'type':'cgroup'}]," \
	"'uidMappings':[" MAP(0, 4242, 9) "],'gidMappings':[" MAP(0, 5, 9) "]"

/* config-linux.md, "Cgroup ownership". */
TEST(cgroup_ownership)
{
	struct host_facts hybrid = root_facts;

	PLAN(.linux_ = OWNING, .more = CGROUP_MOUNT("'nosuid'"));
	CHECK_INT(plan->cgroup.owner, 4242);
	PLAN(.linux_ = OWNING, .more = CGROUP_MOUNT("'nosuid'"),
	     PROCESS("'user':{'uid':3,'gid':1}"));
	CHECK_INT(plan->cgroup.owner, 4245);
	PLAN(.linux_ = OWNING, .more = CGROUP_MOUNT("'ro'"));
	CHECK_INT(plan->cgroup.owner, (uid_t)-1);
	PLAN(.linux_ = OWNING);
	CHECK_INT(plan->cgroup.owner, (uid_t)-1);
	PLAN(.more = CGROUP_MOUNT(""));
	CHECK_INT(plan->cgroup.owner, (uid_t)-1);
	hybrid.cgroup_layout = CGROUP_HYBRID;
	CHECK_INT(build(&(struct parts){.linux_ = OWNING, .more = CGROUP_MOUNT("")}, &hybrid), 0);
	CHECK_INT(plan->cgroup.owner, (uid_t)-1);
}

#define OWN_IDS MAP(0, 1000, 1)

TEST(an_ordinary_users_cgroup)
{
	static const struct {
		const char *more;
		bool optional;
	} rows[] = {
		{"", true},
		{",'resources':{}", true},
		{",'resources':{'devices':[{'allow':false,'access':'rwm'}]}", true},
		{",'cgroupsPath':'a'", false},
		{",'resources':{'memory':{'limit':1}}", false},
		{",'resources':{'pids':{'limit':1}}", false},
		{",'resources':{'cpu':{'shares':2}}", false},
		{",'resources':{'unified':{'memory.high':'1'}}", false},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char lx[400];

		snprintf(lx, sizeof(lx),
			 "'namespaces':[{'type':'mount'},{'type':'user'}],'uidMappings':[%s],"
			 "'gidMappings':[%s]%s",
			 OWN_IDS, OWN_IDS, rows[i].more);
		USER_PLAN(.linux_ = lx);
		CHECK(plan->cgroup.unprivileged);
		if (plan->cgroup.optional != rows[i].optional)
			TEST_FAIL("row %zu", i);
	}
}

TEST(sysctls_of_own_namespaces)
{
	PLAN(NAMESPACES("{'type':'network'},{'type':'ipc','path':'/i'},{'type':'uts'}],"
			"'sysctl':{'net.ipv4.ip_forward':'1','net/ipv4/conf/eth0.1/x':'1',"
			"'kernel.msgmax':'1','kernel.shm_rmid_forced':'1','fs.mqueue.msg_max':'1',"
			"'kernel.domainname':'d'},'maskedPaths':["));
	CHECK_INT(plan->linux_->sysctl->len, 6);
}

TEST(network_devices_keep_their_name_or_get_another)
{
	PLAN(NAMESPACES("{'type':'network'}],'netDevices':{'eth0':{},'eth1':{'name':''},"
			"'eth2':{'name':'a%d'},'eth3':{'name':'a%d'},'eth4':{'name':'eth9'}},"
			"'maskedPaths':["));
	CHECK_INT(plan->net_devices_len, 5);
	CHECK_STR(plan->net_devices[0].inside, "eth0");
	CHECK_STR(plan->net_devices[1].inside, "eth1");
	CHECK_STR(plan->net_devices[3].inside, "a%d");
	CHECK_STR(plan->net_devices[4].name, "eth4");
	CHECK_STR(plan->net_devices[4].inside, "eth9");
	/* They move while init waits. */
	CHECK(plan->sync_go);
	PLAN(NAMESPACES(
		"{'type':'network','path':'/n'}],'netDevices':{'eth0':{}},'maskedPaths':["));
	CHECK(plan->sync_go);
	PLAN(NAMESPACES("{'type':'network'}],'netDevices':{},'maskedPaths':["));
	CHECK(!plan->sync_go);
}

TEST(init_waits_for_its_class_of_service)
{
	PLAN(.linux_ = DEFAULT_LINUX ",'intelRdt':{}");
	CHECK(plan->sync_go);
	PLAN(.linux_ = DEFAULT_LINUX ",'intelRdt':{'closID':'/','schemata':['L3:0=f']}");
	CHECK(plan->sync_go);
}

TEST_MAIN()
