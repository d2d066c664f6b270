# SPDX-License-Identifier: GPL-2.0-or-later
"""Expansion of exported symbols: both ways of doing it, and their order of completion."""

from __future__ import annotations

from zlib import crc32

from hypothesis import given, settings
from hypothesis import strategies as st

from genksyms_py.expansion import Definition, Expander, Loaded, key_of

# typedef struct N N; struct N { N *n; struct M *m; }; struct M { N *p; struct N *q; }; N x; struct M *y;
RECURSIVE: dict[str, Definition] = {
    "t#N": ("typedef", "s#N", "N"),
    "s#N": ("struct", "N", "{", "t#N", "*", "n", ";", "s#M", "*", "m", ";", "}"),
    "s#M": ("struct", "M", "{", "t#N", "*", "p", ";", "s#N", "*", "q", ";", "}"),
    "x": ("t#N", "x"),
    "y": ("s#M", "*", "y"),
}


class _Symbols:
    """Loads symbols of a table, and notes in which order they are asked for."""

    def __init__(self, definitions: dict[str, Definition]) -> None:
        self._definitions = definitions
        self.asked: list[str] = []

    def load(self, kind: str, name: str) -> Loaded:
        self.asked.append(f"{kind}#{name}")
        return Loaded(kind, name, self._definitions[f"{kind}#{name}"])

    def exported(self, name: str) -> Loaded:
        return Loaded("", name, self._definitions[name])


def _walk(expander: Expander, exported: Loaded) -> tuple[str, list[str], list[str]]:
    """Text, symbols begun and symbols completed, by walking."""
    begun: list[Loaded] = []
    completed: list[Loaded] = []
    text = b"".join(expander.walk(exported, begun, completed)).decode()
    return text, [symbol.symref for symbol in begun], [symbol.symref for symbol in completed]


def _expand(expander: Expander, exported: Loaded) -> tuple[str, list[str]]:
    expansion = expander.expand(exported)
    return expansion.text.decode(), [symbol.symref for symbol in expansion.symbols]


X_TEXT = "typedef struct N { N * n ; struct M { N * p ; struct N * q ; } * m ; } N x "
Y_TEXT = "struct M { typedef struct N { N * n ; struct M * m ; } N * p ; struct N * q ; } * y "


def test_recursive_types() -> None:
    """Check text and order of completion of two exports whose types refer to each other."""
    symbols = _Symbols(RECURSIVE)
    expander = Expander(symbols.load)
    assert _expand(expander, symbols.exported("x")) == (X_TEXT, ["s#M", "s#N", "t#N", "x"])
    assert _expand(expander, symbols.exported("y")) == (Y_TEXT, ["s#N", "t#N", "s#M", "y"])
    assert symbols.asked == ["t#N", "s#N", "s#M"]


def test_recursive_types_by_walking() -> None:
    """Check the same of the walk that begins anew with each export, and the order in which symbols are begun."""
    symbols = _Symbols(RECURSIVE)
    expander = Expander(symbols.load)
    assert _walk(expander, symbols.exported("x")) == (
        X_TEXT,
        ["x", "t#N", "s#N", "s#M"],
        ["s#M", "s#N", "t#N", "x"],
    )
    assert _walk(expander, symbols.exported("y")) == (
        Y_TEXT,
        ["y", "s#M", "t#N", "s#N"],
        ["s#N", "t#N", "s#M", "y"],
    )


def test_short_forms() -> None:
    """Check that a second use is the name alone, behind the keyword of this reference for tags."""
    symbols = _Symbols(
        {
            "E#A": ("2",),
            "E#B": ("E#A",),
            "t#T": ("typedef", "int", "T"),
            "u#U": ("union", "U", "{", "}"),
            "e#K": ("enum", "K", "{", "A", "=", "2", "}"),
            "x": ("int", "x", "[", "E#A", "]", "[", "E#B", "]", "t#T", "u#U", "s#U", "e#K", "t#T", "u#U", "e#K", "E#A"),
        }
    )
    expander = Expander(symbols.load)
    text = "int x [ 2 ] [ A ] typedef int T union U { } struct U enum K { A = 2 } T union U enum K A "
    order = ["E#A", "E#B", "t#T", "u#U", "e#K", "x"]
    assert _expand(expander, symbols.exported("x")) == (text, order)


def test_the_exported_symbol_is_marked_first() -> None:
    """Check that an enum constant that refers to itself prints its name."""
    exported = Loaded("E", "A", ("E#A", "+", "1"))
    assert _expand(Expander(_Symbols({}).load), exported) == ("A + 1 ", ["E#A"])


def test_an_empty_definition_contributes_nothing() -> None:
    """Check that a symbol without tokens leaves no space, and is visited nevertheless."""
    symbols = _Symbols({"E#A": (), "x": ("int", "E#A", "x")})
    assert _expand(Expander(symbols.load), symbols.exported("x")) == ("int x ", ["E#A", "x"])


def test_crc() -> None:
    """Check the published CRC of printk over its text."""
    printk = Loaded("", "printk", ("int", "printk", "(", "const", "char", "*", ",", "...", ")"))
    strange = Loaded("", "x", ("x", '"\xe9"'))
    expander = Expander(_Symbols({}).load)
    assert expander.expand(printk).crc == 0xEA147363
    assert expander.expand(strange).crc == crc32(b'x "\xe9" ')


def test_a_chain_of_many_types() -> None:
    """Check that no depth of nesting is too deep for expand or walk."""
    count = 20000
    definitions = {f"s#{number}": ("struct", f"s#{number + 1}") for number in range(count)}
    definitions[f"s#{count}"] = ("end",)
    definitions["x"] = ("s#0", "x")
    symbols = _Symbols(definitions)
    expected = "struct " * count + "end x "
    assert _expand(Expander(symbols.load), symbols.exported("x"))[0] == expected
    assert _walk(Expander(symbols.load), symbols.exported("x"))[0] == expected


NAMES = [f"{kind}#{name}" for kind in "tEse" for name in "abcdef"]
TOKENS = st.sampled_from(["int", "{", "a", *NAMES])
# Only a reference file can have empty definitions, and what it has is walked.
DEFINITIONS = st.lists(TOKENS, min_size=1, max_size=7).map(tuple)
GRAPHS = st.tuples(
    st.fixed_dictionaries(dict.fromkeys(NAMES, DEFINITIONS)), st.lists(DEFINITIONS, min_size=1, max_size=6)
)


def _plain_expansion(definitions: dict[str, Definition], key: str, marked: set[str], order: list[str]) -> list[str]:
    """The specification, word for word: depth first, left to right, marks per export."""
    marked.add(key_of(*_split(key)))
    tokens: list[str] = []
    for token in definitions[key]:
        if token[1:2] != "#":
            tokens.append(token)
        elif key_of(*_split(token)) in marked:
            keyword = {"s": ["struct"], "e": ["enum"]}.get(token[0], [])
            tokens += [*keyword, token[2:]]
        else:
            tokens += _plain_expansion(definitions, token, marked, order)
    order.append(key)
    return tokens


def _split(symref: str) -> tuple[str, str]:
    return (symref[0], symref[2:]) if symref[1:2] == "#" else ("", symref)


@given(GRAPHS)
@settings(max_examples=150, deadline=None)
def test_every_way_gives_the_same(graph: tuple[dict[str, Definition], list[Definition]]) -> None:
    """Check expand, with its memory over many exports, and walk against the plain recursion on random graphs."""
    definitions, exported = graph
    # One entry for a name in its name space, whatever kind refers to it.
    for name in "abcdef":
        definitions[f"e#{name}"] = definitions[f"s#{name}"]
        definitions[f"E#{name}"] = definitions[f"t#{name}"]
    symbols = _Symbols(definitions)
    expander = Expander(symbols.load)
    for number, definition in enumerate(exported):
        definitions[f"x{number}"] = definition
        loaded = symbols.exported(f"x{number}")
        order: list[str] = []
        tokens = _plain_expansion(definitions, f"x{number}", set(), order)
        text = "".join(token + " " for token in tokens)
        names = [_split(symref)[1] for symref in order]
        found, symrefs = _expand(expander, loaded)
        assert (found, [_split(symref)[1] for symref in symrefs]) == (text, names)
        walked, _, completed = _walk(Expander(symbols.load), loaded)
        assert (walked, completed) == (text, order)
