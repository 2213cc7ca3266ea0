// SPDX-License-Identifier: Apache-2.0
// Base64, with the test vectors of RFC 4648.
#include "base/base64.h"

#include "../test.h"

#include <errno.h>
#include <string.h>

static char out[64];

static const char *decode(const char *text)
{
	ssize_t n;

	memset(out, '#', sizeof(out));
	n = base64_decode(text, out);
	if (n < 0)
		return n == -EINVAL ? "EINVAL" : "wrong error";
	/* Not a byte more than it may write. */
	if ((size_t)n > BASE64_DECODED_MAX(strlen(text)) ||
	    out[BASE64_DECODED_MAX(strlen(text))] != '#')
		return "written beyond the end";
	out[n] = '\0';
	return out;
}

TEST(rfc_4648_vectors)
{
	CHECK_STR(decode(""), "");
	CHECK_STR(decode("Zg=="), "f");
	CHECK_INT(base64_decode("Zm8=", out), 2);
	CHECK(memcmp(out, "foo", 2) == 0);
	CHECK_STR(decode("Zm9v"), "foo");
	CHECK_STR(decode("Zm9vYg=="), "foob");
	CHECK_STR(decode("Zm9vYmE="), "fooba");
	CHECK_STR(decode("Zm9vYmFy"), "foobar");
}

TEST(all_digits)
{
	CHECK_INT(base64_decode("++//", out), 3);
	CHECK(memcmp(out, "\xfb\xef\xff", 3) == 0);
	CHECK_INT(base64_decode("AAAA", out), 3);
	CHECK(memcmp(out, "\0\0\0", 3) == 0);
}

TEST(what_is_no_base64)
{
	static const char *const bad[] = {"Z",	  "Zg",	  "Zg=",     "Zm9v\n", "Zm 9",
					  "Zm9-", "====", "Z===",    "=AAA",   "Zg==Zg==",
					  "Zh==", "Zm9=", "Zm8=AAAA"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK_STR(decode(bad[i]), "EINVAL");
}

TEST_MAIN()
