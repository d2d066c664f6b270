# SPDX-License-Identifier: GPL-2.0-or-later
"""Diagnostics for machines: JSON (schema in docs/modpost-diagnostics.md), SARIF 2.1.0, GitHub annotations."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from typing import Any

from modpost_py.dialects import Dialect
from modpost_py.messages import Diagnostic, Severity
from modpost_py.text_files import to_path
from modpost_py.whole_run import RunResult

#: Version of the JSON document; raised when a member changes its meaning or goes.
SCHEMA_VERSION = 1

_LEVELS: dict[Severity, str] = {
    "warning": "warning",
    "error": "error",
    "fatal": "error",
    "failure": "error",
    "plain": "note",
}
_GITHUB_COMMANDS: dict[Severity, str] = {
    "warning": "warning",
    "error": "error",
    "fatal": "error",
    "failure": "error",
    "plain": "notice",
}

Explanations = Sequence[tuple[Diagnostic, list[str]]]


def document(format: str, result: RunResult, dialect: Dialect, explanations: Explanations = ()) -> str:
    """The diagnostics of a run as one document; ``format`` is ``json`` or ``sarif``."""
    make = {"json": json_document, "sarif": sarif_document}[format]
    return json.dumps(make(result, dialect, explanations), indent=2) + "\n"


def json_document(result: RunResult, dialect: Dialect, explanations: Explanations = ()) -> dict[str, Any]:
    """The members of the JSON document."""
    return {
        "schema": SCHEMA_VERSION,
        "tool": "modpost-py",
        "dialect": dialect.name,
        "exit_status": result.exit_status,
        "undefined": result.undefined,
        "written": [_text(path) for path in result.written],
        "diagnostics": [_json_diagnostic(diagnostic, explanations) for diagnostic in result.diagnostics],
    }


def _json_diagnostic(diagnostic: Diagnostic, explanations: Explanations) -> dict[str, Any]:
    return {
        "severity": diagnostic.severity,
        "rule": diagnostic.rule,
        "text": _text(diagnostic.text.rstrip("\n")),
        "module": None if diagnostic.module is None else _text(diagnostic.module),
        "object": None if diagnostic.path is None else _text(diagnostic.path),
        "values": {name: _value(value) for name, value in diagnostic.values.items()},
        "explanation": _explanation(diagnostic, explanations),
    }


def _explanation(diagnostic: Diagnostic, explanations: Explanations) -> list[str]:
    return next(([_text(line) for line in lines] for other, lines in explanations if other is diagnostic), [])


def sarif_document(result: RunResult, dialect: Dialect, explanations: Explanations = ()) -> dict[str, Any]:
    """The members of a SARIF 2.1.0 log with one run."""
    rules = sorted({diagnostic.rule for diagnostic in result.diagnostics})
    results = [_sarif_result(diagnostic, explanations) for diagnostic in result.diagnostics]
    driver = {"name": "modpost-py", "semanticVersion": "0.1.0", "rules": [{"id": rule} for rule in rules]}
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "properties": {"dialect": dialect.name},
                "invocations": [{"exitCode": result.exit_status, "executionSuccessful": not result.exit_status}],
                "results": results,
            }
        ],
    }


def _sarif_result(diagnostic: Diagnostic, explanations: Explanations) -> dict[str, Any]:
    text = "\n".join([_text(diagnostic.text.rstrip("\n")), *_explanation(diagnostic, explanations)])
    result: dict[str, Any] = {
        "ruleId": diagnostic.rule,
        "level": _LEVELS[diagnostic.severity],
        "message": {"text": text},
    }
    place = _place(diagnostic)
    if place is not None:
        result["locations"] = [{"physicalLocation": {"artifactLocation": {"uri": place}}}]
    return result


def github_annotations(diagnostics: Iterable[Diagnostic]) -> str:
    """The diagnostics as workflow commands of GitHub Actions, a line each."""
    return "".join(_annotation(diagnostic) for diagnostic in diagnostics)


def _annotation(diagnostic: Diagnostic) -> str:
    place = _place(diagnostic)
    properties = ([f"file={_escaped(place, property=True)}"] if place else []) + [f"title={diagnostic.rule}"]
    text = _escaped(_text(diagnostic.text.rstrip("\n")))
    return f"::{_GITHUB_COMMANDS[diagnostic.severity]} {','.join(properties)}::{text}\n"


def _escaped(text: str, property: bool = False) -> str:
    text = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return text.replace(":", "%3A").replace(",", "%2C") if property else text


def _place(diagnostic: Diagnostic) -> str | None:
    """The file to show: the source of the module where it lies beside the object, else the object."""
    if diagnostic.path is None:
        return None
    source = diagnostic.path.removesuffix(".o") + ".c"
    return _text(source if os.path.isfile(to_path(source)) else diagnostic.path)


def _text(text: str) -> str:
    """Text of this package, a character a byte -> what people read."""
    return text.encode("latin-1").decode("utf-8", "backslashreplace")


def _value(value: object) -> object:
    return _text(value) if isinstance(value, str) else value
