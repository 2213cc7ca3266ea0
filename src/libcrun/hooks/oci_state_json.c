// SPDX-License-Identifier: Apache-2.0
// The state document that hooks get on stdin: see oci_state_json.h.
#include "hooks/oci_state_json.h"

static void write_annotations(const struct oci_string_map *map, struct oci_json *out)
{
	/* Always there, if empty: hooks written in a hurry look a key up without asking whether the map exists. */
	oci_json_key(out, "annotations");
	oci_json_begin_object(out);
	for (size_t i = 0; map && i < map->len; i++)
		oci_json_member_string(out, map->items[i].key, map->items[i].value);
	oci_json_end_object(out);
}

void hooks_state_write(const struct hook_state *state, struct oci_json *out)
{
	oci_json_begin_object(out);
	oci_json_member_string(out, "ociVersion", state->oci_version);
	oci_json_member_string(out, "id", state->id);
	oci_json_member_string(out, "status", state->status);
	/* runtime.md: pid is required while created or running, and it is always one that the host knows. */
	if (state->pid > 0)
		oci_json_member_int(out, "pid", state->pid);
	oci_json_member_string(out, "bundle", state->bundle);
	oci_json_member_string(out, "root", state->root);
	write_annotations(state->annotations, out);
	oci_json_end_object(out);
}

int hooks_state_json(const struct hook_state *state, struct oci_json *out, struct crun_error *err)
{
	int r;

	hooks_state_write(state, out);
	r = oci_json_finish(out);
	if (r < 0)
		return err_sys(err, r, "write the state document for hooks");
	return 0;
}
