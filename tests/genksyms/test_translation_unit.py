# SPDX-License-Identifier: GPL-2.0-or-later
"""Units on the fast path: what is remembered between them, and what a name means at a place."""

from __future__ import annotations

import pytest

from genksyms_py.dialects import dialect_of
from genksyms_py.pieces import IrregularError
from genksyms_py.translation_unit import UnitReader
from genksyms_py.versions import Versioner, exact_run

EXPORT_X = "__GENKSYMS_EXPORT_SYMBOL(x);\n"


def _unit(*parts: tuple[str, str]) -> bytes:
    """A unit of ``x.c`` with texts of files."""
    return ('# 1 "x.c"\n' + "".join(f'# 1 "{file}"\n{text}\n' for file, text in parts)).encode("latin-1")


class _Units:
    """The expansions of the exports of unit after unit, read by one object that must not need the exact engine."""

    def __init__(self, kernel: str = "6.1") -> None:
        self._versioner = Versioner(dialect_of(kernel))
        self._reader = UnitReader(dialect_of(kernel))

    def expansions(self, *parts: tuple[str, str]) -> list[str]:
        self._reader.read(_unit(*parts))
        return [version.expansion.rstrip() for version in self._versioner.unit_versions(_unit(*parts)).versions]


SHARED = ("s.h", "struct s { int t; u *u; int a[K]; };\nint x(u t, struct s);")
X_HEADER = ("x.c", EXPORT_X)


def test_a_header_under_other_typedefs() -> None:
    """Check that the same header is read anew where other names are typedefs before it, and only there."""
    units = _Units()
    first = units.expansions(("u.h", "typedef int u;"), SHARED, X_HEADER)
    second = units.expansions(("u.h", "typedef long *u;"), SHARED, X_HEADER)
    third = units.expansions(("u.h", "typedef int u;"), SHARED, X_HEADER)
    assert first == ["int x ( typedef int u , struct s { int t ; u * u ; int a [ K ] ; } )"]
    assert second == ["int x ( typedef long * u , struct s { int t ; u * u ; int a [ K ] ; } )"]
    assert third == first


def test_a_header_under_a_typedef_that_it_takes_for_a_name() -> None:
    """Check that a name of the header that has become a typedef makes another variant of it."""
    units = _Units()
    header = ("s.h", "struct s { int t; }; struct s x;")
    plain = ["struct s { int t ; } x"]
    assert units.expansions(header, X_HEADER) == plain
    both = units.expansions(("t.h", "typedef char t;"), header, X_HEADER)
    assert both == ["struct s { int typedef char t ; } x"]
    assert units.expansions(header, X_HEADER) == plain
    assert _Units("7.2").expansions(("t.h", "typedef char t;"), header, X_HEADER) == plain


def test_a_header_whose_typedef_is_missing() -> None:
    """Check that what a header took for a typedef in one unit is a name in a unit that lacks the typedef."""
    units = _Units()
    header = ("s.h", "int x(u, int);")
    assert units.expansions(("u.h", "typedef int u;"), header, X_HEADER) == ["int x ( typedef int u , int )"]
    exact = exact_run(_unit(header, X_HEADER), dialect_of("6.1")).versions
    assert units.expansions(header, X_HEADER) == ["int x ( u , int )"]
    assert [version.expansion for version in exact] == ["int x ( u , int ) "]


def test_constants_before_and_after() -> None:
    """Check that a token refers to an enum constant only if that stands before it in this unit."""
    units = _Units()
    header, constants = ("s.h", "struct s { int K; }; int x(struct s, int [K]);"), ("k.h", "enum { K = 7 };")
    before = ["int x ( struct s { int 7 ; } , int [ K ] )"]
    after = ["int x ( struct s { int K ; } , int [ K ] )"]
    assert units.expansions(constants, header, X_HEADER) == before
    assert units.expansions(header, constants, X_HEADER) == after
    assert units.expansions(header, X_HEADER) == after
    assert units.expansions(("k.h", "int K;"), header, constants, X_HEADER) == after


def test_the_first_declaration_wins() -> None:
    """Check that later declarations of the name change nothing, in whatever order a reader meets the headers."""
    units = _Units()
    one, two = ("1.h", "struct s { int a; }; struct s *x;"), ("2.h", "struct s { int b; }; extern struct s x[];")
    assert units.expansions(one, two, X_HEADER) == ["struct s { int a ; } * x"]
    assert units.expansions(two, one, X_HEADER) == ["struct s { int b ; } x [ ]"]
    assert units.expansions(("x.c", "typedef int s; typedef long s; s x;"), X_HEADER) == ["typedef int s x"]


def test_only_what_stands_before_the_export_counts() -> None:
    """Check that each export sees what is declared so far, and that what is unknown then stays unknown."""
    units = _Units()
    early, late = ("x.c", f"struct s *x;\n{EXPORT_X}"), ("s.h", "struct s { int a; }; struct s *y;")
    export_y = ("x.c", "__GENKSYMS_EXPORT_SYMBOL(y);\n__GENKSYMS_EXPORT_SYMBOL(z);\nint z;")
    assert units.expansions(early, late, export_y) == ["struct s { UNKNOWN } * x", "struct s { UNKNOWN } * y"]
    assert units.expansions(late, early, export_y) == ["struct s { int a ; } * x", "struct s { int a ; } * y"]


def test_declarations_that_run_over_line_markers() -> None:
    """Check that a marker between the lines of one declaration does not end it, nor does it mix up its neighbours."""
    units = _Units()
    parts = (
        ("s.h", "struct s {\n int a;"),
        ("s.h", "int b;\n};\nint"),
        ("s.h", "x(struct s *,"),
        ("t.h", "int c);\nint after;"),
        ("x.c", EXPORT_X + "__GENKSYMS_EXPORT_SYMBOL(after);"),
    )
    expected = ["int x ( struct s { int a ; int b ; } * , int )", "int after"]
    assert units.expansions(*parts) == expected
    assert units.expansions(parts[0], ("s.h", "long b; } x;"), X_HEADER) == ["struct s { int a ; long b ; } x"]
    assert units.expansions(*parts) == expected


def test_compounds_of_the_source_file() -> None:
    """Check that the same text declares compounds in a header and none in the source file."""
    units = _Units()
    text = "struct s { int a; } x;"
    assert units.expansions(("s.h", text), X_HEADER) == ["struct s { int a ; } x"]
    assert units.expansions(("x.c", text), X_HEADER) == ["struct s { UNKNOWN } x"]
    assert units.expansions(("s.h", text), X_HEADER) == ["struct s { int a ; } x"]


def test_the_enum_counter_leaks() -> None:
    """Check that an enum behind a named one of the source file counts on, and one behind any other does not."""
    units = _Units()
    named, anonymous = ("x.c", "enum e { A = 5, B };"), ("x.c", "enum { A = 5, B };")
    header = ("k.h", "enum { K, L }; int x[K][L]; enum { M }; int y[M];")
    exports = ("x.c", EXPORT_X + "__GENKSYMS_EXPORT_SYMBOL(y);")
    plain = ["int x [ 0 ] [ 1 ]", "int y [ 0 ]"]
    assert units.expansions(header, exports) == plain
    assert units.expansions(named, header, exports) == ["int x [ ( 5 ) + 2 ] [ ( 5 ) + 3 ]", "int y [ 0 ]"]
    assert units.expansions(anonymous, header, exports) == plain
    assert units.expansions(("h.h", named[1]), header, exports) == plain


def test_an_expression_that_leaks_keeps_its_tags() -> None:
    """Check that a constant used in its own expression stays plain text where the next enum counts on from it."""
    unit = _unit(("x.c", "enum e { A = A };"), ("k.h", "enum { K }; int x[K];"), ("x.c", EXPORT_X))
    symtypes = Versioner(dialect_of("6.1"), wants_symtypes=True).unit_versions(unit).symtypes_text()
    assert symtypes == "E#K ( A ) + 1 \nx int x [ E#K ] \n"


def test_constants_count_from_where_they_are_read() -> None:
    """Check that a token before an enum of its declaration is no reference to its constants, and one behind it is."""
    text = "struct { int b [ R ]; int a __attribute ((R)) ; enum { Q , R } c [ R ] ; } x, y [ R ] ;"
    unit = _unit(("k.h", text), ("x.c", EXPORT_X))
    symtypes = Versioner(dialect_of("6.1"), wants_symtypes=True).unit_versions(unit).symtypes_text()
    body = "struct { int b [ R ] ; int a __attribute ( ( R ) ) ; enum { Q , R } c [ E#R ] ; }"
    assert symtypes == f"E#R 1 \nx {body} x \n"


def test_an_unknown_enum_restarts_the_counter() -> None:
    """Check that expanding an undeclared enum restarts the counter that a source file's enum had left."""
    units = _Units()
    named, tail = ("x.c", "enum e { A = 5 }; enum u x;"), ("k.h", "enum { K }; int y[K];")
    export_y = ("x.c", "__GENKSYMS_EXPORT_SYMBOL(y);")
    assert units.expansions(named, tail, export_y) == ["int y [ ( 5 ) + 1 ]"]
    assert units.expansions(named, ("x.c", EXPORT_X), tail, export_y) == ["enum u { UNKNOWN } x", "int y [ 0 ]"]


def test_places() -> None:
    """Check what find, exports, location and origin tell of names at places."""
    data = _unit(("s.h", "\nstruct s { int a; };"), ("x.c", "\n\nextern struct s *x;\n" + EXPORT_X))
    unit = UnitReader(dialect_of("6.1")).read(data)
    ((name, place),) = unit.exports
    found = unit.find("x", place)
    assert (name, found.definition if found else None) == ("x", ("s#s", "*", "x"))
    assert (unit.find("x", (0, 0)), unit.find("y", place), unit.find("s", place)) == (None, None, None)
    assert [unit.origin(key) for key in ("x", "#s", "y")] == [("x.c", 3), ("s.h", 2), None]
    assert unit.location(place) == ("x.c", 4)


@pytest.mark.parametrize(
    "data",
    [
        b"int x;\n",
        b'# 1 "x.c"',
        b'# 1 "x.c"\nint x',
        b'# 1 "x.c"\nint f(void) {\n# 2 "x.c"\n',
        b'# 1 "x.c"\nint x;\n# 2\nint y;\n',
        b'# 1 "x.c"\nint x; \x80 int y;\n',
        b'# 1 "x.c"\nint x;\n  # 3 "y.h"\nint y;\n',
    ],
)
def test_irregular_units(data: bytes) -> None:
    """Check that what the fast path cannot be sure of is left to the exact engine."""
    with pytest.raises(IrregularError):
        UnitReader(dialect_of("6.1")).read(data)
    assert Versioner(dialect_of("6.1")).unit_versions(data).versions == []


def test_a_nul_byte_ends_the_unit() -> None:
    """Check that nothing behind a NUL byte is read."""
    data = b'# 1 "x.c"\nint x;\n__GENKSYMS_EXPORT_SYMBOL(x);\n\0int y;\n__GENKSYMS_EXPORT_SYMBOL(y);\n'
    assert [export.name for export in UnitReader(dialect_of("6.1")).read(data).exports] == ["x"]


SAME_AS_EXACT = {
    'struct\n# 1 "s.h"\ns { int a; } x;': "struct s { int a ; } x ",
    "struct s { int a\n# 1 \"s.h\"\n; struct t { int b; } c; } x;": "struct s { UNKNOWN } x ",
    "\n# 1 \"s.h\"\nint a(int); enum { K, a }; struct t { int *a; }; struct t x;": "struct t { int * a ; } x ",
    "\n# 1 \"s.h\"\nint t; typedef char t; struct s { int t; }; struct s x;": "struct s { int t ; } x ",
}


@pytest.mark.parametrize("text", SAME_AS_EXACT)
def test_names_and_tags_in_doubt(text: str) -> None:
    """Check tags read in another file than their keyword, and names that were something else before."""
    data = f'# 1 "x.c"\n{text}\n# 9 "x.c"\n{EXPORT_X}'.encode()
    fast, exact = Versioner(dialect_of("6.1")).unit_versions(data), exact_run(data, dialect_of("6.1"))
    expected = [SAME_AS_EXACT[text]]
    assert [[version.expansion for version in unit.versions] for unit in (fast, exact)] == [expected, expected]
