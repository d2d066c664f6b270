# SPDX-License-Identifier: GPL-2.0-or-later
"""One run of modpost, from dumps and objects to the written files.

Order of work: dumps, objects, checks, emitted sources, name space list, dump.  Diagnostics are
handed to a sink as they come; nothing is printed here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from modpost_py.core_messages import (
    DUMP_PARSE_ERROR,
    DUMP_UNKNOWN_LICENSE,
    NO_OBJECT_LIST,
    NO_VMLINUX,
    PATH_TOO_LONG,
    SECTION_MISMATCHES,
    STATIC_EXPORT,
    TOO_MANY_UNDEFINED,
    UNKNOWN_NAMESPACE_SYMBOL,
)
from modpost_py.cross_reference import CrossReference
from modpost_py.dialects import Dialect, choose_dialect
from modpost_py.errors import FatalError, FileError, ModpostError, ObjectFileError
from modpost_py.exports import EXPORT_KINDS, UNKNOWN
from modpost_py.messages import Diagnostic, Reporter
from modpost_py.module_facts import FoundCrc, FoundExport, FoundGlobals, FoundNamespace, ModuleFacts
from modpost_py.module_source import SourceRequest, module_source, vmlinux_source
from modpost_py.modules import Export, ExportTable, Module
from modpost_py.object_batches import ObjectReading
from modpost_py.options import Options
from modpost_py.output_files import write_if_changed, write_output
from modpost_py.symvers import dump_line, in_hash_order, in_module_order, parsed_lines
from modpost_py.text_buffer import TextBuffer
from modpost_py.text_files import PATH_MAX, from_path, lines_of, read_standard_input, read_text

VMLINUX_SOURCE = ".vmlinux.export.c"


class RunResult:
    """What a run found and did.

    ``exit_status`` is 0 or 1, ``diagnostics`` are in the order in which they came, ``modules`` are in
    the order in which they were met, those of dumps included, ``exports`` tells which export of a
    symbol counts, ``undefined`` is the number of undefined symbols, ``written`` lists the output files
    that were written (not those that had the right content already).
    """

    __slots__ = ("diagnostics", "exit_status", "exports", "modules", "undefined", "written")

    def __init__(self, exports: ExportTable) -> None:
        self.exit_status = 0
        self.diagnostics: list[Diagnostic] = []
        self.modules: list[Module] = []
        self.exports = exports
        self.undefined = 0
        self.written: list[str] = []


class Run:
    """The state of a run; :meth:`execute` does all of it."""

    def __init__(self, options: Options, dialect: Dialect, sink: Callable[[Diagnostic], object] | None = None) -> None:
        self._options = options
        self._dialect = dialect
        self._sink = sink
        self._exports = ExportTable(options.is_external, replaces=dialect.newest_first)
        self.result = RunResult(self._exports)
        self._reporter = Reporter(dialect, self._take)
        self._mismatches = 0
        self._owners: dict[tuple[str | None, str], Module] = {}

    def execute(self) -> RunResult:
        """Do the whole run.  No :class:`ModpostError` leaves it: the last diagnostic tells what ended the run."""
        try:
            self._read()
            self._check_and_write()
            self._write_namespace_list()
            self._write_dump()
            self._finish()
        except FatalError:
            self.result.exit_status = 1
        except ModpostError as error:
            path = error.path if isinstance(error, FileError | ObjectFileError) else None
            self._take(Diagnostic("failure", _failure_rule(error), f"{error}\n", None, path, {}))
        return self.result

    def _take(self, diagnostic: Diagnostic) -> None:
        result = self.result
        result.diagnostics.append(diagnostic)
        if self._sink is not None:
            self._sink(diagnostic)
        severity = diagnostic.severity
        if severity in ("fatal", "failure") or (
            severity == "error" and diagnostic.rule not in self._dialect.harmless_errors
        ):
            result.exit_status = 1

    def _reporter_of(self, module: Module) -> Reporter:
        return Reporter(self._dialect, self._take, module.name, module.facts.path if module.facts else None)

    def _read(self) -> None:
        """Read dumps and objects; what is in the objects is taken up after the dumps."""
        paths, failure = self._object_paths()
        with ObjectReading(paths, self._options, self._dialect) as objects:
            for path in self._options.dumps:
                self._read_dump(path)
            for facts in objects:
                self._take_up(facts)
        if failure is not None:
            self._reporter.report(NO_OBJECT_LIST, list=failure.path, reason=failure.reason)

    # --- dumps ----------------------------------------------------------------------------

    def _read_dump(self, path: str) -> None:
        kinds, add = EXPORT_KINDS[self._dialect.name], self._exports.add
        by_symbol = self._dialect.namespaces_from == "kstrtabns symbols"
        reporters: dict[Module, Reporter] = {}
        for line in parsed_lines(read_text(path)):
            if line is None:
                self._reporter.report(DUMP_PARSE_ERROR, file=path)
                return
            kind = line.kind
            if kind not in kinds:
                if UNKNOWN not in kinds:
                    self._reporter.report(DUMP_UNKNOWN_LICENSE, symbol=line.symbol, license=kind)
                    continue
                kind = UNKNOWN
            module = self._owner(path, line.module)
            if module not in reporters:
                reporters[module] = self._reporter_of(module)
            export = add(FoundExport(line.symbol, kind, line.namespace), module, reporters[module])
            export.crc = line.crc
            export.is_static = False
            if by_symbol and (export.namespace != line.namespace or line.symbol.startswith(".")):
                self._take_namespace(FoundNamespace(line.symbol, line.namespace), line.namespace)

    def _owner(self, dump: str, name: str) -> Module:
        key = (dump if self._dialect.dump_modules_are_per_file else None, name)
        module = self._owners.get(key)
        if module is None:
            module = self._owners[key] = Module(name, dump=dump)
            self.result.modules.append(module)
        return module

    # --- objects --------------------------------------------------------------------------

    def _object_paths(self) -> tuple[Sequence[str], FileError | None]:
        """The paths of all objects, and why the list of objects could not be read."""
        options = self._options
        if options.object_list is None:
            return options.objects, None
        try:
            if options.object_list == "-" and self._dialect.list_may_be_stdin:
                text = read_standard_input()
            else:
                text = read_text(options.object_list)
        except FileError as error:
            return options.objects, error
        return [*options.objects, *lines_of(text)], None

    def _take_up(self, facts: ModuleFacts) -> None:
        """Merge what was read from one object into the run."""
        module = Module(facts.name, facts)
        if facts.is_module:
            self.result.modules.append(module)
        reporter = self._reporter_of(module)
        for discovery in facts.discoveries:
            if isinstance(discovery, Diagnostic):
                self._take(discovery)
            elif isinstance(discovery, FoundExport):
                self._exports.add(discovery, module, reporter)
            elif isinstance(discovery, FoundCrc):
                self._exports.set_crc(discovery, module if self._dialect.crcs_from == "cmd files" else None)
            elif isinstance(discovery, FoundNamespace):
                self._take_namespace(discovery, discovery.namespace or self._dialect.no_namespace)
            elif isinstance(discovery, FoundGlobals):
                self._take_globals(discovery)
        if facts.failure is not None:
            raise facts.failure
        self._mismatches += facts.mismatches

    def _take_namespace(self, found: FoundNamespace, shown: str) -> None:
        if not self._exports.set_namespace(found):
            self._reporter.report(UNKNOWN_NAMESPACE_SYMBOL, namespace=shown, symbol=found.symbol)

    def _take_globals(self, found: FoundGlobals) -> None:
        for name in found.names:
            export = self._exports.find(name)
            if export is not None:
                export.is_static = False

    # --- checks and sources ---------------------------------------------------------------

    def _check_and_write(self) -> None:
        modules = self._in_order()
        dialect = self._dialect
        vmlinux_is_known = any(module.is_vmlinux for module in modules)
        if dialect.needs_vmlinux and not vmlinux_is_known:
            self._reporter.report(NO_VMLINUX)
        check = CrossReference(self._exports, self._options, vmlinux_is_known)
        if dialect.checks_precede_writes:
            self._keep_no_trim_symbols(modules)
            for module in modules:
                self._check(module, check)
            self._keep_whitelisted()
            for module in modules:
                self._write_source(module)
        else:
            for module in modules:
                self._check(module, check)
                self._write_source(module)
        self.result.undefined = check.undefined

    def _in_order(self) -> list[Module]:
        return self.result.modules[::-1] if self._dialect.newest_first else self.result.modules

    def _check(self, module: Module, check: CrossReference) -> None:
        if module.facts is not None and not module.is_vmlinux:
            check.check(module, module.facts, self._reporter_of(module))

    def _keep_no_trim_symbols(self, modules: Iterable[Module]) -> None:
        for module in modules:
            if module.facts is not None:
                self._mark_used(module.facts.no_trim_symbols)

    def _keep_whitelisted(self) -> None:
        if self._options.whitelist is not None:
            self._mark_used(read_text(self._options.whitelist).split("\n"))

    def _mark_used(self, names: Iterable[str]) -> None:
        for name in names:
            export = self._exports.find(name)
            if export is not None:
                export.is_used = True

    def _write_source(self, module: Module) -> None:
        if module.facts is None:
            return
        request = SourceRequest(module, module.facts, self._options, self._reporter_of(module))
        if not module.is_vmlinux:
            self._write_if_changed(f"{module.name}.mod.c", module_source(request))
        elif self._dialect.writes_vmlinux_exports:
            self._write_if_changed(VMLINUX_SOURCE, vmlinux_source(request))

    def _may_write(self) -> bool:
        return not (self._dialect.errors_stop_writing and self.result.exit_status)

    def _write_if_changed(self, path: str, data: bytes) -> None:
        if len(path) >= PATH_MAX:
            self._reporter.report(PATH_TOO_LONG, file=path[: PATH_MAX - 1])
        elif self._may_write() and write_if_changed(path, data):
            self.result.written.append(path)

    # --- lists ----------------------------------------------------------------------------

    def _write_namespace_list(self) -> None:
        if self._options.namespace_list is None:
            return
        text = TextBuffer(self._reporter)
        for module in self._in_order():
            if module.facts is not None and module.missing_namespaces:
                text.add(f"{module.name}.ko:")
                for namespace in module.missing_namespaces:
                    text.add(f" {namespace}")
                text.add("\n")
        self._write_if_changed(self._options.namespace_list, text.bytes())

    def _write_dump(self) -> None:
        if self._options.dump is None:
            return
        text = TextBuffer(self._reporter)
        for export in self._dumped():
            text.add(dump_line(export))
        if self._may_write():
            write_output(self._options.dump, text.bytes())
            self.result.written.append(self._options.dump)

    def _dumped(self) -> Iterator[Export]:
        in_table_order = self._dialect.newest_first
        ordered = in_hash_order(self._exports.all) if in_table_order else in_module_order(self.result.modules)
        for export in ordered:
            if not export.module.is_from_dump and (export.is_used or not self._options.trims_unused_exports):
                yield export

    def _finish(self) -> None:
        if self._mismatches and self._options.mismatches_are_errors:
            self._reporter.report(SECTION_MISMATCHES)
        limit = self._dialect.unresolved_limit
        if limit is not None and self.result.undefined > limit:
            self._reporter.report(TOO_MANY_UNDEFINED, count=self.result.undefined - limit)
        if self._dialect.warns_of_static_exports:
            for export in in_hash_order(self._exports.all):
                if export.is_static:
                    self._reporter_of(export.module).report(STATIC_EXPORT, symbol=export.name, export=export.kind)


def _failure_rule(error: ModpostError) -> str:
    return "unusable-file" if isinstance(error, FileError) else "damaged-object"


def run(
    objects: Iterable[str | os.PathLike[str]] = (),
    *,
    kernel: str | None = None,
    sink: Callable[[Diagnostic], object] | None = None,
    **choices: Any,
) -> RunResult:
    """One run of modpost: read ``objects``, write what the options ask for beside them, and tell what was found.

    ``kernel`` is a kernel release such as ``6.1`` (default: that of the build under way, see
    :func:`modpost_py.dialects.choose_dialect`).  ``sink`` is given each diagnostic as it comes.
    ``choices`` are the other fields of :class:`modpost_py.options.Options`, with paths as usual:

    >>> run(["foo.o"], kernel="6.12", dumps=["Module.symvers"], dump="out", modversions=True)   # doctest: +SKIP

    Raises :class:`DialectError` for an unreadable release and :class:`TypeError` for an unknown
    option; what is wrong with the objects is in the result.
    """
    for name in ("object_list", "dump", "whitelist", "namespace_list"):
        if choices.get(name) is not None:
            choices[name] = from_path(choices[name])
    choices["dumps"] = tuple(from_path(path) for path in choices.get("dumps", ()))
    options = Options(objects=tuple(from_path(path) for path in objects), **choices)
    return Run(options, choose_dialect(kernel), sink).execute()
