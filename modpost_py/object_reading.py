# SPDX-License-Identifier: GPL-2.0-or-later
"""From the bytes of one object to the facts of a module; nothing here knows of other objects."""

from __future__ import annotations

from modpost_py import section_mismatch
from modpost_py.core_messages import (
    BAD_FILE_NAME,
    COMMON_SYMBOL,
    EXPLICIT_MODULE_NAMESPACE,
    IGNORED_FILE,
    MISSING_DESCRIPTION,
    MISSING_LICENSE,
)
from modpost_py.crc_sources import crc_of_symbol, crcs_of_objects
from modpost_py.dialects import Dialect
from modpost_py.elf_constants import (
    EM_SPARC,
    EM_SPARCV9,
    SHN_COMMON,
    SHN_UNDEF,
    STB_GLOBAL,
    STB_WEAK,
    STT_SPARC_REGISTER,
)
from modpost_py.errors import FatalError, FileError, MalformedObjectError, ModpostError, NotElfError
from modpost_py.exports import (
    CRC_PREFIX,
    KSYMTAB_PREFIX,
    NAMESPACE_PREFIX,
    export_of_ksymtab,
    exports_of_relocations,
)
from modpost_py.ignored_symbols import ignored_symbols
from modpost_py.messages import Reporter
from modpost_py.modinfo import Modinfo
from modpost_py.module_facts import FoundGlobals, FoundNamespace, ModuleFacts
from modpost_py.object_file import ObjectFile, map_file
from modpost_py.options import Options
from modpost_py.srcversion import source_version
from modpost_py.symbol_names import names_starting_with, telling_symbols
from modpost_py.text_buffer import fitting

#: What every module needs of the kernel with symbol versions: the layout of ``struct module``.
MODULE_LAYOUT = "module_layout"

# Every symbol of a device table begins so
_TABLE_PREFIX = "__mod_"


def read_object(path: str, options: Options, dialect: Dialect, state: section_mismatch.RunState) -> ModuleFacts | None:
    """The facts of the object at ``path``; ``None`` for a file that is passed over in silence.

    Errors do not leave this function: the one that ended the reading is the facts' ``failure``.
    """
    name = path.removesuffix(".o") if path.endswith(".o") else path[:-2]
    facts = ModuleFacts(name, path, 64)
    reporter = Reporter(dialect, facts.discoveries.append, name, path)
    try:
        return _read(facts, options, reporter, state)
    except MalformedObjectError as error:
        facts.failure = _reported(reporter, error)
    except ModpostError as error:
        facts.failure = error
    return facts


def _reported(reporter: Reporter, error: MalformedObjectError) -> ModpostError:
    try:
        reporter.report(error.message, None, **error.values)
    except FatalError as fatal:
        return fatal
    return error


def _read(
    facts: ModuleFacts, options: Options, reporter: Reporter, state: section_mismatch.RunState
) -> ModuleFacts | None:
    dialect = reporter.dialect
    if dialect.needs_object_suffix and not facts.path.endswith(".o"):
        reporter.report(BAD_FILE_NAME)
        return facts
    try:
        object_file = ObjectFile(facts.path, map_file(facts.path), dialect.only_relocatable)
    except NotElfError:
        return None
    except FileError as error:
        if not options.ignores_missing_files:
            raise
        reporter.report(IGNORED_FILE, reason=error.reason)
        return facts
    facts.is_module = True
    facts.bits = object_file.bits
    _ObjectReader(facts, object_file, options, reporter).read(state)
    return facts


class _ObjectReader:
    """The steps of reading one object, each of which adds to the facts."""

    def __init__(self, facts: ModuleFacts, object_file: ObjectFile, options: Options, reporter: Reporter) -> None:
        self._facts = facts
        self._object_file = object_file
        self._options = options
        self._reporter = reporter
        self._dialect: Dialect = reporter.dialect
        self._modinfo = Modinfo.of(object_file)

    def read(self, state: section_mismatch.RunState) -> None:
        """All steps, in the order in which the C tool reports what it finds."""
        facts, dialect = self._facts, self._dialect
        if dialect.keeps_no_trim_symbols:
            self._read_no_trim_symbols()
        if not facts.is_vmlinux:
            self._read_modinfo()
        self._read_symbols()
        if dialect.namespaces_from == "kstrtabns symbols":
            self._read_namespaces_and_crcs()
        if dialect.warns_of_static_exports:
            self._read_globals()
        self._check_sections(state)
        if not facts.is_vmlinux and (self._options.all_source_versions or self._modinfo.values("version")):
            facts.source_version = source_version(facts.path, self._reporter)
        if self._options.modversions:
            facts.unresolved.append((MODULE_LAYOUT, False))
            if dialect.crcs_from == "cmd files":
                for crc in crcs_of_objects(facts.name, self._reporter):
                    facts.discoveries.append(crc)
        if dialect.newest_first:
            facts.unresolved.reverse()

    def _read_no_trim_symbols(self) -> None:
        index = self._object_file.section_index.get(".no_trim_symbol")
        if index is not None:
            names = bytes(self._object_file.section_data(index)).decode("latin-1").split("\0")
            self._facts.no_trim_symbols = [name for name in names if name]

    def _read_modinfo(self) -> None:
        facts, reporter, dialect = self._facts, self._reporter, self._dialect
        facts.licenses = self._modinfo.values("license")
        if not facts.licenses:
            reporter.report(MISSING_LICENSE)
        for namespace in self._modinfo.values("import_ns"):
            if dialect.module_namespaces and namespace.startswith("module:"):
                reporter.report(EXPLICIT_MODULE_NAMESPACE, namespace=namespace)
            if namespace not in facts.imported_namespaces:
                facts.imported_namespaces.append(namespace)
        wanted = dialect.checks_description
        if (wanted == "always" or (wanted == "with -W" and self._options.extra_warnings)) and not self._modinfo.values(
            "description"
        ):
            reporter.report(MISSING_DESCRIPTION)

    def _read_symbols(self) -> None:
        """Look at every symbol, in order, that can mean something: most are local names and passed over."""
        symbols = self._object_file.symbols
        prefixes = [b"init_module", b"cleanup_module", _TABLE_PREFIX.encode()]
        if self._dialect.exports_from == "ksymtab symbols":
            prefixes.append(KSYMTAB_PREFIX.encode())
        info, unresolved = symbols.info, self._facts.unresolved
        ignored, ignored_prefixes = ignored_symbols(self._object_file.machine, self._dialect)
        is_sparc = self._object_file.machine in (EM_SPARC, EM_SPARCV9)
        for index, section, name in telling_symbols(symbols, prefixes):
            if section == SHN_UNDEF:
                binding = info[index] >> 4
                if (binding != STB_GLOBAL and binding != STB_WEAK) or name in ignored:
                    continue
                if ignored_prefixes and name.startswith(ignored_prefixes):
                    continue
                if is_sparc:
                    self._read_undefined_of_sparc(index, name)
                else:
                    unresolved.append((name, binding == STB_WEAK))
            elif section == SHN_COMMON:
                if not name.startswith("__gnu_lto_"):
                    self._reporter.report(COMMON_SYMBOL, symbol=name)
            else:
                self._read_defined(index, name)

    def _read_undefined_of_sparc(self, index: int, name: str) -> None:
        """Pass over the register directives of SPARC; a leading dot becomes ``_`` and a capital."""
        symbols = self._object_file.symbols
        if symbols.type(index) == STT_SPARC_REGISTER:
            return
        if name.startswith("."):
            name = "_" + name[1:2].encode("latin-1").upper().decode("latin-1") + name[2:]
        self._facts.unresolved.append((name, symbols.binding(index) == STB_WEAK))

    def _read_defined(self, index: int, name: str) -> None:
        if name == "init_module":
            self._facts.has_init = True
        elif name == "cleanup_module":
            self._facts.has_cleanup = True
        elif name.startswith(KSYMTAB_PREFIX) and self._dialect.exports_from == "ksymtab symbols":
            export = export_of_ksymtab(self._object_file, index, name, self._dialect.name)
            if export is not None:
                self._facts.discoveries.append(export)
        elif name.startswith(_TABLE_PREFIX):
            self._read_device_table(index, name)

    def _read_device_table(self, index: int, name: str) -> None:
        from modpost_py.device_tables import aliases  # its tables are large, and most small modules have none

        facts = self._facts
        found = aliases(self._object_file, index, name, self._dialect, self._reporter)
        if not self._dialect.aliases_are_unique:
            for alias in found:
                fitting(alias_line(alias.text), self._reporter)
                facts.aliases.append(alias)
            return
        known = {alias.text for alias in facts.aliases}
        for alias in found:
            if alias.text not in known:
                known.add(alias.text)
                facts.aliases.append(alias)

    def _read_namespaces_and_crcs(self) -> None:
        symbols, facts = self._object_file.symbols, self._facts
        with_crcs = self._dialect.crcs_from == "crc symbols"
        prefixes = (NAMESPACE_PREFIX.encode(), CRC_PREFIX.encode()) if with_crcs else (NAMESPACE_PREFIX.encode(),)
        telling = names_starting_with(symbols, *prefixes)
        if not telling:
            return
        for index in [index for index, offset in enumerate(symbols.name_offset) if offset in telling]:
            name = symbols.name(index)
            if name.startswith(NAMESPACE_PREFIX):
                facts.discoveries.append(FoundNamespace(name.removeprefix(NAMESPACE_PREFIX), symbols.text(index)))
            elif name.startswith(CRC_PREFIX):
                crc = crc_of_symbol(self._object_file, index, name.removeprefix(CRC_PREFIX), self._reporter)
                if crc is not None:
                    facts.discoveries.append(crc)

    def _read_globals(self) -> None:
        symbols = self._object_file.symbols
        names = [
            symbols.name(index) for index in range(symbols.count) if symbols.binding(index) in (STB_GLOBAL, STB_WEAK)
        ]
        self._facts.discoveries.append(FoundGlobals(frozenset(names)))

    def _check_sections(self, state: section_mismatch.RunState) -> None:
        dialect, options = self._dialect, self._options
        reads_exports = dialect.exports_from == "export_symbol relocations" and (
            options.modules_enabled or not dialect.needs_modules_option
        )
        self._facts.mismatches = section_mismatch.check(
            self._object_file,
            dialect,
            section_mismatch.SectionOptions(extra_warnings=options.extra_warnings),
            self._reporter,
            state,
            self._read_exports if reads_exports else None,
        )

    def _read_exports(self, relocation_section: int, skipped_types: frozenset[int]) -> None:
        # One by one: what is reported meanwhile goes to the same list
        for export in exports_of_relocations(self._object_file, relocation_section, skipped_types, self._reporter):
            self._facts.discoveries.append(export)


def alias_line(text: str) -> str:
    """The line of the emitted source for one device alias."""
    return f'MODULE_ALIAS("{text}");\n'
