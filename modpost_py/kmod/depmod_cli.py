# SPDX-License-Identifier: GPL-2.0-or-later
"""The command ``depmod-py``: kmod's depmod.

Exit status: 0, or 1 where the database could not be written as a whole, modules need each other in a circle, or the
command line is wrong.  Modules that cannot be read are reported and do not change it.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence

from genksyms_py.gnu_getopt import LongOption, OptionError, Options
from modpost_py.errors import ModpostError
from modpost_py.kmod.depmod_messages import (
    CRITICAL,
    ERROR,
    LABELS,
    NOTICE,
    WARNING,
    DepmodError,
    ReportedError,
)
from modpost_py.kmod.standard_streams import end_of_pipe, write_all, write_error

_SHORT = "aAb:C:E:F:euqrvnP:wmVh"
_LONG = (
    LongOption("all", False, "a"),
    LongOption("quick", False, "A"),
    LongOption("basedir", True, "b"),
    LongOption("config", True, "C"),
    LongOption("symvers", True, "E"),
    LongOption("filesyms", True, "F"),
    LongOption("errsyms", False, "e"),
    LongOption("unresolved-error", False, "u"),
    LongOption("quiet", False, "q"),
    LongOption("root", False, "r"),
    LongOption("verbose", False, "v"),
    LongOption("show", False, "n"),
    LongOption("dry-run", False, "n"),
    LongOption("symbol-prefix", True, "P"),
    LongOption("warn", False, "w"),
    LongOption("map", False, "m"),
    LongOption("version", False, "V"),
    LongOption("help", False, "h"),
)
# Only spelled in full, so that the abbreviations of kmod's options stay what they are
_OWN = (LongOption("no-cache", False, "no-cache"), LongOption("kmod-version", True, "kmod-version"))

_HELP = """\
Usage:
\t{program} -[aA] [options] [forced_version]

If no arguments (except options) are given, "{program} -a" is assumed

{program} will output a dependency list suitable for the modprobe utility.

Options:
\t-a, --all            Probe all modules
\t-A, --quick          Only does the work if there's a new module
\t-e, --errsyms        Report not supplied symbols
\t-n, --show           Write the dependency file on stdout only
\t-P, --symbol-prefix  Architecture symbol prefix
\t-C, --config=PATH    Read configuration from PATH
\t-v, --verbose        Enable verbose mode
\t-w, --warn           Warn on duplicates
\t-V, --version        show version
\t-h, --help           show this help

The following options are useful for people managing distributions:
\t-b, --basedir=DIR    Use an image of a module tree.
\t-F, --filesyms=FILE  Use the file instead of the
\t                     current kernel symbols.
\t-E, --symvers=FILE   Use Module.symvers file to check
\t                     symbol versions.
Beyond kmod:
\t    --no-cache       Read all modules; keep nothing for the next run
\t    --kmod-version=N Write the files of kmod N (default 30); from 33
\t                     on that includes modules.weakdep
Exit status: 0, or 1 where the files could not be made or written.
"""

_DEPRECATED = "uqrm"
_RELEASE = re.compile(r"[ \t\n\v\f\r]*[+-]?\d+\.[ \t\n\v\f\r]*[+-]?\d+", re.ASCII)


class _Choice:
    """What the command line asks for."""

    def __init__(self) -> None:
        self.probes_all = False
        self.is_quick = False
        self.base = ""
        self.configuration: list[str] = []
        self.symvers: str | None = None
        self.system_map: str | None = None
        self.reports_unknown = False
        self.verbosity = WARNING
        self.shows = False
        self.prefix = ""
        self.warns_of_duplicates = False
        self.uses_cache = True
        self.kmod_version: int | None = None
        self.shown = ""
        self.positional: list[str] = []


class _Output:
    """Messages to stderr; to stdout what ``-v`` tells, and the end of the run."""

    def __init__(self) -> None:
        self.verbosity = WARNING
        self._shown: list[str] = []

    def report(self, priority: int, text: str) -> None:
        """Print a message, unless it is for the more curious."""
        if priority == NOTICE:
            if self.verbosity >= NOTICE:
                self._shown.append(f"{text}\n")
        elif priority <= self.verbosity:
            write_error(f"{os.path.basename(sys.argv[0])}: {LABELS[priority]}: {text}\n")

    def flush(self, rest: bytes = b"") -> None:
        """Write what goes to stdout; raises :class:`OSError`."""
        data = "".join(self._shown).encode("utf-8", "surrogateescape") + rest
        self._shown.clear()
        write_all(1, data)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    output = _Output()
    try:
        status = _status(list(sys.argv[1:] if arguments is None else arguments), output)
        output.flush()
        return status
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return end_of_pipe()
    except OSError as error:  # stdout takes nothing: a full disk
        output.report(ERROR, f"stdout: {error.strerror}")
        return 1


def _status(words: Sequence[str], output: _Output) -> int:
    try:
        choice = _parsed(words, output)
        if choice.shown:
            output.flush(choice.shown.encode("utf-8", "surrogateescape"))
            return 0
        return _Run(choice, output).execute()
    except OptionError as error:
        write_error(f"{sys.argv[0]}: {error}\n")
    except ReportedError:
        pass
    except ModpostError as error:
        output.report(ERROR if isinstance(error, _BadReleaseError) else CRITICAL, str(error))
    except MemoryError:
        output.report(CRITICAL, "out of memory")
    return 1


class _BadReleaseError(DepmodError):
    """An operand that is no kernel release where one is needed."""


def _parsed(words: Sequence[str], output: _Output) -> _Choice:
    choice = _Choice()
    own = tuple(option for option in _OWN if any(word.partition("=")[0] == f"--{option.name}" for word in words))
    line = Options(words, _SHORT, _LONG + own)
    for letter, argument in line:
        if letter in _DEPRECATED:
            output.report(WARNING, f"Ignored deprecated option {_spelling(letter, words, line.positional)}")
            continue
        _take(choice, letter, argument or "")
        output.verbosity = choice.verbosity
        if choice.shown:
            break
    choice.positional = line.positional
    return choice


def _take(choice: _Choice, letter: str, argument: str) -> None:
    if letter == "a":
        choice.probes_all = True
    elif letter == "A":
        choice.is_quick = True
    elif letter == "b":
        choice.base = _absolute(argument)
    elif letter == "C":
        choice.configuration.append(argument)
    elif letter == "E":
        choice.symvers = argument
    elif letter == "F":
        choice.system_map = argument
    elif letter == "P":
        if len(argument) > 1:
            raise DepmodError("-P only takes a single char")
        choice.prefix = argument
    elif letter == "kmod-version":
        if not argument.isdecimal() or len(argument) > 6:
            raise DepmodError(f"--kmod-version takes a number such as 33, not {argument}")
        choice.kmod_version = int(argument)
    elif letter == "h":
        choice.shown = _HELP.format(program=os.path.basename(sys.argv[0]))
    elif letter == "V":
        choice.shown = _version()
    else:
        _take_flag(choice, letter)


def _absolute(path: str) -> str:
    if path.startswith("/"):
        return path
    try:
        return f"{os.getcwd()}/{path}"
    except OSError as error:
        raise DepmodError(f"no current directory for {path}: {error.strerror}") from None


def _version() -> str:
    from modpost_py import __version__

    return f"kmod version 30 (depmod-py {__version__})\n+ZSTD +XZ +ZLIB +LIBCRYPTO -EXPERIMENTAL\n"


def _take_flag(choice: _Choice, letter: str) -> None:
    if letter == "e":
        choice.reports_unknown = True
    elif letter == "v":
        choice.verbosity += 1
    elif letter == "n":
        choice.shows = True
    elif letter == "w":
        choice.warns_of_duplicates = True
    elif letter == "no-cache":
        choice.uses_cache = False


class _Run:
    """One run for what the command line asks."""

    def __init__(self, choice: _Choice, output: _Output) -> None:
        self._choice = choice
        self._output = output

    def execute(self) -> int:
        """Do it; returns the exit status.  Raises :class:`ModpostError` and :class:`OSError`."""
        choice, report = self._choice, self._output.report
        operands = choice.positional
        if operands and not _RELEASE.match(operands[0]):
            raise _BadReleaseError(f"Bad version passed {operands[0]}")
        release = operands[0] if operands else os.uname().release
        paths = tuple(operands[1:])
        directory = f"{choice.base}/lib/modules/{release}"
        if choice.is_quick:
            from modpost_py.kmod.depmod_quick import is_database_newer

            if choice.shows or is_database_newer(directory, report):
                return 0
        from modpost_py.kmod.depmod import DEFAULT_KMOD_VERSION, DepmodOptions, shown, update

        options = DepmodOptions(
            directory=directory,
            release=release,
            paths=None if choice.probes_all or choice.is_quick or not paths else paths,
            configuration_places=tuple(choice.configuration),
            symvers=choice.symvers,
            system_map=choice.system_map,
            reports_unknown=choice.reports_unknown,
            symbol_prefix=choice.prefix,
            warns_of_duplicates=choice.warns_of_duplicates,
            kmod_version=DEFAULT_KMOD_VERSION if choice.kmod_version is None else choice.kmod_version,
            uses_cache=choice.uses_cache,
            is_verbose=choice.verbosity > WARNING,
        )
        if choice.shows:
            texts = shown(options, report)
            self._output.flush(texts)
            return 0
        return 0 if update(options, report) else 1


def _spelling(letter: str, words: Sequence[str], positional: Sequence[str]) -> str:
    """A deprecated option as kmod names it: ``--quiet`` where a long one was given, ``-q`` otherwise."""
    name = next(option.name for option in _LONG if option.short == letter)
    is_long = any(len(word) > 2 and f"--{name}".startswith(word) for word in words)
    return f"--{name}" if is_long else f"-{letter}"


if __name__ == "__main__":
    sys.exit(main())
