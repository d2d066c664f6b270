# SPDX-License-Identifier: GPL-2.0-or-later
"""modpost in Python: the kernel's module post-processing, byte-identical, for any target on any host.

modpost reads the objects of modules, checks that every symbol that they use is exported by
somebody, and writes for each a small source, ``MODULE.mod.c``, and for all of them a list of
what they export, ``Module.symvers``.  This package does the same for the kernels 5.10, 6.1, 6.12
and 7.x, for objects of either word size and byte order.

>>> import modpost_py
>>> result = modpost_py.run(["foo.o"], kernel="6.12", dumps=["Module.symvers"])     # doctest: +SKIP
>>> [(found.rule, found.values) for found in result.diagnostics]                    # doctest: +SKIP
>>> modpost_py.ObjectFile.read("foo.o").sections                                    # doctest: +SKIP

How it is put together; data flows downwards:

=====================  ==========================================================================
``object_file``        bytes -> sections, symbols, relocations
``object_reading``     one object -> the facts of a module (``module_facts``), with the help of
                       ``modinfo``, ``exports``, ``crc_sources``, ``device_tables``,
                       ``section_mismatch`` and ``srcversion``
``modules``            all modules and exports of a run
``symvers``            symbol dumps
``cross_reference``    unresolved symbols against exports
``module_source``      the emitted sources
``whole_run``          the order of work
``cli``                options and printing
=====================  ==========================================================================

What differs between kernels stands in ``dialects`` and in tables keyed by a dialect's name;
every message in ``core_messages``, ``section_messages`` and ``device_messages``.

Text is ``str`` decoded as latin-1 throughout, paths included: one character a byte.
"""

from __future__ import annotations

TYPE_CHECKING = False  # importing typing would double the start of the small programs
if TYPE_CHECKING:
    from modpost_py.dialects import DIALECTS, Dialect, choose_dialect, dialect_of
    from modpost_py.errors import (
        DialectError,
        FatalError,
        FileError,
        MalformedObjectError,
        ModpostError,
        NotElfError,
        ObjectFileError,
        UsageError,
    )
    from modpost_py.messages import Diagnostic
    from modpost_py.object_file import ObjectFile, Section
    from modpost_py.options import Options
    from modpost_py.whole_run import RunResult, run

__version__ = "0.1.0"

__all__ = [
    "DIALECTS",
    "Diagnostic",
    "Dialect",
    "DialectError",
    "FatalError",
    "FileError",
    "MalformedObjectError",
    "ModpostError",
    "NotElfError",
    "ObjectFile",
    "ObjectFileError",
    "Options",
    "RunResult",
    "Section",
    "UsageError",
    "choose_dialect",
    "dialect_of",
    "run",
]

# Imported when first asked for: the programs of the subpackages start without modpost itself
_HOMES = {
    "DIALECTS": "modpost_py.dialects",
    "Diagnostic": "modpost_py.messages",
    "Dialect": "modpost_py.dialects",
    "DialectError": "modpost_py.errors",
    "FatalError": "modpost_py.errors",
    "FileError": "modpost_py.errors",
    "MalformedObjectError": "modpost_py.errors",
    "ModpostError": "modpost_py.errors",
    "NotElfError": "modpost_py.errors",
    "ObjectFile": "modpost_py.object_file",
    "ObjectFileError": "modpost_py.errors",
    "Options": "modpost_py.options",
    "RunResult": "modpost_py.whole_run",
    "Section": "modpost_py.object_file",
    "UsageError": "modpost_py.errors",
    "choose_dialect": "modpost_py.dialects",
    "dialect_of": "modpost_py.dialects",
    "run": "modpost_py.whole_run",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
