# SPDX-License-Identifier: GPL-2.0-or-later
"""The texts of the section checks, and 5.10's explanations.

The fields of a mismatch are ``from_symbol``, ``from_section``, ``to_symbol``, ``to_section``, ``offset`` (of the
relocation in its section) and ``place`` (the symbol that refers, with the offset in it); those of 5.10 also
``from_kind``, ``from_call``, ``to_kind``, ``to_call`` (``function`` with ``()``, or ``variable`` with nothing),
``from_note``, ``to_note`` (``__init `` and the like) and ``symbols`` (the names that the rule excuses).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from modpost_py.messages import Message
from modpost_py.section_classes import RuleKind

_UNEXPECTED_SECTION_ADVICE = (
    'Did you forget to use "ax"/"aw" in a .S file?\n'
    "Note that for example <linux/init.h> contains\n"
    "section definitions for use in .S files.\n"
    "\n"
)

UNEXPECTED_SECTION = Message(
    "unexpected-section",
    ("5.10", "warning", "{path} ({section}): unexpected non-allocatable section.\n" + _UNEXPECTED_SECTION_ADVICE),
    ("6.12", "warning", "{module} ({section}): unexpected non-allocatable section.\n" + _UNEXPECTED_SECTION_ADVICE),
    ("7.3", "warning", "{M}unexpected non-allocatable section '{section}'.\n" + _UNEXPECTED_SECTION_ADVICE),
)

_PRETTY_MISMATCH = (
    "{path}({from_section}+{offset:#x}): Section mismatch in reference from the {from_kind} {from_symbol}{from_call}"
    " to the {to_kind} {to_section}:{to_symbol}{to_call}\n"
)
_MISMATCH = "section mismatch in reference: {place} (section: {from_section}) -> {to_symbol} (section: {to_section})\n"

SECTION_MISMATCH = Message(
    "section-mismatch",
    ("5.10", "warning", _PRETTY_MISMATCH),
    ("6.1", "warning", "{path}: " + _MISMATCH),
    ("6.12", "warning", "{module}: " + _MISMATCH),
    ("7.3", "warning", "{M}" + _MISMATCH),
)

#: What 5.10 prints after the mismatch, each with an empty line at its end.
EXPLANATION = Message("section-mismatch-explanation", ("5.10", "plain", "{explanation}\n"))

EXPORT_OF_FREED_SYMBOL = Message(
    "export-of-init-or-exit-symbol",
    ("5.10", "warning", _PRETTY_MISMATCH),
    ("6.1", "warning", "{path}: EXPORT_SYMBOL used for init/exit symbol: {to_symbol} (section: {to_section})\n"),
)

EXCEPTION_TABLE_MISMATCH = Message(
    "exception-table-mismatch",
    ("5.10", "warning", _PRETTY_MISMATCH),
    ("6.12", "warning", "{module}: " + _MISMATCH),
    ("7.3", "warning", "{M}" + _MISMATCH),
)

#: The messages of kinds of mismatch that have one of their own.
MISMATCHES: Mapping[RuleKind, Message] = MappingProxyType(
    {RuleKind.EXPORT: EXPORT_OF_FREED_SYMBOL, RuleKind.EXCEPTION_TABLE: EXCEPTION_TABLE_MISMATCH}
)


def _unauthorized_section(blank: str) -> str:
    return (
        "The relocation at {from_section}+{offset:#x} references\n"
        'section "{to_section}" which is not in the list of\n'
        "authorized sections.  If you're adding a new section\n"
        'and/or if this reference is valid, add "{to_section}" to the\n'
        "list of authorized sections to jump to on fault.\n"
        'This can be achieved by adding "{to_section}" to' + blank + "\n"
        "OTHER_TEXT_SECTIONS in scripts/mod/modpost.c.\n"
    )


UNAUTHORIZED_SECTION = Message(
    "unauthorized-fault-section",
    ("5.10", "plain", _unauthorized_section(" ")),
    ("6.12", "warning", _unauthorized_section("")),
)


def _blacklisted_section(subject: str) -> str:
    return (
        "The relocation at {from_section}+{offset:#x} references\n"
        'section "{to_section}" which is black-listed.\n'
        "Something is seriously wrong and should be fixed.\n"
        "You might get more information about where this is\n"
        "coming from by using scripts/check_extable.sh {" + subject + "}\n"
    )


BLACKLISTED_SECTION = Message(
    "blacklisted-fault-section",
    ("5.10", "fatal", _blacklisted_section("path")),
    ("6.12", "fatal", _blacklisted_section("module")),
)

_NOT_EXECUTABLE = (
    "The relocation at {from_section}+{offset:#x} references\n"
    'section "{to_section}" which is not executable, IOW\n'
    "{consequence}Something is seriously wrong\n"
    "and should be fixed.\n"
)

#: 5.10: what is impossible for the address of a faulting instruction, and for the one to continue at.
CANNOT_FAULT = "it is not possible for the kernel to fault\nat that address.  "
WILL_FAULT = "the kernel will fault if it ever tries to\njump to it.  "

NOT_EXECUTABLE = Message(
    "fault-section-not-executable",
    ("5.10", "fatal", _NOT_EXECUTABLE),
    ("6.1", "error", "{from_section}+{offset:#x} references non-executable section '{to_section}'\n"),
)

UNKNOWN_ENTRY_SIZE = Message(
    "exception-table-entry-size", ("5.10", "fatal", "extable_entry size hasn't been discovered!\n")
)

UNKNOWN_MACHINE = Message(
    "no-addend-of-this-architecture",
    ("6.12", "fatal", "Please add code to calculate addend for this architecture\n"),
)

_DATA_TO_INIT = (
    "The variable {from_symbol} references\n"
    "the {to_kind} {to_note}{to_symbol}{to_call}\n"
    "If the reference is valid then annotate the\n"
    "variable with __init* or __refdata (see linux/init.h) or name the variable:\n"
    "{symbols}\n"
)
_DATA_TO_EXIT = (
    "The variable {from_symbol} references\n"
    "the {to_kind} {to_note}{to_symbol}{to_call}\n"
    "If the reference is valid then annotate the\n"
    "variable with __exit* (see linux/init.h) or name the variable:\n"
    "{symbols}\n"
)
_ONE_USER = (
    "The {from_kind} {from_note}{from_symbol}{from_call} references\n"
    "a {to_kind} {to_note}{to_symbol}{to_call}.\n"
    "If {to_symbol} is only used by {from_symbol} then\n"
    "annotate {to_symbol} with a matching annotation.\n"
)
_INIT_AND_EXIT = (
    "The {from_kind} {from_note}{from_symbol}{from_call} references\n"
    "a {to_kind} {to_note}{to_symbol}{to_call}.\n"
    "This is often seen when error handling in the %s function\n"
    "uses functionality in the %s path.\n"
    "The fix is often to remove the {to_note}annotation of\n"
    "{to_symbol}{to_call} so it may be used outside an %s section.\n"
)

#: 5.10's explanation of each kind of mismatch.
EXPLANATIONS: Mapping[RuleKind, str] = MappingProxyType(
    {
        RuleKind.TEXT_TO_INIT: (
            "The function {from_note}{from_symbol}() references\n"
            "the {to_kind} {to_note}{to_symbol}{to_call}.\n"
            "This is often because {from_symbol} lacks a {to_note}\n"
            "annotation or the annotation of {to_symbol} is wrong.\n"
        ),
        RuleKind.DATA_TO_INIT: _DATA_TO_INIT,
        RuleKind.TEXT_TO_EXIT: (
            "The function {from_symbol}() references a {to_kind} in an exit section.\n"
            "Often the {to_kind} {to_symbol}{to_call} has valid usage outside the exit section\n"
            "and the fix is to remove the {to_note}annotation of {to_symbol}.\n"
        ),
        RuleKind.DATA_TO_EXIT: _DATA_TO_EXIT,
        RuleKind.SPECIAL_INIT_TO_INIT: _ONE_USER,
        RuleKind.SPECIAL_EXIT_TO_EXIT: _ONE_USER,
        RuleKind.INIT_TO_EXIT: _INIT_AND_EXIT % ("init", "exit", "exit"),
        RuleKind.EXIT_TO_INIT: _INIT_AND_EXIT % ("exit", "init", "init"),
        RuleKind.EXPORT: (
            "The symbol {to_symbol} is exported and annotated {to_note}\n"
            "Fix this by removing the {to_note}annotation of {to_symbol} or drop the export.\n"
        ),
    }
)
