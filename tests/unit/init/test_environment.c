// SPDX-License-Identifier: Apache-2.0
// HOME from passwd files that an attacker wrote, and the variables of socket activation.
#include "inside_fixture.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <errno.h>
#include <sys/resource.h>

static const char *env[16];

/* The value of HOME that the phase makes of the passwd file TEXT for UID; in a static buffer. */
static const char *home_of(const char *text, size_t len, uid_t uid)
{
	static char home[512];
	int r;

	begin();
	put_dir("etc");
	put("etc/passwd", text, len, 0644);
	memset(env, 0, sizeof(env));
	plan.process.envp = env;
	plan.process.uid = uid;
	r = phase_environment(&in, &err);
	end();
	if (r < 0 || !env[0] || !str_after(env[0], "HOME="))
		return "(failed)";
	snprintf(home, sizeof(home), "%s", str_after(env[0], "HOME="));
	free((void *)env[0]);
	return home;
}

static const char *home(const char *text, uid_t uid)
{
	return home_of(text, strlen(text), uid);
}

TEST(the_usual_file)
{
	static const char text[] = "root:x:0:0:root:/root:/bin/sh\n"
				   "daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n"
				   "u:x:1000:1000:,,,:/home/u:/bin/sh\n";

	CHECK_STR(home(text, 0), "/root");
	CHECK_STR(home(text, 1), "/usr/sbin");
	CHECK_STR(home(text, 1000), "/home/u");
	CHECK_STR(home(text, 2), "/");
}

TEST(lines_that_say_nothing)
{
	CHECK_STR(home("", 0), "/");
	CHECK_STR(home("\n\n\n", 0), "/");
	CHECK_STR(home(":::::", 0), "/");
	CHECK_STR(home(":::::\n::0::::\nroot:x:0:0:r:/r:s", 0), "/r");
	CHECK_STR(home("root:x:0:0:root", 0), "/");
	CHECK_STR(home("root:x:0:0:root:", 0), "/");
	CHECK_STR(home("root:x:0:0:root:/root", 0), "/root");
	CHECK_STR(home("root:x:0:0:root:rel:/bin/sh", 0), "/");
	CHECK_STR(home("root:x:0:0:root::/bin/sh\nroot2:x:0:0::/second:", 0), "/second");
}

TEST(ids_that_are_none)
{
	CHECK_STR(home("a:x:+0:0::/a:\n", 0), "/");
	CHECK_STR(home("a:x:-0:0::/a:\n", 0), "/");
	CHECK_STR(home("a:x: 0:0::/a:\n", 0), "/");
	CHECK_STR(home("a:x:0x0:0::/a:\n", 0), "/");
	CHECK_STR(home("a:x::0::/a:\n", 0), "/");
	CHECK_STR(home("a:x:4294967296:0::/a:\n", 0), "/");
	CHECK_STR(home("a:x:18446744073709551616:0::/a:\n", 0), "/");
	CHECK_STR(home("a:x:-1:0::/a:\n", 4294967295U), "/");
	CHECK_STR(home("a:x:4294967294:0::/a:\n", 4294967294U), "/a");
}

TEST(the_first_line_counts)
{
	CHECK_STR(home("a:x:5:5::/a:\nb:x:5:5::/b:\n", 5), "/a");
}

TEST(zero_bytes_end_what_is_read)
{
	static const char text[] = "a:x:5:5::/a\0b:\nb:x:6:6::/b:\n";

	CHECK_STR(home_of(text, sizeof(text) - 1, 5), "/a");
	CHECK_STR(home_of(text, sizeof(text) - 1, 6), "/");
}

/* What lies beyond a quarter of a megabyte is not looked at, and what is cut there is no line. */
TEST(an_endless_file)
{
	size_t len = 1024 * 1024;
	char *text = malloc(len);

	memset(text, 'x', len);
	memcpy(text, "a:x:5:5::/a:\n", 13);
	memcpy(text + len - 14, "\nb:x:6:6::/b:\n", 14);
	CHECK_STR(home_of(text, len, 5), "/a");
	CHECK_STR(home_of(text, len, 6), "/");
	memset(text, ':', len);
	CHECK_STR(home_of(text, len, 0), "/");
	memset(text, '\n', len);
	CHECK_STR(home_of(text, len, 0), "/");
	free(text);
}

/* A FIFO would make create wait for ever, a link would read the host's file. */
TEST(a_passwd_that_is_no_file)
{
	static const char *const ways[] = {"missing", "directory", "fifo", "link out", "loop"};

	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		const char *passwd;

		begin();
		put_dir("etc");
		passwd = in_dir(root.path, "etc/passwd");
		if (i == 1)
			put_dir("etc/passwd");
		else if (i == 2)
			CHECK_INT(mkfifo(passwd, 0644), 0);
		else if (i == 3)
			CHECK_INT(symlink("../../../../../../../etc/passwd", passwd), 0);
		else if (i == 4)
			CHECK_INT(symlink("passwd", passwd), 0);
		memset(env, 0, sizeof(env));
		plan.process.envp = env;
		CHECK_INT(phase_environment(&in, &err), 0);
		if (strcmp(env[0], "HOME=/") != 0)
			TEST_FAIL("%s: %s", ways[i], env[0]);
		free((void *)env[0]);
		end();
	}
}

TEST(a_link_stays_in_the_root)
{
	begin();
	put_dir("etc");
	put("real", "a:x:5:5::/inside:\n", 18, 0644);
	CHECK_INT(symlink("/real", in_dir(root.path, "etc/passwd")), 0);
	memset(env, 0, sizeof(env));
	plan.process.envp = env;
	plan.process.uid = 5;
	CHECK_INT(phase_environment(&in, &err), 0);
	CHECK_STR(env[0], "HOME=/inside");
	free((void *)env[0]);
	end();
}

/* Another HOME whenever the machine is short of something would be a riddle. */
TEST(no_descriptor_to_read_it_is_an_error)
{
	struct rlimit was, none;

	begin();
	memset(env, 0, sizeof(env));
	plan.process.envp = env;
	CHECK_INT(getrlimit(RLIMIT_NOFILE, &was), 0);
	none = (struct rlimit){.rlim_cur = 0, .rlim_max = was.rlim_max};
	CHECK_INT(setrlimit(RLIMIT_NOFILE, &none), 0);
	CHECK_INT(phase_environment(&in, &err), -EMFILE);
	CHECK_INT(setrlimit(RLIMIT_NOFILE, &was), 0);
	CHECK(strstr(err.text, "/etc/passwd") != NULL);
	CHECK(!env[0]);
	end();
}

TEST(what_is_configured_stays)
{
	begin();
	memset(env, 0, sizeof(env));
	env[0] = "HOME=";
	env[1] = "LISTEN_FDS=9";
	plan.process.envp = env;
	plan.process.listen_fds = 2;
	CHECK_INT(phase_environment(&in, &err), 0);
	CHECK_STR(env[0], "HOME=");
	CHECK_STR(env[1], "LISTEN_FDS=9");
	CHECK_STR(env[2], "LISTEN_PID=1");
	CHECK(!env[3]);
	end();
}

TEST(socket_activation)
{
	begin();
	memset(env, 0, sizeof(env));
	env[0] = "HOME=/h";
	plan.process.envp = env;
	plan.process.listen_fds = 2;
	CHECK_INT(phase_environment(&in, &err), 0);
	CHECK_STR(env[1], "LISTEN_FDS=2");
	CHECK_STR(env[2], "LISTEN_PID=1");
	CHECK(!env[3]);
	free((void *)env[1]);
	end();
}

TEST_MAIN()
