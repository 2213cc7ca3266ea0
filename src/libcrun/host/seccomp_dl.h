/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libseccomp's functions as far as we use them. Loaded when a profile must be compiled, so that a container without one
 * does not pay for the library at every start; linked in a static binary.
 */
#pragma once

#include "base/error.h"

#include <stdint.h>
#include <seccomp.h>

struct seccomp_library {
	scmp_filter_ctx (*init)(uint32_t def_action);
	void (*release)(scmp_filter_ctx ctx);
	int (*attr_set)(scmp_filter_ctx ctx, enum scmp_filter_attr attr, uint32_t value);
	int (*arch_add)(scmp_filter_ctx ctx, uint32_t arch_token);
	int (*arch_remove)(scmp_filter_ctx ctx, uint32_t arch_token);
	uint32_t (*arch_native)(void);
	int (*resolve_name)(const char *name);
	int (*resolve_name_arch)(uint32_t arch_token, const char *name);
	int (*rule_add_array)(scmp_filter_ctx ctx, uint32_t action, int syscall, unsigned count,
			      const struct scmp_arg_cmp *args);
	int (*export_bpf)(const scmp_filter_ctx ctx, int fd);
};

/* Fills *LIB; the library stays loaded. Returns 0 or -EOPNOTSUPP (KIND_UNSUPPORTED). */
int seccomp_library_load(struct seccomp_library *lib, struct crun_error *err) CRUN_NODISCARD;

/* The file of the loaded library, valid while it is; NULL when it is linked in. Returns 0 or -ENOENT. */
int seccomp_library_path(const char **ret) CRUN_NODISCARD;
