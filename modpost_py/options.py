# SPDX-License-Identifier: GPL-2.0-or-later
"""The options of modpost, by meaning, and the letters that stand for them."""

from __future__ import annotations

from typing import NamedTuple


class Options(NamedTuple):
    """What a run is asked to do.  Paths are latin-1 text, as everywhere in this package."""

    objects: tuple[str, ...] = ()
    """The objects, in order (the operands)."""
    object_list: str | None = None
    """``-T FILE``: a file with one more object a line."""
    dumps: tuple[str, ...] = ()
    """``-i FILE``: symbol dumps to read first."""
    dump: str | None = None
    """``-o FILE``: the symbol dump to write."""
    is_external: bool = False
    """``-e``: modules outside the kernel tree."""
    modversions: bool = False
    """``-m``: CRCs are collected and written."""
    modules_enabled: bool = False
    """``-M``: the kernel has modules, so that ``.export_symbol`` counts."""
    basic_versions: bool = False
    """``-b``: ``__versions`` (7.x)."""
    extended_versions: bool = False
    """``-x``: ``__version_ext_crcs`` and ``__version_ext_names`` (7.x)."""
    all_source_versions: bool = False
    """``-a``: ``srcversion`` for every module."""
    ignores_missing_files: bool = False
    """``-n``."""
    trims_unused_exports: bool = False
    """``-t``."""
    whitelist: str | None = None
    """``-u FILE``: symbols to keep when trimming."""
    extra_warnings: bool = False
    """``-W``."""
    warns_of_undefined: bool = False
    """``-w``: undefined symbols are warnings."""
    mismatches_are_errors: bool = False
    """``-E``."""
    allows_missing_imports: bool = False
    """``-N``: name spaces that are not imported are warnings."""
    namespace_list: str | None = None
    """``-d FILE``: where to list the name spaces that modules should import."""


#: Letter -> the option that it sets; what an option with argument does stands in ``cli``.
FLAGS = {
    "e": "is_external",
    "m": "modversions",
    "M": "modules_enabled",
    "b": "basic_versions",
    "x": "extended_versions",
    "a": "all_source_versions",
    "n": "ignores_missing_files",
    "t": "trims_unused_exports",
    "W": "extra_warnings",
    "w": "warns_of_undefined",
    "E": "mismatches_are_errors",
    "N": "allows_missing_imports",
}
#: Letter -> the option that takes its argument; a repeated one counts last, except for ``-i``.
ARGUMENTS = {"T": "object_list", "o": "dump", "u": "whitelist", "d": "namespace_list"}
