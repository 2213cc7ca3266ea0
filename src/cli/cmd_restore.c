// SPDX-License-Identifier: Apache-2.0
// crun restore: understood, so that engines that ask get a clear answer, but not part of this build.
#include "create_options.h"

/* Only what a command line may hold: nothing reads it yet. The options of create come first: their table fills the beginning. */
struct restore_options {
	struct libcrun_create_options create;
	const char *image_path, *work_path, *parent_path, *manage_cgroups, *network_lock, *empty_ns,
		*lsm_profile, *lsm_mount_context;
	bool tcp_established, tcp_close, ext_unix_sk, shell_job, file_locks, lazy_pages, auto_dedup;
};

#define RESTORE(field) offsetof(struct restore_options, field)

static const struct option_spec restore_table[] = {
	{"detach", "d", OPTION_FLAG, RESTORE(create.detach), NULL, NULL,
	 "do not wait for the process to end"},
	{"image-path", NULL, OPTION_TEXT, RESTORE(image_path), "DIR", NULL,
	 "read the image of the container from DIR"},
	{"work-path", NULL, OPTION_TEXT, RESTORE(work_path), "DIR", NULL,
	 "write CRIU's log and statistics to DIR"},
	{"parent-path", NULL, OPTION_TEXT, RESTORE(parent_path), "DIR", NULL,
	 "accepted and ignored: the image knows its parent"},
	{"tcp-established", NULL, OPTION_FLAG, RESTORE(tcp_established), NULL, NULL,
	 "restore open TCP connections"},
	{"tcp-close", NULL, OPTION_FLAG, RESTORE(tcp_close), NULL, NULL,
	 "close the TCP connections that were open"},
	{"ext-unix-sk", NULL, OPTION_FLAG, RESTORE(ext_unix_sk), NULL, NULL,
	 "allow unix sockets that lead out of the container"},
	{"shell-job", NULL, OPTION_FLAG, RESTORE(shell_job), NULL, NULL,
	 "give it the caller's terminal"},
	{"file-locks", NULL, OPTION_FLAG, RESTORE(file_locks), NULL, NULL, "restore file locks"},
	{"manage-cgroups-mode", NULL, OPTION_CHOICE, RESTORE(manage_cgroups),
	 "soft|full|strict|ignore", NULL, "what CRIU does about cgroups"},
	{"network-lock", NULL, OPTION_CHOICE, RESTORE(network_lock), "iptables|nftables|skip", NULL,
	 "how CRIU stops the network meanwhile"},
	{"empty-ns", NULL, OPTION_TEXT, RESTORE(empty_ns), "NAMESPACE", NULL,
	 "leave the namespace of this kind as it is"},
	{"lsm-profile", NULL, OPTION_TEXT, RESTORE(lsm_profile), "TYPE:LABEL", NULL,
	 "the label of the processes"},
	{"lsm-mount-context", NULL, OPTION_TEXT, RESTORE(lsm_mount_context), "LABEL", NULL,
	 "the label of the mounts"},
	{"lazy-pages", NULL, OPTION_FLAG, RESTORE(lazy_pages), NULL, NULL,
	 "move the memory on demand"},
	{"auto-dedup", NULL, OPTION_FLAG, RESTORE(auto_dedup), NULL, NULL,
	 "drop from the image what was restored"},
	OPTIONS_END,
};

static const struct option_spec *const options[] = {create_options, restore_table, options_help,
						    NULL};

const struct command command_restore = {
	.name = "restore",
	.arguments = "CONTAINER",
	.summary = "let a container go on from an image",
	.description = "Makes a container from a bundle and the image that `checkpoint` wrote.",
	.missing = COMMAND_NEEDS_CRIU,
	.options = options,
	.options_size = sizeof(struct restore_options),
	.min_args = 1,
	.max_args = 1,
};
