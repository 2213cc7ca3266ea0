// SPDX-License-Identifier: Apache-2.0
// Reading and comparing LSM labels: see label.h.
#include "fs/label.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "sys/file.h"
#include "sys/io.h"
#include "sys/xattr.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#define CATEGORIES 1024 /* c0 ... c1023: what the policies of the distributions have */

int label_read(int fd, char *buf, size_t size)
{
	ssize_t n = io_read_start(fd, buf, size - 1);

	if (n < 0)
		return (int)n;
	buf[n] = '\0';
	/* SELinux counts the terminator, AppArmor ends with a newline. */
	n = (ssize_t)strlen(buf);
	if (n > 0 && buf[n - 1] == '\n')
		buf[n - 1] = '\0';
	return 0;
}

bool label_is_apparmor(const char *want, const char *got)
{
	const char *rest = str_after(got, want);

	if (!rest)
		return false;
	/* " (enforce)": nothing else may follow, or "a" would be taken for the profile "a b" (names may have blanks). */
	if (str_after(rest, " (")) {
		rest += 2;
		rest += strspn(rest, "abcdefghijklmnopqrstuvwxyz");
		if (*rest++ != ')')
			return false;
	}
	return str_eq(rest, "") || str_eq(rest, "\n");
}

struct level {
	const char *sensitivity;
	size_t len;
	uint64_t categories[CATEGORIES / 64];
};

static int parse_category(const char **s, const char *end, unsigned *ret)
{
	unsigned value = 0;

	if (*s == end || **s != 'c' || *s + 1 == end)
		return -EINVAL;
	for ((*s)++; *s < end && **s >= '0' && **s <= '9'; (*s)++) {
		value = value * 10 + (unsigned)(**s - '0');
		if (value >= CATEGORIES)
			return -ERANGE;
	}
	*ret = value;
	return 0;
}

/* "s0:c1,c5.c7", up to END. */
static int parse_level(const char *s, const char *end, struct level *ret)
{
	const char *colon = memchr(s, ':', (size_t)(end - s));

	*ret = (struct level){.sensitivity = s, .len = (size_t)((colon ? colon : end) - s)};
	if (!colon)
		return 0;
	s = colon;
	while (s < end) {
		unsigned first, last;
		int r;

		s++; /* the colon or a comma */
		r = parse_category(&s, end, &first);
		if (r < 0)
			return r;
		last = first;
		if (s < end && *s == '.') {
			s++;
			r = parse_category(&s, end, &last);
			if (r < 0)
				return r;
		}
		if (last < first || (s < end && *s != ','))
			return -EINVAL;
		for (unsigned c = first; c <= last; c++)
			ret->categories[c / 64] |= UINT64_C(1) << c % 64;
	}
	return 0;
}

/* "low" or "low-high". */
static int parse_range(const char *s, struct level *low, struct level *high)
{
	const char *end = s + strlen(s), *dash = strchr(s, '-');
	int r = parse_level(s, dash ? dash : end, low);

	if (r < 0)
		return r;
	if (!dash) {
		*high = *low;
		return 0;
	}
	return parse_level(dash + 1, end, high);
}

static bool same_level(const struct level *a, const struct level *b)
{
	return a->len == b->len && memcmp(a->sensitivity, b->sensitivity, a->len) == 0 &&
	       memcmp(a->categories, b->categories, sizeof(a->categories)) == 0;
}

/* What follows "user:role:type:", or NULL when there is no level. */
static const char *level_of(const char *label)
{
	for (int colons = 0; *label; label++) {
		if (*label == ':' && ++colons == 3)
			return label + 1;
	}
	return NULL;
}

bool label_is_selinux(const char *want, const char *got)
{
	const char *a = level_of(want), *b = level_of(got);
	struct level low[2], high[2];

	if (str_eq(want, got))
		return true;
	if (!a || !b || a - want != b - got || memcmp(want, got, (size_t)(a - want)) != 0)
		return false;
	if (parse_range(a, &low[0], &high[0]) < 0 || parse_range(b, &low[1], &high[1]) < 0)
		return false;
	return same_level(&low[0], &low[1]) && same_level(&high[0], &high[1]);
}

bool label_is_option(const char *key)
{
	static const char *const keys[] = {"context", "fscontext", "defcontext", "rootcontext"};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (str_eq(key, keys[i]))
			return true;
	}
	return false;
}

const char *label_unquote(const char *value, char *buf, size_t size)
{
	size_t n = strlen(value);

	if (n < 2 || value[0] != '"' || value[n - 1] != '"' || n - 2 >= size)
		return value;
	memcpy(buf, value + 1, n - 2);
	buf[n - 2] = '\0';
	return buf;
}

int label_verify_mount(int mount_fd, const char *label, struct crun_error *err)
{
	_cleanup_close_ int fd = FD_NONE;
	char got[4096];
	int n;

	/* The fd of a new mount is O_PATH, from which no attribute can be read. */
	fd = sys_openat(mount_fd, ".", O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return err_sys(err, fd, "open the new mount to see its SELinux label");
	n = sys_fgetxattr(fd, "security.selinux", got, sizeof(got) - 1);
	if (n < 0)
		return err_sys(err, n, "read the SELinux label of the new mount");
	/* SELinux counts the terminator, others may not. */
	got[n] = '\0';
	if (!label_is_selinux(label, got))
		return err_set(
			err, KIND_PERMISSION, EPERM,
			"the new mount has the SELinux label `%s` and not `%s`: operation not "
			"permitted",
			got, label);
	return 0;
}
