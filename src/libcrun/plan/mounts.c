// SPDX-License-Identifier: Apache-2.0
// Turns the mounts, masked and read-only paths of the configuration into what the mount calls take.
#include "plan/internal.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "spec/mount_options.h"

#include <linux/mount.h>
#include <stdio.h>

/*
 * File systems with one instance for the host or a namespace: read-only is a property of the mount there. Made read-only as a
 * whole, the instance would change for everybody who has it mounted.
 */
static const char *const shared_instances[] = {
	"binfmt_misc", "bpf",	     "cgroup",	  "cgroup2", "configfs", "debugfs", "devpts",
	"devtmpfs",    "efivarfs",   "fusectl",	  "mqueue",  "proc",	 "pstore",  "resctrl",
	"rpc_pipefs",  "securityfs", "selinuxfs", "smackfs", "sysfs",	 "tracefs",
};

static bool has_own_instance(const char *fstype)
{
	for (size_t i = 0; i < ARRAY_LEN(shared_instances); i++) {
		if (str_eq(fstype, shared_instances[i]))
			return false;
	}
	return true;
}

/* "SET and CLR" after what is there already: the later option wins. */
static void merge(uint64_t *set, uint64_t *clr, const struct mount_option *o)
{
	*set = (*set & ~o->clr) | o->set;
	*clr = (*clr & ~(o->set & ~MOUNT_ATTR__ATIME)) | o->clr;
}

static int split_parameter(struct mount_parameter *p, const char *word, struct oci_arena *arena)
{
	const char *equals = strchr(word, '=');

	p->key = word;
	p->value = NULL;
	if (!equals)
		return 0;
	p->key = oci_arena_strndup(arena, word, (size_t)(equals - word));
	p->value = equals + 1;
	return p->key ? 0 : -ENOMEM;
}

/* A mount in the making. */
struct build {
	const struct launch_plan *plan;
	struct mount_op *op;
	const struct oci_mount *mount;
	struct mount_parameter *parameters;
	struct oci_arena *arena;
	bool remount;
};

/* "sync" and later "async". */
static void take_back(struct build *b, const char *key)
{
	size_t kept = 0;

	for (size_t i = 0; i < b->op->parameters_len; i++) {
		if (b->parameters[i].value || !str_eq(b->parameters[i].key, key))
			b->parameters[kept++] = b->parameters[i];
	}
	b->op->parameters_len = kept;
}

static int add_flag_option(struct build *b, const struct mount_option *o)
{
	struct mount_op *op = b->op;

	switch (o->kind) {
	case MOUNT_OPTION_ATTR:
		merge(&op->attr_set, &op->attr_clr, o);
		break;
	case MOUNT_OPTION_ATTR_REC:
		merge(&op->rec_set, &op->rec_clr, o);
		break;
	case MOUNT_OPTION_PROPAGATION:
		op->propagation = o->set;
		op->propagation_rec = o->recursive;
		break;
	case MOUNT_OPTION_BIND:
		op->kind = MOUNT_BIND;
		op->recursive = op->recursive || o->recursive;
		break;
	case MOUNT_OPTION_REMOUNT:
		b->remount = true;
		break;
	case MOUNT_OPTION_SUPER_OFF:
		take_back(b, mount_option_opposite(o));
		break;
	case MOUNT_OPTION_TMPCOPYUP:
		op->tmpcopyup = true;
		break;
	case MOUNT_OPTION_COPY_SYMLINK:
		op->copy_symlink = true;
		break;
	case MOUNT_OPTION_SRC_NOFOLLOW:
		op->src_nofollow = true;
		break;
	case MOUNT_OPTION_DEST_NOFOLLOW:
		op->dest_nofollow = true;
		break;
	default: /* NEUTRAL */
		break;
	}
	return 0;
}

static int add_option(struct build *b, const char *word, struct crun_error *err)
{
	const struct mount_option *o = mount_option_find(word);

	if (o && o->kind == MOUNT_OPTION_IDMAP)
		return plan_idmap_option(b->plan, b->op, word, o->recursive, b->arena, err);
	if (o && o->kind != MOUNT_OPTION_SUPER)
		return add_flag_option(b, o);
	if (word[0] == '\0' || word[0] == '=')
		return err_set(err, KIND_SPEC, EINVAL, "mount option `%s` has no name", word);
	if (split_parameter(&b->parameters[b->op->parameters_len], word, b->arena) < 0)
		return PLAN_NO_MEMORY(err);
	b->op->parameters_len++;
	return 0;
}

/* What a bind mount, a new instance or a remount cannot honour is refused, not dropped. */
static int check_parameters(const struct build *b, const char *what, struct crun_error *err)
{
	if (b->op->parameters_len == 0)
		return 0;
	for (size_t i = 0; i < b->mount->options_len; i++) {
		const struct mount_option *o = mount_option_find(b->mount->options[i]);

		if (o && o->kind != MOUNT_OPTION_SUPER)
			continue;
		err_set(err, KIND_SPEC, EINVAL, "mount option `%s` has no meaning for %s",
			b->mount->options[i], what);
		return err_at(err, "/mounts/%u/options/%zu", b->op->index, i);
	}
	return 0;
}

static int set_source(const struct launch_plan *plan, struct build *b, struct crun_error *err)
{
	const char *source = b->mount->source;
	size_t size;
	char *path;

	if (!source || !*source) {
		err_set(err, KIND_SPEC, EINVAL, "a bind mount needs a source");
		return err_at(err, "/mounts/%u", b->op->index);
	}
	if (source[0] == '/') {
		b->op->source = source;
		return 0;
	}
	size = strlen(plan->bundle) + 1 + strlen(source) + 1;
	path = oci_arena_bytes(b->arena, size);
	if (!path)
		return PLAN_NO_MEMORY(err);
	snprintf(path, size, "%s/%s", plan->bundle, source);
	b->op->source = path;
	return 0;
}

static int finish_bind(const struct launch_plan *plan, struct build *b, struct crun_error *err)
{
	if (b->op->tmpcopyup) {
		err_set(err, KIND_SPEC, EINVAL, "mount option `tmpcopyup` needs a tmpfs");
		return err_at(err, "/mounts/%u/options", b->op->index);
	}
	b->op->fstype = NULL;
	return check_parameters(b, "a bind mount", err) < 0 ? -err->errnum
							    : set_source(plan, b, err);
}

static int finish_remount(struct build *b, struct crun_error *err)
{
	b->op->kind = MOUNT_REMOUNT;
	b->op->fstype = NULL;
	return check_parameters(b, "\"remount\", which changes the flags of a mount only", err);
}

/* Which of SELinux's mount options carries linux.mountLabel: an annotation of Podman's (`label=nested`) may choose another. */
static const char *label_option(const struct launch_plan *plan, struct crun_error *err)
{
	static const char key[] = "run.oci.mount_context_type";
	static const char *const options[] = {"context", "fscontext", "defcontext", "rootcontext"};
	const char *value = plan_annotation(plan->config, key);

	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		if (str_eq(value ? value : "context", options[i]))
			return options[i];
	}
	err_set(err, KIND_SPEC, EINVAL,
		"`%s` is no kind of mount label: it is context, fscontext, defcontext or rootcontext",
		value);
	(void)err_at_key(err, "/annotations", key);
	return NULL;
}

/* SELinux: linux.mountLabel is the context of every new instance that can have one (spec: mountLabel). */
static int add_label(const struct launch_plan *plan, struct build *b, struct crun_error *err)
{
	const char *label = plan->linux_->mount_label, *option;
	struct mount_op *op = b->op;

	if (!label || !*label || !plan->facts.selinux || !has_own_instance(op->fstype))
		return 0;
	option = label_option(plan, err);
	if (!option)
		return -EINVAL;
	for (size_t i = 0; i < op->parameters_len; i++) {
		if (str_eq(op->parameters[i].key, option))
			return 0;
	}
	b->parameters[op->parameters_len++] = (struct mount_parameter){option, label};
	return 0;
}

static int finish_instance(const struct launch_plan *plan, struct build *b, struct crun_error *err)
{
	struct mount_op *op = b->op;
	int r;

	if (op->copy_symlink || op->src_nofollow) {
		err_set(err, KIND_SPEC, EINVAL,
			"mount options `copy-symlink` and `src-nofollow` need a bind mount");
		return err_at(err, "/mounts/%u/options", op->index);
	}
	if (op->tmpcopyup && !str_eq(op->fstype, "tmpfs")) {
		err_set(err, KIND_SPEC, EINVAL, "mount option `tmpcopyup` needs a tmpfs");
		return err_at(err, "/mounts/%u/options", op->index);
	}
	/* A new instance has nothing below it: the recursive flags are plain ones, and a plain one says more, as for a tree. */
	op->attr_set |= op->rec_set & ~op->attr_clr;
	op->attr_clr |= op->rec_clr & ~op->attr_set;
	op->rec_set = op->rec_clr = 0;
	op->source = b->mount->source;
	if (op->kind == MOUNT_CGROUP)
		return check_parameters(b, "a cgroup mount", err);
	r = add_label(plan, b, err);
	if (r < 0)
		return r;
	/* A tmpfs is made read-only when everything that goes into it is there: by seal, on the mount. */
	if ((op->attr_set & MOUNT_ATTR_RDONLY) && !str_eq(op->fstype, "tmpfs") &&
	    has_own_instance(op->fstype))
		b->parameters[op->parameters_len++] = (struct mount_parameter){"ro", NULL};
	return 0;
}

static int finish_mount(const struct launch_plan *plan, struct build *b, struct crun_error *err)
{
	const char *type = b->mount->type ? b->mount->type : "";
	struct mount_op *op = b->op;

	if (b->remount)
		return finish_remount(b, err);
	if (str_eq(type, "bind") || str_eq(type, "rbind")) {
		op->kind = MOUNT_BIND;
		op->recursive = op->recursive || type[0] == 'r';
	}
	if (op->kind == MOUNT_BIND)
		return finish_bind(plan, b, err);
	if (!*type || str_eq(type, "none")) {
		err_set(err, KIND_SPEC, EINVAL,
			"the mount has neither a file system type nor the option `bind` or `rbind`");
		return err_at(err, "/mounts/%u/type", op->index);
	}
	op->fstype = type;
	if (str_eq(type, "cgroup") ||
	    (str_eq(type, "cgroup2") && plan->facts.cgroup_layout == CGROUP_V2))
		op->kind = MOUNT_CGROUP;
	return finish_instance(plan, b, err);
}

/* Tools older than the specification leave out the leading slash: "MUST be interpreted as relative to /" (config.md#mounts). */
static const char *absolute(const char *destination, struct oci_arena *arena)
{
	size_t size = strlen(destination) + 2;
	char *path;

	if (destination[0] == '/')
		return destination;
	path = oci_arena_bytes(arena, size);
	if (path)
		snprintf(path, size, "/%s", destination);
	return path;
}

static int plan_mount(const struct launch_plan *plan, const struct oci_mount *m,
		      struct mount_op *op, struct oci_arena *arena, struct crun_error *err)
{
	struct build b = {.plan = plan, .op = op, .mount = m, .arena = arena};
	int r;

	if (!m->destination || !*m->destination) {
		err_set(err, KIND_SPEC, EINVAL, "the destination is empty");
		return err_at(err, "/mounts/%u/destination", op->index);
	}
	op->kind = MOUNT_FS;
	op->destination = absolute(m->destination, arena);
	/* Two more than given: "ro" and "context". */
	b.parameters = plan_alloc(arena, m->options_len + 2, sizeof(*b.parameters));
	if (!op->destination || !b.parameters)
		return PLAN_NO_MEMORY(err);
	op->parameters = b.parameters;
	for (size_t i = 0; i < m->options_len; i++) {
		r = add_option(&b, m->options[i], err);
		if (r < 0)
			return err_at(err, "/mounts/%u/options/%zu", op->index, i);
	}
	r = finish_mount(plan, &b, err);
	return r < 0 ? r : plan_idmap(plan, m, op, arena, err);
}

/* Volumes of one container usually have one mapping. */
static void share_idmap(const struct mount_op *ops, size_t i)
{
	size_t first = 0;

	if (!ops[i].idmap)
		return;
	while (first < i && !(ops[first].idmap && plan_idmap_equal(ops[first].idmap, ops[i].idmap)))
		first++;
	ops[i].idmap->first = (unsigned)first;
}

static const struct {
	uint64_t propagation;
	bool recursive;
} root_propagations[] = {
	[OCI_ROOTFS_PROPAGATION_UNSET] = {MS_SLAVE, true},
	[OCI_ROOTFS_PROPAGATION_SHARED] = {MS_SHARED, false},
	[OCI_ROOTFS_PROPAGATION_SLAVE] = {MS_SLAVE, false},
	[OCI_ROOTFS_PROPAGATION_PRIVATE] = {MS_PRIVATE, false},
	[OCI_ROOTFS_PROPAGATION_UNBINDABLE] = {MS_UNBINDABLE, false},
	[OCI_ROOTFS_PROPAGATION_RSHARED] = {MS_SHARED, true},
	[OCI_ROOTFS_PROPAGATION_RSLAVE] = {MS_SLAVE, true},
	[OCI_ROOTFS_PROPAGATION_RPRIVATE] = {MS_PRIVATE, true},
	[OCI_ROOTFS_PROPAGATION_RUNBINDABLE] = {MS_UNBINDABLE, true},
};

/* Everything here changes mounts: done in a mount namespace of others it would change theirs. */
static int check_namespace(const struct launch_plan *plan, struct crun_error *err)
{
	const char *what = NULL, *at = NULL;

	if (plan->ns[NS_MNT].action == NS_NEW)
		return 0;
	if (plan->mounts_len) {
		what = "mounts need";
		at = "/mounts/0";
	} else if (plan->masked_paths_len) {
		what = "masked paths need";
		at = "/linux/maskedPaths";
	} else if (plan->readonly_paths_len) {
		what = "read-only paths need";
		at = "/linux/readonlyPaths";
	} else if (plan->root_readonly) {
		what = "a read-only root needs";
		at = "/root/readonly";
	} else if (plan->linux_->rootfs_propagation != OCI_ROOTFS_PROPAGATION_UNSET) {
		what = "rootfsPropagation needs";
		at = "/linux/rootfsPropagation";
	}
	if (!what)
		return 0;
	err_set(err, CODE_NAMESPACE_NEEDED, EINVAL,
		"%s a new mount namespace of the container's own", what);
	return err_at(err, "%s", at);
}

int plan_mounts(struct launch_plan *plan, struct oci_arena *arena, struct crun_error *err)
{
	const struct oci_config *config = plan->config;
	struct mount_op *ops;
	int r;

	ops = plan_alloc(arena, config->mounts_len + 1, sizeof(*ops));
	if (!ops)
		return PLAN_NO_MEMORY(err);
	for (size_t i = 0; i < config->mounts_len; i++) {
		const struct oci_mount *m = &config->mounts[i];

		ops[i].index = (unsigned)i;
		r = plan_mount(plan, m, &ops[i], arena, err);
		if (r < 0)
			return err_in(err, "mount to `%s`", m->destination ? m->destination : "");
		share_idmap(ops, i);
	}
	plan->mounts = ops;
	plan->mounts_len = config->mounts_len;
	/* Last, so that a tmpfs of the configuration at /run does not hide it. */
	if (plan->notify_dir)
		ops[plan->mounts_len++] = (struct mount_op){
			.index = (unsigned)config->mounts_len,
			.kind = MOUNT_BIND,
			.destination = PLAN_NOTIFY_DIR,
			.source = plan->notify_dir,
			/* Connecting to a socket takes no write access to the mount. */
			.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
				    MOUNT_ATTR_NOEXEC,
		};
	plan->masked_paths = plan->linux_->masked_paths;
	plan->masked_paths_len = plan->linux_->masked_paths_len;
	plan->readonly_paths = plan->linux_->readonly_paths;
	plan->readonly_paths_len = plan->linux_->readonly_paths_len;
	plan->root_readonly = config->root && config->root->readonly;
	plan->root_propagation = root_propagations[plan->linux_->rootfs_propagation].propagation;
	plan->root_propagation_rec = root_propagations[plan->linux_->rootfs_propagation].recursive;
	return check_namespace(plan, err);
}
