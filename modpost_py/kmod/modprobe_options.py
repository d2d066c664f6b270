# SPDX-License-Identifier: GPL-2.0-or-later
"""modprobe's options and its help, as kmod 30 has them, and the environment that stands before them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from genksyms_py.gnu_getopt import LongOption, Options

SHORT = "arw:RibfDcnC:d:S:sqvVh"
LONG = (
    LongOption("all", False, "a"),
    LongOption("remove", False, "r"),
    LongOption("remove-dependencies", False, "remove-holders"),
    LongOption("remove-holders", False, "remove-holders"),
    LongOption("wait", True, "w"),
    LongOption("resolve-alias", False, "R"),
    LongOption("first-time", False, "first-time"),
    LongOption("ignore-install", False, "i"),
    LongOption("ignore-remove", False, "i"),
    LongOption("use-blacklist", False, "b"),
    LongOption("force", False, "f"),
    LongOption("force-modversion", False, "force-modversion"),
    LongOption("force-vermagic", False, "force-vermagic"),
    LongOption("show-depends", False, "D"),
    LongOption("showconfig", False, "c"),
    LongOption("show-config", False, "c"),
    LongOption("show-modversions", False, "show-modversions"),
    LongOption("dump-modversions", False, "show-modversions"),
    LongOption("show-exports", False, "show-exports"),
    LongOption("dry-run", False, "n"),
    LongOption("show", False, "n"),
    LongOption("config", True, "C"),
    LongOption("dirname", True, "d"),
    LongOption("set-version", True, "S"),
    LongOption("syslog", False, "s"),
    LongOption("quiet", False, "q"),
    LongOption("verbose", False, "v"),
    LongOption("version", False, "V"),
    LongOption("help", False, "h"),
)
# Only spelled in full, so that the abbreviations of kmod's options stay what they are
OWN = (LongOption("system-root", True, "system-root"),)

HELP = """\
Usage:
\t{program} [options] [-i] [-b] modulename
\t{program} [options] -a [-i] [-b] modulename [modulename...]
\t{program} [options] -r [-i] modulename
\t{program} [options] -r -a [-i] modulename [modulename...]
\t{program} [options] -c
\t{program} [options] --dump-modversions filename
Management Options:
\t-a, --all                   Consider every non-argument to
\t                            be a module name to be inserted
\t                            or removed (-r)
\t-r, --remove                Remove modules instead of inserting
\t    --remove-dependencies   Deprecated: use --remove-holders
\t    --remove-holders        Also remove module holders (use together with -r)
\t-w, --wait <MSEC>           When removing a module, wait up to MSEC for
\t                            module's refcount to become 0 so it can be
\t                            removed (use together with -r)
\t    --first-time            Fail if module already inserted or removed
\t-i, --ignore-install        Ignore install commands
\t-i, --ignore-remove         Ignore remove commands
\t-b, --use-blacklist         Apply blacklist to resolved alias.
\t-f, --force                 Force module insertion or removal.
\t                            implies --force-modversions and
\t                            --force-vermagic
\t    --force-modversion      Ignore module's version
\t    --force-vermagic        Ignore module's version magic

Query Options:
\t-R, --resolve-alias         Only lookup and print alias and exit
\t-D, --show-depends          Only print module dependencies and exit
\t-c, --showconfig            Print out known configuration and exit
\t-c, --show-config           Same as --showconfig
\t    --show-modversions      Dump module symbol version and exit
\t    --dump-modversions      Same as --show-modversions
\t    --show-exports          Only print module exported symbol versions and exit

General Options:
\t-n, --dry-run               Do not execute operations, just print out
\t-n, --show                  Same as --dry-run
\t-C, --config=FILE           Use FILE instead of default search paths
\t-d, --dirname=DIR           Use DIR as filesystem root for /lib/modules
\t-S, --set-version=VERSION   Use VERSION instead of `uname -r`
\t-s, --syslog                print to syslog, not stderr
\t-q, --quiet                 disable messages
\t-v, --verbose               enables more messages
\t-V, --version               show version
\t-h, --help                  show this help

Beyond kmod:
\t    --system-root=DIR       Use DIR as root of /etc, /run, /usr, /lib for the
\t                            configuration, of /proc and of /sys

Exit status: 0, or 1 where something failed.
"""

# syslog(3)'s numbers: messages up to this one are shown. -q shows none, each -v one level more.
_QUIET, _DEFAULT = 0, 4
CRITICAL, ERROR, WARNING = 2, 3, 4


class Choice:
    """What the command line asks for; the fields are named as the long options."""

    def __init__(self) -> None:
        self.shown = ""  # "h" or "V": nothing else counts
        self.all = self.remove = self.remove_holders = False
        self.wait = "0"
        self.resolve_alias = self.show_depends = self.show_config = False
        self.show_modversions = self.show_exports = False
        self.first_time = self.ignore_commands = self.use_blacklist = False
        self.force_modversion = self.force_vermagic = self.force = False
        self.dry_run = self.syslog = False
        self.verbosity = _DEFAULT
        self.places: list[str] = []
        self.dirname: str | None = None
        self.release: str | None = None
        self.system_root = "/"
        self.arguments: list[str] = []
        self.passed_on: list[str] = []  # for MODPROBE_OPTIONS of commands

    @property
    def says_steps(self) -> bool:
        """Whether each step is printed."""
        return self.show_depends or self.verbosity > _DEFAULT


# The options that only set a field.
_FLAGS = {
    "a": "all",
    "r": "remove",
    "remove-holders": "remove_holders",
    "R": "resolve_alias",
    "i": "ignore_commands",
    "b": "use_blacklist",
    "D": "show_depends",
    "c": "show_config",
    "n": "dry_run",
    "first-time": "first_time",
    "force-modversion": "force_modversion",
    "force-vermagic": "force_vermagic",
    "show-modversions": "show_modversions",
    "show-exports": "show_exports",
}
_VALUES = {"w": "wait", "d": "dirname", "S": "release", "system-root": "system_root"}


def parsed(words: Sequence[str]) -> Choice:
    """The choices of a command line without the program's name; raises OptionError."""
    choice = Choice()
    own = tuple(option for option in OWN if any(word.split("=")[0] == f"--{option.name}" for word in words))
    line = Options(words, SHORT, LONG + own)
    for letter, argument in line:
        if letter in _FLAGS:
            setattr(choice, _FLAGS[letter], True)
        elif letter in _VALUES:
            setattr(choice, _VALUES[letter], argument)
        elif letter == "f":
            choice.force = choice.force_modversion = choice.force_vermagic = True
        elif letter == "C":
            choice.places.append(argument or "")
            choice.passed_on += ["-C", argument or ""]
        elif letter in "sqv":
            choice.passed_on.append(f"-{letter}")
            choice.syslog = choice.syslog or letter == "s"
            choice.verbosity = {"s": choice.verbosity, "q": _QUIET, "v": choice.verbosity + 1}[letter]
        else:  # what follows is not looked at
            choice.shown = letter
            return choice
    choice.arguments = line.positional
    return choice


# strtoul(3) with base 0, of the whole text
_WAIT = re.compile(r"[ \t\n\v\f\r]*([+-]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)\Z")


class WaitError(ValueError):
    """A value of ``--wait`` that is no number."""


def wait_milliseconds(text: str) -> int:
    """The value of ``--wait``; raises :class:`WaitError`."""
    match = _WAIT.match(text)
    if match is None:
        raise WaitError(text)
    digits = match[2]
    base = 16 if digits[:2] in ("0x", "0X") else 8 if digits.startswith("0") else 10
    return 0 if match[1] == "-" else int(digits, base)


class Argument(NamedTuple):
    """One argument out of a text, and where the text goes on."""

    text: str
    end: int


def environment_arguments(environment: Mapping[str, str]) -> list[str]:
    """The arguments in ``MODPROBE_OPTIONS``, which come before those of the command line.

    Each blank ends an argument, which may be empty.  Quotes, of either kind, keep blanks and are dropped; a quoted
    part at the beginning is an argument of its own.  From a quote without its partner on, the rest is one argument.
    """
    text = environment.get("MODPROBE_OPTIONS", "")
    arguments = []
    position = 0
    while position < len(text):
        argument, position = _argument(text, position)
        arguments.append(argument)
    return arguments


def _argument(text: str, start: int) -> Argument:
    parts: list[str] = []
    position = start
    while position < len(text) and text[position] != " ":
        character = text[position]
        if character not in "'\"":
            parts.append(character)
            position += 1
            continue
        end = text.find(character, position + 1)
        if end < 0:
            return Argument(text[start:] if position == start else "".join(parts) + text[position:], len(text))
        parts.append(text[position + 1 : end])
        if position == start:
            return Argument(parts[0], end + 1)
        position = end + 1
    return Argument("".join(parts), position + 1)
