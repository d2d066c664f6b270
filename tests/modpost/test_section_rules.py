# SPDX-License-Identifier: GPL-2.0-or-later
"""Which references between sections are forbidden and which are excused, in every dialect."""

from __future__ import annotations

import pytest

from modpost_py.name_patterns import NamePatterns
from tests.modpost.elf_writer import SHF_ALLOC
from tests.modpost.section_references import ALL, SINCE_6_1, SINCE_6_12, is_reported, with_reference

UP_TO_6_1 = ALL[:2]

# Sections from, sections to, dialects that forbid it
FORBIDDEN = [
    (".text .text.unlikely .sched.text .kprobes.text .cpuidle.text .noinstr.text", ".init.text .init.data", ALL),
    (".text", ".init. .init.x.y", ALL),
    (".text.hot .ltext .ltext.unlikely", ".init.text", SINCE_6_1),
    (".text .data .data.rel", ".meminit.text .meminit.data", UP_TO_6_1),
    (".text .data", ".memexit.text", ("5.10",)),
    (".data .data.rel", ".init.text .init.rodata", ALL),
    (".text .data .data.rel", ".exit.text .exit.data", ALL),
    (".meminit.text", ".init.text", UP_TO_6_1),
    (".memexit.text", ".exit.text .init.text", ("5.10",)),
    (".init.text .init.data", ".exit.text", ALL),
    (".init.text .meminit.text", ".memexit.text", ("5.10",)),
    (".meminit.text", ".exit.text", UP_TO_6_1),
    (".exit.text .exit.data", ".init.text", ALL),
    (".exit.text", ".meminit.text", UP_TO_6_1),
    (".pci_fixup_early .pci_fixup_header .pci_fixup_final .pci_fixup_enable", ".init.text", ALL),
    (".pci_fixup_resume .pci_fixup_resume_early .pci_fixup_suspend", ".init.data", ALL),
    ("___ksymtab+foo ___ksymtab_gpl+foo", ".init.text .exit.text", UP_TO_6_1),
]
ALLOWED = [
    (".init.text", ".init.data .text .meminit.text", ALL),
    (".exit.text", ".exit.data .text", ALL),
    (".text .data", ".text .data .rodata .init .exit .initcall .ref.data", ALL),
    (".rodata .data.foo .ref.text .head.text __mcount_loc", ".init.text .exit.text", ALL),
    (".pci_fixup_early .pci_fixup", ".exit.text", ALL),
    (".text.hot", ".init.text", ("5.10",)),
    ("__ksymtab", ".init.text", ALL),
    ("___ksymtab+foo", ".init.text .exit.text", SINCE_6_12),
    (".comment .debug_info .discard.x .note.x .gnu.lto_x", ".init.text", ALL),
]


def _pairs(cases: list[tuple[str, str, tuple[str, ...]]]) -> list[tuple[str, str, tuple[str, ...]]]:
    return [
        (source, target, names) for first, last, names in cases for source in first.split() for target in last.split()
    ]


@pytest.mark.parametrize(("source", "target", "dialects"), _pairs(FORBIDDEN))
def test_forbidden_references(source: str, target: str, dialects: tuple[str, ...]) -> None:
    """Check that a reference is reported by exactly the dialects that forbid it."""
    assert tuple(name for name in ALL if is_reported(with_reference(source, target), name)) == dialects


@pytest.mark.parametrize(("source", "target", "dialects"), _pairs(ALLOWED))
def test_allowed_references(source: str, target: str, dialects: tuple[str, ...]) -> None:
    """Check that references which no rule forbids are not reported."""
    assert [name for name in dialects if is_reported(with_reference(source, target), name)] == []


# From section and symbol, to section and symbol, dialects that excuse the reference
EXCUSED = [
    (".data", "__param_foo", ".init.data", "x", ALL),
    (".data.rel", "__param_foo", ".init.rodata", "x", ALL),
    (".data", "__param_foo", ".init.setup", "x", ALL),
    (".data", "__param_foo", ".meminit.data", "x", UP_TO_6_1),
    (".data", "__param_foo", ".init.text", "x", ()),
    (".data", "__param_ops_foo", ".init.text", "x", ALL),
    (".text", "__param_ops_foo", ".init.text", "x", ()),
    (".data", "foo_template", ".init.text", "x", UP_TO_6_1),
    (".data", "foo_timer", ".exit.text", "x", UP_TO_6_1),
    (".data", "foo_sht", ".init.text", "x", UP_TO_6_1),
    (".data", "foo_probe_one", ".init.text", "x", UP_TO_6_1),
    (".data", "foo_ops", ".init.text", "x", ALL),
    (".data", "foo_ops.llvm.123", ".init.text", "x", ("7.2", "7.3")),
    (".data", "foo_probe", ".exit.text", "x", ("5.10", "6.1", "6.12")),
    (".data", "foo_console", ".init.text", "x", ALL),
    (".data", "foo_consoles", ".init.text", "x", ()),
    (".text", "foo_ops", ".init.text", "x", ()),
    (".data", "foo_driver", ".init.text", "x", ()),
    (".data", "foo_driver", ".exit.text", "x", UP_TO_6_1),
    (".data", "driver", ".meminit.text", "x", UP_TO_6_1),
    (".data", "foo_driver", ".memexit.text", "x", ("5.10",)),
    (".text", "x", ".init.text", "__init_begin", ALL),
    (".text", "x", ".init.text", "_sinittext", ALL),
    (".exit.text", "x", ".init.text", "_einittext", ALL),
    (".text", "x", ".init.text", "__init_end", ()),
    (".text", "foo.constprop.0", ".init.text", "x", ALL),
    (".text", "foo.constprop", ".init.text", "x", ()),
    (".exit.text", "foo.constprop.0", ".init.text", "x", ALL),
    (".text", "foo.constprop.0", ".exit.text", "x", ()),
    (".data", "foo.constprop.0", ".init.text", "x", ()),
    (".text", ".Lfoo", ".init.text", "x", UP_TO_6_1),
    (".text", "reference___initcall_foo", ".init.text", "x", ("5.10",)),
]


@pytest.mark.parametrize(("source", "from_symbol", "target", "to_symbol", "dialects"), EXCUSED)
def test_excused_references(
    source: str, from_symbol: str, target: str, to_symbol: str, dialects: tuple[str, ...]
) -> None:
    """Check that a forbidden reference is excused by exactly the dialects whose white list has its names."""
    forbidding = [name for name in ALL if is_reported(with_reference(source, target), name)]
    elf = with_reference(source, target, from_symbol, to_symbol)
    reported = [name for name in ALL if is_reported(elf, name)]
    assert (set(dialects) <= set(forbidding), reported) == (True, [n for n in forbidding if n not in dialects])


def test_drivers_with_extra_warnings() -> None:
    """Check that -W reports the exit functions of drivers in 6.1 alone."""
    elf = with_reference(".data", ".exit.text", "foo_driver")
    assert [name for name in ALL if is_reported(elf, name)] == list(SINCE_6_12)
    assert [name for name in ALL if is_reported(elf, name, extra_warnings=True)] == list(SINCE_6_1)


def test_no_name_is_never_forbidden() -> None:
    """Check that references to undefined symbols and to nameless sections are never reported."""
    elf = with_reference("__ex_table", "", to_flags=SHF_ALLOC)
    undefined = elf.symbol("undefined")
    elf.relocations(1, [(0, undefined, 2, 0)])
    assert [name for name in ALL if is_reported(elf, name)] == []


def test_name_patterns() -> None:
    """Check that a star stands for any text, even an empty one or one with dots and newlines, and nothing else does."""
    patterns = NamePatterns((".init.*", "*_ops", "*.constprop.*", "a?[b]"))
    matching = [".init.", ".init.x.y", "_ops", "x_ops", "a\n_ops", "f.constprop.0", ".constprop.", "a?[b]"]
    others = [".init", "x.init.y", "_opsx", "constprop.0", "axb", ""]
    assert [name for name in matching + others if patterns[name]] == matching
    assert not NamePatterns(())[""]
