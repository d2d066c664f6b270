# SPDX-License-Identifier: GPL-2.0-or-later
"""The messages of the section checks, whole, in every dialect, and how the ends of a reference are named."""

from __future__ import annotations

import pytest

from modpost_py.errors import ObjectFileError
from tests.modpost.elf_writer import (
    EM_386,
    EM_AARCH64,
    EM_LOONGARCH,
    EM_MIPS,
    EM_RISCV,
    EM_S390,
    SHF_ALLOC,
    SHN_ABS,
    SHT_NOBITS,
    STB_LOCAL,
    STT_FUNC,
    STT_OBJECT,
    ElfWriter,
)
from tests.modpost.section_references import ALL, SINCE_6_1, SINCE_6_12, checked, is_reported, with_reference

ADVICE = (
    'Did you forget to use "ax"/"aw" in a .S file?\n'
    "Note that for example <linux/init.h> contains\n"
    "section definitions for use in .S files.\n\n"
)
IN_NO_MEMORY = (
    ".comment", ".comment.x", ".debug_line", ".zdebug_line", ".GCC.command.line", ".mdebug.abi64", ".pdr", ".stab.x",
    ".notes", ".got", ".toc1", ".xt.prop", ".xt.lit", ".arcextmap.x", ".cmem_x", ".fmt_slot0", ".gnu.lto_x",
    ".gnu.linkonce.arcext.x", ".discard.x",
)  # fmt: skip
KINDS = [(64, "little"), (64, "big"), (32, "little"), (32, "big")]

# ------------------------------------------------------------------------------- unexpected sections


@pytest.mark.parametrize(
    ("dialect", "text"),
    [
        ("5.10", "drivers/foo.o (.BTF): unexpected non-allocatable section.\n"),
        ("6.1", "drivers/foo.o (.BTF): unexpected non-allocatable section.\n"),
        ("6.12", "drivers/foo (.BTF): unexpected non-allocatable section.\n"),
        ("7.2", "drivers/foo (.BTF): unexpected non-allocatable section.\n"),
        ("7.3", "drivers/foo.ko: unexpected non-allocatable section '.BTF'.\n"),
    ],
)
def test_unexpected_section(dialect: str, text: str) -> None:
    """Check the warning about a section with contents that nobody will load; it is no mismatch."""
    elf = ElfWriter()
    elf.section(".BTF", flags=0, data=b"x")
    elf.section(".allocated", flags=SHF_ALLOC)
    elf.section(".bss", type=SHT_NOBITS, flags=0)
    assert checked(elf, dialect) == ([("warning", text + ADVICE)], 0)


@pytest.mark.parametrize(
    ("section", "dialects"),
    [
        *[(name, ALL) for name in IN_NO_MEMORY],
        *[(name, ()) for name in (".discard", ".xt.props", ".GCC.command.lines", "debug", ".pdrx", ".orphan")],
        (".cranges", ("5.10",)),
        (".llvm.call-graph-profile", SINCE_6_12),
        *[(name, ("7.2", "7.3")) for name in ("__llvm_covfun", "__llvm_covmap", ".klp.symid")],
    ],
)
def test_sections_that_need_no_memory(section: str, dialects: tuple[str, ...]) -> None:
    """Check which sections need not be allocated; references that start there are not looked at either."""
    elf = ElfWriter()
    elf.section(section, flags=0)
    assert tuple(name for name in ALL if checked(elf, name) == ([], 0)) == dialects


# ----------------------------------------------------------------------------------------- mismatches


@pytest.mark.parametrize(
    ("dialect", "text"),
    [
        ("6.1", "drivers/foo.o: section mismatch in reference: caller"),
        ("6.12", "drivers/foo: section mismatch in reference: caller+0x4"),
        ("7.2", "drivers/foo: section mismatch in reference: caller+0x4"),
        ("7.3", "drivers/foo.ko: section mismatch in reference: caller+0x4"),
    ],
)
def test_mismatch(dialect: str, text: str) -> None:
    """Check the one line since 6.1, for both word sizes and byte orders."""
    for bits, byteorder in KINDS:
        elf = with_reference(".text", ".init.data", bits=bits, byteorder=byteorder)
        whole = text + " (section: .text) -> target (section: .init.data)\n"
        assert checked(elf, dialect) == ([("warning", whole)], 1)


WHITE_LIST = "*driver, *_template, *_timer, *_sht, *_ops, *_probe, *_probe_one, *_console"
TO_INIT_AND_EXIT = (
    "This is often seen when error handling in the %s function\n"
    "uses functionality in the %s path.\n"
    "The fix is often to remove the %s annotation of\n"
    "target%s so it may be used outside an %s section.\n"
)
EXPLANATIONS = [
    (
        ".text", STT_FUNC, ".init.data", STT_OBJECT,
        "The function caller() references\n"
        "the variable __initdata target.\n"
        "This is often because caller lacks a __initdata \n"
        "annotation or the annotation of target is wrong.\n",
    ),
    (
        ".text", STT_OBJECT, ".meminit.text", STT_FUNC,
        "The function caller() references\n"
        "the function __meminit target().\n"
        "This is often because caller lacks a __meminit \n"
        "annotation or the annotation of target is wrong.\n",
    ),
    (
        ".data", STT_OBJECT, ".init.rodata", STT_OBJECT,
        "The variable caller references\n"
        "the variable __initconst target\n"
        "If the reference is valid then annotate the\n"
        "variable with __init* or __refdata (see linux/init.h) or name the variable:\n"
        "*_template, *_timer, *_sht, *_ops, *_probe, *_probe_one, *_console\n",
    ),
    (
        ".data", STT_OBJECT, ".meminit.text", STT_FUNC,
        "The variable caller references\n"
        "the function __meminit target()\n"
        "If the reference is valid then annotate the\n"
        "variable with __init* or __refdata (see linux/init.h) or name the variable:\n"
        f"{WHITE_LIST}\n",
    ),
    (
        ".text", STT_FUNC, ".exit.text", STT_FUNC,
        "The function caller() references a function in an exit section.\n"
        "Often the function target() has valid usage outside the exit section\n"
        "and the fix is to remove the __exit annotation of target.\n",
    ),
    (
        ".data", STT_OBJECT, ".exit.text", STT_FUNC,
        "The variable caller references\n"
        "the function __exit target()\n"
        "If the reference is valid then annotate the\n"
        "variable with __exit* (see linux/init.h) or name the variable:\n"
        f"{WHITE_LIST}\n",
    ),
    (
        ".meminit.text", STT_FUNC, ".init.text", STT_FUNC,
        "The function __meminit caller() references\n"
        "a function __init target().\n"
        "If target is only used by caller then\n"
        "annotate target with a matching annotation.\n",
    ),
    (
        ".memexit.text", STT_FUNC, ".exit.data", STT_OBJECT,
        "The function __memexit caller() references\n"
        "a variable __exitdata target.\n"
        "If target is only used by caller then\n"
        "annotate target with a matching annotation.\n",
    ),
    (
        ".init.text", STT_FUNC, ".exit.text", STT_FUNC,
        "The function __init caller() references\n"
        "a function __exit target().\n" + TO_INIT_AND_EXIT % ("init", "exit", "__exit", "()", "exit"),
    ),
    (
        ".pci_fixup_final", STT_OBJECT, ".init.text", STT_FUNC,
        "The variable caller references\n"
        "a function __init target().\n" + TO_INIT_AND_EXIT % ("init", "exit", "__init", "()", "exit"),
    ),
    (
        ".exit.text", STT_FUNC, ".init.data", STT_OBJECT,
        "The function __exit caller() references\n"
        "a variable __initdata target.\n" + TO_INIT_AND_EXIT % ("exit", "init", "__initdata", "", "init"),
    ),
    (
        "___ksymtab+target", STT_OBJECT, ".init.text", STT_FUNC,
        "The symbol target is exported and annotated __init \n"
        "Fix this by removing the __init annotation of target or drop the export.\n",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("source", "from_type", "target", "to_type", "explanation"), EXPLANATIONS)
def test_explanations(source: str, from_type: int, target: str, to_type: int, explanation: str) -> None:
    """Check the line of 5.10 and the explanation of each kind of mismatch, with an empty line at its end."""
    elf = with_reference(source, target, from_type=from_type, to_type=to_type)
    first = "function caller()" if from_type == STT_FUNC else "variable caller"
    kind, call = ("function", "()") if to_type == STT_FUNC else ("variable", "")
    text = (
        f"drivers/foo.o({source}+0x14): Section mismatch in reference from the {first}"
        f" to the {kind} {target}:target{call}\n"
    )
    assert checked(elf, "5.10") == ([("warning", text), ("plain", explanation + "\n")], 1)


def test_export_of_init_symbol() -> None:
    """Check 6.1's words about an exported symbol that is freed after booting."""
    text = "drivers/foo.o: EXPORT_SYMBOL used for init/exit symbol: target (section: .exit.text)\n"
    assert checked(with_reference("___ksymtab_gpl+target", ".exit.text"), "6.1") == ([("warning", text)], 1)


def test_order_and_count() -> None:
    """Check that messages come section by section in header order, relocations in their own, each counted."""
    elf = with_reference(".text", ".init.text")
    elf.section(".orphan", flags=0)
    target = elf.symbol("other", 2, 0)
    elf.relocations(1, [(0x1F, target, 2, 0), (0x10, target, 2, 0)], name=".rela.text.again")
    words = [text.split("reference: ")[-1].split("\n")[0] for _, text in checked(elf, "7.2")[0]]
    assert words == [
        "caller+0x4 (section: .text) -> target (section: .init.text)",
        "drivers/foo (.orphan): unexpected non-allocatable section.",
        "caller+0xf (section: .text) -> other (section: .init.text)",
        "caller+0x0 (section: .text) -> other (section: .init.text)",
    ]
    assert checked(elf, "7.2")[1] == 3


# -------------------------------------------------------------------------------------- names of ends


def _ends(elf: ElfWriter, dialect: str) -> str:
    (_, text), *_ = checked(elf, dialect)[0]
    return text.rstrip("\n").split("mismatch in reference")[1].lstrip(": ")


def _nameless(addend: int, *, value: int = 0x20, symbols: bool = True) -> ElfWriter:
    elf = ElfWriter()
    source = elf.section(".text", data=bytes(64))
    target = elf.section(".init.text", data=bytes(64))
    symbol = elf.section_symbol(target)
    if symbols:
        elf.symbol("near", target, value, type=STT_FUNC)
    elf.relocations(source, [(0x14, symbol, 2, addend)])
    return elf


@pytest.mark.parametrize(
    ("addend", "before_6_7", "since_6_7"),
    [
        (0x20, "near", "near"),
        (0x20 + 19, "near", "near"),
        (0x20 + 20, "(unknown)", "near"),
        (0x20 + 21, "(unknown)", "0x35"),
        (0x20 - 20, "(unknown)", "near"),
        (0x20 - 21, "(unknown)", "0xb"),
        (-4, "(unknown)", "0xfffffffc"),
    ],
)
def test_target_of_section_symbol(addend: int, before_6_7: str, since_6_7: str) -> None:
    """Check which symbol close to section + addend is named, and what is shown if none is close; no symbol refers."""
    ours = _ends(_nameless(addend), "6.1")
    assert ours == f"(unknown) (section: .text) -> {before_6_7} (section: .init.text)"
    ours = _ends(_nameless(addend - 0x20 if addend < 0 else addend), "6.12")
    shown = "0xffffffdc" if addend < 0 else since_6_7
    assert ours == f"0x14 (section: .text) -> {shown} (section: .init.text)"


def test_unknown_ends_in_5_10() -> None:
    """Check that 5.10 calls both ends unknown where there is no symbol."""
    assert _ends(_nameless(0, symbols=False), "5.10") == (
        "from the (unknown reference) (unknown) to the (unknown reference) .init.text:(unknown)"
    )


def test_value_of_section_symbol() -> None:
    """Check that the value of a nameless symbol counts since 6.7 only."""
    elf = ElfWriter()
    source = elf.section(".text", data=bytes(64))
    target = elf.section(".init.text", data=bytes(64))
    symbol = elf.symbol("", target, 0x20, bind=STB_LOCAL)
    elf.symbol("at_0", target, 0)
    elf.symbol("at_20", target, 0x20)
    elf.relocations(source, [(0, symbol, 2, 0)])
    assert [_ends(elf, name).split("-> ")[1].split()[0] for name in SINCE_6_1] == ["at_0", "at_20", "at_20", "at_20"]


def test_labels_are_no_names() -> None:
    """Check that a compiler label as the relocation's symbol gives way to a real name since 6.7."""
    elf = with_reference(".text", ".init.text", to_symbol=".L5")
    elf.symbol("behind", 2, 0x24)
    ends = {name: _ends(elf, name).split("-> ")[1].split()[0] for name in SINCE_6_1}
    assert ends == {"6.1": ".L5", "6.12": "behind", "7.2": "behind", "7.3": "behind"}
    alone = with_reference(".text", ".init.text", to_symbol=".L5")
    assert _ends(alone, "6.12").split("-> ")[1] == ".L5 (section: .init.text)"


def test_from_section_by_name() -> None:
    """Check that up to 6.6 a symbol of any section with the name of the one that refers is found."""
    elf = with_reference(".text", ".init.text")
    twin = elf.section(".text", data=bytes(64))
    elf.symbol("twin", twin, 0x12)
    assert [_ends(elf, name).split()[0] for name in ("6.1", "6.12")] == ["twin", "caller+0x4"]


def test_relocation_section_name_in_5_10() -> None:
    """Check that 5.10 goes by the name of the relocation section, later ones by its sh_info."""
    elf = ElfWriter()
    source = elf.section(".rodata", data=bytes(16))
    target = elf.section(".init.text", data=bytes(16))
    elf.relocations(source, [(0, elf.symbol("f", target), 1, 0)], name=".rela.text")
    assert [name for name in ALL if is_reported(elf, name)] == ["5.10"]
    assert "from the (unknown reference) (unknown)" in checked(elf, "5.10")[0][0][1]


def test_offset_of_32_bits() -> None:
    """Check that since 6.7 offsets and addresses are shown with 32 bits."""
    elf = ElfWriter()
    source = elf.section(".text", data=bytes(16))
    target = elf.section(".init.text", data=bytes(16))
    elf.relocations(source, [(0x1_0000_0008, elf.section_symbol(target), 1, 0x7_0000_0100)])
    assert _ends(elf, "7.2") == "0x8 (section: .text) -> 0x100 (section: .init.text)"


# ---------------------------------------------------------------------------------------- relocations


def test_special_symbols() -> None:
    """Check that references to absolute symbols are never reported."""
    elf = ElfWriter()
    source = elf.section("__ex_table", data=bytes(16))
    elf.relocations(source, [(0, elf.symbol("absolute", SHN_ABS, 5), 1, 0)])
    assert [checked(elf, name) for name in ALL] == [([], 0)] * len(ALL)


def test_extended_section_index() -> None:
    """Check that a symbol whose section stands in the table of extended indices is found there."""
    elf = ElfWriter()
    source = elf.section(".text", data=bytes(16))
    target = elf.section(".init.text", data=bytes(16))
    elf.relocations(source, [(0, elf.symbol("f", target, extended=True), 1, 0)])
    assert [name for name in ALL if is_reported(elf, name)] == list(ALL)


def test_mips64_relocations() -> None:
    """Check that symbol and type are found in the fields of their own that 64-bit MIPS has, in both byte orders."""
    for byteorder in ("little", "big"):
        elf = ElfWriter(64, byteorder, EM_MIPS)
        source = elf.section(".text", data=bytes(16))
        target = elf.section(".init.text", data=bytes(16))
        elf.symbol("allowed", source)
        elf.relocations(source, [(8, elf.symbol("f", target), 18, 0)])
        ends = "allowed+0x8 (section: .text) -> f (section: .init.text)"
        assert [_ends(elf, name) for name in SINCE_6_12] == [ends] * 3


@pytest.mark.parametrize(
    ("machine", "type_", "section", "dialects"),
    [
        (EM_RISCV, 39, "__ex_table", SINCE_6_1),
        (EM_RISCV, 39, ".text", ()),
        (EM_RISCV, 35, "__ex_table", ()),
        (EM_LOONGARCH, 55, "__ex_table", SINCE_6_12),
        (EM_LOONGARCH, 55, ".text", ()),
        (EM_LOONGARCH, 100, ".text", SINCE_6_12),
        (EM_LOONGARCH, 102, "__ex_table", SINCE_6_12),
        (EM_AARCH64, 100, ".text", ()),
    ],
)
def test_skipped_relocation_types(machine: int, type_: int, section: str, dialects: tuple[str, ...]) -> None:
    """Check which relocation types are no references, and in which dialects."""
    elf = ElfWriter(machine=machine)
    source = elf.section(section, data=bytes(16))
    target = elf.section(".init.data", data=bytes(16))
    elf.relocations(source, [(0, elf.symbol("f", target, type=STT_OBJECT), type_, 0)])
    skipping = tuple(name for name in ALL if not is_reported(elf, name))
    assert skipping == dialects


def test_unknown_machine() -> None:
    """Check that since 6.12 REL relocations of a machine without addends end the run, if there are any."""
    elf = ElfWriter(32, "big", EM_S390)
    source = elf.section(".rodata", data=bytes(16))
    unchecked = elf.section(".debug_info", flags=0, data=bytes(16))
    symbol = elf.symbol("f", source)
    elf.relocations(unchecked, [(0, symbol, 1, 0)], rela=False)
    elf.relocations(source, [], rela=False)
    assert [checked(elf, name) for name in ALL] == [([], 0)] * len(ALL)
    elf.relocations(source, [(0, symbol, 1, 0)], rela=False)
    fatal = ([("fatal", "Please add code to calculate addend for this architecture\n")], None)
    assert [checked(elf, name) for name in ALL] == [([], 0), ([], 0), fatal, fatal, fatal]


def test_relocation_symbol_outside_table() -> None:
    """Check that a relocation whose symbol does not exist is no reference."""
    elf = ElfWriter()
    source = elf.section(".text", data=bytes(16))
    target = elf.section(".init.text", data=bytes(16))
    last = elf.symbol("f", target)
    elf.relocations(source, [(0, 0xFFFFFFFF, 1, 0), (0, last, 1, 0), (0, last + 2, 1, 0)])
    elf.relocations(source, [(0, last + 1, 1, 0)])
    assert [checked(elf, name)[1] for name in ALL] == [1] * len(ALL)


def test_target_section_outside_table() -> None:
    """Check that relocations of a section that does not exist are passed over."""
    elf = with_reference(".text", ".init.text")
    elf.relocations(1, [(0, 2, 1, 0)], name=".rela.rodata", sh_info=5000)
    assert [checked(elf, name)[1] for name in ALL] == [1] * len(ALL)


def test_relocations_beyond_the_file() -> None:
    """Check that relocations that reach beyond the end of the file are told with the path."""
    elf = ElfWriter(machine=EM_386, bits=32)
    source = elf.section(".text", data=bytes(16))
    elf.section(".init.text")
    elf.relocations(source, [(0, 1, 1, 0)], sh_size=1 << 20)
    with pytest.raises(ObjectFileError, match=r"^drivers/foo\.o: section 3 \(\.rela\.text\) reaches beyond"):
        checked(elf, "6.1")


def test_overlapping_relocations() -> None:
    """Check that relocation sections that share their bytes, so that each is read again and again, are refused."""
    elf = ElfWriter()
    source = elf.section(".text", data=bytes(16))
    elf.section(".init.text")
    elf.relocations(source, [(0, 0, 0, 0)] * 1000)
    offset = 64 + 16 + 8
    for _ in range(3):
        elf.relocations(source, [], sh_offset=offset, sh_size=24000)
    with pytest.raises(ObjectFileError, match=r"^drivers/foo\.o: relocation sections overlap$"):
        checked(elf, "6.1")


# -------------------------------------------------------------------------------------------- exports


def _with_exports() -> ElfWriter:
    elf = with_reference(".text", ".init.text")
    exports = elf.section(".export_symbol", data=bytes(16))
    elf.relocations(exports, [(0, 2, 1, 0)])
    elf.section(".orphan", flags=0)
    return elf


def test_export_relocations_are_handed_on() -> None:
    """Check that the relocations of .export_symbol are handed on at their place of the walk, if somebody wants them."""
    elf = _with_exports()
    seen: list[tuple[int, frozenset[int]]] = []
    texts, _ = checked(elf, "7.2", on_export_relocations=lambda index, skipped: seen.append((index, skipped)))
    assert (seen, len(texts)) == ([(5, frozenset())], 2)
    assert checked(elf, "7.2") == (texts, 1)


def test_skipped_export_relocations() -> None:
    """Check that the types to be passed over are told, except where there are no addends."""
    elf = ElfWriter(64, "little", EM_LOONGARCH)
    exports = elf.section(".export_symbol", data=bytes(16))
    elf.relocations(exports, [(0, elf.symbol("f", exports), 1, 0)])
    seen: list[frozenset[int]] = []
    checked(elf, "6.12", on_export_relocations=lambda _index, skipped: seen.append(skipped))
    assert seen == [frozenset({100, 102})]


def test_relocations_of_section_0() -> None:
    """Check that without .export_symbol the relocations that apply to section 0 count as exports."""
    elf = with_reference(".text", ".init.text")
    elf.relocations(1, [(0, 2, 1, 0)], name=".rela", sh_info=0)
    seen: list[int] = []
    checked(elf, "6.12", on_export_relocations=lambda index, _skipped: seen.append(index))
    assert seen == [4]
