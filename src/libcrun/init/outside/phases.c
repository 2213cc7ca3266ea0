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

static bool wants_keyring(const struct launch_plan *plan)
{
	return plan->new_keyring;
}

static bool wants_label(const struct launch_plan *plan)
{
	return plan->wants_label;
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
	{"go", wants_go, phase_go},
	{"session", NULL, phase_session},
	{"identity", NULL, phase_identity},
	{"join", NULL, phase_join},
	{"unshare", NULL, phase_unshare},
	{"timens", wants_timens, phase_timens},
	{"keyring", wants_keyring, phase_keyring},
	{"label", wants_label, phase_label},
	{"network", wants_network, phase_network},
	{"sysctl", wants_sysctl, phase_sysctl},
	{"rootfs", NULL, phase_rootfs},
	{"mounts", NULL, phase_mounts},
	{"devices", NULL, phase_devices},
	{"symlinks", NULL, phase_symlinks},
	{"workdir", NULL, phase_workdir},
	{"hook_pause", wants_hook_pause, phase_hook_pause},
	{"createContainer", wants_create_container, phase_create_container_hooks},
	{"masks", wants_masks, phase_masks},
	{"pivot", NULL, phase_pivot},
	{0},
};
