# SPDX-License-Identifier: GPL-2.0-or-later
"""The command ``modpost-py``: options, diagnostics on stderr, exit status.

Without long options it is modpost to the byte.  The long options are ours; none of them changes
a file that is written.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

from genksyms_py.gnu_getopt import LongOption, OptionError
from genksyms_py.gnu_getopt import Options as CommandLine
from modpost_py.dialects import DIALECTS, Dialect, choose_dialect
from modpost_py.errors import DialectError, UsageError
from modpost_py.messages import Diagnostic, printed
from modpost_py.options import ARGUMENTS, FLAGS, Options
from modpost_py.text_files import from_path
from modpost_py.whole_run import Run, RunResult

USAGE = """\
usage: modpost-py [OPTION]... [OBJECT.o]...
Turn objects into modules: check their symbols, write MODULE.mod.c and Module.symvers.

options of the kernel's modpost:
  -T FILE  more objects, one a line (- is stdin up to 6.4)
  -i FILE  read a symbol dump (Module.symvers); repeatable
  -o FILE  write a symbol dump
  -e       external modules         -m       CONFIG_MODVERSIONS
  -M       CONFIG_MODULES (6.5+)    -b, -x   basic, extended versions (6.14+)
  -a       srcversion for all       -n       ignore missing objects
  -t       trim unused exports      -u FILE  but keep these symbols
  -w       undefined symbols warn   -E       section mismatches are errors
  -N       missing imports warn     -d FILE  list name spaces to import
  -W       extra warnings

options of modpost-py:
  --kernel RELEASE      be the modpost of this kernel: 5.10, 6.1, 6.12.107+deb13-amd64, 7.x
                        (default: MODPOST_KERNEL, KERNELRELEASE, KERNELVERSION,
                        include/config/kernel.release, else the newest)
  --explain             after the run say why something failed and what to do
  --format text|json|sarif
                        json, sarif: diagnostics as one document on stdout, not on stderr
  --github              also print diagnostics as GitHub annotations on stdout
  --help, --version
"""

_LONG_OPTIONS = (
    LongOption("kernel", True, "kernel"),
    LongOption("explain", False, "explain"),
    LongOption("format", True, "format"),
    LongOption("github", False, "github"),
    LongOption("help", False, "help"),
    LongOption("version", False, "version"),
)
_FORMATS = ("text", "json", "sarif")
# All letters of all dialects, to find --kernel before the dialect is known
_ALL_LETTERS = "".join(dialect.option_letters for dialect in DIALECTS[::-1])


class Extras(NamedTuple):
    """What the long options ask for."""

    format: str = "text"
    explains: bool = False
    annotates: bool = False
    shows_help: bool = False
    shows_version: bool = False


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status: 0, or 1 after an error."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        dialect = choose_dialect(requested_kernel(words))
        options, extras = parsed(words, dialect)
    except (DialectError, UsageError, OptionError) as error:
        _write_error(f"{sys.argv[0]}: {error}\n")
        return 1
    if extras.shows_help or extras.shows_version:
        sys.stdout.write(USAGE if extras.shows_help else _version())
        return 0
    gc.disable()  # a run is short, and makes no cycles that are worth looking for
    sink = None if extras.format != "text" else lambda diagnostic: _write_error(printed(diagnostic, dialect))
    try:
        result = Run(options, dialect, sink).execute()
        _show(result, options, extras, dialect)
    except KeyboardInterrupt:
        return 130
    except OSError as error:  # stdout takes nothing: a closed pipe, a full disk
        _write_error(f"{sys.argv[0]}: stdout: {error.strerror}\n")
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    return result.exit_status


def requested_kernel(words: Sequence[str]) -> str | None:
    """The argument of the last ``--kernel``, whatever else the command line says."""
    line = CommandLine(words, _ALL_LETTERS, _LONG_OPTIONS)
    kernel = None
    while True:
        try:
            option = next(line)
        except StopIteration:
            return kernel
        except OptionError:
            continue
        if option.letter == "kernel":
            kernel = option.argument


def parsed(words: Sequence[str], dialect: Dialect) -> tuple[Options, Extras]:
    """The options of a command line; raises :class:`OptionError` and :class:`UsageError`."""
    line = CommandLine(words, dialect.option_letters, _LONG_OPTIONS)
    chosen: dict[str, Any] = {}
    extras: dict[str, Any] = {}
    dumps: list[str] = []
    try:
        for letter, argument in line:
            if letter == "i":
                dumps.append(from_path(argument or ""))
            elif letter in ARGUMENTS:
                chosen[ARGUMENTS[letter]] = from_path(argument or "")
            elif letter in FLAGS:
                chosen[FLAGS[letter]] = True
            else:
                extras.update(_extra(letter, argument))
    except OptionError as error:
        # To getopt, which modpost uses, a long option is the letter "-" and more
        raise (OptionError("invalid option -- '-'") if str(error).startswith("unrecognized") else error) from None
    objects = tuple(from_path(path) for path in line.positional)
    return Options(objects=objects, dumps=tuple(dumps), **chosen), Extras(**extras)


def parse(words: Sequence[str], dialect: Dialect) -> Options:
    """The options of modpost itself in a command line."""
    return parsed(words, dialect)[0]


def _extra(name: str, argument: str | None) -> dict[str, Any]:
    if name == "format":
        if argument not in _FORMATS:
            raise UsageError(f"unknown format '{argument}' (one of {', '.join(_FORMATS)})")
        return {"format": argument}
    flags = {"explain": "explains", "github": "annotates", "help": "shows_help", "version": "shows_version"}
    return {flags[name]: True} if name in flags else {}


def _show(result: RunResult, options: Options, extras: Extras, dialect: Dialect) -> None:
    """What the long options ask for after a run."""
    explanations: list[tuple[Diagnostic, list[str]]] = []
    if extras.explains:
        from modpost_py.explain import explained, explanation_text

        explanations = explained(result, options, dialect)
        if extras.format == "text":
            _write_error(explanation_text(explanations))
    if extras.format != "text" or extras.annotates:
        from modpost_py.diagnostic_formats import document, github_annotations

        if extras.format != "text":
            sys.stdout.write(document(extras.format, result, dialect, explanations))
        if extras.annotates:
            sys.stdout.write(github_annotations(result.diagnostics))
    sys.stdout.flush()


def _version() -> str:
    from modpost_py import __version__

    return f"modpost-py {__version__}\n"


def _write_error(text: str) -> None:
    """Write to stderr at once, as the C tool does; a stderr that takes nothing is no reason to stop."""
    data = text.encode("latin-1", "backslashreplace")
    try:
        while data:
            data = data[os.write(2, data) :]
    except OSError:
        return


if __name__ == "__main__":
    sys.exit(main())
