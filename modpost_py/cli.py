# SPDX-License-Identifier: GPL-2.0-or-later
"""The command ``modpost-py``: options, messages on stderr, exit status."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence

from genksyms_py.gnu_getopt import LongOption, OptionError
from genksyms_py.gnu_getopt import Options as CommandLine
from modpost_py.dialects import Dialect, choose_dialect
from modpost_py.errors import ModpostError
from modpost_py.messages import Diagnostic, printed
from modpost_py.options import ARGUMENTS, FLAGS, Options
from modpost_py.run import Run
from modpost_py.text_files import from_path

_LONG_OPTIONS = (
    LongOption("kernel", True, "kernel"),
    LongOption("explain", False, "explain"),
    LongOption("format", True, "format"),
    LongOption("github", False, "github"),
    LongOption("help", False, "help"),
    LongOption("version", False, "version"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        dialect = choose_dialect(_kernel(words))
        options = parse(words, dialect)
    except (ModpostError, OptionError) as error:
        _write(f"{sys.argv[0]}: {error}\n")
        return 1
    gc.disable()  # a run ends soon, and makes no cycles that are worth looking for
    return Run(options, dialect, lambda diagnostic: _print(diagnostic, dialect)).execute().exit_status


def _kernel(words: list[str]) -> str | None:
    return next((w for p, w in zip(words, words[1:]) if p == "--kernel"), None)


def parse(words: list[str], dialect: Dialect) -> Options:
    """The options of a command line; raises :class:`OptionError`."""
    line = CommandLine(words, dialect.option_letters, _LONG_OPTIONS)
    options = Options()
    for letter, argument in line:
        if letter == "i":
            options.dumps.append(from_path(argument or ""))
        elif letter in ARGUMENTS:
            setattr(options, ARGUMENTS[letter], from_path(argument or ""))
        elif letter in FLAGS:
            setattr(options, FLAGS[letter], True)
    options.objects = [from_path(path) for path in line.positional]
    return options


def _print(diagnostic: Diagnostic, dialect: Dialect) -> None:
    _write(printed(diagnostic, dialect))


def _write(text: str) -> None:
    os.write(2, text.encode("latin-1", "replace"))


if __name__ == "__main__":
    sys.exit(main())
