# SPDX-License-Identifier: GPL-2.0-or-later
"""What never changes a CRC, and what always does, on both engines."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from genksyms_py.dialects import dialect_of
from genksyms_py.versions import Versioner, exact_run

KERNELS = st.sampled_from(["5.10", "6.1", "7.2"])
TYPES = st.sampled_from(["int", "unsigned long", "const char", "u32", "struct page", "union slot", "enum zone"])
STORAGE = st.sampled_from(["", "extern", "static", "register", "auto", "inline", "static inline", "extern inline"])
SPACES = st.text(" \t\f\v\r\n", min_size=1, max_size=4)
MARKERS = st.builds('\n# {} "{}"{}\n'.format, st.integers(0, 999), st.sampled_from(["x.h", "y.h"]), st.just(" 2"))
PRAGMAS = st.sampled_from(["\n#pragma pack(1)\n", "\n#ident x\n", '\n#line 7 "x.c"\n'])

HEADER_TEXT = (
    "typedef unsigned int u32 ; enum zone { LOW , HIGH = 4 , MANY } ;"
    " union slot { u32 key ; struct page * page ; } ;"
    " struct page { unsigned long flags : 4 , : 0 ; union slot slot [ MANY ] ; int ( * free ) ( struct page * ) ; } ;"
)
HEADER = HEADER_TEXT.split()


def _crcs(tokens: list[str], kernel: str, export: str) -> tuple[int, int]:
    """The CRC from the fast path and from the exact engine; spaces between the tokens unless they are newlines."""
    text = " ".join(tokens)
    data = f'# 1 "x.c"\n# 1 "x.h"\n{text}\n# 1 "x.c"\n__GENKSYMS_EXPORT_SYMBOL({export});\n'.encode()
    (fast,) = Versioner(dialect_of(kernel)).unit_versions(data).versions
    (exact,) = exact_run(data, dialect_of(kernel)).versions
    assert fast.expansion == exact.expansion
    return fast.crc, exact.crc


DECLARATION_TEXT = "extern const struct page * first ( u32 [ HIGH ] , int ( * ) ( union slot , ... ) , enum zone ) ;"


@given(st.lists(st.one_of(SPACES, MARKERS, PRAGMAS), min_size=1, max_size=12), st.integers(0, 10**6), KERNELS)
@settings(max_examples=60, deadline=None)
def test_white_space_and_markers(inserted: list[str], seed: int, kernel: str) -> None:
    """Check that white space, line markers and other lines of the preprocessor change no CRC, wherever they stand."""
    tokens = [*HEADER, *DECLARATION_TEXT.split()]
    plain = _crcs(tokens, kernel, "first")
    choose = random.Random(seed)
    for text in inserted:
        tokens.insert(choose.randrange(len(tokens) + 1), text)
    assert _crcs(tokens, kernel, "first") == plain


def test_white_space_can_go() -> None:
    """Check that tokens need no space between them where the lexer does not."""
    tight = 'typedef unsigned u32;u32 first(u32*const,char[2],...)__attribute__((a("b")));'
    wide = 'typedef unsigned u32 ;\nu32 first ( u32 * const , char [ 2 ] , ... ) __attribute__ ( ( a ( "b" ) ) ) ;'
    for kernel in ("6.1", "7.2"):
        assert _crcs([tight], kernel, "first") == _crcs([wide], kernel, "first")


PARAMETERS = st.lists(st.tuples(TYPES, st.sampled_from(["", "* ", "* const * "])), min_size=1, max_size=5)


@given(PARAMETERS, KERNELS, st.data())
@settings(max_examples=60, deadline=None)
def test_parameter_names(parameters: list[tuple[str, str]], kernel: str, data: st.DataObject) -> None:
    """Check that names of parameters, also of those of parameters, change no CRC."""
    names = st.sampled_from(["", "a", "b", "first", "$x", "flags", "free"])

    def declaration(pick: st.SearchStrategy[str]) -> list[str]:
        texts = [f"{type_} {stars}{data.draw(pick)}" for type_, stars in parameters]
        inner = ", ".join(f"{type_} {stars}{data.draw(pick)}" for type_, stars in parameters)
        return [*HEADER, f"int first({', '.join(texts)}, void (*{data.draw(pick)})({inner}));"]

    assert _crcs(declaration(names), kernel, "first") == _crcs(declaration(st.just("")), kernel, "first")


@given(STORAGE, STORAGE, STORAGE, KERNELS)
@settings(max_examples=60, deadline=None)
def test_storage_classes(outer: str, member: str, parameter: str, kernel: str) -> None:
    """Check that storage classes change no CRC, on symbols, members and parameters."""
    form = "struct {1} {{ {2} int a; }}; {0} struct {1} *first({3} struct {1} *, {3} u32 b);".replace("{1}", "own")

    def text(*words: str) -> list[str]:
        return [*HEADER, form.format(words[0], "", words[1], words[2])]

    # "extern" has a meaning for members, but none for the CRC; "inline" none at all.
    assert _crcs(text(outer, member, parameter), kernel, "first") == _crcs(text("", "", ""), kernel, "first")


DECLARATORS = st.sampled_from(["a", "*a", "a[3]", "(*a)(int)", "a:3"])
MEMBERS = st.lists(st.tuples(TYPES, DECLARATORS), min_size=1, max_size=5)


@given(MEMBERS, st.data(), KERNELS, st.sampled_from(["struct", "union"]))
@settings(max_examples=60, deadline=None)
def test_types_of_members(members: list[tuple[str, str]], data: st.DataObject, kernel: str, keyword: str) -> None:
    """Check that another type of any member gives another CRC, however far the compound is from the export."""

    def crcs(chosen: list[tuple[str, str]]) -> tuple[int, int]:
        body = " ".join(f"{type_} {declarator};" for type_, declarator in chosen)
        text = f"{keyword} deep {{ {body} }}; struct outer {{ struct {{ {keyword} deep *deep; }} in; }}; "
        return _crcs([*HEADER, text, "int first(struct outer *);"], kernel, "first")

    index = data.draw(st.integers(0, len(members) - 1))
    old, declarator = members[index]
    new = data.draw(TYPES.filter(lambda name: name != old))
    changed = [*members[:index], (new, declarator), *members[index + 1 :]]
    for before, after in zip(crcs(members), crcs(changed), strict=True):
        assert before != after
