# SPDX-License-Identifier: GPL-2.0-or-later
"""Which differences of symtypes are harmless: a positive and a near-miss case for each rule."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modpost_py.kbuild.errors import KbuildError
from modpost_py.kbuild.layout_comparison import LayoutVerdict, compare_layouts
from modpost_py.kbuild.layout_symtypes import SymtypesSet

#: What most cases are about: f takes a pointer to s; only the line of s is given.
F = "f int f ( s#s * )\n"


def verdict(old: str, new: str, symbol: str = "f") -> LayoutVerdict:
    """The verdict on two symtypes texts; ``s#s ...`` alone is completed by the line of ``f``."""
    texts = [text if any(line.startswith("f ") for line in text.split("\n")) else F + text for text in (old, new)]
    return compare_layouts(SymtypesSet.of_text(texts[0], "old"), SymtypesSet.of_text(texts[1], "new"), symbol)


SPELLING = "other qualifiers, parameter names or spelling only"

HARMLESS = {
    "nothing": ("f int f ( void )", "f int f ( void )", ()),
    "parameter names": ("f int f ( int a , char * )", "f int f ( int count , char * name )", (f"f: {SPELLING}",)),
    "a parameter's name in a function pointer": (
        "s#s struct s { int ( * call ) ( int x , long ) ; }",
        "s#s struct s { int ( * call ) ( int , long y ) ; }",
        (f"f, parameter 1 -> struct s: {SPELLING}",),
    ),
    "qualifiers": (
        "f int f ( const char * , int * volatile )",
        "f int f ( char * const , volatile int * )",
        (f"f: {SPELLING}",),
    ),
    "unsigned": ("f unsigned f ( long int )", "f unsigned int f ( long )", (f"f: {SPELLING}",)),
    "order of words": (
        "f long unsigned int f ( short signed int )",
        "f unsigned long f ( short )",
        (f"f: {SPELLING}",),
    ),
    "extern": ("f extern int f ( void )", "f int f ( void )", ()),
    "a declaration of two members": (
        "s#s struct s { int a , * b ; }",
        "s#s struct s { int a ; int * b ; }",
        (f"f, parameter 1 -> struct s: {SPELLING}",),
    ),
    "a typedef for its type": (
        "t#u32 typedef unsigned int u32\ns#s struct s { t#u32 a ; }",
        "s#s struct s { unsigned a ; }",
        ("f, parameter 1 -> struct s.a: was written u32, is unsigned int",),
    ),
    "a typedef for another one": (
        "t#u32 typedef unsigned int u32\nf int f ( t#u32 )",
        "t#u32 typedef unsigned int u32\nt#__u32 typedef t#u32 __u32\nf int f ( t#__u32 )",
        ("f, parameter 1: was written u32, is __u32",),
    ),
    "a typedef of an array": (
        "t#name typedef char name [ 16 ]\ns#s struct s { t#name a ; }",
        "s#s struct s { char a [ 0x10 ] ; }",
        ("f, parameter 1 -> struct s.a: was written name, is array [0x10] of char",),
    ),
    "an opaque type": (
        "s#s struct s { s#t * t ; }\ns#t struct t { UNKNOWN }",
        "s#s struct s { s#t * t ; }\ns#t struct t { int a ; }",
        ("f, parameter 1 -> struct s.t: struct t became visible, behind a pointer",),
    ),
    "a type that becomes opaque": (
        "s#s struct s { int a ; }",
        "s#s struct s { UNKNOWN }",
        ("f, parameter 1: struct s became opaque, behind a pointer",),
    ),
    "an opaque type behind a typedef": (
        "t#t typedef s#s t\nf void f ( t#t * )\ns#s struct s { UNKNOWN }",
        "t#t typedef s#s t\nf void f ( t#t * )\ns#s struct s { int a ; }",
        ("f, parameter 1 -> t: struct s became visible, behind a pointer",),
    ),
    "opaque in both": (
        "s#s struct s { s#t * t ; }\ns#t struct t { UNKNOWN }",
        "s#s struct s { s#t * u ; }\ns#t struct t { UNKNOWN }",
        ("f, parameter 1 -> struct s: .t was renamed .u",),
    ),
    "a renamed member": (
        "s#s struct s { int a ; int b ; }",
        "s#s struct s { int a ; int c ; }",
        ("f, parameter 1 -> struct s: .b was renamed .c",),
    ),
    "enum constants added": (
        "e#e enum e { A , B = 4 }\nf int f ( e#e )",
        "e#e enum e { A , B = 4 , C , D = 1 << 4 , }\nf int f ( e#e )",
        ("f, parameter 1 -> enum e: constants were added: C, D",),
    ),
    "enum constants written otherwise": (
        "e#e enum e { A , B , C }\nf int f ( e#e )",
        "e#e enum e { A = 0 , C = ( 1 << 1 ) , B = 1 }\nf int f ( e#e )",
        (f"f, parameter 1 -> enum e: {SPELLING}",),
    ),
    "a type that refers to itself": (
        "s#s struct s { s#s * next ; int a ; }",
        "s#s struct s { s#s * next ; signed a ; }",
        (f"f, parameter 1 -> struct s: {SPELLING}",),
    ),
    "two types that refer to each other": (
        "s#s struct s { s#t * t ; }\ns#t struct t { s#s * s ; int a ; }",
        "s#s struct s { s#t * t ; }\ns#t struct t { s#s * s ; int b ; }",
        ("f, parameter 1 -> struct s.t -> struct t: .a was renamed .b",),
    ),
    "typeof a type": (
        "s#s struct s { typeof ( s#s ) * next ; }",
        "s#s struct s { s#s * next ; }",
        (f"f, parameter 1 -> struct s: {SPELLING}",),
    ),
    "a member named as a typedef": (
        "t#u8 typedef unsigned char u8\ns#s struct s { int t#u8 ; }",
        "t#u8 typedef unsigned char u8\ns#s struct s { signed t#u8 ; }",
        (f"f, parameter 1 -> struct s: {SPELLING}",),
    ),
}

S = "f, parameter 1 -> struct s"
DIFFERENT = {
    "result": ("f int f ( void )", "f long f ( void )", "f, result: was int, is long"),
    "parameter type": ("f int f ( int )", "f int f ( unsigned )", "f, parameter 1: was int, is unsigned int"),
    "plain char": ("f int f ( char )", "f int f ( signed char )", "f, parameter 1: was char, is signed char"),
    "parameter added": ("f int f ( int )", "f int f ( int , int )", "f: parameters were 1, are 2"),
    "variadic": ("f int f ( int )", "f int f ( int , ... )", "f: parameters were 1, are 1 and more"),
    "no prototype": ("f int f ( )", "f int f ( void )", "f: a prototype was added or lost"),
    "pointer depth": ("f int f ( char * )", "f int f ( char * * )", "f, parameter 1: was char, is pointer to char"),
    "an array for a pointer": (
        "f int f ( int * )",
        "f int f ( int [ 4 ] )",
        "f, parameter 1: was pointer to int, is array [4] of int",
    ),
    "a typedef that changed": (
        "t#t typedef int t\nf t#t f ( void )",
        "t#t typedef long t\nf t#t f ( void )",
        "f, result -> t: was int, is long",
    ),
    "a typedef for another type": (
        "t#u32 typedef unsigned int u32\nf int f ( t#u32 )",
        "f int f ( int )",
        "f, parameter 1: was unsigned int, is int",
    ),
    "a typedef with attributes": (
        "t#t typedef int __attribute__ ( ( aligned ( 2 ) ) ) t\ns#s struct s { t#t a ; }",
        "s#s struct s { int __attribute__ ( ( aligned ( 2 ) ) ) a ; }",
        f"{S}.a: was t, is int __attribute__ ( ( aligned ( 2 ) ) ): not known to be the same",
    ),
    "a typedef of itself": (
        "t#t typedef t#t t\nf int f ( t#t )",
        "f int f ( int )",
        "f, parameter 1: was t, is int: not known to be the same",
    ),
    "an unknown typedef": (
        "f int f ( t#t )",
        "f int f ( int )",
        "f, parameter 1: was t, is int: not known to be the same",
    ),
    "an opaque type by value": (
        "s#s struct s { s#t t ; }\ns#t struct t { UNKNOWN }",
        "s#s struct s { s#t t ; }\ns#t struct t { int a ; }",
        f"{S}.t: struct t is needed as a whole, but not known in the old kernel",
    ),
    "opaque in both, by value": (
        "s#s struct s { s#t t ; }",
        "s#s struct s { s#t u ; }",
        f"{S}.u: struct t is needed as a whole, but not known in both kernels",
    ),
    "an array of opaque types": (
        "s#s struct s { s#t ( * t ) [ 2 ] ; }",
        "s#s struct s { s#t ( * t ) [ 2 ] ; }\ns#t struct t { int a ; }",
        f"{S}.t: struct t is needed as a whole, but not known in the old kernel",
    ),
    "another tag": ("f int f ( s#s * )", "f int f ( s#t * )", "f, parameter 1: was struct s, is struct t"),
    "union for struct": ("f int f ( s#s * )", "f int f ( u#s * )", "f, parameter 1: was struct s, is union s"),
    "members that changed places": (
        "s#s struct s { int a ; int b ; }",
        "s#s struct s { int b ; int a ; }",
        f"{S}: was .a, is .b in this place",
    ),
    "a name that moved on": (
        "s#s struct s { int a ; int b ; }",
        "s#s struct s { int b ; int c ; }",
        f"{S}: was .a, is .b in this place",
    ),
    "names that change places through an anonymous member": (
        "s#s struct s { int a ; union { int b ; int c ; } ; }",
        "s#s struct s { int b ; union { int a ; int c ; } ; }",
        f"{S}: was .a, is .b in this place",
    ),
    "renamed beside an anonymous member of unknown names": (
        "s#s struct s { s#t ; int a ; }\ns#t struct t { int x ; }",
        "s#s struct s { s#t ; int b ; }\ns#t struct t { int x ; }",
        f"{S}: was .a, is .b in this place",
    ),
    "renamed, of another type": (
        "s#s struct s { int a ; }",
        "s#s struct s { long b ; }",
        f"{S}.b: was int, is long",
    ),
    "a member added": ("s#s struct s { int a ; }", "s#s struct s { int a ; int b ; }", f"{S}: member .b was added"),
    "a member lost": ("s#s struct s { int a ; int b ; }", "s#s struct s { int a ; }", f"{S}: member .b was lost"),
    "a member put between": (
        "s#s struct s { int a ; int b ; }",
        "s#s struct s { int a ; char x ; int b ; }",
        f"{S}: was .b, is .x in this place",
    ),
    "array bound": (
        "s#s struct s { int a [ 4 ] ; }",
        "s#s struct s { int a [ 5 ] ; }",
        f"{S}.a: array bound was [4], is [5]",
    ),
    "a pointer no more": (
        "s#s struct s { s#t * a ; }\ns#t struct t { int x ; }",
        "s#s struct s { s#t a ; }\ns#t struct t { int x ; }",
        f"{S}.a: was pointer to struct t, is struct t",
    ),
    "a struct for a basic type": (
        "s#s struct s { s#t a ; }\ns#t struct t { int x ; }",
        "s#s struct s { int a ; }\ns#t struct t { int x ; }",
        f"{S}.a: was struct t, is int",
    ),
    "a typedef of a struct for its pointer": (
        "t#t typedef s#t t\ns#s struct s { t#t * a ; }\ns#t struct t { int x ; }",
        "t#t typedef s#t * t\ns#s struct s { s#t a ; }\ns#t struct t { int x ; }",
        f"{S}.a: was pointer to t, is struct t",
    ),
    "a constant in an array bound": (
        "E#N 4\ns#s struct s { int a [ E#N ] ; }",
        "E#N 5\ns#s struct s { int a [ E#N ] ; }",
        f"{S}.a: the enum constant N has another value or none",
    ),
    "a size in an array bound": (
        "s#s struct s { int a [ sizeof ( s#t ) ] ; }\ns#t struct t { int x ; }",
        "s#s struct s { int a [ sizeof ( s#t ) ] ; }\ns#t struct t { long x ; }",
        f"{S}.a -> struct t.x: was int, is long",
    ),
    "bit-field width": (
        "s#s struct s { int a : 3 ; }",
        "s#s struct s { int a : 4 ; }",
        f"{S}.a: bit-field width was 3, is 4",
    ),
    "a bit-field no more": (
        "s#s struct s { int a : 3 ; }",
        "s#s struct s { int a ; }",
        f"{S}.a: bit-field width was 3, is ",
    ),
    "an attribute": (
        "s#s struct s { int a ; }",
        "s#s struct s { int a __attribute__ ( ( packed ) ) ; }",
        f"{S}.a: attributes were '', are '__attribute__ ( ( packed ) )'",
    ),
    "an attribute of the struct": (
        "s#s struct s { int a ; }",
        "s#s struct __attribute__ ( ( packed ) ) s { int a ; }",
        f"{S}: attributes were '', are '__attribute__ ( ( packed ) )'",
    ),
    "enum constant changed": (
        "e#e enum e { A , B }\nf int f ( e#e )",
        "e#e enum e { A , B = 2 }\nf int f ( e#e )",
        "f, parameter 1 -> enum e: B was 1, is 2",
    ),
    "enum constant put between": (
        "e#e enum e { A , B }\nf int f ( e#e )",
        "e#e enum e { A , X , B }\nf int f ( e#e )",
        "f, parameter 1 -> enum e: B was 1, is 2",
    ),
    "enum constant gone": (
        "e#e enum e { A , B }\nf int f ( e#e )",
        "e#e enum e { A , C }\nf int f ( e#e )",
        "f, parameter 1 -> enum e: the constant B is gone",
    ),
    "enum constant of a wider type": (
        "e#e enum e { A , B = 255 }\nf int f ( e#e )",
        "e#e enum e { A , B = 255 , C }\nf int f ( e#e )",
        "f, parameter 1 -> enum e: with C the enum may need another integer type",
    ),
    "a negative enum constant": (
        "e#e enum e { A }\nf int f ( e#e )",
        "e#e enum e { A , B = - 1 }\nf int f ( e#e )",
        "f, parameter 1 -> enum e: with B the enum may need another integer type",
    ),
    "an enum constant that cannot be calculated": (
        "e#e enum e { A = sizeof ( int ) }\nf int f ( e#e )",
        "e#e enum e { A = sizeof ( int ) , B }\nf int f ( e#e )",
        "f, parameter 1 -> enum e: with B the enum may need another integer type",
    ),
    "a difference behind a pointer of a pointer": (
        "s#s struct s { s#s * * next ; s#t * t ; }\ns#t struct t { int a ; }",
        "s#s struct s { s#s * * next ; s#t * t ; }\ns#t struct t { long a ; }",
        f"{S}.t -> struct t.a: was int, is long",
    ),
    "a text that does not fit the grammar": (
        "s#s struct s { int a",
        "s#s struct s { int b",
        f"{S}: was struct s {{ int a, is struct s {{ int b",
    ),
    "in a type that is otherwise renamed": (
        "s#s struct s { int a ; s#t * t ; }\ns#t struct t { int x ; }",
        "s#s struct s { int b ; s#t * t ; }\ns#t struct t { char x ; }",
        f"{S}.t -> struct t.x: was int, is char",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", HARMLESS)
def test_harmless(case: str) -> None:
    """Check that a difference that cannot matter is accepted, and told."""
    old, new, reasons = HARMLESS[case]
    assert verdict(old, new) == LayoutVerdict(True, reasons)


@pytest.mark.parametrize("case", HARMLESS)
def test_harmless_both_ways(case: str) -> None:
    """Check that what is harmless in one direction is so in the other, but for constants that would be lost."""
    old, new, _ = HARMLESS[case]
    assert verdict(new, old).same == (case != "enum constants added")


@pytest.mark.parametrize("case", DIFFERENT)
def test_different(case: str) -> None:
    """Check that any other difference is refused, with the way to it."""
    old, new, reason = DIFFERENT[case]
    assert verdict(old, new) == LayoutVerdict(False, (reason,))


@pytest.mark.parametrize("case", DIFFERENT)
def test_different_both_ways(case: str) -> None:
    """Check that what is refused in one direction is refused in the other, but for constants that are only added."""
    old, new, _ = DIFFERENT[case]
    assert not verdict(new, old).same


def test_missing_symbol() -> None:
    """Check that a symbol that one side does not export proves nothing."""
    assert verdict("f int f ( void )", "f int f ( void )", "g") == LayoutVerdict(False, ("g: not in old",))


def test_every_difference_is_told() -> None:
    """Check that differences of several types are told, the nearest first."""
    old = "f int f ( s#a * , s#b * )\ns#a struct a { s#c * c ; }\ns#b struct b { int x ; }\ns#c struct c { int y ; }"
    new = old.replace("int x", "long x").replace("int y", "long y")
    assert verdict(old, new).reasons == (
        "f, parameter 2 -> struct b.x: was int, is long",
        "f, parameter 1 -> struct a.c -> struct c.y: was int, is long",
    )


def test_each_struct_is_told_once() -> None:
    """Check that a struct that is met as a member and behind a pointer is told about once, and checked both ways."""
    old = "f int f ( s#a * )\ns#a struct a { s#b b ; s#b * p ; }\ns#b struct b { int x ; s#c * c ; }\n"
    assert verdict(old, old.replace("int x", "int y")).reasons == (
        "f, parameter 1 -> struct a.b -> struct b: .x was renamed .y",
    )
    opaque = "f int f ( s#b * , s#b )\n"
    assert verdict(opaque + "s#b struct b { UNKNOWN }", opaque + "s#b struct b { int x ; }") == LayoutVerdict(
        False, ("f, parameter 2: struct b is needed as a whole, but not known in the old kernel",)
    )


def test_many_types_that_refer_to_all_others() -> None:
    """Check that the time grows with the types, not with the ways that lead to them."""
    members = " ".join(f"s#s{number} * m{number} ;" for number in range(60))
    structs = "\n".join(f"s#s{number} struct s{number} {{ {members} int last ; }}" for number in range(60))
    old = f"f int f ( s#s0 * )\n{structs}\n"
    assert verdict(old, old.replace("int last", "signed last")).same
    assert not verdict(old, old.replace("s59 { s#s0 *", "s59 { s#s0")).same


def test_nested_anonymous_types() -> None:
    """Check that typedefs of anonymous structs are compared once each, however often they are used."""
    lines = ["t#t0 typedef struct { int x ; } t0"]
    lines += [f"t#t{n} typedef struct {{ t#t{n - 1} a ; t#t{n - 1} b ; }} t{n}" for n in range(1, 40)]
    old = "\n".join(["f int f ( t#t39 * )", *lines])
    assert verdict(old, old.replace("int x", "signed x")).same
    assert not verdict(old, old.replace("int x", "long x")).same


def test_deep_nesting_does_not_overflow() -> None:
    """Check that texts of absurd depth are compared as texts."""
    for text in ("f int " + "* " * 5000 + "f", "f int " + "( " * 5000 + "f" + " )" * 5000, "f int f" + " [ 1 ]" * 5000):
        assert verdict(text, text).same
        assert not verdict(text, text.replace("int", "long")).same


def write(directory: Path, name: str, text: str) -> None:
    path = directory / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_definition_in_another_file_must_agree(tmp_path: Path) -> None:
    """Check that an opaque type is looked up in the other files of its kernel, and has to be the same there."""
    for side, body in (("old", "int a ;"), ("same", "int b ;"), ("other", "long a ;")):
        write(tmp_path / side, "sub/t.symtypes", f"g int g ( s#t * )\ns#t struct t {{ {body} }}\n")
    write(tmp_path / "old", "f.symtypes", "f int f ( s#t * )\ns#t struct t { UNKNOWN }\n")
    for side, body in (("same", "int b ;"), ("other", "long a ;")):
        write(tmp_path / side, "f.symtypes", f"f int f ( s#t * )\ns#t struct t {{ {body} }}\n")
    old, same, other = (SymtypesSet.read(tmp_path / side) for side in ("old", "same", "other"))
    assert compare_layouts(old, same, "f") == LayoutVerdict(True, ("f, parameter 1 -> struct t: .a was renamed .b",))
    assert compare_layouts(old, other, "f") == LayoutVerdict(False, ("f, parameter 1 -> struct t.a: was int, is long",))


def test_structs_of_one_name_in_several_drivers(tmp_path: Path) -> None:
    """Check that private structs of one name are compared each with itself, and a new one with all."""
    opaque = "f int f ( s#p * )\ns#p struct p { UNKNOWN }\n"
    for side in ("old", "new", "changed", "more"):
        write(tmp_path / side, "f.symtypes", opaque.replace("int", "signed") if side == "new" else opaque)
        write(tmp_path / side, "a.symtypes", "a int a ( s#p * )\ns#p struct p { int a ; }\n")
        body = "char b ;" if side == "changed" else "long b ;"
        write(tmp_path / side, "b.symtypes", f"b int b ( s#p * )\ns#p struct p {{ {body} }}\n")
    write(tmp_path / "more", "c.symtypes", "c int c ( s#p * )\ns#p struct p { char c ; }\n")
    old, new, changed, more = (SymtypesSet.read(tmp_path / side) for side in ("old", "new", "changed", "more"))
    assert compare_layouts(old, new, "f").same
    # Any of the old ones may have become the one that was added, and that one any of them
    assert compare_layouts(old, more, "f").reasons == (
        "f, parameter 1 -> struct p.c: was int, is char",
        "f, parameter 1 -> struct p.c: was long, is char",
    )
    assert not compare_layouts(more, old, "f").same
    assert compare_layouts(old, changed, "f") == LayoutVerdict(
        False, ("f, parameter 1 -> struct p.b: was long, is char",)
    )


def test_symbol_in_several_files(tmp_path: Path) -> None:
    """Check that all declarations of a symbol have to agree."""
    for side in ("old", "new"):
        write(tmp_path / side, "a.symtypes", "f int f ( int )\n")
        write(tmp_path / side, "b.symtypes", f"f int f ( {'int' if side == 'old' else 'long'} )\n")
    assert not compare_layouts(SymtypesSet.read(tmp_path / "old"), SymtypesSet.read(tmp_path / "new"), "f").same


def test_unreadable_sets(tmp_path: Path) -> None:
    """Check that what is no set of symtypes is refused in words."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "binary").write_bytes(b"\x7fELF\0\0")
    cases = {
        "missing": "missing: No such file or directory",
        "empty": "empty: no .symtypes files (a kernel built with KBUILD_SYMTYPES=1 leaves them)",
        "binary": "binary: not a symtypes file (it is binary)",
    }
    for name, message in cases.items():
        with pytest.raises(KbuildError) as error:
            SymtypesSet.read(tmp_path / name)
        assert str(error.value) == f"{tmp_path}/{message}"


def test_damaged_line() -> None:
    """Check that a line with an impossible reference is an error, not a proof."""
    with pytest.raises(KbuildError, match="Unknown type x"):
        verdict("f int f ( x#s * )", "f int f ( x#s * )")


TOKENS = """
    f s#s t#t e#e E#N u#u s struct union enum typedef typeof __attribute__ int unsigned char long void const extern x y
    * ( ) [ ] { } ; , : = ... 4 0x10 - << UNKNOWN
"""
LINES = st.builds(
    lambda name, tokens: " ".join([name, *tokens]),
    st.sampled_from(("f", "s#s", "t#t", "e#e", "E#N", "u#u")),
    st.lists(st.sampled_from(TOKENS.split()), max_size=14),
)
TEXTS = st.lists(LINES, max_size=6).map("\n".join)


@given(TEXTS, TEXTS)
def test_any_texts(old: str, new: str) -> None:
    """Check that any tokens in any order give a verdict, and that the directions agree where nothing may be added."""
    there, back = verdict(old, new), verdict(new, old)
    assert bool(there.same or there.reasons)
    if "enum" not in old + new:
        assert there.same == back.same
