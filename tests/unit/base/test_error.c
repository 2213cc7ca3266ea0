// SPDX-License-Identifier: Apache-2.0
// The error value: what a person and an engine get to read whatever the names in it are.
#include "base/error.h"

#include "../test.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

static struct crun_error err;

/* N times C, in a static buffer. */
static const char *many(char c, size_t n)
{
	static char text[4096];

	memset(text, c, n);
	text[n] = '\0';
	return text;
}

TEST(set_keeps_kind_errnum_and_text)
{
	memset(&err, 0xff, sizeof(err));
	CHECK_INT(err_set(&err, KIND_STATE, EBUSY, "container `%s` is busy", "box"), -EBUSY);
	CHECK_INT(err.errnum, EBUSY);
	CHECK_INT(err.kind, KIND_STATE);
	CHECK_STR(err.text, "container `box` is busy");
	CHECK_STR(err.at, "");
	CHECK_INT(err.signal, 0);
}

TEST(sys_appends_the_reason)
{
	CHECK_INT(err_sys(&err, -ENOENT, "open `%s`", "/x"), -ENOENT);
	CHECK_STR(err.text, "open `/x`: No such file or directory");
	CHECK_INT(err.errnum, ENOENT);
}

TEST(sys_knows_the_kind)
{
	static const struct {
		int errnum, kind;
	} rows[] = {
		{EPERM, KIND_PERMISSION},	{EACCES, KIND_PERMISSION},
		{EROFS, KIND_PERMISSION},	{ENOSYS, KIND_UNSUPPORTED},
		{EOPNOTSUPP, KIND_UNSUPPORTED}, {ETIMEDOUT, KIND_TIMEOUT},
		{ENOENT, KIND_SYSTEM},		{EINVAL, KIND_SYSTEM},
		{EPIPE, KIND_SYSTEM},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CHECK_INT(err_sys(&err, -rows[i].errnum, "call"), -rows[i].errnum);
		CHECK_INT(err.kind, rows[i].kind);
	}
}

TEST(frames_go_in_front)
{
	err_sys(&err, -EACCES, "open `/a`");
	CHECK_INT(err_in(&err, "mount to `%s`", "/b"), -EACCES);
	CHECK_INT(err_in(&err, "container `%s`", "c"), -EACCES);
	CHECK_STR(err.text, "container `c`: mount to `/b`: open `/a`: Permission denied");
	CHECK_INT(err.kind, KIND_PERMISSION);
}

TEST(at_is_set_once)
{
	err_set(&err, KIND_SPEC, EINVAL, "wrong");
	CHECK_INT(err_at(&err, "/mounts/%d", 3), -EINVAL);
	CHECK_INT(err_at(&err, "/mounts"), -EINVAL);
	CHECK_STR(err.at, "/mounts/3");
	err_in(&err, "frame");
	CHECK_STR(err.at, "/mounts/3");
	err_set(&err, KIND_SPEC, EINVAL, "another");
	CHECK_STR(err.at, "");
}

TEST(at_key_is_a_json_pointer)
{
	err_set(&err, KIND_SPEC, EINVAL, "wrong");
	CHECK_INT(err_at_key(&err, "/linux/sysctl", "net/ipv4/a~b"), -EINVAL);
	CHECK_STR(err.at, "/linux/sysctl/net~1ipv4~1a~0b");
	err.at[0] = '\0';
	err_at_key(&err, "/linux/sysctl", many('/', 500));
	CHECK(strlen(err.at) < sizeof(err.at));
}

TEST(one_line_whatever_the_names_are)
{
	err_set(&err, KIND_SPEC, EINVAL, "a\nb\tc\x1b[31md\x7f\r");
	CHECK_STR(err.text, "a?b?c?[31md??");
	err_sys(&err, -ENOENT, "open `%s`", "x\ny");
	CHECK_STR(err.text, "open `x?y`: No such file or directory");
	err_in(&err, "f\n1");
	CHECK_STR(err.text, "f?1: open `x?y`: No such file or directory");
	err_at_key(&err, "/k", "new\nline");
	CHECK_STR(err.at, "/k/new?line");
	err_set(&err, KIND_SPEC, EINVAL,
		"a\xc2\x9b"
		"31m\xc2\x85"
		"b");
	CHECK_STR(err.text, "a??31m??b");
}

TEST(bytes_above_ascii_stay)
{
	err_set(&err, KIND_SPEC, EINVAL, "Größe \xc2\xa0 \xc2");
	CHECK_STR(err.text, "Größe \xc2\xa0 \xc2");
	err_set(&err, KIND_SPEC, EINVAL, "\xff \x9b");
	CHECK_STR(err.text, "\xff \x9b");
}

TEST(a_long_name_does_not_cut_the_reason)
{
	const char *reason = ": No such file or directory";
	size_t n;

	for (size_t len = sizeof(err.text) - 40; len < sizeof(err.text) + 40; len++) {
		CHECK_INT(err_sys(&err, -ENOENT, "%s", many('x', len)), -ENOENT);
		n = strlen(err.text);
		CHECK(n < sizeof(err.text));
		CHECK_STR(err.text + n - strlen(reason), reason);
	}
	CHECK_INT(strlen(err.text), sizeof(err.text) - 1);
}

TEST(a_long_frame_is_cut_not_the_reason)
{
	const char *reason = "open `/a`: Permission denied";
	size_t n;

	for (size_t len = sizeof(err.text) - 60; len < sizeof(err.text) + 60; len++) {
		err_sys(&err, -EACCES, "open `/a`");
		CHECK_INT(err_in(&err, "%s", many('f', len)), -EACCES);
		n = strlen(err.text);
		CHECK(n < sizeof(err.text));
		CHECK(n > strlen(reason));
		CHECK_STR(err.text + n - strlen(reason), reason);
	}
}

TEST(frames_onto_a_full_text)
{
	char before[sizeof(err.text)];

	for (size_t room = 0; room < 6; room++) {
		err_set(&err, KIND_SPEC, EINVAL, "%s", many('r', sizeof(err.text) - 1 - room));
		snprintf(before, sizeof(before), "%s", err.text);
		err_in(&err, "frame");
		CHECK(strlen(err.text) < sizeof(err.text));
		CHECK_STR(err.text + strlen(err.text) - strlen(before), before);
	}
}

TEST(many_frames_keep_the_reason)
{
	const char *reason = "the reason";

	err_set(&err, KIND_SPEC, EINVAL, "%s", reason);
	for (int i = 0; i < 1000; i++)
		err_in(&err, "frame %d", i);
	CHECK(strlen(err.text) < sizeof(err.text));
	CHECK_STR(err.text + strlen(err.text) - strlen(reason), reason);
}

TEST(format_adds_the_place)
{
	char buf[64];

	err_set(&err, KIND_SPEC, EINVAL, "wrong");
	CHECK_INT(err_format(&err, buf, sizeof(buf)), 5);
	CHECK_STR(buf, "wrong");
	err_at(&err, "/root");
	CHECK_INT(err_format(&err, buf, sizeof(buf)), strlen("/root: wrong"));
	CHECK_STR(buf, "/root: wrong");
	CHECK_INT(err_format(&err, buf, 4), 3);
	CHECK_STR(buf, "/ro");
	/* A sentence that names the place already does not get it twice. */
	err_set(&err, KIND_SPEC, EINVAL, "/root: wrong");
	err_at(&err, "/root");
	err_format(&err, buf, sizeof(buf));
	CHECK_STR(buf, "/root: wrong");
	CHECK_INT(err_format(&err, buf, 1), 0);
	CHECK_STR(buf, "");
}

TEST(kinds_have_names)
{
	static const char *const names[] = {
		"NONE",	       "SPEC",	 "NOT_FOUND", "EXISTS",	 "STATE",	"PERMISSION",
		"UNSUPPORTED", "SYSTEM", "HOOK",      "TIMEOUT", "INTERRUPTED", "INTERNAL",
	};

	CHECK_INT(sizeof(names) / sizeof(names[0]), KIND_MAX);
	for (unsigned i = 0; i < KIND_MAX; i++)
		CHECK_STR(err_kind_name(i), names[i]);
	CHECK_STR(err_kind_name(KIND_MAX), "INTERNAL");
	CHECK_STR(err_kind_name(65535), "INTERNAL");
	err_set(&err, KIND_SPEC, EINVAL, "wrong");
	CHECK_INT(err_kind(&err, KIND_HOOK), -EINVAL);
	CHECK_INT(err.kind, KIND_HOOK);
}

TEST(every_errno_has_a_description)
{
	CHECK_STR(err_describe(ENOENT), "No such file or directory");
	for (int e = -5; e < 5000; e++)
		CHECK(err_describe(e) && err_describe(e)[0]);
}

TEST(a_code_brings_its_kind)
{
	CHECK_INT(err_set(&err, CODE_COMMAND_MISSING, ENOENT, "no `x`"), -ENOENT);
	CHECK_INT(err.kind, KIND_NOT_FOUND);
	CHECK_INT(err.code, CODE_COMMAND_MISSING);
	CHECK_STR(err_code_name(&err), "COMMAND_MISSING");
	CHECK_INT(err_code(&err, CODE_MASK), -ENOENT);
	CHECK_STR(err_code_name(&err), "MASK");
	CHECK_INT(err.kind, KIND_NOT_FOUND);
}

TEST(each_kind_has_a_general_code)
{
	static const char *const names[KIND_MAX] = {
		"INTERNAL",	   "CONFIG_VALUE",   "OBJECT_MISSING", "OBJECT_EXISTS",
		"CONTAINER_STATE", "ACCESS_REFUSED", "UNSUPPORTED",    "SYSTEM_CALL",
		"HOOK_FAILED",	   "TIMEOUT",	     "INTERRUPTED",    "INTERNAL",
	};

	for (unsigned kind = KIND_NONE; kind < KIND_MAX; kind++) {
		err_set(&err, kind, EINVAL, "why");
		CHECK_INT(err.code, 0);
		CHECK_INT(err.kind, kind);
		CHECK_STR(err_code_name(&err), names[kind]);
	}
	/* From another version's init. */
	err.kind = 77;
	CHECK_STR(err_code_name(&err), "INTERNAL");
	err.code = CODE_MAX;
	CHECK_STR(err_code_name(&err), "INTERNAL");
	err.code = CODE_NONE;
	CHECK_STR(err_code_name(&err), "INTERNAL");
}

TEST(the_code_of_a_call)
{
	CHECK_INT(err_sys_code(&err, CODE_DEVICE, -EACCES, "pivot_root to `%s`", "/r"), -EACCES);
	CHECK_STR(err.text, "pivot_root to `/r`: Permission denied");
	CHECK_INT(err.kind, KIND_PERMISSION);
	CHECK_STR(err_code_name(&err), "DEVICE");
	err_sys_code(&err, CODE_DEVICE, -ENOMEM, "call");
	CHECK_STR(err_code_name(&err), "NO_MEMORY");
	err_sys(&err, -EMFILE, "call");
	CHECK_STR(err_code_name(&err), "FILE_LIMIT");
	err_sys(&err, -ENFILE, "call");
	CHECK_STR(err_code_name(&err), "FILE_LIMIT");
	err_sys(&err, -ENOENT, "call");
	CHECK_STR(err_code_name(&err), "SYSTEM_CALL");
	err_sys(&err, -EPERM, "call");
	CHECK_STR(err_code_name(&err), "ACCESS_REFUSED");
}

TEST(a_step_names_what_has_no_code)
{
	err_sys(&err, -EINVAL, "call");
	CHECK_INT(err_code_of_step(&err, 0), -EINVAL);
	CHECK_STR(err_code_name(&err), "SYSTEM_CALL");
	CHECK_INT(err_code_of_step(&err, CODE_MASK), -EINVAL);
	CHECK_STR(err_code_name(&err), "MASK");
	/* An outer step does not know better. */
	err_code_of_step(&err, CODE_DEVICE);
	CHECK_STR(err_code_name(&err), "MASK");
	err_sys(&err, -ENOMEM, "call");
	err_code_of_step(&err, CODE_MASK);
	CHECK_STR(err_code_name(&err), "NO_MEMORY");
	for (unsigned kind = KIND_STATE; kind < KIND_MAX; kind++) {
		bool of_step =
			kind == KIND_PERMISSION || kind == KIND_UNSUPPORTED || kind == KIND_SYSTEM;

		err_set(&err, kind, EIO, "why");
		err_code_of_step(&err, CODE_MASK);
		CHECK_INT(err.code, of_step ? CODE_MASK : 0);
	}
}

TEST(layout_that_other_versions_know)
{
	/* `crun start` may be of another version than the init that it listens to. */
	CHECK_INT(sizeof(struct crun_error), 1528);
	CHECK_INT(offsetof(struct crun_error, at), 8);
	CHECK_INT(offsetof(struct crun_error, text), 168);
	CHECK_INT(offsetof(struct crun_error, code), 1526);
}

TEST_MAIN()
