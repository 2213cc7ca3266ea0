// SPDX-License-Identifier: Apache-2.0
// Taking values out of a text and finding the way back to where they were.
#include "host/config_text.h"

#include "../test.h"

static struct config_text text;

static void begin(const char *json)
{
	config_text_done(&text);
	CHECK_INT(config_text_init(&text, json, strlen(json)), 0);
}

static const char *original(const char *pointer)
{
	static char at[CONFIG_TEXT_POINTER];

	config_text_original(&text, pointer, at);
	return at;
}

TEST(members_and_items_go_with_a_comma)
{
	begin("{\"a\": 1, \"b\" : [2,\n 3 , \"]\"], \"c\": {\"d\": \"\\\"}\"}}");
	CHECK(config_text_repair(&text, "/a"));
	CHECK_STR(text.text.data, "{ \"b\" : [2,\n 3 , \"]\"], \"c\": {\"d\": \"\\\"}\"}}");
	CHECK(config_text_repair(&text, "/b/2"));
	CHECK_STR(text.text.data, "{ \"b\" : [2,\n 3 ], \"c\": {\"d\": \"\\\"}\"}}");
	CHECK(config_text_repair(&text, "/b/0"));
	CHECK_STR(text.text.data, "{ \"b\" : [\n 3 ], \"c\": {\"d\": \"\\\"}\"}}");
	CHECK(config_text_repair(&text, "/c/d"));
	CHECK_STR(text.text.data, "{ \"b\" : [\n 3 ], \"c\": {}}");
	CHECK(config_text_repair(&text, "/c"));
	CHECK_STR(text.text.data, "{ \"b\" : [\n 3 ]}");
}

TEST(the_last_of_two_members_goes)
{
	begin("{\"a\":1,\"a\":2}");
	CHECK(config_text_repair(&text, "/a"));
	CHECK_STR(text.text.data, "{\"a\":1}");
}

TEST(escapes_of_pointers)
{
	begin("{\"m/n\":{\"o~p\":1}}");
	CHECK(config_text_repair(&text, "/m~1n/o~0p"));
	CHECK_STR(text.text.data, "{\"m/n\":{}}");
}

TEST(numbers_are_those_of_the_beginning)
{
	begin("{\"a\":[0,1,2,3,4,{\"b\":[5,6]}]}");
	CHECK_STR(original("/a/3"), "/a/3");
	CHECK(config_text_repair(&text, "/a/1"));
	CHECK_STR(original("/a/0"), "/a/0");
	CHECK_STR(original("/a/1"), "/a/2");
	CHECK(config_text_repair(&text, "/a/1"));
	CHECK_STR(original("/a/1"), "/a/3");
	CHECK(config_text_repair(&text, "/a/0"));
	CHECK_STR(original("/a/0"), "/a/3");
	CHECK_STR(original("/a/2/b/1"), "/a/5/b/1");
	CHECK(config_text_repair(&text, "/a/2/b/0"));
	CHECK_STR(original("/a/2/b/0"), "/a/5/b/1");
	CHECK_STR(text.text.data, "{\"a\":[3,4,{\"b\":[6]}]}");
}

TEST(what_is_needed_gets_a_value)
{
	begin("{}");
	CHECK(config_text_repair(&text, "/root"));
	CHECK_STR(text.text.data, "{\"root\":{\"path\":\"rootfs\"}}");
	CHECK(config_text_repair(&text, "/root/path"));
	CHECK_STR(text.text.data, "{\"root\":{\"path\":\"rootfs\"}}");
	/* The value was no help: it goes. */
	CHECK(config_text_repair(&text, "/root/path"));
	CHECK_STR(text.text.data, "{\"root\":{}}");
}

TEST(what_is_around_a_missing_value_goes)
{
	begin("{\"mounts\":[{\"type\":\"x\"}]}");
	CHECK(config_text_repair(&text, "/mounts/0/destination"));
	CHECK_STR(text.text.data, "{\"mounts\":[]}");
	CHECK(config_text_repair(&text, "/mounts/0/destination"));
	CHECK_STR(text.text.data, "{}");
	CHECK(!config_text_repair(&text, "/mounts/0/destination"));
	CHECK(!config_text_repair(&text, ""));
}

TEST(damaged_text_is_not_read_beyond_its_end)
{
	static const char *const damaged[] = {
		"",	    "{",	   "[",	  "{\"a", "{\"a\"",	    "{\"a\":",
		"{\"a\":[", "{\"a\":\"\\", "{a}", "}",	  "{\"a\":{\"b\":1"};

	for (size_t i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++) {
		begin(damaged[i]);
		CHECK(!config_text_is_whole(&text) || damaged[i][1] == 'a');
		config_text_repair(&text, "/a/b");
		config_text_repair(&text, "/a/0");
	}
	config_text_done(&text);
}

TEST_MAIN()
