# SPDX-License-Identifier: GPL-2.0-or-later
"""References of the exception table: addresses that fault and addresses where the kernel then continues."""

from __future__ import annotations

import pytest

from modpost_py.section_mismatch import RunState
from tests.modpost.elf_writer import SHF_ALLOC, SHF_EXECINSTR, SHN_ABS, STT_FUNC, ElfWriter
from tests.modpost.section_references import ALL, SINCE_6_1, SINCE_6_12, Texts, checked

EXECUTABLE = SHF_ALLOC | SHF_EXECINSTR
ENTRY_SIZE_UNKNOWN = ("fatal", "extable_entry size hasn't been discovered!\n")


def _table(*offsets: int, target: str = ".foo", flags: int = SHF_ALLOC, fine: tuple[int, ...] = ()) -> ElfWriter:
    """An exception table with references at these offsets, those in ``fine`` to .text, the others to ``target``."""
    elf = ElfWriter()
    table = elf.section("__ex_table", data=bytes(256))
    text = elf.symbol("in_text", elf.section(".text", flags=EXECUTABLE, data=bytes(16)))
    bad = elf.symbol("fixup", elf.section(target, flags=flags, data=bytes(16)), type=STT_FUNC)
    elf.relocations(table, [(offset, text if offset in fine else bad, 2, 0) for offset in offsets])
    return elf


def _mismatch(dialect: str, offset: int, target: str) -> tuple[str, str]:
    line = f"section mismatch in reference: {offset:#x} (section: __ex_table) -> fixup (section: {target})\n"
    old = (
        f"drivers/foo.o(__ex_table+{offset:#x}): Section mismatch in reference from the (unknown reference) (unknown)"
        f" to the function {target}:fixup()\n"
    )
    new = {"6.12": f"drivers/foo: {line}", "7.2": f"drivers/foo: {line}", "7.3": f"drivers/foo.ko: {line}"}
    return "warning", new.get(dialect, old)


def _not_executable(offset: int, consequence: str) -> tuple[str, str]:
    return "fatal", (
        f"The relocation at __ex_table+{offset:#x} references\n"
        'section ".foo" which is not executable, IOW\n'
        f"{consequence}  Something is seriously wrong\nand should be fixed.\n"
    )


CANNOT = "it is not possible for the kernel to fault\nat that address."
WILL = "the kernel will fault if it ever tries to\njump to it."


def test_text_sections() -> None:
    """Check that every section of code is a good target, also of code that is freed or placed apart."""
    names = ".text .text.unlikely .init.text .exit.text .sched.text .kprobes.text .cpuidle.text .noinstr.text"
    others = ".ref.text .head.text .spinlock.text .fixup .entry.text .exception.text .coldtext .irqentry.text .text.hot"
    for target in f"{names} {others}".split():
        elf = _table(0, target=target, flags=EXECUTABLE)
        assert [checked(elf, name) for name in ALL] == [([], 0)] * len(ALL)
    for target, dialects in [(".ltext", SINCE_6_1), (".softirqentry.text", SINCE_6_1), (".meminit.text", ALL[:2])]:
        elf = _table(0, target=target, flags=EXECUTABLE)
        assert tuple(name for name in ALL if checked(elf, name) == ([], 0)) == dialects


@pytest.mark.parametrize("dialect", ALL)
def test_unlisted_code(dialect: str) -> None:
    """Check the advice about code in a section that is not in the list, and that it counts as a mismatch."""
    blank = " " if dialect in ("5.10", "6.1") else ""
    advice = (
        "The relocation at __ex_table+0x8 references\n"
        'section ".foo" which is not in the list of\n'
        "authorized sections.  If you're adding a new section\n"
        'and/or if this reference is valid, add ".foo" to the\n'
        "list of authorized sections to jump to on fault.\n"
        f'This can be achieved by adding ".foo" to{blank}\n'
        "OTHER_TEXT_SECTIONS in scripts/mod/modpost.c.\n"
    )
    expected = [_mismatch(dialect, 8, ".foo"), ("plain" if blank else "warning", advice)]
    assert checked(_table(8, flags=EXECUTABLE), dialect) == (expected, 1)


@pytest.mark.parametrize("dialect", ALL)
def test_forbidden_section(dialect: str) -> None:
    """Check that a reference to replacement code, which never runs where it lies, ends the run."""
    subject = "drivers/foo.o" if dialect in ("5.10", "6.1") else "drivers/foo"
    fatal = (
        "The relocation at __ex_table+0x0 references\n"
        'section ".altinstr_replacement" which is black-listed.\n'
        "Something is seriously wrong and should be fixed.\n"
        "You might get more information about where this is\n"
        f"coming from by using scripts/check_extable.sh {subject}\n"
    )
    target = ".altinstr_replacement"
    expected = [_mismatch(dialect, 0, target), ("fatal", fatal)]
    assert checked(_table(0, 4, target=target, flags=EXECUTABLE), dialect) == (expected, None)


@pytest.mark.parametrize("dialect", SINCE_6_1)
def test_data(dialect: str) -> None:
    """Check that since 6.1 each reference to data is an error of its own."""
    expected: Texts = []
    for offset in (0, 4):
        error = f"__ex_table+{offset:#x} references non-executable section '.foo'\n"
        expected += [_mismatch(dialect, offset, ".foo"), ("error", error)]
    assert checked(_table(0, 4), dialect) == (expected, 2)


@pytest.mark.parametrize(
    ("offsets", "fine", "fatal"),
    [
        ((0,), (), _not_executable(0, CANNOT)),
        ((0, 4, 8), (0,), _not_executable(4, WILL)),
        ((0, 4, 8), (0, 4), _not_executable(8, CANNOT)),
        ((0, 4, 12), (0, 4), _not_executable(12, WILL)),
        ((8, 4), (), ENTRY_SIZE_UNKNOWN),
    ],
)
def test_data_in_5_10(offsets: tuple[int, ...], fine: tuple[int, ...], fatal: tuple[str, str]) -> None:
    """Check that 5.10 ends the run and tells faulting addresses from those to continue at by the size of an entry."""
    elf = _table(*offsets, fine=fine)
    at = next(offset for offset in offsets if offset not in fine)
    assert checked(elf, "5.10") == ([_mismatch("5.10", at, ".foo"), fatal], None)


def test_entry_size_is_kept() -> None:
    """Check that the size of an entry comes from the second relocation of the run's first table."""
    state = RunState()
    checked(_table(0), "5.10", state=state)
    assert state == RunState(0)
    checked(_table(0, 8, 16, fine=(0, 8, 16)), "5.10", state=state)
    checked(_table(0, 4, fine=(0, 4)), "5.10", state=state)
    assert state == RunState(16)
    assert checked(_table(8), "5.10", state=state)[0][1] == _not_executable(8, WILL)


def test_special_symbol_does_not_measure() -> None:
    """Check that a second relocation against an absolute symbol tells nothing about the size of an entry."""
    elf = ElfWriter()
    table = elf.section("__ex_table", data=bytes(32))
    absolute = elf.symbol("absolute", SHN_ABS)
    elf.relocations(table, [(0, absolute, 2, 0), (4, absolute, 2, 0)])
    state = RunState()
    assert (checked(elf, "5.10", state=state), state) == (([], 0), RunState(0))


def test_extended_symbol_measures() -> None:
    """Check that a symbol with an extended section index is no special one."""
    elf = ElfWriter()
    table = elf.section("__ex_table", data=bytes(32))
    text = elf.symbol("in_text", elf.section(".text", data=bytes(16)), extended=True)
    elf.relocations(table, [(0, text, 2, 0), (4, text, 2, 0)])
    state = RunState()
    assert (checked(elf, "5.10", state=state), state) == (([], 0), RunState(8))


def test_exemptions() -> None:
    """Check that the white lists count for the exception table since 6.12 only."""
    elf = ElfWriter()
    table = elf.section("__ex_table", data=bytes(16))
    data = elf.symbol("__init_begin", elf.section(".foo", flags=EXECUTABLE, data=bytes(16)))
    elf.relocations(table, [(0, data, 2, 0)])
    assert tuple(name for name in ALL if checked(elf, name) == ([], 0)) == SINCE_6_12
