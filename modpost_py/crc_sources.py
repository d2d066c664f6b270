# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the CRCs of a module's exports come from.

Up to 5.18 the linker makes a symbol ``__crc_foo`` of genksyms' output.  Since 5.19 genksyms' lines
are appended to the ``.cmd`` file of each object that the module is linked from.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from modpost_py.core_messages import EXPORT_WITHOUT_CRC, PATH_TOO_LONG
from modpost_py.elf_constants import SHN_ABS, SHN_UNDEF
from modpost_py.messages import Reporter
from modpost_py.module_facts import FoundCrc
from modpost_py.object_file import ObjectFile
from modpost_py.text_files import PATH_MAX, read_text

# line = "#SYMVER " name " " number, where number is as for strtoul(3) with base 0 and starts with a digit
_LINE_START = "\n#SYMVER "
_NUMBER = re.compile("0[xX][0-9a-fA-F]+|[1-9][0-9]*|0[0-7]*")
_LARGEST_NUMBER = 2**64 - 1

# What an object's name ends in -> what of it is not part of the .cmd file's name
_OBJECT_SUFFIXES: dict[str, tuple[str, ...]] = {
    "6.1": (),
    "6.12": (),
    "7.2": (".thinlto-native.o",),
    "7.3": (".thinlto-native.o",),
}


def crc_of_symbol(object_file: ObjectFile, symbol: int, name: str, reporter: Reporter) -> FoundCrc | None:
    """The CRC that the symbol ``__crc_X`` gives for the export ``name`` (X): its value, or the word at its place."""
    symbols = object_file.symbols
    raw_section = symbols.raw_section[symbol]
    if raw_section == SHN_UNDEF:
        suffix = "" if reporter.module == "vmlinux" else ".ko"
        reporter.report(EXPORT_WITHOUT_CRC, symbol=name, suffix=suffix)
        return None
    if raw_section == SHN_ABS:
        return FoundCrc(name, symbols.value[symbol] & 0xFFFFFFFF)
    (crc,) = struct.unpack(object_file.prefix + "I", symbols.data(symbol, 4))
    return FoundCrc(name, crc)


def crcs_of_objects(module: str, reporter: Reporter) -> Iterator[FoundCrc]:
    """The CRCs in the ``.cmd`` files of the objects of ``module``.

    The objects are the lines of ``MODULE.mod`` (of ``.vmlinux.objs`` for vmlinux) up to the first
    empty one.  Raises :class:`FileError` for a file that cannot be read.
    """
    object_list = ".vmlinux.objs" if module == "vmlinux" else f"{module}.mod"
    if not _fits(object_list, reporter):
        return
    for path in read_text(object_list).split("\n"):
        if not path:
            break
        cmd_file = _cmd_file(path, _OBJECT_SUFFIXES[reporter.dialect.name])
        if _fits(cmd_file, reporter):
            yield from _crcs_of_text(read_text(cmd_file))


def _fits(path: str, reporter: Reporter) -> bool:
    if len(path) < PATH_MAX:
        return True
    reporter.report(PATH_TOO_LONG, file=path[: PATH_MAX - 1])
    return False


def _cmd_file(path: str, long_suffixes: tuple[str, ...]) -> str:
    """``dir/x.o`` -> ``dir/.x.o.cmd``; whatever the last two characters are, they give way to ``.o``."""
    base = path.rfind("/") + 1
    lengths = [len(suffix) for suffix in long_suffixes if path.endswith(suffix)]
    stem = path[base : len(path) - (lengths[0] if lengths else 2)]
    if len(path) - base < 2:
        stem = path[base:]
    return f"{path[:base]}.{stem}.o.cmd"


def _crcs_of_text(text: str) -> Iterator[FoundCrc]:
    position = text.find(_LINE_START)
    while position >= 0:
        name_start = position + len(_LINE_START)
        name_end = text.find(" ", name_start)
        if name_end < 0:
            return
        position = name_end + 1
        number = _NUMBER.match(text, position)
        if number is not None:
            position = number.end()
            if text.startswith("\n", position):
                yield FoundCrc(text[name_start:name_end], _strtoul(number[0]) & 0xFFFFFFFF)
        position = text.find(_LINE_START, position)


def _strtoul(digits: str) -> int:
    if digits[:2] in ("0x", "0X"):
        return min(int(digits, 16), _LARGEST_NUMBER)
    base = 8 if digits.startswith("0") else 10
    # Numbers of any length are only cut, not computed
    return _LARGEST_NUMBER if len(digits.lstrip("0")) > 30 else min(int(digits, base), _LARGEST_NUMBER)
