// SPDX-License-Identifier: Apache-2.0
// crun checkpoint: understood, so that engines that ask get a clear answer, but not part of this build.
#include "cli.h"

/* Only what a command line may hold: nothing reads it yet. */
struct checkpoint_options {
	const char *image_path, *work_path, *parent_path, *manage_cgroups, *network_lock, *empty_ns,
		*page_server, *status_fd;
	bool leave_running, tcp_established, tcp_skip_in_flight, ext_unix_sk, shell_job, file_locks,
		pre_dump, lazy_pages, auto_dedup, link_remap;
};

#define CHECKPOINT(field) offsetof(struct checkpoint_options, field)

static const struct option_spec checkpoint_table[] = {
	{"image-path", NULL, OPTION_TEXT, CHECKPOINT(image_path), "DIR", NULL,
	 "write the image of the container to DIR"},
	{"work-path", NULL, OPTION_TEXT, CHECKPOINT(work_path), "DIR", NULL,
	 "write CRIU's log and statistics to DIR"},
	{"parent-path", NULL, OPTION_TEXT, CHECKPOINT(parent_path), "DIR", NULL,
	 "the image of a previous --pre-dump, as seen from the image path"},
	{"leave-running", NULL, OPTION_FLAG, CHECKPOINT(leave_running), NULL, NULL,
	 "leave the container running"},
	{"tcp-established", NULL, OPTION_FLAG, CHECKPOINT(tcp_established), NULL, NULL,
	 "allow open TCP connections"},
	{"tcp-skip-in-flight", NULL, OPTION_FLAG, CHECKPOINT(tcp_skip_in_flight), NULL, NULL,
	 "leave out TCP connections that are being made"},
	{"ext-unix-sk", NULL, OPTION_FLAG, CHECKPOINT(ext_unix_sk), NULL, NULL,
	 "allow unix sockets that lead out of the container"},
	{"shell-job", NULL, OPTION_FLAG, CHECKPOINT(shell_job), NULL, NULL,
	 "allow a terminal of the caller's"},
	{"file-locks", NULL, OPTION_FLAG, CHECKPOINT(file_locks), NULL, NULL, "allow file locks"},
	{"pre-dump", NULL, OPTION_FLAG, CHECKPOINT(pre_dump), NULL, NULL,
	 "write the memory only, and leave the container running"},
	{"manage-cgroups-mode", NULL, OPTION_CHOICE, CHECKPOINT(manage_cgroups),
	 "soft|full|strict|ignore", NULL, "what CRIU does about cgroups"},
	{"network-lock", NULL, OPTION_CHOICE, CHECKPOINT(network_lock), "iptables|nftables|skip",
	 NULL, "how CRIU stops the network meanwhile"},
	{"empty-ns", NULL, OPTION_TEXT, CHECKPOINT(empty_ns), "NAMESPACE", NULL,
	 "do not write what the namespace of this kind holds"},
	{"page-server", NULL, OPTION_TEXT, CHECKPOINT(page_server), "ADDRESS:PORT", NULL,
	 "send the memory to this page server"},
	{"status-fd", NULL, OPTION_TEXT, CHECKPOINT(status_fd), "FD", NULL,
	 "say on this descriptor when the page server is ready"},
	{"lazy-pages", NULL, OPTION_FLAG, CHECKPOINT(lazy_pages), NULL, NULL,
	 "move the memory on demand"},
	{"auto-dedup", NULL, OPTION_FLAG, CHECKPOINT(auto_dedup), NULL, NULL,
	 "drop what a parent image holds already"},
	{"link-remap", NULL, OPTION_FLAG, CHECKPOINT(link_remap), NULL, NULL,
	 "allow open files that have no name any more"},
	OPTIONS_END,
};

static const struct option_spec *const options[] = {checkpoint_table, options_help, NULL};

const struct command command_checkpoint = {
	.name = "checkpoint",
	.arguments = "CONTAINER",
	.summary = "write a running container to disk",
	.description = "Writes the processes of a container to an image from which they can go on.",
	.missing = COMMAND_NEEDS_CRIU,
	.options = options,
	.options_size = sizeof(struct checkpoint_options),
	.min_args = 1,
	.max_args = 1,
};
