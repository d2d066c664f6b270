# SPDX-License-Identifier: GPL-2.0-or-later
"""Expansion of exported symbols into the text that their CRC is computed over.

genksyms walks a symbol's definition depth first and prints each type in full where it is
met first and by its short name afterwards; an expansion of 200 KB is nothing unusual, and
the next export prints most of it again.  Three observations save the work:

* within one definition, a second reference to the same type is always the short form, so
  that a definition is, once and for all, a few pieces of text and references between them;
* where one type has been expanded, all that it reaches has been, too: what is visited
  between the references of an export is closed.  So ``expand(X | visited)`` is
  ``expand(X | nothing)`` with the outermost spans of visited types replaced by their short
  forms, and if little of X is visited, cutting is cheaper than walking;
* what is visited when an export's next reference comes up depends only on the *set* of
  references before it, so that ``(visited, X)`` is a key to remember the text by.

Symbols are loaded when first reached, at the place of the export that reaches them, as the
C tool does: the first declaration wins, and what is unknown then stays unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate
from typing import NamedTuple
from zlib import crc32

Definition = tuple[str, ...]

#: A name in its name space: the bare name, or ``#tag`` for structs, unions and enums.
Key = str
#: ``(text, key, short form, kind)``: text, then a reference; the last part has no key.
Part = tuple[bytes, Key, bytes, str]

_KEYWORDS = {"s": "struct ", "u": "union ", "e": "enum "}
_REFERENCES = frozenset(("t#", "E#", "s#", "u#", "e#"))
_TAGS = frozenset("sue")


class Loaded:
    """A declared symbol: kind, name and definition as in a symtypes line.

    ``parts`` is the definition as text and references, made when first needed; a reference
    repeated within the definition, or to the symbol itself, is text there.
    """

    __slots__ = ("_parts", "definition", "is_extern", "is_override", "kind", "name")

    def __init__(
        self, kind: str, name: str, definition: Definition, is_extern: bool = False, is_override: bool = False
    ) -> None:
        self.kind = kind
        self.name = name
        self.definition = definition
        self.is_extern = is_extern
        self.is_override = is_override
        self._parts: tuple[Part, ...] | None = None

    @property
    def key(self) -> Key:
        """The name in its name space."""
        return key_of(self.kind, self.name)

    @property
    def parts(self) -> tuple[Part, ...]:
        """The definition as text and references in turn."""
        if self._parts is None:
            self._parts = tuple(_parts(self.definition, self.key))
        return self._parts

    @property
    def symref(self) -> str:
        """The name as symtypes files have it."""
        return f"{self.kind}#{self.name}" if self.kind else self.name


def key_of(kind: str, name: str) -> Key:
    """The name in its name space."""
    return "#" + name if kind in _TAGS else name


def _parts(definition: Definition, own_key: Key) -> Iterator[Part]:
    text: list[str] = []
    met = {own_key}
    for token in definition:
        if token[:2] not in _REFERENCES:
            text.append(token)
            continue
        kind, name = token[0], token[2:]
        key = key_of(kind, name)
        short = _KEYWORDS.get(kind, "") + name
        if key in met:
            text.append(short)
            continue
        met.add(key)
        yield _encoded(text), key, _encoded([short]), kind
        text = []
    yield _encoded(text), "", b"", ""


def _encoded(tokens: list[str]) -> bytes:
    return (" ".join(tokens) + " ").encode("latin-1") if tokens else b""


Lookup = Callable[[str, str], Loaded]
"""``(kind, name) -> symbol``; enters ``KEYWORD NAME { UNKNOWN }`` itself where nothing is declared."""


class Expansion:
    """An export's text, in pieces that other exports share, and its symbols in order of completion."""

    __slots__ = ("_loaded", "_orders", "_pieces", "_root", "crc")

    def __init__(
        self, pieces: list[bytes], orders: list[list[Key]], root: Loaded, loaded: Mapping[Key, Loaded]
    ) -> None:
        self._pieces = pieces
        self._orders = orders
        self._root = root
        self._loaded = loaded
        crc = 0
        for piece in pieces:
            crc = crc32(piece, crc)
        #: The CRC-32 of the text.
        self.crc = crc

    @property
    def text(self) -> bytes:
        """The expanded declaration in latin-1, every token followed by one space."""
        return b"".join(self._pieces)

    @property
    def symbols(self) -> Iterator[Loaded]:
        """What the text is made of, in order of completion, the exported symbol last."""
        for order in self._orders:
            yield from map(self._loaded.__getitem__, order)
        yield self._root


def finished_expansion(pieces: list[bytes], completed: list[Loaded]) -> Expansion:
    """What a :meth:`Expander.walk` has given, as an expansion."""
    root = completed[-1]
    order = [symbol.key for symbol in completed[:-1]]
    return Expansion(pieces, [order], root, {symbol.key: symbol for symbol in completed})


class _Baseline:
    """A symbol's expansion with nothing visited before.

    ``spans`` has, for every symbol within, the piece of text that it begins with, the one
    behind its last, and the short form that would stand there.
    """

    __slots__ = ("offsets", "order", "reach", "spans", "text")

    def __init__(self, pieces: list[bytes], spans: dict[Key, tuple[int, int, bytes]], order: list[Key]) -> None:
        self.offsets = [0, *accumulate(map(len, pieces))]
        self.text = b"".join(pieces)
        self.spans = spans
        self.order = order
        self.reach = frozenset(order)

    def without(self, visited: Iterable[Key]) -> bytes:
        """The text with the outermost spans of ``visited`` replaced by their short forms."""
        spans, offsets, text = self.spans, self.offsets, self.text
        pieces: list[bytes] = []
        position = 0
        for start, end, short in sorted(spans[key] for key in visited):
            begin = offsets[start]
            if begin < position:
                continue
            pieces.append(text[position:begin])
            pieces.append(short)
            position = offsets[end]
        pieces.append(text[position:])
        return b"".join(pieces)


class _Step(NamedTuple):
    """What one reference adds: text, symbols in order of completion, and the state afterwards."""

    text: bytes
    order: list[Key]
    after: _State


class _State:
    """A set of visited symbols between two references of an export, and the steps from there."""

    __slots__ = ("steps", "visited")

    def __init__(self, visited: frozenset[Key]) -> None:
        self.visited = visited
        self.steps: dict[Key, _Step] = {}


class Expander:
    """Expands exports of one unit; ``lookup`` loads what is met for the first time."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._loaded: dict[Key, Loaded] = {}
        self._baselines: dict[Key, _Baseline] = {}
        self._begin = _State(frozenset())
        self._states = {self._begin.visited: self._begin}

    def expand(self, exported: Loaded) -> Expansion:
        """Expand an exported symbol."""
        exported = self._loaded.setdefault(exported.key, exported)
        pieces: list[bytes] = []
        orders: list[list[Key]] = []
        state = self._begin
        for text, key, short, kind in exported.parts:
            pieces.append(text)
            if not key:
                continue
            if key in state.visited:
                pieces.append(short)
                continue
            step = state.steps.get(key) or self._step(state, key, kind, short)
            pieces.append(step.text)
            orders.append(step.order)
            state = step.after
        return Expansion(pieces, orders, exported, self._loaded)

    def walk(self, exported: Loaded, begun: list[Loaded], completed: list[Loaded]) -> Iterator[bytes]:
        """The same text piece by piece, each symbol loaded only when the text comes to it.

        ``begun`` and ``completed`` grow by the symbols in these orders.
        """
        root = self._loaded.setdefault(exported.key, exported)
        started = {root.key}
        begun.append(root)
        stack = [(root, iter(root.parts))]
        while stack:
            symbol, rest = stack[-1]
            for text, key, short, kind in rest:
                yield text
                if not key:
                    continue
                if key in started:
                    yield short
                    continue
                target = self._load(key, kind)
                started.add(key)
                begun.append(target)
                stack.append((target, iter(target.parts)))
                break
            else:
                stack.pop()
                completed.append(symbol)

    def _load(self, key: Key, kind: str) -> Loaded:
        symbol = self._loaded.get(key)
        if symbol is None:
            symbol = self._loaded[key] = self._lookup(kind, key.removeprefix("#"))
        return symbol

    def _step(self, state: _State, key: Key, kind: str, short: bytes) -> _Step:
        visited = state.visited
        baseline = self._baselines.get(key)
        if baseline is None and len(visited) < _WORTH_A_WALK:
            baseline = self._baseline(key, kind, short)
        if baseline is not None:
            common = visited & baseline.reach
            if len(common) * _CUTTING_PAYS <= len(baseline.reach):
                text = baseline.without(common) if common else baseline.text
                order = [reached for reached in baseline.order if reached not in common] if common else baseline.order
                return self._keep_step(state, key, text, order, visited | baseline.reach)
        pieces, order = self._rest(key, kind, visited)
        return self._keep_step(state, key, b"".join(pieces), order, visited.union(order))

    def _keep_step(self, state: _State, key: Key, text: bytes, order: list[Key], visited: frozenset[Key]) -> _Step:
        after = self._states.get(visited)
        if after is None:
            after = self._states[visited] = _State(visited)
        step = state.steps[key] = _Step(text, order, after)
        return step

    def _baseline(self, root: Key, kind: str, short: bytes) -> _Baseline:
        """Walk from ``root`` with nothing visited before.

        The walk keeps its own stack: definitions nest as deep as their authors like.
        """
        loaded = self._loaded
        pieces: list[bytes] = []
        append = pieces.append
        spans: dict[Key, tuple[int, int, bytes]] = {}
        order: list[Key] = []
        started = {root}
        stack = [(root, iter(self._load(root, kind).parts), 0, short)]
        while stack:
            own_key, rest, start, own_short = stack[-1]
            for text, key, short, kind in rest:
                append(text)
                if key in started:
                    append(short)
                elif key:
                    started.add(key)
                    symbol = loaded.get(key) or self._load(key, kind)
                    stack.append((key, iter(symbol.parts), len(pieces), short))
                    break
            else:
                stack.pop()
                spans[own_key] = (start, len(pieces), own_short)
                order.append(own_key)
        baseline = self._baselines[root] = _Baseline(pieces, spans, order)
        return baseline

    def _rest(self, root: Key, kind: str, visited: frozenset[Key]) -> tuple[list[bytes], list[Key]]:
        """Walk from ``root`` with all symbols in ``visited`` short: pieces of text, order of completion."""
        loaded = self._loaded
        pieces: list[bytes] = []
        append = pieces.append
        order: list[Key] = []
        started = set(visited)
        started.add(root)
        stack = [(root, iter(self._load(root, kind).parts))]
        while stack:
            own_key, rest = stack[-1]
            for text, key, short, kind in rest:
                append(text)
                if key in started:
                    append(short)
                elif key:
                    started.add(key)
                    stack.append((key, iter((loaded.get(key) or self._load(key, kind)).parts)))
                    break
            else:
                stack.pop()
                order.append(own_key)
        return pieces, order


# Cutting costs per visited symbol, walking per symbol that is not; measured on real exports.
_CUTTING_PAYS = 3
# With fewer symbols visited, a baseline costs hardly more than the walk, and serves again.
_WORTH_A_WALK = 100
