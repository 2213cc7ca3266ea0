// SPDX-License-Identifier: Apache-2.0
// Keeps the runtime's binary from the container: CVE-2019-5736, docs/adr/0001-own-binary-protection.md.
#include "init/outside/phase.h"

#include "sys/exe_shield.h"

int phase_shield(struct outside *o, struct crun_error *err)
{
	(void)o;
	/* The plan asks for it only where nobody has executed a copy of us: there is nothing to find out. */
	return exe_shield(NULL, err);
}
