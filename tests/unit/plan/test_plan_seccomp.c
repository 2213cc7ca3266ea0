// SPDX-License-Identifier: Apache-2.0
// linux.seccomp and its annotations: what is loaded, and who is notified.
#include "plan_fixture.h"

#include <errno.h>

#define NAMESPACES  "'namespaces':[{'type':'mount'},{'type':'pid'}],"
#define NOTIFY_RULE "'syscalls':[{'names':['getpid'],'action':'SCMP_ACT_NOTIFY'}]"

/* seccomp: the inside of the object, or NULL; annotations likewise. */
static int seccomp(const char *text, const char *annotations, const char *receiver)
{
	const struct plan_options opts = {
		.id = "box", .bundle = "/bundle", .gate = true, .seccomp_receiver = receiver};
	char linux_[512], more[1024];

	snprintf(linux_, sizeof(linux_), NAMESPACES "'seccomp':{%s}", text ? text : "");
	snprintf(more, sizeof(more), ",'annotations':{%s}", annotations ? annotations : "");
	return build_with(&(struct parts){.linux_ = text ? linux_ : NULL, .more = more},
			  &root_facts, &opts);
}

TEST(without_seccomp_there_is_no_filter)
{
	CHECK_INT(build(&(struct parts){0}, &root_facts), 0);
	CHECK(!plan->sync_filter && !plan->sync_listener);
	CHECK_INT(seccomp(NULL, NULL, "/run/env"), 0);
	CHECK(!plan->sync_filter && !plan->sync_listener);
}

TEST(a_listener_is_for_profiles_that_notify)
{
	CHECK_INT(seccomp("'defaultAction':'SCMP_ACT_ALLOW','listenerPath':'/run/s'", NULL, NULL),
		  0);
	CHECK(plan->sync_filter && !plan->sync_listener);
	CHECK_INT(seccomp("'defaultAction':'SCMP_ACT_ALLOW'", NULL, "not absolute"), 0);
	CHECK(!plan->sync_listener);
	CHECK_INT(seccomp("'defaultAction':'SCMP_ACT_ALLOW','listenerPath':'/run/s',"
			  "'listenerMetadata':'m'," NOTIFY_RULE,
			  NULL, NULL),
		  0);
	CHECK(plan->sync_filter && plan->sync_listener);
	CHECK_STR(plan->seccomp.listener, "/run/s");
	CHECK_STR(plan->seccomp.metadata, "m");
	CHECK_INT(seccomp("'defaultAction':'SCMP_ACT_NOTIFY','listenerPath':'/run/s'", NULL, NULL),
		  0);
	CHECK(plan->sync_listener);
}

TEST(where_a_listener_is_looked_for)
{
	static const char rule[] = "'defaultAction':'SCMP_ACT_ALLOW'," NOTIFY_RULE;
	static const char path[] =
		"'defaultAction':'SCMP_ACT_ALLOW','listenerPath':'/run/s'," NOTIFY_RULE;
	static const char annotation[] = "'run.oci.seccomp.receiver':'/run/a'";

	CHECK_INT(seccomp(path, annotation, "/run/env"), 0);
	CHECK_STR(plan->seccomp.listener, "/run/s");
	CHECK_INT(seccomp(rule, annotation, "/run/env"), 0);
	CHECK_STR(plan->seccomp.listener, "/run/a");
	CHECK_INT(seccomp(rule, NULL, "/run/env"), 0);
	CHECK_STR(plan->seccomp.listener, "/run/env");
	CHECK_INT(seccomp(rule, NULL, NULL), -EINVAL);
	CHECK_STR(err.at, "/linux/seccomp/syscalls/0/action");
	CHECK_INT(seccomp(rule, NULL, ""), -EINVAL);
	CHECK_INT(seccomp("'defaultAction':'SCMP_ACT_NOTIFY'", NULL, NULL), -EINVAL);
	CHECK_STR(err.at, "/linux/seccomp/defaultAction");
	CHECK_INT(seccomp(rule, "'run.oci.seccomp.receiver':'run/a'", NULL), -EINVAL);
	CHECK_STR(err.at, "/annotations/run.oci.seccomp.receiver");
	CHECK_INT(seccomp(rule, NULL, "run/env"), -EINVAL);
	CHECK_STR(err.at, "");
}

TEST(plugins_are_refused)
{
	static const char profile[] = "'defaultAction':'SCMP_ACT_ALLOW'";

	CHECK_INT(seccomp(profile, "'run.oci.seccomp.plugins':''", NULL), 0);
	CHECK_INT(seccomp(profile, "'run.oci.seccomp.plugins':'/lib/a.so'", NULL), -EOPNOTSUPP);
	CHECK_STR(err.at, "/annotations/run.oci.seccomp.plugins");
	CHECK(strstr(err.text, "run.oci.seccomp.receiver"));
	CHECK_INT(seccomp(NULL, "'run.oci.seccomp.plugins':'/lib/a.so'", NULL), -EOPNOTSUPP);
}

TEST(switches)
{
	static const char profile[] = "'defaultAction':'SCMP_ACT_ALLOW'";

	CHECK_INT(seccomp(profile, NULL, NULL), 0);
	CHECK(!plan->seccomp.strict && !plan->seccomp.enosys);
	CHECK_INT(seccomp(profile, "'run.oci.seccomp_fail_unknown_syscall':'1'", NULL), 0);
	CHECK(plan->seccomp.strict && !plan->seccomp.enosys);
	CHECK_INT(seccomp(profile, "'run.oci.seccomp.enosys':'1'", NULL), 0);
	CHECK(!plan->seccomp.strict && plan->seccomp.enosys);
	CHECK_INT(seccomp(profile,
			  "'run.oci.seccomp_fail_unknown_syscall':'0','run.oci.seccomp.enosys':'0'",
			  NULL),
		  0);
	CHECK(!plan->seccomp.strict && !plan->seccomp.enosys);
}

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
/* ret ALLOW; ret USER_NOTIF; ret ALLOW without its last byte. */
#define RET_ALLOW  "BgAAAAAA/38="
#define RET_NOTIFY "BgAAAAAAwH8="
#define RET_SHORT  "BgAAAAAA/w=="

TEST(programs)
{
	CHECK_INT(seccomp(NULL, "'run.oci.seccomp_bpf_data':'" RET_ALLOW "'", NULL), 0);
	CHECK(plan->sync_filter && !plan->sync_listener && !plan->seccomp.profile);
	CHECK_INT(plan->seccomp.program_len, 1);
	CHECK_INT(plan->seccomp.program[0], 0x7fff000000000006);
	CHECK_INT(seccomp(NULL, "'run.oci.seccomp_bpf_data':'" RET_NOTIFY "'", "/run/s"), 0);
	CHECK_STR(plan->seccomp.listener, "/run/s");
	/* The profile that it replaces does not count. */
	CHECK_INT(seccomp("'defaultAction':'SCMP_ACT_NOTIFY'",
			  "'run.oci.seccomp_bpf_data':'" RET_ALLOW "'", NULL),
		  0);
	CHECK(!plan->sync_listener);
}

TEST(programs_that_are_none)
{
	static const char *const bad[] = {"", "!", RET_SHORT, "AAAAAAAAAAA="};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char text[128];

		snprintf(text, sizeof(text), "'run.oci.seccomp_bpf_data':'%s'", bad[i]);
		CHECK_INT(seccomp(NULL, text, NULL), -EINVAL);
		CHECK_STR(err.at, "/annotations/run.oci.seccomp_bpf_data");
	}
	CHECK_INT(seccomp(NULL, "'run.oci.seccomp_bpf_data':'" RET_NOTIFY "'", NULL), -EINVAL);
	CHECK_STR(err.at, "/annotations/run.oci.seccomp_bpf_data");
}
#endif

TEST_MAIN()
