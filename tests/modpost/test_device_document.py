# SPDX-License-Identifier: GPL-2.0-or-later
"""The reference of device tables in docs/ against the tables that the program uses.

``python -m tests.modpost.test_device_document`` prints the table of formats for the document.
"""

from __future__ import annotations

from pathlib import Path

from modpost_py.alias_notation import forms_of
from modpost_py.alias_rules import ALIAS_RULES
from modpost_py.device_layouts import DEVICE_STRUCTURES, Target, in_force, layout_of
from modpost_py.dialects import DIALECTS, NEWEST
from tests.modpost.device_alias_cases import CASES

_DOCUMENT = Path(__file__).parents[2] / "docs" / "modpost-device-tables.md"
_TARGET = Target(64, "little")


def _example(device_type: str) -> str:
    """The first alias that was worked out by hand for the newest kernel."""
    return next(
        aliases[0]
        for name, dialects, _, aliases in CASES
        if name == device_type and NEWEST.name in dialects and aliases
    )


def _formats() -> list[str]:
    """The rows of the table of formats, by device type."""
    lines = []
    rules = in_force(ALIAS_RULES, NEWEST.name)
    for device_type, structure in sorted(in_force(DEVICE_STRUCTURES, NEWEST.name).items()):
        since = next(dialect.name for dialect in DIALECTS if device_type in in_force(ALIAS_RULES, dialect.name))
        since = "" if since == DIALECTS[0].name else since
        forms = "<br>".join(f"`{form}`" for form in forms_of(rules[device_type].rule, layout_of(structure, _TARGET)))
        example = f"`{_example(device_type)}`"
        lines.append(f"| `{device_type}` | {since} | `{structure.name}` | {forms} | {example} |")
    return lines


def _document_rows(heading: str) -> list[str]:
    """The rows of the table under a heading, without its two header lines."""
    section = _DOCUMENT.read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return [line for line in section.splitlines() if line.startswith("|")][2:]


def test_formats_in_the_document() -> None:
    """Check that the document has each device type with the structure, the format and an alias that are true."""
    assert _document_rows("Formats") == _formats()


def test_changes_in_the_document() -> None:
    """Check that the document tells of each change of a structure or of a format, and of no other."""
    oldest: dict[str, str] = {}
    changes = set()
    for table in (DEVICE_STRUCTURES, ALIAS_RULES):
        for row in table:
            if row.since != oldest.setdefault(row.device_type, row.since):
                changes.add((row.since, f"`{row.device_type}`"))
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in _document_rows("Changes")]
    assert {(since, device_type) for since, device_type, _ in cells} == changes


if __name__ == "__main__":
    print("\n".join(_formats()))
