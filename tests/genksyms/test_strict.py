# SPDX-License-Identifier: GPL-2.0-or-later
"""What --strict complains about."""

from __future__ import annotations

import pytest

from tests.genksyms.running import run, unit

NEEDED = "in a declaration that exported symbols need:"
NO_CRC = "no declaration of the exported symbol"

# text of the header, exports -> lines on stderr
CASES = {
    ("int x;", "x"): "",
    ("int a b c; int x;", "x"): "",
    ("", "x"): f"x.c:3:1: {NO_CRC} x: it gets no CRC\n",
    ("int\n  f x y;\nint z;", "x z"): (
        f"x.h:2:5: syntax error at 'x', {NEEDED} x\nx.c:3:1: {NO_CRC} x: it gets no CRC\n"
    ),
    ("struct s { int a; 3 b; int c; };\nstruct s *x;", "x"): f"x.h:1:19: syntax error at '3', {NEEDED} s\n",
    ("struct __attribute__((packed)) s { int a; };\nstruct s *x;", "x"): (
        f"x.h:1:8: syntax error at '__attribute__', {NEEDED} s\n"
    ),
    ("struct __attribute__((packed)) unused { int a; };\nint x;", "x"): "",
    ("struct s *x;", "x"): "",
    ("int x(int a, 3);", "x"): f"x.h:1:14: syntax error at '3', {NEEDED} x\n",
    ("int y(int a, 3);", "x"): f"x.c:3:1: {NO_CRC} x: it gets no CRC\n",
}


@pytest.mark.parametrize(("header", "exports"), CASES)
def test_complaints(header: str, exports: str) -> None:
    """Check lines and exit status, with the fast path and with the exact engine."""
    source = unit(*exports.split(), header=header)
    expected = CASES[header, exports]
    for options in (["--strict"], ["--strict", "-r", "/dev/null"], ["--strict", "-D"]):
        status, _, stderr = run(options, source)
        lines = [line for line in stderr.splitlines(keepends=True) if not line.startswith("Export ")]
        assert ("".join(lines), status) == (expected, int(bool(expected))), options


def test_output_stays() -> None:
    """Check that --strict changes neither stdout nor what -w says, and that the error ends in exit status 1."""
    source = unit("x", "y", header="int x;")
    complaint = f"x.c:4:1: {NO_CRC} y: it gets no CRC\n"
    assert run(["--strict"], source) == (1, "#SYMVER x 0xb8a39400\n", complaint)
    warning = "x.c:4: export undefined symbol y\n"
    assert run(["--strict", "-w"], source) == (1, "#SYMVER x 0xb8a39400\n", warning + complaint)


def test_grammar_b_needs_less() -> None:
    """Check that what is no error to 7.x is none to its --strict."""
    source = unit("x", header="struct __attribute__((packed)) s { int a; };\nstruct s *x;")
    assert run(["--strict"], source, kernel="7.2")[2] == ""


def test_a_swallowed_marker() -> None:
    """Check that an export marker that stands within an error, and so is none, is not passed over."""
    status, stdout, stderr = run(["--strict"], b'# 1 "x.c"\nint x\n__GENKSYMS_EXPORT_SYMBOL(y);\nint y;\n')
    assert (status, stdout, stderr.count("\n")) == (1, "", 1)
    assert stderr.startswith("x.c:2:1: ") and "y" in stderr.split()
