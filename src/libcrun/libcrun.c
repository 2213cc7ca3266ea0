// SPDX-License-Identifier: Apache-2.0
// The part of the public face that is about the library itself: messages, documents about it, names.
#include "libcrun.h"

#include "spec/example.h"
#include "spec/features.h"
#include "spec/tables.h"

#include <errno.h>
#include <unistd.h>

void libcrun_set_log(log_sink sink, void *data, enum crun_log_level max)
{
	log_set_sink(sink, data, max);
}

/* Ends the document and writes it to OUT; frees it in any case. R is what the writing of its value returned. */
static int write_document(struct oci_json *json, int r, FILE *out, const char *what,
			  struct crun_error *err)
{
	if (r >= 0)
		r = oci_json_finish(json);
	if (r >= 0 && fwrite(json->data, 1, json->len, out) != json->len)
		r = errno ? -errno : -EIO;
	oci_json_free(json);
	return r < 0 ? err_sys_code(err, CODE_OUTPUT, r, "write %s", what) : 0;
}

int libcrun_spec(bool rootless, FILE *out, struct crun_error *err)
{
	struct oci_json json = {.pretty = true};
	int r = example_write(rootless, geteuid(), getegid(), &json);

	return write_document(&json, r, out, "the example configuration", err);
}

int libcrun_features(FILE *out, struct crun_error *err)
{
	struct oci_json json = {.pretty = true};
	int r = features_write(&json);

	return write_document(&json, r, out, "the features document", err);
}

int libcrun_signal_number(const char *text)
{
	return signal_number(text);
}

const char *libcrun_spec_version(void)
{
	return SPEC_VERSION;
}

const char *libcrun_build_features(void)
{
	return features_words();
}
