// SPDX-License-Identifier: Apache-2.0
// cgroup v1: the blkio controller.
#include "cgroup/controllers.h"

#include <inttypes.h>
#include <stdio.h>

static int write_device(const struct cg_dir *dir, const char *file, int64_t major, int64_t minor,
			uint64_t value, const char *at, struct crun_error *err)
{
	char text[96];

	snprintf(text, sizeof(text), "%" PRId64 ":%" PRId64 " %" PRIu64, major, minor, value);
	return cg_write(dir, file, text, at, err);
}

static int write_throttle(const struct cg_dir *dir, const char *file,
			  const struct oci_linux_throttle_device *devices, size_t len,
			  const char *list, struct crun_error *err)
{
	char at[96];
	int r = 0;

	for (size_t i = 0; r >= 0 && i < len; i++) {
		snprintf(at, sizeof(at), "%s/%zu", list, i);
		r = write_device(dir, file, devices[i].major, devices[i].minor, devices[i].rate, at,
				 err);
	}
	return r;
}

/* Weights belong to the I/O scheduler: BFQ has them under its own name, CFQ (until 5.0) had blkio.weight. */
static int write_weights(const struct cg_dir *dir, const struct oci_linux_block_io *io,
			 struct crun_error *err)
{
	bool bfq = cg_has_file(dir, "blkio.bfq.weight");
	int r = 0;

	if (io->weight)
		r = cg_write_u64(dir, bfq ? "blkio.bfq.weight" : "blkio.weight", io->weight,
				 "blockIO/weight", err);
	if (r >= 0 && io->leaf_weight)
		r = cg_write_u64(dir, "blkio.leaf_weight", io->leaf_weight, "blockIO/leafWeight",
				 err);
	for (size_t i = 0; r >= 0 && i < io->weight_device_len; i++) {
		const struct oci_linux_weight_device *d = &io->weight_device[i];
		char at[96];

		snprintf(at, sizeof(at), "blockIO/weightDevice/%zu/weight", i);
		if (d->weight)
			r = write_device(dir,
					 bfq ? "blkio.bfq.weight_device" : "blkio.weight_device",
					 d->major, d->minor, d->weight, at, err);
		snprintf(at, sizeof(at), "blockIO/weightDevice/%zu/leafWeight", i);
		if (r >= 0 && d->leaf_weight)
			r = write_device(dir, "blkio.leaf_weight_device", d->major, d->minor,
					 d->leaf_weight, at, err);
	}
	return r;
}

int cg_v1_io(const struct cg_dir *dir, const struct oci_linux_resources *res,
	     struct crun_error *err)
{
	const struct oci_linux_block_io *io = res->block_io;
	int r = write_weights(dir, io, err);

	if (r >= 0)
		r = write_throttle(dir, "blkio.throttle.read_bps_device",
				   io->throttle_read_bps_device, io->throttle_read_bps_device_len,
				   "blockIO/throttleReadBpsDevice", err);
	if (r >= 0)
		r = write_throttle(dir, "blkio.throttle.write_bps_device",
				   io->throttle_write_bps_device, io->throttle_write_bps_device_len,
				   "blockIO/throttleWriteBpsDevice", err);
	if (r >= 0)
		r = write_throttle(dir, "blkio.throttle.read_iops_device",
				   io->throttle_read_iops_device, io->throttle_read_iops_device_len,
				   "blockIO/throttleReadIOPSDevice", err);
	if (r >= 0)
		r = write_throttle(
			dir, "blkio.throttle.write_iops_device", io->throttle_write_iops_device,
			io->throttle_write_iops_device_len, "blockIO/throttleWriteIOPSDevice", err);
	return r;
}
