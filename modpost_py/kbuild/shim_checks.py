# SPDX-License-Identifier: GPL-2.0-or-later
"""The self-check of a shim: each launcher does a small piece of work whose result is known."""

from __future__ import annotations

import struct
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from modpost_py.dialects import dialect_of as modpost_dialect_of
from modpost_py.kbuild.fixdep_dialects import dialect_of

_SECONDS = 60


class Check(NamedTuple):
    """What a launcher was given, and what was wrong with its answer; ``None`` for nothing."""

    program: str
    work: str
    fault: str | None


def check_launcher(program: str, launcher: Path, release: str) -> Check:
    """Run the launcher of ``program`` in a directory of its own; ``release``: the kernel that it must be exact for."""
    work, run = _CHECKS[program]
    with tempfile.TemporaryDirectory(prefix="shim-check-") as directory:
        try:
            return Check(program, work, run(launcher.absolute(), Path(directory), release))
        except (OSError, subprocess.SubprocessError) as error:
            return Check(program, work, f"it cannot be run: {error}")


def _fixdep(launcher: Path, directory: Path, release: str) -> str | None:
    (directory / "probe.d").write_text("probe.o: probe.c \\\n probe.h include/generated/autoconf.h\n")
    (directory / "probe.c").write_text("#ifdef CONFIG_PROBE_ONE\n")
    (directory / "probe.h").write_text("IS_ENABLED(CONFIG_PROBE_ONE) IS_ENABLED(CONFIG_TWO)\n")
    dialect = dialect_of(release)
    one, two = ("probe/one.h", "two.h") if dialect.lower_case else ("PROBE_ONE", "TWO")
    expected = (
        f"{dialect.variable.decode()}_probe.o := gcc -c probe.c\n\nsource_probe.o := probe.c\n\ndeps_probe.o := \\\n"
        f"    $(wildcard include/config/{one}) \\\n  probe.h \\\n    $(wildcard include/config/{two}) \\\n\n"
        "probe.o: $(deps_probe.o)\n\n$(deps_probe.o):\n"
    )
    return _fault([launcher, "probe.d", "probe.o", "gcc -c probe.c"], directory, expected)


# The published version of printk on every kernel whose declaration of it is this one
_PRINTK = "int printk(const char *fmt, ...);\n__GENKSYMS_EXPORT_SYMBOL(printk);\n"
_PRINTK_CRC = "0xea147363"


def _genksyms(launcher: Path, directory: Path, release: str) -> str | None:
    # How the CRC is written differs between kernels
    return _fault([launcher, "-r", "/dev/null"], directory, _PRINTK_CRC, text=_PRINTK, is_whole=False)


def _modpost(launcher: Path, directory: Path, release: str) -> str | None:
    (directory / "probe.o").write_bytes(_module_object())
    (directory / "probe.mod").write_text("probe.o\n\n")
    (directory / ".probe.o.cmd").touch()
    (directory / "kernel.symvers").write_text("0x12345678\tmodule_layout\tvmlinux\tEXPORT_SYMBOL\t\n")
    # Since 6.14 -b asks for the versions that -m alone gave before
    basic = ["-b"] if "b" in modpost_dialect_of(release).option_letters else []
    options = ["-m", *basic, "-e", "-i", "kernel.symvers", "-o", "Module.symvers"]
    fault = _fault([launcher, *options, "probe.o"], directory, "")
    if fault is not None:
        return fault
    source = directory / "probe.mod.c"
    if not source.exists() or "0x12345678" not in source.read_text():
        return "it made no probe.mod.c with the version of module_layout"
    return None if (directory / "Module.symvers").exists() else "it made no Module.symvers"


def _fault(
    command: Sequence[str | Path], directory: Path, expected: str, text: str = "", is_whole: bool = True
) -> str | None:
    """What is wrong with a run, ``None`` if it succeeds in silence on stderr and writes what is expected.

    ``is_whole`` tells whether ``expected`` is all of its output or a part of it.
    """
    result = subprocess.run(
        command, cwd=directory, input=text, capture_output=True, text=True, errors="replace", timeout=_SECONDS
    )
    if result.returncode != 0 or result.stderr:
        message = result.stderr.strip().partition("\n")[0] or "no message"
        return f"exit status {result.returncode}: {message}"
    if result.stdout != expected if is_whole else expected not in result.stdout:
        return f"{result.stdout!r} instead of {expected!r}"
    return None


_CHECKS: dict[str, tuple[str, Callable[[Path, Path, str], str | None]]] = {
    "fixdep": ("a .cmd file", _fixdep),
    "genksyms": (f"the CRC of printk, {_PRINTK_CRC}", _genksyms),
    "modpost": ("a .mod.c and a Module.symvers", _modpost),
}

# A relocatable ELF object: file header, contents of the sections, section headers.
_FILE_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION_HEADER = struct.Struct("<IIQQQQIIQQ")
_RELOCATABLE, _X86_64 = 1, 62
_PROGBITS, _SYMTAB, _STRTAB, _ALLOC = 1, 2, 3, 2


def _module_object() -> bytes:
    """The smallest object that modpost takes for a module: a licence, and no symbols.

    For which machine plays no part: modpost works for any.
    """
    sections = (  # name, type, contents, the section it refers to, size of an entry
        (".modinfo", _PROGBITS, b"license=GPL\0description=probe\0", 0, 0),
        (".symtab", _SYMTAB, bytes(24), 3, 24),
        (".strtab", _STRTAB, b"\0.modinfo\0.symtab\0.strtab\0", 0, 0),
    )
    names = sections[-1][2]
    contents = b""
    headers = _SECTION_HEADER.pack(*[0] * 10)
    for name, kind, data, link, entry_size in sections:
        offset = _FILE_HEADER.size + len(contents)
        local_symbols = 1 if kind == _SYMTAB else 0
        place = names.index(name.encode() + b"\0")
        flags = _ALLOC if kind == _PROGBITS else 0
        headers += _SECTION_HEADER.pack(place, kind, flags, 0, offset, len(data), link, local_symbols, 1, entry_size)
        contents += data + bytes(-len(data) % 8)
    identification = b"\x7fELF" + bytes((2, 1, 1)) + bytes(9)
    table = _FILE_HEADER.size + len(contents)
    header = _FILE_HEADER.pack(
        identification, _RELOCATABLE, _X86_64, 1, 0, 0, table, 0, _FILE_HEADER.size, 0, 0, _SECTION_HEADER.size,
        len(sections) + 1, len(sections),
    )  # fmt: skip
    return header + contents + headers
