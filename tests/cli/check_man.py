#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The man page and the option tables say the same: commands, options, letters, arguments.

The tables are read through the help, which is made from them. usage: check_man.py [CRUN [PAGE]]
"""

import os
import re
import subprocess
import sys

OPTION = re.compile(r"^  (?:    )?((?:-\w, )*)--([\w-]+)(?: (\S+))?(?:  |$)")
COMMAND = re.compile(r"^  ([a-z]+) {2,}\S")


def help_of(crun, *command):
    done = subprocess.run([crun, *command, "--help"], check=False, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, universal_newlines=True)
    if done.returncode != 0 or done.stderr:
        sys.exit("crun %s --help: status %d, on stderr: %r"
                 % (" ".join(command), done.returncode, done.stderr))
    return done.stdout


def options_in_help(text):
    """{(letters, name, argument)} of a help text."""
    found = set()
    for line in text.splitlines():
        match = OPTION.match(line)
        if match:
            letters, name, argument = match.groups()
            found.add((letters.replace("-", "").replace(", ", ""), name, argument or ""))
    return found


def commands_in_help(text):
    part = text.split("Commands:\n")[1].split("\n\n")[0]
    return [COMMAND.match(line).group(1) for line in part.splitlines()]


def sections_of_page(text):
    """{heading: lines} of the Markdown page, headings without their marks."""
    sections, heading = {}, None
    for line in text.splitlines():
        match = re.match(r"^#+ +(.*)$", line)
        if match:
            heading = match.group(1).strip()
            sections[heading] = []
        elif heading is not None:
            sections[heading].append(line)
    return sections


def options_in_section(lines):
    """The options of a section: a line `**-b**, **--bundle** *DIR*`, then `:   text`."""
    found = {}
    for number, line in enumerate(lines):
        match = re.match(r"^((?:\*\*-\w\*\*, )*)\*\*--([\w-]+)\*\*(?: \*([^*]+)\*)?$", line)
        if match:
            letters, name, argument = match.groups()
            letters = re.sub(r"[^\w]", "", letters)
            after = lines[number + 1] if number + 1 < len(lines) else ""
            found[(letters, name, (argument or "").replace("\\|", "|"))] = \
                bool(re.match(r"^:   \S", after))
    return found


def compare(where, in_tables, in_page):
    for letters, name, argument in sorted(in_tables - set(in_page)):
        yield "%s: --%s (letters %r, argument %r) is an option but the page does not say so" \
            % (where, name, letters, argument)
    for letters, name, argument in sorted(set(in_page) - in_tables):
        yield "%s: the page has --%s (letters %r, argument %r), which is no such option" \
            % (where, name, letters, argument)
    for option, explained in sorted(in_page.items()):
        if not explained:
            yield "%s: --%s is not explained: write a line `:   what it does` below it" \
                % (where, option[1])


def incomplete(heading, lines):
    """What a command's section lacks besides its options: a description, the exit status."""
    before = "\n".join(lines).split("\n**-")[0]
    paragraphs = [p for p in before.split("\n\n") if re.match(r"[A-Z*]|`\S+` [a-z]", p.strip())]
    if not [p for p in paragraphs if not p.strip().startswith("Exit status:")]:
        yield "%s: the page does not say what the command does" % heading
    if "xit status" not in before:
        yield "%s: the page does not say what the exit status is" % heading


def differences(crun, page):
    text = help_of(crun)
    sections = sections_of_page(page)
    yield from compare("GLOBAL OPTIONS", options_in_help(text),
                       options_in_section(sections.get("GLOBAL OPTIONS", [])))
    commands = commands_in_help(text)
    if not commands:
        yield "no commands in `crun --help`"
    for command in commands:
        heading = "crun " + command
        if heading not in sections:
            yield "command %s has no section `## %s`" % (command, heading)
            continue
        own = help_of(crun, command)
        options = {o for o in options_in_help(own) if o[1] != "help"}
        yield from compare(heading, options, options_in_section(sections[heading]))
        usage = re.sub(r"^Usage: crun \[OPTION\]\.\.\. ", "", own.splitlines()[0])
        if not any(usage in re.sub(r"[*`\\]", "", line) for line in sections[heading]):
            yield "%s: the page has no line with `%s`" % (heading, usage)
        yield from incomplete(heading, sections[heading])
    for heading in ("EXIT STATUS", "ERRORS", "ENVIRONMENT", "FILES", "EXAMPLES", "SEE ALSO"):
        if heading not in sections:
            yield "the page has no section `# %s`" % heading
    for heading in sections:
        if heading.startswith("crun ") and heading.split()[1] not in commands:
            yield "the page has a section `%s`, but there is no such command" % heading


def main():
    crun = sys.argv[1] if len(sys.argv) > 1 \
        else os.path.join(os.environ.get("top_builddir", "."), "crun")
    path = sys.argv[2] if len(sys.argv) > 2 \
        else os.path.join(os.environ.get("top_srcdir", "."), "crun.1.md")
    with open(path, encoding="utf-8") as source:
        page = source.read()
    found = list(differences(crun, page))
    # A check that sees nothing would pass for ever: take an option out and one in.
    broken = page.replace("**--pid-file**", "**--pidfile**")
    if not found and len(list(differences(crun, broken))) < 2:
        found.append("the check does not notice a renamed option")
    if not found and not list(differences(crun, page.replace("Exit status: 0 if the", "If the"))):
        found.append("the check does not notice a missing exit status")
    for line in found:
        print(line)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
