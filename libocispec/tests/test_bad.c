// SPDX-License-Identifier: Apache-2.0
// Bad documents: each class gets exactly one sentence, with its place.

#include <libocispec/oci.h>

#include <errno.h>
#include <stdlib.h>

#include "test.h"

#define V "{\"ociVersion\":\"1.0.0\"," /* 22 characters */

static const struct {
	const char *document, *sentence;
} configs[] = {
	/* not a document */
	{"", "c: the document is empty"},
	{" \n ", "c:2:2: the document ends before it is complete"},
	{"[]", "c:1:1: expected an object, found an array"},
	{"3", "c:1:1: expected an object, found a number (3)"},
	{"3 ", "c:1:1: expected an object, found a number (3)"},
	{"\"x\"", "c:1:1: expected an object, found a string (\"x\")"},
	{"true", "c:1:1: expected an object, found true"},
	{"null", "c:1:1: expected an object, found null"},
	{"\xef\xbb\xbf{}", "c:1:1: the document begins with a byte order mark"},
	{"\x7f"
	 "ELF",
	 "c:1:1: unexpected character"},

	/* truncated */
	{"{", "c:1:2: the document ends before it is complete"},
	{V "\"process\":{\"cwd\":\"/\",\"args\":[\"sh\"",
	 "c:1:56: /process/args/0: the document ends before it is complete"},
	{V "\"x\":\"abc", "c:1:31: /x: the document ends before it is complete"},
	{V "\"x\":1e", "c:1:29: /x: the document ends before it is complete"},
	{V "\"x\":tr", "c:1:29: /x: the document ends before it is complete"},

	/* syntax */
	{"{]", "c:1:2: expected a string as key"},
	{V "}", "c:1:23: expected a string as key"},
	{V "\"annotations\":{\"a\":\"b\",}}", "c:1:46: /annotations: expected a string as key"},
	{"{\"ociVersion\":\"1.0.0\" \"root\"}", "c:1:23: expected a comma or a closing brace"},
	{"{\"ociVersion\":\"1.0.0\" 3}", "c:1:23: expected a comma or a closing brace"},
	{"{\"ociVersion\":\"1.0.0\"  {}}", "c:1:24: expected a comma or a closing brace"},
	{"{\"ociVersion\":null true}", "c:1:20: expected a comma or a closing brace"},
	{V "\"mounts\":[{\"destination\":\"a\"} 2]}",
	 "c:1:53: /mounts/0: expected a comma or a closing bracket"},
	{V "\"hostname\"  \"x\"}", "c:1:35: /hostname: expected a colon after the key"},
	{V "\"y\":}", "c:1:27: /y: this is not allowed here"},
	{V "\"hostname\":tru}",
	 "c:1:34: /hostname: unknown word; only true, false and null have no quotes"},
	{"{'ociVersion':1}", "c:1:2: unexpected character"},
	{"/* c */ {}", "c:1:1: comments are not allowed"},
	{V "\"x\":-}", "c:1:27: /x: malformed number"},
	{V "\"x\":1.}", "c:1:27: /x: malformed number"},
	{V "\"hostname\":\"a\\x\"}", "c:1:36: /hostname: unknown escape sequence in a string"},
	{V "\"hostname\":\"\\u12G4\"}", "c:1:39: /hostname: bad \\u escape sequence in a string"},
	{V "\"hostname\":\"a\nb\"}", "c:1:36: /hostname: control character in a string"},

	/* trailing garbage */
	{"{\"ociVersion\":\"1.0.0\"} x",
	 "c:1:24: there is something after the end of the document"},
	{"{\"ociVersion\":\"1.0.0\"}\n{}",
	 "c:2:1: there is something after the end of the document"},

	/* invalid UTF-8 */
	{V "\"hostname\":\"a\xff\"}", "c:1:36: invalid UTF-8 (byte 0xff)"},
	{V "\"x\":\"\xc0\x80\"}", "c:1:28: invalid UTF-8 (byte 0xc0)"},
	{V "\"x\":\"\xed\xa0\x80\"}", "c:1:28: invalid UTF-8 (byte 0xed)"},
	{V "\"x\":\"\xf4\x90\x80\x80\"}", "c:1:28: invalid UTF-8 (byte 0xf4)"},
	{V "\"x\":\"\xe2\x82\"}", "c:1:28: invalid UTF-8 (byte 0xe2)"},
	{"{\xf0\x9f\x98", "c:1:2: invalid UTF-8 (byte 0xf0)"},

	/* wrong type */
	{V "\"process\":{\"cwd\":\"/\",\"args\":[\"sh\",42]}}",
	 "c:1:57: /process/args/1: expected a string, found a number (42)"},
	{V "\"process\":{\"cwd\":\"/\",\"args\":\"sh\"}}",
	 "c:1:51: /process/args: expected an array, found a string (\"sh\")"},
	{V "\"process\":{\"cwd\":\"/\",\"args\":{}}}",
	 "c:1:51: /process/args: expected an array, found an object"},
	{V "\"process\":{\"cwd\":\"/\",\"args\":[[]]}}",
	 "c:1:52: /process/args/0: expected a string, found an array"},
	{V "\"process\":{\"cwd\":\"/\",\"args\":[null]}}",
	 "c:1:52: /process/args/0: expected a string, found null"},
	{V "\"process\":{\"cwd\":\"/\",\"args\":[{}]}}",
	 "c:1:52: /process/args/0: expected a string, found an object"},
	{V "\"process\":{\"cwd\":\"/\",\"terminal\":\"true\"}}",
	 "c:1:55: /process/terminal: expected true or false, found a string (\"true\")"},
	{V "\"process\":{\"cwd\":\"/\",\"terminal\":1}}",
	 "c:1:55: /process/terminal: expected true or false, found a number (1)"},
	{V "\"process\":[]}", "c:1:33: /process: expected an object, found an array"},
	{V "\"hostname\":7}", "c:1:34: /hostname: expected a string, found a number (7)"},
	{V "\"hostname\":false}", "c:1:34: /hostname: expected a string, found false"},
	{V "\"annotations\":[]}", "c:1:37: /annotations: expected an object, found an array"},
	{V "\"annotations\":{\"a\":1}}",
	 "c:1:42: /annotations/a: expected a string, found a number (1)"},
	{V "\"annotations\":{\"a\":null}}",
	 "c:1:42: /annotations/a: expected a string, found null"},
	{V "\"linux\":{\"netDevices\":{\"eth0\":\"x\"}}}",
	 "c:1:53: /linux/netDevices/eth0: expected an object, found a string (\"x\")"},
	{V "\"mounts\":[1]}", "c:1:33: /mounts/0: expected an object, found a number (1)"},
	{V "\"linux\":{\"namespaces\":[{\"type\":3}]}}",
	 "c:1:54: /linux/namespaces/0/type: expected a namespace type, found a number (3)"},
	{V "\"process\":{\"cwd\":\"/\",\"oomScoreAdj\":\"9\"}}",
	 "c:1:58: /process/oomScoreAdj: expected an integer from -2147483648 to 2147483647, "
	 "found a string (\"9\")"},

	/* missing */
	{"{}", "c:1:1: the required field \"ociVersion\" is missing"},
	{"\n\n  {\"ociVersion\":null}", "c:3:3: the required field \"ociVersion\" is missing"},
	{V "\"root\":{}}", "c:1:30: /root: the required field \"path\" is missing"},
	{V "\"mounts\":[{\"destination\":\"/a\"},\n {\"source\":\"/b\"}]}",
	 "c:2:2: /mounts/1: the required field \"destination\" is missing"},
	{V "\"process\":{\"args\":[]}}", "c:1:33: /process: the required field \"cwd\" is missing"},

	/* unknown enum values */
	{V "\"linux\":{\"namespaces\":[{\"type\":\"network5\"}]}}",
	 "c:1:54: /linux/namespaces/0/type: expected a namespace type, found \"network5\" "
	 "(did you mean \"network\"?)"},
	{V "\"linux\":{\"namespaces\":[{\"type\":\"zzzzz\"}]}}",
	 "c:1:54: /linux/namespaces/0/type: expected a namespace type (one of pid, network, mount, "
	 "ipc, uts, user, cgroup, time), found \"zzzzz\""},
	{V "\"linux\":{\"seccomp\":{\"defaultAction\":\"scmp_act_errno\"}}}",
	 "c:1:59: /linux/seccomp/defaultAction: expected a seccomp action, "
	 "found \"scmp_act_errno\" (did you mean \"SCMP_ACT_ERRNO\"?)"},
	{V "\"linux\":{\"namespaces\":[{\"type\":\"pid\\u0000xxxx\"}]}}",
	 "c:1:54: /linux/namespaces/0/type: expected a namespace type (one of pid, network, mount, "
	 "ipc, uts, user, cgroup, time), found \"pid?xxxx\""},
	{V "\"linux\":{\"rootfsPropagation\":\"\"}}",
	 "c:1:52: /linux/rootfsPropagation: expected a mount propagation (one of shared, slave, "
	 "private, unbindable, rshared, rslave, rprivate, runbindable), found \"\""},

	/* numbers */
	{V "\"process\":{\"cwd\":\"/\",\"user\":{\"uid\":4294967296}}}",
	 "c:1:58: /process/user/uid: expected an integer from 0 to 4294967295, found 4294967296"},
	{V "\"process\":{\"cwd\":\"/\",\"user\":{\"uid\":-1}}}",
	 "c:1:58: /process/user/uid: expected an integer from 0 to 4294967295, found -1"},
	{V "\"process\":{\"cwd\":\"/\",\"user\":{\"uid\":1e3}}}",
	 "c:1:58: /process/user/uid: expected an integer from 0 to 4294967295, found 1e3"},
	{V "\"process\":{\"cwd\":\"/\",\"user\":{\"uid\":1.0}}}",
	 "c:1:58: /process/user/uid: expected an integer from 0 to 4294967295, found 1.0"},

	/* duplicates */
	{V "\"hostname\":\"a\",\n\"hostname\":\"b\"}",
	 "c:2:1: /hostname: the key \"hostname\" is given twice"},
	{V "\"annotations\":{\"a/b\":\"x\",\"c~\":\"d\",\n\"a/b\":\"y\"}}",
	 "c:2:1: /annotations/a~1b: the key \"a/b\" is given twice"},
	{V "\"annotations\":{\"a\":\"x\",\n\"\\u0061\":\"y\"}}",
	 "c:2:1: /annotations/a: the key \"a\" is given twice"},

	/* strings */
	{V "\"hostname\":\"a\\u0000b\"}",
	 "c:1:34: /hostname: expected a string without \\u0000, found \"a?b\""},
	{V "\"annotations\":{\"a\\u0000b\":\"\"}}",
	 "c:1:38: /annotations/a: expected a key without \\u0000"},
	{"{\"ociVersion\":\"2.0.0\"}", "c:1:15: /ociVersion: expected a specification version 1.x "
				       "such as \"1.3.0\", found \"2.0.0\""},
	{"{\"ociVersion\":\"0.5.0-dev\"}", "c:1:15: /ociVersion: expected a specification version "
					   "1.x such as \"1.3.0\", found \"0.5.0-dev\""},
	{"{\"ociVersion\":\"1.\"}",
	 "c:1:15: /ociVersion: expected a specification version 1.x such "
	 "as \"1.3.0\", found \"1.\""},
	{"{\"ociVersion\":\"1.0\"}", "c:1:15: /ociVersion: expected a specification version 1.x "
				     "such as \"1.3.0\", found \"1.0\""},
	{"{\"ociVersion\":\"1.0.0-\"}",
	 "c:1:15: /ociVersion: expected a specification version 1.x such as \"1.3.0\", "
	 "found \"1.0.0-\""},
	{"{\"ociVersion\":\"1.0.0\x1b[31m\"}",
	 "c:1:21: /ociVersion: control character in a string"},
	{"{\"ociVersion\":\"9\\u001b[31m\"}",
	 "c:1:15: /ociVersion: expected a specification version 1.x such as \"1.3.0\", "
	 "found \"9?[31m\""},
	{V "\"linux\":{\"resources\":{\"hugepageLimits\":[{\"pageSize\":\"64kB\",\"limit\":1}]}}}",
	 "c:1:75: /linux/resources/hugepageLimits/0/pageSize: expected a page size such as "
	 "\"64KB\", \"2MB\" or \"1GB\", found \"64kB\""},
	{V "\"linux\":{\"intelRdt\":{\"memBwSchema\":\"L3:0=f\"}}}",
	 "c:1:58: /linux/intelRdt/memBwSchema: expected one line that begins with \"MB:\", found "
	 "\"L3:0=f\""},
};

static int parse(const char *text, size_t len, struct oci_parse_error *err)
{
	struct oci_arena arena = {0};
	struct oci_config *config = NULL;
	int r = oci_config_parse("c", text, len, &arena, &config, err);

	if (r < 0 && config)
		check(false, "no result with an error");
	oci_arena_free(&arena);
	return r;
}

static void test_sentences(void)
{
	struct oci_parse_error err;
	size_t i;
	int r;

	for (i = 0; i < sizeof(configs) / sizeof(configs[0]); i++) {
		err = (struct oci_parse_error){.text = "(accepted)"};
		r = parse(configs[i].document, strlen(configs[i].document), &err);
		check_text(err.text, configs[i].sentence, "sentence");
		check(r == -EINVAL && err.errnum == EINVAL, "is -EINVAL: %.40s",
		      configs[i].document);
	}
}

/* Nesting of exactly so many levels, inside an unknown field. */
static int parse_nested(int levels, struct oci_parse_error *err)
{
	char text[1024];
	int n = snprintf(text, sizeof(text), "{\"ociVersion\":\"1.0.0\",\"x\":"), i;

	for (i = 1; i < levels; i++)
		text[n++] = '[';
	for (i = 1; i < levels; i++)
		text[n++] = ']';
	text[n++] = '}';
	return parse(text, (size_t)n, err);
}

static void test_nesting(void)
{
	struct oci_parse_error err;

	check(parse_nested(OCI_MAX_NESTING, &err) == 0, "64 levels are good");
	check(parse_nested(OCI_MAX_NESTING + 1, &err) == -EINVAL, "65 levels are not");
	check_text(err.text, "c:1:90: /x: nested deeper than 64 levels", "sentence");
	check_text(err.pointer, "/x", "pointer");
	check(err.line == 1 && err.column == 90, "line and column");
}

static void test_size(void)
{
	size_t len = OCI_MAX_TEXT + 1;
	struct oci_parse_error err;
	char *text = malloc(len);

	if (!text)
		return;
	memset(text, ' ', len);
	memcpy(text, "{\"ociVersion\":\"1.0.0\"}", 22);
	check(parse(text, OCI_MAX_TEXT, &err) == 0, "16 MiB are good");
	check(parse(text, len, &err) == -EFBIG, "a byte more is not");
	check_text(err.text, "c: the document is larger than 16 MiB", "sentence");
	free(text);
}

/* Long keys and values are cut at whole characters. */
static void test_long(void)
{
	struct oci_parse_error err;
	char *text = malloc(4096);
	size_t n, i;

	if (!text)
		return;
	n = (size_t)snprintf(text, 4096, V "\"annotations\":{\"");
	for (i = 0; i < 500; i++) {
		memcpy(text + n, "ä", 2);
		n += 2;
	}
	n += (size_t)snprintf(text + n, 4096 - n, "\":3}}");
	check(parse(text, n, &err) == -EINVAL, "long key");
	check(strlen(err.pointer) > 240, "pointer is as long as it can be");
	check(strstr(err.text, "ä: expected a string, found a number (3)") != NULL,
	      "the pointer ends with a whole character");

	n = (size_t)snprintf(text, 4096, "{\"ociVersion\":\"");
	for (i = 0; i < 500; i++) {
		memcpy(text + n, "€", 3);
		n += 3;
	}
	n += (size_t)snprintf(text + n, 4096 - n, "\"}");
	check(parse(text, n, &err) == -EINVAL, "long value");
	check(strstr(err.text, "€…\"") != NULL, "the value ends with a whole character");
	free(text);
}

/* A map with more keys than are compared pairwise. */
static void test_many_keys(void)
{
	struct oci_parse_error err;
	char *text = malloc(1 << 16);
	size_t n;
	int i;

	if (!text)
		return;
	n = (size_t)snprintf(text, 64, V "\"annotations\":{\n");
	for (i = 0; i < 1000; i++)
		n += (size_t)snprintf(text + n, 32, "\"key%d\":\"v\",\n", i);
	n += (size_t)snprintf(text + n, 32, "\"last\":\"v\"}}");
	check(parse(text, n, &err) == 0, "1001 keys");
	memcpy(strstr(text, "key901"), "key123", 6);
	check(parse(text, n, &err) == -EINVAL, "one of them twice");
	check_text(err.text, "c:903:1: /annotations/key123: the key \"key123\" is given twice",
		   "sentence");
	free(text);
}

static void test_other_roots(void)
{
	static const char state[] = "{\"ociVersion\":\"1\",\"id\":\"a\",\"status\":\"running2\"}";
	struct oci_arena arena = {0};
	struct oci_features *features = NULL;
	struct oci_state *state_struct = NULL;
	struct oci_linux_resources *resources = NULL;
	struct oci_record *record = NULL;
	struct oci_parse_error err;

	check(oci_features_parse(NULL, "{\"ociVersionMin\":\"1\"}", 21, &arena, &features, &err) ==
		      -EINVAL,
	      "features");
	check_text(err.text, "features.json:1:1: the required field \"ociVersionMax\" is missing",
		   "features sentence with the usual name");
	check(oci_state_parse("s", state, sizeof(state) - 1, &arena, &state_struct, &err) ==
		      -EINVAL,
	      "state");
	check_text(err.text,
		   "s:1:37: /status: expected a container status, found \"running2\" (did you mean "
		   "\"running\"?)",
		   "state sentence");
	check(oci_linux_resources_parse("-", "{\"pids\":{\"limit\":1.5}}", 22, &arena, &resources,
					&err) == -EINVAL,
	      "resources");
	check_text(err.pointer, "/pids/limit", "resources pointer");
	check(oci_record_parse("r", "{\"version\":0}", 13, &arena, &record, &err) == -EINVAL,
	      "record");
	check_text(err.text, "r:1:12: /version: expected an integer from 1 to 2147483647, found 0",
		   "record sentence");
	oci_arena_free(&arena);
}

int main(void)
{
	test_sentences();
	test_nesting();
	test_size();
	test_long();
	test_many_keys();
	test_other_roots();
	return test_end();
}
