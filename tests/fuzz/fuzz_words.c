// SPDX-License-Identifier: Apache-2.0
// Fuzz target: the small readers of words, each given the whole input: numbers, lists, labels, ids, signals, Base64.

#include "fuzz.h"

#include "base/base64.h"
#include "base/number_list.h"
#include "base/str.h"
#include "fs/label.h"
#include "host/doctor/parse.h"
#include "plan/exec.h"
#include "spec/mount_options.h"
#include "spec/rules.h"
#include "spec/tables.h"
#include "state/store.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define LIMIT 1024

/* A number that was taken is written in the same way, leading zeros apart. */
static void numbers(const char *text)
{
	const char *digits = text + (text[0] == '-');
	char again[24];
	uint64_t u;
	int64_t i;

	if (str_to_u64(text, UINT64_MAX, &u) == 0) {
		snprintf(again, sizeof(again), "%" PRIu64, u);
		REQUIRE(str_eq(text + strspn(text, "0"), u ? again : ""));
	}
	if (str_to_u64(text, 255, &u) == 0)
		REQUIRE(u <= 255);
	if (str_to_i64(text, &i) == 0) {
		snprintf(again, sizeof(again), "%" PRIi64, i);
		REQUIRE(str_eq(digits + strspn(digits, "0"), i ? again + (i < 0) : ""));
		REQUIRE(i >= 0 || text[0] == '-');
	}
}

static void lists(const char *text)
{
	unsigned long mask[NUMBER_LIST_WORDS(LIMIT)] = {0};
	unsigned end = 0, again = 0;
	int r = number_list_parse(text, LIMIT, NULL, &end);

	REQUIRE(r == 0 || r == -EINVAL || r == -ERANGE);
	if (r < 0)
		return;
	REQUIRE(end <= LIMIT);
	REQUIRE(number_list_parse(text, LIMIT, mask, &again) == 0 && again == end);
	if (end > 0)
		REQUIRE(mask[(end - 1) / NUMBER_LIST_WORD_BITS] &
			1UL << (end - 1) % NUMBER_LIST_WORD_BITS);
}

static void base64(const char *text)
{
	size_t room = BASE64_DECODED_MAX(strlen(text));
	char *out = malloc(room ? room : 1);
	ssize_t n;

	REQUIRE(out);
	n = base64_decode(text, out);
	REQUIRE(n == -EINVAL || (n >= 0 && (size_t)n <= room));
	free(out);
}

static void names(const char *text)
{
	struct crun_error err;
	uint32_t uid, gid;
	bool has_gid;
	int n = signal_number(text), r = state_check_id(text, &err);

	REQUIRE(n == -EINVAL || (n >= 0 && n <= SIGNAL_MAX));
	n = cap_number(text);
	REQUIRE(n == -EINVAL || str_eq(cap_name((unsigned)n), text));
	n = rlimit_number(text);
	REQUIRE(n == -EINVAL || n >= 0);
	if (r < 0)
		fuzz_check_error(r, &err);
	else
		REQUIRE(str_is_filename(text) && text[0] != '.' && text[0] != '-');
	r = plan_exec_user(text, &uid, &gid, &has_gid);
	REQUIRE(r == -EINVAL || (r == 0 && isdigit((unsigned char)text[0])));
	REQUIRE(rule_find(text)->section[0] && rule_find(text)->fix[0]);
	(void)mount_option_find(text);
}

/* LEFT is what a configuration asks for, RIGHT what the kernel says. */
static void labels(const char *left, const char *right)
{
	char buf[64];

	(void)label_is_apparmor(left, right);
	REQUIRE(label_is_selinux(left, left) || !strchr(left, ':') || left[0]);
	(void)label_is_selinux(left, right);
	(void)label_is_option(left);
	REQUIRE(label_unquote(left, buf, sizeof(buf)));
}

static void doctor(const char *text, const uint8_t *data, size_t size)
{
	char buf[32], path[64];
	struct doctor_subids ids;
	struct doctor_keys keys;
	unsigned major, minor;

	(void)doctor_parse_version(text, &major, &minor);
	if (doctor_parse_user(text, 1000, buf, sizeof(buf)))
		REQUIRE(memchr(buf, '\0', sizeof(buf)) && buf[0]);
	doctor_parse_subids(text, "alice", 1000, &ids);
	REQUIRE(memchr(ids.other, '\0', sizeof(ids.other)));
	(void)doctor_parse_key_users(text, 1000, &keys);
	(void)doctor_has_word(text, "kill");
	if (doctor_parse_own_cgroup(text, path, sizeof(path)))
		REQUIRE(memchr(path, '\0', sizeof(path)));
	(void)doctor_parse_map_size(text);
	(void)doctor_parse_file_cap(data, size, 7);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size), *rest = text;
	char *left;

	numbers(text);
	lists(text);
	base64(text);
	names(text);
	doctor(text, data, size);
	left = fuzz_line(&rest);
	labels(left, rest ? rest : "");
	free(text);
	return 0;
}
