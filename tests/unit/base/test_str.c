// SPDX-License-Identifier: Apache-2.0
// Exact number parsing at its edges, prefixes and file names.
#include "base/str.h"

#include "../test.h"

#include <errno.h>

#define UNTOUCHED 0x5a5a5a5a5aLL

static uint64_t u;
static int64_t i;

static int to_u64(const char *s, uint64_t max)
{
	u = UNTOUCHED;
	return str_to_u64(s, max, &u);
}

static int to_i64(const char *s)
{
	i = UNTOUCHED;
	return str_to_i64(s, &i);
}

TEST(what_is_no_number)
{
	static const char *const bad[] = {
		"",   " ",  "-",   "+",	  "--1", "+1",	" 1", "1 ", "1\n",   "\t1",  "0x10",
		"1a", "a1", "1.0", "1e3", "1_0", "٣",	"²",  "/",  ":",     "- 1",  "-+1",
		"1-", "⁹",  "1,0", "NaN", "inf", "0b1", "1/", "1:", "1\xff", "\xb0", "--",
	};

	for (size_t k = 0; k < sizeof(bad) / sizeof(bad[0]); k++) {
		CHECK_INT(to_u64(bad[k], UINT64_MAX), -EINVAL);
		CHECK_INT(u, UNTOUCHED);
		CHECK_INT(to_i64(bad[k]), -EINVAL);
		CHECK_INT(i, UNTOUCHED);
	}
	CHECK_INT(to_u64("-0", UINT64_MAX), -EINVAL);
	CHECK_INT(to_u64("-1", UINT64_MAX), -EINVAL);
}

TEST(unsigned_edges)
{
	CHECK_INT(to_u64("0", 0), 0);
	CHECK_INT(u, 0);
	CHECK_INT(to_u64("000000000000000000000000000000017", 17), 0);
	CHECK_INT(u, 17);
	CHECK_INT(to_u64("1", 0), -ERANGE);
	CHECK_INT(u, UNTOUCHED);
	CHECK_INT(to_u64("4294967295", UINT32_MAX), 0);
	CHECK_INT(u, UINT32_MAX);
	CHECK_INT(to_u64("4294967296", UINT32_MAX), -ERANGE);
	CHECK_INT(to_u64("18446744073709551615", UINT64_MAX), 0);
	CHECK(u == UINT64_MAX);
	CHECK_INT(to_u64("18446744073709551616", UINT64_MAX), -ERANGE);
	CHECK_INT(to_u64("18446744073709551620", UINT64_MAX), -ERANGE);
	CHECK_INT(to_u64("99999999999999999999999999999999999999", UINT64_MAX), -ERANGE);
	CHECK_INT(u, UNTOUCHED);
}

/* Text after an overflowing number is refused all the same. */
TEST(overflow_is_refused_whatever_follows)
{
	CHECK(to_u64("18446744073709551616x", UINT64_MAX) < 0);
	CHECK(to_i64("-9223372036854775809 ") < 0);
}

TEST(signed_edges)
{
	CHECK_INT(to_i64("0"), 0);
	CHECK_INT(i, 0);
	CHECK_INT(to_i64("-0"), 0);
	CHECK_INT(i, 0);
	CHECK_INT(to_i64("-1"), 0);
	CHECK_INT(i, -1);
	CHECK_INT(to_i64("9223372036854775807"), 0);
	CHECK_INT(i, INT64_MAX);
	CHECK_INT(to_i64("9223372036854775808"), -ERANGE);
	CHECK_INT(to_i64("-9223372036854775808"), 0);
	CHECK_INT(i, INT64_MIN);
	CHECK_INT(to_i64("-9223372036854775809"), -ERANGE);
	CHECK_INT(to_i64("18446744073709551615"), -ERANGE);
}

TEST(prefixes)
{
	CHECK_STR(str_after("PATH=/bin", "PATH="), "/bin");
	CHECK_STR(str_after("PATH=", "PATH="), "");
	CHECK_STR(str_after("x", ""), "x");
	CHECK(!str_after("PATH", "PATH="));
	CHECK(!str_after("", "x"));
	CHECK(!str_after("XPATH=", "PATH="));
}

TEST(file_names)
{
	static const char *const good[] = {"a", "...", ".a", "..a", "a b", "-", "~", "ü"};
	static const char *const bad[] = {"", ".", "..", "/", "a/", "/a", "a/b", "../a"};

	for (size_t k = 0; k < sizeof(good) / sizeof(good[0]); k++)
		CHECK(str_is_filename(good[k]));
	for (size_t k = 0; k < sizeof(bad) / sizeof(bad[0]); k++)
		CHECK(!str_is_filename(bad[k]));
}

TEST(formatted_copies)
{
	char *text = str_printf("%s-%d", "a", 7);

	CHECK_STR(text, "a-7");
	free(text);
}

TEST_MAIN()
