# SPDX-License-Identifier: GPL-2.0-or-later
"""How diagnostics are declared, formatted and collected.

A :class:`Message` is one condition with its text in every dialect.  The catalogues are tables
of such messages: ``core_messages``, ``section_messages`` and ``device_messages``.  A
:class:`Reporter` formats a message for the dialect of the run and appends the resulting
:class:`Diagnostic` to a list; only the command line prints.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from modpost_py.dialects import DIALECTS, Dialect
from modpost_py.errors import FatalError

#: "plain" and "failure" go to stderr without prefix: a note, such as the explanation that follows a warning, and a
#: file that cannot be used, which ends the run.
Severity = Literal["warning", "error", "fatal", "plain", "failure"]


class Wording(NamedTuple):
    """The severity and the text of a message from one dialect on.

    The text is a ``str.format`` template, with its newline where the message has one.  The
    fields ``{path}`` (object path as given), ``{module}`` (the path less ``.o``) and ``{M}``
    (``path/of/module.ko: `` or ``vmlinux: ``) are filled in by the reporter.
    """

    since: str
    severity: Severity
    text: str


class Message:
    """One condition: a rule name for machines and its wordings, oldest dialect first."""

    def __init__(self, rule: str, *wordings: Wording | tuple[str, Severity, str]) -> None:
        self.rule = rule
        self.wordings = tuple(Wording(*wording) for wording in wordings)
        self._by_dialect: dict[str, Wording] = {}
        current: Wording | None = None
        since = {wording.since: wording for wording in self.wordings}
        for dialect in DIALECTS:
            current = since.get(dialect.name, current)
            if current is not None:
                self._by_dialect[dialect.name] = current

    def wording(self, dialect: Dialect) -> Wording:
        """The wording of a dialect; :class:`KeyError` where the dialect does not have the message."""
        return self._by_dialect[dialect.name]


class Diagnostic(NamedTuple):
    """One reported condition.

    ``text`` is the message less its prefix, with the newline that the C tool prints (a few
    messages have none).  ``module`` is the module name (object path less ``.o``), or ``None``
    for a condition of the whole run.  ``values`` are the fields of the message by name.
    """

    severity: Severity
    rule: str
    text: str
    module: str | None
    path: str | None
    values: dict[str, object]


class Reporter:
    """Formats messages about one module (or about the run) and hands the diagnostics on.

    ``sink`` receives each diagnostic in order; the ``append`` of a list will do.
    """

    def __init__(
        self,
        dialect: Dialect,
        sink: Callable[[Diagnostic], object],
        module: str | None = None,
        path: str | None = None,
    ) -> None:
        self.dialect = dialect
        self.module = module
        self.path = path
        self._sink = sink
        self._places = {"path": path, "module": module, "M": _module_prefix(module)}

    def report(self, message: Message, severity: Severity | None = None, /, **values: object) -> None:
        """Report ``message`` with the ``values`` that its text names.

        ``severity`` overrides the one of the wording (options turn errors into warnings).
        A fatal message raises :class:`FatalError` after it has been handed on.
        """
        wording = message.wording(self.dialect)
        text = wording.text.format_map({**self._places, **values})
        diagnostic = Diagnostic(severity or wording.severity, message.rule, text, self.module, self.path, values)
        self._sink(diagnostic)
        if diagnostic.severity == "fatal":
            raise FatalError(diagnostic)


def _module_prefix(module: str | None) -> str:
    if module is None:
        return ""
    return "vmlinux: " if module == "vmlinux" else f"{module}.ko: "


def printed(diagnostic: Diagnostic, dialect: Dialect) -> str:
    """A diagnostic as the C tool prints it, prefix and newline included."""
    if diagnostic.severity == "warning":
        return "WARNING: modpost: " + diagnostic.text
    if diagnostic.severity == "error":
        return "ERROR: modpost: " + diagnostic.text
    if diagnostic.severity == "fatal":
        return dialect.fatal_prefix + diagnostic.text
    return diagnostic.text
