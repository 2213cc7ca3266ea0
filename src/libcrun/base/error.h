/* SPDX-License-Identifier: Apache-2.0 */
/* The error value: flat, never allocated, survives fork and ENOMEM, travels through a socket as it is. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>

enum crun_error_kind {
	KIND_NONE,
	KIND_SPEC,	  /* the configuration or a command line argument is wrong */
	KIND_NOT_FOUND,	  /* the named container or object does not exist */
	KIND_EXISTS,	  /* the container exists already */
	KIND_STATE,	  /* the container is in a state that does not allow the operation */
	KIND_PERMISSION,  /* EPERM, EACCES and EROFS from the kernel */
	KIND_UNSUPPORTED, /* this kernel, host or build cannot do it */
	KIND_SYSTEM,	  /* any other failed system call */
	KIND_HOOK,	  /* a hook failed */
	KIND_TIMEOUT,	  /* a deadline passed */
	KIND_INTERRUPTED, /* a signal told us to give up */
	KIND_INTERNAL,	  /* a broken invariant of our own */
	KIND_MAX
};

/*
 * What a person acts on: one code per cause, from the catalogue in error_codes.def. A function that takes "a kind or a code" is
 * given a code where the catalogue has one for the cause; with a kind the failure gets the general code of that kind.
 */
enum crun_error_code {
	CODE_NONE = 32, /* no number is both a kind and a code */
#define SECTION(title)
#define CODE(name, kind, meaning, action) CODE_##name,
#include "base/error_codes.def"
#undef CODE
#undef SECTION
	CODE_MAX
};

/*
 * Everything that a person needs to act on a failure. All-zero means "no error". It is also what the init process of a container
 * tells a later `crun start`, perhaps one of another version: the code is at the end, where its elders had the zeros of the text.
 */
struct crun_error {
	int errnum;	 /* positive errno value */
	uint16_t kind;	 /* enum crun_error_kind */
	uint16_t signal; /* KIND_INTERRUPTED: which; else 0 */
	char at[160];	 /* JSON pointer into config.json, or empty */
	char text[1358]; /* "outer frame: inner frame: reason", one line, NUL-terminated */
	uint16_t code;	 /* enum crun_error_code; 0: the general one of the kind */
};

#define CRUN_NODISCARD	       __attribute__((warn_unused_result))
#define CRUN_PRINTF(fmt, args) __attribute__((format(printf, fmt, args), cold))

/* An error sink for callers that do not care: makes ignoring visible at the call site. */
#define ERR_IGNORED (&(struct crun_error){0})

/*
 * Sets *err to a failure of our own finding and returns -errnum. WHAT is a kind or a code. The text gets no errno
 * description: say the whole reason in FMT.
 */
int err_set(struct crun_error *err, unsigned what, int errnum, const char *fmt, ...)
	CRUN_PRINTF(4, 5);

/*
 * Sets *err after a system call returned R (a negative errno) and returns R. The text becomes
 * "FMT...: description of the errno"; name the call's object (path, fd, pid) in FMT.
 */
int err_sys(struct crun_error *err, int r, const char *fmt, ...) CRUN_PRINTF(3, 4);

/*
 * The same with a code. Where the reason is that memory or descriptors have run out, that is the code instead. The kind is
 * that of the errno, as always.
 */
int err_sys_code(struct crun_error *err, enum crun_error_code code, int r, const char *fmt, ...)
	CRUN_PRINTF(4, 5);

/*
 * Puts "FMT...: " in front of the text of an error that is already set; returns -err->errnum.
 * Add a frame only where it says something new.
 */
int err_in(struct crun_error *err, const char *fmt, ...) CRUN_PRINTF(2, 3);

/* Puts "; FMT..." behind the text of an error that is already set, which stays the same otherwise; returns -err->errnum. */
int err_and(struct crun_error *err, const char *fmt, ...) CRUN_PRINTF(2, 3);

/* Attaches the JSON pointer of the configuration value that caused the error, unless one is set. Returns -errnum. */
int err_at(struct crun_error *err, const char *fmt, ...) CRUN_PRINTF(2, 3);

/* The same for the member KEY, any string, of the object at the pointer OBJECT: '~' and '/' are escaped (RFC 6901). */
int err_at_key(struct crun_error *err, const char *object, const char *key);

/* Changes the kind of a set error; returns -errnum. */
int err_kind(struct crun_error *err, enum crun_error_kind kind);

/* Changes the code of a set error; returns -errnum. */
int err_code(struct crun_error *err, enum crun_error_code code);

/*
 * Gives an error that has only the general code of its kind the one of the step that failed: CODE, unless that is 0. Timeouts,
 * signals, hooks, states and broken invariants are no matter of the step and keep theirs. Returns -errnum.
 */
int err_code_of_step(struct crun_error *err, unsigned code);

/* Writes "POINTER: text" (the pointer only if the text does not name it) into BUF, NUL-terminated. Returns the length. */
size_t err_format(const struct crun_error *err, char *buf, size_t size);

/* A short upper-case name for the kind ("NOT_FOUND"), stable: it is part of the JSON log. */
const char *err_kind_name(unsigned kind);

/* The name of the error's code ("COMMAND_MISSING"): part of the JSON log and of what is written to standard error. */
const char *err_code_name(const struct crun_error *err);

/* The description of a positive errno value; no locale, no allocation (strerrordesc_np where there is one). */
const char *err_describe(int errnum);

/* Whether R, a negative errno, says what the machine is short of just now (memory, descriptors, its disk), and so nothing about what is there. */
bool err_is_lack(int r);
