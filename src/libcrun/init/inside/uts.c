// SPDX-License-Identifier: Apache-2.0
// hostname and domainname.
#include "init/inside/phase.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

int phase_hostname(struct inside *in, struct crun_error *err)
{
	const char *host = in->plan->config->hostname, *domain = in->plan->config->domainname;

	if (host && host[0] && sethostname(host, strlen(host)) < 0) {
		err_sys(err, -errno, "sethostname `%s`", host);
		return err_at(err, "/hostname");
	}
	if (domain && domain[0] && setdomainname(domain, strlen(domain)) < 0) {
		err_sys(err, -errno, "setdomainname `%s`", domain);
		return err_at(err, "/domainname");
	}
	return 0;
}
