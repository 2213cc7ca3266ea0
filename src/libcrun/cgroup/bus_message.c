// SPDX-License-Identifier: Apache-2.0
// Properties of units as D-Bus messages.
#include "cgroup/bus_message.h"

#include <errno.h>
#include <string.h>

/* The D-Bus signature of a property's value. */
static const char *signature(const struct cg_prop *p, char buf[2])
{
	switch (p->type) {
	case 'S':
		return "as";
	case 'Y':
		return "ay";
	case 'P':
		return "a(ss)";
	case 'T':
		return "a(st)";
	case 'U':
		return "au";
	default:
		buf[0] = p->type;
		buf[1] = '\0';
		return buf;
	}
}

static void append_number(struct bus_writer *w, const struct cg_prop *p)
{
	uint64_t number = p->number;

	if (p->type == 'd')
		memcpy(&number, &p->real, sizeof(number));
	bus_write_number(w, p->type, p->type == 'b' ? number != 0 : number);
}

static void append_entry(struct bus_writer *w, const struct cg_prop *p, size_t i)
{
	switch (p->type) {
	case 'S':
		bus_write_string(w, p->strings[i]);
		break;
	case 'Y':
		bus_write_number(w, 'y', p->numbers[i]);
		break;
	case 'U':
		bus_write_number(w, 'u', p->numbers[i]);
		break;
	case 'P':
		bus_write_struct(w);
		bus_write_string(w, p->strings[2 * i]);
		bus_write_string(w, p->strings[2 * i + 1]);
		break;
	default: /* 'T' */
		bus_write_struct(w);
		bus_write_string(w, p->strings[i]);
		bus_write_number(w, 't', p->numbers[i]);
	}
}

static void append_value(struct bus_writer *w, const struct cg_prop *p, const char *sig)
{
	size_t array;

	if (p->type == 's') {
		bus_write_string(w, p->strings[0]);
		return;
	}
	if (sig[0] != 'a') {
		append_number(w, p);
		return;
	}
	array = bus_write_array(w, sig[1]);
	for (size_t i = 0; i < p->len; i++)
		append_entry(w, p, i);
	bus_write_array_end(w, sig[1], array);
}

static void append_prop(struct bus_writer *w, const struct cg_prop *p)
{
	char buf[2];
	const char *sig = signature(p, buf);

	/* Of a list that comes systemd adds each entry; an empty one makes it forget those that it has. */
	if (p->replaces && p->len) {
		struct cg_prop none = *p;

		none.len = 0;
		append_prop(w, &none);
	}
	bus_write_struct(w);
	bus_write_string(w, p->name);
	bus_write_signature(w, sig);
	append_value(w, p, sig);
}

void bus_append_props(struct bus_writer *w, const struct cg_props *props)
{
	size_t array = bus_write_array(w, '(');

	for (size_t i = 0; i < props->len; i++)
		append_prop(w, &props->items[i]);
	bus_write_array_end(w, '(', array);
}

/* One entry of a list; 1, 0 at its end, or a negative errno. */
static int read_entry(struct bus_reader *list, const struct cg_prop *p, struct cg_props *ret)
{
	const char *first, *second = NULL;
	struct bus_reader entry;
	uint64_t number = 0;
	int r;

	if (p->type == 'Y') {
		r = bus_read_number(list, 'y', &number);
		return r <= 0 || cg_prop_entry(ret, p->name, 'Y', NULL, NULL, number) >= 0
			       ? r
			       : -ENOMEM;
	}
	r = bus_read_enter(list, p->type == 'P' ? "(ss)" : "(st)", &entry);
	if (r <= 0)
		return r;
	r = bus_read_text(&entry, 's', &first);
	if (r > 0)
		r = p->type == 'P' ? bus_read_text(&entry, 's', &second)
				   : bus_read_number(&entry, 't', &number);
	if (r > 0 && cg_prop_entry(ret, p->name, p->type, first, second, number) < 0)
		r = -ENOMEM;
	return r;
}

static int read_list(struct bus_reader *value, const struct cg_prop *p, const char *sig,
		     struct cg_props *ret)
{
	struct cg_prop *list = cg_prop_set(ret, p->name, p->type);
	struct bus_reader entries;
	int r;

	if (!list)
		return -ENOMEM;
	list->replaces = p->type != 'Y';
	r = bus_read_enter(value, sig, &entries);
	while (r > 0)
		r = read_entry(&entries, p, ret);
	return r;
}

static int read_value(struct bus_reader *value, const struct cg_prop *p, const char *sig,
		      struct cg_props *ret)
{
	const char *text;
	uint64_t number;
	int r;

	switch (p->type) {
	case 's':
		r = bus_read_text(value, 's', &text);
		return r > 0 ? cg_prop_string(ret, p->name, text) : r;
	case 't':
		r = bus_read_number(value, 't', &number);
		return r > 0 ? cg_prop_u64(ret, p->name, number) : r;
	default:
		return read_list(value, p, sig, ret);
	}
}

int bus_read_prop(struct bus_reader *r, const struct cg_prop *p, struct cg_props *ret)
{
	char buf[2];
	const char *sig = signature(p, buf);
	struct bus_reader value;
	int n;

	if (!strchr("stYPT", p->type))
		return 0;
	n = bus_read_enter(r, "v", &value);
	if (n <= 0)
		return n == -ENXIO ? 0 : n;
	/* Of another type than we send it. */
	if (value.sig_len != strlen(sig) || memcmp(value.sig, sig, value.sig_len) != 0)
		return 0;
	n = read_value(&value, p, sig, ret);
	return n < 0 ? n : 1;
}
