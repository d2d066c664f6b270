# SPDX-License-Identifier: GPL-2.0-or-later
"""The modules of a run and the symbols that they export."""

from __future__ import annotations

from modpost_py.core_messages import EXPORTED_TWICE
from modpost_py.exports import GPL
from modpost_py.messages import Reporter
from modpost_py.module_facts import FoundCrc, FoundExport, FoundNamespace, ModuleFacts


class Export:
    """One exported symbol: who exports it, how, and its CRC (``None`` where it has none).

    ``is_used`` is kept for trimming, ``is_static`` for the warning of 5.10.
    """

    __slots__ = ("crc", "is_function", "is_static", "is_used", "kind", "module", "name", "namespace")

    def __init__(self, name: str, module: Module, kind: str, namespace: str = "", is_function: bool = False) -> None:
        self.name = name
        self.module = module
        self.kind = kind
        self.namespace = namespace
        self.is_function = is_function
        self.crc: int | None = None
        self.is_used = False
        self.is_static = True

    @property
    def is_gpl_only(self) -> bool:
        """Whether only modules with a GPL-compatible licence may use the symbol."""
        return self.kind == GPL

    def __repr__(self) -> str:
        return f"<Export {self.name} of {self.module.name}>"


class Module:
    """A module, or vmlinux, known from an object (``facts``) or from a dump (no facts).

    ``name`` is the object path less ``.o``.  ``uses`` are the unresolved symbols with the
    export that satisfies each (``None`` where there is none), filled in by the check.
    """

    __slots__ = ("dump", "exports", "facts", "is_vmlinux", "missing_namespaces", "name", "uses")

    def __init__(self, name: str, facts: ModuleFacts | None = None, dump: str | None = None) -> None:
        self.name = name
        self.facts = facts
        self.dump = dump
        self.is_vmlinux = name == "vmlinux"
        self.exports: list[Export] = []
        self.uses: list[tuple[str, Export | None]] = []
        self.missing_namespaces: list[str] = []

    @property
    def basename(self) -> str:
        """The module's name without directories, as the kernel will know it."""
        return self.name[self.name.rfind("/") + 1 :]

    @property
    def is_from_dump(self) -> bool:
        """Whether the module is known only from a symbol dump."""
        return self.facts is None

    def __repr__(self) -> str:
        return f"<Module {self.name}>"


class ExportTable:
    """All exports of a run by name.

    A name that is exported again is an error unless external modules are built and the earlier
    exporter is another one of them; the newest export is the one that counts.  Where
    ``replaces`` is set (5.10) an export that exists is not added again: a later module may take
    it over.  ``all`` are the exports in the order in which they were added.
    """

    def __init__(self, is_external: bool, replaces: bool) -> None:
        self._is_external = is_external
        self._replaces = replaces
        self.by_name: dict[str, Export] = {}
        self.all: list[Export] = []

    def find(self, name: str) -> Export | None:
        """The export that satisfies an unresolved symbol; a leading dot of its name does not count."""
        return self.by_name.get(name[1:] if name[:1] == "." else name)

    def add(self, found: FoundExport, module: Module, reporter: Reporter) -> Export:
        """Add an export; reports one that exists already."""
        name = found.symbol
        previous = self.find(name)
        if previous is not None:
            refused = not self._is_external or previous.module.is_vmlinux or previous.module is module
            if refused:
                suffix = "" if previous.module.is_vmlinux else ".ko"
                reporter.report(EXPORTED_TWICE, symbol=name, previous=previous.module.name, suffix=suffix)
            if self._replaces:
                if not refused:
                    previous.module, previous.kind = module, found.kind
                return previous
        export = Export(name, module, found.kind, found.namespace, found.is_function)
        self.by_name[name] = export
        self.all.append(export)
        module.exports.append(export)
        return export

    def set_namespace(self, found: FoundNamespace) -> bool:
        """Set the name space of an export of any module; false where nobody exports the symbol."""
        export = self.find(found.symbol)
        if export is None:
            return False
        export.namespace = found.namespace
        return True

    def set_crc(self, found: FoundCrc, module: Module | None) -> None:
        """Set the CRC of an export: that of ``module``, or of any module where ``None``."""
        export = self.find(found.symbol)
        if export is not None and module in (None, export.module):
            export.crc = found.crc
