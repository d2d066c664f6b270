# SPDX-License-Identifier: GPL-2.0-or-later
"""Definitions of symtypes files read as types."""

from __future__ import annotations

import shutil
import subprocess
from itertools import combinations_with_replacement, permutations
from pathlib import Path

import pytest

from modpost_py.kbuild.layout_declarations import basic_name, parse_definition
from modpost_py.kbuild.layout_types import (
    Array,
    Attributed,
    Basic,
    Compound,
    Enumeration,
    Function,
    Member,
    Pointer,
    Raw,
    Reference,
    Type,
    Typeof,
    described,
)

INT, LONG, CHAR, VOID = Basic("int"), Basic("long"), Basic("char"), Basic("void")
PACKED = ("__attribute__", "(", "(", "packed", ")", ")")

DECLARATIONS: dict[str, Type] = {
    "int x": INT,
    "int * x": Pointer(INT),
    "const char * const x [ 5 ]": Array(Pointer(CHAR), ("5",)),
    "int x [ 3 ] [ 4 ]": Array(Array(INT, ("4",)), ("3",)),
    "int ( * x ) [ 4 ]": Pointer(Array(INT, ("4",))),
    "int x ( long , char * c )": Function(INT, (LONG, Pointer(CHAR)), False),
    "int x ( )": Function(INT, None, False),
    "int x ( void )": Function(INT, (), False),
    "int x ( void * )": Function(INT, (Pointer(VOID),), False),
    "int x ( const char * , ... )": Function(INT, (Pointer(CHAR),), True),
    "int ( * x ) ( void )": Pointer(Function(INT, (), False)),
    "int ( * x ( char ) ) ( long )": Function(Pointer(Function(INT, (LONG,), False)), (CHAR,), False),
    "int ( * ( * x ) [ 3 ] ) ( void )": Pointer(Array(Pointer(Function(INT, (), False)), ("3",))),
    "int x ( int ( * call ) ( t#u8 ) , void ( char ) )": Function(
        INT, (Pointer(Function(INT, (Reference("t#u8"),), False)), Function(VOID, (CHAR,), False)), False
    ),
    "s#s * ( x )": Pointer(Reference("s#s")),
    "int x [ sizeof ( s#s ) / ( 2 ) ]": Array(INT, ("sizeof", "(", "s#s", ")", "/", "(", "2", ")")),
    "__attribute__ ( ( packed ) ) int x": Attributed(INT, PACKED),
    "int __attribute__ ( ( packed ) ) * x": Pointer(Attributed(INT, PACKED)),
    "int * __attribute__ ( ( packed ) ) x": Pointer(INT, PACKED),
    "int * x __attribute__ ( ( packed ) )": Attributed(Pointer(INT), PACKED),
    "typeof ( int * ) x": Pointer(INT),
    "typeof ( foo ) x": Typeof(("typeof", "(", "foo", ")")),
    "int t#u8": INT,
    "typedef struct { int a ; char : 3 ; } x": Compound("struct", (Member("a", INT), Member(None, CHAR, ("3",)))),
    "typedef enum { A , B = 1 , } x": Enumeration((("A", ()), ("B", ("1",)))),
}

TAGS: dict[str, Type] = {
    "struct s { }": Compound("struct", ()),
    "struct s { UNKNOWN }": Compound("struct", None),
    "enum e { UNKNOWN }": Enumeration(None),
    "union u { int a , * b [ 2 ] ; ; long c : 4 , d : 2 ; }": Compound(
        "union",
        (
            Member("a", INT),
            Member("b", Array(Pointer(INT), ("2",))),
            Member("c", LONG, ("4",)),
            Member("d", LONG, ("2",)),
        ),
    ),
    "struct s { union { int a ; } ; s#t t __attribute__ ( ( packed ) ) ; }": Compound(
        "struct",
        (Member(None, Compound("union", (Member("a", INT),))), Member("t", Reference("s#t"), None, PACKED)),
    ),
    "struct __attribute__ ( ( packed ) ) s { int a ; }": Compound("struct", (Member("a", INT),), PACKED),
    "enum e { A = - 1 , B = ( 1 << 3 ) , E#C }": Enumeration(
        (("A", ("-", "1")), ("B", ("(", "1", "<<", "3", ")")), ("C", ()))
    ),
}

#: Texts outside the grammar: they stand for themselves.
IRREGULAR = (
    "", "x", "int x y", "int x (", "int x )", "int x [", "int x ( int , )", "int x = 3", "int x : 3", "foo x",
    "unsigned float x", "long long long x", "char int x", "signed signed x", "_Atomic int x", "struct s x", "typeof x",
    "int ( __attribute__ ( ( x ) ) * f ) ( void )", "int __attribute__ x", "int __attribute__ ( x",
)  # fmt: skip
IRREGULAR_TAGS = (
    "struct s", "struct s {", "struct s { int }", "struct s { int a }", "struct s { int a ; } x", "struct s { a ; }",
    "int s { }", "enum e { 1 }", "enum e { A B }", "enum e : char { A }",
)  # fmt: skip


@pytest.mark.parametrize("text", DECLARATIONS)
def test_declarations(text: str) -> None:
    """Check that declarators are read as C reads them."""
    assert parse_definition(tuple(text.split()), False) == DECLARATIONS[text]


@pytest.mark.parametrize("text", TAGS)
def test_tags(text: str) -> None:
    """Check that structs, unions and enums are read with their members."""
    assert parse_definition(tuple(text.split()), True) == TAGS[text]


@pytest.mark.parametrize(("texts", "is_tag"), [(IRREGULAR, False), (IRREGULAR_TAGS, True)])
def test_irregular_texts(texts: tuple[str, ...], is_tag: bool) -> None:
    """Check that what does not fit the grammar is kept as a text, and not half understood."""
    read = {text: parse_definition(tuple(text.split()), is_tag) for text in texts}
    assert {text: type_ for text, type_ in read.items() if type_ != Raw(tuple(text.split()))} == {}


def test_described() -> None:
    """Check the words for types in messages."""
    assert [described(type_) for type_ in (*DECLARATIONS.values(), *TAGS.values())][:9] == [
        "int", "pointer to int", "array [5] of pointer to char", "array [3] of array [4] of int",
        "pointer to array [4] of int", "function", "function", "function", "function",
    ]  # fmt: skip


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
def test_spellings_of_basic_types(tmp_path: Path) -> None:
    """Check with the compiler that spellings of a name are one type, names different types, and no type is missed."""
    words = ("signed", "unsigned", "char", "short", "int", "long", "float", "double", "_Bool", "__int128", "void")
    names: dict[str, set[tuple[str, ...]]] = {}
    refused = []
    for count in range(1, 5):
        for chosen in combinations_with_replacement(words, count):
            name = basic_name(list(chosen))
            if name is None:
                refused.append(chosen)
            else:
                names.setdefault(name, set()).update(permutations(chosen))
    lines = [
        f'_Static_assert(__builtin_types_compatible_p({" ".join(spelling)} *, {name} *), "{" ".join(spelling)}");'
        for name, spellings in names.items()
        for spelling in spellings
    ]
    lines += [
        f'_Static_assert(!__builtin_types_compatible_p({first} *, {second} *), "{first}, {second}");'
        for first in names
        for second in names
        if first < second
    ]
    source = tmp_path / "types.c"
    source.write_text("\n".join(lines))
    done = subprocess.run(["gcc", "-fsyntax-only", source], stderr=subprocess.PIPE, text=True, check=False)
    assert done.stderr == ""
    # One error each: none of these is a type
    source.write_text("\n".join(f"extern {' '.join(spelling)} *x{n};" for n, spelling in enumerate(refused)))
    command = ["gcc", "-fsyntax-only", "-fmax-errors=0", "-pedantic-errors", "-fno-diagnostics-show-caret", source]
    errors = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False).stderr
    lines_with_errors = {int(line.split(":")[1]) for line in errors.splitlines() if ": error:" in line}
    assert [" ".join(spelling) for n, spelling in enumerate(refused, 1) if n not in lines_with_errors] == []
