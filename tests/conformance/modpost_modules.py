# SPDX-License-Identifier: GPL-2.0-or-later
"""All modules of Debian's kernels through the C modpost and through ours: every output must be the same.

    python -m tests.conformance.modpost_modules [--kernel LABEL] [--architecture ARCH]

The modules of a package stand in for objects.  Three runs each: with the kernel's Module.symvers, as an
external build has it; the same with -E and every other module only, so that the modules' own exports are
missed; and without any dump, which leaves all symbols undefined.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from modpost_py.dialects import dialect_of
from tests.conformance.debian import NotAvailable
from tests.conformance.kernels import KERNELS
from tests.conformance.module_tree import MODVERSIONS_OPTIONS, ModuleTree, module_tree

_REPOSITORY = Path(__file__).resolve().parents[2]
_DUMP = "out.symvers"
_CASES = (
    ("5.10", "amd64"),
    ("6.1", "amd64"),
    ("6.1", "arm64"),
    ("6.1", "s390x"),
    ("6.1", "armhf"),
    ("6.12", "amd64"),
    ("7.x", "amd64"),
    ("7.x-backports", "amd64"),
)


class Outcome(NamedTuple):
    """What one run left."""

    status: int
    stderr: bytes
    dump: bytes | None
    sources: dict[str, bytes]


def run(command: Sequence[str], tree: ModuleTree) -> tuple[Outcome, float]:
    """One run in the tree, from a clean state; the seconds of wall time."""
    tree.remove_sources()
    dump = tree.directory / _DUMP
    dump.unlink(missing_ok=True)
    start = time.perf_counter()
    environment = {**os.environ, "PYTHONPATH": str(_REPOSITORY)}
    done = subprocess.run(command, cwd=tree.directory, env=environment, stderr=subprocess.PIPE, check=False)
    seconds = time.perf_counter() - start
    written = dump.read_bytes() if dump.exists() else None
    return Outcome(done.returncode, done.stderr, written, tree.sources()), seconds


def ours(release: str) -> list[str]:
    """The command of our modpost for a release."""
    return [sys.executable, "-c", "import sys; from modpost_py.cli import main; sys.exit(main())", "--kernel", release]


def differences(theirs: Outcome, our: Outcome) -> list[str]:
    """What differs, a line each."""
    found = []
    if theirs.status != our.status:
        found.append(f"exit status {theirs.status} != {our.status}")
    if theirs.stderr != our.stderr:
        pairs = zip(theirs.stderr.splitlines(), our.stderr.splitlines(), strict=False)
        first = next((pair for pair in pairs if pair[0] != pair[1]), (b"(end)", b"(end)"))
        found.append(f"stderr: {first[0]!r} != {first[1]!r}")
    if theirs.dump != our.dump:
        found.append("the dump differs")
    for path in sorted({*theirs.sources, *our.sources}):
        if theirs.sources.get(path) != our.sources.get(path):
            found.append(f"{path} differs")
    return found


def _variants(tree: ModuleTree, options: Sequence[str]) -> list[tuple[str, list[str]]]:
    half = list(tree.objects[::2])
    return [
        ("with Module.symvers", tree.arguments(options, _DUMP)),
        ("half, -E", [*options, "-E", "-i", "Module.symvers", *half]),
        ("without dump", [*options, "-w", "-o", _DUMP, *half]),
    ]


def compare(kernel: str, architecture: str) -> bool:
    """Compare all runs of one kernel; whether they were equal."""
    tree = module_tree(kernel, architecture)
    release = tree.packages.version
    equal = True
    for name, arguments in _variants(tree, MODVERSIONS_OPTIONS[dialect_of(release).name]):
        theirs, their_seconds = run([str(tree.modpost), *arguments], tree)
        our, our_seconds = run([*ours(release), *arguments], tree)
        found = differences(theirs, our)
        equal &= not found
        print(
            f"{kernel} {architecture} ({release}), {name}: {len(theirs.sources)} sources, "
            f"{theirs.stderr.count(bytes([10]))} lines on stderr, status {theirs.status}: "
            f"{'equal' if not found else 'DIFFERENT'} ({their_seconds:.1f} s, ours {our_seconds:.1f} s)",
            flush=True,
        )
        for line in found[:5]:
            print(f"    {line[:500]}")
    tree.remove_sources()
    return equal


def main() -> int:
    """Compare; the exit status is 1 where something differs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kernel", choices=tuple(KERNELS))
    parser.add_argument("--architecture")
    arguments = parser.parse_args()
    equal = True
    for kernel, architecture in _CASES:
        if arguments.kernel in (None, kernel) and arguments.architecture in (None, architecture):
            try:
                equal &= compare(kernel, architecture)
            except NotAvailable as reason:
                print(f"NOT RUN: {kernel} {architecture}: {reason}", flush=True)
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
