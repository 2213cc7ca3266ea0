/* SPDX-License-Identifier: Apache-2.0 */
/* Texts that go to a terminal or a log, with names in them that somebody else has chosen. */
#pragma once

#include <stddef.h>

/*
 * The length in bytes of the control character that TEXT begins with, 0 when it begins with another one. Those of C1 count, too: a terminal
 * takes U+009B for the beginning of a command.
 */
size_t control_length(const char *text);

/* Puts a '?' in the place of each byte of a control character: a message is one line whatever a name contains. */
void make_printable(char *text);
