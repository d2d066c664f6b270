# SPDX-License-Identifier: GPL-2.0-or-later
"""Expansion of exported symbols into the text that their CRC is computed over.

genksyms walks a symbol's definition depth first and prints each type in full where it is
met first and by its short name afterwards; an expansion of 200 KB is nothing unusual, and
the next export prints most of it again.  Three observations save the work:

* within one definition, a second reference to the same type is always the short form;
* where one type has been expanded, all that it reaches has been, too: what is visited
  between the references of an export is closed.  So ``expand(X | visited)`` is
  ``expand(X | nothing)`` with the outermost spans of visited types replaced by their short
  forms, and if little of X is visited, cutting is cheaper than walking;
* what is visited when an export's next reference comes up depends only on the *set* of
  references before it, so that ``(visited, X)`` is a key to remember the text by.

Nodes are loaded when first reached, at the place of the export that reaches them, as the C
tool does: the first declaration wins, and what is unknown then stays unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple
from zlib import crc32

Definition = tuple[str, ...]


class Loaded(NamedTuple):
    """A declared symbol: kind, name and definition as in a symtypes line."""

    kind: str
    name: str
    definition: Definition
    is_extern: bool = False
    is_override: bool = False


Lookup = Callable[[str, str], Loaded]
"""``(kind, name) -> symbol``; enters ``KEYWORD NAME { UNKNOWN }`` itself where nothing is declared."""

_KEYWORDS = {"s": "struct ", "u": "union ", "e": "enum "}
_REFERENCES = ("t#", "E#", "s#", "u#", "e#")
_TAGS = frozenset("sue")


class Baseline(NamedTuple):
    """A symbol's expansion with nothing visited before.

    ``spans`` holds, for every symbol within, begin, end and the short form that would stand
    there; ``order`` is the order of completion, ``reach`` the same as a set.
    """

    text: bytes
    spans: dict[Node, tuple[int, int, bytes]]
    order: list[Node]
    reach: frozenset[Node]


class Node:
    """A symbol of the graph, loaded when a walk first comes to it.

    ``parts`` are text and references in turn: ``[text, (node, kind, short), text, ...]``, in
    which a reference repeated within the definition, or to itself, is already text.
    """

    __slots__ = ("baseline", "loaded", "parts")

    def __init__(self) -> None:
        self.loaded: Loaded | None = None
        self.parts: list[Part] | None = None
        self.baseline: Baseline | None = None

    @property
    def symbol(self) -> Loaded:
        """The symbol; a node that belongs to an expansion has one."""
        assert self.loaded is not None
        return self.loaded


Part = bytes | tuple[Node, str, bytes]


class Expansion(NamedTuple):
    """An export's text (latin-1, every token followed by one space) and its symbols in order of completion."""

    text: bytes
    nodes: list[Node]

    @property
    def crc(self) -> int:
        """The CRC-32 of the text."""
        return crc32(self.text)


class Expander:
    """Expands exports of one unit; ``lookup`` loads what is met for the first time."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._nodes: dict[tuple[bool, str], Node] = {}
        self._texts: dict[tuple[frozenset[Node], Node], bytes] = {}

    def expand(self, exported: Loaded) -> Expansion:
        """Expand an exported symbol."""
        root = self._root(exported)
        pieces: list[bytes] = []
        order: list[Node] = []
        visited: frozenset[Node] = frozenset()
        for part in self._parts(root, exported.kind, exported.name):
            if isinstance(part, bytes):
                pieces.append(part)
                continue
            node, kind, short = part
            if node in visited:
                pieces.append(short)
                continue
            baseline = node.baseline or self._baseline(node, kind, short)
            if visited.isdisjoint(baseline.reach):
                pieces.append(baseline.text)
                order += baseline.order
            else:
                pieces.append(self._with_visited(node, baseline, visited))
                order += [reached for reached in baseline.order if reached not in visited]
            visited |= baseline.reach
        order.append(root)
        return Expansion(b"".join(pieces), order)

    def walk(self, exported: Loaded, begun: list[Node], completed: list[Node]) -> Iterator[bytes]:
        """The same text piece by piece, each symbol loaded only when the text comes to it.

        ``begun`` and ``completed`` grow by the symbols in these orders.
        """
        root = self._root(exported)
        started = {root}
        begun.append(root)
        stack = [(root, iter(self._parts(root, exported.kind, exported.name)))]
        while stack:
            node, rest = stack[-1]
            for part in rest:
                if isinstance(part, bytes):
                    yield part
                    continue
                target, kind, short = part
                if target in started:
                    yield short
                    continue
                started.add(target)
                begun.append(target)
                stack.append((target, iter(self._parts(target, kind, _name_in(short)))))
                break
            else:
                stack.pop()
                completed.append(node)

    def forget(self) -> None:
        """Take the graph apart, so that its cycles need no garbage collector."""
        for node in self._nodes.values():
            node.parts = node.baseline = None
        self._nodes.clear()
        self._texts.clear()

    def _with_visited(self, node: Node, baseline: Baseline, visited: frozenset[Node]) -> bytes:
        key = (visited, node)
        text = self._texts.get(key)
        if text is None:
            common = visited & baseline.reach
            if len(common) * _CUTTING_PAYS < len(baseline.reach):
                text = _cut(baseline, common)
            else:
                text = _rest(node, set(visited))
            self._texts[key] = text
        return text

    def _root(self, exported: Loaded) -> Node:
        node = self._node(exported.kind, exported.name)
        if node.loaded is None:
            node.loaded = exported
        return node

    def _node(self, kind: str, name: str) -> Node:
        key = (kind in _TAGS, name)
        node = self._nodes.get(key)
        if node is None:
            node = self._nodes[key] = Node()
        return node

    def _parts(self, node: Node, kind: str, name: str) -> list[Part]:
        """The definition of ``node`` as text and references; loads the symbol, by the reference that led to it."""
        if node.parts is not None:
            return node.parts
        if node.loaded is None:
            node.loaded = self._lookup(kind, name)
        parts: list[Part] = []
        text: list[str] = []
        met: set[Node] = {node}
        for token in node.loaded.definition:
            if token[1:2] != "#" or token[:2] not in _REFERENCES:
                text.append(token)
                continue
            target = self._node(token[0], token[2:])
            short = _KEYWORDS.get(token[0], "") + token[2:]
            if target in met:
                text.append(short)
                continue
            met.add(target)
            if text:
                parts.append(_encoded(text))
                text = []
            parts.append((target, token[0], _encoded([short])))
        if text:
            parts.append(_encoded(text))
        node.parts = parts
        return parts

    def _baseline(self, root: Node, kind: str, short: bytes) -> Baseline:
        """Walk from ``root`` with nothing visited before.

        The walk keeps its own stack: definitions nest as deep as their authors like.
        """
        pieces: list[bytes] = []
        length = 0
        spans: dict[Node, tuple[int, int, bytes]] = {}
        order: list[Node] = []
        started = {root}
        stack = [(root, iter(self._parts(root, kind, _name_in(short))), 0, short)]
        while stack:
            node, rest, start, own_short = stack[-1]
            for part in rest:
                if isinstance(part, bytes):
                    pieces.append(part)
                    length += len(part)
                    continue
                target, kind, short = part
                if target in started:
                    pieces.append(short)
                    length += len(short)
                    continue
                started.add(target)
                stack.append((target, iter(target.parts or self._parts(target, kind, _name_in(short))), length, short))
                break
            else:
                stack.pop()
                spans[node] = (start, length, own_short)
                order.append(node)
        root.baseline = Baseline(b"".join(pieces), spans, order, frozenset(order))
        return root.baseline


def _rest(root: Node, started: set[Node]) -> bytes:
    """The text of ``root``, whose baseline exists, with all symbols in ``started`` short."""
    pieces: list[bytes] = []
    started.add(root)
    stack = [iter(root.parts or ())]
    while stack:
        for part in stack[-1]:
            if isinstance(part, bytes):
                pieces.append(part)
                continue
            target, _, short = part
            if target in started:
                pieces.append(short)
                continue
            started.add(target)
            stack.append(iter(target.parts or ()))
            break
        else:
            stack.pop()
    return b"".join(pieces)


# Cutting costs per visited symbol, walking per symbol that is not; measured on real exports.
_CUTTING_PAYS = 3


def _cut(baseline: Baseline, visited: Iterable[Node]) -> bytes:
    """The baseline's text with the outermost spans of ``visited`` replaced by their short forms."""
    spans = baseline.spans
    text = baseline.text
    pieces: list[bytes] = []
    position = 0
    for start, end, short in sorted(spans[node] for node in visited):
        if start < position:
            continue
        pieces.append(text[position:start])
        pieces.append(short)
        position = end
    pieces.append(text[position:])
    return b"".join(pieces)


def _encoded(tokens: list[str]) -> bytes:
    return (" ".join(tokens) + " ").encode("latin-1")


def _name_in(short: bytes) -> str:
    """``struct page `` -> ``page``."""
    return short.rstrip().rpartition(b" ")[2].decode("latin-1")
