# SPDX-License-Identifier: GPL-2.0-or-later
"""kmod's indices: written as kmod does, read back, searched, damaged."""

from __future__ import annotations

import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modpost_py.kmod.errors import KmodError
from modpost_py.kmod.glob_matching import matches
from modpost_py.kmod.hash_order import in_hash_order, super_fast_hash
from modpost_py.kmod.index_file import IndexEntry, IndexFile, index_bytes

#: What kmod 30's depmod writes for one module kernel/a.ko in modules.dep.bin.
ONE_MODULE = bytes.fromhex(
    "b007f457 00020001 20000021"  # magic, version, root with children
    "00000001 00000000 6b65726e656c2f612e6b6f3a 00"  # one value, priority 0, "kernel/a.ko:"
    "6161 4000000c"  # children from "a" to "a"
)

KEYS = st.text(st.sampled_from("ab:*?-"), max_size=6)
ENTRIES = st.lists(st.tuples(KEYS, st.text(st.sampled_from("xyz"), max_size=2), st.integers(0, 3)), max_size=30)


def test_bytes_of_one_module() -> None:
    """Check that a known index is written byte for byte."""
    assert index_bytes([("a", "kernel/a.ko:", 0)]) == ONE_MODULE


def test_bytes_of_nothing() -> None:
    """Check that an index without entries is a header that leads to an empty root."""
    assert index_bytes([]) == bytes.fromhex("b007f457 00020001 0000000c")


def test_prefixes_and_holes() -> None:
    """Check that common beginnings are stored once, and that bytes without a child have a reference of 0."""
    expected = bytes.fromhex(
        "b007f457 00020001 2000003e"
        "00000001 00000000 3100"  # ab: 1, at 0x0c
        "6400 00000001 00000000 3200"  # acd: the prefix d, 2, at 0x16
        "00000001 00000000 3300"  # ae: 3, at 0x22
        "62 65 4000000c c0000016 00000000 40000022"  # a: b, c, nothing, e, at 0x2c
        "61 61 2000002c"  # the root, at 0x3e
    )
    assert index_bytes([("ae", "3", 0), ("ab", "1", 0), ("acd", "2", 0)]) == expected


def test_order_of_values() -> None:
    """Check that values count by priority, and that of the same priority the last one comes first."""
    index = IndexFile("i", index_bytes([("k", "a", 5), ("k", "b", 1), ("k", "c", 5), ("k", "b", 1)]))
    assert [(entry.priority, entry.value) for entry in index.entries()] == [(1, "b"), (1, "b"), (5, "c"), (5, "a")]
    assert index.search("k") == "b"


def test_search_takes_no_wildcard() -> None:
    """Check that search compares texts only, and that a part of a key is not found."""
    index = IndexFile("i", index_bytes([("ab*", "star", 0), ("abc", "c", 0)]))
    assert [index.search(key) for key in ("ab*", "abc", "ab", "abx", "abcd", "")] == [
        "star",
        "c",
        None,
        None,
        None,
        None,
    ]


def test_wildcard_search() -> None:
    """Check that patterns on the way are found by priority, wherever the wildcard stands in a node."""
    entries = [("usb:v*p*", "any", 7), ("usb:v1p2*", "exact", 9), ("usb:v[12]p?", "set", 3), ("usb:v1p2", "plain", 8)]
    index = IndexFile("i", index_bytes(entries))
    assert index.wildcard_search("usb:v1p2") == [(3, "set"), (7, "any"), (8, "plain"), (9, "exact")]
    assert index.wildcard_search("usb:v3p2") == [(7, "any")]
    assert index.wildcard_search("pci:") == []


def test_keys_must_be_ascii() -> None:
    """Check that a key with other bytes is refused."""
    with pytest.raises(KmodError, match="not 7-bit ASCII"):
        index_bytes([("é", "x", 0)])


@given(ENTRIES)
def test_everything_is_read_back(entries: list[tuple[str, str, int]]) -> None:
    """Check that all entries come back, ordered by key and priority, and that each key is found."""
    index = IndexFile("i", index_bytes(entries))
    ordered = entries[::-1]
    ordered.sort(key=lambda entry: (entry[0].encode(), entry[2]))
    assert list(index.entries()) == [IndexEntry(key, priority, value) for key, value, priority in ordered]
    for key, *_ in entries:
        assert index.search(key) == next(value for other, value, _ in ordered if other == key)


@given(ENTRIES, KEYS.filter(lambda key: not set(key) & set("*?")))
def test_wildcard_search_is_fnmatch(entries: list[tuple[str, str, int]], key: str) -> None:
    """Check that a wildcard search finds what fnmatch finds in a list of all keys."""
    index = IndexFile("i", index_bytes(entries))
    expected = sorted((priority, value) for pattern, value, priority in entries if fnmatch.fnmatchcase(key, pattern))
    assert sorted(index.wildcard_search(key)) == expected
    assert [priority for priority, _ in index.wildcard_search(key)] == [priority for priority, _ in expected]


@given(st.data())
def test_damage(data: st.DataObject) -> None:
    """Check that a damaged index gives answers or an error, and nothing else."""
    whole = bytearray(index_bytes([(key, f"{key}!", 1) for key in ("a", "ab*c", "abd", "symbol:x", "[ab]", "usb:v*")]))
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    del whole[data.draw(st.integers(1, len(whole))) :]
    try:
        index = IndexFile("i", bytes(whole))
    except KmodError:
        return
    for look in (lambda: list(index.entries()), lambda: index.search("ab*c"), lambda: index.wildcard_search("abc")):
        try:
            look()
        except KmodError as error:
            assert str(error).startswith("i: ")


def test_a_loop() -> None:
    """Check that a node that is its own child is an error and not walked for ever."""
    looping = bytes.fromhex("b007f457 00020001 2000000c 2a2a 2000000c")
    for look in (lambda index: list(index.entries()), lambda index: index.wildcard_search("x")):
        with pytest.raises(KmodError, match="i: the node at 0xc is reached twice"):
            look(IndexFile("i", looping))
    assert IndexFile("i", looping).search("*" * 9) is None


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "too short for an index"),
        (b"no index at all", "no index: it begins with 0x6e6f2069 in place of 0xb007f457"),
        (bytes.fromhex("b007f457 00030000 00000000"), "index of version 3, where 2 is known"),
    ],
)
def test_no_index(data: bytes, what: str) -> None:
    """Check that what is no index is said in one line."""
    with pytest.raises(KmodError) as caught:
        IndexFile("some/modules.dep.bin", data)
    assert str(caught.value) == f"some/modules.dep.bin: {what}"


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("*", "", True),
        ("a*b*c", "a/.b/c", True),
        ("[!a]b", "ab", False),
        ("[^a]b", "cb", True),
        ("[]a]", "]", True),
        ("[a", "[a", True),
        ("\\*", "*", True),
        ("\\*", "x", False),
        ("a\\", "a\\", False),
        ("[[:digit:]-]x", "-x", True),
        ("[z-a]", "b", False),
        ("[a-c]", "b", True),
        ("[\\]]", "]", True),
    ],
)
def test_glob(pattern: str, text: str, expected: bool) -> None:
    """Check that patterns match as with glibc's fnmatch."""
    assert matches(pattern, text) is expected


def test_hash() -> None:
    """Check the hash of a text of each length modulo 4, and of bytes above 127."""
    hashes = [f"{super_fast_hash(name):08x}" for name in (b"", b"a", b"ab", b"abc", b"abcd", b"abcde", b"\xe9")]
    assert hashes == ["00000000", "115ea782", "516b8b44", "d2be198a", "dad8b8db", "51ed072e", "69ea06c0"]


def test_hash_order() -> None:
    """Check that keys come in the order in which kmod's depmod wrote them."""
    assert in_hash_order([b"ea", b"ec", b"eb"], 2048) == [b"eb", b"ec", b"ea"]
