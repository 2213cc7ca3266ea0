// SPDX-License-Identifier: Apache-2.0
// D-Bus messages as bytes: what is written is read again, and nothing else is.
#include "cgroup/bus_message.h"
#include "cgroup/bus_wire.h"

#include "../test.h"

#include <errno.h>

/* Reads a copy of LEN bytes that ends where its memory ends. */
static int parse_copy(const void *data, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);
	const char *reason = NULL;
	struct bus_message m;
	int r;

	if (!copy)
		return -ENOMEM;
	memcpy(copy, data, len);
	r = bus_parse(copy, len, &m, &reason);
	if (r < 0 && !reason)
		r = -ENODATA;
	free(copy);
	return r;
}

static const struct bus_message call = {
	.kind = BUS_CALL,
	.path = "/org/freedesktop/systemd1",
	.interface = "org.freedesktop.systemd1.Manager",
	.member = "StartTransientUnit",
	.destination = "org.freedesktop.systemd1",
};

static int begin(struct bus_writer *w, const char *signature)
{
	struct bus_message head = call;

	head.signature = signature;
	bus_write_begin(w, &head);
	return 0;
}

static const struct bus_message *end(struct bus_writer *w)
{
	static struct bus_message m;
	const char *reason;

	if (bus_write_end(w) < 0)
		return NULL;
	bus_write_serial(w, 7);
	if (bus_parse((const uint8_t *)w->data.data, w->data.len, &m, &reason) < 0) {
		printf("# %s\n", reason);
		return NULL;
	}
	return &m;
}

TEST(header_comes_back)
{
	_cleanup_bus_writer_ struct bus_writer w;
	const struct bus_message head = {
		.kind = BUS_ERROR,
		.flags = BUS_NO_REPLY,
		.reply_serial = 0x12345678,
		.error = "org.example.Error",
		.sender = ":1.7",
		.destination = ":1.8",
	};
	const struct bus_message *m;

	bus_write_begin(&w, &head);
	m = end(&w);
	CHECK(m);
	CHECK_INT(m->kind, BUS_ERROR);
	CHECK_INT(m->flags, BUS_NO_REPLY);
	CHECK_INT(m->serial, 7);
	CHECK_INT(m->reply_serial, 0x12345678);
	CHECK_STR(m->error, "org.example.Error");
	CHECK_STR(m->sender, ":1.7");
	CHECK_STR(m->destination, ":1.8");
	CHECK_STR(m->signature, "");
	CHECK(!m->path && !m->member && !m->interface);
	CHECK_INT(m->len, 0);
}

/* The bytes, as the specification's rules make them. */
TEST(bytes_are_those_of_the_specification)
{
	static const uint8_t want[] = {
		'l',  2, 0,   1, 8,  0,	  0,   0,
		7,    0, 0,   0, 16, 0,	  0,   0, /* body 8, serial 7, fields 16 */
		5,    1, 'u', 0, 9,  0,	  0,   0, /* REPLY_SERIAL 9 */
		8,    1, 'g', 0, 2,  'y', 'u', 0, /* SIGNATURE yu */
		0xff, 0, 0,   0, 4,  3,	  2,   1,
	};
	_cleanup_bus_writer_ struct bus_writer w;
	const struct bus_message head = {.kind = BUS_RETURN, .reply_serial = 9, .signature = "yu"};

	bus_write_begin(&w, &head);
	bus_write_number(&w, 'y', 0xff);
	bus_write_number(&w, 'u', 0x01020304);
	CHECK(end(&w));
	CHECK_INT(w.data.len, sizeof(want));
	CHECK(memcmp(w.data.data, want, sizeof(want)) == 0);
}

TEST(a_big_endian_message_is_read)
{
	static const uint8_t data[] = {
		'B', 2, 0, 1, 0, 0, 0,	 8, 0, 0,   0,	 7, 0,	  0,	0, 16, 5, 1, 'u', 0,
		0,   0, 0, 9, 8, 1, 'g', 0, 2, 'n', 'u', 0, 0xff, 0xfe, 0, 0,  1, 2, 3,	  4,
	};
	const char *reason;
	struct bus_message m;
	struct bus_reader body;
	uint64_t n;

	CHECK_INT(bus_parse(data, sizeof(data), &m, &reason), 0);
	CHECK_INT(m.reply_serial, 9);
	body = bus_body(&m);
	CHECK_INT(bus_read_number(&body, 'n', &n), 1);
	CHECK_INT((int64_t)n, -2);
	CHECK_INT(bus_read_number(&body, 'u', &n), 1);
	CHECK_INT(n, 0x01020304);
}

TEST(all_simple_types_come_back)
{
	static const char types[] = "ynqiuxtdb";
	_cleanup_bus_writer_ struct bus_writer w;
	const struct bus_message *m;
	struct bus_reader body;
	const char *text;
	uint64_t n;

	begin(&w, "ynqiuxtdbsog");
	for (const char *t = types; *t; t++)
		bus_write_number(&w, *t, *t == 'b' ? 1 : (uint64_t)-2);
	bus_write_string(&w, "gr\xc3\xbc\xc3\x9f");
	bus_write_string(&w, "/a/b_1");
	bus_write_signature(&w, "a{sv}");
	m = end(&w);
	CHECK(m);
	body = bus_body(m);
	for (const char *t = types; *t; t++) {
		static const uint64_t want[] = {0xfe,	      (uint64_t)-2, 0xfffe,
						(uint64_t)-2, 0xfffffffe,   (uint64_t)-2,
						(uint64_t)-2, (uint64_t)-2, 1};

		CHECK_INT(bus_read_number(&body, *t == 'y' ? 'q' : 'y', &n), -ENXIO);
		CHECK_INT(bus_read_number(&body, *t, &n), 1);
		CHECK_INT(n, want[t - types]);
	}
	CHECK_INT(bus_read_text(&body, 's', &text), 1);
	CHECK_STR(text, "gr\xc3\xbc\xc3\x9f");
	CHECK_INT(bus_read_text(&body, 's', &text), -ENXIO);
	CHECK_INT(bus_read_text(&body, 'o', &text), 1);
	CHECK_STR(text, "/a/b_1");
	CHECK_INT(bus_read_text(&body, 'g', &text), 1);
	CHECK_STR(text, "a{sv}");
	CHECK_INT(bus_read_text(&body, 's', &text), 0);
}

/* A list of structs is padded to 8 even where it has none, and the padding is not counted. */
TEST(empty_array_of_structs)
{
	_cleanup_bus_writer_ struct bus_writer w;
	const struct bus_message *m;
	struct bus_reader body, list;
	uint64_t n;

	begin(&w, "uua(sv)u");
	bus_write_number(&w, 'u', 1);
	bus_write_number(&w, 'u', 1);
	bus_write_array_end(&w, '(', bus_write_array(&w, '('));
	bus_write_number(&w, 'u', 42);
	m = end(&w);
	CHECK(m);
	CHECK_INT(m->len, 8 + 4 + 4 + 4);
	CHECK_INT(m->body[8], 0);
	body = bus_body(m);
	CHECK_INT(bus_read_skip(&body), 1);
	CHECK_INT(bus_read_skip(&body), 1);
	CHECK_INT(bus_read_enter(&body, "a(ss)", &list), -ENXIO);
	CHECK_INT(bus_read_enter(&body, "a(sv)", &list), 1);
	CHECK_INT(bus_next_type(&list), 0);
	CHECK_INT(bus_read_skip(&list), 0);
	CHECK_INT(bus_read_number(&body, 'u', &n), 1);
	CHECK_INT(n, 42);
}

/* Levels of variants in one another, the innermost a byte. */
static void write_variants(struct bus_writer *w, int levels)
{
	begin(w, "v");
	while (--levels)
		bus_write_signature(w, "v");
	bus_write_signature(w, "y");
	bus_write_number(w, 'y', 9);
}

TEST(nested_variants_have_an_end)
{
	_cleanup_bus_writer_ struct bus_writer w, deep;
	const struct bus_message *m;
	struct bus_reader here, inner;
	uint64_t n;

	write_variants(&w, 64);
	m = end(&w);
	CHECK(m);
	here = bus_body(m);
	for (int i = 0; i < 64; i++) {
		CHECK_INT(bus_read_enter(&here, "v", &inner), 1);
		here = inner;
	}
	CHECK_INT(bus_read_number(&here, 'y', &n), 1);
	CHECK_INT(n, 9);
	write_variants(&deep, 65);
	CHECK(!end(&deep));
}

static void write_props(struct bus_writer *w, struct cg_props *props)
{
	cg_prop_string(props, "Description", "a scope");
	cg_prop_bool(props, "Delegate", true);
	cg_prop_u64(props, "MemoryMax", UINT64_MAX);
	cg_prop_entry(props, "DeviceAllow", 'P', "/dev/null", "rwm", 0);
	cg_prop_entry(props, "DeviceAllow", 'P', "char-pts", "rw", 0);
	cg_prop_entry(props, "IOReadBandwidthMax", 'T', "/dev/sda", NULL, 1000);
	cg_prop_set(props, "Empty", 'T');
	for (uint64_t i = 0; i < 3; i++)
		cg_prop_entry(props, "AllowedCPUs", 'Y', NULL, NULL, 0xf0 + i);
	begin(w, "ssa(sv)a(sa(sv))");
	bus_write_string(w, "x.scope");
	bus_write_string(w, "fail");
	bus_append_props(w, props);
	bus_write_array_end(w, '(', bus_write_array(w, '('));
}

TEST(properties_come_back)
{
	static const char *const names[] = {"Description", "Delegate",		 "MemoryMax",
					    "DeviceAllow", "IOReadBandwidthMax", "Empty",
					    "AllowedCPUs"};
	_cleanup_bus_writer_ struct bus_writer w;
	struct cg_props props = {0}, back = {0};
	struct bus_reader body, list, item;
	const struct bus_message *m;
	const struct cg_prop *p;
	const char *name;

	write_props(&w, &props);
	m = end(&w);
	CHECK(m);
	body = bus_body(m);
	CHECK_INT(bus_read_skip(&body), 1);
	CHECK_INT(bus_read_skip(&body), 1);
	CHECK_INT(bus_read_enter(&body, "a(sv)", &list), 1);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		CHECK_INT(bus_read_enter(&list, "(", &item), 1);
		CHECK_INT(bus_read_text(&item, 's', &name), 1);
		CHECK_STR(name, names[i]);
		p = cg_prop_find(&props, name);
		CHECK(p);
		/* Booleans are not asked for. */
		CHECK_INT(bus_read_prop(&item, p, &back), p->type != 'b');
	}
	CHECK_INT(bus_read_skip(&list), 0);
	CHECK_STR(cg_prop_find(&back, "Description")->strings[0], "a scope");
	CHECK(cg_prop_find(&back, "MemoryMax")->number == UINT64_MAX);
	p = cg_prop_find(&back, "DeviceAllow");
	CHECK(p && p->len == 2 && p->replaces);
	CHECK_STR(p->strings[2], "char-pts");
	CHECK_STR(p->strings[3], "rw");
	p = cg_prop_find(&back, "IOReadBandwidthMax");
	CHECK(p && p->len == 1 && p->numbers[0] == 1000);
	CHECK_INT(cg_prop_find(&back, "Empty")->len, 0);
	p = cg_prop_find(&back, "AllowedCPUs");
	CHECK(p && p->len == 3 && p->numbers[2] == 0xf2);
	cg_props_done(&props);
	cg_props_done(&back);
}

TEST(property_of_another_type_is_left_out)
{
	const struct cg_prop p = {.name = "MemoryMax", .type = 't'};
	_cleanup_bus_writer_ struct bus_writer w;
	struct cg_props back = {0};
	const struct bus_message *m;
	struct bus_reader body;

	begin(&w, "v");
	bus_write_signature(&w, "s");
	bus_write_string(&w, "infinity");
	m = end(&w);
	CHECK(m);
	body = bus_body(m);
	CHECK_INT(bus_read_prop(&body, &p, &back), 0);
	CHECK_INT(back.len, 0);
}

/* No beginning of a message is one, and none is read behind its end. */
TEST(every_truncation_is_refused)
{
	_cleanup_bus_writer_ struct bus_writer w;
	struct cg_props props = {0};

	write_props(&w, &props);
	cg_props_done(&props);
	CHECK(end(&w));
	CHECK_INT(parse_copy(w.data.data, w.data.len), 0);
	for (size_t n = 0; n < w.data.len; n++)
		CHECK_INT(parse_copy(w.data.data, n), -EBADMSG);
}

/* Each length of the message becomes another one: nothing but an error comes of it, or a message that holds together. */
TEST(hostile_bytes_do_no_harm)
{
	static const uint8_t values[] = {0, 1, 7, 0x7f, 0x80, 0xff, 'a', '(', ')', '{', 'v'};
	_cleanup_bus_writer_ struct bus_writer w;
	struct cg_props props = {0};
	size_t refused = 0;

	write_props(&w, &props);
	cg_props_done(&props);
	CHECK(end(&w));
	for (size_t at = 0; at < w.data.len; at++) {
		char kept = w.data.data[at];

		for (size_t i = 0; i < sizeof(values); i++) {
			w.data.data[at] = (char)values[i];
			refused += parse_copy(w.data.data, w.data.len) < 0;
		}
		w.data.data[at] = kept;
	}
	CHECK(refused > w.data.len);
	CHECK_INT(parse_copy(w.data.data, w.data.len), 0);
}

TEST(wrong_signatures_are_refused)
{
	static const char *const wrong[] = {"a",    "(",       "()",	 "(s",	 ")",	"{sv}",
					    "a{s}", "a{vs}",   "a{svs}", "a{sv", "z",	"aa",
					    "(a)",  "a{(s)s}", "s)",	 "r",	 "a()", "a{}"};
	static const char *const right[] = {"",	    "a{sv}",	 "a{sa{sv}}",	"(s(u)v)",
					    "aaau", "a(sa(sv))", "a{oa{ya(s)}}"};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		_cleanup_bus_writer_ struct bus_writer w;

		begin(&w, "g");
		bus_write_signature(&w, wrong[i]);
		if (end(&w))
			TEST_FAIL("`%s` was taken for a signature", wrong[i]);
	}
	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
		_cleanup_bus_writer_ struct bus_writer w;

		begin(&w, "g");
		bus_write_signature(&w, right[i]);
		if (!end(&w))
			TEST_FAIL("`%s` was not taken for a signature", right[i]);
	}
}

TEST(wrong_texts_are_refused)
{
	static const char *const paths[] = {"", "a", "/a/", "//", "/a//b", "/a-b", "/a.b"};
	static const char *const texts[] = {"\xff", "\xc0\x80", "\xed\xa0\x80", "\xf5\x80\x80\x80",
					    "\xe2\x82"};
	_cleanup_bus_writer_ struct bus_writer nul;

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		_cleanup_bus_writer_ struct bus_writer w;

		begin(&w, "o");
		bus_write_string(&w, paths[i]);
		if (end(&w))
			TEST_FAIL("`%s` was taken for an object's path", paths[i]);
	}
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		_cleanup_bus_writer_ struct bus_writer w;

		begin(&w, "s");
		bus_write_string(&w, texts[i]);
		CHECK_INT(bus_write_end(&w), -EINVAL);
	}
	/* A NUL inside. */
	begin(&nul, "s");
	bus_write_string(&nul, "abc");
	CHECK(end(&nul));
	nul.data.data[nul.data.len - 3] = '\0';
	CHECK_INT(parse_copy(nul.data.data, nul.data.len), -EBADMSG);
}

TEST(body_that_is_not_what_its_signature_says)
{
	_cleanup_bus_writer_ struct bus_writer more, less, two;

	begin(&more, "u");
	bus_write_number(&more, 'u', 1);
	bus_write_number(&more, 'u', 1);
	CHECK(!end(&more));
	begin(&less, "uu");
	bus_write_number(&less, 'u', 1);
	CHECK(!end(&less));
	/* A boolean is 0 or 1. */
	begin(&two, "b");
	bus_write_number(&two, 'b', 2);
	CHECK(!end(&two));
}

TEST(lengths_have_a_limit)
{
	uint8_t head[BUS_FIXED_HEADER] = {'l', 2, 0, 1, 0, 0, 0, 0, 1};
	_cleanup_bus_writer_ struct bus_writer w;
	const char *reason = NULL;
	char text[1001] = "";

	CHECK_INT(bus_length(head, sizeof(head), &reason), 16);
	head[6] = 0x10; /* a body of 1 MiB */
	CHECK_INT(bus_length(head, sizeof(head), &reason), 0);
	CHECK_STR(reason, "it is longer than 1 MiB");
	head[6] = 0;
	memset(head + 12, 0xff, 4);
	CHECK_INT(bus_length(head, sizeof(head), &reason), 0);
	head[3] = 2;
	CHECK_INT(bus_length(head, sizeof(head), &reason), 0);
	CHECK_STR(reason, "it is no D-Bus message");

	memset(text, 'x', sizeof(text) - 1);
	begin(&w, "as");
	for (int i = 0; i < 1100; i++)
		bus_write_string(&w, text);
	CHECK_INT(bus_write_end(&w), -EMSGSIZE);
}

TEST_MAIN()
