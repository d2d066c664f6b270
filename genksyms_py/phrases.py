# SPDX-License-Identifier: GPL-2.0-or-later
"""From raw tokens to the terminals of the grammar: words are classified, phrases become one terminal.

All tokens that are read are kept in one list, ``tokens``, those of a phrase one by one.  The parser removes from it and
cuts definitions out of it.

Look-ups happen when a token is read, and the parser reads a token only when it must; that decides whether a name that
is just being declared counts.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from re import Match
from typing import Protocol

from genksyms_py.dialects import Dialect
from genksyms_py.lalr import END, tables
from genksyms_py.raw_tokens import HASH_LINE, OTHER, STRING, TOKEN, WORD, Lines, skip_block
from genksyms_py.reserved_words import VECTOR_TYPES, reserved_words

_RawTokens = Iterator[Match[str]]

# Counted in terminals, the word struct, union or enum itself being the first: for so many is "{" no block and a name
# no typedef.
_NO_BLOCK_FOR = 3
_NO_TYPE_FOR = 2

_PARENTHESISED = ("ATTRIBUTE", "ASM", "STATIC_ASSERT")
_SPECIAL = (*_PARENTHESISED, "TYPEOF", "STRUCT", "ENUM", "[", "{", "=", ":")


class LexedKinds(Protocol):
    """The declared typedefs and enum constants."""

    def get(self, name: str, /) -> str | None:
        """``"t"``, ``"E"``, or something else for a name that is neither."""


class Vocabulary:
    """The terminals of a dialect by number, and the words and marks that stand for them.

    The first numbers are those of the grammar's tables; behind them come marks that the grammar does not know because
    they only begin phrases, and ``unknown``.
    """

    def __init__(self, dialect: Dialect) -> None:
        self.grammar = tables("grammar_b" if dialect.grammar == "B" else "grammar_a")
        self.has_vector_types = self.attributes_keep_count = dialect.grammar == "B"
        self.reserved = reserved_words(dialect)
        self.names = [*self.grammar.terminals, "[", "unknown"]
        self.numbers = {name: number for number, name in enumerate(self.names)}
        self.codes = {word: self.numbers[terminal] for word, terminal in self.reserved.items()}
        if self.has_vector_types:
            self.codes |= dict.fromkeys(VECTOR_TYPES, self.numbers["TYPE_WORD"])
        self.codes |= {mark: self.numbers[mark] for mark in "()*,:;={}["} | {"...": self.numbers["DOTS"]}
        self.special = frozenset(self.numbers[name] for name in _SPECIAL)


@functools.cache
def vocabulary(dialect: Dialect) -> Vocabulary:
    """The vocabulary of a dialect."""
    return Vocabulary(dialect)


class PhraseReader:
    """Reads one text.

    ``keeps_block`` is asked at each block whether its tokens can become part of a definition; if not, it is skipped
    without looking at them.  ``no_type`` makes typedef names plain identifiers (grammar B; the parser sets it).
    """

    def __init__(
        self,
        words: Vocabulary,
        text: str,
        lines: Lines,
        kinds: LexedKinds,
        keeps_block: Callable[[], bool],
    ) -> None:
        self.tokens: list[str | None] = []
        self.no_type = False
        #: The raw token with which the last terminal begins, and the last one that was looked at.
        self.first: Match[str] | None = None
        self.last: Match[str] | None = None
        #: Whether the input ended inside a phrase.
        self.ended_inside = False
        #: Whether a byte that is no text ended the input early.
        self.cut_short = False

        self._text = text
        self._lines = lines
        self._kinds = kinds
        self._keeps_block = keeps_block
        self._source_switches: list[tuple[int, bool]] = [(0, lines.in_source)]
        self._no_block = 0
        self._no_type = 0
        self._resume: int | None = None

        self._words = words
        self._numbers = words.numbers

    # ---- what the parser asks

    @property
    def position(self) -> int:
        """Where reading stands: behind the last raw token that was looked at."""
        return self.last.end() if self.last is not None else 0

    @property
    def awaits_compound(self) -> bool:
        """Whether the next terminal would be read differently because of a struct, union or enum before it."""
        return self._no_block > 1

    def was_in_source(self, index: int) -> bool:
        """Whether the token ``tokens[index]`` was read in the source file."""
        for start, in_source in reversed(self._source_switches):
            if start <= index:
                return in_source
        return False

    def cut(self, length: int) -> None:
        """Shorten the token list to ``length``."""
        del self.tokens[length:]
        if len(self._source_switches) > 1:
            switches = [(min(start, length), in_source) for start, in_source in self._source_switches]
            self._source_switches = switches if length else switches[-1:]

    # ---- terminals

    def terminals(self) -> Iterator[int]:
        """The numbers of the terminals, in the end that of ``$END`` for ever.

        One terminal per step; whatever a step depends on is looked up in that step.
        """
        tokens, kind_of, code_of, special = self.tokens, self._kinds.get, self._words.codes.get, self._words.special
        identifier, type_name, unknown = self._numbers["IDENT"], self._numbers["TYPE"], self._numbers["unknown"]
        before_expression = (self._numbers["="], self._numbers[":"])
        position: int | None = 0
        while position is not None:
            matches = TOKEN.finditer(self._text, position)
            position = None
            for match in matches:
                group = match.lastindex
                if group is None or group == HASH_LINE:
                    self._pass_line(match)
                    continue
                self.first = self.last = match
                if self._no_block:
                    self._count_down()
                token = match[group]
                code = code_of(token)
                if code is None:
                    if group == WORD:
                        kind = kind_of(token)
                        tokens.append("E#" + token if kind == "E" else token)
                        yield type_name if kind == "t" and not (self._no_type or self.no_type) else identifier
                        continue
                    if group == OTHER and _ends_input(token):
                        self.cut_short = True
                        break
                    self._keep(match)
                    yield unknown
                elif code not in special:
                    tokens.append(token)
                    yield code
                else:
                    if code in before_expression:
                        tokens.append(token)
                        yield code
                        phrase = self._read_expression(matches)
                    else:
                        phrase = self._read_phrase(code, match, matches)
                    if phrase is None:
                        self.ended_inside = True
                        break
                    yield phrase
                    if self._resume is not None:
                        position, self._resume = self._resume, None
                        break
        end = self._numbers[END]
        while True:
            yield end

    def _count_down(self) -> None:
        """A terminal more has been handed out since the last struct, union or enum."""
        self._no_block = max(self._no_block - 1, 0)
        self._no_type = max(self._no_type - 1, 0)

    def _pass_line(self, match: Match[str]) -> None:
        """A "#" line, or the end of the input."""
        if match.lastindex is None:
            self.first = self.last = match
        elif self._lines.pass_hash_line(match):
            self._source_switches.append((len(self.tokens), self._lines.in_source))

    # ---- phrases: each method returns the terminal, or None if the input ended inside

    def _read_phrase(self, code: int, match: Match[str], matches: _RawTokens) -> int | None:
        name = self._words.names[code]
        if name == "{" and not self._no_block:
            return self._read_block(match, matches)
        self._keep(match)
        if name in _PARENTHESISED:
            if name == "ATTRIBUTE" and self._words.attributes_keep_count and self._no_block:
                self._no_block += 1
            return code if self._read_balanced(matches, "(", ")", 0) else None
        if name == "TYPEOF":
            return self._read_typeof(matches)
        if name == "[":
            return self._numbers["BRACKETS"] if self._read_balanced(matches, "[", "]", 1) else None
        if name != "{":
            self._no_block = _NO_BLOCK_FOR
            self._no_type = _NO_TYPE_FOR
        return code

    # BODY = "{" anything "}"
    def _read_block(self, match: Match[str], matches: _RawTokens) -> int | None:
        if self._keeps_block():
            self._keep(match)
            return self._numbers["BODY"] if self._read_balanced(matches, "{", "}", 1) else None
        was_in_source = self._lines.in_source
        end, is_closed = skip_block(self._text, match.start(OTHER), self._lines)
        if self._lines.in_source != was_in_source:
            self._source_switches.append((len(self.tokens), self._lines.in_source))
        self.last = TOKEN.match(self._text, end)
        if not is_closed:
            return None
        self._resume = end + 1
        return self._numbers["BODY"]

    # ATTRIBUTE, ASM, STATIC_ASSERT = word anything "(" anything ")";  BRACKETS = "[" anything "]"
    def _read_balanced(self, matches: _RawTokens, opening: str, closing: str, depth: int) -> bool:
        """Keep tokens until a ``closing`` one makes the depth 0; only one before any opening makes it negative."""
        for match in matches:
            token = self._keep_raw(match)
            if token == opening:
                depth += 1
            elif token == closing:
                depth -= 1
                if not depth:
                    return True
            elif token == "\0":
                return False
        return False

    # EXPRESSION = anything, up to "," ";" or "}" at depth exactly 0, where all three kinds of brackets count alike
    def _read_expression(self, matches: _RawTokens) -> int | None:
        depth = 0
        for match in matches:
            token = match[match.lastindex] if match.lastindex in (STRING, WORD, OTHER) else ""
            if not depth and token in (",", ";", "}"):
                self.last = match
                self._resume = match.start(OTHER)
                return self._numbers["EXPRESSION"]
            self._keep_raw(match)
            if token in ("(", "[", "{"):
                depth += 1
            elif token in (")", "]", "}"):
                depth -= 1
            elif token == "\0":
                return None
        return None

    # TYPEOF = word anything "(" identifier anything ")" | word anything "(" anything ")", this "(" not kept
    # TYPEOF_WORD = word anything, before "(" and a reserved word or typedef
    # The "(" is the one that makes the depth 1: a ")" before it needs a "(" of its own.
    def _read_typeof(self, matches: _RawTokens) -> int | None:
        opening = None
        depth = 0
        for match in matches:
            token = match[match.lastindex or 0]
            if opening is None:
                depth += (token == "(") - (token == ")")
                if depth == 1:
                    opening = match
                elif self._keep_raw(match) == "\0":
                    return None
                continue
            if match.lastindex is None or match.lastindex == HASH_LINE:
                self._pass_line(match)
                continue
            self.last = match
            if token in self._words.reserved or (match.lastindex == WORD and self._kinds.get(token) == "t"):
                self._resume = opening.start(OTHER)
                return self._numbers["TYPEOF_WORD"]
            if match.lastindex == WORD and not (self._words.has_vector_types and token in VECTOR_TYPES):
                self._keep(opening)
            self._keep(match)
            if token == "\0":
                return None
            if token == "(":
                depth += 1
            elif token == ")":
                return self._numbers["TYPEOF"]
            return self._numbers["TYPEOF"] if self._read_balanced(matches, "(", ")", depth) else None
        return None

    def _keep_raw(self, match: Match[str]) -> str:
        """Keep a token and return its text; a "#" line, which is not kept, gives an empty text."""
        if match.lastindex is None or match.lastindex == HASH_LINE:
            self._pass_line(match)
            return ""
        self.last = match
        self._keep(match)
        return match[match.lastindex]

    def _keep(self, match: Match[str]) -> None:
        """Append a token: enum constants are tagged, a string ends at a NUL."""
        token = match[match.lastindex or 0]
        if match.lastindex == STRING:
            self._lines.pass_string(match)
            token = token.partition("\0")[0]
        elif match.lastindex == WORD and token not in self._words.codes and self._kinds.get(token) == "E":
            token = "E#" + token
        self.tokens.append(token)


def _ends_input(token: str) -> bool:
    """NUL and bytes beyond ASCII outside phrases count as the end."""
    return token == "\0" or token >= "\x80"
