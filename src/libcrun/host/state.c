// SPDX-License-Identifier: Apache-2.0
// crun state: the state document of one container. Takes no lock and works while any other command runs.
#include "host/verbs.h"

#include <errno.h>

int write_output(FILE *out, const char *data, size_t len, const char *what, struct crun_error *err)
{
	if (len > 0 && (fwrite(data, 1, len, out) != len || fflush(out) != 0))
		return err_sys_code(err, CODE_OUTPUT, errno ? -errno : -EIO, "write %s", what);
	return 0;
}

int libcrun_state(const struct libcrun_context *ctx, const char *id, FILE *out,
		  struct crun_error *err)
{
	_cleanup_container_ struct container c = CONTAINER_EMPTY;
	_cleanup_(oci_json_free) struct oci_json json = {.pretty = true};
	struct oci_state state;
	int r = container_open(ctx, id, &c, err);

	if (r < 0)
		return r;
	r = container_check_doubt(&c, err);
	if (r < 0)
		return r;
	container_state(&c, &state);
	r = oci_state_write(&state, &json);
	if (r == 0)
		r = oci_json_finish(&json);
	if (r < 0)
		return err_sys(err, r, "state of container `%s`", id);
	return write_output(out, json.data, json.len, "the state", err);
}
