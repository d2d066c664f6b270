# SPDX-License-Identifier: GPL-2.0-or-later
"""The dialects of genksyms: what differs between kernel releases, as data.

Two grammars exist: A (up to 6.13) and B (since 6.14).  Beyond the grammar, releases
differ in one keyword, in options and in the form of the output line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from genksyms_py.errors import DialectError
from genksyms_py.kernel_release import KernelRelease, dialect_for, dialect_of_build

KERNEL_VARIABLE = "GENKSYMS_KERNEL"


@dataclass(frozen=True, slots=True)
class Dialect:
    """One release range of genksyms.

    ``since`` is the first release of the range.  ``output`` names the form of the CRC line:
    ``symver`` (``#SYMVER name 0x...``), ``linker-script`` (``__crc_name = 0x...;``) or ``ver``
    (the 2.4 ``#define __ver_name`` pair).
    """

    name: str
    since: KernelRelease
    grammar: Literal["A", "B"]
    output: Literal["ver", "linker-script", "symver"]
    has_static_assert: bool = True
    has_relative_crc_option: bool = False
    symbol_prefix_option: Literal["accepted", "fails", "unknown"] = "unknown"
    export_macros_are_markers: bool = False
    keeps_declarator_attributes: bool = False


# The 2.4 tool knew EXPORT_SYMBOL(x) itself, took its kernel version from -k and kept
# attributes after every declarator.
_2_4 = Dialect(
    name="2.4",
    since=KernelRelease(2, 0),
    grammar="A",
    output="ver",
    has_static_assert=False,
    export_macros_are_markers=True,
    keeps_declarator_attributes=True,
)
_5_10 = Dialect(
    name="5.10",
    since=KernelRelease(2, 5),
    grammar="A",
    output="linker-script",
    has_static_assert=False,
    has_relative_crc_option=True,
    symbol_prefix_option="fails",
)
_6_1 = replace(
    _5_10,
    name="6.1",
    since=KernelRelease(5, 19),
    output="symver",
    has_static_assert=True,
    has_relative_crc_option=False,
)
_6_12 = replace(_6_1, name="6.12", since=KernelRelease(6, 12), symbol_prefix_option="unknown")
_7_X = replace(_6_12, name="7.x", since=KernelRelease(6, 14), grammar="B")

#: Oldest first; a release belongs to the last dialect whose ``since`` it has reached.
DIALECTS: tuple[Dialect, ...] = (_2_4, _5_10, _6_1, _6_12, _7_X)
NEWEST = DIALECTS[-1]
# What a release older than all of these lacks.
_BEGINNING = "symbol versions (2.0)"


def dialect_of(release: str) -> Dialect:
    """The dialect of a kernel release such as ``6.1`` or ``6.12.107+deb13-arm64``.

    Raises :class:`DialectError` for a text that is no release or one older than 2.0.
    """
    try:
        return dialect_for(release, DIALECTS, _BEGINNING)
    except ValueError as error:
        raise DialectError(str(error)) from None


def choose_dialect(
    kernel: str | None = None, environment: Mapping[str, str] | None = None, directory: Path | None = None
) -> Dialect:
    """The dialect for ``--kernel``'s value, else of the build under way, else the newest.

    Raises :class:`DialectError`; its text names where the unreadable release came from.
    """
    if kernel is not None:
        return dialect_of(kernel)
    try:
        return dialect_of_build(KERNEL_VARIABLE, environment, directory, DIALECTS, _BEGINNING)
    except ValueError as error:
        raise DialectError(str(error)) from None
