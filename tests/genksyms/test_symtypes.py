# SPDX-License-Identifier: GPL-2.0-or-later
"""The symtypes format."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genksyms_py.errors import SymtypesError
from genksyms_py.symbol_table import Symbol, SymbolTable
from genksyms_py.symtypes import Line, format_line, parse_lines, read_reference

TEXT = """\
s#A struct A { int E#a ; t#u32 b [ 3 ] ; }

override t#u32 extern typedef int u32
E#a  7   + 1
override
x extern int x [ "a  b" ] "c d"e "open and
y
override override override
extern extern extern
t# #x
z\tint 'q r' \r
last line"""

LINES = [
    Line("s", "A", ("struct", "A", "{", "int", "E#a", ";", "t#u32", "b", "[", "3", "]", ";", "}")),
    Line("t", "u32", ("typedef", "int", "u32"), is_extern=True, is_override=True),
    Line("E", "a", ("7", "+", "1")),
    Line("", "x", ("int", "x", "[", '"a  b"', "]", '"c d"e', '"open and'), is_extern=True),
    Line("", "y", ()),
    Line("", "override", ("override",), is_override=True),
    Line("", "extern", ("extern",), is_extern=True),
    Line("t", "", ("#x",)),
    Line("", "z\tint", ("'q", "r'", "\r")),
    Line("", "last", ("line",)),
]


def test_lines_are_read() -> None:
    """Check that names, marks, tokens, strings with spaces and lines without newline are read as the C tool reads."""
    assert list(parse_lines(TEXT, "types")) == LINES


def test_long_tokens_and_unknown_kinds_are_errors() -> None:
    """Check that a token of 255 bytes is read, one of 256 is an error, as is a kind that does not exist."""
    assert len(next(parse_lines("x " + "y" * 255, "types")).definition[0]) == 255
    errors = {
        "a\nx " + "y" * 256: "types:2: Token too long",
        "x q#y": "types:1: Unknown type q",
        "##": "types:1: Unknown type #",
        'x "#y"': 'types:1: Unknown type "',
    }
    for text, message in errors.items():
        with pytest.raises(SymtypesError) as caught:
            list(parse_lines(text, "types"))
        assert (str(caught.value), caught.value.exit_status) == (message, 1)


def test_a_directory_or_no_file_is_an_error(tmp_path: Path) -> None:
    """Check that a reference that cannot be read gives one line with its path."""
    for path, reason in ((tmp_path, "Is a directory"), (tmp_path / "none", "No such file or directory")):
        with pytest.raises(SymtypesError) as caught:
            read_reference(path, SymbolTable(), leaks_enumerators=False)
        assert str(caught.value) == f"{path}: {reason}"


def test_a_reference_fills_the_table(tmp_path: Path) -> None:
    """Check that the last line of a name is valid, and that enumerators are counted on only for grammar A."""
    path = tmp_path / "types"
    path.write_bytes("x int x\nE#a 5\nE#b\nx long \xe9\n".encode("latin-1"))
    states = []
    for leaks in (True, False):
        table = SymbolTable()
        read_reference(path, table, leaks_enumerators=leaks)
        assert table.ordinary["x"].definition == ("long", "\xe9")
        assert table.find("", "x") is None
        states.append((table.ordinary["b"].definition, table.enumerators.snapshot()))
    assert states == [(("(", "5", ")", "+", "1"), (2, ("5",))), ((), (0, None))]


def test_lines_are_written() -> None:
    """Check the written form: a space behind each token, the marks in their places, plain names bare."""
    symbols = [
        Symbol("s", "A", ("struct", "A", "{", "t#u32", "b", ";", "}"), is_extern=True, is_override=True),
        Symbol("", "x", ("int", '"a b"', "x")),
        Symbol("E", "a", ()),
    ]
    assert [format_line(symbol) for symbol in symbols] == [
        "override s#A extern struct A { t#u32 b ; } \n",
        'x int "a b" x \n',
        "E#a \n",
    ]


_words = st.one_of(
    st.text(alphabet="abc+(;", min_size=1, max_size=4),
    st.builds("{}#{}".format, st.sampled_from("tsueE"), st.text(alphabet="xyz", min_size=1, max_size=3)),
    st.builds('"{}"'.format, st.text(alphabet="a +", max_size=4)),
)


@given(st.sampled_from(["", "t", "s", "u", "e", "E"]), st.lists(_words, max_size=6).map(tuple), st.booleans())
def test_what_is_written_can_be_read(kind: str, definition: tuple[str, ...], is_extern: bool) -> None:
    """Check that a written line is read back as the same symbol."""
    line = format_line(Symbol(kind, "name", definition, is_extern))
    assert list(parse_lines(line, "types")) == [Line(kind, "name", definition, is_extern)]
