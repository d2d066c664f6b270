# SPDX-License-Identifier: GPL-2.0-or-later
"""Classes of sections, and which of them may not refer to which: modpost's section rules as tables.

Code that is freed after booting (``.init.*``) or never loaded (``.exit.*``) must not be reached from code or data that
stays.  A :class:`MismatchRule` names the sections where a reference starts and those where it must not end; an
:class:`Exemption` names references that are reported by a rule and yet are known to be harmless.  A pattern is a
section or symbol name in which ``*`` stands for any text, also an empty one; nothing else is special.

One :class:`SectionRules` stands for each dialect of modpost; the texts stand in ``section_messages``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Literal

from modpost_py.elf_constants import EM_LOONGARCH, EM_RISCV

Patterns = tuple[str, ...]


class RuleKind(Enum):
    """What a rule forbids; the key of its explanation in the messages of 5.10."""

    TEXT_TO_INIT = "text to init"
    DATA_TO_INIT = "data to init"
    TEXT_TO_EXIT = "text to exit"
    DATA_TO_EXIT = "data to exit"
    SPECIAL_INIT_TO_INIT = "memory or processor init to init"
    SPECIAL_EXIT_TO_EXIT = "memory or processor exit to exit"
    INIT_TO_EXIT = "init to exit"
    EXIT_TO_INIT = "exit to init"
    EXPORT = "export of an init or exit symbol"
    STAYING_TO_FREED = "text or data to init or exit"
    EXCEPTION_TABLE = "exception table"


@dataclass(frozen=True, slots=True)
class MismatchRule:
    """References from ``from_sections`` must not end in ``bad``, nor outside of ``good`` where that is given.

    ``symbols`` is the list of name patterns that 5.10 advises to use for the symbol that refers.
    """

    kind: RuleKind
    from_sections: Patterns
    bad: Patterns
    good: Patterns = ()
    symbols: Patterns = ()


@dataclass(frozen=True, slots=True)
class Exemption:
    """References that are no mismatch: all the pattern lists that are given (not None) must match.

    ``unless_extra_warnings`` ends the exemption when option ``-W`` asks for extra warnings.
    """

    from_sections: Patterns | None = None
    to_sections: Patterns | None = None
    from_symbols: Patterns | None = None
    to_symbols: Patterns | None = None
    unless_extra_warnings: bool = False


@dataclass(frozen=True, slots=True)
class SkippedRelocation:
    """A type of relocation with addend that is no reference; only in ``section`` where that is given."""

    machine: int
    type: int
    section: str | None = None


@dataclass(frozen=True, slots=True)
class SectionRules:
    """Everything about section checks that differs between the dialects.

    * ``unchecked``: sections that need no SHF_ALLOC and whose references are not looked at.
    * ``rules``: the first that forbids a reference counts; ``exemptions``: any of them excuses it.
    * ``symbol_search``: where the symbols that name the ends of a reference are looked for.
    * ``annotated``: sections that are shown as an annotation (``__init``).
    * ``skipped``: relocation types that are no references.
    * ``explains``: an explanation follows each mismatch.
    * ``named_by_relocation_section``: the section where a reference starts is known by the name of its relocation
      section without ``.rel[a]`` instead of by ``sh_info``.
    * ``exception_table_is_exempt``: the exemptions count for the exception table as well.
    * ``measures_exception_entries``: the size of an entry of the exception table is found out from its relocations,
      and references to what is not executable end the run.
    * ``needs_known_machine``: REL relocations of a machine without addend table end the run.
    """

    unchecked: Patterns
    rules: tuple[MismatchRule, ...]
    exemptions: tuple[Exemption, ...]
    symbol_search: Literal["sections of that name", "that section"]
    annotated: Patterns = ()
    skipped: tuple[SkippedRelocation, ...] = ()
    explains: bool = False
    named_by_relocation_section: bool = False
    exception_table_is_exempt: bool = True
    measures_exception_entries: bool = False
    needs_known_machine: bool = True


# --- Classes of sections -------------------------------------------------------------------------

INIT: Patterns = (".init.*",)
MEMINIT: Patterns = (".meminit.*",)
EXIT: Patterns = (".exit.*",)
MEMEXIT: Patterns = (".memexit.*",)
DATA: Patterns = (".data", ".data.rel")
HEAD_TEXT: Patterns = (".head.text*",)
KSYMTAB: Patterns = ("___ksymtab*",)
EXCEPTION_TABLE: Patterns = ("__ex_table",)
ALTERNATIVES: Patterns = (".altinstr_replacement",)

PCI_INIT: Patterns = (
    ".pci_fixup_early", ".pci_fixup_header", ".pci_fixup_final", ".pci_fixup_enable",
    ".pci_fixup_resume", ".pci_fixup_resume_early", ".pci_fixup_suspend",
)  # fmt: skip

_TEXT_5_10: Patterns = (
    ".text", ".text.unlikely", ".sched.text", ".kprobes.text", ".cpuidle.text", ".noinstr.text",
)  # fmt: skip
_TEXT: Patterns = (
    ".text", ".text.*", ".sched.text", ".kprobes.text", ".cpuidle.text", ".noinstr.text", ".ltext", ".ltext.*",
)  # fmt: skip
_OTHER_TEXT_5_10: Patterns = (
    ".ref.text", ".head.text", ".spinlock.text", ".fixup", ".entry.text", ".exception.text", ".text.*", ".coldtext",
    ".irqentry.text",  # not in the first stable releases of 5.10
)  # fmt: skip
_OTHER_TEXT: Patterns = (
    ".ref.text", ".head.text", ".spinlock.text", ".fixup", ".entry.text", ".exception.text", ".coldtext",
    ".softirqentry.text", ".irqentry.text",
)  # fmt: skip
_ALL_TEXT_5_10 = (".init.text", ".meminit.text", ".exit.text", ".memexit.text", *_TEXT_5_10, *_OTHER_TEXT_5_10)
_ALL_TEXT_6_1 = (".init.text", ".meminit.text", ".exit.text", *_TEXT, *_OTHER_TEXT)
_ALL_TEXT_6_12 = (".init.text", ".exit.text", *_TEXT, *_OTHER_TEXT)

_INIT_DATA_6_12: Patterns = (".init.setup", ".init.rodata", ".init.data")
_INIT_DATA = (*_INIT_DATA_6_12, ".meminit.rodata", ".meminit.data")

_UNCHECKED_6_1: Patterns = (
    ".comment*", ".debug*", ".zdebug*", ".GCC.command.line", ".mdebug*", ".pdr", ".stab*", ".note*", ".got*",
    ".toc*", ".xt.prop", ".xt.lit", ".arcextmap*", ".gnu.linkonce.arcext*", ".cmem*", ".fmt_slot*", ".gnu.lto*",
    ".discard.*",
)  # fmt: skip
_UNCHECKED_5_10 = (*_UNCHECKED_6_1, ".cranges")
_UNCHECKED_6_12 = (*_UNCHECKED_6_1, ".llvm.call-graph-profile")
_UNCHECKED_7_X = (*_UNCHECKED_6_12, "__llvm_covfun", "__llvm_covmap", ".klp.symid")

# --- Rules ---------------------------------------------------------------------------------------

_INIT_AND_MEMINIT = (*INIT, *MEMINIT)
_EXIT_AND_MEMEXIT = (*EXIT, *MEMEXIT)

_SYMBOLS_5_10: Patterns = (
    "*driver", "*_template", "*_timer", "*_sht", "*_ops", "*_probe", "*_probe_one", "*_console",
)  # fmt: skip
_SYMBOLS_WITHOUT_DRIVER = tuple(pattern for pattern in _SYMBOLS_5_10 if pattern != "*driver")

_RULES_5_10 = (
    MismatchRule(RuleKind.TEXT_TO_INIT, _TEXT_5_10, bad=_INIT_AND_MEMINIT, symbols=_SYMBOLS_5_10),
    MismatchRule(RuleKind.DATA_TO_INIT, DATA, bad=MEMINIT, symbols=_SYMBOLS_5_10),
    MismatchRule(RuleKind.DATA_TO_INIT, DATA, bad=INIT, symbols=_SYMBOLS_WITHOUT_DRIVER),
    MismatchRule(RuleKind.TEXT_TO_EXIT, _TEXT_5_10, bad=_EXIT_AND_MEMEXIT, symbols=_SYMBOLS_5_10),
    MismatchRule(RuleKind.DATA_TO_EXIT, DATA, bad=_EXIT_AND_MEMEXIT, symbols=_SYMBOLS_5_10),
    MismatchRule(RuleKind.SPECIAL_INIT_TO_INIT, MEMINIT, bad=INIT, symbols=_SYMBOLS_5_10),
    MismatchRule(RuleKind.SPECIAL_EXIT_TO_EXIT, MEMEXIT, bad=EXIT, symbols=_SYMBOLS_5_10),
    MismatchRule(RuleKind.INIT_TO_EXIT, _INIT_AND_MEMINIT, bad=_EXIT_AND_MEMEXIT, symbols=_SYMBOLS_5_10),
    MismatchRule(RuleKind.EXIT_TO_INIT, _EXIT_AND_MEMEXIT, bad=_INIT_AND_MEMINIT, symbols=_SYMBOLS_5_10),
    MismatchRule(RuleKind.INIT_TO_EXIT, PCI_INIT, bad=INIT),
    MismatchRule(RuleKind.EXPORT, KSYMTAB, bad=(*INIT, *EXIT), symbols=_SYMBOLS_5_10),
    MismatchRule(RuleKind.EXCEPTION_TABLE, EXCEPTION_TABLE, bad=ALTERNATIVES, good=_ALL_TEXT_5_10),
)
_RULES_6_1 = (
    MismatchRule(RuleKind.TEXT_TO_INIT, _TEXT, bad=_INIT_AND_MEMINIT),
    MismatchRule(RuleKind.DATA_TO_INIT, DATA, bad=MEMINIT),
    MismatchRule(RuleKind.DATA_TO_INIT, DATA, bad=INIT),
    MismatchRule(RuleKind.TEXT_TO_EXIT, _TEXT, bad=EXIT),
    MismatchRule(RuleKind.DATA_TO_EXIT, DATA, bad=EXIT),
    MismatchRule(RuleKind.SPECIAL_INIT_TO_INIT, MEMINIT, bad=INIT),
    MismatchRule(RuleKind.INIT_TO_EXIT, _INIT_AND_MEMINIT, bad=EXIT),
    MismatchRule(RuleKind.EXIT_TO_INIT, EXIT, bad=_INIT_AND_MEMINIT),
    MismatchRule(RuleKind.INIT_TO_EXIT, PCI_INIT, bad=INIT),
    MismatchRule(RuleKind.EXPORT, KSYMTAB, bad=(*INIT, *EXIT)),
    MismatchRule(RuleKind.EXCEPTION_TABLE, EXCEPTION_TABLE, bad=ALTERNATIVES, good=_ALL_TEXT_6_1),
)
_RULES_6_12 = (
    MismatchRule(RuleKind.STAYING_TO_FREED, (*_TEXT, *DATA), bad=(*INIT, *EXIT)),
    MismatchRule(RuleKind.INIT_TO_EXIT, INIT, bad=EXIT),
    MismatchRule(RuleKind.EXIT_TO_INIT, EXIT, bad=INIT),
    MismatchRule(RuleKind.INIT_TO_EXIT, PCI_INIT, bad=INIT),
    MismatchRule(RuleKind.EXCEPTION_TABLE, EXCEPTION_TABLE, bad=ALTERNATIVES, good=_ALL_TEXT_6_12),
)

# --- Exemptions ----------------------------------------------------------------------------------

# The linker's own symbols around the init sections; they are in no section that is freed.
_SECTION_BOUNDARIES: Patterns = ("__init_begin", "_sinittext", "_einittext")
# Copies that the compiler specialised for constant arguments and did not put beside their origin.
_SPECIALISED: Patterns = ("*.constprop.*",)

_PARAMETERS = Exemption(from_sections=DATA, to_sections=_INIT_DATA, from_symbols=("__param*",))
_PARAMETERS_6_12 = Exemption(from_sections=DATA, to_sections=_INIT_DATA_6_12, from_symbols=("__param*",))
_PARAMETER_OPERATIONS = Exemption(from_sections=DATA, to_sections=(".init.text",), from_symbols=("__param_ops_*",))
_BOUNDARIES = Exemption(to_symbols=_SECTION_BOUNDARIES)
_LOCAL_LABELS = Exemption(from_symbols=(".L*",))

_EXEMPTIONS_5_10 = (
    Exemption(from_symbols=("reference___initcall*",)),
    _PARAMETERS,
    _PARAMETER_OPERATIONS,
    Exemption(from_sections=DATA, to_sections=(*MEMINIT, *_EXIT_AND_MEMEXIT), from_symbols=_SYMBOLS_5_10),
    Exemption(from_sections=DATA, to_sections=INIT, from_symbols=_SYMBOLS_WITHOUT_DRIVER),
    Exemption(from_sections=HEAD_TEXT, to_sections=_INIT_AND_MEMINIT),
    _BOUNDARIES,
    Exemption(from_sections=_ALL_TEXT_5_10, to_sections=_INIT_AND_MEMINIT, from_symbols=_SPECIALISED),
    _LOCAL_LABELS,
)
_EXEMPTIONS_6_1 = (
    _PARAMETERS,
    _PARAMETER_OPERATIONS,
    Exemption(from_sections=DATA, to_sections=(*_INIT_AND_MEMINIT, *EXIT), from_symbols=_SYMBOLS_WITHOUT_DRIVER),
    Exemption(from_sections=DATA, to_sections=MEMINIT, from_symbols=("*driver",)),
    Exemption(from_sections=DATA, to_sections=EXIT, from_symbols=("*driver",), unless_extra_warnings=True),
    Exemption(from_sections=HEAD_TEXT, to_sections=_INIT_AND_MEMINIT),
    _BOUNDARIES,
    Exemption(from_sections=_ALL_TEXT_6_1, to_sections=_INIT_AND_MEMINIT, from_symbols=_SPECIALISED),
    _LOCAL_LABELS,
)


def _exemptions_since_6_12(symbols: Patterns) -> tuple[Exemption, ...]:
    """The exemptions of 6.12 and later, which differ in the names of data that may refer to init and exit code."""
    return (
        _PARAMETERS_6_12,
        _PARAMETER_OPERATIONS,
        Exemption(from_sections=DATA, to_sections=(*INIT, *EXIT), from_symbols=symbols),
        Exemption(from_sections=HEAD_TEXT, to_sections=INIT),
        _BOUNDARIES,
        Exemption(from_sections=_ALL_TEXT_6_12, to_sections=INIT, from_symbols=_SPECIALISED),
    )


# --- Dialects ------------------------------------------------------------------------------------

_RISCV_SUB32, _LOONGARCH_SUB32, _LOONGARCH_RELAX, _LOONGARCH_ALIGN = 39, 55, 100, 102
_SKIPPED_6_1 = (SkippedRelocation(EM_RISCV, _RISCV_SUB32, "__ex_table"),)
_SKIPPED_6_12 = (
    *_SKIPPED_6_1,
    SkippedRelocation(EM_LOONGARCH, _LOONGARCH_SUB32, "__ex_table"),
    SkippedRelocation(EM_LOONGARCH, _LOONGARCH_RELAX),
    SkippedRelocation(EM_LOONGARCH, _LOONGARCH_ALIGN),
)

_5_10 = SectionRules(
    unchecked=_UNCHECKED_5_10,
    rules=_RULES_5_10,
    exemptions=_EXEMPTIONS_5_10,
    symbol_search="sections of that name",
    annotated=(*_INIT_AND_MEMINIT, *_EXIT_AND_MEMEXIT),
    explains=True,
    named_by_relocation_section=True,
    exception_table_is_exempt=False,
    measures_exception_entries=True,
    needs_known_machine=False,
)
_6_1 = SectionRules(
    unchecked=_UNCHECKED_6_1,
    rules=_RULES_6_1,
    exemptions=_EXEMPTIONS_6_1,
    symbol_search="sections of that name",
    skipped=_SKIPPED_6_1,
    exception_table_is_exempt=False,
    needs_known_machine=False,
)
_6_12 = SectionRules(
    unchecked=_UNCHECKED_6_12,
    rules=_RULES_6_12,
    exemptions=_exemptions_since_6_12(("*_ops", "*_probe", "*_console")),
    symbol_search="that section",
    skipped=_SKIPPED_6_12,
)
_7_X = SectionRules(
    unchecked=_UNCHECKED_7_X,
    rules=_RULES_6_12,
    exemptions=_exemptions_since_6_12(("*_ops", "*_ops.llvm.*", "*_console")),
    symbol_search="that section",
    skipped=_SKIPPED_6_12,
)

#: The section rules by the name of modpost's dialect.
SECTION_RULES: Mapping[str, SectionRules] = MappingProxyType(
    {"5.10": _5_10, "6.1": _6_1, "6.12": _6_12, "7.2": _7_X, "7.3": _7_X}
)
