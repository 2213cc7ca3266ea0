#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the completions of bash, zsh and fish from what crun itself says in its help.

usage: generate.py bash|zsh|fish CRUN >FILE

The help is made from the tables that also parse, so nothing is listed here: not the commands, not
the options, not the words that an option takes. All that this file knows is what the names of
arguments mean (KINDS): what is a directory, what a container's id.
"""

import re
import subprocess
import sys

COMMAND = re.compile(r"^  ([a-z]+) {2,}(\S.*)$")
OPTION = re.compile(r"^  (?:    )?((?:-\w, )*)--([\w-]+)(?: (\S+))?(?: {2,}(\S.*)|$)")
WORDS = re.compile(r"[\w.+-]+(?:\|[\w.+-]+)+")
# What to offer for an argument; any other name stands for something that nobody can guess.
KINDS = {"DIR": "dir", "FILE": "file", "SOCKET": "file", "DESTINATION": "file",
         "CONTAINER": "container", "SIGNAL": "signal"}
# Their container does not exist yet: there is no id to offer.
MAKERS = ("create", "run", "restore")


class Option:
    def __init__(self, letters, name, argument, text):
        self.forms = ["-" + letter for letter in letters] + ["--" + name]
        self.argument, self.text = argument, text
        self.kind = kind_of(argument) if argument else None


class Command:
    def __init__(self, name, text, usage, options):
        self.name, self.text, self.options = name, text, options
        self.arguments = [kind_of(word.strip("[]")) for word in usage.replace("]...", "]").split()]
        if name in MAKERS:
            self.arguments[0] = "text"


def kind_of(argument):
    """dir, file, container, signal, text, or the words that can be chosen from, blanks between."""
    if WORDS.fullmatch(argument):
        return argument.replace("|", " ")
    return KINDS.get(argument, "text")


def is_words(kind):
    return kind not in ("dir", "file", "container", "signal", "text")


def ask(crun, *arguments):
    return subprocess.run([crun, *arguments, "--help"], check=True, stdout=subprocess.PIPE,
                          universal_newlines=True).stdout


def options_of(text):
    found, lines = [], text.splitlines()
    for number, line in enumerate(lines):
        match = OPTION.match(line)
        if match:
            letters, name, argument, help_text = match.groups()
            # A long left column has its text in the next line.
            help_text = help_text or lines[number + 1].strip()
            found.append(Option(letters.replace("-", "").replace(", ", ""), name, argument, help_text))
    return found


def read(crun):
    """(global options, commands)"""
    text = ask(crun)
    commands = []
    for line in text.split("Commands:\n")[1].split("\n\n")[0].splitlines():
        name, summary = COMMAND.match(line).groups()
        own = ask(crun, name)
        usage = re.match(r"Usage: crun \[OPTION\]\.\.\. %s \[OPTION\]\.\.\.(.*)" % name, own).group(1)
        commands.append(Command(name, summary, usage, options_of(own)))
    return options_of(text), commands


def cases_of_values(sections):
    """(command, option form, kind) of each option that takes a value."""
    for command, options in sections:
        for option in options:
            for form in option.forms:
                if option.kind:
                    yield command, form, option.kind


# ---- bash --------------------------------------------------------------------------------------

BASH = r"""# bash completion for crun -*- shell-script -*-
# Made by src/cli/completion/generate.py from the help of crun.

# The options of command $1; of crun itself without one.
_crun_options()
{
    case $1 in
%(options)s    esac
}

# Sets kind to what option $2 of command $1 takes, empty if it takes nothing.
_crun_value()
{
    kind=
    case $1:$2 in
%(values)s    esac
}

# Sets kind to what the argument number $2 of command $1 is.
_crun_argument()
{
    kind=
    case $1:$2 in
%(arguments)s    esac
}

# Completes $2, of the kind $1.
_crun_offer()
{
    local IFS=$' \t\n'

    case $1 in
    '' | text) ;;
    dir)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -d -- "$2") ;;
    file)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$2") ;;
    container)
        mapfile -t COMPREPLY < <(
            compgen -W "$("$program" "${root[@]}" list -q 2>/dev/null)" -- "$2") ;;
    signal)
        # bash knows them by their long names only.
        mapfile -t COMPREPLY < <(
            compgen -W "$(compgen -A signal SIG) $(compgen -A signal SIG | cut -c4-)" -- "$2") ;;
    *)
        mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2") ;;
    esac
}

_crun()
{
    local program=${COMP_WORDS[0]} command= waiting= kind= cur= word i count=0 arguments=0
    local ended= glued=
    local -a words=() root=()

    COMPREPLY=()
    # bash makes three words of --name=VALUE.
    for ((i = 1; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ $count -gt 0 && ($glued || $word == =) && ${words[count - 1]} == --* ]]; then
            words[count - 1]+=$word
            glued=
            [[ $word == = ]] && glued=1
        else
            words[count++]=$word
            glued=
        fi
    done
    cur=${words[count - 1]}

    for ((i = 0; i < count - 1; i++)); do
        word=${words[i]}
        if [[ $waiting ]]; then
            [[ $waiting == --root && ! $command ]] && root=(--root "$word")
            waiting=
        elif [[ $word == -- && ! $ended && $arguments == 0 ]]; then
            [[ $command ]] && ended=1
        elif [[ $word == -?* && ! $ended && $arguments == 0 ]]; then
            [[ $word == --root=* && ! $command ]] && root=("$word")
            _crun_value "$command" "$word"
            [[ $kind ]] && waiting=$word
        elif [[ ! $command ]]; then
            command=$word
        else
            arguments=$((arguments + 1))
        fi
    done

    if [[ $waiting ]]; then
        _crun_value "$command" "$waiting"
        _crun_offer "$kind" "$cur"
    elif [[ $cur == -* && ! $ended && $arguments == 0 ]]; then
        if [[ $cur == --*=* ]]; then
            _crun_value "$command" "${cur%%%%=*}"
            _crun_offer "$kind" "${cur#*=}"
        else
            mapfile -t COMPREPLY < <(compgen -W "$(_crun_options "$command")" -- "$cur")
        fi
    elif [[ ! $command ]]; then
        mapfile -t COMPREPLY < <(compgen -W '%(commands)s' -- "$cur")
    else
        _crun_argument "$command" "$((arguments + 1))"
        _crun_offer "$kind" "$cur"
    fi
}

complete -F _crun crun
"""


def bash(options, commands):
    sections = [("", options)] + [(c.name, c.options) for c in commands]
    values = {}
    for command, form, kind in cases_of_values(sections):
        values.setdefault(kind, []).append("%s:%s" % (command, form))
    arguments = {}
    for command in commands:
        for number, kind in enumerate(command.arguments, 1):
            arguments.setdefault(kind, []).append("%s:%d" % (command.name, number))

    def table(rows):
        return "".join("    %s)\n        kind='%s' ;;\n" % (" | ".join(patterns), kind)
                       for kind, patterns in sorted(rows.items()))
    return BASH % {
        "options": "".join("    %s) echo '%s' ;;\n" % (
            name or "''", " ".join(form for o in opts for form in o.forms)) for name, opts in sections),
        "values": table(values), "arguments": table(arguments),
        "commands": " ".join(c.name for c in commands)}


# ---- zsh ---------------------------------------------------------------------------------------

ZSH = r"""#compdef crun
# Made by src/cli/completion/generate.py from the help of crun.

_crun_containers()
{
    local -a ids root
    local at=${crun_words[(I)--root]}

    (( at )) && root=(--root ${(Q)crun_words[at + 1]})
    at=${crun_words[(I)--root=*]}
    (( at )) && root=(${(Q)crun_words[at]})
    ids=(${(f)"$(_call_program containers $crun_words[1] ${(q)root} list -q 2>/dev/null)"})
    _wanted containers expl container compadd -a ids
}

_crun_commands()
{
    local -a commands=(
%(commands)s    )
    _describe -t commands command commands
}

_crun()
{
    local curcontext=$curcontext state line expl
    local -a crun_words=($words)
    typeset -A opt_args

    _arguments -S -C \
%(options)s        '1:command:_crun_commands' \
        '*:: :->arguments' && return 0
    [[ $state == arguments ]] || return 1
    case $line[1] in
%(cases)s    esac
}

_crun "$@"
"""
ZSH_ACTIONS = {"dir": "_files -/", "file": "_files", "container": "_crun_containers",
               "signal": "_signals -s", "text": " "}


def zsh_text(text):
    """Within single quotes, in a description of _arguments."""
    return re.sub(r"([\[\]:\\])", r"\\\1", text).replace("'", "'\\''")


def zsh_action(kind):
    return "(%s)" % kind if is_words(kind) else ZSH_ACTIONS[kind]


def zsh_options(options, indent):
    for option in options:
        others = "(%s)" % " ".join(option.forms) if len(option.forms) > 1 else ""
        for form in option.forms:
            value = ""
            if option.kind:
                form += "=" if form.startswith("--") else "+"
                value = ":%s:%s" % (zsh_text(option.argument), zsh_action(option.kind))
            yield "%s'%s%s[%s]%s' \\\n" % (indent, others, form, zsh_text(option.text), value)


def zsh_arguments(command, indent):
    for number, kind in enumerate(command.arguments, 1):
        yield "%s'%d: :%s' \\\n" % (indent, number, zsh_action(kind))


def zsh(options, commands):
    cases = []
    for command in commands:
        body = "".join(zsh_options(command.options, " " * 12)) + \
            "".join(zsh_arguments(command, " " * 12))
        cases.append("    %s)\n        _arguments -S -A '-*' \\\n%s            && return 0 ;;\n"
                     % (command.name, body))
    return ZSH % {
        "commands": "".join("        '%s:%s'\n" % (c.name, zsh_text(c.text)) for c in commands),
        "options": "".join(zsh_options(options, " " * 8)), "cases": "".join(cases)}


# ---- fish --------------------------------------------------------------------------------------

FISH = r"""# fish completion for crun
# Made by src/cli/completion/generate.py from the help of crun.

# The words of the command line before the cursor, without crun and its global options: the command
# and what follows it.
function __crun_words
    set -l words (commandline -opc)
    set -l skip 1
    for word in $words[2..-1]
        if test $skip = 2
            set skip 1
        else if test $skip = 0
            echo -- $word
        else if contains -- $word %(global_values)s
            set skip 2
        else if not string match -q -- '-*' $word
            set skip 0
            echo -- $word
        end
    end
end

# There is no command yet.
function __crun_no_command
    test (count (__crun_words)) = 0
end

# The command is $argv[1], and no argument of it is there yet.
function __crun_options_of
    set -l words (__crun_words)
    test "$words[1]" = $argv[1]; and test (__crun_arguments $words) = 0
end

# The command is $argv[1], and its argument number $argv[2] is next.
function __crun_argument_of
    set -l words (__crun_words)
    test "$words[1]" = $argv[1]; and test (__crun_arguments $words) = (math $argv[2] - 1)
end

# How many arguments the command $argv[1] has among the words behind it.
function __crun_arguments
    set -l count 0
    set -l skip 0
    for word in $argv[2..-1]
        if test $skip = 1
            set skip 0
        else if test $count -gt 0; or not string match -q -- '-?*' $word
            set count (math $count + 1)
        else
            switch $argv[1]:$word
%(values)s                    set skip 1
            end
        end
    end
    echo $count
end

function __crun_containers
    set -l words (commandline -opc)
    set -l at (contains -i -- --root $words)
    set -l root (string match -- '--root=*' $words)
    if test -n "$at"
        set root --root $words[(math $at + 1)]
    end
    $words[1] $root list -q 2>/dev/null
end

function __crun_signals
    string split " " -- (kill -l 2>/dev/null)
end

complete -c crun -f
"""


def fish_text(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def fish_kind(kind):
    """Options of `complete` for a value of this kind."""
    if is_words(kind):
        return "-x -a '%s'" % kind
    return {"dir": "-x -a '(__fish_complete_directories)'", "file": "-r -F",
            "container": "-x -a '(__crun_containers)'",
            "signal": "-x -a '(__crun_signals)'", "text": "-x"}[kind]


def fish_options(options, condition):
    for option in options:
        words = []
        for form in option.forms:
            words.append("-l " + form[2:] if form.startswith("--") else "-s " + form[1:])
        if option.kind:
            words.append(fish_kind(option.kind))
        yield "complete -c crun -n '%s' %s -d %s\n" % (condition, " ".join(words),
                                                       fish_text(option.text))


def fish(options, commands):
    sections = [(c.name, c.options) for c in commands]
    patterns = ["%s:%s" % (command, form) for command, form, _ in cases_of_values(sections)]
    out = [FISH % {
        "global_values": " ".join(f for _, f, _ in cases_of_values([("", options)])),
        "values": "                case %s\n" % " ".join(patterns)}]
    for command in commands:
        out.append("complete -c crun -n __crun_no_command -a %s -d %s\n"
                   % (command.name, fish_text(command.text)))
    out += fish_options(options, "__crun_no_command")
    for command in commands:
        out += fish_options(command.options, "__crun_options_of " + command.name)
        for number, kind in enumerate(command.arguments, 1):
            if kind != "text":
                out.append("complete -c crun -n '__crun_argument_of %s %d' %s\n"
                           % (command.name, number, fish_kind(kind)))
    return "".join(out)


def main():
    shells = {"bash": bash, "zsh": zsh, "fish": fish}
    if len(sys.argv) != 3 or sys.argv[1] not in shells:
        sys.exit(__doc__.split("\n\n")[1])
    sys.stdout.write(shells[sys.argv[1]](*read(sys.argv[2])))


if __name__ == "__main__":
    main()
