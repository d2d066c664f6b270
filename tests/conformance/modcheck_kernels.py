# SPDX-License-Identifier: GPL-2.0-or-later
"""modcheck-py and symvers-py on Debian's kernels: what must load loads, what must not does not, dumps are equal.

    python -m tests.conformance.modcheck_kernels [--kernel LABEL] [--architecture ARCH]

For each kernel: every module that was shipped with it loads, by its headers and modules, without a remark and
without a fact that is unknown; into another kernel none loads, for the reason that the two differ in; and the
Module.symvers made from image and modules is the one that Debian ships.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from modpost_py.kmod.kernel_facts import KernelFacts
from modpost_py.kmod.kernel_facts_places import dump_offers
from modpost_py.kmod.modcheck import Judge, Verdict
from modpost_py.kmod.module_file import ModuleFile
from modpost_py.kmod.symvers_from_image_dump import dump_from, dump_lines, sources_in
from tests.conformance.debian import NotAvailable
from tests.conformance.kernels import KERNELS, KernelPackages


class Case(NamedTuple):
    """A kernel, and one into which its modules do not load, for reasons of these kinds (the first that is found)."""

    label: str
    architecture: str
    other_label: str
    other_architecture: str
    kinds: tuple[str, ...]
    every: int
    """Compressed modules take long to read: every so manieth is judged."""


_CASES = (
    Case("6.1", "amd64", "6.12", "amd64", ("crc",), 1),
    Case("6.1", "arm64", "6.1", "amd64", ("machine",), 1),
    Case("5.10", "amd64", "6.1", "amd64", ("crc",), 1),
    Case("6.12", "amd64", "7.x", "amd64", ("vermagic",), 4),
    Case("6.12", "arm64", "6.12", "amd64", ("machine",), 40),
    Case("7.x", "amd64", "6.12", "amd64", ("struct-module", "vermagic", "force-disabled"), 4),
)
# Reading the modules' exports takes half a minute where they are compressed
_WITH_DUMPS = (("6.1", "amd64"), ("6.1", "arm64"), ("5.10", "amd64"), ("6.12", "amd64"))
# Later kernels are signed with keys of another kind
_WITH_RSA_KEYS = (("6.1", "amd64"), ("6.1", "arm64"), ("5.10", "amd64"))
_WITH_IMAGES = (("7.x", "amd64"), ("6.12", "arm64"))


def own_kernel(packages: KernelPackages, paths: Sequence[Path]) -> list[str]:
    """What is wrong with the verdicts of a kernel on its own modules."""
    judge = Judge(KernelFacts.read([packages.headers, packages.modules]))
    faults = []
    for path in paths:
        verdict = judge.verdict(str(path))
        if not verdict.loads or verdict.remarks or verdict.unknowns or set(verdict.taints) - {"C", "N"}:
            faults.append(_described(verdict))
    return faults


def other_kernel(packages: KernelPackages, paths: Sequence[Path], kinds: Sequence[str]) -> list[str]:
    """What is wrong with the verdicts of another kernel: every module is refused, first for one of ``kinds``."""
    judge = Judge(KernelFacts.read([packages.headers]))
    verdicts = [judge.verdict(str(path)) for path in paths]
    return [_described(verdict) for verdict in verdicts if not verdict.reasons or verdict.reasons[0].kind not in kinds]


def _described(verdict: Verdict) -> str:
    kinds = Counter(reason.kind for reason in verdict.reasons)
    text = verdict.reasons[0].text if verdict.reasons else "; ".join(
        [*(remark.text for remark in verdict.remarks), *verdict.unknown]
    )  # fmt: skip
    return f"{Path(verdict.path).name}: {dict(kinds)} {verdict.taints} {text}"


def dump_differences(packages: KernelPackages) -> list[str]:
    """Lines of the rebuilt and the shipped Module.symvers that are in one only."""
    dump = dump_from(sources_in([str(packages.kernel_image), str(packages.modules)]))
    ours = {line.text for line in dump_lines(dump)}
    unknown = [line.text for line in dump_lines(dump) if line.unknown]
    shipped = set((packages.headers / "Module.symvers").read_text().splitlines(keepends=True))
    lines = [f"unknown: {text!r}" for text in unknown] + [f"only ours: {text!r}" for text in sorted(ours - shipped)]
    return lines + [f"only shipped: {text!r}" for text in sorted(shipped - ours)]


def image_differences(packages: KernelPackages) -> list[str]:
    """The same for vmlinux's exports alone."""
    facts = KernelFacts.read([packages.kernel_image])
    shipped = {offer for offer in dump_offers(str(packages.headers / "Module.symvers")) if offer.is_in_vmlinux}
    # A kernel without symbol versions has no CRCs, for which a Module.symvers says zero
    ours = {offer._replace(crc=offer.crc or 0) for offer in facts.offers.values()}
    return sorted(f"differs: {offer.symbol}" for offer in shipped ^ ours)


def learnt_differences(packages: KernelPackages) -> list[str]:
    """What modules alone tell is true: no known field differs from the shipped Module.symvers."""
    shipped = {offer.symbol: offer for offer in dump_offers(str(packages.headers / "Module.symvers"))}
    found = []
    for offer in dump_from(sources_in([str(packages.modules)])).offers:
        true = shipped.get(offer.symbol)
        if true is None or offer.merged(true) != true:
            found.append(f"learnt {offer}, shipped {true}")
    return found


def signature_faults(packages: KernelPackages, paths: Sequence[Path]) -> list[str]:
    """What is wrong with the verdicts on signatures: shipped ones are true, those of changed modules are not."""
    judge = Judge(KernelFacts.read([packages.headers, packages.kernel_image]))
    faults = []
    for path in paths:
        verdict = judge.verdict(str(path))
        if not verdict.loads or any(unknown.kind == "signature" for unknown in verdict.unknowns):
            faults.append(_described(verdict))
        data = path.read_bytes().replace(b"license=", b"License=", 1)
        changed = judge.verdict(ModuleFile(str(path), data))
        if changed.errno != "EKEYREJECTED":
            faults.append(f"changed: {_described(changed)}")
    return faults


class Counts:
    """Prints what was compared and counts."""

    def __init__(self) -> None:
        self.compared = self.different = 0

    def show(self, what: str, count: int, compare: Callable[[], list[str]]) -> None:
        """Compare, and print a line, and the first differences."""
        started = time.monotonic()
        try:
            found = compare()
        except NotAvailable as error:
            print(f"NOT RUN: {what}: {error}", flush=True)
            return
        self.compared += 1
        self.different += bool(found)
        verdict = f"{len(found)} DIFFERENCES" if found else "equal"
        print(f"{verdict}  {what} ({count}, {time.monotonic() - started:.1f} s)", flush=True)
        for line in found[:10]:
            print(f"    {line}", flush=True)


def _chosen(label: str | None, architecture: str | None) -> Iterator[Case]:
    for case in _CASES:
        if label in (None, case.label) and architecture in (None, case.architecture):
            yield case


def compare(case: Case, counts: Counts) -> None:
    """All comparisons of one case; raises NotAvailable."""
    packages = KernelPackages(KERNELS[case.label], case.architecture)
    other = KernelPackages(KERNELS[case.other_label], case.other_architecture)
    paths = sorted(packages.modules.rglob("*.ko*"))[:: case.every]
    name = f"{case.label} {case.architecture}"
    counts.show(f"{name}: its own modules load", len(paths), lambda: own_kernel(packages, paths))
    some = paths[::20]
    other_name = f"{case.other_label} {case.other_architecture}"
    counts.show(
        f"{name}: {other_name} refuses its modules", len(some), lambda: other_kernel(other, some, case.kinds)
    )
    exports = sum(1 for _ in dump_offers(str(packages.headers / "Module.symvers")))
    if (case.label, case.architecture) in _WITH_DUMPS:
        counts.show(f"{name}: Module.symvers from image and modules", exports, lambda: dump_differences(packages))
        counts.show(f"{name}: Module.symvers from modules alone", exports, lambda: learnt_differences(packages))
    if (case.label, case.architecture) in _WITH_RSA_KEYS:
        counts.show(f"{name}: signatures of its modules", len(some), lambda: signature_faults(packages, some))
    if (case.label, case.architecture) in _WITH_IMAGES:
        counts.show(f"{name}: exports of the image", exports, lambda: image_differences(packages))


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare; exit status 1 for any difference."""
    parser = argparse.ArgumentParser(prog="tests.conformance.modcheck_kernels")
    parser.add_argument("--kernel", choices=sorted({case.label for case in _CASES}))
    parser.add_argument("--architecture", choices=sorted({case.architecture for case in _CASES}))
    options = parser.parse_args(arguments)
    counts = Counts()
    for case in _chosen(options.kernel, options.architecture):
        try:
            compare(case, counts)
        except NotAvailable as error:
            print(f"NOT RUN: {case.label} {case.architecture}: {error}", flush=True)
    print(f"{counts.compared} comparisons, {counts.different} differences")
    return 1 if counts.different else 0


if __name__ == "__main__":
    sys.exit(main())
