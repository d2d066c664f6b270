# SPDX-License-Identifier: GPL-2.0-or-later
"""Raw tokens and line counting."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genksyms_py.messages import Location
from genksyms_py.raw_tokens import HASH_LINE, STRING, TOKEN, Lines, skip_block

# text -> its tokens, divided by bars
SPLITS = {
    "a != b": "a|!|=|b",
    "a++ + ++b": "a|+|+|+|+|+|b",
    "a <<= 3 >>= x": "a|<<|=|3|>>|=|x",
    "a::b": "a|:|:|b",
    "1ULL 1llu 1uL 1lu": "1UL|L|1l|lu|1uL|1lu",
    "08 0x1p3 0b1 12ab 0xfgUL": "0|8|0x1|p3|0|b1|12|ab|0xf|gUL",
    "1...3 1..2 ... .... x.y": "1.|.|.3|1.|.2|...|...|.|x|.|y",
    "1.5e3f .5 1. 1e5L 1e+ 1.e-2": "1.5e3f|.5|1.|1e5L|1|e|+|1.e-2",
    'u8"b" L"a" L\'b\' LL"c"': "u8|\"b\"|L\"a\"|L'b'|LL|\"c\"",
    "$a a$b $": "$a|a$b|$",
    "-> - > && & /= == = ~= %=": "->|-|>|&&|&|/=|==|=|~=|%=",
    '"a\\"b" \'\\\'\' "" "\\\\"': '"a\\"b"|\'\\\'\'|""|"\\\\"',
    '"open': '"|open',
    "L'open": "L|'|open",
    '"a\nb"': '"a\nb"',
    '"a\\\nb"': '"|a|\\|b|"',
    "a\fb\vc\rd\te": "a|b|c|d|e",
    "\x80\xa0\x85é@`\x01": "\x80|\xa0|\x85|é|@|`|\x01",
    "a\n# 1 \"f\"\nb\n#pragma x ' \"\n  # c\n#d": "a|b|#|c|#|d",
    "#x\n#y\n#z": "#|z",
}  # fmt: skip


def _tokens(text: str) -> list[str]:
    matches = TOKEN.finditer(text)
    return [match[match.lastindex] for match in matches if match.lastindex not in (None, HASH_LINE)]


@pytest.mark.parametrize("text", SPLITS)
def test_splits(text: str) -> None:
    """Check that a text falls into the tokens of old C: longest match, no operators of three characters."""
    assert _tokens(text) == SPLITS[text].split("|")


def test_splits_at_bars() -> None:
    """Check that one bar, two bars and a bar before an equals sign are one token each."""
    assert _tokens("a | b || c |= d ||| e") == ["a", "|", "b", "||", "c", "|=", "d", "||", "|", "e"]


@given(st.text(alphabet=st.characters(max_codepoint=255), max_size=200))
def test_nothing_is_left_out(text: str) -> None:
    """Check that tokens, "#" lines and white space together are the whole text, whatever bytes it has."""
    position = 0
    for match in TOKEN.finditer(text):
        assert match.start() == position
        blank = text[match.start() : match.start(match.lastindex)] if match.lastindex else match[0]
        assert not blank.strip(" \t\f\v\r\n")
        position = match.end()
    assert position == len(text)


def _lines_after(text: str) -> Lines:
    lines = Lines(text)
    for match in TOKEN.finditer(text):
        if match.lastindex == HASH_LINE:
            lines.pass_hash_line(match)
        elif match.lastindex == STRING:
            lines.pass_string(match)
    return lines


# text -> place of its end
PLACES = {
    "": ("<stdin>", 1),
    "\n\nx": ("<stdin>", 3),
    '# 7 "a.c"\nx': ("a.c", 7),
    '# 7 "a.c"\n\nx\n': ("a.c", 9),
    '\n#\t010  "a.c" 1 3 4 "b"\nx': ("a.c", 10),
    '# 0x10 "a.c"\nx': ("a.c", 0),
    '# 12u "k\\"z.h"\nx': ("k\\", 12),
    '#line 5 "a.c"\nx': ("<stdin>", 2),
    '#12 "a.c"\n# 5 ""\n# 08 "a.c"\n# 3"a.c"\nx': ("<stdin>", 5),
    ' # 7 "a.c"\nx': ("<stdin>", 2),
    '# 7 "a.c"': ("<stdin>", 1),
    '# 7 "a.c"\n"\n\n" \'\n\'\nx': ("a.c", 8),
    '# 99999999999 "a.c"\nx': ("a.c", 1215752191),
}


@pytest.mark.parametrize("text", PLACES)
def test_places(text: str) -> None:
    """Check which line of which file the end of a text is, by its line markers."""
    assert _lines_after(text).at(len(text)) == Location(*PLACES[text])


def test_places_far_from_any_marker() -> None:
    """Check that lines are counted rightly over long distances and strings with newlines, asked in any order."""
    line = 'int x; "a\nb"\n'
    text = line * 20_000
    lines = _lines_after(text)
    numbers = [0, 19_999, 10_000, 5, 15_000, 10_001]
    assert [lines.at(number * len(line) + 3).line for number in numbers] == [number + 1 for number in numbers]


def test_the_first_marker_names_the_source_file() -> None:
    """Check that only text under the first marker's file name is in the source, and that it can be re-entered."""
    text = 'a\n# 1 "x.c"\nb\n# 1 "x.h" 1\nc\n# 1 "./x.c"\nd\n# 2 "x.c" 2\ne\n'
    lines = Lines(text)
    seen = []
    for match in TOKEN.finditer(text):
        if match.lastindex == HASH_LINE:
            lines.pass_hash_line(match)
        elif match.lastindex:
            seen.append((match[match.lastindex], lines.in_source))
    assert seen == [("a", False), ("b", True), ("c", False), ("d", False), ("e", True)]


def _block_end_by_tokens(text: str) -> tuple[int, bool]:
    """The plain way to the end of a block."""
    depth = 0
    for match in TOKEN.finditer(text):
        token = match[match.lastindex] if match.lastindex and match.lastindex != HASH_LINE else ""
        if token == "\0":
            return match.start(match.lastindex or 0), False
        depth += (token == "{") - (token == "}")
        if not depth and token:
            return match.start(match.lastindex or 0), True
    return len(text), False


@given(st.text(alphabet="{{{}}}\"'\\\n#L a;\0", max_size=80))
def test_skipping_a_block_is_reading_its_tokens(rest: str) -> None:
    """Check that a block ends at the same place whether it is skipped or read, whatever quotes and lines it has."""
    text = "{" + rest
    assert skip_block(text, 0, Lines(text)) == _block_end_by_tokens(text)


def test_skipping_a_block_keeps_count_of_lines() -> None:
    """Check that line markers and strings with newlines inside a skipped block count as if they were read."""
    text = '{ a;\n# 20 "b.h"\n "x\ny" {\n} }\nz'
    lines = Lines(text)
    end, is_closed = skip_block(text, 0, lines)
    assert (text[end:], is_closed) == ("}\nz", True)
    assert (lines.at(end), lines.at(len(text))) == (Location("b.h", 21), Location("b.h", 22))
