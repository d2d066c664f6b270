# SPDX-License-Identifier: GPL-2.0-or-later
"""modprobe's configuration: the files of ``modprobe.d``, the kernel's command line, what depmod found in modules.

>>> configuration = Configuration.read(["/etc/modprobe.d"])      # doctest: +SKIP
>>> configuration.options, configuration.blacklist               # doctest: +SKIP
([Statement(name='snd_hda_intel', text='power_save=1')], ['pcspkr'])

Everything is kept in the order in which it was read, which is the order in which it counts.  The statements of a file
are those of ``configuration.lark``; which files there are, :mod:`modpost_py.kmod.configuration_files` says.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from modpost_py.errors import FileError
from modpost_py.kmod.configuration_files import (
    DIRECTORIES,
    LogicalLine,
    Problem,
    configuration_files,
    logical_lines,
)
from modpost_py.kmod.errors import KmodError
from modpost_py.kmod.names import underscored

if TYPE_CHECKING:
    from lark import Lark, Token

# What depmod gathered from the modules themselves: statements too.  It takes its place among the files by its name.
SOFT_DEPENDENCIES = "modules.softdep"


class Statement(NamedTuple):
    """``alias``, ``options``, ``install`` or ``remove``: a normalised name or pattern, and the text for it."""

    name: str
    text: str


class SoftDependency(NamedTuple):
    """A ``softdep`` line: a pattern of module names, and the names that belong before and after them, as written.

    ``words`` are all names in their order, ``before`` and ``after`` the places in it of those of either kind.
    """

    name: str
    words: tuple[str, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]

    @property
    def pre(self) -> list[str]:
        """The names behind ``pre:``."""
        return [self.words[place] for place in self.before]

    @property
    def post(self) -> list[str]:
        """The names behind ``post:``."""
        return [self.words[place] for place in self.after]


class Configuration:
    """What was read.  Names are normalised (underscores for dashes), but for those in blacklists of the command line.

    ``problems`` are the lines, files and directories that were passed over.
    """

    def __init__(self) -> None:
        self.aliases: list[Statement] = []
        self.blacklist: list[str] = []
        self.options: list[Statement] = []
        self.installs: list[Statement] = []
        self.removes: list[Statement] = []
        self.softdeps: list[SoftDependency] = []
        self.problems: list[Problem] = []

    @classmethod
    def read(
        cls,
        places: Iterable[str] = DIRECTORIES,
        kernel_command_line: bytes | None = None,
        modules_directory: str | None = None,
    ) -> Configuration:
        """Read the files in or at ``places``, among them the modules' own soft dependencies, then the command line.

        ``kernel_command_line`` is the contents of ``/proc/cmdline``.  Nothing is raised: what cannot be read or
        understood goes to :attr:`problems`; a file that cannot be opened is passed over, as kmod does.
        """
        configuration = cls()
        own = [] if modules_directory is None else [f"{modules_directory}/{SOFT_DEPENDENCIES}"]
        for path in configuration_files([*places, *own], configuration.problems):
            configuration.add_file(path)
        if kernel_command_line:
            configuration.add_kernel_command_line(kernel_command_line)
        return configuration

    def add_file(self, path: str) -> None:
        """Read one configuration file; one that cannot be opened is passed over."""
        try:
            with open(path, "rb") as stream:
                data = stream.read()
        except OSError:
            return
        for line in logical_lines(data):
            self._add_line(path, line)

    def add_kernel_command_line(self, text: bytes) -> None:
        """Take up ``module.parameter=value`` and ``modprobe.blacklist=a,b``."""
        from modpost_py.kmod.kernel_command_line import module_parameters

        for parameter in module_parameters(text):
            if parameter.module == "modprobe" and parameter.text.startswith("blacklist="):
                self.blacklist += parameter.text.removeprefix("blacklist=").split(",")
                continue
            try:
                self.options.append(Statement(underscored(parameter.module), parameter.text))
            except KmodError:
                self.problems.append(Problem("command line", "", 0, parameter.module))

    def _add_line(self, path: str, line: LogicalLine) -> None:
        if not line.text.strip(" \t"):
            return
        try:
            keyword, words = parsed_statement(line.text)
            if keyword in _DEPRECATED:
                self.problems.append(Problem("deprecated", path, line.number, keyword))
            else:
                _ACTIONS[keyword](self, words)
        except KmodError:
            first_words = line.text.replace("\t", " ").split(" ")
            self.problems.append(Problem("line", path, line.number, next(filter(None, first_words))))

    def _add_alias(self, words: Sequence[Token]) -> None:
        self.aliases.append(Statement(underscored(str(words[0])), underscored(str(words[1]))))

    def _add_blacklist(self, words: Sequence[Token]) -> None:
        self.blacklist.append(underscored(str(words[0])))

    def _add_options(self, words: Sequence[Token]) -> None:
        name, text = _statement(words)
        self.options.append(Statement(name, text.replace("\t", " ")))

    def _add_install(self, words: Sequence[Token]) -> None:
        self.installs.append(_statement(words))

    def _add_remove(self, words: Sequence[Token]) -> None:
        self.removes.append(_statement(words))

    def _add_softdep(self, words: Sequence[Token]) -> None:
        name, *rest = words
        names: list[str] = []
        places: dict[str, list[int]] = {"PRE": [], "POST": []}
        mark = None
        for word in rest:
            if word.type in places:
                mark = word.type
            elif mark is not None:
                places[mark].append(len(names))
                names.append(str(word))
        self.softdeps.append(
            SoftDependency(underscored(str(name)), tuple(names), tuple(places["PRE"]), tuple(places["POST"]))
        )

    # ---- what is asked of it

    def aliased(self, alias: str) -> list[Statement]:
        """The ``alias`` lines (pattern, module) whose pattern matches a normalised alias, in their order."""
        return [statement for statement in self.aliases if _matches(statement.name, alias)]

    def has_command(self, name: str) -> bool:
        """Whether an ``install`` or ``remove`` line is for exactly this normalised name."""
        return self.command_for(name) is not None

    def command_for(self, name: str) -> tuple[str, str] | None:
        """``install`` or ``remove``, and the command of the first such line for exactly this normalised name."""
        for keyword, statements in (("install", self.installs), ("remove", self.removes)):
            for statement in statements:
                if statement.name == name:
                    return keyword, statement.text
        return None

    def install_command(self, name: str) -> str | None:
        """The command of the first ``install`` line whose pattern matches the module's name."""
        return _first_match(self.installs, name)

    def remove_command(self, name: str) -> str | None:
        """The command of the first ``remove`` line whose pattern matches the module's name."""
        return _first_match(self.removes, name)

    def options_for(self, name: str, alias: str | None) -> str:
        """The parameters for a module that was found by ``alias``: of all ``options`` lines for exactly one of them."""
        return " ".join(text for owner, text in self.options if owner in (name, alias))

    def soft_dependency(self, name: str) -> SoftDependency | None:
        """The first ``softdep`` line whose pattern matches the module's name."""
        return next((line for line in self.softdeps if _matches(line.name, name)), None)


def _statement(words: Sequence[Token]) -> Statement:
    return Statement(underscored(str(words[0])), str(words[1]))


def _first_match(statements: Iterable[Statement], name: str) -> str | None:
    return next((text for pattern, text in statements if _matches(pattern, name)), None)


def _matches(pattern: str, name: str) -> bool:
    """fnmatch(3), byte by byte: kmod sets no locale."""
    if pattern == name and not _SPECIAL.search(pattern):
        return True
    from modpost_py.kmod.glob_matching import matches

    if not (pattern.isascii() and name.isascii()):
        pattern, name = (text.encode("utf-8", "surrogateescape").decode("latin-1") for text in (pattern, name))
    return matches(pattern, name)


_SPECIAL = re.compile(r"[*?\[\\]")
_DEPRECATED = ("include", "config")
_ACTIONS: dict[str, Callable[[Configuration, Sequence[Token]], None]] = {
    "alias": Configuration._add_alias,
    "blacklist": Configuration._add_blacklist,
    "options": Configuration._add_options,
    "install": Configuration._add_install,
    "remove": Configuration._add_remove,
    "softdep": Configuration._add_softdep,
}


def parsed_statement(line: str) -> tuple[str, list[Token]]:
    """The keyword of one logical line and its words; raises :class:`KmodError` for a line that is no statement."""
    from lark.exceptions import UnexpectedInput

    try:
        tree = _parser().parse(line)
    except UnexpectedInput:
        raise KmodError("no statement") from None
    statement: Any = tree.children[-1]
    return str(statement.data), list(statement.children)


@functools.cache
def _parser() -> Lark:
    from lark import Lark

    path = os.path.join(os.path.dirname(__file__), "configuration.lark")
    try:
        with open(path, encoding="utf-8") as stream:
            grammar = stream.read()
    except OSError as error:
        raise FileError(path, error.errno or 0) from None
    return Lark(grammar, start="statement", parser="lalr", lexer="contextual")
