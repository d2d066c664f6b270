# SPDX-License-Identifier: GPL-2.0-or-later
"""The dialects of modpost: what differs between kernel releases, as data.

Five releases are known exactly: 5.10, 6.1, 6.12, 7.2 and 7.3.  A release between two of them
is given the dialect of the nearest one that shares its way of marking exports.  Tables of a
size of their own (messages, device tables, section classes, layouts of the emitted source)
stand in their own files, keyed by :attr:`Dialect.name`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from genksyms_py.kernel_release import KernelRelease, dialect_for, dialect_of_build
from modpost_py.errors import DialectError

KERNEL_VARIABLE = "MODPOST_KERNEL"


class Dialect(NamedTuple):
    """One release range of modpost; ``since`` is the first release of the range.

    Every other field names one behaviour, in the order in which a run meets it.
    """

    name: str
    since: KernelRelease
    # command line
    option_letters: str
    list_may_be_stdin: bool
    """``-T -`` reads the list from stdin; otherwise ``-`` is an ordinary file name."""
    # run
    newest_first: bool
    """Modules, unresolved symbols and name spaces are kept newest first, exports in hash order."""
    errors_stop_writing: bool
    """An error makes the exit status 1 and keeps every later output file from being written."""
    checks_precede_writes: bool
    """All modules are checked before the first file is written; otherwise module by module."""
    module_prefixes: bool
    """Diagnostics about a module begin with its file name (the ``{M}`` of the message tables)."""
    fatal_prefix: str
    """What a fatal message begins with."""
    harmless_errors: frozenset[str]
    """Rules of errors that leave the exit status alone."""
    long_piece: Literal["fatal", "padded"]
    """What becomes of a piece of output of 500 bytes or more: an error, or 499 bytes and NULs."""
    # object files
    needs_object_suffix: bool
    """Paths must end in ``.o``; otherwise whatever the last two characters are, they are dropped."""
    only_relocatable: bool
    """ET_EXEC and ET_DYN objects are refused."""
    exports_from: Literal["ksymtab symbols", "export_symbol relocations"]
    needs_modules_option: bool
    """``.export_symbol`` relocations are exports only with ``-M``."""
    crcs_from: Literal["crc symbols", "cmd files"]
    namespaces_from: Literal["kstrtabns symbols", "export_symbol relocations"]
    no_namespace: str
    """How a message shows that a symbol has no name space."""
    module_namespaces: bool
    """``module:`` name spaces name the modules that may import a symbol."""
    keeps_no_trim_symbols: bool
    """``.no_trim_symbol`` names symbols that survive trimming."""
    checks_description: Literal["never", "with -W", "always"]
    keeps_section_state: bool
    """What one object's sections show bears on the messages about later objects."""
    aliases_are_unique: bool
    """An alias appears once a module; otherwise tables are written out as they are read."""
    # cross reference
    needs_vmlinux: bool
    """Undefined symbols are reported only when vmlinux or its dump was read."""
    unresolved_limit: int | None
    """How many undefined symbols of one run are printed."""
    gpl_violation_is_fatal: bool
    warns_of_unused_exports: bool
    warns_of_static_exports: bool
    quotes_imported_namespaces: bool
    """Sources say ``MODULE_IMPORT_NS("X")``, not ``MODULE_IMPORT_NS(X)``."""
    # written files
    writes_vmlinux_exports: bool
    """``.vmlinux.export.c`` is written when vmlinux is among the objects."""
    dump_modules_are_per_file: bool
    """Equal module names in two dumps are two modules."""


_5_10 = Dialect(
    name="5.10",
    since=KernelRelease(2, 5),
    option_letters="ei:mnT:o:awENd:",
    list_may_be_stdin=True,
    newest_first=True,
    errors_stop_writing=False,
    checks_precede_writes=False,
    module_prefixes=False,
    fatal_prefix="FATAL: modpost: ",
    harmless_errors=frozenset({"unknown-namespace-symbol"}),
    long_piece="padded",
    needs_object_suffix=False,
    only_relocatable=False,
    exports_from="ksymtab symbols",
    needs_modules_option=False,
    crcs_from="crc symbols",
    namespaces_from="kstrtabns symbols",
    no_namespace="(null)",
    module_namespaces=False,
    keeps_no_trim_symbols=False,
    checks_description="never",
    keeps_section_state=True,
    aliases_are_unique=False,
    needs_vmlinux=True,
    unresolved_limit=None,
    gpl_violation_is_fatal=True,
    warns_of_unused_exports=True,
    warns_of_static_exports=True,
    quotes_imported_namespaces=False,
    writes_vmlinux_exports=False,
    dump_modules_are_per_file=False,
)
_6_1 = _5_10._replace(
    name="6.1",
    since=KernelRelease(5, 19),
    option_letters="ei:mnT:o:aWwENd:",
    newest_first=False,
    errors_stop_writing=True,
    harmless_errors=frozenset(),
    long_piece="fatal",
    needs_object_suffix=True,
    only_relocatable=True,
    keeps_section_state=False,
    crcs_from="cmd files",
    no_namespace="",
    needs_vmlinux=False,
    unresolved_limit=10,
    gpl_violation_is_fatal=False,
    warns_of_unused_exports=False,
    warns_of_static_exports=False,
    writes_vmlinux_exports=True,
)
_6_12 = _6_1._replace(
    name="6.12",
    since=KernelRelease(6, 5),
    option_letters="ei:MmnT:to:au:WwENd:",
    list_may_be_stdin=False,
    checks_precede_writes=True,
    fatal_prefix="ERROR: modpost: ",
    long_piece="padded",
    exports_from="export_symbol relocations",
    needs_modules_option=True,
    namespaces_from="export_symbol relocations",
    checks_description="with -W",
)
# modpost did not change, but what sources look like
_6_13 = _6_12._replace(since=KernelRelease(6, 13), quotes_imported_namespaces=True)
_7_2 = _6_13._replace(
    name="7.2",
    since=KernelRelease(6, 14),
    option_letters="ei:MmnT:to:au:WwENd:xb",
    long_piece="fatal",
    module_namespaces=True,
    keeps_no_trim_symbols=True,
    checks_description="always",
    aliases_are_unique=True,
    dump_modules_are_per_file=True,
)
_7_3 = _7_2._replace(name="7.3", since=KernelRelease(7, 3), module_prefixes=True)

#: The dialects with messages, tables and layouts of their own, oldest first.
DIALECTS: tuple[Dialect, ...] = (_5_10, _6_1, _6_12, _7_2, _7_3)
#: Oldest first; a release belongs to the last one whose ``since`` it has reached.
_RELEASES = (_5_10, _6_1, _6_12, _6_13, _7_2, _7_3)
NEWEST = DIALECTS[-1]
# What a release older than all of these lacks.
_BEGINNING = "modpost (2.5)"


def dialect_of(release: str) -> Dialect:
    """The dialect of a kernel release such as ``6.1`` or ``6.12.107+deb13-arm64``.

    Raises :class:`DialectError` for a text that is no release or one older than 2.5.
    """
    try:
        return dialect_for(release, _RELEASES, _BEGINNING)
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
        return dialect_of_build(KERNEL_VARIABLE, environment, directory, _RELEASES, _BEGINNING)
    except ValueError as error:
        raise DialectError(str(error)) from None
