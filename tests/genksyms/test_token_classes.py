# SPDX-License-Identifier: GPL-2.0-or-later
"""Coarse tokens and the shapes that their classes make."""

from __future__ import annotations

import pytest

from genksyms_py.dialects import dialect_of
from genksyms_py.token_classes import TokenClasses, coarse_tokens


def _shape(text: str, kernel: str = "6.1") -> str:
    classes = TokenClasses(dialect_of(kernel))
    classes.enter_typedefs(["u32", "list_t"])
    return classes.letters(coarse_tokens().findall(text))


# text -> shape in grammar A, and in B where that differs
SHAPES = {
    "static inline u32 twice(const u32 *value) { return *value + *value; }": ("cnTI(qT*I)G",),
    "extern int printk(const char *fmt, ...) __attribute__((format(printf, 1, 2)));": ("xbI(qb*I,.)A;",),
    "typedef struct list { struct list *next; u32 pad[4]; } list_t;": ("yZR*I;TIB;}T;",),
    "typedef struct { int a:3, :0; } own;": ("yz" + "bIF,F;}I;",),
    "enum zone { LOW, HIGH = 4 << 2, };": ("WI,IE,};",),
    "union { enum { A, B } e; };": ("zwI,I}I;};",),
    "__extension__ typedef long __restrict__ x;": ("Xybr" + "I;",),
    'asm volatile ("nop; }" : : );': ("M;",),
    'int x asm("y") __asm__ ("z");': ("bIMM;",),
    '_Static_assert(sizeof(int) == 4, ")");': ("V;",),
    "__typeof__(u32) x; typeof(*p) y; typeof (int *) z;": ("o(T)I;OI;o(b*)I;",),
    "typeof_unqual(*p) x;": ("?I;", "OI;"),
    "typeof_unqual(int) x;": ("I(b)I;", "o(b)I;"),
    "__seg_gs int8x16_t x;": ("III;", "q?I;"),
    "__GENKSYMS_EXPORT_SYMBOL(x);": ("e(I);",),
    "int x[3][sizeof(int[2])] = { [0] = 1, 2 }, y = (struct a){ 1, 2 }.b;": ("bIBBE,IE;",),
    'char x[] = "; } \\" {", y = \'"\';': ("bIBE,IE;",),
    "struct __attribute__((packed)) a { int b; };": ("SAIG;",),
    "struct a; struct\n\ta\f*x; struct int *y;": ("R;R*I;?*I;",),
    "structure x; enum_t y; $a z;": ("II;II;II;",),
    "int (*f[2])(void (*)(int), ...);": ("b(*IB)(b(*)(b),.);",),
    "void f(void) { if (x) { } else { \"}\"; } } int y;": ("bI(b)GbI;",),
    "auto register volatile __inline__ _Bool x;": ("ccqnbI;",),
    "int x = 3": ("bI!?",),
    "int x[3": ("bI!?",),
    "int f(void) {": ("bI(b)!",),
    'char *s = "a': ("b*I!!I",),
    "int $x, \x80;": ("bI,?;",),
    "x == 3;": ("I!E;",),
}


@pytest.mark.parametrize("text", SHAPES)
def test_shapes(text: str) -> None:
    """Check the shape of a text in both grammars."""
    expected = SHAPES[text]
    assert (_shape(text, "6.1"), _shape(text, "7.2")) == (expected[0], expected[-1])


def test_tokens() -> None:
    """Check that nothing but white space is lost, and which things are one token."""
    text = 'struct  a\n{ int x __attribute((y)) [ "]" ]; } z = { 1, (2) }, * w : 3; int f() { ; }'
    assert coarse_tokens().findall(text) == [
        "struct  a\n{",
        "int",
        "x",
        "__attribute((y))",
        '[ "]" ]',
        ";",
        "}",
        "z",
        "= { 1, (2) }",
        ",",
        "*",
        "w",
        ": 3",
        ";",
        "int",
        "f",
        "(",
        ")",
        "{ ; }",
    ]


def test_static_assert_is_no_phrase_in_5_10() -> None:
    """Check that 5.10 does not know static assertions."""
    assert _shape("_Static_assert(1);", "5.10") == "?;"


def test_typedefs_of_a_unit_are_its_own() -> None:
    """Check that a name entered as a typedef counts for this unit only, also after it was met as a name."""
    first, second = TokenClasses(dialect_of("6.1")), TokenClasses(dialect_of("6.1"))
    assert (first.letters(["u8"]), second.letters(["u8"]), first.is_typedef("u8")) == ("I", "I", False)
    first.enter_typedefs(["u8"])
    assert (first.letters(["u8", "a"]), first.is_typedef("u8")) == ("TI", True)
    assert (second.letters(["u8"]), second.is_typedef("u8")) == ("I", False)
    assert TokenClasses(dialect_of("6.1")).letters(["u8"]) == "I"


def test_deep_nesting() -> None:
    """Check that what is nested deep is open to the shallow expression, and one token to the deep one."""
    for text in ("[" * 5 + "]" * 5, "{" * 30 + "}" * 30, f"= {'(' * 30}1{')' * 30}"):
        assert coarse_tokens(deep=True).findall(text + ",") == [text, ","]
        assert "!" in TokenClasses(dialect_of("6.1")).letters(coarse_tokens().findall(text + ","))
