# SPDX-License-Identifier: GPL-2.0-or-later
"""The fast path against the exact engine: random units, and units that remember what earlier ones held."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genksyms_py.dialects import dialect_of
from genksyms_py.versions import UnitVersions, Versioner, exact_run
from tests.conformance.declaration_generator import DeclarationGenerator, HeaderLibrary, text_of
from tests.genksyms.declaration_cases import DECLARATIONS
from tests.genksyms.lexical_cases import LEXICAL
from tests.genksyms.recovery_cases import RECOVERY

KERNELS = pytest.mark.parametrize("kernel", ["5.10", "6.1", "7.2"])


def _found(unit: UnitVersions) -> tuple[list[tuple[str, int, str]], str, list[str]]:
    versions = [(version.name, version.crc, version.expansion) for version in unit.versions]
    return versions, unit.symtypes_text(), [name for name, _ in unit.unversioned]


@KERNELS
def test_random_units(kernel: str) -> None:
    """Check versions, symtypes and exports without version of random units, half of them damaged."""
    dialect = dialect_of(kernel)
    versioner = Versioner(dialect, wants_symtypes=True)
    for seed in range(150):
        data = text_of(DeclarationGenerator(f"fast path/{seed}").maybe_damaged_tokens())
        assert _found(versioner.unit_versions(data)) == _found(exact_run(data, dialect)), data.decode("latin-1")


@KERNELS
def test_random_units_that_share_headers(kernel: str) -> None:
    """Check units that take some of the same headers, which mean different things behind different others."""
    dialect = dialect_of(kernel)
    library = HeaderLibrary("fast path", headers=16)
    versioner = Versioner(dialect, wants_symtypes=True)
    strict = Versioner(dialect, wants_symtypes=True, notes_errors=True)
    for number in range(60):
        data = text_of(library.unit(number))
        expected = _found(exact_run(data, dialect))
        assert _found(versioner.unit_versions(data)) == expected, data.decode("latin-1")
        assert _found(strict.unit_versions(data)) == expected, data.decode("latin-1")


@KERNELS
def test_all_cases(kernel: str) -> None:
    """Check every case of the exact engine's tests, in a header and in the source file, everything exported."""
    dialect = dialect_of(kernel)
    versioner = Versioner(dialect, wants_symtypes=True)
    exports = "".join(f"__GENKSYMS_EXPORT_SYMBOL({name});\n" for name in ("x", "y", "f", "a", "b", "z", "k", "v"))
    for case in (*DECLARATIONS, *LEXICAL, *RECOVERY):
        for file in ("x.h", "x.c"):
            text = f'# 1 "x.c"\n# 1 "y.h"\ntypedef int u32;\n# 1 "{file}"\n{case.text}\n# 1 "x.c"\n{exports}'
            data = text.encode("latin-1")
            assert _found(versioner.unit_versions(data)) == _found(exact_run(data, dialect)), text


# ---- headers made of declarations that the fast path knows, so that it is the fast path that is tried

NAMES = st.sampled_from(["a", "b", "c", "x"])
TYPE_NAMES = st.sampled_from(["t", "u", "x"])
TAGS = st.sampled_from(["A", "B", "E", "t"])
CONSTANTS = st.sampled_from(["K0", "K1", "a", "E"])
SPECIFIERS = st.one_of(
    st.sampled_from(["int", "unsigned long", "const char", "typeof(int *)", "static int", "extern int", "inline int"]),
    TYPE_NAMES,
    TAGS.map(lambda tag: f"struct {tag}"),
    TAGS.map(lambda tag: f"union {tag}"),
    TAGS.map(lambda tag: f"enum {tag}"),
)
SIZES = st.one_of(st.sampled_from(["", "3", "sizeof(int)", "K0 + 1"]), CONSTANTS)


@st.composite
def declarators(draw: st.DrawFn, name: str) -> str:
    form = draw(st.integers(0, 6))
    if form == 0:
        return f"*{name}"
    if form == 1:
        return f"{name}[{draw(SIZES)}]"
    if form == 2:
        return f"(*{name})({draw(parameters())})"
    if form == 3:
        return f"{name} __attribute__((aligned({draw(SIZES)})))"
    return name


@st.composite
def parameters(draw: st.DrawFn) -> str:
    names = st.one_of(st.just(""), NAMES, st.just("*"), NAMES.map(lambda name: f"*{name}"))
    words = [f"{draw(SPECIFIERS)} {draw(names)}" for _ in range(draw(st.integers(1, 3)))]
    return ", ".join([*words, *["..."] * draw(st.integers(0, 1))])


@st.composite
def members(draw: st.DrawFn) -> str:
    return " ".join(f"{draw(SPECIFIERS)} {draw(declarators(draw(NAMES)))};" for _ in range(draw(st.integers(0, 3))))


@st.composite
def declarations(draw: st.DrawFn) -> str:
    form = draw(st.integers(0, 7))
    name = draw(NAMES)
    if form == 0:
        return f"typedef {draw(SPECIFIERS)} {draw(declarators(draw(TYPE_NAMES)))};"
    if form == 1:
        return f"struct {draw(TAGS)} {{ {draw(members())} }};"
    if form == 2:
        return f"typedef union {draw(TAGS)} {{ {draw(members())} }} {draw(TYPE_NAMES)};"
    if form == 3:
        values = [draw(st.sampled_from(["", " = 4", " = K0 + 1"])) for _ in range(2)]
        constants = ", ".join(f"{draw(CONSTANTS)}{value}" for value in values)
        return f"enum {draw(st.one_of(st.just(''), TAGS))} {{ {constants} }};"
    if form == 4:
        return f"{draw(SPECIFIERS)} {name}({draw(parameters())}) {{ return {draw(CONSTANTS)}; }}"
    if form == 5:
        return f"{draw(SPECIFIERS)} {name}({draw(parameters())});"
    if form == 6:
        return f"struct {{ {draw(members())} }} {name}, *{draw(NAMES)} = 0;"
    return f"{draw(SPECIFIERS)} {draw(declarators(name))};"


HEADERS = st.lists(st.lists(declarations(), min_size=1, max_size=4).map("\n".join), min_size=2, max_size=5)


@given(HEADERS, st.integers(0, 10**6), st.sampled_from(["5.10", "6.1", "7.2"]))
@settings(max_examples=120, deadline=None)
def test_headers_in_every_order(headers: list[str], seed: int, kernel: str) -> None:
    """Check units that take the same few headers in other orders, cut at other lines, one of them the source itself."""
    dialect = dialect_of(kernel)
    versioner = Versioner(dialect, wants_symtypes=True)
    choose = random.Random(seed)
    exports = "".join(f"__GENKSYMS_EXPORT_SYMBOL({name});\n" for name in ("a", "b", "c", "x", "K0", "K1"))
    for _ in range(4):
        texts = []
        for number in choose.sample(range(len(headers)), choose.randint(1, len(headers))):
            file = choose.choice(["x.h", "x.h", "x.c"])
            text = headers[number]
            if choose.random() < 0.2:
                text = text.replace("{", f'{{\n# 5 "{choose.choice(["x.h", "x.c"])}" 2\n')
            texts.append(f'# {number} "{file}"\n{text}\n' + exports * (choose.random() < 0.3))
        data = ('# 1 "x.c"\n' + "".join(texts) + '# 9 "x.c"\n' + exports).encode()
        fast, exact = versioner.unit_versions(data), exact_run(data, dialect)
        assert (_found(fast), fast.unversioned) == (_found(exact), exact.unversioned), data.decode()
