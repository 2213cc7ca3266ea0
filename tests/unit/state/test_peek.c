// SPDX-License-Identifier: Apache-2.0
// What listings read of a record: the same as the parser, or nothing.
#include "../test.h"
#include "tempdir.h"

static struct crun_error err;

/* One container `web`, and what was read of it. */
struct peeked {
	int result;
	struct oci_arena arena;
	struct oci_text text;
	struct oci_record *record;
};

static int peek_at(const struct state_root *root, const char *id, void *data)
{
	struct peeked *p = data;

	if (strcmp(id, "web") != 0)
		return -EINVAL;
	oci_arena_free(&p->arena);
	p->result = state_read_text(root, id, &p->arena, &p->text);
	if (p->result == 0 && !state_peek_record(&p->text, &p->arena, &p->record))
		p->result = -EAGAIN;
	return 0;
}

static int peek(const char *root, struct peeked *p)
{
	int r;

	p->result = -ENOMSG;
	r = state_each(root, peek_at, p, &err);
	return r < 0 ? r : p->result;
}

static struct oci_record usual_record(void)
{
	struct oci_record rec = simple_record("web", OCI_RECORD_PHASE_CREATED);

	rec.has_pid = rec.has_pid_start_time = true;
	rec.pid = INT32_MAX;
	rec.pid_start_time = UINT64_MAX;
	return rec;
}

static void check_same(const struct oci_record *got, const struct oci_record *want)
{
	CHECK_INT(got->version, want->version);
	CHECK_STR(got->id, want->id);
	CHECK_STR(got->bundle, want->bundle);
	CHECK_STR(got->rootfs, want->rootfs);
	CHECK_STR(got->oci_version, want->oci_version);
	CHECK_STR(got->created, want->created);
	CHECK_STR(got->owner, want->owner);
	CHECK(got->has_pid && got->pid == want->pid);
	CHECK(got->has_pid_start_time && got->pid_start_time == want->pid_start_time);
	CHECK_INT(got->phase, want->phase);
	CHECK(!got->annotations);
}

/* The text is still whole for the parser. */
static void check_text(struct peeked *p, const struct oci_record *want)
{
	struct oci_parse_error why;

	CHECK_INT(oci_record_parse(NULL, p->text.data, p->text.len, &p->arena, &p->record, &why),
		  0);
	CHECK_STR(p->record->bundle, want->bundle);
	CHECK_STR(p->record->cgroup_manager, want->cgroup_manager);
}

TEST(what_the_writer_writes_is_read)
{
	TEMPDIR(t);
	struct state_dir dir;
	struct oci_record rec = usual_record();
	struct peeked p = {0};

	CHECK_INT(state_reserve(t.path, "web", &dir, &err), 0);
	CHECK_INT(state_write_record(&dir, &rec, &err), 0);
	CHECK_INT(peek(t.path, &p), 0);
	check_same(p.record, &rec);
	rec.phase = OCI_RECORD_PHASE_RUNNING;
	rec.has_runtime_pid = rec.has_runtime_pid_start_time = true;
	rec.runtime_pid = 4;
	rec.runtime_pid_start_time = 5;
	CHECK_INT(state_write_record(&dir, &rec, &err), 0);
	CHECK_INT(peek(t.path, &p), 0);
	check_same(p.record, &rec);
	check_text(&p, &rec);
	oci_arena_free(&p.arena);
	state_close(&dir);
}

TEST(what_is_unusual_is_left_to_the_parser)
{
	static const char *const bundles[] = {"/a\\b", "/a\"b", "/a\nb", "/\xc3\xa4", "/\x7f"};
	TEMPDIR(t);
	struct state_dir dir;
	struct oci_string_pair pair = {"k", "v"};
	struct oci_string_map map = {&pair, 1};
	struct peeked p = {0};
	struct oci_record rec;

	CHECK_INT(state_reserve(t.path, "web", &dir, &err), 0);
	for (size_t i = 0; i < sizeof(bundles) / sizeof(bundles[0]); i++) {
		rec = usual_record();
		rec.bundle = bundles[i];
		CHECK_INT(state_write_record(&dir, &rec, &err), 0);
		CHECK_INT(peek(t.path, &p), -EAGAIN);
		check_text(&p, &rec);
	}
	for (int i = 0; i < 5; i++) {
		rec = usual_record();
		if (i == 0)
			rec.annotations = &map;
		else if (i == 1)
			rec.phase = OCI_RECORD_PHASE_CREATING;
		else if (i == 2)
			rec.version = 2;
		else if (i == 3)
			rec.has_pid = false;
		else
			rec.owner = NULL;
		CHECK_INT(state_write_record(&dir, &rec, &err), 0);
		CHECK_INT(peek(t.path, &p), -EAGAIN);
	}
	oci_arena_free(&p.arena);
	state_close(&dir);
}

/* Each beginning of a record, and one that is as long as what is read at once. */
TEST(what_was_cut_off_is_left_to_the_parser)
{
	TEMPDIR(t);
	struct state_dir dir;
	struct oci_record rec = usual_record();
	struct peeked p = {0};
	static char long_path[9000];
	char text[2048], cut[2048];
	int fd;
	ssize_t n;

	CHECK_INT(state_reserve(t.path, "web", &dir, &err), 0);
	CHECK_INT(state_write_record(&dir, &rec, &err), 0);
	fd = open(in_dir(t.path, "web/state.json"), O_RDONLY | O_CLOEXEC);
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	CHECK(n > 200);
	for (ssize_t i = 0; i < n; i++) {
		memcpy(cut, text, (size_t)i);
		cut[i] = '\0';
		CHECK_INT(put_file(in_dir(t.path, "web/state.json"), cut), 0);
		CHECK_INT(peek(t.path, &p), -EAGAIN);
	}
	memset(long_path, '/', sizeof(long_path) - 1);
	rec.cgroup_path = long_path;
	CHECK_INT(state_write_record(&dir, &rec, &err), 0);
	CHECK_INT(peek(t.path, &p), -EAGAIN);
	oci_arena_free(&p.arena);
	state_close(&dir);
}

TEST(numbers_that_do_not_fit_are_left_to_the_parser)
{
	static const char *const pids[] = {"", "-1", "2147483648", "1e3", "1.5", "null", "\"1\""};
	TEMPDIR(t);
	struct state_dir dir;
	struct peeked p = {0};
	char text[1024];

	CHECK_INT(state_reserve(t.path, "web", &dir, &err), 0);
	for (size_t i = 0; i < sizeof(pids) / sizeof(pids[0]) + 1; i++) {
		bool good = i == sizeof(pids) / sizeof(pids[0]);

		snprintf(text, sizeof(text),
			 "{\"version\":1,\"id\":\"web\",\"bundle\":\"\",\"rootfs\":\"\","
			 "\"ociVersion\":\"\",\"created\":\"\",\"owner\":\"\",\"pid\":%s,"
			 "\"pidStartTime\":1,\"phase\":\"running\",\"x\":1}",
			 good ? "1" : pids[i]);
		CHECK_INT(put_file(in_dir(t.path, "web/state.json"), text), 0);
		CHECK_INT(peek(t.path, &p), good ? 0 : -EAGAIN);
	}
	oci_arena_free(&p.arena);
	state_close(&dir);
}

TEST(what_ends_elsewhere_is_left_to_the_parser)
{
	static const char begin[] =
		"{\"version\":1,\"id\":\"web\",\"bundle\":\"\",\"rootfs\":\"\",\"ociVersion\":\"\","
		"\"created\":\"\",\"owner\":\"\",\"pid\":1,\"pidStartTime\":1,\"phase\":\"running\",";
	static const char *const damaged[] = {
		"\"x\":{\"y\":1}", /* cut off where something else ends */
		"\"x\":[{\"y\":1}", "\"x\":1}{\"version\":1}", "\"x\":1}}", "\"x\":1}},\"y\":1}",
		"\"x\":1}\n",
	};
	static const char *const whole[] = {"\"x\":1}", "\"x\":[\"y\",[]],\"z\":-1}"};
	TEMPDIR(t);
	struct state_dir dir;
	struct peeked p = {0};
	char text[1024];

	CHECK_INT(state_reserve(t.path, "web", &dir, &err), 0);
	for (size_t i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++) {
		snprintf(text, sizeof(text), "%s%s", begin, damaged[i]);
		CHECK_INT(put_file(in_dir(t.path, "web/state.json"), text), 0);
		if (peek(t.path, &p) != -EAGAIN)
			TEST_FAIL("%s", damaged[i]);
	}
	for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++) {
		snprintf(text, sizeof(text), "%s%s", begin, whole[i]);
		CHECK_INT(put_file(in_dir(t.path, "web/state.json"), text), 0);
		CHECK_INT(peek(t.path, &p), 0);
	}
	oci_arena_free(&p.arena);
	state_close(&dir);
}

TEST(a_link_is_not_followed_and_a_fifo_not_waited_for)
{
	TEMPDIR(t);
	struct state_dir dir;
	struct oci_record rec = usual_record();
	struct peeked p = {0};

	CHECK_INT(state_reserve(t.path, "web", &dir, &err), 0);
	CHECK_INT(state_write_record(&dir, &rec, &err), 0);
	CHECK_INT(rename(in_dir(t.path, "web/state.json"), in_dir(t.path, "web/other")), 0);
	CHECK_INT(peek(t.path, &p), -ENOENT);
	CHECK_INT(symlink("other", in_dir(t.path, "web/state.json")), 0);
	CHECK_INT(peek(t.path, &p), -ELOOP);
	CHECK_INT(unlink(in_dir(t.path, "web/state.json")), 0);
	CHECK_INT(mkfifo(in_dir(t.path, "web/state.json"), 0600), 0);
	CHECK(peek(t.path, &p) < 0);
	oci_arena_free(&p.arena);
	state_close(&dir);
}

TEST(nothing_is_taken_from_a_root_to_which_others_may_write)
{
	TEMPDIR(t);
	struct state_dir dir;
	struct oci_record rec = usual_record();
	struct peeked p = {0};

	CHECK_INT(state_reserve(t.path, "web", &dir, &err), 0);
	CHECK_INT(state_write_record(&dir, &rec, &err), 0);
	CHECK_INT(peek(t.path, &p), 0);
	CHECK_INT(chmod(t.path, 01777), 0);
	CHECK_INT(peek(t.path, &p), -EXDEV);
	CHECK_INT(chmod(t.path, 0770), 0);
	CHECK_INT(peek(t.path, &p), -EXDEV);
	CHECK_INT(chmod(t.path, 0700), 0);
	if (geteuid() == 0) {
		CHECK_INT(chown(t.path, 12345, (gid_t)-1), 0);
		CHECK_INT(peek(t.path, &p), -EXDEV);
	}
	oci_arena_free(&p.arena);
	state_close(&dir);
}

TEST_MAIN()
