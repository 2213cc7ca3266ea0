#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Gate: functions that have hurt somebody.  Every row of the tables names the bug that taught it.

Only calls count: `ops->open(...)` and `sys_mount(...)` are other names.  There is no list of
exceptions; where a folder may do what others may not, the row says so and why.
"""

import re

import checklib

LIB = "src/libcrun/"
OURS = ("src/", "libocispec/")
ALL = OURS + ("tests/", "bench/")

# (folders, names, reason)
CALLS = (
    (ALL, "strcpy strcat stpcpy sprintf vsprintf gets",
     "writes without a bound (CVE-2021-3156: heap overflow in sudo by unbounded copying); "
     "use base/buf.h or snprintf"),
    (ALL, "strncpy strncat",
     "leaves the text unterminated or pads it (CWE-170); use snprintf or base/str.h"),
    (ALL, "strtok",
     "keeps its state in a hidden global, so a nested use corrupts the outer one; use strsep or "
     "strcspn"),
    (ALL, "atoi atol atoll atof",
     "cannot report an error: uid \"x\" becomes root, one above INT_MAX becomes anything (polkit "
     "obeyed such uids: CVE-2018-19788); use strtoull with checks or base/str.h"),
    (ALL, "sscanf",
     "overflowing numbers are undefined behaviour and trailing text is silently accepted; parse "
     "with strtoull and check the end"),
    (ALL, "system popen",
     "hands a string to a shell with our privileges and environment (CVE-2014-6271, Shellshock); "
     "use execve with an argument array"),
    (ALL, "tmpnam tempnam mktemp tmpnam_r",
     "the name can be taken by somebody else before it is opened (CWE-377); use mkostemp or "
     "O_TMPFILE"),
    (ALL, "realpath canonicalize_file_name",
     "its answer is stale before it is used: the swap of a directory for a link in between is "
     "CVE-2021-30465 and CVE-2019-18837; keep a file descriptor"),
    (ALL, "alloca",
     "an attacker's length moves the stack pointer past the guard page (CVE-2021-33910, systemd "
     "crashed by a long mount path); use the arena"),
    (ALL, "signal",
     "whether the handler stays and system calls restart depends on the libc; use sigaction"),
    (ALL, "rand srand random srandom drand48",
     "predictable, so names made from it can be squatted (CVE-2008-0166 is what weak randomness "
     "costs); use getrandom"),
    (OURS, "getpwnam getpwuid getpwnam_r getpwuid_r getpwent getgrnam getgrgid getgrnam_r getgrgid_r "
     "getgrent getgrouplist initgroups getaddrinfo gethostbyname getservbyname",
     "loads NSS libraries, from the container's root if we are in it (CVE-2019-14271, code execution "
     "by docker cp); use the numbers of the configuration"),
    (OURS, "setlocale",
     "loads locale files and changes how numbers in JSON are printed (\"1,5\"); stay in the C "
     "locale"),
    (OURS, "sleep usleep nanosleep clock_nanosleep",
     "polling is both slow and a race (a reused pid gets the signal meant for another process); "
     "wait on a pidfd, socket or timerfd with a deadline"),
    (OURS, "pipe accept dup creat",
     "has no close-on-exec form, so a host descriptor reaches the container (CVE-2024-21626, "
     "/proc/self/fd/7 as cwd); use pipe2, accept4, fcntl(F_DUPFD_CLOEXEC), openat"),
    ((LIB,), "printf vprintf puts putchar perror psignal",
     "a library does not print: engines parse what is on these streams; use base/log.h or return "
     "the text"),
    ((LIB,), "exit abort quick_exit _Exit err errx verr verrx",
     "a library does not end its caller: undo must run, or cgroup, mounts and state stay behind; "
     "return -errno with an error value"),
    ((LIB + "host/",), "mount umount umount2 chroot chdir fchdir mknod",
     "changes what later paths mean for the whole process, and follows links below the rootfs "
     "(CVE-2021-30465); work on file descriptors"),
    ((LIB + "init/",), "mount umount umount2 mkdir rmdir mknod mkfifo symlink link unlink remove rename "
     "creat open fopen opendir stat lstat statfs statvfs access readlink truncate chmod chown lchown "
     "utimes utime setxattr lsetxattr getxattr lgetxattr chroot chdir",
     "resolves a string in a tree that the image controls (CVE-2019-16884, CVE-2021-30465, "
     "CVE-2024-45310, CVE-2025-31133); use fs/inroot.h, an *at call or a sys_ wrapper on a "
     "descriptor"),
)

# Words that are wrong even when they are not called: (folders, pattern, what, reason)
WORDS = (
    ((LIB,), r"(?:stdout|stderr)", "a standard stream",
     "a library does not print: engines parse what is on these streams; use base/log.h"),
    ((LIB + "init/",), r"AT_FDCWD", "AT_FDCWD",
     "turns an *at call back into a path call (CVE-2024-21626 was a surprising current directory); "
     "pass the descriptor of the directory"),
)

# Call -> what its arguments must contain, in our sources: what is not closed on exec is inherited
# by the container (CVE-2024-21626, CVE-2016-9962).
CLOEXEC = {
    "open": "O_CLOEXEC", "openat": "O_CLOEXEC", "pipe2": "O_CLOEXEC", "mkostemp": "O_CLOEXEC",
    "socket": "SOCK_CLOEXEC", "socketpair": "SOCK_CLOEXEC",
    "accept4": "SOCK_CLOEXEC", "memfd_create": "MFD_CLOEXEC", "eventfd": "EFD_CLOEXEC",
    "signalfd": "SFD_CLOEXEC", "timerfd_create": "TFD_CLOEXEC", "epoll_create1": "EPOLL_CLOEXEC",
    "inotify_init1": "IN_CLOEXEC", "recvmsg": "MSG_CMSG_CLOEXEC",
}

# _exit ends a forked child; only these rooms have one.
CHILDREN = tuple(LIB + room + "/" for room in ("init", "spawn", "hooks"))
# dlopen runs constructors of whatever file it finds; only these files look for a library, all of
# them before anything of the container is reachable (CVE-2019-14271).
LOADERS = re.compile(r"(?:^|/)(?:[^/]*dl[^/]*|seccomp_compile[^/]*)\.c$"
                     r"|^src/libcrun/(?:criu/|host/selinux)")

CALL = re.compile(r"(?<![\w.])(?<!->)([A-Za-z_]\w*)[ \t\n]*\(")
DEFINES = re.compile(r"#[ \t]*(?:define|undef)[ \t]+$")


def rules_for(path):
    table = {}
    for folders, names, reason in CALLS:
        if path.startswith(folders):
            for name in names.split():
                table.setdefault(name, reason)
    if path.startswith(LIB) and not path.startswith(CHILDREN):
        table["_exit"] = "only init/, spawn/ and hooks/ have a forked child to end; elsewhere undo " \
            "must run: return -errno"
    if path.startswith(ALL[:1]) and not LOADERS.search(path):
        for name in ("dlopen", "dlmopen"):
            table[name] = "runs code from whatever file it finds (CVE-2019-14271); only *dl*.c, " \
                "seccomp_compile.c, criu/ and host/selinux* load libraries"
    return table


def check_file(path, text):
    code = checklib.blank(text)
    table = rules_for(path)
    for match in CALL.finditer(code):
        name = match.group(1)
        start = match.start(1)
        if DEFINES.search(code, code.rfind("\n", 0, start) + 1, start):
            continue
        line = checklib.line_of(text, start)
        if name in table:
            yield path, line, "%s(): %s" % (name, table[name])
        elif path.startswith(OURS) and (name in CLOEXEC or name == "fopen"):
            inside = text[match.end():checklib.arguments(code, match.end() - 1)]
            if name == "fopen" and not re.search(r'"[^"]*e[^"]*"\s*$', inside):
                yield (path, line, "fopen(): add \"e\" to the mode, or the container inherits the "
                       "descriptor (CVE-2024-21626)")
            elif name in CLOEXEC and CLOEXEC[name] not in inside:
                yield (path, line, "%s(): add %s, or the container inherits the descriptor "
                       "(CVE-2024-21626, CVE-2016-9962)" % (name, CLOEXEC[name]))
    for folders, pattern, what, reason in WORDS:
        if path.startswith(folders):
            for match in re.finditer(r"(?<![\w.])(?<!->)%s\b" % pattern, code):
                yield path, checklib.line_of(text, match.start()), "%s: %s" % (what, reason)


def check(tree):
    for path in tree.under(ALL, (".c", ".h")):
        yield from check_file(path, tree.text(path))


if __name__ == "__main__":
    checklib.run("banned", check)
