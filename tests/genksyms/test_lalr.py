# SPDX-License-Identifier: GPL-2.0-or-later
"""The tables of the grammars."""

from __future__ import annotations

import logging
from importlib.resources import files
from pathlib import Path

import lark
import pytest

from genksyms_py import lalr


def _text(grammar: str) -> str:
    return files("genksyms_py").joinpath(f"{grammar}.lark").read_text("utf-8")


GRAMMARS = pytest.mark.parametrize("grammar", ["grammar_a", "grammar_b"])


@GRAMMARS
def test_the_stored_tables_are_larks(grammar: str) -> None:
    """Check that the tables beside a grammar are those that the installed lark makes of it now."""
    lalr.tables.cache_clear()
    assert lalr.tables(grammar) == lalr.make_tables(_text(grammar))


def test_a_changed_grammar_has_new_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check that stored tables are used only for the grammar they were made of, and that broken ones are none."""
    (tmp_path / "small.lark").write_text('start: "x" | ERROR\n%declare ERROR', "utf-8")
    monkeypatch.setattr(lalr, "_DIRECTORY", tmp_path)
    lalr.write_tables(tmp_path)
    counts = []
    for change in ("", '\nother: "y"\nstart: other | "z" | ERROR\n%declare ERROR'):
        if change:
            (tmp_path / "small.lark").write_text(change, "utf-8")
        lalr.tables.cache_clear()
        counts.append(len(lalr.tables("small").rules))
    (tmp_path / "small.tables.json").write_text("[", "utf-8")
    lalr.tables.cache_clear()
    counts.append(len(lalr.tables("small").rules))
    lalr.tables.cache_clear()
    assert counts == [2, 4, 4]


@GRAMMARS
def test_the_grammar_has_no_conflict(grammar: str, caplog: pytest.LogCaptureFixture) -> None:
    """Check that lark resolves no shift/reduce conflict in silence (reduce/reduce ones are errors anyway)."""
    with caplog.at_level(logging.DEBUG, logger=lark.logger.name):
        lalr.make_tables(_text(grammar))
        assert "Conflict" not in caplog.text and "conflict" not in caplog.text
        lalr.make_tables('start: a "x" | a "x" "y" "z" | ERROR\na: "u" | "u" "x"\n%declare ERROR')
        assert "Shift/Reduce conflict" in caplog.text


@GRAMMARS
def test_recovery_states_have_no_default(grammar: str) -> None:
    """Check that a state which can shift ERROR reduces nothing by default, so that errors are noticed at once."""
    tables = lalr.tables(grammar)
    error = tables.terminals.index(lalr.ERROR)
    places = [state for state, actions in enumerate(tables.actions) if actions.get(error, 0) > 0]
    assert len(places) > 5
    assert {tables.default[state] for state in places} == {-1}


def test_a_state_that_shifts_error_reduces_only_what_fits() -> None:
    """Check that a state which can shift ERROR has no default reduction, but one that shifts something else has."""
    grammar = 'start: "x" | "x" {} "y" | ERROR\n%declare ERROR'
    found = []
    for word in ("ERROR", '"w"'):
        tables = lalr.make_tables(grammar.format(word))
        state = tables.entered_by.index("x")
        found.append((tables.default[state], tables.consistent[state]))
    assert found == [(-1, -1), (0, -1)]


def test_writing_tables_gives_the_stored_files(tmp_path: Path) -> None:
    """Check that the command that makes the tables writes, byte for byte, what stands in the package."""
    names = ["grammar_a", "grammar_b"]
    for name in names:
        (tmp_path / f"{name}.lark").write_text(_text(name), "utf-8")
    lalr.write_tables(tmp_path)
    for name in names:
        stored = files("genksyms_py").joinpath(f"{name}.tables.json").read_bytes()
        assert (tmp_path / f"{name}.tables.json").read_bytes() == stored
