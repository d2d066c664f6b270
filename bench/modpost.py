# SPDX-License-Identifier: GPL-2.0-or-later
"""Measures modpost-py against the C modpost, side by side on the same modules.

    python bench/modpost.py [--rounds N] [--kernel LABEL]

All modules of Debian's kernel in one call with its Module.symvers, and one small module in one process.
The programs take turns, so that a busy machine slows both; the figures are medians of wall time, with all
processors.  Sources are removed before each run of the first kind (a clean build) and left there in the second
kind (nothing to write).  Every output is compared with the C program's: a wrong one ends the run with exit
status 1, and so does a figure that misses its must.  What a busy machine does to a program that uses
two processors it does not do to one that uses one: the load average is shown.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from modpost_py.dialects import dialect_of  # noqa: E402
from tests.conformance.debian import NotAvailable  # noqa: E402
from tests.conformance.kernels import KERNELS  # noqa: E402
from tests.conformance.module_tree import MODVERSIONS_OPTIONS, ModuleTree, module_tree  # noqa: E402

DUMP = "out.symvers"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}

ALL_MODULES_MUST, ALL_MODULES_AIM = 1.5, 1.0
MEMORY_MUST = 500.0
ONE_MODULE_MUST = 150.0


class Row(NamedTuple):
    """One line of the report; the lower the figure the better."""

    work: str
    c: str
    ours: str
    figure: str
    verdict: str


class Measured(NamedTuple):
    """One run: seconds of wall and CPU time, peak memory in megabytes (0 where not watched)."""

    wall: float
    cpu: float
    memory: float
    status: int
    stderr: bytes


def run(command: Sequence[str], directory: Path, watch_memory: bool = False) -> Measured:
    """Run a command; memory is the sum over its processes, pages that they share counted in each."""
    peak = [0.0]
    before = os.times()
    start = time.perf_counter()
    with subprocess.Popen(command, cwd=directory, env=ENVIRONMENT, stderr=subprocess.PIPE) as process:
        watcher = threading.Thread(target=_watch, args=(process, peak)) if watch_memory else None
        if watcher is not None:
            watcher.start()
        _, stderr = process.communicate()
        wall = time.perf_counter() - start
        if watcher is not None:
            watcher.join()
    after = os.times()
    cpu = after.children_user - before.children_user + after.children_system - before.children_system
    return Measured(wall, cpu, peak[0], process.returncode, stderr)


def _watch(process: subprocess.Popen[bytes], peak: list[float]) -> None:
    while process.poll() is None:
        peak[0] = max(peak[0], sum(_resident(pid) for pid in (process.pid, *_children(process.pid))))
        time.sleep(0.02)


def _children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _resident(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    except (OSError, IndexError):
        return 0.0


def ours(release: str, arguments: Sequence[str]) -> list[str]:
    """The command of our modpost."""
    program = "import sys; from modpost_py.cli import main; sys.exit(main())"
    return [sys.executable, "-c", program, "--kernel", release, *arguments]


def median(runs: Sequence[Measured], of: Callable[[Measured], float]) -> float:
    """The median of one figure."""
    return statistics.median(of(measured) for measured in runs)


def verdict(figure: float, must: float, aim: float | None = None) -> str:
    """Which of the targets is reached."""
    if aim is not None and figure <= aim:
        return "aim reached"
    return "must reached" if figure <= must else "MUST MISSED"


def _snapshot(tree: ModuleTree) -> tuple[bytes, dict[str, bytes]]:
    return (tree.directory / DUMP).read_bytes(), tree.sources()


def all_modules(tree: ModuleTree, rounds: int, clean: bool) -> list[Row]:
    """All modules in one call."""
    release = tree.packages.version
    arguments = tree.arguments(MODVERSIONS_OPTIONS[dialect_of(release).name], DUMP)
    theirs: list[Measured] = []
    our: list[Measured] = []
    for number in range(rounds):
        for command, runs in (([str(tree.modpost), *arguments], theirs), (ours(release, arguments), our)):
            if clean:
                tree.remove_sources()
            runs.append(run(command, tree.directory, watch_memory=runs is our and number == rounds - 1))
            if number == 0:
                snapshot = _snapshot(tree)
                if runs is theirs:
                    expected = snapshot
                elif snapshot != expected or our[0].stderr != theirs[0].stderr or our[0].status != theirs[0].status:
                    sys.exit("modpost-py and modpost wrote different things")
    ratio = median(our, lambda m: m.wall) / median(theirs, lambda m: m.wall)
    work = f"{len(tree.objects)} modules, {'all sources written' if clean else 'nothing changed'}"
    rows = [
        Row(
            work,
            f"{median(theirs, lambda m: m.wall):.2f} s ({median(theirs, lambda m: m.cpu):.2f} s CPU)",
            f"{median(our, lambda m: m.wall):.2f} s ({median(our, lambda m: m.cpu):.2f} s CPU)",
            f"{ratio:.2f} x",
            verdict(ratio, ALL_MODULES_MUST, ALL_MODULES_AIM),
        )
    ]
    memory = our[-1].memory
    rows.append(Row("  peak memory, all processes", "", f"{memory:.0f} MB", "", verdict(memory, MEMORY_MUST)))
    return rows


def one_module(tree: ModuleTree, rounds: int) -> Row:
    """The smallest module in a process of its own, with a Python that does nothing beside it."""
    release = tree.packages.version
    smallest = min(tree.objects, key=lambda path: (tree.directory / path).stat().st_size)
    options = MODVERSIONS_OPTIONS[dialect_of(release).name]
    command = ours(release, [*options, "-w", smallest])
    run(command, tree.directory)
    our = [run(command, tree.directory) for _ in range(rounds)]
    bare = [run([sys.executable, "-c", "pass"], tree.directory) for _ in range(rounds)]
    figure, start = median(our, lambda m: m.wall) * 1000, median(bare, lambda m: m.wall) * 1000
    # The target is for a Python that starts in 20 ms
    must = ONE_MODULE_MUST * max(1.0, start / 20)
    return Row(
        f"{Path(smallest).name} alone (Python alone: {start:.0f} ms)",
        "",
        f"{figure:.0f} ms ({median(our, lambda m: m.cpu) * 1000:.0f} ms CPU)",
        "",
        verdict(figure, must),
    )


def main() -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--kernel", choices=tuple(KERNELS), default="6.1")
    arguments = parser.parse_args()
    try:
        tree = module_tree(arguments.kernel, "amd64")
        program = tree.modpost
    except NotAvailable as reason:
        print(f"NOT RUN: modpost: {reason}")
        return 1
    print(
        f"modpost {tree.packages.version}, {program.name}; {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}"
    )
    rows = all_modules(tree, arguments.rounds, clean=True) + all_modules(tree, arguments.rounds, clean=False)
    rows.append(one_module(tree, 3 * arguments.rounds))
    tree.remove_sources()
    for row in rows:
        print(f"{row.work:48} {row.c:>26} {row.ours:>26} {row.figure:>8}  {row.verdict}")
    print(f"load {os.getloadavg()[0]:.1f}")
    return 1 if any("MISSED" in row.verdict for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
