// SPDX-License-Identifier: Apache-2.0
// What this build can do, told from the tables that the code itself uses: see features.h.
#include "spec/features.h"

#include "base/cleanup.h"
#include "spec/mount_options.h"
#include "spec/tables.h"

#include <stdbool.h>

#ifdef HAVE_SECCOMP
#include <seccomp.h>
#define WITH_SECCOMP true
#define WORD_SECCOMP "+SECCOMP"
#define TEXT_OF_(n)  #n
#define TEXT_OF(n)   TEXT_OF_(n)
#define LIBSECCOMP_VERSION \
	TEXT_OF(SCMP_VER_MAJOR) "." TEXT_OF(SCMP_VER_MINOR) "." TEXT_OF(SCMP_VER_MICRO)
#else
#define WITH_SECCOMP false
#define WORD_SECCOMP "-SECCOMP"
#endif
/* The label is written to our own attribute file: no library is needed. */
#define WITH_SELINUX true
#define WORD_SELINUX "+SELINUX"
#ifdef HAVE_SYSTEMD
#define WITH_SYSTEMD true
#define WORD_SYSTEMD "+SYSTEMD"
#else
#define WITH_SYSTEMD false
#define WORD_SYSTEMD "-SYSTEMD"
#endif
#ifdef HAVE_CRIU
#define WITH_CRIU true
#define WORD_CRIU "+CRIU"
#else
#define WITH_CRIU false
#define WORD_CRIU "-CRIU"
#endif
#ifdef STATIC_BINARY
#define WORD_STATIC "+STATIC"
#else
#define WORD_STATIC "-STATIC"
#endif

/*
 * What needs no library but is not implemented: these lines go with the refusals in plan/check.c and plan/mounts.c.
 */
#define WITH_APPARMOR	   true
#define WITH_IDMAP	   true
#define WITH_INTEL_RDT	   true
#define WITH_MEMORY_POLICY true
#define WITH_NET_DEVICES   true
#define WITH_RDMA	   true

/* More than any of the lists below has. */
#define LIST_MAX 160

struct list {
	const char *names[LIST_MAX];
	size_t len;
};

static void add(struct list *l, const char *name)
{
	if (name && l->len < LIST_MAX)
		l->names[l->len++] = name;
}

#define LIST(field, list) .field = (list).names, .field##_len = (list).len

struct lists {
	struct list hooks, mount_options, namespaces, capabilities;
	struct list actions, operators, archs, flags, unsafe;
	struct list policies, policy_flags;
};

static void fill_names(struct lists *l)
{
	for (size_t i = 0; hook_names[i]; i++)
		add(&l->hooks, hook_names[i]);
	for (unsigned i = 0; i < CAP_NAMES_LEN; i++)
		add(&l->capabilities, cap_name(i));
	for (unsigned i = 1; i <= OCI_NAMESPACE_TYPE_LAST; i++)
		add(&l->namespaces, oci_namespace_type_name((enum oci_namespace_type)i));
	for (size_t i = 0; i < mount_options_len; i++)
		add(&l->mount_options, mount_options[i].name);
	for (unsigned i = 1; i <= OCI_SECCOMP_ACTION_LAST; i++)
		add(&l->actions, oci_seccomp_action_name((enum oci_seccomp_action)i));
	for (unsigned i = 1; i <= OCI_SECCOMP_OPERATOR_LAST; i++)
		add(&l->operators, oci_seccomp_operator_name((enum oci_seccomp_operator)i));
	for (unsigned i = 1; i <= OCI_SECCOMP_ARCH_LAST; i++)
		add(&l->archs, oci_seccomp_arch_name((enum oci_seccomp_arch)i));
	for (unsigned i = 1; i <= OCI_SECCOMP_FLAG_LAST; i++)
		add(&l->flags, oci_seccomp_flag_name((enum oci_seccomp_flag)i));
	for (unsigned i = 1; WITH_MEMORY_POLICY && i <= OCI_MEMORY_POLICY_MODE_LAST; i++)
		add(&l->policies, oci_memory_policy_mode_name((enum oci_memory_policy_mode)i));
	for (unsigned i = 1; WITH_MEMORY_POLICY && i <= OCI_MEMORY_POLICY_FLAG_LAST; i++)
		add(&l->policy_flags, oci_memory_policy_flag_name((enum oci_memory_policy_flag)i));
	/* Annotations of config.json that change what we do: engines keep them from unprivileged users. */
	add(&l->unsafe, "run.oci.");
	if (WITH_SYSTEMD)
		add(&l->unsafe, "org.systemd.property.");
	if (WITH_CRIU)
		add(&l->unsafe, "org.criu.config");
}

#define ENABLED(value)                                  \
	{                                               \
		.has_enabled = true, .enabled = (value) \
	}

static int write_lists(struct lists *l, struct oci_json *out)
{
	struct oci_features_cgroup cgroup = {
		.has_v1 = true,
		.v1 = true,
		.has_v2 = true,
		.v2 = true,
		.has_systemd = true,
		.systemd = WITH_SYSTEMD,
		.has_systemd_user = true,
		.systemd_user = WITH_SYSTEMD,
		.has_rdma = true,
		.rdma = WITH_RDMA,
	};
	struct oci_features_seccomp seccomp = {
		.has_enabled = true,
		.enabled = WITH_SECCOMP,
		LIST(actions, l->actions),
		LIST(operators, l->operators),
		LIST(archs, l->archs),
		LIST(known_flags, l->flags),
		LIST(supported_flags, l->flags),
	};
	struct oci_features_apparmor apparmor = ENABLED(WITH_APPARMOR);
	struct oci_features_selinux selinux = ENABLED(WITH_SELINUX);
	struct oci_features_intel_rdt intel_rdt = {
		.has_enabled = true,
		.enabled = WITH_INTEL_RDT,
		.has_schemata = true,
		.schemata = WITH_INTEL_RDT,
		.has_monitoring = true,
		.monitoring = WITH_INTEL_RDT,
	};
	struct oci_features_memory_policy memory_policy = {
		LIST(modes, l->policies),
		LIST(flags, l->policy_flags),
	};
	struct oci_features_idmap idmap = ENABLED(WITH_IDMAP);
	struct oci_features_mount_extensions mount_extensions = {.idmap = &idmap};
	struct oci_features_net_devices net_devices = ENABLED(WITH_NET_DEVICES);
	struct oci_features_linux linux_part = {
		LIST(namespaces, l->namespaces),
		LIST(capabilities, l->capabilities),
		.cgroup = &cgroup,
		.seccomp = &seccomp,
		.apparmor = &apparmor,
		.selinux = &selinux,
		.intel_rdt = &intel_rdt,
		.memory_policy = &memory_policy,
		.mount_extensions = &mount_extensions,
		.net_devices = &net_devices,
	};
	struct oci_string_pair pairs[] = {
		{"run.oci.crun.version", PACKAGE_VERSION},
		{"run.oci.crun.commit", GIT_COMMIT},
		{"run.oci.crun.checkpoint.enabled", WITH_CRIU ? "true" : "false"},
#ifdef HAVE_SECCOMP
		{"io.github.seccomp.libseccomp.version", LIBSECCOMP_VERSION},
#endif
	};
	struct oci_string_map annotations = {pairs, ARRAY_LEN(pairs)};
	const struct oci_features features = {
		.oci_version_min = SPEC_VERSION_MIN,
		.oci_version_max = SPEC_VERSION,
		LIST(hooks, l->hooks),
		LIST(mount_options, l->mount_options),
		.linux = &linux_part,
		.annotations = &annotations,
		LIST(potentially_unsafe_config_annotations, l->unsafe),
	};

	return oci_features_write(&features, out);
}

int features_write(struct oci_json *out)
{
	struct lists lists = {0};

	fill_names(&lists);
	if (!WITH_SECCOMP)
		lists.actions.len = lists.operators.len = lists.archs.len = lists.flags.len = 0;
	return write_lists(&lists, out);
}

const char *features_words(void)
{
	return "+CAP " WORD_SECCOMP " " WORD_SELINUX " " WORD_SYSTEMD " " WORD_CRIU " " WORD_STATIC
	       " +YAJL";
}
