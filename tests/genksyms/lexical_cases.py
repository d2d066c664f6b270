# SPDX-License-Identifier: GPL-2.0-or-later
"""Phrases, markers, strings and odd bytes: each as the C tools of 6.1 and 7.2 have it."""

from __future__ import annotations

from tests.genksyms.unit_reading import Case

LEXICAL = (
    Case(
        "typeof(int8x8_t) x; typeof(int8x8_tt) y;",
        ("x typeof ( int8x8_t ) x", "y typeof ( int8x8_tt ) y"),
        (),
        ("x typeof int8x8_t ) x", "y typeof ( int8x8_tt ) y"),
        (),
    ),
    Case("extern enum E { E0 } x;", ("E#E0 0", "e#E extern enum E { E0 }", "x extern e#E x")),
    Case(
        '# 1 "c"\n# 1 "h"\nstruct A { struct B { int b[2], c;\n# 2 "c"\n} c; struct D {} d; } x; union E {} y;',
        ("s#B struct B { int b [ 2 ] , c ; }", "s#A struct A { s#B c ; s#D d ; }", "x s#A x", "y u#E y"),
    ),
    Case("int x __attribute__ y ((a)) = 3;", ("x int x __attribute__ y ( ( a ) )",)),
    Case("__attribute__ ) (( a ) int x;", ("x __attribute__ ) ( ( a ) int x",)),
    Case("typeof ) ( ( int ) x;", ("x typeof ) ( ( int ) x",)),
    Case(
        "struct A { int a : 3 ? 4 : 5, b : (1, 2); } x;",
        ("s#A struct A { int a : 3 ? 4 : 5 , b : ( 1 , 2 ) ; }", "x s#A x"),
    ),
    Case("int x = (3, { 4; }), y;", ("x int x", "y int y")),
    Case("int f(void) { \"}\" ; '{' } int y;", ("f int f ( void )", "y int y")),
    Case('int f(void)\n# 7 "k.h"\n{ int a; # 5\n} int y', ("f int f ( void )", "y int y"), ("k.h:8: syntax error",)),
    Case(
        'struct\n# 1 "c"\nA { int a; } x;\n# 1 "h"\nunion B { int b; } y;\n# 3 "c"\nunion C { enum { C0 } c; } z;',
        ("x s#A x", "u#B union B { int b ; }", "y u#B y", "E#C0 0", "z u#C z"),
    ),
    Case("int x\n#pragma once\n[3];", ("x int x [ 3 ]",)),
    Case('int x["a\\\nb"]; int y;', ('x int x [ " a \\ b " ]', "y int y")),
    Case('int x["a\nb"];\nint x[3];', ('x int x [ "a\nb" ]',), ("<stdin>:3: redefinition of x",)),
    Case('int x;\n # 3 "indented"\nint y;\nint z;', ("x int x", "z int z"), ("<stdin>:3: syntax error",)),
    Case("int x; \x80 int y;", ("x int x",)),
    Case('int x["\x80ÿ"]; int f(void) { \xa0 } int y;', ('x int x [ "\x80ÿ" ]', "f int f ( void )", "y int y")),
    Case("int x; int f(void) { \x00 } int y;", ("x int x", "f int f ( void )"), ("<stdin>:2: syntax error",)),
    Case('int x["a\x00b"]; int y;', ('x int x [ "a ]', "y int y")),
    Case(
        '# 010 "a\\"b.h"\nint x; int x[2];\n# 0x10 "c"\n#line 5 "f"\n#12 "f"\n# 5 ""\nint x[3];',
        ("x int x",),
        ("a\\:10: redefinition of x", "c:3: redefinition of x"),
    ),
    Case('int x;\n# 1 "f"', ("x int x",), ("<stdin>:3: syntax error",)),
    Case(
        "enum A { A0, A1 = (3), A2, A3 }; enum { B0, B1 = A1, B2 = B1, B3, };",
        (
            "E#A0 0",
            "E#A1 ( 3 )",
            "E#A2 ( ( 3 ) ) + 1",
            "E#A3 ( ( 3 ) ) + 2",
            "e#A enum A { A0 , A1 = ( 3 ) , A2 , A3 }",
            "E#B0 0",
            "E#B1 E#A1",
            "E#B2 E#B1",
            "E#B3 ( E#B1 ) + 1",
        ),
    ),
    Case(
        '# 1 "x.c"\nenum A { A0, A1 }; enum B { B0 }; enum { C0 }; enum D { D0 };',
        ("E#A0 0", "E#A1 1", "E#B0 2", "E#C0 3", "E#D0 0"),
    ),
    Case(
        "enum A { A = A, B = A + 1, C = , D };",
        (
            "E#A A",
            "E#B E#A + 1",
            "E#C ( E#A + 1 ) + 1",
            "E#D ( E#A + 1 ) + 2",
            "e#A enum A { A = A , B = E#A + 1 , C = , D }",
        ),
    ),
    Case("enum A { A0 = 5 3 }; enum B { B0 };", ("E#A0 5 3", "e#A enum A { A0 = 5 3 }", "E#B0 0", "e#B enum B { B0 }")),
    Case(
        "struct A { int a; } x; struct A { int\n a; } x; int x;\nint x;",
        ("s#A struct A { int a ; }", "x s#A x"),
        ("<stdin>:3: redefinition of x", "<stdin>:4: redefinition of x"),
    ),
    Case(
        "union A; struct A { int a; }; enum A { A }; int A; typedef int A;",
        ("s#A struct A { int a ; }", "E#A 0"),
        ("<stdin>:2: redefinition of A", "<stdin>:2: redefinition of A", "<stdin>:2: redefinition of A"),
    ),
)
