// SPDX-License-Identifier: Apache-2.0
// libseccomp's functions: see seccomp_dl.h.
#ifdef HAVE_SECCOMP

#include "host/seccomp_dl.h"

#include "base/cleanup.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <string.h>

#ifdef STATIC_BINARY

int seccomp_library_load(struct seccomp_library *lib, struct crun_error *err)
{
	(void)err;
	*lib = (struct seccomp_library){
		.init = seccomp_init,
		.release = seccomp_release,
		.attr_set = seccomp_attr_set,
		.arch_add = seccomp_arch_add,
		.arch_remove = seccomp_arch_remove,
		.arch_native = seccomp_arch_native,
		.resolve_name = seccomp_syscall_resolve_name,
		.resolve_name_arch = seccomp_syscall_resolve_name_arch,
		.rule_add_array = seccomp_rule_add_array,
		.export_bpf = seccomp_export_bpf,
	};
	return 0;
}

int seccomp_library_path(const char **ret)
{
	*ret = NULL;
	return 0;
}

#else

/* The name of the ABI that the header describes; the name without a number belongs to development packages. */
#define LIBRARY "libseccomp.so.2"

int seccomp_library_load(struct seccomp_library *lib, struct crun_error *err)
{
	const struct {
		const char *name;
		void *pointer; /* a function pointer to be set */
	} symbols[] = {
		{"seccomp_init", &lib->init},
		{"seccomp_release", &lib->release},
		{"seccomp_attr_set", &lib->attr_set},
		{"seccomp_arch_add", &lib->arch_add},
		{"seccomp_arch_remove", &lib->arch_remove},
		{"seccomp_arch_native", &lib->arch_native},
		{"seccomp_syscall_resolve_name", &lib->resolve_name},
		{"seccomp_syscall_resolve_name_arch", &lib->resolve_name_arch},
		{"seccomp_rule_add_array", &lib->rule_add_array},
		{"seccomp_export_bpf", &lib->export_bpf},
	};
	void *handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL), *symbol;

	if (!handle)
		return err_set(err, CODE_SECCOMP_LIBRARY, EOPNOTSUPP,
			       "a seccomp profile needs libseccomp: %s", dlerror());
	for (size_t i = 0; i < ARRAY_LEN(symbols); i++) {
		symbol = dlsym(handle, symbols[i].name);
		if (!symbol)
			return err_set(err, CODE_SECCOMP_LIBRARY, EOPNOTSUPP,
				       "a seccomp profile needs libseccomp: %s", dlerror());
		/* POSIX wants dlsym's result read as what it is, C has no cast for it. */
		memcpy(symbols[i].pointer, &symbol, sizeof(symbol));
	}
	return 0;
}

int seccomp_library_path(const char **ret)
{
	void *handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
	struct link_map *map = NULL;

	if (!handle)
		return -ENOENT;
	if (dlinfo(handle, RTLD_DI_LINKMAP, &map) < 0)
		map = NULL;
	dlclose(handle); /* the one of seccomp_library_load() keeps it */
	if (!map || map->l_name[0] != '/')
		return -ENOENT;
	*ret = map->l_name;
	return 0;
}

#endif
#endif
