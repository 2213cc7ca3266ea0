// SPDX-License-Identifier: Apache-2.0
// Holds our declarations of libsystemd's functions against its header, where that is installed.
#include "cgroup/bus_message.h"

#if defined(__has_include)
#if __has_include(<systemd/sd-bus.h>)
#include <systemd/sd-bus.h>
#define HAVE_HEADER
#endif
#endif

#include "../test.h"

#ifdef HAVE_HEADER

#define SAME(member, function)                                                                    \
	_Static_assert(__builtin_types_compatible_p(__typeof__(((struct sd_library *)0)->member), \
						    __typeof__(&(function))),                     \
		       "libsystemd declares another " #function)

SAME(bus_new, sd_bus_new);
SAME(set_fd, sd_bus_set_fd);
SAME(set_bus_client, sd_bus_set_bus_client);
SAME(start, sd_bus_start);
SAME(is_ready, sd_bus_is_ready);
SAME(process, sd_bus_process);
SAME(get_events, sd_bus_get_events);
SAME(close_unref, sd_bus_close_unref);
SAME(new_method_call, sd_bus_message_new_method_call);
SAME(message_ref, sd_bus_message_ref);
SAME(message_unref, sd_bus_message_unref);
SAME(append_basic, sd_bus_message_append_basic);
SAME(append_array, sd_bus_message_append_array);
SAME(open_container, sd_bus_message_open_container);
SAME(close_container, sd_bus_message_close_container);
SAME(read_basic, sd_bus_message_read_basic);
SAME(enter_container, sd_bus_message_enter_container);
SAME(exit_container, sd_bus_message_exit_container);

/* sd_bus_error is a type without a tag: what takes it differs in that alone. */
TEST(error_has_the_same_layout)
{
	CHECK_INT(sizeof(struct bus_error), sizeof(sd_bus_error));
	CHECK_INT(offsetof(struct bus_error, name), offsetof(sd_bus_error, name));
	CHECK_INT(offsetof(struct bus_error, message), offsetof(sd_bus_error, message));
}

#else

TEST(error_has_the_same_layout)
{
	SKIP("systemd/sd-bus.h is not installed");
}

#endif

TEST_MAIN()
