// SPDX-License-Identifier: Apache-2.0
// Properties of units as D-Bus messages.
#include "cgroup/bus_message.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdlib.h>
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

static int append_number(const struct sd_library *sd, struct sd_bus_message *m,
			 const struct cg_prop *p)
{
	union {
		uint8_t y;
		int16_t n;
		uint16_t q;
		int32_t i;
		uint32_t u;
		int64_t x;
		uint64_t t;
		int b;
		double d;
	} v = {0};

	switch (p->type) {
	case 'y':
		v.y = (uint8_t)p->number;
		break;
	case 'n':
	case 'q':
		v.q = (uint16_t)p->number;
		break;
	case 'i':
	case 'u':
		v.u = (uint32_t)p->number;
		break;
	case 'b':
		v.b = p->number != 0;
		break;
	case 'd':
		v.d = p->real;
		break;
	default:
		v.t = p->number;
	}
	return sd->append_basic(m, p->type, &v);
}

static int append_bytes(const struct sd_library *sd, struct sd_bus_message *m,
			const struct cg_prop *p)
{
	_cleanup_free_ uint8_t *bytes = malloc(p->len + 1);

	if (!bytes)
		return -ENOMEM;
	for (size_t i = 0; i < p->len; i++)
		bytes[i] = (uint8_t)p->numbers[i];
	return sd->append_array(m, 'y', bytes, p->len);
}

static int append_entry(const struct sd_library *sd, struct sd_bus_message *m,
			const struct cg_prop *p, size_t i)
{
	uint32_t pid;
	int r;

	if (p->type == 'S')
		return sd->append_basic(m, 's', p->strings[i]);
	if (p->type == 'U') {
		pid = (uint32_t)p->numbers[i];
		return sd->append_basic(m, 'u', &pid);
	}
	r = sd->open_container(m, 'r', p->type == 'P' ? "ss" : "st");
	if (r >= 0)
		r = sd->append_basic(m, 's', p->strings[p->type == 'P' ? 2 * i : i]);
	if (r >= 0)
		r = p->type == 'P' ? sd->append_basic(m, 's', p->strings[2 * i + 1])
				   : sd->append_basic(m, 't', &p->numbers[i]);
	return r < 0 ? r : sd->close_container(m);
}

static int append_value(const struct sd_library *sd, struct sd_bus_message *m,
			const struct cg_prop *p, const char *sig)
{
	int r;

	if (p->type == 's')
		return sd->append_basic(m, 's', p->strings[0]);
	if (p->type == 'Y')
		return append_bytes(sd, m, p);
	if (sig[0] != 'a')
		return append_number(sd, m, p);
	r = sd->open_container(m, 'a', sig + 1);
	for (size_t i = 0; r >= 0 && i < p->len; i++)
		r = append_entry(sd, m, p, i);
	return r < 0 ? r : sd->close_container(m);
}

static int append_prop(const struct sd_library *sd, struct sd_bus_message *m,
		       const struct cg_prop *p)
{
	char buf[2];
	const char *sig = signature(p, buf);
	int r = 0;

	/* Of a list that comes systemd adds each entry; an empty one makes it forget those that it has. */
	if (p->replaces && p->len) {
		struct cg_prop none = *p;

		none.len = 0;
		r = append_prop(sd, m, &none);
	}
	if (r >= 0)
		r = sd->open_container(m, 'r', "sv");

	if (r >= 0)
		r = sd->append_basic(m, 's', p->name);
	if (r >= 0)
		r = sd->open_container(m, 'v', sig);
	if (r >= 0)
		r = append_value(sd, m, p, sig);
	if (r >= 0)
		r = sd->close_container(m);
	return r < 0 ? r : sd->close_container(m);
}

int bus_append_props(const struct sd_library *sd, struct sd_bus_message *m,
		     const struct cg_props *props)
{
	int r = sd->open_container(m, 'a', "(sv)");

	for (size_t i = 0; r >= 0 && i < props->len; i++)
		r = append_prop(sd, m, &props->items[i]);
	return r < 0 ? r : sd->close_container(m);
}

/* One entry of a list; 1, 0 at its end, or a negative errno. */
static int read_entry(const struct sd_library *sd, struct sd_bus_message *m,
		      const struct cg_prop *p, struct cg_props *ret)
{
	const char *first, *second = NULL;
	uint64_t number = 0;
	uint8_t byte;
	int r;

	if (p->type == 'Y') {
		r = sd->read_basic(m, 'y', &byte);
		return r <= 0 || cg_prop_entry(ret, p->name, 'Y', NULL, NULL, byte) >= 0 ? r
											 : -ENOMEM;
	}
	r = sd->enter_container(m, 'r', p->type == 'P' ? "ss" : "st");
	if (r <= 0)
		return r;
	r = sd->read_basic(m, 's', &first);
	if (r > 0 && p->type == 'P')
		r = sd->read_basic(m, 's', &second);
	else if (r > 0)
		r = sd->read_basic(m, 't', &number);
	if (r > 0 && cg_prop_entry(ret, p->name, p->type, first, second, number) < 0)
		r = -ENOMEM;
	if (r > 0)
		r = sd->exit_container(m);
	return r < 0 ? r : 1;
}

static int read_list(const struct sd_library *sd, struct sd_bus_message *m, const struct cg_prop *p,
		     const char *sig, struct cg_props *ret)
{
	struct cg_prop *list = cg_prop_set(ret, p->name, p->type);
	int r;

	if (!list)
		return -ENOMEM;
	list->replaces = p->type != 'Y';
	r = sd->enter_container(m, 'a', sig + 1);
	while (r > 0)
		r = read_entry(sd, m, p, ret);
	return r;
}

static int read_value(const struct sd_library *sd, struct sd_bus_message *m,
		      const struct cg_prop *p, const char *sig, struct cg_props *ret)
{
	const char *text;
	uint64_t number;
	int r;

	switch (p->type) {
	case 's':
		r = sd->read_basic(m, 's', &text);
		return r > 0 ? cg_prop_string(ret, p->name, text) : r;
	case 't':
		r = sd->read_basic(m, 't', &number);
		return r > 0 ? cg_prop_u64(ret, p->name, number) : r;
	default:
		return read_list(sd, m, p, sig, ret);
	}
}

int bus_read_prop(const struct sd_library *sd, struct sd_bus_message *m, const struct cg_prop *p,
		  struct cg_props *ret)
{
	char buf[2];
	const char *sig = signature(p, buf);
	int r;

	if (!strchr("stYPT", p->type))
		return 0;
	r = sd->enter_container(m, 'v', sig);
	/* Of another type than we send it. */
	if (r == -ENXIO || r == 0)
		return 0;
	if (r > 0)
		r = read_value(sd, m, p, sig, ret);
	return r < 0 ? r : 1;
}
