// SPDX-License-Identifier: Apache-2.0
// Where a container is in its life: the record compared with what is alive. See verbs.h.
#include "host/verbs.h"

#include "base/log.h"
#include "cgroup/cgroup.h"
#include "host/trace.h"
#include "state/gate.h"
#include "state/liveness.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_ROOT "/run/crun"

const char *libcrun_status_name(enum libcrun_status status)
{
	static const char *const names[] = {
		[LIBCRUN_CREATING] = "creating", [LIBCRUN_CREATED] = "created",
		[LIBCRUN_RUNNING] = "running",	 [LIBCRUN_PAUSED] = "paused",
		[LIBCRUN_STOPPED] = "stopped",
	};

	return (size_t)status < ARRAY_LEN(names) ? names[status] : "unknown";
}

int libcrun_state_root(const struct libcrun_context *ctx, char *buf, size_t size,
		       struct crun_error *err)
{
	const char *root = ctx->state_root, *below = "";
	char cwd[4096] = "";
	int n;

	if (root && root[0] == '\0')
		return err_set(err, CODE_USAGE, EINVAL, "the state root is an empty path");
	if (!root) {
		const char *runtime_dir = getenv("XDG_RUNTIME_DIR");

		/* Set but empty is how Podman says "none" when it is root. */
		root = runtime_dir && runtime_dir[0] ? runtime_dir : DEFAULT_ROOT;
		below = root == runtime_dir ? "/crun" : "";
	}
	if (root[0] != '/' && !getcwd(cwd, sizeof(cwd)))
		return err_sys(err, -errno, "state root `%s`: current directory", root);
	n = snprintf(buf, size, "%s%s%s%s", cwd, cwd[0] ? "/" : "", root, below);
	if (n < 0 || (size_t)n >= size)
		return err_sys(err, -ENAMETOOLONG, "state root `%s`", root);
	return 0;
}

/* A process that a record names; -ESRCH also when the record names none. */
static int open_recorded(bool has_pid, int32_t pid, bool has_time, uint64_t start_time,
			 bool *ret_executed)
{
	return has_pid && has_time ? process_open(pid, start_time, ret_executed) : -ESRCH;
}

bool container_maker_lives(const struct container *c)
{
	const struct oci_record *rec = c->record;
	int fd = open_recorded(rec->has_runtime_pid, rec->runtime_pid,
			       rec->has_runtime_pid_start_time, rec->runtime_pid_start_time, NULL);

	/* One that /proc hides from us is there. */
	if (fd < 0)
		return fd == -EACCES;
	close_fd(&fd);
	return true;
}

int container_pid_namespace(uint64_t *ret)
{
	struct stat st;

	if (stat("/proc/self/ns/pid", &st) < 0)
		return -errno;
	*ret = st.st_ino;
	return 0;
}

/* True while somebody goes on with a creation that the record calls incomplete. */
static bool creation_goes_on(const struct container *c)
{
	/* The creating runtime holds the lock to the end. */
	if (c->dir.locked)
		return false;
	return c->record->has_runtime_pid ? container_maker_lives(c) : state_is_busy(&c->dir);
}

/* A container whose freezer nobody can look at must be killed and deleted all the same; who has to know asks for c->doubt. */
static bool is_frozen(struct container *c)
{
	struct crun_error err;
	bool frozen = false;

	if (!c->record->cgroup_path)
		return false;
	if (cgroup_look_frozen(c->record, &frozen, &err) < 0) {
		err_in(&err, "container `%s`: whether it is frozen", c->dir.id);
		log_debug("%s", err.text);
		/* What an ordinary user may not see is no news. */
		if (err.kind != KIND_PERMISSION)
			c->doubt = err;
	}
	return frozen;
}

/* Returns an enum libcrun_status or -errno. */
static int derive_status(struct container *c, struct crun_error *err)
{
	bool alive = c->pidfd >= 0;
	int r;

	switch (c->record->phase) {
	case OCI_RECORD_PHASE_CREATED:
	case OCI_RECORD_PHASE_RUNNING:
		if (!alive)
			return LIBCRUN_STOPPED;
		if (is_frozen(c))
			return LIBCRUN_PAUSED;
		if (c->record->phase != OCI_RECORD_PHASE_CREATED)
			return LIBCRUN_RUNNING;
		r = gate_exists(&c->dir, err);
		if (r < 0)
			return r;
		return r ? LIBCRUN_CREATED : LIBCRUN_RUNNING;
	case OCI_RECORD_PHASE_INTENT:
	case OCI_RECORD_PHASE_CREATING:
	case OCI_RECORD_PHASE_UNSET:
		break;
	}
	c->cut_off = !creation_goes_on(c);
	return c->cut_off && !alive ? LIBCRUN_STOPPED : LIBCRUN_CREATING;
}

/* Whether the process that the record names is there. */
static int look_for_process(struct container *c, struct crun_error *err)
{
	const struct oci_record *rec = c->record;
	bool executed = false;
	int r;

	c->pidfd = open_recorded(rec->has_pid, rec->pid, rec->has_pid_start_time,
				 rec->pid_start_time, &executed);
	c->unborn = c->pidfd >= 0 && !executed;
	if (c->pidfd < 0 && c->pidfd != -ESRCH) {
		r = c->pidfd;
		c->pidfd = FD_NONE;
		if (r == -EACCES)
			return err_set(
				err, KIND_PERMISSION, EACCES,
				"whether process %d is that of container `%s` cannot be told: "
				"/proc hides it from us, perhaps by its mount option hidepid: "
				"permission denied",
				(int)rec->pid, c->dir.id);
		return err_sys(err, r, "look at process %d of container `%s`", (int)rec->pid,
			       c->dir.id);
	}
	if (c->pidfd < 0)
		c->pidfd = FD_NONE;
	return 0;
}

int container_load(struct container *c, struct crun_error *err)
{
	int r;

	close_fd(&c->pidfd);
	oci_arena_free(&c->arena);
	c->record = NULL;
	c->cut_off = false;
	c->doubt.kind = KIND_NONE;
	r = state_read_record(&c->dir, &c->arena, &c->record, err);
	if (r == 0)
		r = look_for_process(c, err);
	if (r == 0)
		r = derive_status(c, err);
	if (r < 0)
		return r;
	c->status = (enum libcrun_status)r;
	return 0;
}

static bool parse_text(struct container *c, const struct oci_text *text)
{
	struct oci_parse_error why;

	return oci_record_parse(STATE_RECORD_FILE, text->data, text->len, &c->arena, &c->record,
				&why) == 0;
}

/* Whether the text of the record and the process table tell the status of C; false too when something went wrong. */
static bool is_told(struct container *c, const struct oci_text *text)
{
	struct crun_error why;
	bool part = state_peek_record(text, &c->arena, &c->record);
	int r;

	if ((!part && !parse_text(c, text)) || look_for_process(c, &why) < 0)
		return false;
	/* Where its cgroup is comes later in the record. */
	if (part && c->pidfd >= 0 && !parse_text(c, text))
		return false;
	if (c->record->phase != OCI_RECORD_PHASE_RUNNING &&
	    (c->record->phase != OCI_RECORD_PHASE_CREATED || c->pidfd >= 0))
		return false;
	r = derive_status(c, &why);
	if (r >= 0)
		c->status = (enum libcrun_status)r;
	return r >= 0;
}

int container_peek(const struct state_root *root, const char *id, struct container *c,
		   struct crun_error *err)
{
	struct oci_text text;
	int r;

	snprintf(c->dir.id, sizeof(c->dir.id), "%s", id);
	if (state_read_text(root, id, &c->arena, &text) == 0 && is_told(c, &text))
		return 0;
	/* Whatever is unusual is found once more by the way that has words for it. */
	r = state_open_in(root, id, &c->dir, err);
	return r < 0 ? r : container_load(c, err);
}

struct deadline command_deadline(const struct libcrun_context *ctx)
{
	return deadline_in(ctx->timeout_ms > 0 ? ctx->timeout_ms : DEADLINE_NEVER);
}

int container_open(const struct libcrun_context *ctx, const char *id, struct container *c,
		   struct crun_error *err)
{
	char root[4096];
	int r = libcrun_state_root(ctx, root, sizeof(root), err);

	c->deadline = command_deadline(ctx);
	if (r < 0)
		return r;
	r = TRACED("open", state_open(root, id, false, &c->dir, err));
	if (r < 0)
		return r;
	return TRACED("record", container_load(c, err));
}

int container_lock(struct container *c, struct crun_error *err)
{
	int r = TRACED("lock", state_lock(&c->dir, &c->deadline, err));

	if (r < 0)
		return r;
	return TRACED("record", container_load(c, err));
}

int container_interruptible(struct container *c, struct crun_error *err)
{
	int r = interrupts_begin(&c->interrupts, NULL, err);

	c->deadline.cancel_fd = c->interrupts.fd;
	return r;
}

int container_check_doubt(const struct container *c, struct crun_error *err)
{
	if (c->doubt.kind == KIND_NONE)
		return 0;
	*err = c->doubt;
	return -err->errnum;
}

void container_done(struct container *c)
{
	close_fd(&c->pidfd);
	close_fd(&c->net_fd);
	oci_arena_free(&c->arena);
	c->record = NULL;
	state_close(&c->dir);
	/* Last: a signal that came too late to undo anything takes its effect now. */
	interrupts_end(&c->interrupts);
}

int container_not_running(const struct container *c, struct crun_error *err)
{
	return err_set(err, CODE_CONTAINER_STOPPED, ESRCH,
		       "container not running: container `%s` is %s: no such process", c->dir.id,
		       libcrun_status_name(c->pidfd >= 0 ? c->status : LIBCRUN_STOPPED));
}

void container_state(const struct container *c, struct oci_state *ret)
{
	static const enum oci_state_status words[] = {
		[LIBCRUN_CREATING] = OCI_STATE_STATUS_CREATING,
		[LIBCRUN_CREATED] = OCI_STATE_STATUS_CREATED,
		[LIBCRUN_RUNNING] = OCI_STATE_STATUS_RUNNING,
		[LIBCRUN_PAUSED] = OCI_STATE_STATUS_PAUSED,
		[LIBCRUN_STOPPED] = OCI_STATE_STATUS_STOPPED,
	};
	const struct oci_record *rec = c->record;
	bool any_annotations = rec->annotations && rec->annotations->len > 0;
	enum libcrun_status status = c->status;

	/* runtime.md, "State": running is who has executed the program. */
	if (c->unborn && status == LIBCRUN_RUNNING)
		status =
			rec->phase == OCI_RECORD_PHASE_CREATED ? LIBCRUN_CREATED : LIBCRUN_CREATING;

	*ret = (struct oci_state){
		/* The earliest records of a creation have neither version nor bundle, but readers insist on both. */
		.oci_version = rec->oci_version ? rec->oci_version : "1.0.0",
		.id = c->dir.id,
		.has_pid = true,
		.pid = c->pidfd >= 0 ? rec->pid : 0,
		.status = words[status],
		.bundle = rec->bundle ? rec->bundle : "",
		.rootfs = rec->rootfs,
		.created = rec->created,
		.annotations = any_annotations ? rec->annotations : NULL,
		.owner = rec->owner,
	};
}
