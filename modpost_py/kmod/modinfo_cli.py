# SPDX-License-Identifier: GPL-2.0-or-later
"""The command ``modinfo-py``: kmod's modinfo, and its data in forms for programs.

Exit status: 0, or 1 where a module was not found or could not be read, or the command line is wrong.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from genksyms_py.gnu_getopt import LongOption, OptionError, Options
from modpost_py.errors import FileError, ModpostError
from modpost_py.kmod.compression import DamagedModuleError
from modpost_py.kmod.modinfo_lookup import Modules, NamedModule
from modpost_py.kmod.modinfo_report import entries_of, everything, one_field, own_entries
from modpost_py.kmod.module_file import ModuleFile
from modpost_py.kmod.standard_streams import end_of_pipe, write_all, write_error

if TYPE_CHECKING:
    from modpost_py.kmod.modinfo_json import Json

_SHORT = "adlpn0mF:k:b:Vh"
_LONG = (
    LongOption("author", False, "a"),
    LongOption("description", False, "d"),
    LongOption("license", False, "l"),
    LongOption("parameters", False, "p"),
    LongOption("filename", False, "n"),
    LongOption("null", False, "0"),
    LongOption("modname", False, "m"),
    LongOption("field", True, "F"),
    LongOption("set-version", True, "k"),
    LongOption("basedir", True, "b"),
    LongOption("version", False, "V"),
    LongOption("help", False, "h"),
)
# Only spelled in full, so that the abbreviations of kmod's options stay what they are
_OWN = (LongOption("json", False, "json"), LongOption("versions", False, "versions"))

_HELP = """\
Usage:
\t{program} [options] <modulename|filename> [args]
Options:
\t-a, --author                Print only 'author'
\t-d, --description           Print only 'description'
\t-l, --license               Print only 'license'
\t-p, --parameters            Print only 'parm'
\t-n, --filename              Print only 'filename'
\t-0, --null                  Use \\0 instead of \\n
\t-m, --modname               Handle argument as module name instead of alias or filename
\t-F, --field=FIELD           Print only provided FIELD
\t-k, --set-version=VERSION   Use VERSION instead of `uname -r`
\t-b, --basedir=DIR           Use DIR as filesystem root for /lib/modules
\t-V, --version               Show version
\t-h, --help                  Show this help
Beyond kmod:
\t    --json                  All modules as one JSON array
\t    --versions              Print the CRCs of the symbols that modules use
Exit status: 0, or 1 where a module was not found or not readable.
"""

_FIELDS = {"a": "author", "d": "description", "l": "license", "p": "parm", "n": "filename"}

# How much output is collected before it is written
_ENOUGH = 1 << 18


class _Choice:
    """What the command line asks for."""

    def __init__(self) -> None:
        self.field: str | None = None
        self.separator = "\n"
        self.is_name = False
        self.release: str | None = None
        self.base = ""
        self.is_json = False
        self.has_versions = False
        self.shown = ""
        self.arguments: Sequence[str] = ()

    @property
    def modules_directory(self) -> str:
        return f"{self.base}/lib/modules/{os.uname().release if self.release is None else self.release}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        choice = _parsed(words)
    except OptionError as error:
        write_error(f"{sys.argv[0]}: {error}\n")
        return 1
    output = _Output()
    try:
        status = 0
        if choice.shown:
            output.add(_shown(choice.shown))
        elif choice.arguments:
            status = _Run(choice, output).execute()
        else:
            status = _complain("missing module or filename.")
        output.flush()
        return status
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return end_of_pipe()
    except OSError as error:  # stdout takes nothing: a full disk
        return _complain(f"stdout: {error.strerror}")


def _parsed(words: Sequence[str]) -> _Choice:
    choice = _Choice()
    own = tuple(option for option in _OWN if f"--{option.name}" in words)
    line = Options(words, _SHORT, _LONG + own)
    for letter, argument in line:
        if letter in _FIELDS:
            choice.field = _FIELDS[letter]
        elif letter == "F":
            choice.field = argument
        elif letter == "0":
            choice.separator = "\0"
        elif letter == "m":
            choice.is_name = True
        elif letter == "k":
            choice.release = argument
        elif letter == "b":
            choice.base = argument or ""
        elif letter == "json":
            choice.is_json = True
        elif letter == "versions":
            choice.has_versions = True
        else:  # what follows is not looked at
            choice.shown = letter
            return choice
    choice.arguments = line.positional
    return choice


def _shown(letter: str) -> str:
    if letter == "h":
        return _HELP.format(program=_program())
    from modpost_py import __version__

    return f"kmod version 30 (modinfo-py {__version__})\n+ZSTD +XZ +ZLIB +LIBCRYPTO -EXPERIMENTAL\n"


class _Run:
    """One run over the arguments."""

    def __init__(self, choice: _Choice, output: _Output) -> None:
        self._choice = choice
        self._output = output
        self._modules = Modules(choice.modules_directory, self._report)
        self._status = 0

    def execute(self) -> int:
        """Print what was asked for; returns the exit status."""
        if self._choice.is_json:
            self._print_json()
        elif self._choice.has_versions:
            self._print_versions()
        else:
            for argument in self._choice.arguments:
                for module in self._named(argument):
                    self._print_fields(module)
        return self._status

    def _named(self, argument: str) -> list[NamedModule]:
        try:
            return self._modules.named(argument, self._choice.is_name)
        except ModpostError as error:
            self._report(error)
            return []

    def _print_fields(self, module: NamedModule) -> None:
        """As kmod: what is known without reading the module is printed before that is tried."""
        name, path = module
        field, separator = self._choice.field, self._choice.separator
        filename = "(builtin)" if path is None else path
        start = ""
        if path is None and field in (None, "name"):
            start = f"{name}{separator}" if field else f"name:           {name}{separator}"
        if field == "filename":
            self._output.add(f"{filename}{separator}")
            return
        if field is None:
            start += f"filename:       {filename}{separator}"
        try:
            entries = entries_of(name, path, self._modules.builtin)
        except (FileError, DamagedModuleError) as error:
            self._output.add(start)
            self._report_unreadable(name, error)
            return
        text, wrong = everything(entries, separator) if field is None else one_field(entries, field, separator)
        self._output.add(start + text)
        for parameter in wrong:
            self._complain(f"Found invalid \"{parameter}\": missing ':'")

    def _print_versions(self) -> None:
        """A block of lines a module; where there are several arguments, each is headed by the file's name."""
        from modpost_py.kmod.symbol_versions import symbol_versions, versions_text

        has_heads = len(self._choice.arguments) > 1
        separator = ""
        for argument in self._choice.arguments:
            for name, path in self._named(argument):
                text = ""
                if path is not None:
                    try:
                        with ModuleFile.opened(path) as module:
                            text = versions_text(symbol_versions(module))
                    except (FileError, DamagedModuleError) as error:
                        self._report_unreadable(name, error)
                        continue
                self._output.add(f"{separator}{path or name}:\n{text}" if has_heads else text)
                separator = "\n"

    def _print_json(self) -> None:
        import json

        separator = "[\n"
        for argument in self._choice.arguments:
            for name, path in self._named(argument):
                try:
                    document = self._document(name, path)
                except (FileError, DamagedModuleError) as error:
                    self._report_unreadable(name, error)
                    continue
                self._output.add(separator + json.dumps(document))
                separator = ",\n"
        self._output.add("[]\n" if separator == "[\n" else "\n]\n")

    def _document(self, name: str, path: str | None) -> dict[str, Json]:
        from modpost_py.kmod.modinfo_json import module_document
        from modpost_py.kmod.symbol_versions import symbol_versions

        has_versions = self._choice.has_versions
        if path is None:
            entries = entries_of(name, path, self._modules.builtin)
            return module_document(name, path, entries, None, [] if has_versions else None)
        with ModuleFile.opened(path) as module:
            versions = symbol_versions(module) if has_versions else None
            return module_document(name, path, own_entries(module), module.signature(), versions)

    def _report_unreadable(self, name: str, error: FileError | DamagedModuleError) -> None:
        self._complain(f"could not get modinfo from '{name}': {os.strerror(error.errno)}")
        self._status = 1

    def _report(self, error: ModpostError) -> None:
        self._complain(str(error))
        self._status = 1

    def _complain(self, text: str) -> None:
        self._output.before_error()
        _complain(text)


class _Output:
    """What goes to stdout, collected into large pieces; a terminal gets it before the error that follows it."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._size = 0

    def add(self, text: str) -> None:
        self._texts.append(text)
        self._size += len(text)
        if self._size > _ENOUGH:
            self.flush()

    def before_error(self) -> None:
        if os.isatty(1):
            self.flush()

    def flush(self) -> None:
        """Write what there is; raises OSError."""
        data = "".join(self._texts).encode("utf-8", "surrogateescape")
        self._texts.clear()
        self._size = 0
        write_all(1, data)


def _program() -> str:
    return os.path.basename(sys.argv[0]) or "modinfo-py"


def _complain(text: str) -> int:
    """One line on stderr; returns the exit status that it means."""
    write_error(f"{_program()}: ERROR: {text}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
