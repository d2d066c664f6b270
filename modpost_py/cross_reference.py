# SPDX-License-Identifier: GPL-2.0-or-later
"""The check of a module's unresolved symbols against all exports of the run."""

from __future__ import annotations

from modpost_py.core_messages import (
    EXPORTED_WITHOUT_DEFINITION,
    FUTURE_GPL_ONLY_SYMBOL,
    GPL_ONLY_SYMBOL,
    MODULE_NAME_TOO_LONG,
    NAMESPACE_NOT_IMPORTED,
    UNDEFINED_SYMBOL,
    UNUSED_GPL_ONLY_SYMBOL,
    UNUSED_SYMBOL,
)
from modpost_py.dialects import Dialect
from modpost_py.exports import GPL, GPL_FUTURE, UNUSED, UNUSED_GPL
from modpost_py.messages import Message, Reporter, Severity
from modpost_py.module_facts import ModuleFacts
from modpost_py.modules import Export, ExportTable, Module
from modpost_py.options import Options

#: ``module:a,b*`` as name space of an export names the modules that may use it.
MODULE_NAMESPACE_PREFIX = "module:"

# What a module without GPL-compatible licence is told about an export of each kind
_LICENSE_MESSAGES: dict[str, Message] = {
    GPL: GPL_ONLY_SYMBOL,
    UNUSED_GPL: UNUSED_GPL_ONLY_SYMBOL,
    GPL_FUTURE: FUTURE_GPL_ONLY_SYMBOL,
}
_UNUSED_KINDS = (UNUSED, UNUSED_GPL)


def name_length_limit(facts: ModuleFacts) -> int:
    """``MODULE_NAME_LEN``: 64 bytes less an address of the target, for a name and its NUL."""
    return 64 - facts.bits // 8


class CrossReference:
    """Checks module after module and counts the undefined symbols of the run.

    ``vmlinux_is_known`` says whether the kernel's exports were read.
    """

    def __init__(self, exports: ExportTable, options: Options, vmlinux_is_known: bool) -> None:
        self._exports = exports
        self._options = options
        self._vmlinux_is_known = vmlinux_is_known
        self.undefined = 0

    def check(self, module: Module, facts: ModuleFacts, reporter: Reporter) -> None:
        """Check one module's name and symbols; fills in what it uses and the name spaces it should import."""
        if len(module.basename) >= name_length_limit(facts):
            reporter.report(MODULE_NAME_TOO_LONG)
        find, uses, dialect = self._exports.find, module.uses, reporter.dialect
        imported = frozenset(facts.imported_namespaces)
        is_compatible = facts.is_gpl_compatible
        for name, is_weak in facts.unresolved:
            export = find(name)
            if export is None or export.module is module:
                uses.append((name, None))
                self._report_unsatisfied(name, is_weak, export, reporter)
                continue
            uses.append((name, export))
            export.is_used = True
            namespace = export.namespace
            if namespace and namespace not in imported and not _is_open_to(namespace, module, dialect):
                self._report_namespace(module, export, reporter)
            if not is_compatible or dialect.warns_of_unused_exports:
                _report_license(module, export, is_compatible, reporter)
        if dialect.newest_first:
            module.missing_namespaces.reverse()

    def _report_unsatisfied(self, name: str, is_weak: bool, export: Export | None, reporter: Reporter) -> None:
        dialect = reporter.dialect
        if export is not None and not dialect.needs_vmlinux:
            reporter.report(EXPORTED_WITHOUT_DEFINITION, symbol=name)
            return
        if is_weak or (dialect.needs_vmlinux and not self._vmlinux_is_known):
            return
        self.undefined += 1
        if dialect.unresolved_limit is None or self.undefined <= dialect.unresolved_limit:
            severity: Severity = "warning" if self._options.warns_of_undefined else "error"
            reporter.report(UNDEFINED_SYMBOL, severity, symbol=name)

    def _report_namespace(self, module: Module, export: Export, reporter: Reporter) -> None:
        severity: Severity = "warning" if self._options.allows_missing_imports else "error"
        reporter.report(
            NAMESPACE_NOT_IMPORTED, severity, name=module.basename, symbol=export.name, namespace=export.namespace
        )
        if export.namespace not in module.missing_namespaces:
            module.missing_namespaces.append(export.namespace)


def _is_open_to(namespace: str, module: Module, dialect: Dialect) -> bool:
    if not dialect.module_namespaces or not namespace.startswith(MODULE_NAMESPACE_PREFIX):
        return False
    return names_module(namespace.removeprefix(MODULE_NAMESPACE_PREFIX), module.basename)


def _report_license(module: Module, export: Export, is_compatible: bool, reporter: Reporter) -> None:
    if not is_compatible and export.kind in _LICENSE_MESSAGES:
        reporter.report(_LICENSE_MESSAGES[export.kind], name=module.basename, symbol=export.name)
    if reporter.dialect.warns_of_unused_exports and export.kind in _UNUSED_KINDS:
        reporter.report(UNUSED_SYMBOL, name=module.basename, symbol=export.name)


def names_module(patterns: str, name: str) -> bool:
    """Whether one of the comma-separated ``patterns`` is ``name`` or, with ``*`` at its end, a beginning of it."""
    for pattern in patterns.split(","):
        if pattern.endswith("*"):
            if name.startswith(pattern[:-1]):
                return True
        elif pattern and pattern == name:
            return True
    return False
