# SPDX-License-Identifier: GPL-2.0-or-later
"""Measures our kmod programs against Debian's kmod, side by side on the same modules.

    python bench/kmod.py [--rounds N] [--only PROGRAM]... [--kernel LABEL]

The programs take turns, so that a busy machine slows both; the figures are medians of wall time and the ratio of
them.  Every output is compared with the C program's: a wrong one ends the run with exit status 1, and so does a
figure that misses its must.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.conformance.debian import NotAvailable  # noqa: E402
from tests.conformance.kernels import KERNELS, KernelPackages  # noqa: E402
from tests.conformance.kmod_programs import kmod  # noqa: E402
from tests.kmod.depmod_trees import CACHE, made_files  # noqa: E402

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"}


class Row(NamedTuple):
    """One line of the report; ``ratio`` is our time to the C program's, ``must`` what it may be at most."""

    work: str
    c_seconds: float
    our_seconds: float
    must: float

    @property
    def ratio(self) -> float:
        return self.our_seconds / self.c_seconds

    @property
    def verdict(self) -> str:
        return "must reached" if self.ratio <= self.must else "MUST MISSED"

    def __str__(self) -> str:
        times = f"{self.c_seconds:8.2f} s {self.our_seconds:8.2f} s"
        return f"{self.work:52} {times} {self.ratio:7.2f} x  at most {self.must:.1f} x: {self.verdict}"


class Run(NamedTuple):
    """One run of a program."""

    seconds: float
    status: int
    stdout: bytes
    stderr: bytes


def run(command: Sequence[str], directory: Path, executable: Path | str | None = None) -> Run:
    """Run a command, its output going to a file."""
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        start = time.perf_counter()
        done = subprocess.run(
            command, executable=executable, cwd=directory, env=ENVIRONMENT, stdout=stdout, stderr=stderr
        )
        seconds = time.perf_counter() - start
        stdout.seek(0)
        stderr.seek(0)
        return Run(seconds, done.returncode, stdout.read(), stderr.read())


def ours(module: str, name: str, arguments: Sequence[str]) -> list[str]:
    """The command of one of our programs: ``modpost_py.kmod.MODULE``, called by a C program's name."""
    program = f"import sys; sys.argv[0] = {name!r}; from modpost_py.kmod.{module} import main; sys.exit(main())"
    return [sys.executable, "-c", program, *arguments]


def median(runs: Sequence[Run]) -> float:
    """The median of the wall times."""
    return statistics.median(run.seconds for run in runs)


# ---- modinfo


def modinfo(label: str, rounds: int) -> list[Row]:
    """``modinfo`` on all modules in one call."""
    directory = KernelPackages(KERNELS[label]).modules
    files = sorted(str(path.relative_to(directory)) for path in directory.rglob("*.ko*"))
    theirs: list[Run] = []
    our: list[Run] = []
    for _ in range(rounds):
        theirs.append(run(["modinfo", *files], directory, kmod()))
        our.append(run(ours("modinfo_cli", "modinfo", files), directory))
        if our[-1][1:] != theirs[-1][1:]:
            sys.exit("modinfo-py and modinfo wrote different things")
    suffix = files[0].rpartition(".")[2]
    return [Row(f"modinfo: {len(files)} modules of {label} (.{suffix}), one call", median(theirs), median(our), 2.0)]


# ---- depmod


def depmod(label: str, rounds: int) -> list[Row]:
    """``depmod`` on all modules: without a cache, and when nothing has changed since the last run."""
    modules = KernelPackages(KERNELS[label]).modules
    with tempfile.TemporaryDirectory() as root:
        directory = Path(root) / "lib/modules" / modules.name
        directory.mkdir(parents=True)
        for name in ("kernel", "modules.order", "modules.builtin", "modules.builtin.modinfo"):
            if (modules / name).exists():
                (directory / name).symlink_to(modules / name)
        arguments = ["-b", root, modules.name]
        theirs: list[Run] = []
        cold: list[Run] = []
        unchanged: list[Run] = []
        for _ in range(rounds):
            theirs.append(run(["depmod", *arguments], directory, kmod()))
            wanted = made_files(directory)
            (directory / CACHE).unlink(missing_ok=True)
            for runs in (cold, unchanged):
                runs.append(run(ours("depmod_cli", "depmod", arguments), directory))
                if made_files(directory) != wanted or runs[-1][1:] != theirs[-1][1:]:
                    sys.exit("depmod-py and depmod wrote different things")
        count = wanted["modules.dep"].count(b"\n")
    what = f"depmod: {count} modules of {label}"
    return [
        Row(f"{what}, without a cache", median(theirs), median(cold), 3.0),
        Row(f"{what}, nothing changed", median(theirs), median(unchanged), 1.0),
    ]


#: What is measured: a program's name, and what gives its rows for the label of a kernel and a number of rounds.
PROGRAMS: dict[str, Callable[[str, int], list[Row]]] = {
    "modinfo": modinfo,
    "depmod": depmod,
}


def main() -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", action="append", choices=tuple(PROGRAMS))
    parser.add_argument("--kernel", choices=tuple(KERNELS), default="6.1")
    arguments = parser.parse_args()
    print(f"Debian's kmod 30; {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    print(f"{'':52} {'C':>10} {'ours':>10} {'ratio':>9}")
    missed = 0
    for name in arguments.only or PROGRAMS:
        try:
            rows = PROGRAMS[name](arguments.kernel, arguments.rounds)
        except NotAvailable as reason:
            print(f"NOT RUN: {name}: {reason}")
            missed += 1
            continue
        for row in rows:
            print(row, flush=True)
            missed += "MISSED" in row.verdict
    print(f"load {os.getloadavg()[0]:.1f}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
