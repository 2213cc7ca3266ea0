// SPDX-License-Identifier: Apache-2.0
// What an update cannot take down for its undoing goes back at once, by the same way.
#include "cgroup/changes.h"

#include "spawn/writer.h"

#include "../state/tempdir.h"
#include "../test.h"

static struct tempdir dir;
static bool no_memory;
static char slowly[64]; /* what the process for slow files wrote: "VALUE VALUE " */

void *__real_reallocarray(void *p, size_t n, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
int __real_spawn_write_at(int dirfd, const char *name, const char *text, const struct deadline *d);
int __wrap_spawn_write_at(int dirfd, const char *name, const char *text, const struct deadline *d);

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
	return no_memory ? NULL : __real_reallocarray(p, n, size);
}

int __wrap_spawn_write_at(int dirfd, const char *name, const char *text, const struct deadline *d)
{
	size_t len = strlen(slowly);

	snprintf(slowly + len, sizeof(slowly) - len, "%s ", text);
	return __real_spawn_write_at(dirfd, name, text, d);
}

/* Updates FILE, which has 4096, to 8192 while there is no memory for the note. Returns what it has then. */
static const char *update(const char *file, struct crun_error *err)
{
	static char text[16];
	struct update_report report = {0};
	struct cg_changes changes = {.report = &report};
	struct cg_dir at = {.path = dir.path, .changes = &changes};
	FILE *f;

	*err = (struct crun_error){0};
	slowly[0] = text[0] = '\0';
	at.fd = open(dir.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	no_memory = true;
	if (put_file(in_dir(dir.path, file), "4096") < 0 ||
	    cg_changes_write(&at, file, "8192", "memory/limit", err) != -ENOMEM)
		snprintf(text, sizeof(text), "%s", "no error");
	no_memory = false;
	close(at.fd);
	cg_changes_done(&changes);
	update_report_done(&report);
	f = fopen(in_dir(dir.path, file), "re");
	if (f && !text[0] && !fgets(text, sizeof(text), f))
		text[0] = '\0';
	if (f)
		fclose(f);
	return text;
}

TEST(what_cannot_be_noted_is_put_back)
{
	struct crun_error err;

	dir = tempdir_make();
	CHECK_STR(update("memory.max", &err), "4096");
	CHECK_STR(slowly, "8192 4096 ");
	CHECK(strstr(err.text, "memory.max`: Cannot allocate memory"));
	CHECK_STR(update("pids.max", &err), "4096");
	CHECK_STR(slowly, "");
	tempdir_remove(&dir);
}

TEST_MAIN()
