// SPDX-License-Identifier: Apache-2.0
// linux.personality: the execution domain of the payload.
#include "init/inside/phase.h"

#include <errno.h>
#include <sys/personality.h>

int phase_personality(struct inside *in, struct crun_error *err)
{
	const struct oci_linux_personality *p = in->plan->linux_->personality;
	unsigned long domain =
		p->domain == OCI_PERSONALITY_DOMAIN_LINUX32 ? PER_LINUX32 : PER_LINUX;

	if (personality(domain) < 0) {
		err_sys(err, -errno, "personality %s", oci_personality_domain_name(p->domain));
		return err_at(err, "/linux/personality/domain");
	}
	return 0;
}
