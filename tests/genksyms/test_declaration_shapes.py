# SPDX-License-Identifier: GPL-2.0-or-later
"""Which shapes are regular, and as what."""

from __future__ import annotations

import re

import pytest

from genksyms_py.declaration_shapes import INNERMOST_BODY, ONE_DECLARATION, SHADOWING_NAMES, Shapes, Verdict

SIMPLE, FUNCTION, RAW, EXPORT, NOTHING, LOST, IRREGULAR = Verdict

# shape -> verdict of grammar A, and of B where that differs
VERDICTS = {
    ";": (NOTHING,),
    "M;": (NOTHING,),
    "V;": (NOTHING,),
    "e(I);": (EXPORT,),
    "e(T);": (IRREGULAR,),
    "bI;": (SIMPLE,),
    "b;": (SIMPLE,),
    "R;": (SIMPLE,),
    "yTI;": (SIMPLE,),
    "XybI;": (SIMPLE,),
    "XbI;": (IRREGULAR,),
    "I;": (IRREGULAR,),
    "xqb**I;": (SIMPLE,),
    "bI,*IB;": (SIMPLE,),
    "bI,I(b);": (IRREGULAR,),
    "bI(b),I;": (IRREGULAR,),
    "bI(b*I,qR*,.);": (SIMPLE,),
    "bI(.);": (SIMPLE,),
    "bI();": (SIMPLE,),
    "bI(I);": (IRREGULAR,),
    "b(I);": (SIMPLE,),
    "b(*IB)(b(*)(b));": (SIMPLE,),
    "b(*I(b))(b);": (SIMPLE,),
    "b(A*I)(b);": (IRREGULAR,),
    "bI(b)G": (FUNCTION,),
    "bI(b)AG": (IRREGULAR,),
    "ybI(b)G": (IRREGULAR,),
    "bIM;": (SIMPLE,),
    "bIMAE;": (SIMPLE,),
    "bIAM;": (IRREGULAR,),
    "bIA,I;": (SIMPLE,),
    "AbI;": (SIMPLE,),
    "AI;": (IRREGULAR,),
    "C;": (SIMPLE,),
    "yCI,*I;": (SIMPLE,),
    "TTI;": (SIMPLE, IRREGULAR),
    "TbI;": (SIMPLE, IRREGULAR),
    "bTI;": (SIMPLE, IRREGULAR),
    "o(I)I;": (SIMPLE,),
    "o(T*)I;": (SIMPLE,),
    "o(T)I,I;": (IRREGULAR,),
    "OI,I;": (SIMPLE,),
    "bI(bIA);": (RAW, SIMPLE),
    "bI(bIA,b)G": (RAW, FUNCTION),
    "bI(bIA,b(b));": (IRREGULAR, IRREGULAR),
    "SAIG;": (LOST, IRREGULAR),
    "ySAIG*I;": (LOST, IRREGULAR),
    "SAIGI(b);": (IRREGULAR,),
    "bI?;": (IRREGULAR,),
    "bI(bE);": (IRREGULAR,),
    "bI(S);": (IRREGULAR,),
}


@pytest.mark.parametrize("shape", VERDICTS)
def test_verdicts(shape: str) -> None:
    """Check the verdict on a shape, twice since it is remembered."""
    expected = VERDICTS[shape]
    shapes = {grammar: Shapes(grammar) for grammar in ("A", "B")}
    for _ in range(2):
        assert (shapes["A"].verdict(shape), shapes["B"].verdict(shape)) == (expected[0], expected[-1])


# opening and inner shape of a body -> regular in grammar A, in B
BODIES = {
    ("Z", ""): (True, True),
    ("z", "bI;"): (True, True),
    ("Z", "bIF,F;;qR**IB;C;"): (True, True),
    ("z", "b(*I)(T*I);"): (True, True),
    ("z", "b(*IB)(b),*IA;"): (True, True),
    ("z", "b(A*I)(b);"): (False, False),
    ("z", "bI(b)B;"): (False, False),
    ("z", "bIE;"): (False, False),
    ("z", "b*IF;"): (False, False),
    ("z", "bI"): (False, False),
    ("z", "I;"): (False, False),
    ("z", "xbI;"): (False, False),
    ("z", "cbI;"): (True, True),
    ("z", "TTI;"): (True, False),
    ("z", "V;"): (False, False),
    ("w", "I,IE,"): (True, True),
    ("W", "IE"): (True, True),
    ("W", ""): (False, False),
    ("W", "I,,I"): (False, False),
    ("W", "IA"): (False, False),
    ("w", "T"): (False, False),
}


@pytest.mark.parametrize(("opening", "inner"), BODIES)
def test_bodies(opening: str, inner: str) -> None:
    """Check which bodies of compounds are regular, twice since it is remembered."""
    shapes_a, shapes_b = Shapes("A"), Shapes("B")
    for _ in range(2):
        found = shapes_a.body_is_regular(opening, inner), shapes_b.body_is_regular(opening, inner)
        assert found == BODIES[opening, inner]


@pytest.mark.parametrize(
    ("letters", "expected"),
    [
        ("bI;bI;", "bI;"),
        ("bI(b)GbI;", "bI(b)G"),
        ("ZbI;zbI;}I;}I;bI;", "ZbI;zbI;}I;}I;"),
        ("WI,I};", "WI,I};"),
        ("SAIG*I;bI;", "SAIG*I;"),
        ("ZbI;", None),
        ("bI", None),
        ("bI!;", None),
    ],
)
def test_one_declaration(letters: str, expected: str | None) -> None:
    """Check where the first declaration of a text ends."""
    match = ONE_DECLARATION.match(letters)
    assert (match[0] if match else None) == expected


def test_innermost_bodies() -> None:
    """Check that only bodies without bodies inside are found."""
    found: list[tuple[str, str]] = re.findall(INNERMOST_BODY, "ZbI;zbI;}I;WI}I;}")
    assert found == [("z", "bI;"), ("W", "I")]


@pytest.mark.parametrize(
    ("shape", "in_a", "in_b"),
    [
        ("b*T;", "b*I;", "b*I;"),
        ("R**T(b);", "R**I(b);", "R**I(b);"),
        ("TT;", "TT;", "TI;"),
        ("bT[", "bT[", "bT["),
        ("bI(bT,T*T);", "bI(bT,T*I);", "bI(bI,T*I);"),
        ("T*I;", "T*I;", "T*I;"),
        ("RT;", "RT;", "RT;"),
    ],
)
def test_shadowing_names(shape: str, in_a: str, in_b: str) -> None:
    """Check where the name of a typedef stands for a new name."""
    assert (SHADOWING_NAMES["A"].sub("I", shape), SHADOWING_NAMES["B"].sub("I", shape)) == (in_a, in_b)
