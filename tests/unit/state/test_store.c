// SPDX-License-Identifier: Apache-2.0
// The state directory: ids, reservation, locking, records under rewriting, removal.
#include "state/store.h"

#include "../test.h"
#include "tempdir.h"

#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>

static struct crun_error err;

static bool id_ok(const char *id)
{
	return state_check_id(id, &err) == 0;
}

TEST(ids_that_are_accepted)
{
	static const char *const good[] = {"a", "A-b_c.d+9", "0", "a..", "a-", "_", "+x"};
	char longest[1026];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		CHECK(id_ok(good[i]));
	memset(longest, 'x', sizeof(longest));
	longest[1024] = '\0';
	CHECK(id_ok(longest));
}

TEST(ids_that_are_refused)
{
	static const char *const bad[] = {
		"",    ".",   "..",  ".a",	 "-a",	 "a/b",	 "/a", "../a", "a b",
		"a\n", "a\t", "a:b", "\xc3\xa4", "a\\b", "a%sb", "a@", "a*",   "a\x7f",
	};
	char longest[1026];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		memset(&err, 0, sizeof(err));
		CHECK_INT(state_check_id(bad[i], &err), -EINVAL);
		CHECK_INT(err.kind, KIND_SPEC);
		CHECK(err.text[0]);
	}
	memset(longest, 'x', sizeof(longest));
	longest[1025] = '\0';
	CHECK_INT(state_check_id(longest, &err), -EINVAL);
	CHECK(strstr(err.text, "1024"));
}

TEST(verbs_refuse_a_bad_id_before_they_touch_anything)
{
	TEMPDIR(t);
	struct state_dir dir;

	CHECK_INT(state_reserve(in_dir(t.path, "root"), "../x", &dir, &err), -EINVAL);
	CHECK_INT(state_open(t.path, "../x", true, &dir, &err), -EINVAL);
	CHECK(!path_exists(in_dir(t.path, "root")) && !path_exists(in_dir(t.path, "x")));
}

TEST(reserve_makes_the_root_with_its_parents_for_the_owner_only)
{
	TEMPDIR(t);
	struct state_dir dir;
	struct stat st;

	umask(0);
	CHECK_INT(state_reserve(in_dir(t.path, "a/b"), "web", &dir, &err), 0);
	umask(022);
	CHECK(dir.locked);
	CHECK_STR(dir.id, "web");
	CHECK(stat(in_dir(t.path, "a"), &st) == 0 && (st.st_mode & 07777) == 0700);
	CHECK(stat(in_dir(t.path, "a/b"), &st) == 0 && (st.st_mode & 07777) == 0700);
	CHECK(stat(in_dir(t.path, "a/b/web"), &st) == 0 && (st.st_mode & 07777) == 0700);
	CHECK_INT(state_remove(&dir, &err), 0);
	state_close(&dir);
	CHECK(!path_exists(in_dir(t.path, "a/b/web")));
}

TEST(reserve_of_a_taken_id_leaves_the_other_alone)
{
	TEMPDIR(t);
	struct state_dir first, second;
	struct oci_record rec = simple_record("web", OCI_RECORD_PHASE_RUNNING), *back;
	struct oci_arena arena = {0};

	CHECK_INT(state_reserve(t.path, "web", &first, &err), 0);
	CHECK_INT(state_write_record(&first, &rec, &err), 0);
	/* Taken or merely lying around: both count. */
	for (int i = 0; i < 2; i++) {
		CHECK_INT(state_reserve(t.path, "web", &second, &err), -EEXIST);
		CHECK_INT(err.kind, KIND_EXISTS);
		CHECK_STR(err.text, "container `web` already exists");
		if (i == 0)
			state_close(&first);
	}
	CHECK_INT(state_open(t.path, "web", false, &first, &err), 0);
	CHECK_INT(state_read_record(&first, &arena, &back, &err), 0);
	CHECK_STR(back->bundle, rec.bundle);
	oci_arena_free(&arena);
	state_close(&first);
}

TEST(reserve_of_a_name_that_is_a_file_or_a_link_is_refused)
{
	TEMPDIR(t);
	struct state_dir dir;

	CHECK_INT(put_file(in_dir(t.path, "file"), "x"), 0);
	CHECK_INT(symlink("/", in_dir(t.path, "link")), 0);
	CHECK_INT(state_reserve(t.path, "file", &dir, &err), -EEXIST);
	CHECK_INT(state_reserve(t.path, "link", &dir, &err), -EEXIST);
	CHECK(path_exists(in_dir(t.path, "link")));
}

TEST(a_name_longer_than_a_file_name_is_an_error_not_a_crash)
{
	TEMPDIR(t);
	struct state_dir dir;
	char id[301];

	memset(id, 'x', 300);
	id[300] = '\0';
	CHECK_INT(state_reserve(t.path, id, &dir, &err), -ENAMETOOLONG);
	CHECK_INT(state_open(t.path, id, false, &dir, &err), -ENOENT);
}

TEST(unknown_containers_do_not_exist)
{
	static const char *const names[] = {"none", "file", "link"};
	TEMPDIR(t);
	struct state_dir dir;

	CHECK_INT(put_file(in_dir(t.path, "file"), "x"), 0);
	CHECK_INT(symlink(t.path, in_dir(t.path, "link")), 0);
	for (int i = 0; i < 3; i++) {
		CHECK_INT(state_open(t.path, names[i], false, &dir, &err), -ENOENT);
		CHECK_INT(err.kind, KIND_NOT_FOUND);
		CHECK(strstr(err.text, "does not exist") && !strstr(err.text, "o such file"));
	}
	CHECK_INT(state_open(in_dir(t.path, "no/root"), "x", false, &dir, &err), -ENOENT);
	CHECK_INT(err.kind, KIND_NOT_FOUND);
}

TEST(close_accepts_zero_and_closed_ones)
{
	struct state_dir zero = {0};

	state_close(&zero);
	state_close(&zero);
	CHECK(fcntl(0, F_GETFD) >= 0 || errno == EBADF);
	CHECK(zero.fd < 0 && zero.root_fd < 0);
}

TEST(record_survives_a_round_trip)
{
	TEMPDIR(t);
	struct state_dir dir;
	const char *made[] = {"/sys/fs/cgroup/a", "/sys/fs/cgroup/a/b"};
	struct oci_string_pair pair = {"k/\"\n", "v\xc3\xa4"};
	struct oci_string_map map = {&pair, 1};
	struct oci_record rec = simple_record("web", OCI_RECORD_PHASE_CREATED), *back;
	struct oci_arena arena = {0};

	rec.has_pid = rec.has_pid_start_time = rec.has_has_private_pid = true;
	rec.pid = 12345;
	rec.pid_start_time = UINT64_MAX;
	rec.has_private_pid = true;
	rec.cgroup_created = made;
	rec.cgroup_created_len = 2;
	rec.annotations = &map;
	CHECK_INT(state_reserve(t.path, "web", &dir, &err), 0);
	CHECK_INT(state_write_record(&dir, &rec, &err), 0);
	CHECK_INT(state_read_record(&dir, &arena, &back, &err), 0);
	CHECK_STR(back->id, "web");
	CHECK_INT(back->phase, OCI_RECORD_PHASE_CREATED);
	CHECK_INT(back->pid, 12345);
	CHECK(back->pid_start_time == UINT64_MAX && back->has_private_pid);
	CHECK_INT(back->cgroup_created_len, 2);
	CHECK_STR(back->cgroup_created[1], made[1]);
	CHECK_INT(back->annotations->len, 1);
	CHECK_STR(back->annotations->items[0].key, pair.key);
	CHECK_STR(back->annotations->items[0].value, pair.value);
	oci_arena_free(&arena);
	state_close(&dir);
}

TEST(records_that_are_missing_or_damaged_get_a_sentence)
{
	static const struct {
		const char *text;
		int errnum;
	} cases[] = {
		{NULL, ENODATA},
		{"", EINVAL},
		{"{", EINVAL},
		{"{\"version\":1,\"id\":\"web\",\"phase\":\"crea", EINVAL},
		{"{\"version\":1,\"id\":\"web\"}", EINVAL},
		{"{\"version\":1,\"id\":\"web\",\"phase\":\"flying\"}", EINVAL},
		{"{\"version\":1,\"id\":\"web\",\"phase\":\"created\",\"pid\":-4}", EINVAL},
		{"\x01\x02garbage", EINVAL},
		{"[]", EINVAL},
	};
	TEMPDIR(t);
	struct state_dir dir;

	CHECK_INT(state_reserve(t.path, "web", &dir, &err), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct oci_arena arena = {0};
		struct oci_record *rec = NULL;
		int r;

		if (cases[i].text)
			CHECK_INT(put_file(in_dir(t.path, "web/state.json"), cases[i].text), 0);
		r = state_read_record(&dir, &arena, &rec, &err);
		oci_arena_free(&arena);
		CHECK_INT(r, -cases[i].errnum);
		CHECK_INT(err.kind, KIND_STATE);
		CHECK(strstr(err.text, "`web`") && !rec);
		CHECK(strstr(err.text, cases[i].text ? "damaged" : "cut off"));
	}
	state_close(&dir);
}

TEST(a_record_of_a_newer_version_with_more_keys_is_read)
{
	TEMPDIR(t);
	struct state_dir dir;
	struct oci_arena arena = {0};
	struct oci_record *rec;

	CHECK_INT(state_reserve(t.path, "web", &dir, &err), 0);
	CHECK_INT(
		put_file(
			in_dir(t.path, "web/state.json"),
			"{\"version\":7,\"id\":\"web\",\"phase\":\"running\",\"new\":{\"x\":[1]}}"),
		0);
	CHECK_INT(state_read_record(&dir, &arena, &rec, &err), 0);
	CHECK_INT(rec->version, 7);
	oci_arena_free(&arena);
	state_close(&dir);
}

TEST(a_record_that_is_a_fifo_or_a_link_is_not_waited_for_or_followed)
{
	TEMPDIR(t);
	struct state_dir dir;
	struct oci_arena arena = {0};
	struct oci_record *rec;

	CHECK_INT(state_reserve(t.path, "web", &dir, &err), 0);
	CHECK_INT(mkfifo(in_dir(t.path, "web/state.json"), 0600), 0);
	CHECK(state_read_record(&dir, &arena, &rec, &err) < 0);
	CHECK_INT(unlink(in_dir(t.path, "web/state.json")), 0);
	CHECK_INT(put_file(in_dir(t.path, "other"),
			   "{\"version\":1,\"id\":\"web\",\"phase\":\"running\"}"),
		  0);
	CHECK_INT(symlink("../other", in_dir(t.path, "web/state.json")), 0);
	CHECK_INT(state_read_record(&dir, &arena, &rec, &err), -ELOOP);
	oci_arena_free(&arena);
	state_close(&dir);
}

TEST(a_missing_record_while_somebody_works_on_it_means_does_not_exist)
{
	TEMPDIR(t);
	struct state_dir worker, reader;
	struct oci_arena arena = {0};
	struct oci_record *rec;

	CHECK_INT(state_reserve(t.path, "web", &worker, &err), 0);
	CHECK_INT(state_open(t.path, "web", false, &reader, &err), 0);
	CHECK(state_is_busy(&reader));
	CHECK_INT(state_read_record(&reader, &arena, &rec, &err), -ENOENT);
	CHECK_INT(err.kind, KIND_NOT_FOUND);
	state_unlock(&worker);
	CHECK(!state_is_busy(&reader));
	CHECK_INT(state_read_record(&reader, &arena, &rec, &err), -ENODATA);
	CHECK_INT(state_remove(&worker, &err), 0);
	CHECK_INT(state_read_record(&reader, &arena, &rec, &err), -ENOENT);
	CHECK_STR(err.text, "container `web` does not exist");
	state_close(&worker);
	state_close(&reader);
}

/* Rewrites the record with annotations of ever different size until killed. */
static void rewrite_forever(const char *root)
{
	static char long_value[20000];
	struct oci_string_pair pair = {"size", long_value};
	struct oci_string_map map = {&pair, 1};
	struct oci_record rec = simple_record("web", OCI_RECORD_PHASE_RUNNING);
	struct state_dir dir;

	if (state_open(root, "web", true, &dir, &err) < 0)
		_exit(1);
	rec.annotations = &map;
	for (unsigned i = 0;; i++) {
		memset(long_value, 'a' + (int)(i % 26), sizeof(long_value));
		long_value[(i * 7919) % sizeof(long_value)] = '\0';
		if (state_write_record(&dir, &rec, &err) < 0)
			_exit(1);
	}
}

TEST(a_reader_never_sees_half_a_record)
{
	TEMPDIR(t);
	struct oci_record rec = simple_record("web", OCI_RECORD_PHASE_RUNNING);
	struct state_dir dir;
	int bad = 0, status;
	pid_t writer;

	CHECK_INT(state_reserve(t.path, "web", &dir, &err), 0);
	CHECK_INT(state_write_record(&dir, &rec, &err), 0);
	state_close(&dir);
	writer = fork();
	if (writer == 0)
		rewrite_forever(t.path);
	CHECK(writer > 0);
	for (int i = 0; i < 500; i++) {
		struct oci_arena arena = {0};
		struct oci_record *back;

		if (state_open(t.path, "web", false, &dir, &err) < 0 ||
		    state_read_record(&dir, &arena, &back, &err) < 0)
			bad++;
		oci_arena_free(&arena);
		state_close(&dir);
	}
	kill(writer, SIGKILL);
	CHECK_INT(waitpid(writer, &status, 0), writer);
	CHECK(WIFSIGNALED(status));
	CHECK_INT(bad, 0);
}

TEST(config_copy_is_read_back)
{
	static const char text[] = "{\"ociVersion\":\"1.0.2\",\"hostname\":\"h\"}";
	TEMPDIR(t);
	struct state_dir dir;
	struct oci_arena arena = {0};
	struct oci_config *config;

	CHECK_INT(state_reserve(t.path, "web", &dir, &err), 0);
	CHECK_INT(state_read_config(&dir, &arena, &config, &err), -ENOENT);
	CHECK_INT(state_write_config(&dir, text, sizeof(text) - 1, &err), 0);
	CHECK_INT(state_read_config(&dir, &arena, &config, &err), 0);
	CHECK_STR(config->hostname, "h");
	CHECK_INT(state_write_config(&dir, "{", 1, &err), 0);
	oci_arena_free(&arena);
	CHECK_INT(state_read_config(&dir, &arena, &config, &err), -EINVAL);
	CHECK_INT(err.kind, KIND_STATE);
	oci_arena_free(&arena);
	state_close(&dir);
}

TEST(remove_does_not_follow_links)
{
	TEMPDIR(t);
	struct state_dir dir;

	CHECK_INT(mkdir(in_dir(t.path, "outside"), 0700), 0);
	CHECK_INT(put_file(in_dir(t.path, "outside/keep"), "x"), 0);
	CHECK_INT(state_reserve(in_dir(t.path, "root"), "web", &dir, &err), 0);
	CHECK_INT(symlink("../../outside", in_dir(t.path, "root/web/link")), 0);
	CHECK_INT(symlink("../../outside/keep", in_dir(t.path, "root/web/file")), 0);
	CHECK_INT(mkdir(in_dir(t.path, "root/web/notify"), 0700), 0);
	CHECK_INT(symlink("../../../outside", in_dir(t.path, "root/web/notify/link")), 0);
	CHECK_INT(put_file(in_dir(t.path, "root/web/state.json"), "x"), 0);
	CHECK_INT(state_remove(&dir, &err), 0);
	CHECK(!path_exists(in_dir(t.path, "root/web")));
	CHECK(path_exists(in_dir(t.path, "outside/keep")));
	/* Gone is fine. */
	CHECK_INT(state_remove(&dir, &err), 0);
	state_close(&dir);
}

TEST(remove_stops_at_a_directory_that_is_not_plainly_ours)
{
	TEMPDIR(t);
	struct state_dir dir;

	CHECK_INT(state_reserve(t.path, "web", &dir, &err), 0);
	CHECK_INT(mkdir(in_dir(t.path, "web/deep"), 0700), 0);
	CHECK_INT(mkdir(in_dir(t.path, "web/deep/er"), 0700), 0);
	CHECK_INT(put_file(in_dir(t.path, "web/deep/er/keep"), "x"), 0);
	CHECK_INT(put_file(in_dir(t.path, "web/state.json"), "x"), 0);
	CHECK(state_remove(&dir, &err) < 0);
	CHECK(strstr(err.text, "deep"));
	CHECK(path_exists(in_dir(t.path, "web/deep/er/keep")));
	/* The record is still there, so that it can be tried again. */
	CHECK(path_exists(in_dir(t.path, "web/state.json")));
	state_close(&dir);
}

TEST(remove_leaves_a_successor_with_the_same_id_alone)
{
	TEMPDIR(t);
	struct state_dir old, successor;

	CHECK_INT(state_reserve(t.path, "web", &old, &err), 0);
	CHECK_INT(rename(in_dir(t.path, "web"), in_dir(t.path, "moved")), 0);
	CHECK_INT(state_reserve(t.path, "web", &successor, &err), 0);
	CHECK_INT(state_remove(&old, &err), 0);
	CHECK(path_exists(in_dir(t.path, "web")));
	state_close(&old);
	state_close(&successor);
}

/* A child that opens and locks; exit status 0: got it, 2: the container does not exist. */
static pid_t locker(const char *root, int ready_fd)
{
	struct state_dir dir;
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	if (state_open(root, "web", false, &dir, &err) < 0)
		_exit(3);
	if (write(ready_fd, "x", 1) != 1)
		_exit(4);
	_exit(state_lock(&dir, NULL, &err) == 0 ? 0 : err.kind == KIND_NOT_FOUND ? 2 : 1);
}

static int lock_outcome(bool delete)
{
	TEMPDIR(t);
	struct state_dir dir;
	int pair[2], status;
	char byte;
	pid_t pid;

	if (pipe2(pair, O_CLOEXEC) < 0 || state_reserve(t.path, "web", &dir, &err) < 0)
		return -1;
	pid = locker(t.path, pair[1]);
	if (pid < 0 || read(pair[0], &byte, 1) != 1)
		return -1;
	/* It must be waiting: nothing else than our release lets it go on. */
	poll(NULL, 0, 30);
	if (waitpid(pid, &status, WNOHANG) != 0)
		return -2;
	if (delete &&state_remove(&dir, &err) < 0)
		return -3;
	state_close(&dir);
	close(pair[0]);
	close(pair[1]);
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -4;
	return WEXITSTATUS(status);
}

TEST(the_lock_is_waited_for)
{
	CHECK_INT(lock_outcome(false), 0);
}

TEST(the_lock_of_a_container_that_was_deleted_meanwhile_is_no_lock)
{
	CHECK_INT(lock_outcome(true), 2);
}

TEST(the_lock_of_a_killed_process_is_free)
{
	TEMPDIR(t);
	struct state_dir dir;
	int pair[2], status;
	char byte;
	pid_t pid;

	CHECK_INT(pipe2(pair, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		if (state_reserve(t.path, "web", &dir, &err) < 0 || write(pair[1], "x", 1) != 1)
			_exit(1);
		pause();
		_exit(1);
	}
	CHECK(pid > 0 && read(pair[0], &byte, 1) == 1);
	CHECK_INT(state_open(t.path, "web", false, &dir, &err), 0);
	CHECK(state_is_busy(&dir));
	kill(pid, SIGKILL);
	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK_INT(state_lock(&dir, NULL, &err), 0);
	CHECK(dir.locked);
	state_close(&dir);
	close(pair[0]);
	close(pair[1]);
}

struct seen {
	char text[256];
	int stop_at, n;
};

static int collect(const struct state_root *root, const char *id, void *data)
{
	struct seen *seen = data;
	size_t len = strlen(seen->text);

	if (root->fd < 0)
		return -EBADF;
	snprintf(seen->text + len, sizeof(seen->text) - len, "%s ", id);
	return ++seen->n == seen->stop_at ? 42 : 0;
}

TEST(each_visits_containers_only_sorted_until_told_to_stop)
{
	static const char *const names[] = {"b", "a", "C", ".hidden", "-x", "a b"};
	TEMPDIR(t);
	struct seen seen = {0}, two = {.stop_at = 2};

	CHECK_INT(state_each(in_dir(t.path, "missing"), collect, &seen, &err), 0);
	CHECK_STR(seen.text, "");
	CHECK(!path_exists(in_dir(t.path, "missing")));
	for (int i = 0; i < 6; i++)
		CHECK_INT(mkdir(in_dir(t.path, names[i]), 0700), 0);
	CHECK_INT(put_file(in_dir(t.path, "file"), ""), 0);
	CHECK_INT(symlink(".", in_dir(t.path, "link")), 0);
	CHECK_INT(state_each(t.path, collect, &seen, &err), 0);
	CHECK_STR(seen.text, "C a b ");
	CHECK_INT(state_each(t.path, collect, &two, &err), 42);
	CHECK_STR(two.text, "C a ");
}

TEST_MAIN()
