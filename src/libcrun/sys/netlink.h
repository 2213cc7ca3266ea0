/* SPDX-License-Identifier: Apache-2.0 */
/* rtnetlink(7) requests about the calling thread's network namespace. Each returns 0 or a negative errno. */
#pragma once

/* Brings the interface with this index up. The loopback interface of a new namespace has index 1. */
int sys_link_up(int index);
