# SPDX-License-Identifier: GPL-2.0-or-later
"""The exact engine: what declarations register and say in both grammars."""

from __future__ import annotations

import pytest

from genksyms_py.messages import Location
from tests.genksyms.declaration_cases import DECLARATIONS
from tests.genksyms.lexical_cases import LEXICAL
from tests.genksyms.recovery_cases import RECOVERY
from tests.genksyms.unit_reading import Case, read_case, read_unit

BOTH = pytest.mark.parametrize("grammar", ["A", "B"])


def _text(case: Case) -> str:
    return case.text


@BOTH
@pytest.mark.parametrize("case", DECLARATIONS, ids=_text)
def test_declarations(case: Case, grammar: str) -> None:
    """Check that a declaration registers what the C tool registers."""
    assert read_case(case, grammar) == case.expected(grammar)


@BOTH
@pytest.mark.parametrize("case", LEXICAL, ids=_text)
def test_phrases_markers_and_odd_bytes(case: Case, grammar: str) -> None:
    """Check that phrases, line markers, strings and bytes that are no text are read as the C tool reads them."""
    assert read_case(case, grammar) == case.expected(grammar)


@BOTH
@pytest.mark.parametrize("case", RECOVERY, ids=_text)
def test_recovery(case: Case, grammar: str) -> None:
    """Check that after a syntax error reading goes on where the C tool goes on."""
    assert read_case(case, grammar) == case.expected(grammar)


@pytest.mark.parametrize("kernel", ["5.10", "6.1", "6.12", "7.2"])
@pytest.mark.parametrize("text", ["", "\n\n", '# 1 "x.c"\n# 1 "x.h"\n#pragma x\n'])
def test_empty_input_is_one_syntax_error(kernel: str, text: str) -> None:
    """Check that an input without tokens gives exactly one syntax error and no declaration."""
    reading = read_unit(text, kernel)
    assert (reading.declared, [message.rpartition(": ")[2] for message in reading.messages]) == ((), ["syntax error"])


def test_static_assert_is_a_function_to_5_10() -> None:
    """Check that 5.10 takes _Static_assert for a function, whose second use is a redefinition."""
    text = '_Static_assert(sizeof(int) == 4, "a");\n_Static_assert(1, "b");\nint x;'
    assert read_unit(text, "5.10")[:2] == (
        ("_Static_assert _Static_assert ( sizeof ( int )", "x int x"),
        ("<stdin>:1: syntax error", "<stdin>:2: syntax error", "<stdin>:2: redefinition of _Static_assert"),
    )
    assert read_unit(text, "6.1")[:2] == (("x int x",), ())


def test_2_4_keeps_attributes_and_knows_its_export_macros() -> None:
    """Check that the 2.4 dialect keeps attributes behind declarators and takes EXPORT_SYMBOL for a marker."""
    text = "int printk(const char *fmt, ...) __attribute__((format(printf, 1, 2))), x; EXPORT_SYMBOL(printk);"
    reading = read_unit(text, "2.4.2")
    format_attribute = "__attribute__ ( ( format ( printf , 1 , 2 ) ) )"
    assert reading.declared == (
        f"printk int printk ( const char * , ... ) {format_attribute}",
        "x int printk ( const char x",
    )
    assert (reading.exports, reading.messages) == (("<stdin>:1: printk",), ())


def test_exports_are_told_at_their_place() -> None:
    """Check that an export marker is told before anything behind it is declared, with its line, also inside errors."""
    text = '# 7 "a.c"\nint x;\n__GENKSYMS_EXPORT_SYMBOL(x);\n__GENKSYMS_EXPORT_SYMBOL(\ny); int y;'
    reading = read_unit(text)
    assert reading.exports == ("a.c:8: x", "a.c:10: y")
    assert reading.messages == ()


def test_three_terminals_must_pass_before_the_next_error_is_told() -> None:
    """Check that an error is told only if three terminals were accepted since the last one, told or not."""
    told = "3; int x; 3;"
    silent = "3;\n;3;\n;3;\nint;\n3;"
    assert read_unit(told).messages == ("<stdin>:1: syntax error",) * 2
    assert read_unit(silent).messages == ("<stdin>:1: syntax error", "<stdin>:5: syntax error")
    assert [(record.line, record.column) for record in read_unit(silent).errors] == [(1, 1), (2, 2), (3, 2), (5, 1)]


def test_error_records_name_the_token_and_the_declaration() -> None:
    """Check that each syntax error is recorded with its column, token, declaration and what that registered."""
    text = '# 1 "a.c"\n# 3 "a.h"\nint w;\nstruct A { int a; } x, y\n  "no" z;\nint 3;\n'
    reading = read_unit(text)
    first, second = reading.errors
    assert (first.location, first.line, first.column, first.token) == (Location("a.h", 5), 5, 3, '"no"')
    assert text[first.declaration_start : first.declaration_end] == 'struct A { int a; } x, y\n  "no" z;'
    assert (first.declaration_location, first.names) == (Location("a.h", 4), ("A", "x", "y"))
    assert (second.line, second.column, second.token, second.names) == (6, 5, "3", ())
    assert text[second.declaration_start : second.declaration_end] == "int 3;"


def test_incomplete_input_is_noticed() -> None:
    """Check that a unit is complete only if it was read to its end and no declaration is open there."""
    assert read_unit("int x;\n# 5\n").is_complete
    for end in ("{", "int f(void) {", "int", "\0", "\x80", "/* */", "asm", "typeof(", "= 3", "]", "[", "struct A { }"):
        assert not read_unit(f"int x; {end}").is_complete


@pytest.mark.parametrize("kernel", ["6.1", "7.2"])
def test_specifiers_in_a_second_declarator_come_to_an_end(kernel: str) -> None:
    """Check that what makes the C tool loop ends here: a message, and the specifiers of the first declarator."""
    reading = read_unit("int x(void), y(void), z(long, char), *w; int v;", kernel)
    assert reading.declared == (
        "x int x ( void )",
        "y int x ( void y ( void )",
        "z int x ( void z ( long , char )",
        "w int x ( void * w",
        "v int v",
    )
    reason = "specifiers inside a second declarator, for which genksyms has no definition"
    assert reading.messages == (f"<stdin>:1: y: {reason}", f"<stdin>:1: z: {reason}")


@pytest.mark.parametrize("kernel", ["6.1", "7.2"])
def test_deep_nesting_needs_no_recursion(kernel: str) -> None:
    """Check that thousands of nested parentheses, structs and brackets are read without a recursion error."""
    depth = 5000
    name = "(" * depth + "x" + ")" * depth
    structs = "struct { " * depth + "int a; " + "} a; " * (depth - 1) + "} y;"
    blocks = "int f(void) " + "{" * depth + "}" * depth
    brackets = "int z" + "[" * depth + "]" * depth + ";"
    reading = read_unit(f"int {name};\n{structs}\n{blocks}\n{brackets}", kernel)
    assert [line.partition(" ")[0] for line in reading.declared] == ["x", "y", "f", "z"]
    assert reading.messages == ()


def test_a_long_line_takes_linear_time() -> None:
    """Check that megabytes of blanks, of a body and of stray quotes without any newline are passed over."""
    text = " " * 2_000_000 + "int f(void) {" + "a = b; " * 200_000 + "} int x;" + " " * 2_000_000 + "'"
    assert read_unit(text).declared == ("f int f ( void )", "x int x")
