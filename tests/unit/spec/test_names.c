// SPDX-License-Identifier: Apache-2.0
// Names and numbers agree in both directions, and the documents made from them can be parsed.
#include "spec/example.h"
#include "spec/features.h"
#include "spec/tables.h"

#include "base/cleanup.h"

#include "../test.h"

#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

TEST(capabilities)
{
	for (unsigned i = 0; i < CAP_NAMES_LEN; i++) {
		CHECK(cap_name(i) != NULL);
		CHECK_INT(cap_number(cap_name(i)), i);
	}
	CHECK(cap_name(CAP_NAMES_LEN) == NULL);
	CHECK_INT(cap_number("CAP_SYS_ADMIN"), CAP_SYS_ADMIN);
	CHECK_INT(cap_number("CAP_CHOWN"), 0);
	CHECK_INT(cap_number("CAP_CHECKPOINT_RESTORE"), 40);
	CHECK_INT(cap_number("cap_kill"), -EINVAL);
	CHECK_INT(cap_number("KILL"), -EINVAL);
	CHECK_INT(cap_number(""), -EINVAL);
	CHECK_INT(cap_number("CAP_LAST_CAP"), -EINVAL);
}

struct named {
	const char *name;
	int number;
};

#define NAMED(name)         \
	{                   \
#name, name \
	}

TEST(every_rlimit_has_its_name)
{
	static const struct named all[] = {
		NAMED(RLIMIT_CPU),	NAMED(RLIMIT_FSIZE),  NAMED(RLIMIT_DATA),
		NAMED(RLIMIT_STACK),	NAMED(RLIMIT_CORE),   NAMED(RLIMIT_RSS),
		NAMED(RLIMIT_NPROC),	NAMED(RLIMIT_NOFILE), NAMED(RLIMIT_MEMLOCK),
		NAMED(RLIMIT_AS),	NAMED(RLIMIT_LOCKS),  NAMED(RLIMIT_SIGPENDING),
		NAMED(RLIMIT_MSGQUEUE), NAMED(RLIMIT_NICE),   NAMED(RLIMIT_RTPRIO),
		NAMED(RLIMIT_RTTIME),
	};

	CHECK_INT(ARRAY_LEN(all), RLIM_NLIMITS);
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		CHECK_INT(rlimit_number(all[i].name), all[i].number);
	CHECK_INT(rlimit_number("NOFILE"), -EINVAL);
	CHECK_INT(rlimit_number("rlimit_nofile"), -EINVAL);
	CHECK_INT(rlimit_number("RLIMIT_"), -EINVAL);
}

TEST(every_signal_has_its_name_with_and_without_the_prefix)
{
	static const struct named all[] = {
		NAMED(SIGHUP),	  NAMED(SIGINT),  NAMED(SIGQUIT),  NAMED(SIGILL),  NAMED(SIGTRAP),
		NAMED(SIGABRT),	  NAMED(SIGIOT),  NAMED(SIGBUS),   NAMED(SIGFPE),  NAMED(SIGKILL),
		NAMED(SIGUSR1),	  NAMED(SIGSEGV), NAMED(SIGUSR2),  NAMED(SIGPIPE), NAMED(SIGALRM),
		NAMED(SIGTERM),	  NAMED(SIGCHLD), NAMED(SIGCONT),  NAMED(SIGSTOP), NAMED(SIGTSTP),
		NAMED(SIGTTIN),	  NAMED(SIGTTOU), NAMED(SIGURG),   NAMED(SIGXCPU), NAMED(SIGXFSZ),
		NAMED(SIGVTALRM), NAMED(SIGPROF), NAMED(SIGWINCH), NAMED(SIGIO),   NAMED(SIGPOLL),
		NAMED(SIGPWR),	  NAMED(SIGSYS),
	};

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		CHECK_INT(signal_number(all[i].name), all[i].number);
		CHECK_INT(signal_number(all[i].name + strlen("SIG")), all[i].number);
	}
}

TEST(signal_spellings)
{
	static const struct named cases[] = {
		{"0", 0},
		{"9", 9},
		{"009", 9},
		{"33", 33},
		{"64", 64},
		{"KILL", SIGKILL},
		{"SIGKILL", SIGKILL},
		{"kill", SIGKILL},
		{"SigUsr1", SIGUSR1},
		{"IOT", SIGABRT},
		{"cld", SIGCHLD},
		{"POLL", SIGIO},
		{"RTMIN", 34},
		{"SIGRTMIN+0", 34},
		{"rtmin+30", 64},
		{"RTMAX", 64},
		{"SIGRTMAX-30", 34},
		{"65", -EINVAL},
		{"-1", -EINVAL},
		{"+1", -EINVAL},
		{"9 ", -EINVAL},
		{" 9", -EINVAL},
		{"9x", -EINVAL},
		{"0x9", -EINVAL},
		{"99999999999999999999", -EINVAL},
		{"", -EINVAL},
		{"SIG", -EINVAL},
		{"SIGSIGKILL", -EINVAL},
		{"NOPE", -EINVAL},
		{"RTMIN+31", -EINVAL},
		{"RTMAX-31", -EINVAL},
		{"RTMIN-1", -EINVAL},
		{"RTMAX+1", -EINVAL},
		{"RTMIN+", -EINVAL},
		{"RTMINI", -EINVAL},
		{"RTMIN+-1", -EINVAL},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int r = signal_number(cases[i].name);

		if (r != cases[i].number)
			TEST_FAIL("\"%s\" is %d, not %d", cases[i].name, r, cases[i].number);
	}
}

/* The example for root, or NULL with a failed check. */
static const struct oci_config *parse_example(bool rootless, struct oci_json *json,
					      struct oci_arena *arena)
{
	struct oci_parse_error err = {0};
	struct oci_config *config = NULL;

	if (example_write(rootless, 1000, 1001, json) < 0 || oci_json_finish(json) < 0)
		return NULL;
	if (oci_config_parse(NULL, json->data, json->len, arena, &config, &err) < 0)
		return NULL;
	return config;
}

TEST(the_example_can_be_parsed)
{
	struct oci_json json = {.pretty = true};
	struct oci_arena arena = {0};
	const struct oci_config *config = parse_example(false, &json, &arena);

	CHECK(config != NULL);
	CHECK_STR(config->oci_version, SPEC_VERSION);
	CHECK_INT(config->mounts_len, 7);
	CHECK_INT(config->linux->namespaces_len, 6);
	CHECK(config->linux->uid_mappings == NULL);
	CHECK_INT(config->process->rlimits_len, 1);
	CHECK_INT(rlimit_number(config->process->rlimits[0].type), RLIMIT_NOFILE);
	for (size_t i = 0; i < config->process->capabilities->bounding_len; i++)
		CHECK(cap_number(config->process->capabilities->bounding[i]) >= 0);
	oci_arena_free(&arena);
	oci_json_free(&json);
}

TEST(the_example_for_an_unprivileged_user_maps_one_id)
{
	struct oci_json json = {.pretty = true};
	struct oci_arena arena = {0};
	const struct oci_config *config = parse_example(true, &json, &arena);

	CHECK(config != NULL);
	CHECK_INT(config->linux->uid_mappings_len, 1);
	CHECK_INT(config->linux->uid_mappings[0].host_id, 1000);
	CHECK_INT(config->linux->gid_mappings[0].host_id, 1001);
	CHECK_INT(config->linux->gid_mappings[0].size, 1);
	CHECK(config->linux->resources == NULL);
	oci_arena_free(&arena);
	oci_json_free(&json);
}

TEST(features_can_be_parsed)
{
	struct oci_json json = {0};
	struct oci_arena arena = {0};
	struct oci_parse_error err = {0};
	struct oci_features *features = NULL;

	CHECK_INT(features_write(&json), 0);
	CHECK_INT(oci_json_finish(&json), 0);
	CHECK_INT(oci_features_parse(NULL, json.data, json.len, &arena, &features, &err), 0);
	CHECK_INT(features->linux->capabilities_len, CAP_NAMES_LEN);
	CHECK_INT(features->linux->namespaces_len, OCI_NAMESPACE_TYPE_LAST);
	CHECK_INT(features->hooks_len, 6);
	CHECK(features->mount_options_len > 50);
	/* dockerd and containerd read these without looking whether they are there. */
	CHECK(features->linux->mount_extensions->idmap != NULL);
	CHECK(features->linux->cgroup->has_v2 && features->linux->cgroup->v2);
	oci_arena_free(&arena);
	oci_json_free(&json);
}

TEST_MAIN()
