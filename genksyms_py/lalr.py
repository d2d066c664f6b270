# SPDX-License-Identifier: GPL-2.0-or-later
"""LALR(1) tables of a grammar: made by lark, then plain lists and dicts for the driver in exact_parser.py.

This is the only file that knows lark's inside.  What lark's own driver lacks, and the C tool's has, is worked out here
from the tables: where a rule is reduced without reading the next token (a *consistent* state has nothing else to do),
and which rule is reduced when the next token fits nothing (the *default*; none in a state that can shift ERROR).

Making tables takes a tenth of a second, too much for a run over one file.  So they stand beside the grammar, in
``NAME.tables.json``, with a checksum of the grammar's text; if it does not fit, lark is asked.  After a change of a
grammar, ``python -c "from genksyms_py.lalr import write_tables; write_tables()"`` writes them anew.

Modules that only some runs need are imported where they are needed.
"""

from __future__ import annotations

import functools
import zlib
from collections import Counter, deque
from pathlib import Path
from typing import Any, NamedTuple

END = "$END"
ERROR = "ERROR"

_NO_RULE = -1
_ACCEPT = 0
_DIRECTORY = Path(__file__).parent


class Tables(NamedTuple):
    """The automaton; state 0 is the first.

    ``terminals`` names the terminals by number (literals by their text, the end of the input ``$END``).
    ``rules`` are (left side, number of symbols on the right, action name or "").
    ``actions[state]`` maps a terminal to ``s + 1`` (shift, go to s), ``-r - 1`` (reduce rule r) or 0 (accept).
    ``consistent[state]`` and ``default[state]`` are rules or -1.
    ``gotos[left side][state]`` is the state after a reduction, where ``state`` is the one uncovered by it.
    ``entered_by[state]`` is the symbol by which the state is entered ("" for state 0).
    """

    terminals: list[str]
    rules: list[tuple[int, int, str]]
    actions: list[dict[int, int]]
    consistent: list[int]
    default: list[int]
    gotos: list[dict[int, int]]
    entered_by: list[str]


@functools.cache
def tables(grammar: str) -> Tables:
    """The tables of ``grammar_a`` or ``grammar_b``: the stored ones if they belong to the grammar's text."""
    path = _DIRECTORY / f"{grammar}.lark"
    grammar_text = path.read_text("utf-8")
    stored = _load(path.with_suffix(".tables.json"), _checksum(grammar_text))
    return make_tables(grammar_text) if stored is None else stored


# ---- made by lark


def make_tables(grammar_text: str) -> Tables:
    """Let lark make the tables; states and rules are numbered alike in every run.

    Raises lark's ``GrammarError`` for a reduce/reduce conflict; a shift/reduce conflict is a shift, as everywhere.
    """
    import lark

    class NoLexer(lark.lexer.Lexer):
        def __init__(self, configuration: object) -> None: ...

        def lex(self, *_: object) -> Any: ...

    parser = lark.Lark(grammar_text, parser="lalr", lexer=NoLexer)
    table = parser.parser.parser._parse_table
    literals = {terminal.name: str(terminal.pattern.value) for terminal in parser.terminals}
    rules = sorted(parser.rules, key=lambda rule: (rule.origin.name, rule.order))
    rule_numbers = {rule: number for number, rule in enumerate(rules)}
    nonterminals = sorted({str(rule.origin.name) for rule in rules})
    terminals = sorted({literals.get(s, str(s)) for state in table.states.values() for s in state} - {*nonterminals})
    symbols = {name: number for names in (nonterminals, terminals) for number, name in enumerate(names)}

    actions: list[dict[int, int]] = []
    gotos: list[dict[int, int]] = [{} for _ in nonterminals]
    entered_by = {0: ""}
    numbers = {table.start_states["start"]: 0}
    waiting = deque(numbers)
    while waiting:
        state = len(actions)
        actions.append({})
        for symbol, (action, argument) in sorted(table.states[waiting.popleft()].items()):
            name = literals.get(symbol, str(symbol))
            if action.name == "Reduce":
                actions[state][symbols[name]] = -rule_numbers[argument] - 1
                continue
            if argument not in numbers:
                numbers[argument] = len(numbers)
                waiting.append(argument)
            target = numbers[argument]
            entered_by[target] = name
            if name in nonterminals:
                gotos[symbols[name]][state] = target
            else:
                actions[state][symbols[name]] = target + 1
    actions[numbers[table.end_states["start"]]][symbols[END]] = _ACCEPT
    default = [_default_rule(state, symbols[ERROR]) for state in actions]
    made = Tables(
        terminals=terminals,
        rules=[(symbols[rule.origin.name], len(rule.expansion), str(rule.alias or "")) for rule in rules],
        actions=actions,
        consistent=[
            rule if all(action == -rule - 1 for action in state.values()) else _NO_RULE
            for rule, state in zip(default, actions, strict=True)
        ],
        default=default,
        gotos=gotos,
        entered_by=[entered_by[state] for state in range(len(actions))],
    )
    _skip_idle_reductions(made)
    return made


def _default_rule(actions: dict[int, int], error: int) -> int:
    """The rule that most terminals call for, the first one of several; none if ERROR can be shifted."""
    if actions.get(error, 0) > 0:
        return _NO_RULE
    counts = Counter(-action - 1 for action in actions.values() if action < 0)
    return min(counts, key=lambda rule: (-counts[rule], rule), default=_NO_RULE)


def _skip_idle_reductions(tables: Tables) -> None:
    """Go at once to where reductions lead that need no next token, have no action and one symbol on the right."""

    def destination(state: int, target: int) -> int:
        rule = tables.consistent[target]
        if rule == _NO_RULE:
            return target
        left, length, action = tables.rules[rule]
        return target if action or length != 1 else destination(state, tables.gotos[left][state])

    for goto in tables.gotos:
        goto.update({state: destination(state, target) for state, target in goto.items()})
    for state, actions in enumerate(tables.actions):
        actions.update({name: destination(state, to - 1) + 1 for name, to in actions.items() if to > 0})


# ---- stored


def write_tables(directory: Path = _DIRECTORY) -> None:
    """Write ``NAME.tables.json`` for each ``NAME.lark`` in ``directory``."""
    import json

    for path in sorted(directory.glob("*.lark")):
        grammar_text = path.read_text("utf-8")
        made = make_tables(grammar_text)
        stored = made._asdict() | {
            "checksum": _checksum(grammar_text),
            "actions": [_pairs(state) for state in made.actions],
            "gotos": [_pairs(symbol) for symbol in made.gotos],
        }
        text = json.dumps(stored, separators=(",", ":")).replace("]],", "]],\n")
        path.with_suffix(".tables.json").write_text(f"{text}\n", "utf-8")


def _load(path: Path, checksum: str) -> Tables | None:
    """The tables in a file, if it was written for a grammar with that checksum."""
    import json

    try:
        stored = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    if stored.pop("checksum", "") != checksum:
        return None
    stored["rules"] = [(left, length, action) for left, length, action in stored["rules"]]
    stored["actions"] = [dict(zip(*state, strict=True)) for state in stored["actions"]]
    stored["gotos"] = [dict(zip(*symbol, strict=True)) for symbol in stored["gotos"]]
    return Tables(**stored)


def _pairs(mapping: dict[int, int]) -> tuple[list[int], list[int]]:
    """A dict as JSON can keep it: its keys are numbers."""
    return list(mapping), list(mapping.values())


def _checksum(grammar_text: str) -> str:
    return f"{zlib.crc32(grammar_text.encode()):08x}"
