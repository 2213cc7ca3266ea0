// SPDX-License-Identifier: Apache-2.0
// The growable buffer: contents, growth, and the failure that is remembered.
#include "base/buf.h"

#include "../test.h"

#include <stdint.h>

TEST(empty_needs_nothing)
{
	struct buf b = {0};

	buf_done(&b);
	CHECK(!b.data);
	buf_append(&b, "", 0);
	CHECK_INT(b.len, 0);
	CHECK_STR(b.data, "");
	buf_done(&b);
	CHECK(!b.data && !b.len && !b.cap && !b.failed);
}

TEST(appends_in_order_and_terminates)
{
	_cleanup_buf_ struct buf b = {0};

	buf_puts(&b, "ab");
	buf_printf(&b, "%d-%s", 42, "x");
	buf_append(&b, "\0z", 2);
	CHECK_INT(b.len, 8);
	CHECK(memcmp(b.data, "ab42-x\0z", 9) == 0);
	CHECK(!b.failed);
}

TEST(grows_byte_by_byte_and_at_once)
{
	_cleanup_buf_ struct buf b = {0}, once = {0};

	for (int i = 0; i < 5000; i++) {
		char c = (char)('a' + i % 26);

		buf_append(&b, &c, 1);
		CHECK_INT(b.data[b.len], 0);
		CHECK(b.len < b.cap);
	}
	buf_append(&once, b.data, b.len);
	CHECK_STR(once.data, b.data);
	buf_printf(&once, "%s", b.data);
	CHECK_INT(once.len, 10000);
	CHECK_STR(once.data + 5000, b.data);
}

TEST(exact_fit_of_the_first_block)
{
	for (size_t n = 120; n < 136; n++) {
		_cleanup_buf_ struct buf b = {0};
		char text[200];

		memset(text, 'x', n);
		text[n] = '\0';
		buf_printf(&b, "%s", text);
		CHECK_INT(b.len, n);
		CHECK_STR(b.data, text);
	}
}

TEST(a_failure_is_kept)
{
	_cleanup_buf_ struct buf b = {0};

	buf_puts(&b, "kept");
	buf_append(&b, "x", SIZE_MAX - 2);
	CHECK(b.failed);
	CHECK_STR(b.data, "kept");
	buf_puts(&b, "more");
	buf_printf(&b, "more");
	CHECK(b.failed);
	CHECK_STR(b.data, "kept");
	CHECK_INT(b.len, 4);
}

/* Doubling up to more than half of the address space must end. */
TEST(huge_requests_end)
{
	_cleanup_buf_ struct buf b = {0};

	buf_append(&b, "x", SIZE_MAX / 2 + 10);
	CHECK(b.failed);
	CHECK(!b.data);
}

TEST_MAIN()
