// SPDX-License-Identifier: Apache-2.0
// cgroup v2: the rdma controller.
#include "cgroup/controllers.h"

#include "base/buf.h"

#include <errno.h>

int cg_v2_rdma(const struct cg_dir *dir, const struct oci_linux_resources *res,
	       struct crun_error *err)
{
	for (size_t i = 0; i < res->rdma->len; i++) {
		const struct oci_linux_rdma *limit = &res->rdma->items[i].value;
		_cleanup_buf_ struct buf line = {0};
		int r;

		buf_puts(&line, res->rdma->items[i].key);
		if (limit->has_hca_handles)
			buf_printf(&line, " hca_handle=%u", limit->hca_handles);
		if (limit->has_hca_objects)
			buf_printf(&line, " hca_object=%u", limit->hca_objects);
		if (line.failed)
			return err_sys(err, -ENOMEM, "limits of rdma device");
		r = cg_write(dir, "rdma.max", line.data, "rdma", err);
		if (r < 0)
			return r;
	}
	return 0;
}
