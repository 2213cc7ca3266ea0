// SPDX-License-Identifier: Apache-2.0
// The start gate: one start gets through, and nobody waits for the dead.
#include "state/gate.h"

#include "../test.h"
#include "base/cleanup.h"
#include "tempdir.h"

#include <sys/socket.h>

static struct crun_error err;

TEST(it_exists_from_listen_to_remove)
{
	TEMPDIR(t);
	struct state_dir dir;
	int fd;

	CHECK_INT(state_reserve(t.path, "web", &dir, &err), 0);
	CHECK(gate_exists(&dir, &err) == 0);
	fd = gate_listen(&dir, &err);
	CHECK(fd >= 0 && gate_exists(&dir, &err) == 1);
	CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	CHECK_INT(gate_remove(&dir), 0);
	CHECK(gate_exists(&dir, &err) == 0);
	CHECK_INT(gate_remove(&dir), 0);
	close(fd);
	state_close(&dir);
}

TEST(a_file_of_that_name_is_no_gate)
{
	TEMPDIR(t);
	struct state_dir dir;

	CHECK_INT(state_reserve(t.path, "web", &dir, &err), 0);
	CHECK_INT(put_file(in_dir(t.path, "web/start"), ""), 0);
	CHECK(gate_exists(&dir, &err) == 0);
	CHECK(gate_connect(&dir, &err) < 0);
	CHECK(gate_listen(&dir, &err) < 0);
	state_close(&dir);
}

TEST(both_ends_can_talk)
{
	TEMPDIR(t);
	struct state_dir dir;
	char text[8] = "";
	int listener, client, server;

	CHECK_INT(state_reserve(t.path, "web", &dir, &err), 0);
	listener = gate_listen(&dir, &err);
	client = gate_connect(&dir, &err);
	CHECK(listener >= 0 && client >= 0);
	/* The caller wants to block on it. */
	CHECK(!(fcntl(client, F_GETFL) & O_NONBLOCK));
	server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	CHECK(server >= 0);
	CHECK_INT(send(client, "hi", 2, MSG_NOSIGNAL), 2);
	CHECK_INT(read(server, text, sizeof(text)), 2);
	CHECK_STR(text, "hi");
	close(server);
	CHECK_INT(read(client, text, sizeof(text)), 0);
	close(client);
	close(listener);
	state_close(&dir);
}

TEST(a_gone_gate_says_started_before)
{
	TEMPDIR(t);
	struct state_dir dir;

	CHECK_INT(state_reserve(t.path, "web", &dir, &err), 0);
	CHECK(gate_connect(&dir, &err) < 0);
	CHECK_INT(err.kind, KIND_STATE);
	CHECK(strstr(err.text, "cannot start an already running container"));
	state_close(&dir);
}

TEST(a_dead_listener_is_an_error_and_not_a_wait)
{
	TEMPDIR(t);
	struct state_dir dir;
	int fd;

	CHECK_INT(state_reserve(t.path, "web", &dir, &err), 0);
	fd = gate_listen(&dir, &err);
	CHECK(fd >= 0);
	close(fd);
	CHECK(gate_exists(&dir, &err) == 1);
	alarm(60);
	CHECK(gate_connect(&dir, &err) < 0);
	alarm(0);
	CHECK_INT(err.kind, KIND_STATE);
	state_close(&dir);
}

TEST(a_queue_of_starts_is_refused_and_not_waited_in)
{
	TEMPDIR(t);
	struct state_dir dir;
	int listener, fds[8], got = 0, refused = 0;

	CHECK_INT(state_reserve(t.path, "web", &dir, &err), 0);
	listener = gate_listen(&dir, &err);
	CHECK(listener >= 0);
	alarm(60);
	for (int i = 0; i < 8; i++) {
		fds[i] = gate_connect(&dir, &err);
		got += fds[i] >= 0;
		refused += fds[i] < 0 && err.kind == KIND_STATE && err.errnum == EBUSY;
	}
	alarm(0);
	for (int i = 0; i < 8; i++)
		close_fd(&fds[i]);
	CHECK_INT(got, 1);
	CHECK_INT(refused, 7);
	close(listener);
	state_close(&dir);
}

TEST(the_second_start_is_refused_once_the_first_removed_the_gate)
{
	TEMPDIR(t);
	struct state_dir dir;
	int listener, first;

	CHECK_INT(state_reserve(t.path, "web", &dir, &err), 0);
	listener = gate_listen(&dir, &err);
	first = gate_connect(&dir, &err);
	CHECK(listener >= 0 && first >= 0);
	CHECK_INT(gate_remove(&dir), 0);
	CHECK(gate_connect(&dir, &err) < 0);
	CHECK_INT(err.kind, KIND_STATE);
	close(first);
	close(listener);
	state_close(&dir);
}

TEST(a_state_root_longer_than_a_socket_address_works)
{
	TEMPDIR(t);
	char root[PATH_MAX + 300];
	struct state_dir dir;
	int listener, client;

	snprintf(root, sizeof(root), "%s/%0200d", t.path, 0);
	CHECK_INT(state_reserve(root, "web", &dir, &err), 0);
	listener = gate_listen(&dir, &err);
	client = gate_connect(&dir, &err);
	CHECK(listener >= 0 && client >= 0);
	close(client);
	close(listener);
	state_close(&dir);
}

TEST_MAIN()
