// SPDX-License-Identifier: Apache-2.0
// The JSON writer: forms, escapes, failures.

#include <libocispec/oci.h>

#include <errno.h>
#include <stdlib.h>

#include "test.h"

static void fill(struct oci_json *json)
{
	oci_json_begin_object(json);
	oci_json_member_string(json, "name", "a/b");
	oci_json_member_string(json, "absent", NULL);
	oci_json_member_int(json, "least", INT64_MIN);
	oci_json_key(json, "most");
	oci_json_uint(json, UINT64_MAX);
	oci_json_member_bool(json, "yes", true);
	oci_json_key(json, "list");
	oci_json_begin_array(json);
	oci_json_int(json, 1);
	oci_json_null(json);
	oci_json_begin_object(json);
	oci_json_end_object(json);
	oci_json_begin_array(json);
	oci_json_end_array(json);
	oci_json_bool(json, false);
	oci_json_end_array(json);
	oci_json_end_object(json);
}

static void test_forms(void)
{
	struct oci_json json = {0};

	fill(&json);
	check(oci_json_finish(&json) == 0 && strlen(json.data) == json.len, "compact");
	check_text(json.data,
		   "{\"name\":\"a/b\",\"least\":-9223372036854775808,"
		   "\"most\":18446744073709551615,\"yes\":true,\"list\":[1,null,{},[],false]}",
		   "compact text");
	oci_json_free(&json);
	check(!json.data && !json.len && !json.error, "empty again");
	json.pretty = true;
	fill(&json);
	check(oci_json_finish(&json) == 0, "pretty");
	check_text(json.data,
		   "{\n  \"name\": \"a/b\",\n  \"least\": -9223372036854775808,\n"
		   "  \"most\": 18446744073709551615,\n  \"yes\": true,\n  \"list\": [\n"
		   "    1,\n    null,\n    {},\n    [],\n    false\n  ]\n}\n",
		   "pretty text");
	oci_json_free(&json);
}

static void test_hundredths(void)
{
	struct oci_json json = {0};

	oci_json_begin_array(&json);
	oci_json_hundredths(&json, 0);
	oci_json_hundredths(&json, 5);
	oci_json_hundredths(&json, 1234);
	oci_json_hundredths(&json, UINT64_MAX);
	oci_json_end_array(&json);
	check(oci_json_finish(&json) == 0, "hundredths");
	check_text(json.data, "[0.00,0.05,12.34,184467440737095516.15]", "hundredths text");
	oci_json_free(&json);
}

static void test_strings(void)
{
	static const struct {
		const char *value, *json;
	} rows[] = {
		{"", "\"\""},
		{"plain", "\"plain\""},
		{"\"\\/", "\"\\\"\\\\/\""},
		{"\b\f\n\r\t", "\"\\b\\f\\n\\r\\t\""},
		{"\x01\x1f\x7f", "\"\\u0001\\u001f\x7f\""},
		{"ä€😀", "\"ä€😀\""},
		{"a\xff"
		 "b",
		 "\"a\xef\xbf\xbd"
		 "b\""},
		{"\xc0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\""},
		{"\xe2\x82", "\"\xef\xbf\xbd\xef\xbf\xbd\""},
		{"<&>'", "\"<&>'\""},
		{NULL, "null"},
	};
	struct oci_json json = {0};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		oci_json_string(&json, rows[i].value);
		check(oci_json_finish(&json) == 0, "string");
		check_text(json.data, rows[i].json, "string text");
		oci_json_free(&json);
	}
	oci_json_string_n(&json, "a\0b", 3);
	check(oci_json_finish(&json) == 0, "string with length");
	check_text(json.data, "\"a\\u0000b\"", "NUL");
	oci_json_free(&json);
}

static void test_failures_stick(void)
{
	struct oci_state state = {.id = "x", .status = (enum oci_state_status)77};
	struct oci_json json = {0};
	int i;

	for (i = 0; i < 64; i++)
		oci_json_begin_array(&json);
	for (i = 0; i < 64; i++)
		oci_json_end_array(&json);
	check(oci_json_finish(&json) == 0 && json.len == 128, "64 levels");
	oci_json_free(&json);
	for (i = 0; i < 65; i++)
		oci_json_begin_array(&json);
	oci_json_int(&json, 1);
	check(oci_json_finish(&json) == -E2BIG, "65 levels");
	oci_json_free(&json);
	check(oci_state_write(&state, &json) == -EINVAL, "an enumerator that is none");
	oci_json_free(&json);
}

static void test_documents(void)
{
	struct oci_string_pair pairs[] = {{"a", "1"}, {"b\n", "2"}};
	struct oci_string_map annotations = {pairs, 2};
	const char *created[] = {"/sys/fs/cgroup/x", NULL};
	struct oci_state state = {
		.oci_version = "1.3.0",
		.id = "web",
		.has_pid = true,
		.pid = 42,
		.status = OCI_STATE_STATUS_RUNNING,
		.bundle = "/b",
		.annotations = &annotations,
	};
	struct oci_record record = {
		.has_version = true,
		.version = 1,
		.id = "web",
		.phase = OCI_RECORD_PHASE_INTENT,
		.cgroup_created = created,
		.cgroup_created_len = 1,
		.has_pid_start_time = true,
		.pid_start_time = UINT64_MAX,
	};
	struct oci_json json = {0};

	check(oci_state_write(&state, &json) == 0 && oci_json_finish(&json) == 0, "state");
	check_text(json.data,
		   "{\"ociVersion\":\"1.3.0\",\"id\":\"web\",\"pid\":42,\"status\":\"running\","
		   "\"bundle\":\"/b\",\"annotations\":{\"a\":\"1\",\"b\\n\":\"2\"}}",
		   "state text");
	oci_json_free(&json);
	check(oci_record_write(&record, &json) == 0 && oci_json_finish(&json) == 0, "record");
	check_text(json.data,
		   "{\"version\":1,\"id\":\"web\",\"pidStartTime\":18446744073709551615,"
		   "\"phase\":\"intent\",\"cgroupCreated\":[\"/sys/fs/cgroup/x\"]}",
		   "record text");
	oci_json_free(&json);
}

int main(void)
{
	test_forms();
	test_hundredths();
	test_strings();
	test_failures_stick();
	test_documents();
	return test_end();
}
