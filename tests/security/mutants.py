#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Put known bugs back into this tree's runtime, one at a time, and see that the corpus notices.

A mutant is a table row: what bug, the cases that must notice it (a regular expression), and edits of
the sources, each a text that occurs exactly once and its replacement.  The machine needs what a build
needs; a mutant runs in the canary host like any runtime.  --check only looks whether the edits fit.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
BASE = "src/libcrun/"

MUTANTS = {
    "links-of-dev-by-path": {
        "bug": "CVE-2026-41579: /dev of the image is followed when its links are made",
        "cases": r"shapes\.image_dev \[|races\.dev_of",
        "edits": [("init/outside/symlinks.c",
                   'dir = inroot_make(o->root_fd, "/dev", S_IFDIR | 0755, 0, NULL, err);',
                   'dir = sys_openat(o->root_fd, "dev", O_PATH | O_DIRECTORY, 0);')]},
    "nodes-of-dev-by-path": {
        "bug": "CVE-2026-47766: the same for the default devices",
        "cases": r"shapes\.image_dev \[|races\.dev_of",
        "edits": [("init/outside/devices.c",
                   """	if (place->fd < 0)
		return place->fd;
""", """	if (str_after(d->path, "/dev/"))
		place->fd = sys_openat(o->root_fd, "dev", O_PATH | O_DIRECTORY, 0);
	if (place->fd < 0)
		return err_sys(err, place->fd, "open /dev");
""")]},
    "console-made-by-path": {
        "bug": "CVE-2026-88264: /dev/console is created through a link, before the root changes",
        "cases": r"shapes\.image_dev_console|races\.console",
        "edits": [("init/outside/symlinks.c", "	return has_kcore(o) ?",
                   """	if (o->plan->process.spec->terminal) {
		_cleanup_close_ int c = openat(dir, "console", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	}
	return has_kcore(o) ?""")]},
    "mask-source-of-the-image": {
        "bug": "CVE-2025-31133, CVE-2025-62161: the image's /dev/null covers masked files",
        "cases": r"audit\.masked|races\.null|shapes\.image_dev_null",
        "edits": [("init/outside/masks.c", "	o->null_fd = outside_open_null(err);",
                   """	o->null_fd = openat(o->root_fd, "dev/null", O_PATH | O_CLOEXEC);
	if (o->null_fd < 0)
		o->null_fd = outside_open_null(err);"""),
                  ("init/outside/masks.c", '#include "sys/mount.h"',
                   '#include "sys/mount.h"\n#include <fcntl.h>'),
                  # Before that, what the image has for a default device is refused.
                  ("init/outside/devices.c", """	if (!is_device(d, st))
		return err_set(err, KIND_SPEC, EEXIST,""", """	if (st->st_nlink == 0)
		return err_set(err, KIND_SPEC, EEXIST,""")]},
    "cwd-unchecked": {
        "bug": "CVE-2024-21626: the working directory may be a descriptor of the host",
        "cases": r"fds\..*cwd",
        "edits": [("init/inside/cwd.c", "fd = inroot_open(in->root_fd, cwd, O_PATH | O_DIRECTORY);",
                   "fd = sys_openat(AT_FDCWD, cwd, O_PATH | O_DIRECTORY, 0);"),
                  ("init/inside/cwd.c", "if (r < 0 || now[0] != '/')",
                   "if (r < 0 && now[0] == 1)"),
                  ("init/fds.c", "	return close_fds(first, UINT_MAX);", "	return 0;"),
                  ("init/fds.c", "			r = close_fds(first, fd - 1);",
                   "			r = 0;")]},
    "descriptors-left-open": {
        "bug": "CVE-2024-21626, CVE-2016-9962: what the caller leaked is passed on",
        "cases": r"fds\.(inherited|preserved|program)",
        "edits": [("init/fds.c", "	return close_fds(first, UINT_MAX);", "	return 0;"),
                  ("init/fds.c", "			r = close_fds(first, fd - 1);",
                   "			r = 0;")]},
    "self-audit-blind-to-path-descriptors": {
        "bug": "CVE-2024-21626: what was passed on is not seen by --self-audit, either",
        "cases": r"fds\.path_descriptors",
        "edits": [("init/fds.c", "	if (list->error)\n		return list->error;\n	if (list->len)",
                   "	fds_close_own(list, first, 21);\n	first = first < 21 ? 21 : first;\n"
                   "	if (list->len)"),
                  ("init/last/audit.c", "	for (; fd < FDS_ASKED; fd++) {",
                   "	for (; fd < 3; fd++) {")]},
    "open-to-ptrace": {
        "bug": "CVE-2016-9962: a joining process can be inspected from inside",
        "cases": r"inside\.(spy|trace)",
        "edits": [("spawn/spawn.c", "	r = sys_prctl(PR_SET_DUMPABLE, 0, 0);",
                   "	r = sys_prctl(PR_SET_DUMPABLE, 1, 0);"),
                  ("spawn/helper.c", "(void)sys_prctl(PR_SET_DUMPABLE, 0, 0);", ";"),
                  ("init/outside/identity.c", "	r = sys_prctl(PR_SET_DUMPABLE, 0, 0);",
                   "	r = sys_prctl(PR_SET_DUMPABLE, 1, 0);"),
                  ("init/inside/credentials.c", "	r = sys_prctl(PR_SET_DUMPABLE, 0, 0);",
                   "	r = sys_prctl(PR_SET_DUMPABLE, 1, 0);")]},
    "binary-not-shielded": {
        "bug": "CVE-2019-5736: the runtime's program can be opened for writing from inside",
        "cases": r"inside\.(spy.*every_right|program_that|writes)",
        "edits": [("sys/exe_shield.c", "bool exe_is_shielded(void)\n{\n",
                   "bool exe_is_shielded(void)\n{\n	if (1)\n		return true;\n"),
                  ("sys/exe_shield.c", "int exe_shield_apply(int fd, struct crun_error *err)\n{\n",
                   "int exe_shield_apply(int fd, struct crun_error *err)\n{\n"
                   "	if (fd >= 0)\n		return 0;\n")]},
    "user-parsed-as-root": {
        "bug": "CVE-2026-30892: exec --user UID becomes 0",
        "cases": r"identity\.exec_user",
        "edits": [("plan/exec.c", "	*ret_uid = (uint32_t)uid;",
                   "	*ret_uid = has_gid ? (uint32_t)uid : 0;")]},
    "number-looked-up-as-a-name": {
        "bug": "CVE-2016-3697: the image's passwd decides what a number means",
        "cases": r"identity\.(user_whose|exec_user)",
        "edits": [("init/inside/credentials.c", "static int set_ids(",
                   """#include <pwd.h>
#include <stdio.h>
static uid_t by_name(uid_t uid)
{
	char name[16], line[512];
	FILE *file = fopen("/etc/passwd", "re");
	unsigned found;

	snprintf(name, sizeof(name), "%u:x:", uid);
	while (file && fgets(line, sizeof(line), file)) {
		if (strncmp(line, name, strlen(name)) == 0 &&
		    sscanf(line + strlen(name), "%u", &found) == 1)
			uid = found;
	}
	if (file)
		fclose(file);
	return uid;
}

static int set_ids("""),
                  ("init/inside/credentials.c", "r = sys_setresuid(p->uid);",
                   "r = sys_setresuid(by_name(p->uid));"),
                  ("init/inside/credentials.c", "#include <errno.h>",
                   "#include <errno.h>\n#include <string.h>")]},
    "inheritable-capabilities": {
        "bug": "CVE-2022-29162, CVE-2022-27650: the inheritable set is that of the permitted one",
        "cases": r"identity\.capab|audit\.final",
        "edits": [("init/inside/credentials.c", ".inheritable = want->inheritable,",
                   ".inheritable = want->permitted,")]},
    "bounding-set-kept": {
        "bug": "capabilities that were not asked for stay in reach of set-uid programs",
        "cases": r"identity\.capab|audit\.final",
        "edits": [("init/inside/credentials.c",
                   "uint64_t keep = plan->process.has_caps ? plan->process.caps.bounding : 0;",
                   "uint64_t keep = UINT64_MAX;")]},
    "groups-of-the-caller-kept": {
        "bug": "CVE-2022-36109: supplementary groups stay",
        "cases": r"identity\.supplementary",
        "edits": [("init/inside/credentials.c", "r = sys_setgroups(p->groups_len, p->groups);",
                   "r = 0;")]},
    "anything-over-proc": {
        "bug": "CVE-2019-16884: a volume or a tmpfs may cover /proc",
        "cases": r"lsm\.mounts_over_proc",
        "edits": [("init/outside/mounts.c", "	in_proc = sys_fstatfs(t->fd, &fs) == 0",
                   "	if (t->fd >= 0)\n		return 0;\n	in_proc = sys_fstatfs(t->fd, &fs) == 0")]},
    "stdio-chowned-whatever-it-is": {
        "bug": "CVE-2026-88265: the owner of standard input is changed, a device of the host's",
        "cases": r"fds\.standard_input",
        "edits": [("init/inside/stdio.c",
                   "(!S_ISFIFO(st.st_mode) && !S_ISSOCK(st.st_mode)) || st.st_uid == uid)",
                   "st.st_uid == uid)")]},
    "sysctl-of-the-host": {
        # Only this one, of which the case sets what it is already.
        "bug": "CVE-2022-0811: a sysctl that no namespace has is written",
        "cases": r"identity\.sysctls",
        "edits": [("plan/check.c", "	if (!rule)\n		return err_set(",
                   "	if (str_eq(dotted, \"vm.swappiness\"))\n		return 0;\n"
                   "	if (!rule)\n		return err_set(")]},
    "sysctl-of-a-shared-namespace": {
        "bug": "a namespaced sysctl is written where the namespace is the host's",
        "cases": r"identity\.sysctls",
        "edits": [("plan/check.c", "	if (plan->ns[rule->ns].action == NS_SHARE)",
                   "	if (plan->ns[rule->ns].action == NS_SHARE && !*pair->value)")]},
    "cgroup-keys-are-paths": {
        "bug": "GHSA-5g49-rx9x-qfc6: keys of `unified` and sizes of huge pages lead out of the cgroup",
        "cases": r"identity\.cgroup_keys",
        "edits": [("spec/check_resources.c",
                   "		if (!str_is_filename(key) || !is_word(key) || !strchr(key, '.'))",
                   "		if (!*key)"),
                  ("spec/check_resources.c", "	if (digits > 0 && digits < 20 && size[0] != '0'",
                   "	if (size && strchr(size, '/'))\n		return 0;\n"
                   "	if (digits > 0 && digits < 20 && size[0] != '0'")]},
    "stopped-exec-is-waited-for": {
        "bug": "a container that sends SIGSTOP to what joins it makes exec hang",
        "cases": r"inside\.exec_is_stopped",
        "edits": [("host/launch_wait.c", "(void)sys_pidfd_send_signal(l->pidfd, SIGCONT);",
                   "continue;")]},
    "hooks-without-a-umask": {
        "bug": "what a createContainer hook makes on the host is everybody's to write",
        "cases": r"audit\.hooks",
        "edits": [("init/outside/hooks.c", "	umask(o->callers_umask);", "	umask(0);")]},
    "ids-are-paths": {
        "bug": "a container id with slashes and dots leads out of the state directory",
        "cases": r"identity\.container_ids",
        "edits": [("state/store.c", "	return len > 0 && len <= ID_MAX && id[0] != '.'",
                   "	if (len)\n		return true;\n"
                   "	return len > 0 && len <= ID_MAX && id[0] != '.'")]},
    "keyring-of-the-caller": {
        "bug": "the container has the session keyring of whoever started it",
        "cases": r"audit\.keys",
        "edits": [("init/outside/keyring.c", "int32_t r = sys_keyring_join(NULL);",
                   "int32_t r = 0;")]},
    "root-stays-writable": {
        "bug": "a requested read-only flag is silently not in force",
        "cases": r"audit\.final",
        "edits": [("init/inside/seal.c", "return plan->root_readonly ? seal_root(in, err) : 0;",
                   "(void)seal_root;\n	return 0;")]},
    "hooks-with-the-payloads-environment": {
        "bug": "CVE-2025-23266: what an image sets reaches a program that runs with the host's rights",
        "cases": r"audit\.hooks|inside\.image_with_traps",
        "edits": [("hooks/run.c", "on_host ? (const char *const *)environ : nothing;",
                   "on_host ? (const char *const *)environ : (const char *const *)environ;"),
                  ("init/outside/hooks.c", "	init_hook_state(o->plan, o->host_pid,",
                   "	environ = (char **)o->plan->process.envp;\n"
                   "	init_hook_state(o->plan, o->host_pid,"),
                  ("init/outside/hooks.c", '#include "sync/ladder.h"',
                   '#include "sync/ladder.h"\n#include <unistd.h>')]},
}


def listed():
    """The sources, without build products."""
    told = subprocess.run(["git", "-C", TOP, "ls-files", "-z", "-co", "--exclude-standard"],
                          capture_output=True, check=False)
    if told.returncode:
        return None
    return [name for name in told.stdout.decode().split("\0") if name]


def copy_sources(target):
    names = listed()
    if names is None:
        shutil.copytree(TOP, target, symlinks=True)
        return
    for name in names:
        if os.path.isfile(os.path.join(TOP, name)):
            os.makedirs(os.path.dirname(os.path.join(target, name)), exist_ok=True)
            shutil.copy2(os.path.join(TOP, name), os.path.join(target, name))


def read(path):
    with open(path, encoding="utf-8") as source:
        return source.read()


def misfits(top):
    """Edits whose text is not in its file exactly once."""
    bad = []
    for name, mutant in MUTANTS.items():
        for path, old, _new in mutant["edits"]:
            count = read(os.path.join(top, BASE + path)).count(old)
            if count != 1:
                bad.append(f"mutant {name}: {path} has its text {count} times: {old.strip()[:60]!r}")
    return bad


class Builder:
    def __init__(self, root):
        self.source, self.build = os.path.join(root, "source"), os.path.join(root, "build")
        self.log = os.path.join(root, "log")
        copy_sources(self.source)
        os.mkdir(self.build)
        self.call(["./autogen.sh"], self.source)
        self.call([os.path.join(self.source, "configure"), "CFLAGS=-O1"], self.build)

    def call(self, argv, cwd):
        with open(self.log, "ab") as out:
            done = subprocess.run(argv, cwd=cwd, stdout=out, stderr=subprocess.STDOUT, check=False,
                                  stdin=subprocess.DEVNULL)
        if done.returncode:
            raise SystemExit(f"mutants.py: {argv} failed:\n" + "\n".join(
                read(self.log).splitlines()[-30:]))

    def make(self, edits):
        """The runtime with these edits; the sources are as before, afterwards."""
        saved = {}
        for path, old, new in edits:
            full = os.path.join(self.source, BASE + path)
            text = read(full)
            saved.setdefault(full, text)
            with open(full, "w", encoding="utf-8") as out:
                out.write(text.replace(old, new))
        try:
            self.call(["make", f"-j{os.cpu_count() or 1}", "crun"], self.build)
        finally:
            for full, text in saved.items():
                with open(full, "w", encoding="utf-8") as out:
                    out.write(text)
        return os.path.join(self.build, "crun")


def attack(program, cases, jobs, report):
    """Run the cases; the names of those that noticed, and how many there were."""
    subprocess.run([sys.executable, "-B", os.path.join(HERE, "run.py"), "--runtime", program, "-k",
                    cases, "-j", str(jobs), "--json", report], stdout=subprocess.DEVNULL,
                   check=False)
    with open(report, encoding="utf-8") as source:
        results = json.load(source)["cases"]
    os.unlink(report)
    return [r["case"] for r in results if r["verdict"] == "FAIL"], len(results)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="MUTANT", help="only these")
    parser.add_argument("-j", metavar="N", type=int, default=2, help="cases at a time")
    parser.add_argument("--check", action="store_true", help="only look whether the edits fit")
    parser.add_argument("--list", action="store_true", help="print the mutants")
    options = parser.parse_args()
    if options.list:
        print("\n".join(f"{name}: {m['bug']}" for name, m in MUTANTS.items()))
        return 0
    bad = misfits(TOP)
    if bad or options.check:
        print("\n".join(bad) if bad else f"the edits of {len(MUTANTS)} mutants fit")
        return 1 if bad else 0
    unknown = [name for name in options.names if name not in MUTANTS]
    if unknown:
        parser.error(f"there is no mutant {unknown[0]}")
    root = tempfile.mkdtemp(prefix="oci-corpus-mutants-")
    survivors = 0
    try:
        builder = Builder(root)
        for name in options.names or MUTANTS:
            mutant = MUTANTS[name]
            noticed, count = attack(builder.make(mutant["edits"]), mutant["cases"], options.j,
                                    os.path.join(root, "report"))
            survivors += not noticed
            word = "killed" if noticed else "SURVIVED"
            print(f"{word} {name} ({mutant['bug']}): {len(noticed)} of {count} cases noticed: "
                  + ", ".join(noticed), flush=True)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    print(f"{len(options.names or MUTANTS) - survivors} killed, {survivors} survived")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
