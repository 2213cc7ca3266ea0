// SPDX-License-Identifier: Apache-2.0
// Fuzz target: an image's /etc/passwd, which decides on HOME. The first line of the input is the uid.

#include "fake_files.h"
#include "fuzz.h"

#include "base/str.h"
#include "init/inside/phase.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size), *rest = text;
	const char *env[8] = {"PATH=/bin"};
	struct launch_plan plan = {0};
	struct inside in = {.plan = &plan, .root_fd = -1};
	struct crun_error err;
	uint64_t uid = 0;
	const char *home;

	(void)!str_to_u64(fuzz_line(&rest), UINT32_MAX, &uid);
	plan.process.uid = (uid_t)uid;
	plan.process.envp = env;
	fake_begin();
	if (rest)
		fake_add("/etc/passwd", rest, size - (size_t)(rest - text));
	REQUIRE(phase_environment(&in, &err) == 0);
	fake_end();
	/* Whatever the image says, it is one variable, with an absolute path. */
	home = env[1] ? str_after(env[1], "HOME=") : NULL;
	REQUIRE(home && home[0] == '/' && !strchr(home, '\n') && !strchr(home, ':') && !env[2]);
	if (home[1])
		REQUIRE(memmem(data, size, home, strlen(home)));
	free((void *)env[1]);
	free(text);
	return 0;
}
