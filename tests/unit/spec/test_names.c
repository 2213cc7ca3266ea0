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

TEST(rlimits)
{
	for (unsigned i = 0; i < RLIM_NLIMITS; i++) {
		CHECK(rlimit_name(i) != NULL);
		CHECK_INT(rlimit_number(rlimit_name(i)), i);
	}
	CHECK(rlimit_name(RLIM_NLIMITS) == NULL);
	CHECK_INT(rlimit_number("RLIMIT_NOFILE"), RLIMIT_NOFILE);
	CHECK_INT(rlimit_number("NOFILE"), -EINVAL);
	CHECK_INT(rlimit_number("RLIMIT_"), -EINVAL);
}

TEST(signal_names)
{
	for (unsigned i = 1; i <= SIGNAL_MAX; i++) {
		/* 32 and 33 belong to the C library. */
		if (i == 32 || i == 33) {
			CHECK(signal_name(i) == NULL);
			continue;
		}
		CHECK(signal_name(i) != NULL);
		CHECK_INT(signal_number(signal_name(i)), i);
		CHECK_INT(signal_number(signal_name(i) + 3), i);
	}
	CHECK(signal_name(0) == NULL);
	CHECK(signal_name(SIGNAL_MAX + 1) == NULL);
	CHECK_STR(signal_name(SIGABRT), "SIGABRT");
	CHECK_STR(signal_name(SIGIO), "SIGIO");
}

TEST(signal_spellings)
{
	static const struct {
		const char *text;
		int number;
	} cases[] = {
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
		int r = signal_number(cases[i].text);

		if (r != cases[i].number)
			TEST_FAIL("\"%s\" is %d, not %d", cases[i].text, r, cases[i].number);
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
