/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libsystemd's functions as far as we use them, and properties as D-Bus messages. The declarations are our own, so that no development
 * package is needed to build the driver; tests/unit/cgroup/test_bus.c holds them against the header where there is one.
 */
#pragma once

#include "cgroup/systemd_value.h"

struct sd_bus;
struct sd_bus_message;
struct sd_bus_slot;

/* sd_bus_error. */
struct bus_error {
	const char *name, *message;
	int need_free;
};

typedef int (*bus_message_fn)(struct sd_bus_message *m, void *data, struct bus_error *error);

struct sd_library {
	int (*bus_new)(struct sd_bus **ret);
	int (*set_fd)(struct sd_bus *bus, int input_fd, int output_fd);
	int (*set_bus_client)(struct sd_bus *bus, int yes);
	int (*start)(struct sd_bus *bus);
	int (*is_ready)(struct sd_bus *bus);
	int (*process)(struct sd_bus *bus, struct sd_bus_message **ret);
	int (*get_events)(struct sd_bus *bus);
	struct sd_bus *(*close_unref)(struct sd_bus *bus);
	int (*match_signal_async)(struct sd_bus *bus, struct sd_bus_slot **ret, const char *sender,
				  const char *path, const char *interface, const char *member,
				  bus_message_fn callback, bus_message_fn installed, void *data);
	int (*new_method_call)(struct sd_bus *bus, struct sd_bus_message **ret, const char *to,
			       const char *path, const char *interface, const char *member);
	int (*call_async)(struct sd_bus *bus, struct sd_bus_slot **ret, struct sd_bus_message *m,
			  bus_message_fn callback, void *data, uint64_t usec);
	const struct bus_error *(*get_error)(struct sd_bus_message *m);
	struct sd_bus_message *(*message_ref)(struct sd_bus_message *m);
	struct sd_bus_message *(*message_unref)(struct sd_bus_message *m);
	int (*append_basic)(struct sd_bus_message *m, char type, const void *value);
	int (*append_array)(struct sd_bus_message *m, char type, const void *values, size_t size);
	int (*open_container)(struct sd_bus_message *m, char type, const char *contents);
	int (*close_container)(struct sd_bus_message *m);
	int (*read_basic)(struct sd_bus_message *m, char type, void *ret);
	int (*enter_container)(struct sd_bus_message *m, char type, const char *contents);
	int (*exit_container)(struct sd_bus_message *m);
};

/*
 * Reads the variant that comes next in M as the value of a property of P's type, and adds it to RET. 1, 0 when it is of another type, or a
 * negative errno.
 */
int bus_read_prop(const struct sd_library *sd, struct sd_bus_message *m, const struct cg_prop *p,
		  struct cg_props *ret);

/* Appends "a(sv)". 0 or a negative errno. */
int bus_append_props(const struct sd_library *sd, struct sd_bus_message *m,
		     const struct cg_props *props);
