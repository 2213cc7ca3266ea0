// SPDX-License-Identifier: Apache-2.0
// Reading documents from file descriptors: files, pipes, large and impossible ones.

#include <libocispec/oci.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

static const char good[] = "{\"ociVersion\":\"1.0.0\",\"hostname\":\"h\"}";

static int memfd(const char *text, off_t size)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0 || (size && ftruncate(fd, size) < 0) ||
	    lseek(fd, 0, SEEK_SET) < 0) {
		perror("memfd");
		exit(1);
	}
	return fd;
}

static int parse(int fd, struct oci_text *text, struct oci_parse_error *err, bool *ret_h)
{
	struct oci_arena arena = {0};
	struct oci_config *config = NULL;
	static char copy[256];
	int r = oci_config_parse_fd(fd, NULL, &arena, text, &config, err);

	*ret_h = r == 0 && strcmp(config->hostname, "h") == 0;
	if (text && text->data) {
		snprintf(copy, sizeof(copy), "%s", text->data);
		text->data = copy;
	}
	oci_arena_free(&arena);
	return r;
}

static void test_files(void)
{
	struct oci_text text = {0};
	struct oci_parse_error err;
	bool h;
	int fd;

	fd = memfd(good, 0);
	check(parse(fd, &text, &err, &h) == 0 && h, "file");
	check(text.len == sizeof(good) - 1, "length of the text");
	check_text(text.data, good, "text");
	lseek(fd, 0, SEEK_SET);
	check(parse(fd, NULL, &err, &h) == 0 && h, "nobody wants the text");
	close(fd);

	text = (struct oci_text){0};
	fd = memfd("{\"ociVersion\":3}", 0);
	check(parse(fd, &text, &err, &h) == -EINVAL, "bad file");
	check_text(text.data, "{\"ociVersion\":3}", "its text all the same");
	check_text(err.text, "config.json:1:15: /ociVersion: expected a string, found a number (3)",
		   "error");
	close(fd);

	fd = memfd("", 0);
	check(parse(fd, NULL, &err, &h) == -EINVAL, "empty file");
	check_text(err.text, "config.json: the document is empty", "error");
	close(fd);
}

static void test_large(void)
{
	struct oci_parse_error err;
	bool h;
	int fd;

	fd = memfd(good, 100 << 20);
	check(parse(fd, NULL, &err, &h) == -EFBIG, "100 MiB");
	check_text(err.text, "config.json: the document is larger than 16 MiB", "error");
	close(fd);
	fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	check(parse(fd, NULL, &err, &h) == -EFBIG, "endless");
	check_text(err.text, "config.json: the document is larger than 16 MiB", "error");
	close(fd);
}

static void test_unreadable(void)
{
	struct oci_parse_error err;
	bool h;
	int fd;

	fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	check(parse(fd, NULL, &err, &h) == -EISDIR, "directory");
	check_text(err.text, "config.json: cannot read: Is a directory", "error");
	close(fd);
	check(parse(-1, NULL, &err, &h) == -EBADF && err.errnum == EBADF, "no descriptor");
}

/* A pipe has no size and gives what it has in pieces. */
static void test_pipe(void)
{
	struct oci_parse_error err;
	char spaces[1000];
	int fds[2], i;
	pid_t pid;
	bool h;

	memset(spaces, ' ', sizeof(spaces));
	if (pipe2(fds, O_CLOEXEC) < 0)
		return;
	pid = fork();
	if (pid == 0) {
		for (i = 0; i < 300; i++)
			if (write(fds[1], spaces, sizeof(spaces)) < 0)
				_exit(1);
		if (write(fds[1], good, 10) < 0 || write(fds[1], good + 10, strlen(good) - 10) < 0)
			_exit(1);
		_exit(0);
	}
	close(fds[1]);
	check(parse(fds[0], NULL, &err, &h) == 0 && h, "pipe of 300 kB");
	close(fds[0]);
	waitpid(pid, NULL, 0);
}

static void append(void *data, const char *pointer)
{
	char *all = data;
	size_t len = strlen(all);

	snprintf(all + len, 512 - len, "%s ", pointer);
}

/* Members that the type does not have, whole, wherever they are. */
static void test_unknown(void)
{
	static const char text[] =
		"{\"memory\": {\"limit\": 1, \"lmit\": {\"x\": 2}}, \"frobs\": [{\"y\": 1}],"
		" \"devices\": [{\"allow\": true}, {\"allow\": true, \"a/b\": 0}],"
		" \"unified\": {\"any.thing\": \"1\"}, \"cpu\": {\"idle\": 0}}";
	char all[512] = "";

	check(oci_each_unknown(&oci_linux_resources_type, text, sizeof(text) - 1, append, all) == 0,
	      "unknown members");
	check_text(all, "/memory/lmit /frobs /devices/1/a~1b ", "pointers");
	all[0] = '\0';
	check(oci_each_unknown(&oci_linux_resources_type, "{", 1, append, all) == -EINVAL,
	      "no document");
}

int main(void)
{
	test_unknown();
	test_files();
	test_large();
	test_unreadable();
	test_pipe();
	return test_end();
}
