# SPDX-License-Identifier: GPL-2.0-or-later
"""What ``--strict`` complains about, and the C tool passes over in silence.

An export without a CRC, and a declaration that an export needs and that could not be
parsed: one whose remains an export reaches, or one that an undefined type or an export
without CRC stands in.
"""

from __future__ import annotations

from genksyms_py.versions import UnitVersions


def complaints(unit: UnitVersions) -> list[str]:
    """Lines ``file:line:column: message``, in the order of the text's errors, then of the exports.

    ``unit`` must have been made with its syntax errors noted and its symtypes collected.
    """
    reached = {loaded.name for loaded in unit.symtypes}
    unknown = {loaded.name for loaded in unit.symtypes if loaded.definition[-2:-1] == ("UNKNOWN",)}
    missing = {name for name, _ in unit.unversioned}
    lines = []
    for lost in unit.lost:
        needed = sorted((lost.names & reached) | (lost.words & (unknown | missing)) | lost.swallowed)
        if needed:
            lines.append(f"{lost}, in a declaration that exported symbols need: {', '.join(needed)}")
    for name, location in unit.unversioned:
        lines.append(f"{location.file}:{location.line}:1: no declaration of the exported symbol {name}: it gets no CRC")
    return lines
