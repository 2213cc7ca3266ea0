// SPDX-License-Identifier: Apache-2.0
// The error value: see error.h.
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
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

/* Text is one line whatever the image put into a path: callers match single lines. */
static void make_printable(char *p)
{
	for (; *p; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	}
}

__attribute__((format(printf, 2, 0))) static void set_text(struct crun_error *err, const char *fmt,
							   va_list ap)
{
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	make_printable(err->text);
}

int err_set(struct crun_error *err, enum crun_error_kind kind, int errnum, const char *fmt, ...)
{
	va_list ap;

	memset(err, 0, sizeof(*err));
	err->errnum = errnum;
	err->kind = kind;
	va_start(ap, fmt);
	set_text(err, fmt, ap);
	va_end(ap);
	return -errnum;
}

int err_sys(struct crun_error *err, int r, const char *fmt, ...)
{
	const char *reason = err_describe(-r);
	size_t used, room = sizeof(err->text) - strlen(": ") - strlen(reason) - 1;
	va_list ap;

	memset(err, 0, sizeof(*err));
	err->errnum = -r;
	err->kind = kind_of_errno(-r);
	va_start(ap, fmt);
	set_text(err, fmt, ap);
	va_end(ap);
	/* A name of the image's may be as long as it likes: it is cut, not the reason. */
	used = strnlen(err->text, room);
	snprintf(err->text + used, sizeof(err->text) - used, ": %s", reason);
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
