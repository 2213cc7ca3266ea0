// SPDX-License-Identifier: Apache-2.0
// Lists of CPUs and nodes: what the kernel writes is understood, everything else is refused.
#include "base/number_list.h"

#include "base/cleanup.h"

#include "../test.h"

#include <errno.h>

/* The numbers of TEXT, written out with blanks; "?" when it is refused. */
static const char *numbers(const char *text)
{
	static char out[512];
	unsigned long mask[NUMBER_LIST_WORDS(200)] = {0};
	unsigned end, again;
	size_t n = 0;

	if (number_list_parse(text, 200, NULL, &end) < 0)
		return "?";
	if (number_list_parse(text, 200, mask, &again) < 0 || again != end)
		return "(the second pass differs)";
	out[0] = '\0';
	for (unsigned i = 0; i < 200; i++) {
		if (mask[i / NUMBER_LIST_WORD_BITS] >> i % NUMBER_LIST_WORD_BITS & 1)
			n += (size_t)snprintf(out + n, sizeof(out) - n, "%s%u", n ? " " : "", i);
	}
	return out;
}

TEST(lists)
{
	CHECK_STR(numbers("0"), "0");
	CHECK_STR(numbers("0-3,7"), "0 1 2 3 7");
	CHECK_STR(numbers("7,0-3"), "0 1 2 3 7");
	CHECK_STR(numbers("1,1,0-1"), "0 1");
	CHECK_STR(numbers("62-65"), "62 63 64 65");
	CHECK_STR(numbers("5-5"), "5");
	CHECK_STR(numbers("199"), "199");
	CHECK_STR(numbers(" 1 , 3 - 4 "), "1 3 4");
	CHECK_STR(numbers("007"), "7");
}

TEST(empty_ones)
{
	unsigned end = 9;

	CHECK_INT(number_list_parse("", 10, NULL, &end), 0);
	CHECK_INT(end, 0);
	CHECK_STR(numbers(" "), "");
	CHECK_STR(numbers(","), "");
	CHECK_STR(numbers("1,,2,"), "1 2");
}

TEST(what_is_no_list)
{
	static const char *const bad[] = {"a",	 "-",	    "1-",  "-1",  "3-1", "1-2-3", "1 2",
					  "1;2", "0x1",	    "1-a", "1.5", "+1",	 "\n",	  "1\n",
					  "all", "0-7:2/4", "1 -", "--1", "\t1"};
	unsigned end;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (number_list_parse(bad[i], 100, NULL, &end) != -EINVAL)
			TEST_FAIL("`%s` is taken for a list", bad[i]);
	}
}

TEST(limits)
{
	unsigned end;

	CHECK_INT(number_list_parse("1024", 32768, NULL, &end), 0);
	CHECK_INT(end, 1025);
	CHECK_INT(number_list_parse("8191", 8192, NULL, &end), 0);
	CHECK_INT(number_list_parse("8192", 8192, NULL, &end), -ERANGE);
	CHECK_INT(number_list_parse("0-8192", 8192, NULL, &end), -ERANGE);
	CHECK_INT(number_list_parse("4294967296", 8192, NULL, &end), -ERANGE);
	CHECK_INT(number_list_parse("18446744073709551617", 8192, NULL, &end), -ERANGE);
	CHECK_INT(number_list_parse("0", 0, NULL, &end), -ERANGE);
}

TEST(words)
{
	CHECK_INT(NUMBER_LIST_WORDS(0), 0);
	CHECK_INT(NUMBER_LIST_WORDS(1), 1);
	CHECK_INT(NUMBER_LIST_WORDS(NUMBER_LIST_WORD_BITS), 1);
	CHECK_INT(NUMBER_LIST_WORDS(NUMBER_LIST_WORD_BITS + 1), 2);
}

TEST_MAIN()
