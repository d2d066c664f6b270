# SPDX-License-Identifier: GPL-2.0-or-later
"""Definitions that the fast path writes down for regular declarations."""

from __future__ import annotations

import pytest

from genksyms_py.dialects import dialect_of
from genksyms_py.translation_unit import UnitReader
from tests.genksyms.running import unit

END = (1 << 30, 0)


def _definitions(text: str, keys: list[str], kernel: str, *, in_source: bool = False) -> dict[str, str]:
    """What the names declared by ``text`` behind a typedef of u32 mean, as in symtypes lines."""
    before = "typedef int u32;"
    source = unit(source=f"{before}\n{text}") if in_source else unit(header=f"{before}\n{text}")
    reading = UnitReader(dialect_of(kernel)).read(source)
    found = {}
    for key in keys:
        loaded = reading.find(key, END)
        if loaded is not None:
            words = [loaded.symref, *["extern"] * loaded.is_extern, *loaded.definition]
            found[key] = " ".join(words)
    return found


# text -> definitions by key in grammar A, and what is different in B
CASES: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "typedef u32 *p;": ({"p": "t#p typedef t#u32 * p"}, {}),
    "__extension__ typedef int p;": ({"p": "t#p __extension__ typedef int p"}, {}),
    "extern const u32 *restrict x, y[2] = { 1 }, *volatile z;": (
        {
            "x": "x extern const t#u32 * x",
            "y": "y extern const t#u32 y [ 2 ]",
            "z": "z extern const t#u32 * volatile z",
        },
        {},
    ),
    "static inline int f(const u32 *a, int (*g)(char b, ...), int c[3]) { return 1; }": (
        {"f": "f int f ( const t#u32 * , int ( * ) ( char , ... ) , int [ 3 ] )"},
        {},
    ),
    "extern inline int x;": ({"x": "x int x"}, {}),
    "inline extern int x;": ({"x": "x extern int x"}, {}),
    "struct s { struct s *next; u32 pad[4], *q; int a:3, :0; }; ": (
        {"#s": "s#s struct s { s#s * next ; t#u32 pad [ 4 ] , * q ; int a : 3 , : 0 ; }"},
        {},
    ),
    "typedef union { struct in { int a; } b; enum { K = 2, L } c; } p;": (
        {
            "p": "t#p typedef union { s#in b ; enum { K = 2 , L } c ; } p",
            "#in": "s#in struct in { int a ; }",
            "K": "E#K 2",
            "L": "E#L ( 2 ) + 1",
        },
        {},
    ),
    "enum e { A, B = A + 1, C, D = (3), }; int x[C], D_[D];": (
        {
            "A": "E#A 0",
            "B": "E#B E#A + 1",
            "C": "E#C ( E#A + 1 ) + 1",
            "D": "E#D ( 3 )",
            "#e": "e#e enum e { A , B = E#A + 1 , C , D = ( 3 ) , }",
            "x": "x int x [ E#C ]",
            "D_": "D_ int D_ [ E#D ]",
        },
        {},
    ),
    "enum { A, B }; enum { C };": ({"A": "E#A 0", "B": "E#B 1", "C": "E#C 0"}, {}),
    "enum { a }; struct s { int a; }; int f(int a), a_;": ({"#s": "s#s struct s { int E#a ; }"}, {}),
    "struct s { int (*f)(struct t *t, u32 v); } *x;": (
        {"#s": "s#s struct s { int ( * f ) ( s#t * , t#u32 ) ; }", "x": "x s#s * x"},
        {},
    ),
    "struct s { int a; } __attribute__((packed)) x;": (
        {"#s": "s#s struct s { int a ; }", "x": "x s#s __attribute__ ( ( packed ) ) x"},
        {},
    ),
    "int x __attribute__((weak));": ({"x": "x int x"}, {"x": "x int x __attribute__ ( ( weak ) )"}),
    'int x asm("y") __attribute__((weak)) = 3;': ({"x": 'x int x asm ( "y" ) __attribute__ ( ( weak ) )'}, {}),
    "struct s { int a __attribute__((aligned(8))); };": (
        {"#s": "s#s struct s { int a __attribute__ ( ( aligned ( 8 ) ) ) ; }"},
        {},
    ),
    "int f(int a __attribute__((unused)), int b);": (
        {"f": "f int f ( int __attribute__ ( ( unused ) ) , int b )"},
        {"f": "f int f ( int __attribute__ ( ( unused ) ) , int )"},
    ),
    "typeof(u32) x; typeof(u32 *) y; typeof(*p) z; typeof(q) w;": (
        {
            "x": "x typeof ( t#u32 ) x",
            "y": "y typeof ( t#u32 * ) y",
            "z": "z typeof * p ) z",
            "w": "w typeof ( q ) w",
        },
        {},
    ),
    "int (*f(int a))(char b);": ({"f": "f int ( * f ( int ) ) ( char )"}, {}),
    "int f(int *u32);": ({"f": "f int f ( int * )"}, {}),
    "u32 u8; const struct s (*x)[3];": ({"u8": "u8 t#u32 u8", "x": "x const s#s ( * x ) [ 3 ]"}, {}),
    "struct s; union u; enum e;": ({}, {}),
    "struct s { }; struct s { int a; };": ({"#s": "s#s struct s { }"}, {}),
}


@pytest.mark.parametrize("kernel", ["6.1", "7.2"])
@pytest.mark.parametrize("text", CASES)
def test_definitions(text: str, kernel: str) -> None:
    """Check definition and extern flag of everything that a text in a header declares."""
    in_a, in_b = CASES[text]
    expected = {**in_a, **in_b} if kernel == "7.2" else in_a
    asked = [*expected, "#t", "#u", "#none", "none", "a_none"]
    if not expected:
        asked += ["#s", "#e", "s", "u", "e"]
    assert _definitions(text, asked, kernel) == expected


def test_compounds_of_the_source_file() -> None:
    """Check that compounds with a tag are not recorded in the source file, but what is in them is."""
    text = "struct s { enum { K } k; struct t { int a; } b; } x; struct { int c; } y; enum e { L } z;"
    assert _definitions(text, ["#s", "#t", "#e", "K", "L", "x", "y", "z"], "6.1", in_source=True) == {
        "K": "E#K 0",
        "L": "E#L 0",
        "x": "x s#s x",
        "y": "y struct { int c ; } y",
        "z": "z e#e z",
    }


def test_2_4_keeps_attributes() -> None:
    """Check that 2.4 keeps the attributes behind a declarator."""
    text = "int x __attribute__((weak)), y;"
    assert _definitions(text, ["x", "y"], "2.4") == {"x": "x int x __attribute__ ( ( weak ) )", "y": "y int y"}
