// SPDX-License-Identifier: Apache-2.0
// The grammar of the command line, case by case, and the text of log lines.
#include "src/cli/create_options.h"
#include "src/cli/log.h"
#include "src/cli/options.h"

#include "tests/unit/test.h"

#include <errno.h>
#include <stdint.h>
#include <unistd.h>

struct filled {
	const char *bundle, *level, *choice;
	unsigned count;
	bool all, keep;
};

#define F(field) offsetof(struct filled, field)

static const struct option_spec first[] = {
	{"bundle", "b", OPTION_TEXT, F(bundle), "DIR", NULL, "x"},
	{"bundle-other", NULL, OPTION_TEXT, F(bundle), "DIR", NULL, "x"},
	{"count", "c", OPTION_COUNT, F(count), "N", NULL, "x"},
	{"format", "f", OPTION_CHOICE, F(choice), "text|json", NULL, "x"},
	OPTIONS_END,
};
static const struct option_spec second[] = {
	{"all", "aA", OPTION_FLAG, F(all), NULL, NULL, "x"},
	{"keep", "k", OPTION_FLAG, F(keep), NULL, NULL, "x"},
	{"debug", NULL, OPTION_CONSTANT, F(level), NULL, "debug", "x"},
	OPTIONS_END,
};
static const struct option_spec *const parts[] = {first, second, options_help, NULL};

#define MAX_WORDS 8

struct grammar_case {
	const char *words[MAX_WORDS];
	int result;	   /* 0, OPTIONS_HELP or -EINVAL */
	const char *error; /* all of the message */
	struct filled want;
	int rest; /* index of the first word that is no option */
};

static const struct grammar_case cases[] = {
	{{NULL}, 0, NULL, {0}, 0},
	{{"id", "--all"}, 0, NULL, {0}, 0},
	{{"--bundle", "d", "id"}, 0, NULL, {.bundle = "d"}, 2},
	{{"--bundle=d", "id"}, 0, NULL, {.bundle = "d"}, 1},
	{{"--bundle=a=b"}, 0, NULL, {.bundle = "a=b"}, 1},
	{{"--bundle", "--all"}, 0, NULL, {.bundle = "--all"}, 2},
	{{"--bundle", "--", "id"}, 0, NULL, {.bundle = "--"}, 2},
	{{"-b", "d", "id"}, 0, NULL, {.bundle = "d"}, 2},
	{{"-bd", "id"}, 0, NULL, {.bundle = "d"}, 1},
	{{"-b=d"}, 0, NULL, {.bundle = "=d"}, 1},
	{{"-bundle", "d"}, 0, NULL, {.bundle = "d"}, 2},
	{{"-bundle=d"}, 0, NULL, {.bundle = "d"}, 1},
	{{"-bundl"}, 0, NULL, {.bundle = "undl"}, 1},
	{{"-keep", "id"}, 0, NULL, {.keep = true}, 1},
	{{"-ak"}, 0, NULL, {.all = true, .keep = true}, 1},
	{{"-Akb", "d", "id"}, 0, NULL, {.all = true, .keep = true, .bundle = "d"}, 2},
	{{"-kbd", "id"}, 0, NULL, {.keep = true, .bundle = "d"}, 1},
	{{"-A"}, 0, NULL, {.all = true}, 1},
	{{"--al", "--ke"}, 0, NULL, {.all = true, .keep = true}, 2},
	{{"--cou=3"}, 0, NULL, {.count = 3}, 1},
	{{"--bundle-", "d"}, 0, NULL, {.bundle = "d"}, 2},
	{{"--bundle", "a", "-b", "b", "--bundle=c"}, 0, NULL, {.bundle = "c"}, 5},
	{{"--all", "--all"}, 0, NULL, {.all = true}, 2},
	{{"--debug"}, 0, NULL, {.level = "debug"}, 1},
	{{"--format", "json"}, 0, NULL, {.choice = "json"}, 2},
	{{"-c0"}, 0, NULL, {0}, 1},
	{{"-c", "1073741823"}, 0, NULL, {.count = 1073741823}, 2},
	{{"--all", "--", "--keep"}, 0, NULL, {.all = true}, 2},
	{{"-"}, 0, NULL, {0}, 0},
	{{"", "--all"}, 0, NULL, {0}, 0},
	{{"--help"}, OPTIONS_HELP, NULL, {0}, 1},
	{{"-h"}, OPTIONS_HELP, NULL, {0}, 1},
	{{"-ah"}, OPTIONS_HELP, NULL, {.all = true}, 1},
	{{"id", "--help"}, 0, NULL, {0}, 0},
	{{"--", "--help"}, 0, NULL, {0}, 1},
	{{"--nope"}, -EINVAL, "unknown option `--nope`", {0}, 1},
	{{"--nope=1"}, -EINVAL, "unknown option `--nope`", {0}, 1},
	{{"--allx"}, -EINVAL, "unknown option `--allx`", {0}, 1},
	{{"-z"}, -EINVAL, "unknown option `-z`", {0}, 1},
	{{"-az"}, -EINVAL, "unknown option `-z`", {.all = true}, 1},
	{{"-nope"}, -EINVAL, "unknown option `-n`", {0}, 1},
	{{"--bun"}, -EINVAL, "option `--bun` is ambiguous: `--bundle` or `--bundle-other`", {0}, 1},
	{{"--=x"}, -EINVAL, "option `--` is ambiguous: `--bundle` or `--bundle-other`", {0}, 1},
	{{"--bundle"}, -EINVAL, "option `--bundle` requires an argument", {0}, 1},
	{{"-bundle"}, -EINVAL, "option `-bundle` requires an argument", {0}, 1},
	{{"-kb"}, -EINVAL, "option `-b` requires an argument", {.keep = true}, 1},
	{{"--bundle="},
	 -EINVAL,
	 "option `--bundle` requires an argument that is not empty",
	 {0},
	 1},
	{{"-b", ""}, -EINVAL, "option `-b` requires an argument that is not empty", {0}, 2},
	{{"--all=1"}, -EINVAL, "option `--all` takes no value", {0}, 1},
	{{"--format", "xml"}, -EINVAL, "option `--format` takes text|json, not `xml`", {0}, 2},
	{{"--format", "tex"}, -EINVAL, "option `--format` takes text|json, not `tex`", {0}, 2},
	{{"--format", "text|json"},
	 -EINVAL,
	 "option `--format` takes text|json, not `text|json`",
	 {0},
	 2},
	{{"-c", "-1"}, -EINVAL, "option `-c` takes a number, not `-1`", {0}, 2},
	{{"-c", " 1"}, -EINVAL, "option `-c` takes a number, not ` 1`", {0}, 2},
	{{"-c", "1x"}, -EINVAL, "option `-c` takes a number, not `1x`", {0}, 2},
	{{"-c", "1073741824"},
	 -EINVAL,
	 "option `-c` takes a smaller number, not `1073741824`",
	 {0},
	 2},
	{{"-c", "99999999999999999999"},
	 -EINVAL,
	 "option `-c` takes a smaller number, not `99999999999999999999`",
	 {0},
	 2},
	/* The first mistake counts, but what follows is known: it may say where to log. */
	{{"--nope", "--also", "-b", "d", "id"},
	 -EINVAL,
	 "unknown option `--nope`",
	 {.bundle = "d"},
	 4},
	{{"--nope", "--help"}, -EINVAL, "unknown option `--nope`", {0}, 2},
};

static int same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static int same(const struct filled *a, const struct filled *b)
{
	return same_text(a->bundle, b->bundle) && same_text(a->level, b->level) &&
	       same_text(a->choice, b->choice) && a->count == b->count && a->all == b->all &&
	       a->keep == b->keep;
}

TEST(grammar)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct grammar_case *c = &cases[i];
		char *argv[MAX_WORDS + 1] = {NULL};
		struct filled got = {0};
		struct crun_error err = {0};
		int at = 0, r;

		for (int w = 0; c->words[w]; w++)
			argv[w] = (char *)(uintptr_t)c->words[w];
		r = options_parse(parts, &got, argv, &at, &err);
		if (r != c->result || at != c->rest || !same(&got, &c->want) ||
		    strcmp(err.text, c->error ? c->error : "") != 0)
			TEST_FAIL("case %zu (%s): result %d, rest %d, error \"%s\"", i,
				  c->words[0] ? c->words[0] : "nothing", r, at, err.text);
	}
}

TEST(parsing_starts_where_it_is_told)
{
	char *argv[] = {(char[]){"crun"}, (char[]){"run"}, (char[]){"-k"}, (char[]){"id"}, NULL};
	struct filled got = {0};
	struct crun_error err = {0};
	int at = 2;

	CHECK_INT(options_parse(parts, &got, argv, &at, &err), 0);
	CHECK(got.keep);
	CHECK_INT(at, 3);
}

/* What create_options_finish() makes of the environment; MINE: $LISTEN_PID is our pid. */
static unsigned listen_fds_for(const char *fds, const char *pid, bool mine)
{
	struct libcrun_create_options opts = {0};
	char own[32];

	snprintf(own, sizeof(own), "%d", (int)getpid());
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_PID");
	if (fds)
		setenv("LISTEN_FDS", fds, 1);
	if (pid || mine)
		setenv("LISTEN_PID", mine ? own : pid, 1);
	create_options_finish(&opts);
	return opts.size == sizeof(opts) ? opts.listen_fds : 0xdead;
}

TEST(socket_activation)
{
	CHECK_INT(listen_fds_for(NULL, NULL, false), 0);
	CHECK_INT(listen_fds_for("2", NULL, false), 2);
	CHECK_INT(listen_fds_for("2", "", false), 2);
	CHECK_INT(listen_fds_for("2", NULL, true), 2);
	/* Meant for another process: the engine that was started by systemd. */
	CHECK_INT(listen_fds_for("2", "1", false), 0);
	CHECK_INT(listen_fds_for("2", "nobody", false), 0);
	CHECK_INT(listen_fds_for(NULL, NULL, true), 0);
	CHECK_INT(listen_fds_for("-2", NULL, false), 0);
	CHECK_INT(listen_fds_for("2x", NULL, false), 0);
	CHECK_INT(listen_fds_for("99999999999999999999", NULL, false), 0);
}

static const struct timespec moment = {.tv_sec = 1795312844, .tv_nsec = 180946999};

static const char *line_of(const char *text, const struct crun_error *err)
{
	static char line[LOG_LINE_MAX + 1];
	size_t len = log_json_line(line, LOG_LINE_MAX, LOG_LEVEL_ERROR, text, &moment, err);

	line[len] = '\0';
	return line;
}

#define TAIL ",\"level\":\"error\",\"time\":\"2026-11-22T02:00:44.180946Z\"}\n"

TEST(json_lines)
{
	static const struct {
		const char *text, *json;
	} texts[] = {
		{"", "\"\""},
		{"container `a` does not exist", "\"container `a` does not exist\""},
		{"a\"b\\c/d", "\"a\\\"b\\\\c/d\""},
		{"a\nb\tc\r\x01\x7f", "\"a\\nb\\tc\\u000d\\u0001\\u007f\""},
		{"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
		 "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\""},
		{"a\xff\xfe"
		 "b",
		 "\"a\\ufffd\\ufffdb\""},
		{"\xc3", "\"\\ufffd\""},
		{"\xc0\xaf", "\"\\ufffd\\ufffd\""},
		{"\xe0\x80\xaf", "\"\\ufffd\\ufffd\\ufffd\""},
		{"\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\""},
		{"\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\""},
		{"\xe2\x82", "\"\\ufffd\\ufffd\""},
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		char want[512];

		snprintf(want, sizeof(want), "{\"msg\":%s" TAIL, texts[i].json);
		CHECK_STR(line_of(texts[i].text, NULL), want);
	}
}

TEST(json_line_of_a_failure_names_code_kind_and_place)
{
	struct crun_error err = {0};

	err_set(&err, KIND_SPEC, EINVAL, "bad");
	err_at(&err, "/mounts/%d/type", 3);
	CHECK_STR(line_of("bad", &err),
		  "{\"msg\":\"bad\",\"level\":\"error\",\"time\":\"2026-11-22T02:00:44.180946Z\","
		  "\"code\":\"CONFIG_VALUE\",\"kind\":\"SPEC\",\"at\":\"/mounts/3/type\"}\n");
}

TEST(a_text_that_does_not_fit_is_cut_but_the_line_is_whole)
{
	static char text[2 * LOG_LINE_MAX];
	struct crun_error err = {.kind = KIND_SPEC};
	const char *line;
	size_t len;

	memset(err.at, 0x01, sizeof(err.at) - 1);
	for (int fill = 0; fill < 3; fill++) {
		memset(text, "x\x01\xff"[fill], sizeof(text) - 1);
		line = line_of(text, &err);
		len = strlen(line);
		CHECK(len > LOG_LINE_MAX / 2 && len <= LOG_LINE_MAX);
		CHECK_STR(line + len - 9, "\\u0001\"}\n");
		CHECK(strstr(line, "\",\"level\":\"error\",\"time\":\"2026-"));
	}
}

TEST(levels)
{
	CHECK_INT(log_level_from_name(NULL), LOG_LEVEL_ERROR);
	CHECK_INT(log_level_from_name("error"), LOG_LEVEL_ERROR);
	CHECK_INT(log_level_from_name("warning"), LOG_LEVEL_WARNING);
	CHECK_INT(log_level_from_name("debug"), LOG_LEVEL_DEBUG);
}

TEST_MAIN()
