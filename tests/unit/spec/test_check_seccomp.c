// SPDX-License-Identifier: Apache-2.0
// What config-linux.md forbids in a seccomp profile is found, and where it is.
#include "spec/check_seccomp.h"

#include "../test.h"

#include <errno.h>

static struct crun_error err;

/* Checks the profile {"defaultAction": ..., REST}. Returns the JSON pointer of what is wrong, "" for nothing. */
static const char *check(const char *rest)
{
	struct oci_arena arena = {0};
	struct oci_parse_error why;
	struct oci_config *config;
	char text[1024];
	int r;

	memset(&err, 0, sizeof(err));
	snprintf(text, sizeof(text),
		 "{\"ociVersion\": \"1.0.0\", \"root\": {\"path\": \"r\"}, \"linux\": "
		 "{\"seccomp\": {%s}}}",
		 rest);
	r = oci_config_parse("test", text, strlen(text), &arena, &config, &why);
	if (r < 0) {
		printf("# %s\n", why.text);
		return "unparsable";
	}
	r = check_seccomp(config->linux->seccomp, &err);
	oci_arena_free(&arena);
	return r == 0 ? "" : r == -EINVAL && err.kind == KIND_SPEC ? err.at : "wrong error";
}

#define ALLOW	   "\"defaultAction\": \"SCMP_ACT_ALLOW\", "
#define RULE(text) ALLOW "\"syscalls\": [{\"names\": [\"getpid\"], " text "}]"

TEST(good_ones)
{
	CHECK_STR(check("\"defaultAction\": \"SCMP_ACT_ALLOW\""), "");
	CHECK_STR(check("\"defaultAction\": \"SCMP_ACT_ERRNO\", \"defaultErrnoRet\": 4095"), "");
	CHECK_STR(check("\"defaultAction\": \"SCMP_ACT_TRACE\", \"defaultErrnoRet\": 65535"), "");
	CHECK_STR(check(RULE("\"action\": \"SCMP_ACT_ERRNO\", \"errnoRet\": 0")), "");
	CHECK_STR(check(RULE("\"action\": \"SCMP_ACT_KILL\", \"args\": [{\"index\": 5, \"value\": "
			     "1, \"op\": \"SCMP_CMP_EQ\"}]")),
		  "");
	CHECK_STR(check(RULE("\"action\": \"SCMP_ACT_NOTIFY\"") ", \"listenerPath\": \"/run/s\", "
								"\"listenerMetadata\": \"m\""),
		  "");
}

TEST(errno_values)
{
	CHECK_STR(check(ALLOW "\"defaultErrnoRet\": 1"), "/linux/seccomp/defaultErrnoRet");
	CHECK(strstr(err.text, "SCMP_ACT_ALLOW") != NULL);
	CHECK_STR(check("\"defaultAction\": \"SCMP_ACT_ERRNO\", \"defaultErrnoRet\": 4096"),
		  "/linux/seccomp/defaultErrnoRet");
	CHECK_STR(check("\"defaultAction\": \"SCMP_ACT_TRACE\", \"defaultErrnoRet\": 65536"),
		  "/linux/seccomp/defaultErrnoRet");
	CHECK_STR(check(RULE("\"action\": \"SCMP_ACT_LOG\", \"errnoRet\": 1")),
		  "/linux/seccomp/syscalls/0/errnoRet");
}

TEST(rules)
{
	CHECK_STR(check(ALLOW "\"syscalls\": [{\"names\": [], \"action\": \"SCMP_ACT_KILL\"}]"),
		  "/linux/seccomp/syscalls/0/names");
	CHECK_STR(check(RULE("\"action\": \"SCMP_ACT_KILL\", \"args\": [{\"index\": 0, \"value\": "
			     "1, \"op\": \"SCMP_CMP_EQ\"}, {\"index\": 6, \"value\": 1, \"op\": "
			     "\"SCMP_CMP_EQ\"}]")),
		  "/linux/seccomp/syscalls/0/args/1/index");
}

TEST(listeners)
{
	/* Whether there is a listener at all is the plan's question: there are other places to name it. */
	CHECK_STR(check(RULE("\"action\": \"SCMP_ACT_NOTIFY\"")), "");
	CHECK_STR(check(ALLOW "\"listenerPath\": \"run/s\""), "/linux/seccomp/listenerPath");
	CHECK_STR(check(ALLOW "\"listenerMetadata\": \"m\""), "/linux/seccomp/listenerMetadata");
}

TEST_MAIN()
