// SPDX-License-Identifier: Apache-2.0
// Checks of string values that the schema names.

#include <libocispec/runtime/model.h>

#include <string.h>

static const char *skip_digits(const char *p)
{
	while (*p >= '0' && *p <= '9')
		p++;
	return p;
}

/* One more number behind the dot at *p; false when there is none. */
static bool skip_number(const char **p)
{
	const char *begin = *p + 1;

	if (**p != '.')
		return false;
	*p = skip_digits(begin);
	return *p != begin;
}

/* Identifiers of a pre-release or a build: letters, digits and hyphens between dots. */
static bool skip_tag(const char **p)
{
	const char *begin = ++*p;

	*p += strspn(*p, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-.");
	return *p != begin && begin[0] != '.' && (*p)[-1] != '.';
}

/* config.md, "Specification version": a SemVer version. Within major version 1 documents stay
 * compatible, so a newer minor is as good as ours. */
const char *oci_check_oci_version(const char *value)
{
	static const char expected[] = "a specification version 1.x such as \"1.3.0\"";
	const char *p = value + 1;

	if (value[0] != '1' || !skip_number(&p) || !skip_number(&p))
		return expected;
	if (*p == '-' && !skip_tag(&p))
		return expected;
	if (*p == '+' && !skip_tag(&p))
		return expected;
	return *p == '\0' ? NULL : expected;
}

/* config-linux.md, "Huge page limits": <size><unit-prefix>B. The size has no leading zero since it
 * becomes part of the name of a cgroup file. */
const char *oci_check_hugepage_size(const char *value)
{
	static const char expected[] = "a page size such as \"64KB\", \"2MB\" or \"1GB\"";
	const char *p = skip_digits(value);

	if (p == value || *value == '0')
		return expected;
	if (*p != 'K' && *p != 'M' && *p != 'G')
		return expected;
	return strcmp(p + 1, "B") == 0 ? NULL : expected;
}

/* config-linux.md, "IntelRdt": MUST start with MB: and MUST NOT contain newlines. */
const char *oci_check_mem_bw_schema(const char *value)
{
	if (strncmp(value, "MB:", 3) != 0 || strchr(value, '\n'))
		return "one line that begins with \"MB:\"";
	return NULL;
}
