// SPDX-License-Identifier: Apache-2.0
// The table of init/outside: what happens while the host's file system is still in sight, in order.
#include "init/outside/phase.h"

static bool wants_go(const struct launch_plan *plan)
{
	return plan->sync_go;
}

static bool wants_timens(const struct launch_plan *plan)
{
	return plan->ns[NS_TIME].action == NS_NEW;
}

static bool wants_shield(const struct launch_plan *plan)
{
	return plan->shield;
}

static bool wants_keyring(const struct launch_plan *plan)
{
	return plan->new_keyring;
}

static bool wants_label(const struct launch_plan *plan)
{
	return plan->wants_label;
}

static bool wants_status(const struct launch_plan *plan)
{
	return plan_audits_filter(plan);
}

static bool wants_network(const struct launch_plan *plan)
{
	return plan->ns[NS_NET].action == NS_NEW;
}

static bool wants_sysctl(const struct launch_plan *plan)
{
	return plan->linux_->sysctl && plan->linux_->sysctl->len;
}

static bool wants_hook_pause(const struct launch_plan *plan)
{
	return plan->sync_hooks;
}

static bool wants_create_container(const struct launch_plan *plan)
{
	return plan->config->hooks && plan->config->hooks->create_container_len;
}

static bool wants_masks(const struct launch_plan *plan)
{
	return plan->masked_paths_len > 0;
}

const struct outside_phase outside_phases[] = {
	{.name = "go", .when = wants_go, .run = phase_go, .says = {EXPECTS(MSG_GO)}},
	{.name = "affinity", .run = phase_affinity},
	{.name = "session", .run = phase_session},
	{.name = "identity", .run = phase_identity, .code = CODE_CREDENTIALS},
	{.name = "join", .run = phase_join, .code = CODE_NAMESPACE_JOIN},
	{.name = "unshare", .run = phase_unshare, .code = CODE_NAMESPACE_CREATE},
	{.name = "shield", .when = wants_shield, .run = phase_shield, .code = CODE_SELF_PROTECTION},
	{.name = "timens",
	 .when = wants_timens,
	 .run = phase_timens,
	 .code = CODE_NAMESPACE_CREATE},
	{.name = "keyring", .when = wants_keyring, .run = phase_keyring, .code = CODE_KEYRING},
	{.name = "label", .when = wants_label, .run = phase_label, .code = CODE_LSM_LABEL},
	{.name = "status", .when = wants_status, .run = phase_status, .code = CODE_SELF_AUDIT},
	{.name = "network", .when = wants_network, .run = phase_network, .code = CODE_NETWORK},
	{.name = "sysctl", .when = wants_sysctl, .run = phase_sysctl, .code = CODE_SYSCTL},
	{.name = "rootfs", .run = phase_rootfs, .code = CODE_ROOTFS_UNUSABLE},
	{.name = "mounts", .run = phase_mounts, .code = CODE_MOUNT_REFUSED},
	{.name = "devices", .run = phase_devices, .code = CODE_DEVICE},
	{.name = "symlinks", .run = phase_symlinks, .code = CODE_DEVICE},
	{.name = "hook_pause",
	 .when = wants_hook_pause,
	 .run = phase_hook_pause,
	 .says = {SENDS(MSG_PAUSED), EXPECTS(MSG_RESUME)}},
	{.name = "createContainer",
	 .when = wants_create_container,
	 .run = phase_create_container_hooks},
	{.name = "masks", .when = wants_masks, .run = phase_masks, .code = CODE_MASK},
	{.name = "pivot", .run = phase_pivot, .code = CODE_PIVOT},
	{0},
};

/* A process that joins a container was born in its root; what is left of the host is a procfs to reach its own label. */
const struct outside_phase exec_outside_phases[] = {
	{.name = "go", .when = wants_go, .run = phase_go, .says = {EXPECTS(MSG_GO)}},
	{.name = "affinity", .run = phase_affinity},
	{.name = "session", .run = phase_session},
	{.name = "identity", .run = phase_identity, .code = CODE_CREDENTIALS},
	{.name = "join", .run = phase_join, .code = CODE_NAMESPACE_JOIN},
	{.name = "keyring", .when = wants_keyring, .run = phase_keyring, .code = CODE_KEYRING},
	{.name = "label", .when = wants_label, .run = phase_label, .code = CODE_LSM_LABEL},
	{.name = "status", .when = wants_status, .run = phase_status, .code = CODE_SELF_AUDIT},
	{0},
};
