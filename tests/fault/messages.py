# SPDX-License-Identifier: Apache-2.0
"""What a message must say after a fault: what it was about, and why that failed."""

import errno
import os
import re

import faults

LINE = re.compile(r"^crun: (.+)$", re.MULTILINE)
# A quoted name, a path or the JSON pointer of a field; a system call; or one of these things, of which there is one.
NAME = re.compile(r"`[^`]+`|(^|[ (])/\S|\bprocess \d")
THINGS = re.compile(
    r"\b(the init process|the runtime|the old root|our own code|our own binary|init's progress|the seccomp program|"
    r"the terminal|session keyring|loopback interface|namespaces?|the new mount namespace|the options|"
    r"the empty directory|the working directory|systemd|the configuration|the list|the state|the container's root|list of processes|"
    r"the start gate|the log|device rules|set [A-Z_]+|the device filter|the helper|sysctls?|hooks?|the record|"
    r"newuidmap|newgidmap|network devices|the payload|capability \d+|securebits|no_new_privs|dumpable|the scope|the update)\b")
# Where more can be said than the errno does: the end of a process, the usual reason, a state of the container; or what was then done without an
# answer: a binary that might be the container's to write is protected, which an ordinary user cannot.
BETTER = re.compile(
    r"read from the (init process|runtime): |newuidmap|newgidmap|no more namespaces: |"
    r"its init process does not wait for a start|it is being started already|is mounted read-only: |"
    r"it closed the connection|no more user namespaces: |"
    r"out of memory|self-audit: |can be seen|leaves no room for|was killed by signal|hook \d+ `\S+` failed|is damaged: |container does not exist: |"
    r"cannot start container|cannot create shared object descriptor|make /proc/self/exe a file in memory: |the helper that joins namespaces for it was killed")
# The end of a process of ours that could still have said why.
CRASH = re.compile(r"it ended without a word|it was killed by signal|for it was killed")
SPEAKING = ("sendmsg", "sendto", "write", "recvmsg", "recvfrom", "read")


def words_of(action):
    """What the runtime may call this errno: strerror(3), in either case."""
    return os.strerror(getattr(errno, action)).lower()


def missing(fault, text):
    """What the first message of TEXT lacks, or None."""
    line = LINE.search(text)
    if not line:
        return "no message"
    message = line.group(1)
    if ": " not in message and not BETTER.search(message):
        return "a message without a reason"
    words = set(re.findall(r"[a-z_0-9]+", message))
    if not NAME.search(message) and not THINGS.search(message) and not words & CALLS:
        return "a message without what it is about"
    if fault.action != "kill" and fault.call not in SPEAKING and CRASH.search(message):
        return "a crash"
    if fault.action == "kill" and fault.process == "init" and \
            "from the init process" in message and "phase `" not in message:
        return "a message without the phase in which init ended"
    if not fault.action.isupper() or fault.process.startswith("child"):
        return None
    if words_of(fault.action) not in message.lower() and not BETTER.search(message):
        return f"a message without the reason ({fault.action})"
    return None


CALLS = set(faults.system_calls().values())
