// SPDX-License-Identifier: Apache-2.0
// The configuration that `crun spec` writes: see example.h.
#include "spec/example.h"

#include "base/cleanup.h"
#include "spec/tables.h"

#include <string.h>

#define STRINGS(...) ((const char *[]){__VA_ARGS__, NULL})
#define LIST(field, ...)               \
	.field = STRINGS(__VA_ARGS__), \
	.field##_len = sizeof(STRINGS(__VA_ARGS__)) / sizeof(char *) - 1

#define CAPABILITIES "CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"

/* Inheritable and ambient stay empty: what a program gains by exec it should have to ask for. */
static struct oci_capabilities capabilities = {
	LIST(bounding, CAPABILITIES),
	LIST(effective, CAPABILITIES),
	LIST(permitted, CAPABILITIES),
};

static struct oci_user user = {.has_uid = true, .has_gid = true};

static struct oci_rlimit rlimits[] = {
	{.type = "RLIMIT_NOFILE", .has_soft = true, .soft = 1024, .has_hard = true, .hard = 1024},
};

static struct oci_process process = {
	.has_terminal = true,
	.terminal = true,
	.cwd = "/",
	LIST(env, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	     "TERM=xterm"),
	LIST(args, "sh"),
	.user = &user,
	.capabilities = &capabilities,
	.rlimits = rlimits,
	.rlimits_len = ARRAY_LEN(rlimits),
	.has_no_new_privileges = true,
	.no_new_privileges = true,
};

static struct oci_root root = {.path = "rootfs", .has_readonly = true, .readonly = true};

enum {
	MOUNT_PROC,
	MOUNT_DEV,
	MOUNT_PTS,
	MOUNT_SHM,
	MOUNT_MQUEUE,
	MOUNT_SYS,
	MOUNT_CGROUP_FS,
	MOUNT_COUNT
};

static const struct oci_mount mounts[MOUNT_COUNT] = {
	[MOUNT_PROC] = {.destination = "/proc", .type = "proc", .source = "proc"},
	[MOUNT_DEV] = {.destination = "/dev",
		       .type = "tmpfs",
		       .source = "tmpfs",
		       LIST(options, "nosuid", "strictatime", "mode=755", "size=65536k")},
	[MOUNT_PTS] = {.destination = "/dev/pts",
		       .type = "devpts",
		       .source = "devpts",
		       LIST(options, "nosuid", "noexec", "newinstance", "ptmxmode=0666",
			    "mode=0620", "gid=5")},
	[MOUNT_SHM] = {.destination = "/dev/shm",
		       .type = "tmpfs",
		       .source = "shm",
		       LIST(options, "nosuid", "noexec", "nodev", "mode=1777", "size=65536k")},
	[MOUNT_MQUEUE] = {.destination = "/dev/mqueue",
			  .type = "mqueue",
			  .source = "mqueue",
			  LIST(options, "nosuid", "noexec", "nodev")},
	[MOUNT_SYS] = {.destination = "/sys",
		       .type = "sysfs",
		       .source = "sysfs",
		       LIST(options, "nosuid", "noexec", "nodev", "ro")},
	[MOUNT_CGROUP_FS] = {.destination = "/sys/fs/cgroup",
			     .type = "cgroup",
			     .source = "cgroup",
			     LIST(options, "nosuid", "noexec", "nodev", "relatime", "ro")},
};

/* devpts in a user namespace of one id: group 5 (tty) does not exist there, and the kernel refuses it. */
static const struct oci_mount pts_one_id = {
	.destination = "/dev/pts",
	.type = "devpts",
	.source = "devpts",
	LIST(options, "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"),
};

/* sysfs belongs to the network namespace: only who owns that may mount a new one. */
static const struct oci_mount sys_of_host = {
	.destination = "/sys",
	.type = "none",
	.source = "/sys",
	LIST(options, "rbind", "nosuid", "noexec", "nodev", "ro"),
};

static struct oci_linux_namespace namespaces[] = {
	{.type = OCI_NAMESPACE_TYPE_PID},   {.type = OCI_NAMESPACE_TYPE_NETWORK},
	{.type = OCI_NAMESPACE_TYPE_IPC},   {.type = OCI_NAMESPACE_TYPE_UTS},
	{.type = OCI_NAMESPACE_TYPE_MOUNT}, {.type = OCI_NAMESPACE_TYPE_CGROUP},
};

/* A network of one's own needs somebody with privileges outside to connect it: the host's is shared. */
static struct oci_linux_namespace namespaces_rootless[] = {
	{.type = OCI_NAMESPACE_TYPE_PID},    {.type = OCI_NAMESPACE_TYPE_IPC},
	{.type = OCI_NAMESPACE_TYPE_UTS},    {.type = OCI_NAMESPACE_TYPE_MOUNT},
	{.type = OCI_NAMESPACE_TYPE_CGROUP}, {.type = OCI_NAMESPACE_TYPE_USER},
};

static struct oci_linux_device_cgroup no_devices[] = {
	{.has_allow = true, .allow = false, .access = "rwm"},
};

static struct oci_linux_resources resources = {
	.devices = no_devices,
	.devices_len = ARRAY_LEN(no_devices),
};

static const struct oci_linux linux_part = {
	.namespaces = namespaces,
	.namespaces_len = ARRAY_LEN(namespaces),
	.resources = &resources,
	LIST(masked_paths, "/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore",
	     "/proc/keys", "/proc/latency_stats", "/proc/sched_debug", "/proc/scsi",
	     "/proc/timer_list", "/proc/timer_stats", "/sys/devices/virtual/powercap",
	     "/sys/firmware"),
	LIST(readonly_paths, "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
	     "/proc/sysrq-trigger"),
};

int example_write(bool rootless, uid_t uid, gid_t gid, struct oci_json *out)
{
	struct oci_id_mapping uids = {.has_container_id = true,
				      .has_host_id = true,
				      .has_size = true,
				      .host_id = uid,
				      .size = 1};
	struct oci_id_mapping gids = uids;
	struct oci_mount own_mounts[MOUNT_COUNT];
	struct oci_linux own_linux = linux_part;
	struct oci_config config = {
		.oci_version = SPEC_VERSION,
		.root = &root,
		.mounts = own_mounts,
		.mounts_len = MOUNT_COUNT,
		.process = &process,
		.hostname = "crun",
		.linux = &own_linux,
	};

	gids.host_id = gid;
	memcpy(own_mounts, mounts, sizeof(mounts));
	if (rootless) {
		own_mounts[MOUNT_PTS] = pts_one_id;
		own_mounts[MOUNT_SYS] = sys_of_host;
		own_linux.namespaces = namespaces_rootless;
		own_linux.namespaces_len = ARRAY_LEN(namespaces_rootless);
		own_linux.uid_mappings = &uids;
		own_linux.uid_mappings_len = 1;
		own_linux.gid_mappings = &gids;
		own_linux.gid_mappings_len = 1;
		/* Device rules are a privileged program in the kernel; file permissions guard the devices here. */
		own_linux.resources = NULL;
	}
	return oci_config_write(&config, out);
}
