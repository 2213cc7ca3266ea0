// SPDX-License-Identifier: Apache-2.0
// cgroup v2: the io controller.
#include "cgroup/controllers.h"

#include <inttypes.h>
#include <stdio.h>

/* blockIO.weight is 10 ... 1000, io.weight 1 ... 10000: a straight line through both ends. BFQ takes the number as it is. */
static uint64_t io_weight(uint16_t weight)
{
	return 1 + (uint64_t)(weight < 10 ? 0 : weight - 10) * 9999 / 990;
}

static int write_weights(const struct cg_dir *dir, const struct oci_linux_block_io *io,
			 struct crun_error *err)
{
	bool bfq = cg_has_file(dir, "io.bfq.weight");
	const char *file = bfq ? "io.bfq.weight" : "io.weight";
	char text[96];
	int r = 0;

	if (io->leaf_weight)
		return cg_unsupported(err, "blockIO/leafWeight",
				      "leafWeight needs cgroup v1: cgroup v2 has none");
	if (io->weight)
		r = cg_write_u64(dir, file, bfq ? io->weight : io_weight(io->weight),
				 "blockIO/weight", err);
	for (size_t i = 0; r >= 0 && i < io->weight_device_len; i++) {
		const struct oci_linux_weight_device *d = &io->weight_device[i];

		if (d->leaf_weight)
			return cg_unsupported(err, "blockIO/weightDevice",
					      "leafWeight needs cgroup v1: cgroup v2 has none");
		if (!d->weight)
			continue;
		snprintf(text, sizeof(text), "%" PRId64 ":%" PRId64 " %" PRIu64, d->major, d->minor,
			 bfq ? d->weight : io_weight(d->weight));
		r = cg_write(dir, file, text, "blockIO/weightDevice", err);
	}
	return r;
}

static int write_throttle(const struct cg_dir *dir, const char *key,
			  const struct oci_linux_throttle_device *devices, size_t len,
			  const char *at, struct crun_error *err)
{
	char text[96];
	int r = 0;

	for (size_t i = 0; r >= 0 && i < len; i++) {
		const struct oci_linux_throttle_device *d = &devices[i];

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
