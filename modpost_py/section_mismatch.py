# SPDX-License-Identifier: GPL-2.0-or-later
"""The section checks of one object: sections that should be allocated, and references that outlive their target.

A reference is a relocation: it starts in the section to which it applies and ends in the section of its symbol.  Of
millions of references a handful is forbidden, so no relocation is looked at before these questions are answered:

1. does any rule look at references from this section (``ReferenceRules``, by its name)?
2. has the object sections that are forbidden from there (once for all sections with the same rules)?
3. does one of the distinct symbols of the relocation section lie in them?
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from modpost_py.addends import Place, signed
from modpost_py.dialects import Dialect
from modpost_py.elf_constants import (
    ET_EXEC,
    ET_REL,
    SHF_ALLOC,
    SHF_EXECINSTR,
    SHN_LORESERVE,
    SHN_XINDEX,
    SHT_PROGBITS,
    SHT_REL,
    SHT_RELA,
    STT_FUNC,
)
from modpost_py.errors import ObjectFileError
from modpost_py.messages import Reporter
from modpost_py.nearest_symbol import SymbolSearch, SymbolWalk
from modpost_py.object_file import ObjectFile, Relocations, Section
from modpost_py.section_classes import MismatchRule, RuleKind
from modpost_py.section_messages import (
    BLACKLISTED_SECTION,
    CANNOT_FAULT,
    EXPLANATION,
    EXPLANATIONS,
    MISMATCHES,
    NOT_EXECUTABLE,
    SECTION_MISMATCH,
    UNAUTHORIZED_SECTION,
    UNEXPECTED_SECTION,
    UNKNOWN_ENTRY_SIZE,
    UNKNOWN_MACHINE,
    WILL_FAULT,
)
from modpost_py.section_references import ForbiddenTargets, ReferenceRules, reference_rules

_EXCEPTION_TABLE = "__ex_table"


class SectionOptions(NamedTuple):
    """Options of the command line: ``extra_warnings`` is ``-W``."""

    extra_warnings: bool = False


@dataclass(slots=True)
class RunState:
    """What a run finds out and keeps: the size in bytes of an entry of ``__ex_table`` (5.10), 0 before it is known."""

    exception_entry_size: int = 0


def check(
    object_file: ObjectFile,
    dialect: Dialect,
    options: SectionOptions,
    reporter: Reporter,
    state: RunState,
    on_export_relocations: Callable[[int, frozenset[int]], None] | None = None,
) -> int:
    """Check all sections of an object in header order and return how many mismatches were reported.

    Where ``on_export_relocations`` is given, it is called for each relocation section that applies to
    ``.export_symbol``, at its place in the walk, instead of checking that section.  Its arguments are the index of the
    relocation section and the relocation types that are to be passed over there.

    Raises :class:`~modpost_py.errors.FatalError` after a message that ends the run, and
    :class:`~modpost_py.errors.ObjectFileError` for relocation sections that are cut off or overlap.
    """
    rules = reference_rules(dialect.name)
    walk = _ObjectCheck(object_file, rules, options, reporter, state, on_export_relocations)
    unchecked = rules.unchecked
    for index, section in enumerate(object_file.sections):
        kind = section.type
        if kind == SHT_PROGBITS:
            if not section.flags & SHF_ALLOC and not unchecked[section.name]:
                reporter.report(UNEXPECTED_SECTION, section=section.name)
        elif kind in (SHT_RELA, SHT_REL):
            walk.check_relocation_section(index, section)
    return walk.mismatches


class _Reference(NamedTuple):
    """One forbidden reference: where it applies, its relocation's symbol, and what its target's address is made from.

    ``addend`` is that of the relocation; it includes the symbol's value where ``complete`` is set.
    """

    rule: MismatchRule
    source: str
    source_section: int
    offset: int
    symbol: int
    addend: int
    complete: bool


class _Ends(NamedTuple):
    """The two ends of a reference as they are shown; ``place`` is the symbol that refers with the offset in it."""

    from_symbol: int | None
    from_name: str
    to_symbol: int | None
    to_name: str
    place: str


class _ObjectCheck:
    """The check of one object; ``mismatches`` counts what was reported."""

    __slots__ = (
        "_exports",
        "_forbidden",
        "_name_ends",
        "_names",
        "_object_file",
        "_on_export_relocations",
        "_options",
        "_relocation_bytes",
        "_reporter",
        "_rules",
        "_state",
        "mismatches",
    )

    def __init__(
        self,
        object_file: ObjectFile,
        rules: ReferenceRules,
        options: SectionOptions,
        reporter: Reporter,
        state: RunState,
        on_export_relocations: Callable[[int, frozenset[int]], None] | None,
    ) -> None:
        self.mismatches = 0
        self._on_export_relocations = on_export_relocations
        # The C tool keeps 0 for an object without the section, so that relocations of section 0 count as exports there.
        self._exports = object_file.section_index.get(".export_symbol", 0)
        self._relocation_bytes = 0
        self._object_file = object_file
        self._rules = rules
        self._options = options
        self._reporter = reporter
        self._state = state
        self._names: list[str] = []
        self._forbidden: dict[int, frozenset[int]] = {}
        self._name_ends: Callable[[_Reference], _Ends] | None = None

    def check_relocation_section(self, index: int, section: Section) -> None:
        """Report the references of relocation section ``index``, or hand it on if it makes exports."""
        rules = self._rules
        has_addends = section.type == SHT_RELA
        source = self._source_name(section)
        if rules.unchecked[source]:
            return
        if not has_addends and section.size and rules.rules.needs_known_machine:
            self._require_known_machine()
        if self._on_export_relocations is not None and section.info == self._exports:
            self._count_relocations(index)
            machine = self._object_file.machine
            self._on_export_relocations(index, rules.skipped_types(machine, source, has_addends))
            return
        targets = rules[source]
        if targets is not None:
            self._check_references(index, source, targets)

    def _source_name(self, section: Section) -> str:
        """The name of the section where the references of a relocation section start."""
        if self._rules.rules.named_by_relocation_section:
            return section.name[len(".rela" if section.type == SHT_RELA else ".rel") :]
        return self._object_file.section_name(section.info)

    def _require_known_machine(self) -> None:
        """End the run if the addends of REL relocations of this machine are not known."""
        if self._object_file.machine not in self._rules.addends:
            self._reporter.report(UNKNOWN_MACHINE)

    def _count_relocations(self, index: int) -> None:
        """The relocations of a file take no more room than it has, unless they have been made to take forever."""
        self._relocation_bytes += len(self._object_file.section_data(index))
        if self._relocation_bytes > self._object_file.file_size:
            raise ObjectFileError(self._object_file.path, "relocation sections overlap")

    def _check_references(self, index: int, source: str, targets: ForbiddenTargets) -> None:
        """Report the references of relocation section ``index``, which start in section ``source``."""
        forbidden = self._forbidden_sections(targets)
        measures = self._rules.rules.measures_exception_entries and source == _EXCEPTION_TABLE
        if not forbidden and not measures:
            return
        self._count_relocations(index)
        relocations = self._object_file.relocations(index)
        found = self._forbidden_entries(relocations, forbidden)
        if measures:
            first = [i for i in found if i == 0]
            self._report_all(relocations, first, source, targets)
            self._measure_exception_entry(relocations)
            found = found[len(first) :]
        self._report_all(relocations, found, source, targets)

    def _forbidden_sections(self, targets: ForbiddenTargets) -> frozenset[int]:
        """The numbers of the object's sections that are forbidden targets."""
        found = self._forbidden.get(id(targets))
        if found is None:
            if not self._names:
                self._names = [section.name for section in self._object_file.sections]
            found = frozenset([index for index, name in enumerate(self._names) if targets[name] is not None])
            self._forbidden[id(targets)] = found
        return found

    def _forbidden_entries(self, relocations: Relocations, forbidden: frozenset[int]) -> list[int]:
        """The numbers of the relocations whose symbol lies in one of the ``forbidden`` sections."""
        symbols = relocations.symbol
        section_of = self._object_file.symbols.section
        used = set(symbols)
        if used and max(used) >= len(section_of):
            used = {symbol for symbol in used if symbol < len(section_of)}
        if forbidden.isdisjoint(map(section_of.__getitem__, used)):
            return []
        wanted = {symbol for symbol in used if section_of[symbol] in forbidden}
        return [entry for entry, symbol in enumerate(symbols) if symbol in wanted]

    def _report_all(
        self, relocations: Relocations, entries: Sequence[int], source: str, targets: ForbiddenTargets
    ) -> None:
        if not entries:
            return
        symbols, offsets, types, addends = relocations.symbol, relocations.offset, relocations.type, relocations.addend
        section_of = self._object_file.symbols.section
        skipped = self._rules.skipped_types(self._object_file.machine, source, relocations.has_addends)
        for entry in entries:
            symbol, type_, offset = symbols[entry], types[entry], offsets[entry]
            if type_ in skipped:
                continue
            stored = addends[entry] if addends is not None else self._stored_addend(relocations, symbol, type_, offset)
            rule = targets[self._names[section_of[symbol]]]
            if stored is not None and rule is not None:
                complete = addends is None
                self._report(_Reference(rule, source, relocations.target, offset, symbol, stored, complete))

    def _stored_addend(self, relocations: Relocations, symbol: int, type_: int, offset: int) -> int | None:
        """The addend that lies at the place of a REL relocation; ``None`` if the relocation is passed over."""
        object_file = self._object_file
        addends = self._rules.addends.get(object_file.machine)
        if addends is None:
            return 0
        # Nothing makes sure that the place lies in its section; only the name of the target depends on it.
        section = object_file.sections[relocations.target]
        start = section.offset + offset - (section.address if object_file.type != ET_REL else 0)
        data = object_file.file_bytes(start, 4)
        (word,) = struct.unpack(object_file.prefix + "I", data)
        upper, lower = struct.unpack(object_file.prefix + "HH", data)
        place = Place(
            word=word,
            upper=upper,
            lower=lower,
            symbol_value=object_file.symbols.value[symbol],
            offset=offset if object_file.type == ET_EXEC else 0,
        )
        return addends.read(type_, place)

    def _measure_exception_entry(self, relocations: Relocations) -> None:
        """An entry is two addresses: the second relocation stands in the middle of the first entry."""
        if self._state.exception_entry_size or relocations.count < 2:
            return
        symbol, type_, offset = relocations.symbol[1], relocations.type[1], relocations.offset[1]
        symbols = self._object_file.symbols
        if symbol < symbols.count and SHN_LORESERVE <= symbols.raw_section[symbol] < SHN_XINDEX:
            return
        if not relocations.has_addends and self._stored_addend(relocations, symbol, type_, offset) is None:
            return
        self._state.exception_entry_size = 2 * offset & 0xFFFFFFFF

    def _report(self, reference: _Reference) -> None:
        if self._name_ends is None:
            self._name_ends = _END_NAMERS[self._rules.rules.symbol_search](self._object_file)
        ends = self._name_ends(reference)
        rules, rule, offset = self._rules, reference.rule, reference.offset
        source, target = reference.source, self._names[self._object_file.symbols.section[reference.symbol]]
        is_exception = rule.kind is RuleKind.EXCEPTION_TABLE
        if (rules.rules.exception_table_is_exempt or not is_exception) and rules.excuses(
            source, target, ends.from_name, ends.to_name, self._options.extra_warnings
        ):
            return
        self.mismatches += 1
        values = self._values(ends, source, target, offset)
        self._reporter.report(MISMATCHES.get(rule.kind, SECTION_MISMATCH), **values)
        if is_exception:
            self._report_exception_target(reference, source, target)
        elif rules.rules.explains:
            self._explain(rule, source, target, values)

    def _values(self, ends: _Ends, source: str, target: str, offset: int) -> dict[str, Any]:
        from_kind, from_call = self._kind_and_call(ends.from_symbol)
        to_kind, to_call = self._kind_and_call(ends.to_symbol)
        return {
            "from_symbol": ends.from_name,
            "from_section": source,
            "from_kind": from_kind,
            "from_call": from_call,
            "to_symbol": ends.to_name,
            "to_section": target,
            "to_kind": to_kind,
            "to_call": to_call,
            "offset": offset,
            "place": ends.place,
        }

    def _kind_and_call(self, symbol: int | None) -> tuple[str, str]:
        if symbol is None:
            return "(unknown reference)", ""
        return ("function", "()") if self._object_file.symbols.type(symbol) == STT_FUNC else ("variable", "")

    def _explain(self, rule: MismatchRule, source: str, target: str, values: dict[str, Any]) -> None:
        notes = {
            "from_note": self._rules.annotation(source),
            "to_note": self._rules.annotation(target),
            "symbols": ", ".join(rule.symbols),
        }
        self._reporter.report(EXPLANATION, explanation=EXPLANATIONS[rule.kind].format_map({**values, **notes}))

    def _report_exception_target(self, reference: _Reference, source: str, target: str) -> None:
        """What is wrong with the place where a fault would occur, or where it would continue."""
        places: dict[str, Any] = {"from_section": source, "to_section": target, "offset": reference.offset}
        section = self._object_file.sections[self._object_file.symbols.section[reference.symbol]]
        if target in reference.rule.bad:
            self._reporter.report(BLACKLISTED_SECTION, **places)
        elif section.flags & SHF_EXECINSTR:
            self._reporter.report(UNAUTHORIZED_SECTION, **places)
        else:
            self._reporter.report(NOT_EXECUTABLE, **places, consequence=self._consequence(reference.offset))

    def _consequence(self, offset: int) -> str:
        """5.10 tells the address of a faulting instruction, the first of an entry, from the one to continue at."""
        if not self._rules.rules.measures_exception_entries or offset == 0:
            return CANNOT_FAULT
        if self._state.exception_entry_size == 0:
            self._reporter.report(UNKNOWN_ENTRY_SIZE)
        return WILL_FAULT if offset % self._state.exception_entry_size else CANNOT_FAULT


def _named_by_walk(object_file: ObjectFile) -> Callable[[_Reference], _Ends]:
    """Up to 6.6: an end without symbol is ``(unknown)``, and a nameless symbol's value does not count."""
    symbols = object_file.symbols
    walk = SymbolWalk(object_file)

    def name_of(symbol: int | None) -> str:
        return "(unknown)" if symbol is None else symbols.name(symbol)

    def name_ends(reference: _Reference) -> _Ends:
        from_symbol = walk.at_or_below(reference.source, reference.offset)
        to_symbol: int | None = reference.symbol
        if symbols.name_offset[reference.symbol] == 0:
            to_symbol = walk.close_to(symbols.section[reference.symbol], signed(reference.addend, 32))
        from_name = name_of(from_symbol)
        return _Ends(from_symbol, from_name, to_symbol, name_of(to_symbol), from_name)

    return name_ends


def _named_by_search(object_file: ObjectFile) -> Callable[[_Reference], _Ends]:
    """Since 6.7: an end without symbol is shown as an address, cut to 32 bits."""
    symbols = object_file.symbols
    search = SymbolSearch(object_file)
    mask = (1 << object_file.bits) - 1

    def name_ends(reference: _Reference) -> _Ends:
        symbol, offset = reference.symbol, reference.offset
        address = (reference.addend + (0 if reference.complete else symbols.value[symbol])) & mask
        from_symbol = search.at_or_below(reference.source_section, offset)
        to_symbol = symbol
        if not search.has_name(symbol):
            close = search.close_to(symbols.section[symbol], address)
            to_symbol = symbol if close is None else close
        to_name = symbols.name(to_symbol) or f"{address & 0xFFFFFFFF:#x}"
        if from_symbol is None:
            from_name, place = "", f"{offset & 0xFFFFFFFF:#x}"
        else:
            from_name = symbols.name(from_symbol)
            place = f"{from_name}+{(offset - symbols.value[from_symbol]) & 0xFFFFFFFF:#x}"
        return _Ends(from_symbol, from_name, to_symbol, to_name, place)

    return name_ends


_END_NAMERS = {"sections of that name": _named_by_walk, "that section": _named_by_search}
