# SPDX-License-Identifier: GPL-2.0-or-later
"""Unresolved symbols: what counts as one, name spaces, trimming, and the list of missing name spaces."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from modpost_py.cross_reference import names_module
from modpost_py.modules import Module
from tests.modpost.elf_writer import (
    EM_386,
    EM_PPC,
    EM_PPC64,
    EM_S390,
    EM_SPARC,
    EM_X86_64,
    STB_LOCAL,
    STB_WEAK,
    ElfWriter,
)
from tests.modpost.module_writer import ExportSpec, ModuleSpec
from tests.modpost.running import ALL, SINCE_6_1, SINCE_6_12, run_in, run_modules

KERNEL = "0x1\tmodule_layout\tvmlinux\tEXPORT_SYMBOL\t\n"
MODULES = {"5.10": "", "6.1": "", "6.12": "-M", "7.2": "-M", "7.3": "-M"}


def used(modules: Sequence[Module], name: str) -> list[str]:
    """The symbols that a module uses, as the run knows them."""
    (module,) = [module for module in modules if module.name == name]
    return [symbol for symbol, _ in module.uses]


@pytest.mark.parametrize("dialect", ALL)
def test_order_of_unresolved_symbols(dialect: str, tmp_path: Path) -> None:
    """Check that symbols come in symtab order with module_layout last, and in 5.10 the other way round."""
    module = ModuleSpec("foo", undefined=["b", "a", "b.1"], weak=["c"])
    outcome = run_modules(tmp_path, dialect, [module], "-m -w -i dump", {"dump": KERNEL})
    expected = ["b", "a", "b", "c", "module_layout"]
    assert used(outcome.result.modules, "foo") == (expected[::-1] if dialect == "5.10" else expected)


@pytest.mark.parametrize(
    ("name", "cut"),
    [
        ("foo.123", "foo"),
        ("foo.1.constprop.0", "foo"),
        ("foo.isra.0", "foo.isra.0"),
        (".L1", ".L1"),
        (".5", ".5"),
        ("x.9y", "x.9y"),
        ("x.", "x."),
        ("..7", "..7"),
        (".foo.7", ".foo.7"),
        ("a..7", "a..7"),
    ],
)
def test_number_suffixes(name: str, cut: str, tmp_path: Path) -> None:
    """Check which names lose what follows their first dot."""
    outcome = run_modules(tmp_path, "6.1", [ModuleSpec("foo", undefined=[name])], "-w")
    assert used(outcome.result.modules, "foo") == [cut]


def test_number_suffix_in_a_shared_tail(tmp_path: Path) -> None:
    """Check that cutting a name also cuts the names that share its string, from then on."""
    elf = ElfWriter()
    elf.section(".modinfo", data=b"license=GPL\0")
    elf.string_table = b"\0a.b.7\0"
    for offset in (1, 3, 1):
        elf.symbol("", name_offset=offset)
    elf.write(tmp_path / "foo.o")
    outcome = run_in(tmp_path, "6.1", ["-w", "foo.o"])
    assert used(outcome.result.modules, "foo") == ["a.b.7", "b", "a.b"]


ALWAYS = {"__this_module", "_GLOBAL_OFFSET_TABLE_"}
PPC = {"_restgpr_1", "_savegpr_1", "_rest32gpr_1", "_save32gpr_1", "_restvr_1", "_savevr_1"}
PPC64 = {f"_{what}{kind}_1" for what in ("rest", "save") for kind in ("gpr0", "gpr1", "fpr", "vr")} | {".TOC."}
S390 = {"__s390_indirect_jump_r14"}
BOUNDS = {"__start_table", "__stop_table"}
EVERY_NAME = sorted(ALWAYS | PPC | PPC64 | S390 | BOUNDS | {"printk"})


@pytest.mark.parametrize("dialect", ALL)
@pytest.mark.parametrize(
    ("machine", "bits", "order", "own"),
    [
        (EM_X86_64, 64, "little", set()),
        (EM_386, 32, "little", set()),
        (EM_PPC, 32, "big", PPC),
        (EM_PPC64, 64, "little", PPC64),
        (EM_S390, 64, "big", S390),
    ],
)
def test_ignored_symbols(machine: int, bits: int, order: str, own: set[str], dialect: str, tmp_path: Path) -> None:
    """Check which undefined symbols need no export, by machine and dialect."""
    module = ModuleSpec("foo", undefined=EVERY_NAME, bits=bits, byteorder=order, machine=machine)
    outcome = run_modules(tmp_path, dialect, [module], "-w")
    ignored = ALWAYS | (own if machine != EM_S390 or dialect == "6.1" else set())
    ignored |= BOUNDS if dialect in ("7.2", "7.3") else set()
    assert set(used(outcome.result.modules, "foo")) == set(EVERY_NAME) - ignored


def test_sparc(tmp_path: Path) -> None:
    """Check that SPARC's register directives are passed over and that a leading dot becomes an underscore."""
    elf = ElfWriter(32, "big", EM_SPARC)
    elf.section(".modinfo", data=b"license=GPL\0")
    elf.symbol("g2", type=13)
    elf.symbol(".umul")
    elf.symbol(".local", bind=STB_LOCAL)
    elf.symbol("plain", bind=STB_WEAK)
    elf.write(tmp_path / "foo.o")
    outcome = run_in(tmp_path, "6.12", ["-w", "foo.o"])
    assert used(outcome.result.modules, "foo") == ["_Umul", "plain"]


@pytest.mark.parametrize("dialect", ALL)
def test_leading_dot_finds_the_symbol(dialect: str, tmp_path: Path) -> None:
    """Check that .foo is satisfied by foo and written as it is."""
    modules = [ModuleSpec("a", exports=[ExportSpec("foo")]), ModuleSpec("b", undefined=[".foo"])]
    options = f"{MODULES[dialect]} -m {'-b' if dialect.startswith('7') else ''} -i dump"
    outcome = run_modules(tmp_path, dialect, modules, options, {"dump": KERNEL})
    assert outcome.stderr == ""
    assert '"foo" }' not in outcome.files["b.mod.c"] and '".foo" }' in outcome.files["b.mod.c"]


@pytest.mark.parametrize(
    ("patterns", "name", "found"),
    [
        ("foo", "foo", True),
        ("foo", "foobar", False),
        ("foo*", "foobar", True),
        ("a,foo", "foo", True),
        ("a,,foo", "foo", True),
        ("", "foo", False),
        ("", "", False),
        ("*", "foo", True),
        ("fo*o", "foo", False),
        ("foo-bar", "foo_bar", False),
        ("foo,", "bar", False),
    ],
)
def test_module_patterns(patterns: str, name: str, found: bool) -> None:
    """Check which modules a ``module:`` name space admits."""
    assert names_module(patterns, name) is found


@pytest.mark.parametrize("dialect", ALL)
def test_module_namespace(dialect: str, tmp_path: Path) -> None:
    """Check that ``module:`` admits by the module's base name in 7.x and is a name like any other before."""
    modules = [
        ModuleSpec("lib", exports=[ExportSpec("foo", namespace="module:drv_*")]),
        ModuleSpec("d/drv_a", undefined=["foo"]),
        ModuleSpec("d/other", undefined=["foo"]),
    ]
    outcome = run_modules(tmp_path, dialect, modules, f"{MODULES[dialect]} -N -i dump -d deps", {"dump": KERNEL})
    missing = ["d/other.ko: module:drv_*\n"]
    if not dialect.startswith("7"):
        missing.insert(0, "d/drv_a.ko: module:drv_*\n")
    if dialect == "5.10":
        missing.reverse()
    assert outcome.files["deps"] == "".join(missing)


@pytest.mark.parametrize("dialect", ALL)
def test_namespace_list(dialect: str, tmp_path: Path) -> None:
    """Check the list of -d: each name space once a module, in the order of need, newest first in 5.10; -N warns."""
    modules = [
        ModuleSpec("lib", exports=[ExportSpec("a", namespace="A"), ExportSpec("b", namespace="B"), ExportSpec("c")]),
        ModuleSpec("one", undefined=["a", "b", "a.1", "c"]),
        ModuleSpec("two", undefined=["b"], modinfo=["license=GPL", "description=x", "import_ns=B"]),
    ]
    outcome = run_modules(tmp_path, dialect, modules, f"{MODULES[dialect]} -N -i dump -d deps", {"dump": KERNEL})
    assert outcome.status == 0
    assert outcome.stderr.count("WARNING") == outcome.stderr.count("\n") == 3
    assert outcome.files["deps"] == ("one.ko: B A\n" if dialect == "5.10" else "one.ko: A B\n")


@pytest.mark.parametrize("dialect", ALL)
def test_namespace_list_is_empty_but_written(dialect: str, tmp_path: Path) -> None:
    """Check that -d writes an empty file where nothing is missing."""
    assert run_modules(tmp_path, dialect, [], "-d deps").files == {"deps": ""}


@pytest.mark.parametrize("dialect", SINCE_6_12)
@pytest.mark.parametrize("has_whitelist", [True, False])
def test_trimming(has_whitelist: bool, dialect: str, tmp_path: Path) -> None:
    """Check that -t keeps what some module uses, what -u lists and, in 7.x, what .no_trim_symbol names."""
    names = ["used", "weakly", "listed", "kept", "unused"]
    modules = [
        ModuleSpec("lib", exports=[ExportSpec(name) for name in names]),
        ModuleSpec("user", undefined=["used"], weak=["weakly"], no_trim=["kept"]),
    ]
    options = "-M -m -t -o out -i dump" + (" -u list" if has_whitelist else "")
    outcome = run_modules(tmp_path, dialect, modules, options, {"dump": KERNEL, "list": "nothing\nlisted"})
    kept = [name for name in names if name != "unused"]
    kept.remove("listed") if not has_whitelist else None
    kept.remove("kept") if dialect == "6.12" else None
    assert outcome.stderr == ""
    assert [line.split("\t")[1] for line in outcome.files["out"].splitlines()] == kept
    source = outcome.files["lib.mod.c"]
    assert [name for name in names if f"KSYMTAB_FUNC({name}," in source] == kept
    assert [name for name in names if f"SYMBOL_CRC({name}," in source] == kept


@pytest.mark.parametrize("dialect", SINCE_6_12)
def test_exports_need_the_modules_option(dialect: str, tmp_path: Path) -> None:
    """Check that without -M the relocations of .export_symbol are not exports."""
    outcome = run_modules(tmp_path, dialect, [ModuleSpec("lib", exports=[ExportSpec("foo")])], "-o out")
    assert outcome.files["out"] == ""


@pytest.mark.parametrize("dialect", ALL)
@pytest.mark.parametrize(
    ("licenses", "compatible"),
    [
        (["GPL"], True), (["GPL v2"], True), (["GPL and additional rights"], True), (["Dual BSD/GPL"], True),
        (["Dual MIT/GPL"], True), (["Dual MPL/GPL"], True), (["GPLv2"], False), (["GPL "], False),
        (["GPL", "Proprietary"], False), (["MIT"], False), ([""], False),
    ],
)  # fmt: skip
def test_licenses(licenses: list[str], compatible: bool, dialect: str, tmp_path: Path) -> None:
    """Check which licences admit GPL-only symbols: all entries of a module must."""
    module = ModuleSpec("foo", undefined=["x"], modinfo=[*(f"license={text}" for text in licenses), "description=x"])
    dump = KERNEL + "0x1\tx\tvmlinux\tEXPORT_SYMBOL_GPL\t\n"
    outcome = run_modules(tmp_path, dialect, [module], "-i dump", {"dump": dump})
    assert (outcome.status == 0) is compatible


@pytest.mark.parametrize("dialect", SINCE_6_1)
def test_limit_counts_the_whole_run(dialect: str, tmp_path: Path) -> None:
    """Check that ten undefined symbols of all modules together are named."""
    modules = [ModuleSpec(f"m{number}", undefined=[f"s{letter}" for letter in "abcdef"]) for number in range(3)]
    outcome = run_modules(tmp_path, dialect, modules, "-w")
    assert outcome.stderr.count("undefined!") == 10
    assert "suppressed 8 unresolved" in outcome.stderr


@pytest.mark.parametrize("dialect", ALL)
def test_external_modules_may_replace_exports(dialect: str, tmp_path: Path) -> None:
    """Check that with -e an export of another module may be repeated, but not one of the kernel."""
    dump = KERNEL + "0x1\tx\tother\tEXPORT_SYMBOL\t\n"
    modules = [ModuleSpec("foo", exports=[ExportSpec("x")]), ModuleSpec("user", undefined=["x"])]
    outcome = run_modules(tmp_path, dialect, modules, f"{MODULES[dialect]} -e -i dump", {"dump": dump})
    assert (outcome.status, outcome.stderr) == (0, "")
    assert 'MODULE_INFO(depends, "foo");' in outcome.files["user.mod.c"]
    again = run_modules(
        tmp_path, dialect, modules, f"{MODULES[dialect]} -e -i dump", {"dump": dump.replace("\tother", "\tvmlinux")}
    )
    assert "exported twice. Previous export was in vmlinux\n" in again.stderr
    itself = [ModuleSpec("foo", exports=[ExportSpec("x"), ExportSpec("x")])]
    twice = run_modules(tmp_path, dialect, itself, f"{MODULES[dialect]} -e -i dump", {"dump": KERNEL})
    assert "exported twice. Previous export was in foo.ko\n" in twice.stderr
