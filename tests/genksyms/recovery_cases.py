# SPDX-License-Identifier: GPL-2.0-or-later
"""What is left of declarations with syntax errors: each as the C tools of 6.1 and 7.2 have it."""

from __future__ import annotations

from tests.genksyms.unit_reading import Case

RECOVERY = (
    Case("int", (), ("<stdin>:2: syntax error",)),
    Case("int x", ("x int x",), ("<stdin>:2: syntax error",)),
    Case(";", ()),
    Case("int x y; int z;", ("x int x", "z int z"), ("<stdin>:2: syntax error",)),
    Case("int x garbage;", ("x int x",), ("<stdin>:2: syntax error",)),
    Case(
        "int x(int a, 3 u32 b, int c); int y;",
        ("x int x ( int , 3 u32 b , int c )", "y int y"),
        ("<stdin>:2: syntax error",),
    ),
    Case("int x(a) int a; { return a; } ; int y;", ("x int x ( a )", "y int y"), ("<stdin>:2: syntax error",)),
    Case("int a; } int x;", ("a int a", "x int x"), ("<stdin>:2: syntax error",)),
    Case("; } } ;", (), ("<stdin>:2: syntax error",)),
    Case("{ } int x; int y;", ("y int y",), ("<stdin>:2: syntax error",)),
    Case('asm("x") int x; int y;', ("y int y",), ("<stdin>:2: syntax error",)),
    Case(
        "int x(int a, struct Q { 3 } b, 4 ( 5 ) , int c);",
        ("s#Q struct Q { 3 }", "x int x ( int , s#Q , 4 ( 5 )"),
        ("<stdin>:2: syntax error", "<stdin>:2: syntax error"),
    ),
    Case("int x(struct S *p, register 3);", ("x int x ( s#S * , 3 )",), ("<stdin>:2: syntax error",)),
    Case("struct A { 3 } x;", ("s#A struct A { 3 }", "x s#A x"), ("<stdin>:2: syntax error",)),
    Case(
        "struct A { 3; 4 ; int b; struct B { 5 } c; 6 struct D { int q; } e; } x;",
        ("s#B struct B { 5 }", "s#A struct A { 3 ; 4 ; int b ; s#B c ; 6 struct D { int q ; }", "e s#A e", "x x"),
        ("<stdin>:2: syntax error", "<stdin>:2: syntax error", "<stdin>:2: syntax error", "<stdin>:2: syntax error"),
    ),
    Case("struct A { int a; } } x;", ("s#A struct A { int a ; }", "x x"), ("<stdin>:2: syntax error",)),
    Case(
        "struct A { int f(int { int a; } b); } x;",
        ("s#A struct A { int f ( int { int a ; } b ) ; }", "x s#A x"),
        ("<stdin>:2: syntax error",),
    ),
    Case(
        "struct A { int (*f)(3 (4) 5) ; int (6 (7)) ; } x;",
        ("s#A struct A { int ( * f ) ( 3 ( 4 ) 5 ) ; int ( 6 ( 7 ) ) ; }", "x s#A x"),
        ("<stdin>:2: syntax error", "<stdin>:2: syntax error"),
    ),
    Case(
        "struct A { int a = 3; int b; } x;",
        ("s#A struct A { int a = 3 ; int b ; }", "x s#A x"),
        ("<stdin>:2: syntax error",),
    ),
    Case("struct A { int *a:3; } x;", ("s#A struct A { int * a : 3 ; }", "x s#A x"), ("<stdin>:2: syntax error",)),
    Case(
        "struct A { int a; 3 } x; int y; }; int z;",
        ("s#A struct A { int a ; 3 } x ; int y ; }", "z int z"),
        ("<stdin>:2: syntax error",),
    ),
    Case("3 { int a; } int x; int y;", ("y int y",), ("<stdin>:2: syntax error",)),
    Case("3 struct Q { int a; } ; int x;", ("x int x",), ("<stdin>:2: syntax error",)),
    Case("int x = 3 } ; int y;", ("x int x", "y int y"), ("<stdin>:2: syntax error",)),
    Case(
        "int f(int a = 3, int b); int x; { ; } int y; int z;",
        ("f int f ( int = 3 , int b )", "x int x", "z int z"),
        ("<stdin>:2: syntax error", "<stdin>:2: syntax error"),
    ),
    Case(
        "int f(int a = 3); int x; int y[2]; int g(void) { int q; r(); } int z;",
        ("f int f ( int = 3 ) ; int x ; int y [ 2 ] ; int g ( void ) { int q ; r ( )", "z int z"),
        ("<stdin>:2: syntax error",),
    ),
    Case("typedef int x(void) { 3 } int y;", ("t#x typedef int x ( void )",), ("<stdin>:2: syntax error",)),
    Case(
        'int x __attribute__((a)) asm("b"); int y;',
        ("x int x", "y int y"),
        ("<stdin>:2: syntax error",),
        ("x int x __attribute__ ( ( a ) )", "y int y"),
        ("<stdin>:2: syntax error",),
    ),
    Case('int x asm("a") { 3 } int y;', ('x int x asm ( "a" )',), ("<stdin>:2: syntax error",)),
    Case("__extension__ int w; int x;", ("x int x",), ("<stdin>:2: syntax error",)),
    Case("int a : 3; int x;", ("a int a", "x int x"), ("<stdin>:2: syntax error",)),
    Case("x { return 0; }", ("x x",)),
    Case("enum { }; int x;", ("x int x",), ("<stdin>:2: syntax error",)),
    Case("enum F { A __attribute__((q)), B } x;", ("E#A 0", "x x"), ("<stdin>:2: syntax error",)),
    Case(
        "enum A { A1 = 7, A2, u32 }; enum C { C1 };",
        ("E#A1 7", "E#A2 ( 7 ) + 1", "E#C1 ( 7 ) + 2", "e#C enum C { C1 }"),
        ("<stdin>:2: syntax error",),
    ),
    Case("int x, 3; int y;", ("x int x", "y int y"), ("<stdin>:2: syntax error",)),
    Case("_Static_assert(1) int x;", (), ("<stdin>:2: syntax error",)),
    Case('__GENKSYMS_EXPORT_SYMBOL("x");', (), ("<stdin>:2: syntax error",)),
    Case("__GENKSYMS_EXPORT_SYMBOL(__attribute__); int x;", (), ("<stdin>:2: syntax error",)),
    Case("EXPORT_SYMBOL(x); int y;", ("EXPORT_SYMBOL EXPORT_SYMBOL ( x )", "y int y"), ("<stdin>:2: syntax error",)),
    Case(
        "typedef int t; typedef t 3 v; t x; t y;",
        ("t#t typedef int t", "x t#t x", "y t#t y"),
        ("<stdin>:2: syntax error",),
        ("t#t typedef int t",),
        ("<stdin>:2: syntax error", "<stdin>:2: redefinition of t", "<stdin>:2: redefinition of t"),
    ),
    Case("int x(3; int y;", (), ("<stdin>:2: syntax error",)),
    Case("struct A { int a;", (), ("<stdin>:2: syntax error",)),
    Case("int x = { 1, 2", (), ("<stdin>:2: syntax error",)),
    Case(
        "struct A { struct B { int b; 3 } c; } x;",
        ("s#B struct B { int b ; 3 } c ; }",),
        ("<stdin>:2: syntax error", "<stdin>:2: syntax error"),
    ),
    Case("int x(int (3)) , y;", ("x int x ( int ( 3 ) )", "y int x ( int y"), ("<stdin>:2: syntax error",)),
    Case("int *3, x; int y;", ("y int y",), ("<stdin>:2: syntax error",)),
)
