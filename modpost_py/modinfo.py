# SPDX-License-Identifier: GPL-2.0-or-later
"""The ``.modinfo`` section: ``tag=value`` strings, and which licences admit GPL-only symbols."""

from __future__ import annotations

from modpost_py.object_file import ObjectFile

GPL_COMPATIBLE_LICENSES = frozenset(
    {
        "GPL",
        "GPL v2",
        "GPL and additional rights",
        "Dual BSD/GPL",
        "Dual MIT/GPL",
        "Dual MPL/GPL",
    }
)


class Modinfo:
    """The entries of one module's ``.modinfo``, in section order.

    Format: NUL-terminated strings ``tag=value``, with any number of NULs between them.
    """

    def __init__(self, section: bytes) -> None:
        self.entries = [entry for entry in section.decode("latin-1").split("\0") if entry]

    @classmethod
    def of(cls, object_file: ObjectFile) -> Modinfo:
        """The modinfo of an object; without entries where it has no such section."""
        index = object_file.section_index.get(".modinfo")
        return cls(b"" if index is None else bytes(object_file.section_data(index)))

    def values(self, tag: str) -> list[str]:
        """The values of all entries of ``tag``."""
        start = tag + "="
        return [entry[len(start) :] for entry in self.entries if entry.startswith(start)]


def is_gpl_compatible(licenses: list[str]) -> bool:
    """Whether every licence of a module is one of the GPL's kin; a module without licence counts as such."""
    return all(license in GPL_COMPATIBLE_LICENSES for license in licenses)
