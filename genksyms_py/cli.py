# SPDX-License-Identifier: GPL-2.0-or-later
"""The command ``genksyms-py``: the C tool's options and messages, and a batch mode beside them."""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import signal
import stat
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NoReturn

from genksyms_py.arriving_text import ArrivingText
from genksyms_py.atomic_output import write_atomically
from genksyms_py.command_options import OwnOptions, long_options, own_options, short_options, usage
from genksyms_py.crc_lines import crc_line, modversions_header
from genksyms_py.dialects import Dialect, choose_dialect
from genksyms_py.errors import GenksymsError, InputError, OutputError, SymtypesError
from genksyms_py.gnu_getopt import OptionError, Options
from genksyms_py.messages import Message
from genksyms_py.strict import complaints
from genksyms_py.symbol_table import KIND_WORDS, Symbol
from genksyms_py.symtypes import read_reference
from genksyms_py.versions import UnitVersions, Versioner, exact_run

_VERSION_TEXT = "genksyms version 2.5.60"
# The size that the hash table of the C tool has; its last debug line tells the occupancy.
_HASH_BUCKETS = 4096
# Bytes to ask standard input for; a pipe gives less
_CHUNK = 1 << 20


@dataclass(slots=True)
class Settings:
    """The C tool's options, as given."""

    debug: int = 0
    dump: bool = False
    warnings: bool = False
    preserve: bool = False
    relative: bool = False
    prefix: str = ""
    reference: str | None = None
    dump_types: list[str] = field(default_factory=list)


class _ExitError(Exception):
    """Ends the command with a status, everything having been said."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command and exit with its status; ``arguments`` default to the process's."""
    gc.disable()  # the process ends before cycles could matter
    try:
        status = _run(list(sys.argv[1:] if arguments is None else arguments))
    except _ExitError as end:
        status = end.status
    except (InputError, OutputError, SymtypesError) as error:
        _tell(f"{error}\n")  # as the C tool: the file's name stands before the reason
        status = error.exit_status
    except GenksymsError as error:
        _say(str(error))
        status = error.exit_status
    except BrokenPipeError:
        _die_of(signal.SIGPIPE, "standard output: the reader is gone")
    except KeyboardInterrupt:
        _die_of(signal.SIGINT, "interrupted")
    except (MemoryError, RecursionError):
        _say("out of memory")
        status = 1
    # Everything is written; taking the memory apart piece by piece would only cost time.
    os._exit(status)


def _run(arguments: list[str]) -> int:
    own, rest = own_options(arguments)
    dialect = choose_dialect(own.kernel)
    if own.help:
        _tell(usage(dialect, with_own=True))
        return 0
    if own.modversions_header:
        _print(os.fsencode(modversions_header(own.files)))
        return 0
    if own.batch:
        return _batch(own, dialect)
    settings = _settings(rest, dialect)
    return _single(settings, own, dialect)


def _settings(arguments: list[str], dialect: Dialect) -> Settings:
    """Take the C tool's options one by one, each with its effect and its errors at once."""
    settings = Settings()
    options = Options(arguments, short_options(dialect), long_options(dialect))
    while True:
        try:
            option = next(options, None)
        except OptionError as error:
            _say(str(error))
            _tell(usage(dialect))
            raise _ExitError(1) from None
        if option is None:
            return settings
        _apply(option.letter, option.argument or "", settings, dialect)


def _apply(letter: str, argument: str, settings: Settings, dialect: Dialect) -> None:
    match letter:
        case "d":
            settings.debug += 1
        case "D":
            settings.dump = True
        case "w" | "q":
            settings.warnings = letter == "w"
        case "p" if dialect.output == "ver":
            settings.prefix = argument
        case "p":
            settings.preserve = True
        case "R":
            settings.relative = True
        case "V":
            _tell(_VERSION_TEXT + "\n")
        case "r":
            _check_readable(argument)
            settings.reference = argument
        case "T":
            _check_writable(argument)
            settings.dump_types.append(argument)
        case "h":
            _tell(usage(dialect, with_own=True))
            raise _ExitError(0)
        case "s":
            _tell(usage(dialect))
            raise _ExitError(1)
        case _:
            pass  # 2.4: -k was read with our own options, -a has no effect


def _single(settings: Settings, own: OwnOptions, dialect: Dialect) -> int:
    """One unit from standard input to standard output."""
    source = ArrivingText(_standard_input())
    unit = _unit_versions(source, settings, own, dialect)
    source.whole()  # who writes it shall not be cut off
    lines = (
        crc_line(dialect, version.name, version.crc, relative=settings.relative, prefix=settings.prefix)
        for version in unit.versions
    )
    # The C tool's standard output is written when it ends, after the symtypes file.
    for number, path in enumerate(settings.dump_types, 1):
        text = unit.symtypes_text() if number == len(settings.dump_types) else ""
        _write(path, text.encode("latin-1"))
    _print("".join(lines).encode("latin-1"))
    status = int(unit.failure_count > 0 or (settings.warnings and unit.warning_count > 0))
    if own.strict:
        found = complaints(unit)
        _tell("".join(f"{line}\n" for line in found))
        status = status or int(bool(found))
    return status


def _unit_versions(source: ArrivingText, settings: Settings, own: OwnOptions, dialect: Dialect) -> UnitVersions:
    reference = settings.reference if settings.reference is not None and _has_content(settings.reference) else None
    if not (settings.debug or settings.dump or settings.warnings or reference):
        versioner = Versioner(
            dialect,
            wants_symtypes=bool(settings.dump_types) or own.strict,
            notes_errors=own.strict,
            remembers=False,
        )
        return versioner.unit_versions(source)
    references = []
    if reference is not None:
        references.append(partial(read_reference, reference, leaks_enumerators=dialect.grammar == "A"))
    def tell(message: Message) -> None:
        if settings.warnings or not message.is_error:
            _tell(f"{message}\n")

    unit = exact_run(
        source.whole(),
        dialect,
        references=references,
        preserve=settings.preserve,
        on_message=tell,
        on_definition=_tell_definition if settings.debug else None,
        on_dump=_tell_bytes if settings.dump else None,
    )
    if settings.debug:
        occupancy = unit.entry_count / _HASH_BUCKETS
        _tell(f"Hash table occupancy {unit.entry_count}/{_HASH_BUCKETS} = {occupancy:g}\n")
    return unit


def _tell_definition(symbol: Symbol) -> None:
    """What ``-d`` shows of each new entry."""
    kind = KIND_WORDS[symbol.kind] or "type0"
    extern = "extern " if symbol.is_extern else ""
    tokens = "".join(token + " " for token in symbol.definition) or "(nil)"
    _tell(f"Defn for {kind} {symbol.name} == <{extern}{tokens}>\n")


def _batch(own: OwnOptions, dialect: Dialect) -> int:
    """Many units; CRCs to standard output, progress and failures to standard error."""
    from genksyms_py.batch import run_batch  # with multiprocessing, too long to load for one unit

    paths = _listed_files(own)
    progress = _Progress(len(paths)) if os.isatty(2) else None
    status = 0
    for result in run_batch(
        paths,
        dialect,
        root=Path(own.root),
        symtypes_directory=Path(own.symtypes_directory) if own.symtypes_directory else None,
        jobs=own.jobs,
        strict=own.strict,
    ):
        path = os.fsencode(result.path)
        _print(b"".join(b"%s\t%s\t0x%08x\n" % (path, symbol.encode("latin-1"), crc) for symbol, crc in result.crcs))
        complaints_here = [result.error] if result.error is not None else result.complaints
        if complaints_here:
            status = 1
            if progress is not None:
                progress.clear()
            _tell("".join(f"{line}\n" for line in complaints_here))
        if progress is not None:
            progress.advance(result.path)
    if progress is not None:
        progress.clear()
    return status


def _listed_files(own: OwnOptions) -> list[str]:
    if own.files_from is None:
        return own.files
    try:
        if own.files_from == "-":
            text = sys.stdin.buffer.read()
        else:
            text = Path(own.files_from).read_bytes()
    except OSError as error:
        raise InputError(f"{own.files_from}: {error.strerror}") from None
    return [*own.files, *(line for line in os.fsdecode(text).splitlines() if line)]


class _Progress:
    """One line on a terminal that tells how far a batch has come."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0

    def advance(self, path: str) -> None:
        self._done += 1
        _tell(f"\r\x1b[K[{self._done}/{self._total}] {path[-60:]}")

    def clear(self) -> None:
        _tell("\r\x1b[K")


def _standard_input() -> Iterator[bytes]:
    """Standard input as it arrives; what the C tool's lexer says of one that cannot be read."""
    try:
        while chunk := os.read(0, _CHUNK):
            yield chunk
    except OSError:
        raise InputError("input in flex scanner failed") from None


def _has_content(path: str) -> bool:
    """Whether a reference says anything: kbuild passes ``/dev/null`` where there is none."""
    try:
        status = os.stat(path)
        if stat.S_ISCHR(status.st_mode):
            return status.st_rdev != os.stat(os.devnull).st_rdev
        return not stat.S_ISREG(status.st_mode) or status.st_size > 0
    except OSError:
        return True


def _check_readable(path: str) -> None:
    try:
        if stat.S_ISDIR(os.stat(path).st_mode):
            raise SymtypesError(f"{path}: {os.strerror(errno.EISDIR)}")
        os.close(os.open(path, os.O_RDONLY))
    except OSError as error:
        raise SymtypesError(f"{path}: {error.strerror}") from None


def _check_writable(path: str) -> None:
    """Fail where the C tool fails to open the file for writing, without touching what is there."""
    try:
        if os.path.exists(path) or not path:
            os.close(os.open(path, os.O_WRONLY))
        else:
            probe = f"{path}.{os.getpid()}"
            os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
            os.unlink(probe)
    except OSError as error:
        raise OutputError(f"{path}: {error.strerror}") from None


def _write(path: str, data: bytes) -> None:
    try:
        write_atomically(path, data)
    except OSError as error:
        # The C tool does not notice; a user should.
        _say(f"{path}: {error.strerror}")


def _print(data: bytes) -> None:
    """Write to standard output.  The C tool does not notice failures and its status stays the same; a line tells."""
    try:
        while data:
            data = data[os.write(1, data) :]
    except BrokenPipeError:
        raise
    except OSError as error:
        _say(f"standard output: {error.strerror}")


def _tell(text: str) -> None:
    """Write to standard error: names from C text are latin-1, names of files as the system has them."""
    try:
        _tell_bytes(text.encode("latin-1"))
    except UnicodeEncodeError:
        _tell_bytes(os.fsencode(text))


def _tell_bytes(data: bytes) -> None:
    with contextlib.suppress(OSError):
        os.write(2, data)


def _say(text: str) -> None:
    _tell_bytes(os.fsencode(f"{_program()}: {text}\n"))


def _program() -> str:
    name = sys.argv[0]
    return "genksyms-py" if name.endswith("__main__.py") else name


def _die_of(number: signal.Signals, text: str) -> NoReturn:
    """End as the C tool would, by the signal, so that shells and make see the same."""
    _say(text)
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    os._exit(128 + number)
