// SPDX-License-Identifier: Apache-2.0
// cgroup v2: the io controller.
#include "cgroup/controllers.h"

#include <inttypes.h>
#include <stdio.h>

/* BFQ takes blockIO.weight as it is. */
uint64_t cg_v2_io_weight(uint16_t weight)
{
	return 1 + (uint64_t)(weight < 10 ? 0 : weight - 10) * 9999 / 990;
}

/* Both may be there, for devices with the one and with the other scheduler: who asks for a weight means either. */
static const struct weight_file {
	const char *name;
	bool as_it_is;
} weight_files[] = {{"io.bfq.weight", true}, {"io.weight", false}};

static bool has_weight_files(const struct cg_dir *dir)
{
	return cg_has_file(dir, "io.bfq.weight") || cg_has_file(dir, "io.weight");
}

static uint64_t weight_for(const struct weight_file *file, uint16_t weight)
{
	return file->as_it_is ? weight : cg_v2_io_weight(weight);
}

static int write_weight(const struct cg_dir *dir, uint16_t weight, struct crun_error *err)
{
	/* Without either, the one that is more common goes into the error. */
	bool any = has_weight_files(dir);
	int r = 0;

	for (size_t i = 0; r >= 0 && i < ARRAY_LEN(weight_files); i++) {
		const struct weight_file *f = &weight_files[i];

		if (any ? cg_has_file(dir, f->name) : i + 1 == ARRAY_LEN(weight_files))
			r = cg_write_u64(dir, f->name, weight_for(f, weight), "blockIO/weight",
					 err);
	}
	return r;
}

/* A device has one scheduler; the other's file does not know it. */
static int write_device_weight(const struct cg_dir *dir, const struct oci_linux_weight_device *d,
			       const char *at, struct crun_error *err)
{
	bool any = has_weight_files(dir);
	char text[96];
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(weight_files); i++) {
		const struct weight_file *f = &weight_files[i];

		if (any ? !cg_has_file(dir, f->name) : i + 1 < ARRAY_LEN(weight_files))
			continue;
		snprintf(text, sizeof(text), "%" PRId64 ":%" PRId64 " %" PRIu64, d->major, d->minor,
			 weight_for(f, d->weight));
		r = cg_write(dir, f->name, text, at, err);
		if (r >= 0)
			break;
	}
	return r;
}

static int write_weights(const struct cg_dir *dir, const struct oci_linux_block_io *io,
			 struct crun_error *err)
{
	static const char no_leaf[] = "leafWeight needs cgroup v1: cgroup v2 has none";
	char at[96];
	int r = 0;

	if (io->leaf_weight)
		r = cg_unsupported(dir, "blockIO/leafWeight", no_leaf, err);
	if (r >= 0 && io->weight)
		r = write_weight(dir, io->weight, err);
	for (size_t i = 0; r >= 0 && i < io->weight_device_len; i++) {
		const struct oci_linux_weight_device *d = &io->weight_device[i];

		snprintf(at, sizeof(at), "blockIO/weightDevice/%zu/leafWeight", i);
		if (d->leaf_weight)
			r = cg_unsupported(dir, at, no_leaf, err);
		snprintf(at, sizeof(at), "blockIO/weightDevice/%zu/weight", i);
		if (r >= 0 && d->weight)
			r = write_device_weight(dir, d, at, err);
	}
	return r;
}

static int write_throttle(const struct cg_dir *dir, const char *key,
			  const struct oci_linux_throttle_device *devices, size_t len,
			  const char *list, struct crun_error *err)
{
	char text[96], at[96];
	int r = 0;

	for (size_t i = 0; r >= 0 && i < len; i++) {
		const struct oci_linux_throttle_device *d = &devices[i];

		snprintf(at, sizeof(at), "%s/%zu", list, i);
		/* v1 lifts the limit with 0, v2 with "max". */
		if (d->rate)
			snprintf(text, sizeof(text), "%" PRId64 ":%" PRId64 " %s=%" PRIu64,
				 d->major, d->minor, key, d->rate);
		else
			snprintf(text, sizeof(text), "%" PRId64 ":%" PRId64 " %s=max", d->major,
				 d->minor, key);
		r = cg_write(dir, "io.max", text, at, err);
	}
	return r;
}

int cg_v2_io(const struct cg_dir *dir, const struct oci_linux_resources *res,
	     struct crun_error *err)
{
	const struct oci_linux_block_io *io = res->block_io;
	int r = write_weights(dir, io, err);

	if (r >= 0)
		r = write_throttle(dir, "rbps", io->throttle_read_bps_device,
				   io->throttle_read_bps_device_len,
				   "blockIO/throttleReadBpsDevice", err);
	if (r >= 0)
		r = write_throttle(dir, "wbps", io->throttle_write_bps_device,
				   io->throttle_write_bps_device_len,
				   "blockIO/throttleWriteBpsDevice", err);
	if (r >= 0)
		r = write_throttle(dir, "riops", io->throttle_read_iops_device,
				   io->throttle_read_iops_device_len,
				   "blockIO/throttleReadIOPSDevice", err);
	if (r >= 0)
		r = write_throttle(dir, "wiops", io->throttle_write_iops_device,
				   io->throttle_write_iops_device_len,
				   "blockIO/throttleWriteIOPSDevice", err);
	return r;
}
