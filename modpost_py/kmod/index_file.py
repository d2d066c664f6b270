# SPDX-License-Identifier: GPL-2.0-or-later
"""kmod's indices: the ``.bin`` files of a modules directory, tries from a text to values with priorities.

>>> index = IndexFile.read("/lib/modules/6.1.0/modules.alias.bin")         # doctest: +SKIP
>>> index.wildcard_search("usb:v1D6Bp0002d0601dc09dsc00dp01ic09isc00ip00in00")     # doctest: +SKIP
[(3411, 'usbcore')]

Format, all numbers big-endian and 32 bits wide::

    file     = 0xB007F457, version 0x00020001, reference to the root, nodes
    node     = [ prefix NUL ] [ first byte, last byte, (last - first + 1) references ] [ count, values ]
    value    = priority, text NUL

A reference is the node's offset in the file and, in its highest three bits, which of the three parts the node has;
offset 0 stands for no node.  A node's texts are those that lead to it: the bytes of the references on the way, each
followed by the prefix of the node that it leads to.  Keys are 7-bit ASCII.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from modpost_py.kmod.errors import KmodError

_MAGIC = 0xB007F457
_VERSION = 0x00020001
_MAJOR_VERSION = _VERSION >> 16
_HEADER = struct.Struct(">III")
_HAS_PREFIX = 0x80000000
_HAS_VALUES = 0x40000000
_HAS_CHILDREN = 0x20000000
_OFFSET = 0x0FFFFFFF

#: Keys have only bytes below this one.
CHARACTERS = 128

# Far above PATH_MAX, in which kmod keeps aliases; bounds the work on a damaged index
_LONGEST_KEY = 1 << 16

_WILDCARDS = (b"*", b"?", b"[")


class IndexFileError(KmodError):
    """A damaged index; the text is ``path: message``."""


class IndexEntry(NamedTuple):
    """One value of an index; of the values of a key, that with the lowest priority number counts first."""

    key: str
    priority: int
    value: str


class _Node(NamedTuple):
    prefix: bytes
    first: int
    children: tuple[int, ...]
    values_at: int  # 0 where there are none


class IndexFile:
    """One index, whole in memory; nodes are decoded when they are looked at.

    Every method but :meth:`read` raises :class:`IndexFileError` where it meets damage.
    """

    __slots__ = ("_data", "_root", "path")

    def __init__(self, path: str, data: bytes) -> None:
        """Take over the bytes of an index; raises :class:`IndexFileError` for what is none."""
        self.path = path
        self._data = data
        if len(data) < _HEADER.size:
            raise self._error("too short for an index")
        magic, version, self._root = _HEADER.unpack_from(data)
        if magic != _MAGIC:
            raise self._error(f"no index: it begins with {magic:#010x} in place of {_MAGIC:#010x}")
        if version >> 16 != _MAJOR_VERSION:
            raise self._error(f"index of version {version >> 16}, where {_MAJOR_VERSION} is known")

    @classmethod
    def read(cls, path: str) -> IndexFile:
        """Read the index at ``path``; raises FileError where it cannot be read, IndexFileError for what is no index."""
        try:
            with open(path, "rb") as stream:
                return cls(path, stream.read())
        except OSError as error:
            import errno

            from modpost_py.errors import FileError

            raise FileError(path, error.errno or errno.EIO) from None

    def search(self, key: str) -> str | None:
        """The first value of exactly ``key``, in which nothing is a wildcard."""
        wanted = key.encode("utf-8", "surrogateescape")
        node = self._node(self._root)
        at = 0
        while node is not None:
            if not wanted.startswith(node.prefix, at):
                return None
            at += len(node.prefix)
            if at == len(wanted):
                return next((_text(value) for _, value in self._values(node)), None)
            node = self._child(node, wanted[at])
            at += 1
        return None

    def wildcard_search(self, key: str) -> list[tuple[int, str]]:
        """Priorities and values of all keys that match ``key`` as patterns, in kmod's order.

        That is by priority; of the same priority, the one that is met last comes first.
        """
        wanted = key.encode("utf-8", "surrogateescape")
        found: list[tuple[int, bytes]] = []
        node = self._node(self._root)
        at = 0
        while node is not None:
            prefix = node.prefix
            special = _first_wildcard(prefix)
            if not wanted.startswith(prefix[:special], at):
                break
            if special < len(prefix):
                found += self._matching(node, special, wanted[:at] + prefix[:special], wanted)
                break
            at += len(prefix)
            for wildcard in _WILDCARDS:
                child = self._child(node, wildcard[0])
                if child is not None:
                    found += self._matching(child, 0, wanted[:at] + wildcard, wanted)
            if at == len(wanted):
                found += self._values(node)
                break
            node = self._child(node, wanted[at])
            at += 1
        found.reverse()
        found.sort(key=lambda pair: pair[0])
        return [(priority, _text(value)) for priority, value in found]

    def entries(self) -> Iterator[IndexEntry]:
        """All entries, ordered by key, those of one key in the order in which they count."""
        root = self._node(self._root)
        if root is None:
            return
        length = 0
        for key, node in self._below(root, b"", root.prefix):
            text = _text(key)
            for priority, value in self._values(node):
                length += len(value) + 5
                yield IndexEntry(text, priority, _text(value))
            if length > len(self._data):
                raise self._error("nodes share their values")

    def _matching(self, node: _Node, skipped: int, before: bytes, wanted: bytes) -> Iterator[tuple[int, bytes]]:
        """The values below ``node`` whose keys match; ``before`` leads to the node's prefix less ``skipped`` bytes."""
        from modpost_py.kmod.glob_matching import matches

        text = wanted.decode("latin-1")
        for key, found in self._below(node, before, node.prefix[skipped:]):
            if found.values_at and matches(key.decode("latin-1"), text):
                yield from self._values(found)

    def _below(self, node: _Node, before: bytes, prefix: bytes) -> Iterator[tuple[bytes, _Node]]:
        """``node`` and all nodes below it with their keys; a node that is reached twice is damage."""
        stack = [(before + prefix, node)]
        seen: set[int] = set()
        while stack:
            key, node = stack.pop()
            if len(key) > _LONGEST_KEY:
                raise self._error(f"a key is longer than {_LONGEST_KEY} bytes")
            yield key, node
            for position in range(len(node.children) - 1, -1, -1):
                reference = node.children[position]
                child = self._node(reference)
                if child is not None:
                    if reference & _OFFSET in seen:
                        raise self._error(f"the node at {reference & _OFFSET:#x} is reached twice")
                    seen.add(reference & _OFFSET)
                    stack.append((b"%s%c%s" % (key, node.first + position, child.prefix), child))

    def _child(self, node: _Node, byte: int) -> _Node | None:
        position = byte - node.first
        if 0 <= position < len(node.children):
            return self._node(node.children[position])
        return None

    def _node(self, reference: int) -> _Node | None:
        at = reference & _OFFSET
        if not at:
            return None
        data = self._data
        prefix, first, children = b"", 0, ()
        try:
            if reference & _HAS_PREFIX:
                end = data.index(0, at)
                prefix = data[at:end]
                at = end + 1
            if reference & _HAS_CHILDREN:
                first, last = data[at], data[at + 1]
                children = struct.unpack_from(f">{max(last - first + 1, 0)}I", data, at + 2)
                at += 2 + 4 * len(children)
        except (ValueError, IndexError, struct.error):
            raise self._cut_off(reference) from None
        return _Node(prefix, first, children, at if reference & _HAS_VALUES else 0)

    def _values(self, node: _Node) -> Iterator[tuple[int, bytes]]:
        at, data = node.values_at, self._data
        if not at:
            return
        count = int.from_bytes(data[at : at + 4], "big")
        at += 4
        for _ in range(count):
            end = data.find(b"\0", at + 4)
            if end < 0:
                raise self._cut_off(node.values_at)
            yield int.from_bytes(data[at : at + 4], "big"), data[at + 4 : end]
            at = end + 1

    def _cut_off(self, reference: int) -> IndexFileError:
        return self._error(f"the node at {reference & _OFFSET:#x} reaches over the end")

    def _error(self, what: str) -> IndexFileError:
        return IndexFileError(f"{self.path}: {what}")


def _first_wildcard(prefix: bytes) -> int:
    """Where the first wildcard of ``prefix`` stands; its length where there is none."""
    return min((at for at in map(prefix.find, _WILDCARDS) if at >= 0), default=len(prefix))


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def index_bytes(entries: Iterable[tuple[str, str, int]]) -> bytes:
    """The index of ``entries`` (key, value, priority), byte for byte as kmod's depmod writes it.

    The values of a key are ordered by priority; of the same priority, the one given last comes first.
    Raises :class:`KmodError` for a key that is not 7-bit ASCII, and for more than 256 MiB.
    """
    values: dict[str, list[tuple[int, str]]] = {}
    for key, value, priority in entries:
        known = values.get(key)
        if known is None:
            values[key] = [(priority, value)]
        else:
            known.append((priority, value))
    return _IndexWriter(values).whole()


class _OpenNode:
    """A node on the way to the key under work; its children so far are written already."""

    __slots__ = ("children", "key", "length")

    def __init__(self, key: bytes, length: int) -> None:
        self.key = key
        self.length = length  # the first bytes of key lead to the end of this node's prefix
        self.children: list[tuple[int, int]] = []  # byte, reference


class _IndexWriter:
    """Writes nodes in the order of kmod: children by their bytes, then the node; the root has no prefix."""

    def __init__(self, values: dict[str, list[tuple[int, str]]]) -> None:
        self._values = {_key(key): of_key for key, of_key in values.items()}
        self._parts: list[bytes] = []
        self._position = _HEADER.size

    def whole(self) -> bytes:
        root = _OpenNode(b"", 0)
        way = [root]
        previous = b""
        for key in sorted(self._values):
            if not key:
                continue
            common = _common_length(previous, key)
            self._close(way, common)
            way.append(_OpenNode(key, len(key)))
            previous = key
        self._close(way, 0)
        reference = self._write(root, b"")
        return b"".join([_HEADER.pack(_MAGIC, _VERSION, reference), *self._parts])

    def _close(self, way: list[_OpenNode], length: int) -> None:
        """Write the nodes that end behind ``length`` bytes of their keys; make one that ends there if need be."""
        while way[-1].length > length:
            node = way.pop()
            if way[-1].length < length:
                way.append(_OpenNode(node.key, length))
            start = way[-1].length
            reference = self._write(node, node.key[start + 1 : node.length])
            way[-1].children.append((node.key[start], reference))

    def _write(self, node: _OpenNode, prefix: bytes) -> int:
        reference = self._position
        parts = []
        if prefix:
            parts += [prefix, b"\0"]
            reference |= _HAS_PREFIX
        if node.children:
            parts.append(_children(node.children))
            reference |= _HAS_CHILDREN
        values = self._values.get(node.key[: node.length])
        if values is not None:
            parts.append(_value_list(values))
            reference |= _HAS_VALUES
        data = b"".join(parts)
        self._parts.append(data)
        self._position += len(data)
        if self._position > _OFFSET:
            raise KmodError("an index of more than 256 MiB cannot be written")
        return reference


def _key(key: str) -> bytes:
    try:
        return key.encode("ascii")
    except UnicodeEncodeError:
        raise KmodError(f"index key {key!r} is not 7-bit ASCII") from None


def _children(children: list[tuple[int, int]]) -> bytes:
    first, last = children[0][0], children[-1][0]
    references = [0] * (last - first + 1)
    for byte, reference in children:
        references[byte - first] = reference
    return struct.pack(f">BB{len(references)}I", first, last, *references)


def _value_list(values: list[tuple[int, str]]) -> bytes:
    if len(values) > 1:
        values = values[::-1]
        values.sort(key=lambda pair: pair[0])
    parts = [len(values).to_bytes(4, "big")]
    for priority, value in values:
        parts.append(b"%s%s\0" % (priority.to_bytes(4, "big"), value.encode("utf-8", "surrogateescape")))
    return b"".join(parts)


def _common_length(one: bytes, other: bytes) -> int:
    """How many bytes two different keys have in common at their beginning."""
    length = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        length += 1
    return length
