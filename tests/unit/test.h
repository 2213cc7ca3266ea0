/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The unit tests' harness: TEST(name) { ... } defines a test, CHECK* record failures, TEST_MAIN() runs what was defined.
 * Output is TAP. A failed CHECK leaves the test, so that later lines may rely on it.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct test_case {
	const char *name;
	void (*run)(void);
	struct test_case *next;
};

static struct test_case *test_first, **test_last = &test_first;
static int test_failed;		 /* checks of the running test that failed */
static const char *test_skipped; /* reason, or NULL */

#define TEST(id)                                                          \
	static void test_##id(void);                                      \
	static struct test_case test_case_##id = {#id, test_##id, NULL};  \
	__attribute__((constructor)) static void test_register_##id(void) \
	{                                                                 \
		*test_last = &test_case_##id;                             \
		test_last = &test_case_##id.next;                         \
	}                                                                 \
	static void test_##id(void)

#define TEST_FAIL(...)                                   \
	do {                                             \
		printf("# %s:%d: ", __FILE__, __LINE__); \
		printf(__VA_ARGS__);                     \
		printf("\n");                            \
		test_failed++;                           \
		return;                                  \
	} while (0)

#define CHECK(cond)                                  \
	do {                                         \
		if (!(cond))                         \
			TEST_FAIL("not: %s", #cond); \
	} while (0)

#define CHECK_INT(a, b)                                                         \
	do {                                                                    \
		long long a_ = (long long)(a), b_ = (long long)(b);             \
		if (a_ != b_)                                                   \
			TEST_FAIL("%s is %lld, not %lld (%s)", #a, a_, b_, #b); \
	} while (0)

#define CHECK_STR(a, b)                                                               \
	do {                                                                          \
		const char *a_ = (a), *b_ = (b);                                      \
		if (!a_ || !b_ ? a_ != b_ : strcmp(a_, b_) != 0)                      \
			TEST_FAIL("%s is \"%s\", not \"%s\"", #a, a_ ? a_ : "(null)", \
				  b_ ? b_ : "(null)");                                \
	} while (0)

/* Leaves the test as skipped, with the reason. */
#define SKIP(reason)                     \
	do {                             \
		test_skipped = (reason); \
		return;                  \
	} while (0)

static inline int test_run_all(void)
{
	int n = 0, bad = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (struct test_case *t = test_first; t; t = t->next) {
		test_failed = 0;
		test_skipped = NULL;
		t->run();
		bad += test_failed != 0;
		printf("%sok %d %s%s%s\n", test_failed ? "not " : "", ++n, t->name,
		       test_skipped ? " # SKIP " : "", test_skipped ? test_skipped : "");
	}
	printf("1..%d\n", n);
	return bad || n == 0;
}

#define TEST_MAIN()                    \
	int main(void)                 \
	{                              \
		return test_run_all(); \
	}
