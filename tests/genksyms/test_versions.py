# SPDX-License-Identifier: GPL-2.0-or-later
"""The library's face: versions of symbols, and where their types come from."""

from __future__ import annotations

import subprocess
import sys

import pytest

import genksyms_py
from genksyms_py import GenksymsError, Versioner, dialect_of, symbol_versions
from genksyms_py.messages import Location
from genksyms_py.versions import SymbolType, exact_run
from tests.genksyms.running import CHECKOUT, unit

HEADER = "typedef int t;\nstruct s {\n\tt a;\n};\n"
SOURCE = unit("f", "none", "x", "f", header=HEADER, source="int f(struct s *s, t b);\nunion u x;")


def test_printk() -> None:
    """Check the published CRC of printk in 3.x kernels, from bytes and from text."""
    source = '# 1 "a.c"\nint printk(const char *fmt, ...);\n__GENKSYMS_EXPORT_SYMBOL(printk);\n'
    for given in (source, source.encode()):
        versions = symbol_versions(given, kernel="6.1")
        assert [(name, version.name, version.crc) for name, version in versions.items()] == [
            ("printk", "printk", 0xEA147363)
        ]
        assert versions["printk"].expansion == "int printk ( const char * , ... ) "
        assert repr(versions["printk"]) == "SymbolVersion('printk', crc=0xea147363)"


def test_exports_in_order() -> None:
    """Check that exports stand in the order of their markers, without those that are not declared."""
    versions = symbol_versions(SOURCE, kernel="6.1")
    assert {name: version.expansion for name, version in versions.items()} == {
        "f": "int f ( struct s { typedef int t a ; } * , t ) ",
        "x": "union u { UNKNOWN } x ",
    }
    assert list(versions) == ["f", "x"]


def test_types_and_their_origin() -> None:
    """Check the symbols that an expansion reaches, in order of completion, with the place of each."""
    versions = symbol_versions(SOURCE, kernel="6.1")
    assert versions["f"].types == (
        SymbolType("t#t", ("typedef", "int", "t"), Location("x.h", 1)),
        SymbolType("s#s", ("struct", "s", "{", "t#t", "a", ";", "}"), Location("x.h", 2)),
        SymbolType("f", ("int", "f", "(", "s#s", "*", ",", "t#t", ")"), Location("x.c", 2)),
    )
    assert versions["x"].types == (
        SymbolType("u#u", ("union", "u", "{", "UNKNOWN", "}"), None),
        SymbolType("x", ("u#u", "x"), Location("x.c", 3)),
    )


def test_types_from_the_exact_engine() -> None:
    """Check that a unit for the exact engine has the same types, and places too."""
    versions = symbol_versions(b"typedef int t;\n\nt x;\n__GENKSYMS_EXPORT_SYMBOL(x);", kernel="6.1")
    assert versions["x"].types == (
        SymbolType("t#t", ("typedef", "int", "t"), Location("<stdin>", 1)),
        SymbolType("x", ("t#t", "x"), Location("<stdin>", 3)),
    )


def test_versions_of_a_unit() -> None:
    """Check everything that a unit gives, exports without version and symtypes included, on both ways."""
    fast = Versioner(dialect_of("6.1"), wants_symtypes=True).unit_versions(SOURCE)
    exact = exact_run(SOURCE, dialect_of("6.1"))
    for found in (fast, exact):
        assert [version.name for version in found.versions] == ["f", "x", "f"]
        assert found.unversioned == [("none", Location("x.c", 5))]
        assert found.symtypes_text() == (
            "t#t typedef int t \ns#s struct s { t#t a ; } \nf int f ( s#s * , t#t ) \n"
            "u#u union u { UNKNOWN } \nx u#u x \n"
        )
    assert (fast.warning_count, exact.warning_count, exact.failure_count, exact.entry_count) == (0, 2, 0, 5)


def test_kernels() -> None:
    """Check that the kernel decides, that the newest is the default, and what is said of one that is none."""
    source = unit("x", header="int x __attribute__((weak));")
    expansions = [symbol_versions(source, kernel)["x"].expansion for kernel in ("6.1", "2.4", "7.2", None)]
    kept = "int x __attribute__ ( ( weak ) ) "
    assert expansions == ["int x ", kept, kept, kept]
    with pytest.raises(GenksymsError, match=r"^not a kernel version: 'six' \(expected e\.g\. 6\.1, "):
        symbol_versions(source, kernel="six")


def test_names_of_the_package() -> None:
    """Check that everything the package offers can be had, and that other names cannot."""
    assert {name: getattr(genksyms_py, name).__name__ for name in genksyms_py.__all__} == {
        name: name for name in genksyms_py.__all__
    }
    with pytest.raises(AttributeError, match=r"^module 'genksyms_py' has no attribute 'nothing'$"):
        _ = genksyms_py.nothing


def test_importing_is_cheap() -> None:
    """Check that importing the package does not load the parsers."""
    program = "import sys, genksyms_py; print({'pycparser', 'lark'} & sys.modules.keys())"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, cwd=CHECKOUT, text=True)
    assert (result.stdout, result.stderr) == ("set()\n", "")
