// SPDX-License-Identifier: Apache-2.0
// Files without a name where memfd_create(2) is hidden.
#include "sys/anon.h"

#include "../test.h"
#include "../without.h"

#include <fcntl.h>
#include <sys/stat.h>

TEST(a_file_without_a_name_takes_the_place_of_a_memfd)
{
	char text[8] = "";
	struct stat st;
	int fd;

	without_call(SYS_memfd_create);
	CHECK_INT(sys_memfd_create("x", 0), -ENOSYS);
	fd = sys_anon_file("x");
	CHECK(fd >= 0);
	CHECK_INT(fstat(fd, &st), 0);
	CHECK_INT(st.st_nlink, 0);
	CHECK_INT(write(fd, "text", 4), 4);
	CHECK_INT(pread(fd, text, sizeof(text) - 1, 0), 4);
	CHECK_STR(text, "text");
	CHECK_INT(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
}

TEST_MAIN()
