# SPDX-License-Identifier: GPL-2.0-or-later
"""pycparser's view of shapes: the roles of names."""

from __future__ import annotations

import gc

import pytest
from pycparser.c_parser import ParseError

from genksyms_py.c_front_end import FrontEnd

DECLARATIONS = {
    "bI;": ".n.",
    "xqb**I,*IB,I;": ".....n..n..n.",
    "bI(b*I,qR*,TI,.)A;": ".n...p......p.....",
    "b(*IB)(b(*I)(bI),b);": "...n......p...p.....",
    "cnTI(qT*I)G": "...n....p..",
    "yCI,*I;": "..n..n.",
    "C;": "..",
    "o(I)I;": "....n.",
    "o(T*)qI;": "......n.",
    "bqTI;": "...n.",
    "b(*I(bI))(bI);": "...n..p....p..",
    "bIMAE;": ".n....",
}


@pytest.mark.parametrize("shape", DECLARATIONS)
def test_declarations(shape: str) -> None:
    """Check declared names and names of parameters of declarations, twice since they are remembered."""
    front_end = FrontEnd()
    for _ in range(2):
        roles = front_end.declaration_roles(shape)
        assert (roles, len(roles)) == (DECLARATIONS[shape], len(shape))


def test_members() -> None:
    """Check members of several compounds at once, those met before among them, in the order asked for."""
    front_end = FrontEnd()
    assert front_end.member_roles(["bI;", "bIF,F;"]) == [".n.", ".n...."]
    assert front_end.member_roles(["b(*I)(bI);", "bI;", "C;", ";", "bI;"]) == ["...n...p..", ".n.", "..", ".", ".n."]
    assert front_end.member_roles([]) == []


@pytest.mark.parametrize("shape", ["bI", "bII;", "b(I;", "bI(b,;"])
def test_what_is_no_c_is_refused(shape: str) -> None:
    """Check that a shape that is no declaration raises pycparser's error, which sends it to the exact parser."""
    with pytest.raises(ParseError):
        FrontEnd().declaration_roles(shape)


def test_garbage_collection_is_left_as_it_was() -> None:
    """Check that parsing leaves the collector off where it was off, and on where it was on."""
    before = gc.isenabled()
    try:
        for state in (gc.disable, gc.enable):
            state()
            enabled = gc.isenabled()
            FrontEnd().declaration_roles("bI;")
            assert gc.isenabled() is enabled
    finally:
        (gc.enable if before else gc.disable)()
