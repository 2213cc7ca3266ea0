// SPDX-License-Identifier: Apache-2.0
// The plan of the mounts: what each option of the configuration becomes, and what is refused.
#include "plan/internal.h"

#include "../test.h"

#include <errno.h>
#include <linux/mount.h>

/* A configuration with one mount, planned. */
static struct oci_arena arena;
static struct oci_mount mount_;
static struct oci_config config;
static struct oci_linux linux_;
static struct launch_plan plan;
static struct crun_error err;

static bool selinux; /* the host has it */
static struct oci_string_map *annotations;

static int plan_one(const char *type, const char *source, const char *const *options)
{
	memset(&err, 0, sizeof(err));
	plan = (struct launch_plan){.facts.selinux = selinux};
	mount_ = (struct oci_mount){
		.destination = mount_.destination ? mount_.destination : "/mnt",
		.type = type,
		.source = source,
		.options = (const char **)(void *)options,
	};
	while (options && options[mount_.options_len])
		mount_.options_len++;
	config = (struct oci_config){.mounts = &mount_, .mounts_len = 1, .linux = &linux_};
	config.annotations = annotations;
	plan.config = &config;
	plan.linux_ = &linux_;
	plan.bundle = "/bundle";
	plan.ns[NS_MNT].action = NS_NEW;
	plan.facts.cgroup_layout = CGROUP_V2;
	return plan_mounts(&plan, &arena, &err);
}

#define OPTIONS(...)              \
	(const char *const[])     \
	{                         \
		__VA_ARGS__, NULL \
	}

static bool has_parameter(const char *key, const char *value)
{
	for (size_t i = 0; i < plan.mounts[0].parameters_len; i++) {
		const struct mount_parameter *p = &plan.mounts[0].parameters[i];

		if (strcmp(p->key, key) == 0 &&
		    (value ? p->value && strcmp(p->value, value) == 0 : !p->value))
			return true;
	}
	return false;
}

TEST(bind_with_rbind_and_ro_is_readonly_at_the_top_only)
{
	CHECK_INT(plan_one("none", "/src", OPTIONS("rbind", "ro")), 0);
	CHECK_INT(plan.mounts[0].kind, MOUNT_BIND);
	CHECK(plan.mounts[0].recursive);
	CHECK_INT(plan.mounts[0].attr_set, MOUNT_ATTR_RDONLY);
	CHECK_INT(plan.mounts[0].rec_set, 0);
	CHECK_STR(plan.mounts[0].source, "/src");
}

TEST(rro_is_recursive)
{
	CHECK_INT(plan_one("bind", "/src", OPTIONS("rbind", "rro", "rnosuid", "rexec")), 0);
	CHECK_INT(plan.mounts[0].rec_set, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID);
	CHECK_INT(plan.mounts[0].rec_clr, MOUNT_ATTR_NOEXEC);
	CHECK_INT(plan.mounts[0].attr_set, 0);
}

TEST(type_bind_alone_is_a_bind)
{
	CHECK_INT(plan_one("bind", "data", NULL), 0);
	CHECK_INT(plan.mounts[0].kind, MOUNT_BIND);
	CHECK(!plan.mounts[0].recursive);
	CHECK_STR(plan.mounts[0].source, "/bundle/data");
}

TEST(the_later_option_wins)
{
	CHECK_INT(plan_one("bind", "/src", OPTIONS("ro", "rw", "nodev", "noatime", "strictatime")),
		  0);
	CHECK_INT(plan.mounts[0].attr_set, MOUNT_ATTR_NODEV | MOUNT_ATTR_STRICTATIME);
	CHECK_INT(plan.mounts[0].attr_clr, MOUNT_ATTR_RDONLY | MOUNT_ATTR__ATIME);
	CHECK_INT(plan_one("bind", "/src", OPTIONS("rw", "ro", "dev", "nodev")), 0);
	CHECK_INT(plan.mounts[0].attr_set, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV);
	CHECK_INT(plan.mounts[0].attr_clr, 0);
}

TEST(propagation)
{
	CHECK_INT(plan_one("bind", "/src", OPTIONS("bind", "rshared")), 0);
	CHECK_INT(plan.mounts[0].propagation, MS_SHARED);
	CHECK(plan.mounts[0].propagation_rec);
	CHECK_INT(plan.mounts[0].attr_set, 0);
}

TEST(parameters_go_to_the_file_system_in_order)
{
	CHECK_INT(plan_one("tmpfs", "tmpfs", OPTIONS("nosuid", "mode=1777", "size=64k", "noswap")),
		  0);
	CHECK_INT(plan.mounts[0].kind, MOUNT_FS);
	CHECK_INT(plan.mounts[0].parameters_len, 3);
	CHECK_STR(plan.mounts[0].parameters[0].key, "mode");
	CHECK_STR(plan.mounts[0].parameters[0].value, "1777");
	CHECK_STR(plan.mounts[0].parameters[2].key, "noswap");
	CHECK(plan.mounts[0].parameters[2].value == NULL);
}

TEST(readonly_is_also_of_the_instance_unless_it_is_shared)
{
	CHECK_INT(plan_one("ext4", "/dev/x", OPTIONS("ro")), 0);
	CHECK(has_parameter("ro", NULL));
	CHECK_INT(plan.mounts[0].attr_set, MOUNT_ATTR_RDONLY);
	CHECK_INT(plan_one("sysfs", "sysfs", OPTIONS("ro")), 0);
	CHECK(!has_parameter("ro", NULL));
	CHECK_INT(plan.mounts[0].attr_set, MOUNT_ATTR_RDONLY);
	/* Filled before it is sealed. */
	CHECK_INT(plan_one("tmpfs", "tmpfs", OPTIONS("ro")), 0);
	CHECK(!has_parameter("ro", NULL));
}

TEST(recursive_words_of_a_new_instance_are_plain)
{
	CHECK_INT(plan_one("tmpfs", "tmpfs", OPTIONS("rro", "rnodev")), 0);
	CHECK_INT(plan.mounts[0].attr_set, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV);
	CHECK_INT(plan.mounts[0].rec_set, 0);
}

TEST(flags_of_the_file_system_are_taken_back_by_their_opposite)
{
	CHECK_INT(plan_one("tmpfs", "tmpfs", OPTIONS("sync", "dirsync", "lazytime", "async")), 0);
	CHECK(!has_parameter("sync", NULL) && !has_parameter("async", NULL));
	CHECK(has_parameter("dirsync", NULL) && has_parameter("lazytime", NULL));
	CHECK_INT(plan_one("tmpfs", "tmpfs", OPTIONS("async", "nolazytime", "sync", "lazytime")),
		  0);
	CHECK(has_parameter("sync", NULL) && has_parameter("lazytime", NULL));
	CHECK_INT(plan_one("tmpfs", "tmpfs", OPTIONS("mand", "size=1k", "nomand")), 0);
	CHECK_INT(plan.mounts[0].parameters_len, 1);
	CHECK(has_parameter("size", "1k"));
	/* A bind mount has none of them, and that is what the opposites ask for. */
	CHECK_INT(plan_one("bind", "/src", OPTIONS("async", "nolazytime", "nomand")), 0);
	CHECK_INT(plan_one("bind", "/src", OPTIONS("bind", "dirsync", "async")), -EINVAL);
	CHECK_STR(err.at, "/mounts/0/options/1");
}

TEST(relative_destination_is_taken_from_the_root)
{
	mount_.destination = "data/x";
	CHECK_INT(plan_one("tmpfs", "tmpfs", NULL), 0);
	CHECK_STR(plan.mounts[0].destination, "/data/x");
	mount_.destination = NULL;
}

TEST(cgroup_kinds)
{
	CHECK_INT(plan_one("cgroup", "cgroup", OPTIONS("ro", "nosuid")), 0);
	CHECK_INT(plan.mounts[0].kind, MOUNT_CGROUP);
	CHECK_INT(plan_one("cgroup2", "cgroup", NULL), 0);
	CHECK_INT(plan.mounts[0].kind, MOUNT_CGROUP);
}

TEST(mount_label_becomes_the_context_of_new_instances)
{
	linux_.mount_label = "system_u:object_r:x_t:s0:c1,c2";
	/* Engines send it everywhere; a kernel without SELinux would refuse the option. */
	CHECK_INT(plan_one("tmpfs", "tmpfs", NULL), 0);
	CHECK_INT(plan.mounts[0].parameters_len, 0);
	selinux = true;
	CHECK_INT(plan_one("tmpfs", "tmpfs", NULL), 0);
	CHECK(has_parameter("context", "system_u:object_r:x_t:s0:c1,c2"));
	CHECK_INT(plan_one("proc", "proc", NULL), 0);
	CHECK_INT(plan.mounts[0].parameters_len, 0);
	selinux = false;
	linux_.mount_label = NULL;
}

TEST(an_annotation_chooses_the_kind_of_mount_label)
{
	struct oci_string_pair pair = {"run.oci.mount_context_type", "rootcontext"};
	struct oci_string_map map = {&pair, 1};

	annotations = &map;
	selinux = true;
	linux_.mount_label = "l";
	CHECK_INT(plan_one("tmpfs", "tmpfs", NULL), 0);
	CHECK(has_parameter("rootcontext", "l"));
	CHECK(!has_parameter("context", "l"));
	pair.value = "nonsense";
	CHECK_INT(plan_one("tmpfs", "tmpfs", NULL), -EINVAL);
	CHECK_STR(err.at, "/annotations/run.oci.mount_context_type");
	annotations = NULL;
	selinux = false;
	linux_.mount_label = NULL;
}

TEST(remount_changes_flags_only)
{
	CHECK_INT(plan_one("none", NULL, OPTIONS("remount", "bind", "ro")), 0);
	CHECK_INT(plan.mounts[0].kind, MOUNT_REMOUNT);
	CHECK_INT(plan_one("tmpfs", NULL, OPTIONS("remount", "size=1k")), -EINVAL);
	CHECK_STR(err.at, "/mounts/0/options/1");
}

TEST(what_cannot_be_honoured_is_refused_with_its_place)
{
	CHECK_INT(plan_one("bind", "/src", OPTIONS("bind", "ro", "size=64k")), -EINVAL);
	CHECK_STR(err.at, "/mounts/0/options/2");
	CHECK(strstr(err.text, "size=64k"));
	CHECK_INT(plan_one("bind", "/src", OPTIONS("sync")), -EINVAL);
	CHECK_INT(plan_one("bind", NULL, NULL), -EINVAL);
	CHECK_STR(err.at, "/mounts/0");
	CHECK_INT(plan_one(NULL, "/src", OPTIONS("ro")), -EINVAL);
	CHECK_STR(err.at, "/mounts/0/type");
	CHECK_INT(plan_one("proc", "proc", OPTIONS("tmpcopyup")), -EINVAL);
	CHECK_INT(plan_one("tmpfs", "tmpfs", OPTIONS("copy-symlink")), -EINVAL);
	CHECK_INT(plan_one("tmpfs", "tmpfs", OPTIONS("")), -EINVAL);
	CHECK(strstr(err.text, "mount to `/mnt`"));
}

TEST(the_plain_word_says_more_than_the_recursive_one)
{
	/* As for a tree, where the mount itself may differ from what is below it; whatever the order. */
	CHECK_INT(plan_one("tmpfs", "tmpfs", OPTIONS("ro", "rrw", "rnoatime", "strictatime")), 0);
	CHECK_INT(plan.mounts[0].attr_set, MOUNT_ATTR_RDONLY | MOUNT_ATTR_STRICTATIME);
	CHECK_INT(plan_one("tmpfs", "tmpfs", OPTIONS("rro", "rw", "rnoexec")), 0);
	CHECK_INT(plan.mounts[0].attr_set, MOUNT_ATTR_NOEXEC);
}

TEST(nothing_is_mounted_in_a_namespace_of_others)
{
	CHECK_INT(plan_one("tmpfs", "tmpfs", NULL), 0);
	plan.ns[NS_MNT].action = NS_SHARE;
	CHECK_INT(plan_mounts(&plan, &arena, &err), -EINVAL);
	CHECK_INT(err.kind, KIND_SPEC);
	config.mounts_len = 0;
	CHECK_INT(plan_mounts(&plan, &arena, &err), 0);
	plan.ns[NS_MNT].action = NS_JOIN;
	linux_.rootfs_propagation = OCI_ROOTFS_PROPAGATION_SHARED;
	CHECK_INT(plan_mounts(&plan, &arena, &err), -EINVAL);
	CHECK_STR(err.at, "/linux/rootfsPropagation");
	linux_.rootfs_propagation = OCI_ROOTFS_PROPAGATION_UNSET;
}

TEST(root_propagation)
{
	CHECK_INT(plan_one("tmpfs", "tmpfs", NULL), 0);
	CHECK_INT(plan.root_propagation, MS_SLAVE);
	CHECK(plan.root_propagation_rec);
	linux_.rootfs_propagation = OCI_ROOTFS_PROPAGATION_PRIVATE;
	CHECK_INT(plan_one("tmpfs", "tmpfs", NULL), 0);
	CHECK_INT(plan.root_propagation, MS_PRIVATE);
	CHECK(!plan.root_propagation_rec);
	linux_.rootfs_propagation = OCI_ROOTFS_PROPAGATION_UNSET;
}

TEST_MAIN()
