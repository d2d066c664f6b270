# SPDX-License-Identifier: GPL-2.0-or-later
"""Every message of the core catalogue: when it comes, its exact text in every dialect, and the exit status."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from modpost_py import core_messages
from modpost_py.messages import Message
from tests.modpost.elf_writer import (
    SHN_COMMON,
    SHN_UNDEF,
    SHT_NOBITS,
    SHT_SYMTAB_SHNDX,
    STB_LOCAL,
    ElfWriter,
)
from tests.modpost.module_writer import ExportSpec, ModuleSpec
from tests.modpost.running import ALL, SINCE_6_1, SINCE_6_12, run_modules

W, E = "WARNING: modpost: ", "ERROR: modpost: "
SEVEN = ("7.2", "7.3")
MODULE = ModuleSpec("drivers/foo")
LONG = "n" * 56


class Case(NamedTuple):
    """One message: the run that gives it, and all of stderr by dialect (a text holds until the next one)."""

    rule: str
    dialects: Sequence[str]
    stderr: Mapping[str, str]
    modules: Sequence[ModuleSpec] = (MODULE,)
    options: str = ""
    files: Mapping[str, str | bytes] = {}
    status: Mapping[str, int] = {"5.10": 1}


def fatal(text: str) -> dict[str, str]:
    """A fatal text in all dialects."""
    return {"5.10": f"FATAL: modpost: {text}", "6.12": f"ERROR: modpost: {text}"}


def damaged(change: Callable[[ElfWriter], object]) -> bytes:
    """An object of which one thing is wrong."""
    elf = ElfWriter()
    elf.section(".modinfo", data=b"license=GPL\0description=x\0")
    change(elf)
    return elf.bytes()


def _without_symtab(elf: ElfWriter) -> None:
    elf.with_symbol_table = False


def _with_bad_shndx(elf: ElfWriter) -> None:
    elf.section(".symtab_shndx", type=SHT_SYMTAB_SHNDX, data=bytes(4), link=1)


def _wrong_byte_order() -> bytes:
    content = bytearray(ElfWriter().bytes())
    content[5] = 3
    return bytes(content)


def _outside() -> bytes:
    content = bytearray(ElfWriter().bytes())
    struct.pack_into("<Q", content, 0x28, 1_000_000)
    return bytes(content)


def _with_export(name: str, *, dialect_files: str = "", **fields: object) -> ModuleSpec:
    return ModuleSpec("drivers/foo", exports=[ExportSpec(name, **fields)])  # type: ignore[arg-type]


def _strange_label() -> bytes:
    elf = ElfWriter()
    elf.section(".modinfo", data=b"license=GPL\0description=x\0")
    section = elf.section(".export_symbol", data=bytes(16))
    elf.symbol("strange", section, 0, 0, STB_LOCAL)
    symbol = elf.symbol("exported", SHN_UNDEF)
    elf.relocations(section, [(8, symbol, 1, 0)])
    return elf.bytes()


def _strange_reference() -> bytes:
    elf = ElfWriter()
    elf.section(".modinfo", data=b"license=GPL\0description=x\0")
    section = elf.section(".export_symbol", data=bytes(16))
    elf.symbol("__export_symbol_first", section, 0, 0, STB_LOCAL)
    symbol = elf.symbol("second", SHN_UNDEF)
    elf.relocations(section, [(8, symbol, 1, 0)])
    return elf.bytes()


def _common() -> bytes:
    elf = ElfWriter()
    elf.section(".modinfo", data=b"license=GPL\0description=x\0")
    elf.symbol("shared", SHN_COMMON)
    elf.symbol("__gnu_lto_slim", SHN_COMMON)
    return elf.bytes()


DUMP = "0x12345678\tprintk\tvmlinux\tEXPORT_SYMBOL\t\n"
USER = ModuleSpec("drivers/foo", undefined=["printk"])
NOT_GPL = ("license=Proprietary", "description=x")
NO_CRC = "version generation failed, symbol will not be versioned.\n"
PROTOTYPED = "prototyped in <asm/asm-prototypes.h>?\n"
MISMATCHES = "Section mismatches detected.\nSet CONFIG_SECTION_MISMATCH_WARN_ONLY=y to allow them.\n"
# 5.10 looks at undefined symbols only if it knows vmlinux
KNOWN = {"dump": DUMP}


def unused(kind: str) -> dict[str, str]:
    """A dump with a symbol of a kind of export."""
    return {"dump": f"0x1\tprintk\tvmlinux\t{kind}\t\n"}


CASES = [
    # --- reading an object
    Case("not-relocatable", SINCE_6_1, {"6.1": "FATAL: modpost: drivers/foo.o: not relocatable object.",
         "6.12": E + "drivers/foo.o: not relocatable object."},
         files={"drivers/foo.o": ElfWriter(e_type=2).bytes()}),
    Case("unknown-byte-order", ALL, fatal("target endian is unknown\n"), files={"drivers/foo.o": _wrong_byte_order()}),
    Case("section-headers-outside", ALL,
         fatal("section header offset=1000000 in file 'drivers/foo.o' is bigger than filesize=384\n"),
         files={"drivers/foo.o": _outside()}),
    Case("truncated-section", ALL, fatal("drivers/foo.o is truncated. sechdrs[i].sh_offset=9999 > sizeof(*hrd)=64\n"),
         files={"drivers/foo.o": damaged(lambda elf: elf.section(".x", sh_offset=9999))}),
    Case("nobits-modinfo", ALL, fatal("drivers/foo.o has NOBITS .modinfo\n"),
         files={"drivers/foo.o": damaged(lambda elf: elf.section(".modinfo", type=SHT_NOBITS))}),
    Case("no-symtab", ALL, fatal("drivers/foo.o has no symtab?\n"),
         files={"drivers/foo.o": damaged(_without_symtab)}),
    Case("bad-symtab-shndx", ALL, fatal("drivers/foo.o: SYMTAB_SHNDX has bad sh_link: 1!=3\n"),
         files={"drivers/foo.o": damaged(_with_bad_shndx)}),
    Case("bad-file-name", SINCE_6_1, {"6.1": E + "drivers/foo.ko: filename must be suffixed with .o\n"},
         modules=(), options="drivers/foo.ko", files={"drivers/foo.ko": "anything"}),
    Case("ignored-file", ALL, {"5.10": "missing.o: No such file or directory (ignored)\n"},
         modules=(), options="-n -i dump missing.o", files=KNOWN, status={"5.10": 0}),
    Case("no-object-list", ALL, {"5.10": "FATAL: modpost: Can't open filenames file missing: No such file or directory",
         "6.12": E + "Can't open filenames file missing: No such file or directory"}, modules=(), options="-T missing"),
    # --- modinfo and symbols
    Case("missing-license", ALL, {"5.10": W + "missing MODULE_LICENSE() in drivers/foo.o\n",
         "6.1": E + "missing MODULE_LICENSE() in drivers/foo.o\n",
         "7.3": E + "drivers/foo.ko: missing MODULE_LICENSE()\n"},
         modules=[ModuleSpec("drivers/foo", modinfo=["description=x"])], options="-i dump", files=KNOWN,
         status={"5.10": 0, "6.1": 1}),
    Case("missing-description", SINCE_6_12, {"6.12": W + "missing MODULE_DESCRIPTION() in drivers/foo.o\n",
         "7.3": W + "drivers/foo.ko: missing MODULE_DESCRIPTION()\n"},
         modules=[ModuleSpec("drivers/foo", modinfo=["license=GPL"])], options="-W", status={"6.12": 0}),
    Case("explicit-module-namespace", SEVEN, {
         "7.2": E + 'drivers/foo: explicitly importing namespace "module:bar" is not allowed.\n',
         "7.3": E + "drivers/foo.ko: explicitly importing namespace 'module:bar' is not allowed.\n"},
         modules=[ModuleSpec("drivers/foo", modinfo=["license=GPL", "description=x", "import_ns=module:bar"])],
         status={"7.2": 1}),
    Case("common-symbol", ALL, {"5.10": W + '"shared" [drivers/foo] is COMMON symbol\n',
         "7.3": W + "drivers/foo.ko: 'shared' is COMMON symbol\n"},
         options="-i dump", files={"drivers/foo.o": _common(), **KNOWN}, status={"5.10": 0}),
    # --- exports
    Case("exported-twice", ALL, {
         "5.10": W + "drivers/bar: 'shared' exported twice. Previous export was in drivers/foo.ko\n",
         "6.1": E + "drivers/bar: 'shared' exported twice. Previous export was in drivers/foo.ko\n",
         "7.3": E + "drivers/bar.ko: symbol 'shared' exported twice. Previous export was in drivers/foo.ko\n"},
         modules=[_with_export("shared"), ModuleSpec("drivers/bar", exports=[ExportSpec("shared")])],
         options="-M -i dump", files=KNOWN, status={"5.10": 0, "6.1": 1}),
    Case("unknown-namespace-symbol", ("5.10", "6.1"), {
         "5.10": E + "Could not update namespace((null)) for symbol .shared\n"
         + W + '".shared" [drivers/foo] is a static EXPORT_SYMBOL\n',
         "6.1": E + "Could not update namespace() for symbol .shared\n"},
         modules=[_with_export(".shared")], options="-i dump", files=KNOWN, status={"5.10": 0, "6.1": 1}),
    Case("strange-export-label", SINCE_6_12, {
         "6.12": E + "drivers/foo: .export_symbol section contains strange symbol 'strange'\n",
         "7.3": E + "drivers/foo.ko: .export_symbol section contains strange symbol 'strange'\n"},
         options="-M -i dump", files={"drivers/foo.o": _strange_label(), "dump": DUMP.replace("printk", "exported")}),
    Case("local-export", SINCE_6_12, {"6.12": E + "drivers/foo: local symbol 'shared' was exported\n",
         "7.3": E + "drivers/foo.ko: local symbol 'shared' was exported\n"},
         modules=[_with_export("shared", bind=STB_LOCAL)], options="-M"),
    Case("strange-export-reference", SINCE_6_12, {
         "6.12": E + "drivers/foo: .export_symbol section references 'second', "
         "but it does not seem to be an export symbol\n",
         "7.3": E + "drivers/foo.ko: .export_symbol section references 'second', "
         "but it does not seem to be an export symbol\n"},
         options="-M -i dump", files={"drivers/foo.o": _strange_reference(), "dump": DUMP.replace("printk", "second")}),
    Case("unknown-export-license", SINCE_6_12, {
         "6.12": E + "drivers/foo: unknown license 'BSD' was specified for 'shared'\n",
         "7.3": E + "drivers/foo.ko: unknown license 'BSD' was specified for 'shared'\n"},
         modules=[_with_export("shared", license="BSD")], options="-M"),
    Case("init-symbol-exported", SINCE_6_12, {
         "6.12": W + "drivers/foo: shared: EXPORT_SYMBOL used for init symbol. Remove __init or EXPORT_SYMBOL.\n",
         "7.3": W + "drivers/foo.ko: EXPORT_SYMBOL used for init symbol 'shared'. Remove __init or EXPORT_SYMBOL.\n"},
         modules=[_with_export("shared", section=".init.text")], options="-M", status={"6.12": 0}),
    Case("exit-symbol-exported", SINCE_6_12, {
         "6.12": W + "drivers/foo: shared: EXPORT_SYMBOL used for exit symbol. Remove __exit or EXPORT_SYMBOL.\n",
         "7.3": W + "drivers/foo.ko: EXPORT_SYMBOL used for exit symbol 'shared'. Remove __exit or EXPORT_SYMBOL.\n"},
         modules=[_with_export("shared", section=".exit.text")], options="-M", status={"6.12": 0}),
    Case("static-export", ("5.10",), {"5.10": W + '"shared" [drivers/foo] is a static EXPORT_SYMBOL_GPL\n'},
         modules=[_with_export("shared", license="GPL", bind=STB_LOCAL)], options="-i dump", files=KNOWN,
         status={"5.10": 0}),
    # --- versions
    Case("export-without-crc", ALL, {"5.10": W + f'EXPORT symbol "shared" [drivers/foo.ko] {NO_CRC}',
         "6.1": W + f'EXPORT symbol "shared" [drivers/foo.ko] {NO_CRC}Is "shared" {PROTOTYPED}',
         "7.3": W + f"drivers/foo.ko: EXPORT symbol 'shared' {NO_CRC}Is 'shared' {PROTOTYPED}"},
         modules=[_with_export("shared", crc=None)], options="-m -M -i dump",
         files={"dump": DUMP.replace("printk", "module_layout")}, status={"5.10": 0}),
    Case("symbol-without-crc", ALL, {
         "5.10": W + f'EXPORT symbol "shared" [drivers/foo.ko] {NO_CRC}'
         + W + '"shared" [drivers/bar.ko] has no CRC!\n',
         "6.1": W + f'EXPORT symbol "shared" [drivers/foo.ko] {NO_CRC}Is "shared" {PROTOTYPED}'
         + W + '"shared" [drivers/bar.ko] has no CRC!\n',
         "7.3": W + f"drivers/foo.ko: EXPORT symbol 'shared' {NO_CRC}Is 'shared' {PROTOTYPED}"
         + W + "drivers/bar.ko: symbol 'shared' has no CRC!\n"},
         modules=[_with_export("shared", crc=None), ModuleSpec("drivers/bar", undefined=["shared"])],
         options="-m -M -b -i dump", files={"dump": DUMP.replace("printk", "module_layout")}, status={"5.10": 0}),
    Case("symbol-too-long", ALL, {"5.10": E + f'too long symbol "{LONG}" [drivers/foo.ko]\n',
         "7.3": E + f"drivers/foo.ko: too long symbol '{LONG}'\n"},
         modules=[ModuleSpec("drivers/foo", undefined=[LONG])], options="-m -M -b -i dump",
         files={"dump": DUMP.replace("printk", LONG) + DUMP.replace("printk", "module_layout")}),
    Case("path-too-long", SINCE_6_1, {"6.1": E + "d" * 4090 + "/.x.o: too long path was truncated\n"},
         options="-m -M -i dump",
         files={"dump": DUMP.replace("printk", "module_layout"), "drivers/foo.mod": "d" * 4090 + "/x.o\n"}),
    # --- source versions
    Case("malformed-source-line", ALL, {"5.10": W + "malformed line: source_x\n"}, options="-a -i dump",
         files={"drivers/.foo.o.cmd": "source_x\n", **KNOWN}, status={"5.10": 0}),
    Case("no-objects-in-mod", ("5.10",), {"5.10": W + "bad ending versions file for drivers/foo.o\n"},
         options="-a -i dump", files={"drivers/foo.mod": "", **KNOWN}, status={"5.10": 0}),
    # --- dumps
    Case("dump-parse-error", ALL, fatal("parse error in symbol dump file\n"), modules=(), options="-i dump",
         files={"dump": DUMP + "\n"}),
    Case("dump-unknown-license", SINCE_6_1, {"6.1": E + "printk: unknown license EXPORT_MINE. skip"}, modules=(),
         options="-i dump", files={"dump": DUMP.replace("EXPORT_SYMBOL", "EXPORT_MINE")}),
    # --- cross reference
    Case("no-vmlinux", ("5.10",), {"5.10": W + "Symbol info of vmlinux is missing. "
         "Unresolved symbol check will be entirely skipped.\n"}, modules=[USER], status={"5.10": 0}),
    Case("module-name-too-long", ALL, {"5.10": E + f"module name is too long [drivers/{LONG}.ko]\n",
         "7.3": E + f"drivers/{LONG}.ko: module name is too long\n"}, modules=[ModuleSpec(f"drivers/{LONG}")],
         options="-i dump", files=KNOWN),
    Case("undefined-symbol", ALL, {"5.10": E + '"missing" [drivers/foo.ko] undefined!\n',
         "7.3": E + "drivers/foo.ko: symbol 'missing' undefined!\n"},
         modules=[ModuleSpec("drivers/foo", undefined=["printk", "missing"], weak=["absent"])], options="-i dump",
         files=KNOWN),
    Case("exported-without-definition", SINCE_6_12, {
         "6.12": E + '"shared" [drivers/foo.ko] was exported without definition\n',
         "7.3": E + "drivers/foo.ko: symbol 'shared' was exported without definition\n"},
         modules=[_with_export("shared", is_defined=False)], options="-M"),
    Case("namespace-not-imported", ALL, {
         "5.10": E + "module foo uses symbol printk from namespace NS, but does not import it.\n",
         "7.3": E + "drivers/foo.ko: module uses symbol 'printk' from namespace 'NS', but does not import it.\n"},
         modules=[USER], options="-i dump", files={"dump": DUMP.replace("\t\n", "\tNS\n")}),
    Case("gpl-only-symbol", ALL, {
         "5.10": "FATAL: modpost: GPL-incompatible module foo.ko uses GPL-only symbol 'printk'\n",
         "6.1": E + "GPL-incompatible module foo.ko uses GPL-only symbol 'printk'\n",
         "7.3": E + "drivers/foo.ko: GPL-incompatible module uses GPL-only symbol 'printk'\n"},
         modules=[ModuleSpec("drivers/foo", undefined=["printk"], modinfo=NOT_GPL)], options="-i dump",
         files=unused("EXPORT_SYMBOL_GPL")),
    Case("unused-gpl-only-symbol", ("5.10",), {
         "5.10": "FATAL: modpost: GPL-incompatible module foo.ko uses GPL-only symbol marked UNUSED 'printk'\n"},
         modules=[ModuleSpec("drivers/foo", undefined=["printk"], modinfo=NOT_GPL)], options="-i dump",
         files=unused("EXPORT_UNUSED_SYMBOL_GPL")),
    Case("future-gpl-only-symbol", ("5.10",), {
         "5.10": W + "GPL-incompatible module foo.ko uses future GPL-only symbol 'printk'\n"},
         modules=[ModuleSpec("drivers/foo", undefined=["printk"], modinfo=NOT_GPL)], options="-i dump",
         files=unused("EXPORT_SYMBOL_GPL_FUTURE"), status={"5.10": 0}),
    Case("unused-symbol", ("5.10",), {"5.10": W + "module foo.ko uses symbol 'printk' marked UNUSED\n"},
         modules=[USER], options="-i dump", files=unused("EXPORT_UNUSED_SYMBOL"), status={"5.10": 0}),
    Case("too-many-undefined", SINCE_6_1, {
         "6.1": "".join(f'{W}"s{number}" [drivers/foo.ko] undefined!\n' for number in range(10))
         + W + "suppressed 2 unresolved symbol warnings because there were too many)\n",
         "7.3": "".join(f"{W}drivers/foo.ko: symbol 's{number}' undefined!\n" for number in range(10))
         + W + "suppressed 2 unresolved symbol warnings because there were too many)\n"},
         modules=[ModuleSpec("drivers/foo", undefined=[f"s{number}" for number in range(12)])], options="-w",
         status={"6.1": 0}),
    # --- output
    Case("output-truncated", ("6.1", "7.2", "7.3"), {
         "6.1": "FATAL: modpost: buf_printf output truncated for string "
         f"SYMBOL_CRC({'l' * 488}: 531 bytes needed, 500 available\n",
         "7.2": E + "buf_printf output truncated for string "
         f"KSYMTAB_FUNC({'l' * 486}: 521 bytes needed, 500 available\n"},
         modules=[_with_export("l" * 500)], options="-m -M -i dump",
         files={"dump": DUMP.replace("printk", "module_layout")}),
]  # fmt: skip


def in_force(texts: Mapping[str, str], dialect: str) -> str:
    """The text of a dialect: that of the last entry not younger than it."""
    return [texts[name] for name in ALL[: ALL.index(dialect) + 1] if name in texts][-1]


@pytest.mark.parametrize(
    ("case", "dialect"),
    [pytest.param(case, dialect, id=f"{case.rule}-{dialect}") for case in CASES for dialect in case.dialects],
)
def test_message(case: Case, dialect: str, tmp_path: Path) -> None:
    """Check that a condition gives its message, nothing else on stderr, and the right exit status."""
    options = " ".join(word for word in case.options.split() if word not in ("-M", "-b", "-W") or _knows(dialect, word))
    outcome = run_modules(tmp_path, dialect, case.modules, options, case.files)
    expected = in_force(case.stderr, dialect)
    status = [case.status[name] for name in ALL[: ALL.index(dialect) + 1] if name in case.status][-1]
    assert outcome.stderr == expected
    assert outcome.status == status
    assert case.rule in [diagnostic.rule for diagnostic in outcome.result.diagnostics]


def _knows(dialect: str, word: str) -> bool:
    return {"-M": dialect in SINCE_6_12, "-b": dialect in SEVEN, "-W": dialect in SINCE_6_1}[word]


def test_every_message_has_a_case() -> None:
    """Check that the cases cover the core catalogue: every message, in every dialect that has it."""
    messages = {name: value for name, value in vars(core_messages).items() if isinstance(value, Message)}
    wanted = {
        (message.rule, dialect)
        for message in messages.values()
        for dialect in ALL
        if dialect in message._by_dialect and message.rule != "section-mismatches"
    }
    covered = {(case.rule, dialect) for case in CASES for dialect in case.dialects}
    assert covered - wanted == set()
    assert wanted - covered == UNREACHABLE


#: Wordings that stand in the catalogue because they hold "until the next one", in dialects that cannot come to them.
UNREACHABLE = {
    *((rule, dialect) for rule in ("unknown-namespace-symbol",) for dialect in SINCE_6_12),
    *(("static-export", dialect) for dialect in SINCE_6_1),
    *(("no-vmlinux", dialect) for dialect in SINCE_6_1),
    *(("no-objects-in-mod", dialect) for dialect in SINCE_6_1),
    *(
        (f"{kind}-symbol", dialect)
        for kind in ("unused-gpl-only", "future-gpl-only", "unused")
        for dialect in SINCE_6_1
    ),
    ("output-truncated", "6.12"),
    ("exported-without-definition", "6.1"),
}
