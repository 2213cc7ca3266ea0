#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The completions, each by the shell that they are for: what is offered behind a beginning.

bash runs the function that `complete` has registered, fish lists the candidates itself, zsh is
typed to on a terminal. A shell that is not installed, or whose completion is not built, is skipped.
The crun of the completion is a script that has two containers, and notes how it was called.
Prints TAP. usage: check_completions.py
"""

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time

TOP = os.environ.get("top_builddir", ".")
FILES = {"bash": "completions/bash/crun", "zsh": "completions/zsh/_crun",
         "fish": "completions/fish/crun.fish"}
FAKE = """#!/bin/sh
echo "$*" >>"$0.calls"
case "$*" in *"list -q"*) printf 'web-1\\nworker-2\\n' ;; esac
"""
COMMANDS = {"create", "start", "run", "state", "kill", "delete", "pause", "resume", "update", "list"}
# Words before the cursor, what must be among the candidates, what must not.
CASES = [
    ([""], COMMANDS, {"--root", "web-1"}),
    (["ki"], {"kill"}, {"create"}),
    (["--cgroup-m"], {"--cgroup-manager"}, {"create"}),
    (["--cgroup-manager", ""], {"cgroupfs", "systemd", "disabled"}, {"kill"}),
    (["--root", "/s", "--debug", "pau"], {"pause"}, {"kill"}),
    (["create", "--p"], {"--pid-file", "--preserve-fds"}, {"--keep", "--root"}),
    (["run", "--ke"], {"--keep"}, set()),
    (["kill", ""], {"web-1", "worker-2"}, {"create"}),
    (["kill", "--all", "wo"], {"worker-2"}, {"web-1"}),
    (["kill", "web-1", "KI"], {"KILL"}, {"web-1"}),
    (["list", "--format", ""], {"table", "json"}, {"kill"}),
    (["list", "-f", "j"], {"json"}, {"table"}),
    (["create", ""], set(), {"web-1", "kill", "create"}),
    (["update", "--memory", ""], set(), {"web-1", "kill"}),
    (["create", "--bundle", "fol"], {"folder"}, {"folly"}),
    (["create", "--config", "fol"], {"folder", "folly"}, set()),
    (["update", "--cpu-idle", "1", "we"], {"web-1"}, {"worker-2"}),
    # behind the first argument nothing is an option
    (["delete", "web-1", "--f"], set(), {"--force"}),
]
ROOTED = ["--root", "/some where", "state", "we"]


class Skip(Exception):
    pass


class Shell:
    def __init__(self, name, here):
        self.name, self.here = name, here
        self.file = os.path.abspath(os.path.join(TOP, FILES[name]))
        if not shutil.which(name):
            raise Skip("%s is not installed" % name)
        if not os.path.exists(self.file):
            raise Skip("the completion for %s is not built" % name)
        self.bin = os.path.join(here, "bin")
        os.mkdir(self.bin)
        self.crun = os.path.join(self.bin, "crun")
        with open(self.crun, "w", encoding="utf-8") as out:
            out.write(FAKE)
        os.chmod(self.crun, 0o755)
        os.mkdir(os.path.join(here, "folder"))
        with open(os.path.join(here, "folly"), "w", encoding="utf-8"):
            pass
        # A user's own settings must not matter.
        self.env = {"PATH": self.bin + ":/usr/local/bin:/usr/bin:/bin", "HOME": here, "LC_ALL": "C",
                    "TERM": "dumb", "XDG_CONFIG_HOME": here, "XDG_DATA_HOME": here}

    def start(self):
        pass

    def stop(self):
        pass

    def run(self, *argv):
        done = subprocess.run(argv, check=False, cwd=self.here, env=self.env, timeout=60,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, universal_newlines=True)
        assert done.returncode == 0 and not done.stderr, done
        return done.stdout

    def calls(self):
        with open(self.crun + ".calls", encoding="utf-8") as source:
            return source.read()


def quoted(words):
    return " ".join("'%s'" % word.replace("'", "'\\''") for word in words)


class Bash(Shell):
    SCRIPT = """
        source "$0"
        [[ $(complete -p crun) == *'-F _crun '* ]] || exit 3
        COMP_WORDS=(crun "$@") COMP_CWORD=$#
        _crun
        printf '%s\\n' "${COMPREPLY[@]}"
    """

    def complete(self, words):
        return self.run("bash", "--norc", "-c", self.SCRIPT, self.file, *words).split("\n")


class Fish(Shell):
    def complete(self, words):
        line = "crun " + " ".join(w if re.fullmatch(r"[\w./=-]*", w) else quoted([w]) for w in words)
        out = self.run("fish", "--no-config", "-c",
                       "source %s; complete -C %s" % (quoted([self.file]), quoted([line])))
        return [row.split("\t")[0].rstrip("/") for row in out.splitlines()]


class Zsh(Shell):
    """Typed to on a terminal: what is listed, or what the line became."""

    SETTINGS = """
        PS1='READY>' PS2= RPS1=
        fpath=(%s $fpath)
        autoload -Uz compinit && compinit -u -D
        setopt NO_ALWAYS_LAST_PROMPT NO_BEEP NO_LIST_BEEP NO_AUTO_MENU LIST_ROWS_FIRST
        LISTMAX=0
        bindkey -e
        zstyle ':completion:*' list-prompt ''
        zstyle ':completion:*' menu no
        all() { compadd() { builtin compadd -O found_ "$@"; (( $#found_ )) && print -rl -- \\
            ${found_/#/MATCH:} >>$OUT; builtin compadd "$@"; }; _main_complete; unfunction compadd }
        zle -C all complete-word all
        bindkey '^T' all
    """

    def start(self):
        with open(os.path.join(self.here, ".zshrc"), "w", encoding="utf-8") as rc:
            rc.write(self.SETTINGS % quoted([os.path.dirname(self.file)]))
        self.matches = os.path.join(self.here, "matches")
        self.count, self.seen = 0, b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(self.here)
            os.execvpe("zsh", ["zsh", "-i"], dict(self.env, ZDOTDIR=self.here, OUT=self.matches))
        self.wait(b"READY>")

    def stop(self):
        os.write(self.fd, b"\x15exit\r")
        os.close(self.fd)
        os.waitpid(self.pid, 0)

    def complete(self, words):
        with open(self.matches, "w", encoding="utf-8"):
            pass
        line = " ".join(quoted([w]) if " " in w else w for w in words)
        os.write(self.fd, b"crun " + line.encode() + b"\x14")
        # The next command proves that the widget is through.
        self.count += 1
        os.write(self.fd, b"\x15print DO''NE%d\r" % self.count)
        self.wait(b"DONE%d\r" % self.count)
        # Before its prompt the terminal itself would take ^U for the end of what is typed ahead.
        self.wait(b"READY>")
        with open(self.matches, encoding="utf-8") as source:
            # _arguments adds options with the "=" that may follow them, words with what they mean.
            return [row[6:].split(":")[0].rstrip("=+/") for row in source.read().splitlines()]

    def wait(self, text):
        """Reads until the text comes; what is behind it stays for the next time."""
        end = time.monotonic() + 60
        while text not in self.seen:
            ready, _, _ = select.select([self.fd], [], [], max(0, end - time.monotonic()))
            assert ready, "zsh does not come to say %r: %r" % (text, self.seen)
            self.seen += os.read(self.fd, 65536)
        self.seen = self.seen.split(text, 1)[1]


def check(shell):
    for words, wanted, unwanted in CASES:
        offered = {word.rstrip(" /") for word in shell.complete(words)}
        assert wanted <= offered, (shell.name, words, "lacks", wanted - offered, offered)
        assert not unwanted & offered, (shell.name, words, "has", unwanted & offered)
    before = shell.calls()
    assert "web-1" in {word.strip() for word in shell.complete(ROOTED)}, ROOTED
    assert "--root /some where list -q" in shell.calls()[len(before):], shell.calls()


def check_bash_words(shell):
    """bash hands --name=VALUE over as three words."""
    for words, wanted in ((["--log-level", "=", "de"], "debug"), (["--log-level", "="], "error"),
                          (["list", "--format", "=", "js"], "json")):
        assert wanted in shell.complete(words), (words, shell.complete(words))
    assert "web-1" in shell.complete(["--root", "=", "/x", "state", ""])
    assert "--root=/x list -q" in shell.calls(), shell.calls()
    assert not set(shell.complete(["--log-level", "=", "x"])) - {""}


def main():
    failed = False
    shells = (Bash, Zsh, Fish)
    print("1..%d" % len(shells))
    for number, kind in enumerate(shells, 1):
        name = kind.__name__.lower()
        with tempfile.TemporaryDirectory() as here:
            try:
                shell = kind(name, here)
                shell.start()
                try:
                    check(shell)
                    if kind is Bash:
                        check_bash_words(shell)
                finally:
                    shell.stop()
                print("ok %d %s" % (number, name))
            except Skip as reason:
                print("ok %d %s # SKIP %s" % (number, name, reason))
            except AssertionError as error:
                failed = True
                print("# %s\nnot ok %d %s" % (error, number, name))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
