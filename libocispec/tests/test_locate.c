// SPDX-License-Identifier: Apache-2.0
// oci_locate(): the place of every kind of value.

#include <libocispec/oci.h>

#include <errno.h>
#include <stdlib.h>

#include "test.h"

static const char document[] =
	"{\n"
	"  \"a\": 1,\n"
	"  \"b\": [ \"x\", \"q\\\"\\\\\", -1.5e3, {\"c\": null}, [], true ],\n"
	"  \"m/n\": {\"~\": {}, \"\": \"empty\", \"a\": 2},\n"
	"  \"ä\": \"ö\", \"z\": false,\n"
	"  \"\\u0065\": 5, \"a\": 3\n"
	"}\n";

static const struct {
	const char *pointer;
	unsigned line, column;
} places[] = {
	{"", 1, 1},	   {"/a", 6, 21},      {"/b", 3, 8},	 {"/b/0", 3, 10},
	{"/b/1", 3, 15},   {"/b/2", 3, 24},    {"/b/3", 3, 32},	 {"/b/3/c", 3, 38},
	{"/b/4", 3, 45},   {"/b/5", 3, 49},    {"/m~1n", 4, 10}, {"/m~1n/~0", 4, 16},
	{"/m~1n/", 4, 24}, {"/m~1n/a", 4, 38}, {"/ä", 5, 8},	 {"/z", 5, 18},
	{"/e", 6, 13},	   {"/x", 0, 0},       {"/b/6", 0, 0},	 {"/b/00", 0, 0},
	{"/b/-", 0, 0},	   {"/b/0/0", 0, 0},   {"a", 0, 0},	 {"/m~1n/~", 0, 0},
	{"/m/n", 0, 0},	   {"/b/3/c/d", 0, 0}, {"/b/1x", 0, 0},	 {"/b/99999999999999999999", 0, 0},
};

int main(void)
{
	static const char bad[] = "{\"a\": [1, {\"b\": 2, ] }";
	unsigned line, column;
	char deep[2 * 200 + 1];
	size_t i;
	int r;

	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		r = oci_locate(document, sizeof(document) - 1, places[i].pointer, &line, &column);
		check(r == (places[i].line ? 0 : -ENOENT), "%s: result %d", places[i].pointer, r);
		check(line == places[i].line && column == places[i].column, "%s at %u:%u",
		      places[i].pointer, line, column);
	}
	r = oci_locate(bad, sizeof(bad) - 1, "/a/1/b", &line, &column);
	check(r == 0 && line == 1 && column == 17, "before an error");
	r = oci_locate(bad, sizeof(bad) - 1, "/a/2", &line, &column);
	check(r == -EINVAL && line == 0 && column == 0, "behind an error");

	for (i = 0; i < 200; i++)
		memcpy(deep + 2 * i, "/0", 3);
	check(oci_locate(document, sizeof(document) - 1, deep, &line, &column) == -ENOENT,
	      "a deep pointer");
	memset(deep, '[', 400);
	check(oci_locate(deep, 400, "/1", &line, &column) == -EINVAL, "a deep document");
	return test_end();
}
