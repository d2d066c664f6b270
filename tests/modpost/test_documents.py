# SPDX-License-Identifier: GPL-2.0-or-later
"""The manual pages name every rule and every option."""

from __future__ import annotations

import re
from pathlib import Path

from modpost_py import core_messages, device_messages, section_messages
from modpost_py.cli import _LONG_OPTIONS
from modpost_py.dialects import DIALECTS
from modpost_py.messages import Message

DOCS = Path(__file__).resolve().parents[2] / "docs"


def _messages(module: object) -> list[Message]:
    found: list[Message] = []
    for value in vars(module).values():
        values = value.values() if hasattr(value, "values") and not isinstance(value, type) else [value]
        found += [message for message in values if isinstance(message, Message)]
    return found


def test_every_rule_is_documented() -> None:
    """Check that the table of rules in the manual is complete and names no rule that does not exist."""
    text = (DOCS / "modpost-diagnostics.md").read_text()
    table = text[text.index("## Rules") :]
    first_cells = re.findall(r"^\| ([^|]*) \|", table, re.MULTILINE)
    documented = {rule for cell in first_cells for rule in re.findall(r"`([a-z][a-z0-9-]+)`", cell)}
    messages = [
        message for module in (core_messages, section_messages, device_messages) for message in _messages(module)
    ]
    assert documented == {message.rule for message in messages} | {"damaged-object", "unusable-file"}


def test_every_option_is_documented() -> None:
    """Check that the manual page names every option of every dialect and our own."""
    text = (DOCS / "modpost-py.md").read_text()
    letters = {letter for dialect in DIALECTS for letter in dialect.option_letters if letter != ":"}
    assert {letter for letter in letters if f"`-{letter}" not in text} == set()
    assert {option.name for option in _LONG_OPTIONS if f"`--{option.name}" not in text} == set()
