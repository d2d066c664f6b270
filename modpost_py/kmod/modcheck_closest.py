# SPDX-License-Identifier: GPL-2.0-or-later
"""Which of several kernels a module fits best."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from modpost_py.errors import ModpostError
from modpost_py.kmod.kernel_facts import KernelFacts
from modpost_py.kmod.modcheck import Circumstances, Judge, Verdict, judge_together
from modpost_py.kmod.modcheck_report import error_text
from modpost_py.kmod.module_file import ModuleFile
from modpost_py.kmod.symvers_from_image_modules import imported

CLOSEST_SCHEMA = "modcheck-closest-1"


class Fit(NamedTuple):
    """How well a module fits a kernel: its verdict, and of the symbols that it needs how many match.

    ``matching`` have the CRC that the module wants (or just exist, where there are no CRCs), ``differing``
    another one; the rest is missing or unknown.
    """

    place: str
    verdict: Verdict
    needed: int
    matching: int
    differing: int

    @property
    def rank(self) -> tuple[bool, int, float, str]:
        """Better fits sort first: what loads, what has the fewest kinds of reasons, the most matching symbols."""
        kinds = {reason.kind for reason in self.verdict.reasons}
        share = self.matching / self.needed if self.needed else 1.0
        return not self.verdict.loads, len(kinds - {"crc", "missing-symbol"}), -share, self.place


def places_in(path: str) -> list[str]:
    """The kernels that a path stands for: the path itself if it tells of one, else what lies in the directory."""
    from modpost_py.kmod.kernel_facts_places import tells_of_kernel

    if tells_of_kernel(path) or not os.path.isdir(path):
        return [path]
    try:
        names = sorted(os.listdir(path))
    except OSError:
        return [path]
    return [place for name in names if tells_of_kernel(place := os.path.join(path, name))] or [path]


def fits(
    modules: Iterable[str],
    places: Iterable[str],
    circumstances: Circumstances,
    report: Callable[[ModpostError], None],
) -> dict[str, list[Fit]]:
    """For each module its fits, the best first; kernels and modules that cannot be read go to ``report``."""
    paths = list(modules)
    found: dict[str, list[Fit]] = {path: [] for path in paths}
    reported: set[str] = set()
    for place in places:
        try:
            kernel = KernelFacts.read([place])
        except ModpostError as error:
            report(error)
            continue
        for path, verdict in zip(paths, judge_together(paths, Judge(kernel, circumstances)), strict=True):
            if isinstance(verdict, ModpostError):
                if path not in reported:
                    report(verdict)
                reported.add(path)
            else:
                found[path].append(_fit(place, verdict, kernel))
    return {path: sorted(fits, key=lambda fit: fit.rank) for path, fits in found.items()}


def _fit(place: str, verdict: Verdict, kernel: KernelFacts) -> Fit:
    wanted = _wanted(verdict.path)
    matching = differing = 0
    for symbol, crc in wanted.items():
        offer = kernel.offers.get(symbol)
        if offer is None or (crc is not None and offer.crc is None):
            continue
        if crc is None or not kernel.checks_versions or offer.crc == crc:
            matching += 1
        else:
            differing += 1
    return Fit(place, verdict, len(wanted), matching, differing)


def _wanted(path: str) -> dict[str, int | None]:
    try:
        return dict(imported(ModuleFile.read(path)))
    except ModpostError:
        return {}


def fits_text(path: str, fits: list[Fit]) -> str:
    """The kernels for one module, the best first, a line each."""
    lines = [f"{path}:"]
    width = max((len(fit.verdict.kernel) for fit in fits), default=0)
    for fit in fits:
        verdict = "would load  " if fit.verdict.loads else "would refuse"
        text = f"  {fit.verdict.kernel:{width}}  {verdict}  {fit.matching} of {fit.needed} symbols match"
        if fit.differing:
            text += f", {fit.differing} differ"
        rest = fit.needed - fit.matching - fit.differing
        if rest:
            text += f", {rest} missing or not known"
        if not fit.verdict.loads:
            text += f"; {error_text(fit.verdict.errno)}: {fit.verdict.reasons[0].text}"
        lines.append(text)
    if not fits:
        lines.append("  no kernel to compare with")
    return "".join(f"{line}\n" for line in lines)


def fits_document(found: dict[str, list[Fit]], errors: Iterable[ModpostError]) -> dict[str, Any]:
    """The same as a JSON document."""
    return {
        "schema": CLOSEST_SCHEMA,
        "modules": [{"path": path, "kernels": [_fit_object(fit) for fit in fits]} for path, fits in found.items()],
        "errors": [str(error) for error in errors],
    }


def _fit_object(fit: Fit) -> dict[str, Any]:
    return {
        "kernel": fit.verdict.kernel,
        "place": fit.place,
        "loads": fit.verdict.loads,
        "errno": fit.verdict.errno,
        "needed": fit.needed,
        "matching": fit.matching,
        "differing": fit.differing,
        "reasons": sorted({reason.kind for reason in fit.verdict.reasons}),
    }
