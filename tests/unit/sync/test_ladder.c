// SPDX-License-Identifier: Apache-2.0
// The two sides of a launch held against each other: what the tables of phases say they send and expect must fit together for
// every plan, and must be what the phases do.
#include "sync/ladder.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "host/exec.h"
#include "init/context.h"

#include "../test.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct crun_error err;
static struct seccomp_area area;

/* ---- the family of plans ---- */

struct family {
	struct oci_config config;
	struct oci_process process;
	struct oci_hooks hooks;
	struct oci_hook hook;
	struct oci_linux lx;
	struct oci_linux_seccomp seccomp;
	struct launch_plan plan;
	struct launch launch;
};

/* A deadline as a value. */
#define IN_MS(ms) (&(struct deadline){.at = clock_ms() + (ms), .cancel_fd = -1})

#define FAMILY	  256

/* Bits of N: go, hooks on the host side, filter, gate (create), hooks of init, terminal, privileged, listener. */
static void make_plan(unsigned n, struct family *f)
{
	memset(f, 0, sizeof(*f));
	f->hook.path = "/bin/true";
	if (n & 16) {
		f->hooks.create_container = f->hooks.start_container = &f->hook;
		f->hooks.create_container_len = f->hooks.start_container_len = 1;
	}
	f->config.hooks = &f->hooks;
	f->config.process = &f->process;
	f->config.linux = &f->lx;
	f->lx.seccomp = n & 4 ? &f->seccomp : NULL;
	f->plan = (struct launch_plan){
		.config = &f->config,
		.linux_ = &f->lx,
		.sync_go = n & 1,
		.sync_hooks = n & 2,
		.sync_filter = n & 4,
		.sync_listener = (n & 4) && (n & 128),
		.gate = n & 8,
		.process = {.terminal = n & 32, .spec = &f->process},
		.facts = {.privileged = n & 64},
	};
	f->launch = (struct launch){
		.plan = &f->plan, .is_run = !(n & 8), .seccomp = &area, .dir = {.fd = FD_NONE}};
}

/* ---- three programs: what the host side, init and `start` say, in order ---- */

enum socket { CHANNEL, GATE, SOCKETS };
enum verb { SEND, EXPECT, CLOSE, EXPECT_END };

struct step {
	enum verb verb;
	enum socket socket;
	enum message_kind kind;
	const char *phase;
};

struct program {
	struct step steps[32];
	size_t len;
};

static void add(struct program *p, enum verb verb, enum socket socket, enum message_kind kind,
		const char *phase)
{
	p->steps[p->len++] = (struct step){verb, socket, kind, phase};
}

static void add_says(struct program *p, const struct ladder_step *says, enum socket socket,
		     const char *phase)
{
	for (int i = 0; i < LADDER_STEPS && says[i].verb != LADDER_NOTHING; i++)
		add(p, says[i].verb == LADDER_SEND ? SEND : EXPECT, socket, says[i].kind, phase);
}

static void host_program(const struct family *f, struct program *p)
{
	p->len = 0;
	for (const struct host_phase *h = host_phases; h->name; h++) {
		if (!h->when || h->when(&f->launch))
			add_says(p, h->says, CHANNEL, h->name);
	}
	/* libcrun_run waits for the execve; libcrun_create goes. */
	if (f->launch.is_run)
		add(p, EXPECT_END, CHANNEL, MSG_NONE, "execve");
}

#define ADD_TABLE(table, p, f, socket)                                             \
	do {                                                                       \
		for (size_t i_ = 0; (table)[i_].name; i_++) {                      \
			if ((table)[i_].when && !(table)[i_].when(&(f)->plan))     \
				continue;                                          \
			if (str_eq((table)[i_].name, "gate")) {                    \
				add(p, CLOSE, CHANNEL, MSG_NONE, "gate");          \
				(socket) = GATE;                                   \
			}                                                          \
			add_says(p, (table)[i_].says, (socket), (table)[i_].name); \
		}                                                                  \
	} while (0)

static void init_program(const struct family *f, struct program *p)
{
	enum socket socket = CHANNEL;

	p->len = 0;
	ADD_TABLE(outside_phases, p, f, socket);
	ADD_TABLE(inside_phases, p, f, socket);
	ADD_TABLE(last_phases, p, f, socket);
	/* Both sockets are close-on-exec. */
	add(p, CLOSE, socket, MSG_NONE, "execve");
}

/* The two sides of exec, for the same plan. */
static void exec_programs(const struct family *f, struct program *host, struct program *init)
{
	static const struct libcrun_exec_options opts;
	struct exec x = {.l = f->launch, .opts = &opts};
	enum socket socket = CHANNEL;

	host->len = init->len = 0;
	for (const struct exec_phase *h = exec_phases; h->name; h++) {
		if (!h->when || h->when(&x))
			add_says(host, h->says, CHANNEL, h->name);
	}
	add(host, EXPECT_END, CHANNEL, MSG_NONE, "execve");
	ADD_TABLE(exec_outside_phases, init, f, socket);
	ADD_TABLE(exec_inside_phases, init, f, socket);
	ADD_TABLE(exec_last_phases, init, f, socket);
	add(init, CLOSE, socket, MSG_NONE, "execve");
}

static void start_program(const struct family *f, struct program *p)
{
	p->len = 0;
	if (!f->plan.gate)
		return;
	add(p, SEND, GATE, MSG_START, "start");
	add(p, EXPECT_END, GATE, MSG_NONE, "start");
}

/* ---- running them against each other ---- */

struct queue {
	enum message_kind messages[32];
	size_t head, tail;
	bool closed;
};

/* queues[socket][1]: to init, [0]: from init. */
struct world {
	struct queue queues[SOCKETS][2];
	const char *complaint;
	const struct step *at;
};

/* Returns true when the step was made. */
static bool make_step(struct world *w, const struct step *s, bool is_init)
{
	struct queue *out = &w->queues[s->socket][!is_init];
	struct queue *in = &w->queues[s->socket][is_init];

	w->at = s;
	switch (s->verb) {
	case SEND:
		if (out->closed)
			w->complaint = "sends to a peer that has gone";
		out->messages[out->tail++] = s->kind;
		return true;
	case EXPECT:
		if (in->head == in->tail) {
			if (in->closed)
				w->complaint = "expects a message from a peer that has gone";
			return false;
		}
		if (in->messages[in->head] != s->kind)
			w->complaint = "gets another message than it expects";
		in->head++;
		return true;
	case CLOSE:
		/* Gone: nobody can send to it, and the other side reads its end. */
		if (in->head != in->tail)
			w->complaint = "closes before it has read everything";
		in->closed = out->closed = true;
		return true;
	default:
		if (in->head != in->tail)
			w->complaint = "expects the end, but there is a message";
		return in->closed;
	}
}

/*
 * Runs until nobody can go on. ORDER: which of the three tries first, so that a result that depends on the timing shows.
 * Returns NULL when everybody reached the end and every message was read, else what is wrong.
 */
static const char *run_world(const struct program *programs[3], unsigned order, struct world *w)
{
	size_t at[3] = {0};
	bool moved = true;

	memset(w, 0, sizeof(*w));
	while (moved) {
		moved = false;
		for (unsigned k = 0; k < 3 && !moved; k++) {
			unsigned who = (order + k) % 3;

			if (at[who] == programs[who]->len)
				continue;
			moved = make_step(w, &programs[who]->steps[at[who]], who == 1);
			if (w->complaint)
				return w->complaint;
			at[who] += moved;
		}
	}
	for (unsigned who = 0; who < 3; who++) {
		if (at[who] < programs[who]->len) {
			w->at = &programs[who]->steps[at[who]];
			return "waits for ever";
		}
	}
	for (int s = 0; s < SOCKETS; s++) {
		for (int d = 0; d < 2; d++) {
			if (w->queues[s][d].head != w->queues[s][d].tail)
				return "leaves a message unread";
		}
	}
	return NULL;
}

TEST(the_sides_fit_together_for_every_plan)
{
	for (unsigned n = 0; n < FAMILY; n++) {
		struct program host, init, start;
		const struct program *programs[3] = {&host, &init, &start};
		struct family f;
		struct world w;

		make_plan(n, &f);
		host_program(&f, &host);
		init_program(&f, &init);
		start_program(&f, &start);
		for (unsigned order = 0; order < 3; order++) {
			const char *bad = run_world(programs, order, &w);

			if (bad)
				TEST_FAIL("plan %u: phase %s %s", n, w.at ? w.at->phase : "?", bad);
		}
	}
}

TEST(the_sides_of_exec_fit_together_for_every_plan)
{
	for (unsigned n = 0; n < FAMILY; n++) {
		struct program host, init, nobody = {.len = 0};
		const struct program *programs[3] = {&host, &init, &nobody};
		struct family f;
		struct world w;

		make_plan(n, &f);
		exec_programs(&f, &host, &init);
		for (unsigned order = 0; order < 3; order++) {
			const char *bad = run_world(programs, order, &w);

			if (bad)
				TEST_FAIL("exec plan %u: phase %s %s", n, w.at ? w.at->phase : "?",
					  bad);
		}
	}
}

/* A check that accepts anything checks nothing. */
TEST(the_check_notices)
{
	struct family f;
	struct program host, init, start;
	const struct program *programs[3] = {&host, &init, &start};
	struct world w;

	make_plan(15, &f);
	start_program(&f, &start);
	for (size_t lost = 0;; lost++) {
		host_program(&f, &host);
		init_program(&f, &init);
		if (lost == host.len)
			break;
		memmove(&host.steps[lost], &host.steps[lost + 1],
			(host.len - lost - 1) * sizeof(host.steps[0]));
		host.len--;
		CHECK(run_world(programs, 0, &w));
	}
	host_program(&f, &host);
	init_program(&f, &init);
	host.steps[0].kind = MSG_FILTER;
	CHECK(run_world(programs, 0, &w));
	start.len = 0;
	host_program(&f, &host);
	CHECK(run_world(programs, 0, &w));
}

TEST(a_plain_root_container_takes_two_messages)
{
	struct family f;
	struct program host;

	make_plan(0, &f);
	host_program(&f, &host);
	CHECK_INT(host.len, 3);
	CHECK_INT(host.steps[0].verb, SEND);
	CHECK_INT(host.steps[0].kind, MSG_SETTLED);
	CHECK_INT(host.steps[1].verb, EXPECT);
	CHECK_INT(host.steps[1].kind, MSG_READY);
	CHECK_INT(host.steps[2].verb, EXPECT_END);
	make_plan(8, &f);
	host_program(&f, &host);
	CHECK_INT(host.len, 2);
	CHECK_INT(host.steps[0].kind, MSG_READY);
	CHECK_INT(host.steps[1].verb, SEND);
	CHECK_INT(host.steps[1].kind, MSG_SETTLED);
}

/* The full ladder, as ladder.h draws it. */
TEST(the_whole_ladder)
{
	static const struct {
		enum verb verb;
		enum message_kind kind;
	} want[] = {{SEND, MSG_GO},	 {EXPECT, MSG_PAUSED},	 {SEND, MSG_RESUME},
		    {SEND, MSG_FILTER},	 {EXPECT, MSG_LISTENER}, {SEND, MSG_SETTLED},
		    {EXPECT, MSG_READY}, {EXPECT_END, MSG_NONE}};
	struct family f;
	struct program host;

	make_plan(7 | 128, &f);
	host_program(&f, &host);
	CHECK_INT(host.len, ARRAY_LEN(want));
	for (size_t i = 0; i < host.len; i++) {
		CHECK_INT(host.steps[i].verb, want[i].verb);
		CHECK_INT(host.steps[i].kind, want[i].kind);
	}
}

/* ---- the declarations are what the phases do ---- */

/* Says and hears the other half of SAYS over PEER before or after the phase has run. */
static void prepare_peer(struct channel *peer, const struct ladder_step *says)
{
	for (int i = 0; i < LADDER_STEPS; i++) {
		if (says[i].verb == LADDER_EXPECT &&
		    channel_send(peer, says[i].kind, FD_NONE, &err) < 0)
			TEST_FAIL("%s", err.text);
	}
}

static void check_peer(struct channel *peer, const struct ladder_step *says, const char *name)
{
	for (int i = 0; i < LADDER_STEPS; i++) {
		if (says[i].verb == LADDER_SEND &&
		    channel_expect(peer, says[i].kind, IN_MS(0), NULL, &err) < 0)
			TEST_FAIL("%s: %s", name, err.text);
	}
	if (channel_expect(peer, MSG_GO, IN_MS(0), NULL, &err) != -ETIMEDOUT)
		TEST_FAIL("%s says more than it declares", name);
}

static bool talks(const struct ladder_step *says)
{
	return says[0].verb != LADDER_NOTHING;
}

TEST(host_phases_do_what_they_declare)
{
	int n = 0;

	for (const struct host_phase *h = host_phases; h->name; h++) {
		struct libcrun_create_options opts = {0};
		struct channel peer;
		struct family f;

		if (!talks(h->says) || str_eq(h->name, "listener"))
			continue;
		make_plan(0, &f);
		f.launch.opts = &opts;
		f.launch.console_sock = f.launch.pidfd_sock = f.launch.master = FD_NONE;
		CHECK_INT(channel_pair(&f.launch.channel, &peer, &err), 0);
		prepare_peer(&peer, h->says);
		if (h->run(&f.launch, &err) < 0)
			TEST_FAIL("%s: %s", h->name, err.text);
		check_peer(&peer, h->says, h->name);
		CHECK_INT(test_failed, 0);
		/* What was meant for it is read: nothing is left. */
		CHECK_INT(recv(f.launch.channel.fd, &(char){0}, 1, MSG_DONTWAIT), -1);
		channel_close(&f.launch.channel);
		channel_close(&peer);
		n++;
	}
	CHECK_INT(n, 6);
}

TEST(init_phases_do_what_they_declare)
{
	int n = 0;

	for (const struct outside_phase *p = outside_phases; p->name; p++) {
		struct channel ours, peer;
		struct family f;

		if (!talks(p->says))
			continue;
		make_plan(0, &f);
		CHECK_INT(channel_pair(&peer, &ours, &err), 0);
		prepare_peer(&peer, p->says);
		CHECK_INT(p->run(&(struct outside){.plan = &f.plan, .channel = &ours}, &err), 0);
		check_peer(&peer, p->says, p->name);
		CHECK_INT(test_failed, 0);
		channel_close(&ours);
		channel_close(&peer);
		n++;
	}
	for (const struct last_phase *p = last_phases; p->name; p++) {
		struct channel ours, peer;
		struct family f;

		if (!talks(p->says) || str_eq(p->name, "gate") || str_eq(p->name, "listener"))
			continue;
		make_plan(0, &f);
		CHECK_INT(channel_pair(&peer, &ours, &err), 0);
		prepare_peer(&peer, p->says);
		CHECK_INT(p->run(&(struct last){.plan = &f.plan,
						.channel = &ours,
						.gate_fd = FD_NONE,
						.console_fd = FD_NONE},
				 &err),
			  0);
		check_peer(&peer, p->says, p->name);
		CHECK_INT(test_failed, 0);
		channel_close(&ours);
		channel_close(&peer);
		n++;
	}
	for (const struct inside_phase *p = inside_phases; p->name; p++)
		CHECK(!talks(p->says));
	CHECK_INT(n, 5);
}

/* What init sends goes on to the listener's socket; init's own half needs a filter (init/test_filtered.c). */
TEST(the_host_side_passes_the_listener_on)
{
	const struct host_phase *phase = host_phases;
	struct channel peer;
	struct family f;
	char text[512];
	int pair[2], null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	ssize_t n;

	while (phase->name && !str_eq(phase->name, "listener"))
		phase++;
	CHECK(phase->name);
	make_plan(4 | 128, &f);
	f.plan.seccomp.metadata = "m";
	f.launch.pid = 7;
	CHECK_INT(channel_pair(&f.launch.channel, &peer, &err), 0);
	CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	f.launch.listener_sock = pair[0];
	CHECK_INT(channel_send(&peer, MSG_LISTENER, null, &err), 0);
	CHECK_INT(phase->run(&f.launch, &err), 0);
	CHECK_INT(f.launch.listener_sock, FD_NONE);
	n = read(pair[1], text, sizeof(text) - 1);
	CHECK(n > 0);
	text[n] = '\0';
	CHECK(strstr(text, "\"fds\":[\"seccompFd\"],\"pid\":7,\"metadata\":\"m\",\"state\":{"));
	CHECK(strstr(text, "\"status\":\"creating\""));
	/* One message, and the connection is over. */
	CHECK_INT(read(pair[1], text, sizeof(text)), 0);
	close(pair[1]);
	close(null);
	channel_close(&f.launch.channel);
	channel_close(&peer);
}

/* The gate leaves the channel, hears START on a connection of its own, and keeps that for what may still fail. */
TEST(the_gate_does_what_it_declares)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	struct channel ours, host, start = {.peer = "the init process"};
	struct last last = {.channel = &ours, .console_fd = FD_NONE};
	const struct last_phase *gate = last_phases;
	int listening;

	while (gate->name && !str_eq(gate->name, "gate"))
		gate++;
	CHECK(gate->name);
	CHECK_INT(channel_pair(&host, &ours, &err), 0);
	listening = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	/* An abstract address of the kernel's choice. */
	CHECK_INT(bind(listening, (struct sockaddr *)&name, sizeof(sa_family_t)), 0);
	CHECK_INT(listen(listening, 1), 0);
	CHECK_INT(getsockname(listening, (struct sockaddr *)&name, &(socklen_t){sizeof(name)}), 0);
	start.fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	CHECK_INT(connect(start.fd, (struct sockaddr *)&name, sizeof(sa_family_t) + 6), 0);
	last.gate_fd = listening;
	prepare_peer(&start, gate->says);
	CHECK_INT(gate->run(&last, &err), 0);
	CHECK_INT(last.gate_fd, FD_NONE);
	CHECK_INT(channel_expect_eof(&host, NULL, &err), 0);
	err_set(&err, KIND_SYSTEM, ENOEXEC, "exec failed");
	CHECK_INT(channel_send_error(last.channel, &err), 0);
	CHECK_INT(channel_expect_eof(&start, NULL, &err), -ENOEXEC);
	channel_close(&host);
	channel_close(&start);
	channel_close(&ours);
}

TEST_MAIN()
