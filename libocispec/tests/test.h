/* SPDX-License-Identifier: Apache-2.0 */
/* A few lines of test harness: TAP on stdout, exit status from test_end(). */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static unsigned test_count, test_failures;

/* Reports one result; text that explains a failure is given as "# ..." lines by the caller. */
__attribute__((format(printf, 2, 3))) static inline bool check(bool good, const char *format, ...)
{
	va_list args;

	printf("%sok %u - ", good ? "" : "not ", ++test_count);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	test_failures += !good;
	return good;
}

static inline bool check_text(const char *got, const char *want, const char *what)
{
	if (!got)
		got = "(null)";
	if (check(strcmp(got, want) == 0, "%s", what))
		return true;
	printf("# got:    %s\n# wanted: %s\n", got, want);
	return false;
}

static inline int test_end(void)
{
	printf("1..%u\n", test_count);
	if (test_failures)
		printf("# %u of %u failed\n", test_failures, test_count);
	return test_failures ? 1 : 0;
}
