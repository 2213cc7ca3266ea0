/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that exist for a fuzz target only. The linker puts the functions of fake_files.c in the place of the calls that open
 * and list files (--wrap, see module.am): between fake_begin() and fake_end() nothing outside of this list can be opened. What is
 * open is a memfd with the content, so that everything else works as always.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* From here on, there is no file but those that are added. */
void fake_begin(void);

/* PATH is absolute, without "." and "..". Both are borrowed until fake_end(). One that is there already stays. */
void fake_add(const char *path, const void *data, size_t len);

/*
 * Adds files of TEXT, which is changed and borrowed: what follows a line "@NAME", up to the next such line, is the content of the file
 * DIR/NAME. What is no name, and what comes before the first one, is left out.
 */
void fake_add_all(const char *dir, char *text);

/* A descriptor of the directory PATH, which the caller closes; it need not have files. */
int fake_dir(const char *path);

/* The real files are back. Aborts when descriptors that were opened meanwhile are still open. */
void fake_end(void);
