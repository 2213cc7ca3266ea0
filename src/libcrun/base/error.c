// SPDX-License-Identifier: Apache-2.0
// The error value: see error.h.
#include "base/error.h"

#include "base/printable.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

const char *err_describe(int errnum)
{
#ifdef HAVE_STRERRORDESC_NP
	const char *text = strerrordesc_np(errnum);

	return text ? text : "Unknown error";
#else
	return strerror(errnum);
#endif
}

bool err_is_lack(int r)
{
	return r == -ENOMEM || r == -EMFILE || r == -ENFILE || r == -EIO;
}

static enum crun_error_kind kind_of_errno(int errnum)
{
	switch (errnum) {
	case EPERM:
	case EACCES:
	case EROFS:
		return KIND_PERMISSION;
	case ENOSYS:
	case EOPNOTSUPP:
		return KIND_UNSUPPORTED;
	case ETIMEDOUT:
		return KIND_TIMEOUT;
	default:
		return KIND_SYSTEM;
	}
}

static const struct {
	const char *name;
	enum crun_error_kind kind;
} codes[CODE_MAX] = {
#define SECTION(title)
#define CODE(name, kind, meaning, action) [CODE_##name] = {#name, kind},
#include "base/error_codes.def"
#undef CODE
#undef SECTION
};

/* For failures that were given a kind only. */
static const uint16_t general_codes[KIND_MAX] = {
	[KIND_NONE] = CODE_INTERNAL,
	[KIND_SPEC] = CODE_CONFIG_VALUE,
	[KIND_NOT_FOUND] = CODE_OBJECT_MISSING,
	[KIND_EXISTS] = CODE_OBJECT_EXISTS,
	[KIND_STATE] = CODE_CONTAINER_STATE,
	[KIND_PERMISSION] = CODE_ACCESS_REFUSED,
	[KIND_UNSUPPORTED] = CODE_UNSUPPORTED,
	[KIND_SYSTEM] = CODE_SYSTEM_CALL,
	[KIND_HOOK] = CODE_HOOK_FAILED,
	[KIND_TIMEOUT] = CODE_TIMEOUT,
	[KIND_INTERRUPTED] = CODE_INTERRUPTED,
	[KIND_INTERNAL] = CODE_INTERNAL,
};

static bool is_code(unsigned code)
{
	return code > CODE_NONE && code < CODE_MAX;
}

/* These have run out for everybody on the host or in crun's cgroup, whatever the step was. */
static uint16_t code_of_errno(int errnum)
{
	switch (errnum) {
	case ENOMEM:
		return CODE_NO_MEMORY;
	case EMFILE:
	case ENFILE:
		return CODE_FILE_LIMIT;
	default:
		return 0;
	}
}

__attribute__((format(printf, 2, 0))) static void set_text(struct crun_error *err, const char *fmt,
							   va_list ap)
{
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	/* One line whatever the image put into a path: callers match single lines. */
	make_printable(err->text);
}

int err_set(struct crun_error *err, unsigned what, int errnum, const char *fmt, ...)
{
	va_list ap;

	memset(err, 0, sizeof(*err));
	err->errnum = errnum;
	err->kind = (uint16_t)(is_code(what) ? codes[what].kind : what);
	err->code = is_code(what) ? (uint16_t)what : 0;
	va_start(ap, fmt);
	set_text(err, fmt, ap);
	va_end(ap);
	return -errnum;
}

__attribute__((format(printf, 3, 0))) static void set_sys(struct crun_error *err, int r,
							  const char *fmt, va_list ap)
{
	const char *reason = err_describe(-r);
	size_t used, room = sizeof(err->text) - strlen(": ") - strlen(reason) - 1;

	memset(err, 0, sizeof(*err));
	err->errnum = -r;
	err->kind = kind_of_errno(-r);
	err->code = code_of_errno(-r);
	set_text(err, fmt, ap);
	/* A name of the image's may be as long as it likes: it is cut, not the reason. */
	used = strnlen(err->text, room);
	snprintf(err->text + used, sizeof(err->text) - used, ": %s", reason);
}

int err_sys(struct crun_error *err, int r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set_sys(err, r, fmt, ap);
	va_end(ap);
	return r;
}

int err_sys_code(struct crun_error *err, enum crun_error_code code, int r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	set_sys(err, r, fmt, ap);
	va_end(ap);
	if (!err->code)
		err->code = code;
	return r;
}

int err_in(struct crun_error *err, const char *fmt, ...)
{
	struct crun_error frame = {0};
	va_list ap;
	size_t head, tail;

	va_start(ap, fmt);
	set_text(&frame, fmt, ap);
	va_end(ap);
	head = strlen(frame.text);
	tail = strlen(err->text);
	/* The innermost text holds the reason: when both do not fit, the new frame is what is cut. */
	if (tail + 3 > sizeof(err->text))
		return -err->errnum;
	if (head + 2 + tail + 1 > sizeof(err->text))
		head = sizeof(err->text) - tail - 3;
	memmove(err->text + head + 2, err->text, tail + 1);
	memcpy(err->text, frame.text, head);
	memcpy(err->text + head, ": ", 2);
	return -err->errnum;
}

int err_and(struct crun_error *err, const char *fmt, ...)
{
	size_t used = strlen(err->text);
	struct crun_error more = {0};
	va_list ap;

	va_start(ap, fmt);
	set_text(&more, fmt, ap);
	va_end(ap);
	snprintf(err->text + used, sizeof(err->text) - used, "; %s", more.text);
	return -err->errnum;
}

int err_at(struct crun_error *err, const char *fmt, ...)
{
	va_list ap;

	if (err->at[0] == '\0') {
		va_start(ap, fmt);
		vsnprintf(err->at, sizeof(err->at), fmt, ap);
		va_end(ap);
		make_printable(err->at);
	}
	return -err->errnum;
}

int err_at_key(struct crun_error *err, const char *object, const char *key)
{
	char token[sizeof(err->at)];
	size_t n = 0;

	for (; *key && n + 2 < sizeof(token); key++) {
		if (*key == '~' || *key == '/') {
			token[n++] = '~';
			token[n++] = *key == '~' ? '0' : '1';
		} else {
			token[n++] = *key;
		}
	}
	token[n] = '\0';
	return err_at(err, "%s/%s", object, token);
}

int err_kind(struct crun_error *err, enum crun_error_kind kind)
{
	err->kind = kind;
	return -err->errnum;
}

int err_code(struct crun_error *err, enum crun_error_code code)
{
	err->code = code;
	return -err->errnum;
}

int err_code_of_step(struct crun_error *err, unsigned code)
{
	const unsigned of_no_step = 1U << KIND_STATE | 1U << KIND_HOOK | 1U << KIND_TIMEOUT |
				    1U << KIND_INTERRUPTED | 1U << KIND_INTERNAL;

	if (!err->code && is_code(code) && err->kind < KIND_MAX && !(of_no_step & 1U << err->kind))
		err->code = (uint16_t)code;
	return -err->errnum;
}

size_t err_format(const struct crun_error *err, char *buf, size_t size)
{
	int n;

	/* In front, as the parser has it: callers want the errno's words at the end. */
	if (err->at[0] && !strstr(err->text, err->at))
		n = snprintf(buf, size, "%s: %s", err->at, err->text);
	else
		n = snprintf(buf, size, "%s", err->text);
	if (n < 0)
		return 0;
	return (size_t)n < size ? (size_t)n : size - 1;
}

const char *err_kind_name(unsigned kind)
{
	static const char *const names[KIND_MAX] = {
		"NONE",	       "SPEC",	 "NOT_FOUND", "EXISTS",	 "STATE",	"PERMISSION",
		"UNSUPPORTED", "SYSTEM", "HOOK",      "TIMEOUT", "INTERRUPTED", "INTERNAL",
	};

	return kind < KIND_MAX ? names[kind] : "INTERNAL";
}

const char *err_code_name(const struct crun_error *err)
{
	/* The error may be that of a container's init, of another version or, at worst, made up. */
	if (is_code(err->code))
		return codes[err->code].name;
	return codes[general_codes[err->kind < KIND_MAX ? err->kind : KIND_INTERNAL]].name;
}
