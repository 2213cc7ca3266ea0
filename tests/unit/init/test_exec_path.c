// SPDX-License-Identifier: Apache-2.0
// How the payload is found: what is executable for whom, in which order, and the words that engines look for.
#include "inside_fixture.h"

#include "base/cleanup.h"

#include <errno.h>

static const char *argv[2];

static int look(const char *name, const char *path)
{
	argv[0] = name;
	plan.process.argv = argv;
	plan.process.path = path;
	memset(&err, 0, sizeof(err));
	in.exec_path[0] = '\0';
	return phase_exec_path(&in, &err);
}

/* a/tool and b/tool are executable, c/tool is not, d/tool is a directory, e/tool a FIFO, tool is in the working directory. */
static void begin_with_tools(void)
{
	static const char *const dirs[] = {"a", "b", "c", "d", "e", "d/tool"};

	begin();
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
		put_dir(dirs[i]);
	put("a/tool", "x", 1, 0755);
	put("b/tool", "x", 1, 0755);
	put("c/tool", "x", 1, 0644);
	put("tool", "x", 1, 0755);
	if (mkfifo(in_dir(root.path, "e/tool"), 0755) < 0)
		perror("mkfifo");
}

TEST(found_in_order)
{
	static const struct {
		const char *path, *found;
	} rows[] = {
		{"a:b", "a/tool"},	   {"b:a", "b/tool"}, {"no:b", "b/tool"},
		{"c:b", "b/tool"},	   {"d:b", "b/tool"}, {"e:b", "b/tool"},
		{"tool:b", "b/tool"},	   {"", "tool"},      {":a", "tool"},
		{"no:", "tool"},	   {"no::b", "tool"}, {"a/:b", "a//tool"},
		{"a/../b", "a/../b/tool"},
	};

	begin_with_tools();
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CHECK_INT(look("tool", rows[i].path), 0);
		CHECK_STR(in.exec_path, rows[i].found);
	}
	end();
}

TEST(a_name_with_a_slash_is_not_searched)
{
	begin_with_tools();
	CHECK_INT(look("./tool", "a:b"), 0);
	CHECK_STR(in.exec_path, "./tool");
	CHECK_INT(look("b/tool", "a"), 0);
	CHECK_STR(in.exec_path, "b/tool");
	CHECK_INT(look("./no", "a:b"), -ENOENT);
	CHECK_STR(err.text, "executable file `./no` not found: No such file or directory");
	CHECK_INT(look("tool/no", "a:b"), -ENOENT);
	CHECK_INT(err.kind, KIND_NOT_FOUND);
	end();
}

TEST(not_found)
{
	static const char *const paths[] = {"no", "no:nor", "d/tool", ":", "/nowhere:a/tool"};

	begin_with_tools();
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		CHECK_INT(look("gone", paths[i]), -ENOENT);
		CHECK_INT(err.kind, KIND_NOT_FOUND);
		CHECK_STR(err.text,
			  "executable file not found in $PATH: executable file `gone` not found in "
			  "$PATH: No such file or directory");
	}
	CHECK_INT(look("", "a"), -ENOENT);
	CHECK(strstr(err.text, "in $PATH"));
	end();
}

/* execvp(3) says "permission denied" and not "not found" when something was there. */
TEST(what_is_there_but_cannot_be_executed)
{
	begin_with_tools();
	CHECK_INT(look("tool", "c:no"), -EACCES);
	CHECK_STR(err.text, "exec: permission denied: open executable `tool`: Permission denied");
	CHECK_INT(err.kind, KIND_PERMISSION);
	CHECK_INT(look("c/tool", ""), -EACCES);
	CHECK_INT(look("d/tool", ""), -EPERM);
	CHECK_STR(err.text, "exec: permission denied: the path `d/tool` is not a regular file: "
			    "Operation not permitted");
	CHECK_INT(look("e/tool", ""), -EPERM);
	CHECK_INT(look("tool", "e"), -EPERM);
	end();
}

TEST(the_effective_user_counts)
{
	uid_t me = geteuid();
	int r;

	if (me != 0)
		SKIP("needs root to become somebody else");
	begin_with_tools();
	put("mine", "x", 1, 0700);
	CHECK_INT(look("./mine", ""), 0);
	CHECK_INT(chmod(root.path, 0755), 0);
	CHECK_INT(seteuid(65534), 0);
	r = look("./mine", "");
	CHECK_INT(seteuid(me), 0);
	CHECK_INT(r, -EACCES);
	end();
}

TEST(paths_that_do_not_fit)
{
	static char longer[6000], path[6100];

	begin_with_tools();
	memset(longer, 'x', sizeof(longer) - 1);
	CHECK_INT(look(longer, "a"), -ENOENT);
	longer[0] = '/';
	CHECK_INT(look(longer, "a"), -ENAMETOOLONG);
	/* An element that does not fit is passed over; it cannot be cut into another one. */
	snprintf(path, sizeof(path), "%s:b", longer);
	CHECK_INT(look("tool", path), 0);
	CHECK_STR(in.exec_path, "b/tool");
	end();
}

TEST_MAIN()
