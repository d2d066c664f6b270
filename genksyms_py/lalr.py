# SPDX-License-Identifier: GPL-2.0-or-later
"""LALR(1) tables of a grammar: made by lark, then plain lists and dicts for the driver in exact_parser.py.

This is the only file that knows lark's inside.  What lark's own driver lacks, and the C tool's has, is worked out here
from the tables: where a rule is reduced without reading the next token (a *consistent* state has nothing else to do),
and which rule is reduced when the next token fits nothing (the *default*; none in a state that can shift ERROR).

Making tables takes lark a tenth of a second, too much for a run over one file.  So the tables stand beside the grammar,
in ``NAME.tables.json``, with a digest of the grammar's text; if it does not fit, lark is asked.  After a change of a
grammar, ``python -m genksyms_py.lalr`` writes them anew.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.resources
import json
import sys
from collections import Counter, deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

END = "$END"
ERROR = "ERROR"
_NO_RULE = -1


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
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
    directory = importlib.resources.files("genksyms_py")
    text = directory.joinpath(f"{grammar}.lark").read_text("utf-8")
    try:
        stored = json.loads(directory.joinpath(f"{grammar}.tables.json").read_text("utf-8"))
    except (OSError, ValueError):
        stored = {}
    if stored.get("digest") != _digest(text):
        stored = build(text)
    return _tables_from(stored)


def build(grammar_text: str) -> dict[str, Any]:
    """Let lark make the tables; the result is fit for JSON and the same in every run.

    ``transitions`` has one list per state of [symbol, target state] and ``reductions`` one of [terminal, rule].  Raises
    lark's own ``GrammarError`` for a grammar that is not LALR(1); a shift/reduce conflict counts as an error.
    """
    import lark

    class NoLexer(lark.lexer.Lexer):
        def __init__(self, configuration: object) -> None: ...

        def lex(self, *_: object) -> Any: ...

    parser = lark.Lark(grammar_text, parser="lalr", lexer=NoLexer, strict=False)
    table = parser.parser.parser._parse_table
    texts = {terminal.name: str(terminal.pattern.value) for terminal in parser.terminals}
    rules = sorted(parser.rules, key=lambda rule: (rule.origin.name, rule.order))
    rule_numbers = {rule: number for number, rule in enumerate(rules)}
    nonterminals = sorted({str(rule.origin.name) for rule in rules})

    numbers = {table.start_states["start"]: 0}
    waiting = deque(numbers)
    transitions: list[list[list[object]]] = []
    reductions: list[list[list[object]]] = []
    while waiting:
        shifts: list[list[object]] = []
        reduces: list[list[object]] = []
        for symbol, (action, argument) in sorted(table.states[waiting.popleft()].items()):
            name = texts.get(symbol, str(symbol))
            if action.name == "Reduce":
                reduces.append([name, rule_numbers[argument]])
                continue
            if argument not in numbers:
                numbers[argument] = len(numbers)
                waiting.append(argument)
            shifts.append([name, numbers[argument]])
        transitions.append(shifts)
        reductions.append(reduces)
    return {
        "digest": _digest(grammar_text),
        "nonterminals": nonterminals,
        "rules": [[nonterminals.index(rule.origin.name), len(rule.expansion), str(rule.alias or "")] for rule in rules],
        "transitions": transitions,
        "reductions": reductions,
        "accepting": numbers[table.end_states["start"]],
    }


def _digest(grammar_text: str) -> str:
    return hashlib.sha256(grammar_text.encode()).hexdigest()


def _tables_from(stored: dict[str, Any]) -> Tables:
    nonterminals = {name: number for number, name in enumerate(stored["nonterminals"])}
    transitions, reductions = stored["transitions"], stored["reductions"]
    terminals = sorted({name for state in transitions for name, _ in state if name not in nonterminals} | {END})
    terminal_numbers = {name: number for number, name in enumerate(terminals)}
    count = len(transitions)
    actions: list[dict[int, int]] = [{} for _ in range(count)]
    gotos: list[dict[int, int]] = [{} for _ in nonterminals]
    entered_by = [""] * count
    for state in range(count):
        for name, rule in reductions[state]:
            actions[state][terminal_numbers[name]] = -rule - 1
        for name, target in transitions[state]:
            entered_by[target] = name
            if name in nonterminals:
                gotos[nonterminals[name]][state] = target
            else:
                actions[state][terminal_numbers[name]] = target + 1
    actions[stored["accepting"]][terminal_numbers[END]] = 0
    error = terminal_numbers[ERROR]
    default = [_default_rule(state_actions, error) for state_actions in actions]
    result = Tables(
        terminals=terminals,
        rules=[tuple(rule) for rule in stored["rules"]],
        actions=actions,
        consistent=[
            rule if all(action == -rule - 1 for action in state_actions.values()) else _NO_RULE
            for rule, state_actions in zip(default, actions, strict=True)
        ],
        default=default,
        gotos=gotos,
        entered_by=entered_by,
    )
    _skip_idle_reductions(result)
    return result


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


def write_tables(directory: Path) -> None:
    """Write ``NAME.tables.json`` for each ``NAME.lark`` in ``directory``."""
    for grammar in sorted(directory.glob("grammar_*.lark")):
        text = json.dumps(build(grammar.read_text("utf-8")), separators=(",", ":"))
        grammar.with_suffix(".tables.json").write_text(text.replace("]],", "]],\n") + "\n", "utf-8")


if __name__ == "__main__":
    write_tables(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
