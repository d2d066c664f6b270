# SPDX-License-Identifier: GPL-2.0-or-later
"""Verdicts as texts for people and as JSON.

The JSON document (``"schema": "modcheck-1"``) is described in docs/modcheck-py.md; a field that is added keeps the
number of the schema, one that changes its meaning does not.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Sequence
from typing import Any

from modpost_py.errors import ModpostError
from modpost_py.kmod.kernel_facts import KernelFacts
from modpost_py.kmod.modcheck import Reason, Remark, Verdict
from modpost_py.kmod.stability import Reliance

SCHEMA = "modcheck-1"
# So many findings of one kind are shown unless all are asked for
_SHOWN = 8


def verdict_text(verdict: Verdict, reliance: Reliance | None = None, shows_all: bool = False) -> str:
    """The verdict line, the reasons, what to do; and what else there is to know, a line each."""
    limit = None if shows_all else _SHOWN
    lines = [_verdict_line(verdict)]
    for kind in dict.fromkeys(reason.kind for reason in verdict.reasons):
        lines += _limited([f"  {reason.text}" for reason in verdict.reasons if reason.kind == kind], limit)
    lines += _log_lines(verdict, limit)
    lines += [f"  do: {advice}" for advice in _advices(verdict.reasons, limit)]
    lines += _limited([f"  note: {remark.text}" for remark in _notes(verdict)], limit)
    if reliance is not None:
        lines += _reliance_lines(reliance, limit)
    if verdict.needs and verdict.loads:
        lines.append(f"  load first: {' '.join(verdict.needs)}")
    lines += _limited([f"  not known: {unknown.text}" for unknown in verdict.unknowns], limit)
    return "".join(f"{line}\n" for line in lines)


def _verdict_line(verdict: Verdict) -> str:
    if not verdict.loads:
        return f"{verdict.path}: {verdict.kernel} would refuse it: {error_text(verdict.errno)}"
    known = ", as far as is known" if verdict.unknowns else ""
    taints = f" and taint it {verdict.taints}" if verdict.taints else ""
    details = "; ".join(taint.text for taint in verdict.taint_details)
    return f"{verdict.path}: {verdict.kernel} would load it{known}{taints}" + (f" ({details})" if details else "")


def error_text(name: str | None) -> str:
    """``ENOEXEC`` -> ``Exec format error (ENOEXEC)``: what insmod says, and its name."""
    number = getattr(errno, name or "", None)
    # kmod has words of its own for the two usual ones
    words = {"ENOEXEC": "Invalid module format", "ENOENT": "Unknown symbol in module"}
    text = words.get(name or "") or (os.strerror(number) if number else "")
    return f"{text} ({name})"


def _limited(lines: list[str], limit: int | None) -> list[str]:
    if limit is None or len(lines) <= limit:
        return lines
    return [*lines[: limit - 1], f"  ... and {len(lines) - limit + 1} more like that (--all shows them)"]


def _log_lines(verdict: Verdict, limit: int | None) -> list[str]:
    """What the kernel's log will have about the refusal: of all reasons only those that the kernel comes to."""
    said = [reason.log_line for reason in verdict.reasons if reason.log_line and reason.errno == verdict.errno][:1]
    return [f"  kernel log: {line}" for line in _limited(said, limit)]


def _advices(reasons: Sequence[Reason], limit: int | None) -> list[str]:
    advices = list(dict.fromkeys(reason.advice for reason in reasons if reason.advice))
    return advices if limit is None else advices[:limit]


def _notes(verdict: Verdict) -> list[Remark]:
    return list({(remark.kind, remark.text): remark for remark in verdict.remarks}.values())


def _reliance_lines(reliance: Reliance, limit: int | None) -> list[str]:
    lines = [
        f"  warning: leans on the experimental {offer.symbol} ({offer.module}), {rule.place}"
        for offer, rule in reliance.experimental
    ]
    total = len(reliance.experimental) + reliance.stable + reliance.unlisted
    summary = (
        f"  stability: of {total} symbols {reliance.stable} are stable, {len(reliance.experimental)} experimental, "
        f"{reliance.unlisted} in no rule"
    )
    return [*_limited(lines, limit), summary]


# --- JSON -----------------------------------------------------------------------------------


def document(
    kernel: KernelFacts, verdicts: Iterable[tuple[Verdict, Reliance | None]], errors: Iterable[ModpostError]
) -> dict[str, Any]:
    """The whole document; values are those of JSON."""
    return {
        "schema": SCHEMA,
        "kernel": kernel_object(kernel),
        "modules": [_verdict_object(verdict, reliance) for verdict, reliance in verdicts],
        "errors": [str(error) for error in errors],
    }


def kernel_object(kernel: KernelFacts) -> dict[str, Any]:
    """What is known of a kernel; ``null`` is unknown."""
    return {
        "name": kernel.name,
        "places": list(kernel.paths),
        "release": kernel.release,
        "vermagic": kernel.vermagic,
        "machine": None if kernel.machine is None else str(kernel.machine),
        "struct_module_size": kernel.module_struct_size,
        "modversions": kernel.checks_versions,
        "exports": len(kernel.offers),
        "all_exports": kernel.knows_vmlinux and kernel.knows_modules,
    }


def _verdict_object(verdict: Verdict, reliance: Reliance | None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "path": verdict.path,
        "name": verdict.name,
        "loads": verdict.loads,
        "errno": verdict.errno,
        "reasons": [
            {
                "kind": reason.kind,
                "errno": reason.errno,
                "text": reason.text,
                "symbol": reason.symbol or None,
                "module": reason.provider or None,
                "log": reason.log_line,
                "advice": reason.advice or None,
                "near": list(reason.near),
            }
            for reason in verdict.reasons
        ],
        "remarks": [
            {"kind": remark.kind, "text": remark.text, "symbol": remark.symbol or None, "log": remark.log_line}
            for remark in verdict.remarks
        ],
        "taints": verdict.taints,
        "taint_details": [
            {"letter": taint.letter, "text": taint.text, "log": taint.log_line} for taint in verdict.taint_details
        ],
        "unknown": [
            {"kind": unknown.kind, "text": unknown.text, "symbol": unknown.symbol or None}
            for unknown in verdict.unknowns
        ],
        "needs": verdict.needs,
    }
    if reliance is not None:
        found["stability"] = {
            "stable": reliance.stable,
            "unlisted": reliance.unlisted,
            "experimental": [
                {"symbol": offer.symbol, "module": offer.module, "rule": rule.text, "place": rule.place}
                for offer, rule in reliance.experimental
            ],
        }
    return found
