// SPDX-License-Identifier: Apache-2.0
// Runs a fuzz target over files and directories, so that a corpus is a test with any compiler; with "-" over standard input, as AFL++ wants it.

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STDIN_MAX (1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned replayed;

static int replay_file(const char *path, size_t size)
{
	FILE *stream = fopen(path, "rbe");
	uint8_t *data = malloc(size + 1);
	size_t n;

	if (!stream || !data) {
		perror(path);
		if (stream)
			fclose(stream);
		free(data);
		return -1;
	}
	n = fread(data, 1, size, stream);
	fclose(stream);
	/* Printed first: a crash then has a name. */
	printf("%s\n", path);
	fflush(stdout);
	LLVMFuzzerTestOneInput(data, n);
	free(data);
	replayed++;
	return 0;
}

static int replay(const char *path)
{
	struct dirent *entry;
	char inner[4096];
	struct stat st;
	int r = 0;
	DIR *dir;

	if (stat(path, &st) < 0) {
		perror(path);
		return -1;
	}
	if (!S_ISDIR(st.st_mode))
		return replay_file(path, (size_t)st.st_size);
	dir = opendir(path);
	if (!dir) {
		perror(path);
		return -1;
	}
	while (r == 0 && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name);
		r = replay(inner);
	}
	closedir(dir);
	return r;
}

#ifdef __AFL_FUZZ_TESTCASE_LEN
/* afl-clang-fast: inputs come in shared memory, many to one process. */
__AFL_FUZZ_INIT();

static int replay_stdin(void)
{
	const uint8_t *data;

	__AFL_INIT();
	data = __AFL_FUZZ_TESTCASE_BUF;
	while (__AFL_LOOP(10000)) {
		LLVMFuzzerTestOneInput(data, (size_t)__AFL_FUZZ_TESTCASE_LEN);
		replayed++;
	}
	return 0;
}
#else
static int replay_stdin(void)
{
	uint8_t *data = malloc(STDIN_MAX);
	ssize_t n = 0;
	size_t len = 0;

	while (data && len < STDIN_MAX && (n = read(STDIN_FILENO, data + len, STDIN_MAX - len)) > 0)
		len += (size_t)n;
	if (!data || n < 0) {
		perror("standard input");
		free(data);
		return -1;
	}
	LLVMFuzzerTestOneInput(data, len);
	free(data);
	replayed++;
	return 0;
}
#endif

int main(int argc, char **argv)
{
	const char *top = getenv("top_srcdir");
	char corpus[4096];
	int i;

	for (i = 1; i < argc; i++)
		if ((strcmp(argv[i], "-") == 0 ? replay_stdin() : replay(argv[i])) < 0)
			return 1;
	if (argc == 1) {
		snprintf(corpus, sizeof(corpus), "%s/tests/fuzz/corpus/%s", top ? top : ".",
			 CORPUS);
		if (replay(corpus) < 0)
			return 1;
	}
	printf("%u inputs\n", replayed);
	return replayed ? 0 : 1;
}
