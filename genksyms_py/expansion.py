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
    """What a symref means: kind, name and definition of the declared symbol."""

    kind: str
    name: str
    definition: Definition
    is_extern: bool = False


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
    """A symbol of the graph.

    ``parts`` are text and references in turn: ``[text, (node, short), text, ...]``, in which a
    reference repeated within the definition, or to itself, is already text.
    """

    __slots__ = ("baseline", "definition", "is_extern", "kind", "name", "parts")

    def __init__(self, loaded: Loaded) -> None:
        self.kind = loaded.kind
        self.name = loaded.name
        self.definition = loaded.definition
        self.is_extern = loaded.is_extern
        self.parts: list[bytes | tuple[Node, bytes]] | None = None
        self.baseline: Baseline | None = None

    @property
    def symref(self) -> str:
        """The name as symtypes files have it."""
        return f"{self.kind}#{self.name}" if self.kind else self.name


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

    def expand(self, loaded: Loaded) -> Expansion:
        """Expand an exported symbol."""
        root = self._node(loaded.kind, loaded.name, lambda *_: loaded)
        pieces: list[bytes] = []
        order: list[Node] = []
        visited: frozenset[Node] = frozenset()
        for part in self._parts(root):
            if isinstance(part, bytes):
                pieces.append(part)
                continue
            node, short = part
            if node in visited:
                pieces.append(short)
                continue
            baseline = node.baseline or self._baseline(node)
            if visited.isdisjoint(baseline.reach):
                pieces.append(baseline.text)
                order += baseline.order
            else:
                pieces.append(self._with_visited(node, baseline, visited))
                order += [reached for reached in baseline.order if reached not in visited]
            visited |= baseline.reach
        order.append(root)
        return Expansion(b"".join(pieces), order)

    def _with_visited(self, node: Node, baseline: Baseline, visited: frozenset[Node]) -> bytes:
        key = (visited, node)
        text = self._texts.get(key)
        if text is None:
            common = visited & baseline.reach
            if len(common) * _CUTTING_PAYS < len(baseline.reach):
                text = _cut(baseline, common)
            else:
                text = b"".join(self._walk(node, set(visited))[0])
            self._texts[key] = text
        return text

    def _node(self, kind: str, name: str, load: Lookup) -> Node:
        key = (kind in _TAGS, name)
        node = self._nodes.get(key)
        if node is None:
            node = self._nodes[key] = Node(load(kind, name))
        return node

    def _parts(self, node: Node) -> list[bytes | tuple[Node, bytes]]:
        """The definition of ``node`` as text and references; loads what it refers to."""
        if node.parts is not None:
            return node.parts
        parts: list[bytes | tuple[Node, bytes]] = []
        text: list[str] = []
        met: set[Node] = {node}
        for token in node.definition:
            if token[1:2] != "#" or token[:2] not in _REFERENCES:
                text.append(token)
                continue
            kind, name = token[0], token[2:]
            target = self._node(kind, name, self._lookup)
            short = _KEYWORDS.get(kind, "") + name
            if target in met:
                text.append(short)
                continue
            met.add(target)
            if text:
                parts.append(_encoded(text))
                text = []
            parts.append((target, _encoded([short])))
        if text:
            parts.append(_encoded(text))
        node.parts = parts
        return parts

    def _baseline(self, node: Node) -> Baseline:
        pieces, spans, order = self._walk(node, set())
        node.baseline = Baseline(b"".join(pieces), spans, order, frozenset(order))
        return node.baseline

    def _walk(
        self, root: Node, started: set[Node]
    ) -> tuple[list[bytes], dict[Node, tuple[int, int, bytes]], list[Node]]:
        """Walk from ``root``, symbols in ``started`` short: the pieces of text, spans and order of completion.

        The walk keeps its own stack: definitions nest as deep as their authors like.
        """
        pieces: list[bytes] = []
        length = 0
        spans: dict[Node, tuple[int, int, bytes]] = {}
        order: list[Node] = []
        started.add(root)
        stack: list[tuple[Node, Iterator[bytes | tuple[Node, bytes]], int, bytes]] = [
            (root, iter(self._parts(root)), 0, b"")
        ]
        while stack:
            node, rest, start, own_short = stack[-1]
            for part in rest:
                if isinstance(part, bytes):
                    pieces.append(part)
                    length += len(part)
                    continue
                target, short = part
                if target in started:
                    pieces.append(short)
                    length += len(short)
                    continue
                started.add(target)
                stack.append((target, iter(target.parts or self._parts(target)), length, short))
                break
            else:
                stack.pop()
                spans[node] = (start, length, own_short)
                order.append(node)
        return pieces, spans, order


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
