# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's modules and made-up trees through kmod's depmod and ours: files, messages and exit status must be the same.

    python -m tests.conformance.depmod_files [--kernel LABEL]... [--seed S] [--trees N] [--write-cases]

Kernels: all modules of a package with its Module.symvers, and once more when nothing has changed.  Trees: the cases of
the hermetic tests, and random ones with every kind of configuration, or with damaged modules.  Trees at which kmod
crashes, goes round in a circle for ever, or writes outside of its tables are counted, not compared.  ``--write-cases``
writes kmod's answers into the cases of the tests.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.conformance.debian import NotAvailable
from tests.conformance.kernels import KERNELS, KernelPackages
from tests.conformance.kmod_programs import kmod
from tests.conformance.random_depmod_trees import random_tree
from tests.kmod.depmod_trees import CACHE, RELEASE, as_text, made_files, write_tree
from tests.kmod.test_depmod import CASES, OWN, write_case

_REPOSITORY = Path(__file__).resolve().parents[2]
_KERNELS = ("6.1", "6.12", "7.x")
_INPUTS = ("kernel", "modules.order", "modules.builtin", "modules.builtin.modinfo")
_OUR_PROGRAM = "import sys; sys.argv[0] = 'depmod'; from modpost_py.kmod.depmod_cli import main; sys.exit(main())"

# kmod can go round in a cycle until its memory ends
_MEMORY = 1 << 28
_SECONDS = 5
# A key for which kmod writes outside of its tables, with whatever consequence
_NOT_ASCII = b" is not ASCII and left out of "
_OUT_OF_MEMORY = (b"Cannot allocate memory", b"No memory to report cycles")


class Outcome(NamedTuple):
    """What one run gave."""

    status: int
    stdout: bytes
    stderr: bytes
    files: dict[str, bytes]

    @property
    def is_crash(self) -> bool:
        """Whether the program was ended by a signal, or its memory or time ran out."""
        return self.status < 0

    def differences(self, other: Outcome) -> list[str]:
        """The names of the fields and files that differ."""
        fields = [name for name in ("status", "stdout", "stderr") if getattr(self, name) != getattr(other, name)]
        names = sorted(set(self.files) | set(other.files))
        return fields + [name for name in names if self.files.get(name) != other.files.get(name)]


def run(words: Sequence[str], directory: Path, is_ours: bool) -> Outcome:
    """Run kmod's depmod or ours with a modules directory that holds no results yet, and take them away again."""
    before = made_files(directory) if directory.is_dir() else {}
    outcome = run_over(words, directory, is_ours)
    if directory.is_dir():
        for name in (*outcome.files, CACHE):
            (directory / name).unlink(missing_ok=True)
        for name, data in before.items():
            (directory / name).write_bytes(data)
    return outcome


def run_over(words: Sequence[str], directory: Path, is_ours: bool) -> Outcome:
    """Run kmod's depmod or ours, and leave its files."""
    if is_ours:
        command, executable = [sys.executable, "-c", _OUR_PROGRAM, *words], sys.executable
    else:
        command, executable = ["depmod", *words], str(kmod())
    environment = {**os.environ, "PYTHONPATH": str(_REPOSITORY), "LC_ALL": "C"}
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        try:
            status = subprocess.run(
                command,
                executable=executable,
                stdout=stdout,
                stderr=stderr,
                env=environment,
                timeout=_SECONDS if not is_ours and RELEASE in words else 120,
                preexec_fn=None if is_ours else _limit_memory,
            ).returncode
        except subprocess.TimeoutExpired:
            status = -1
        stdout.seek(0)
        stderr.seek(0)
        # With -vv libkmod tells where its objects lie in memory
        lines = stderr.read(1 << 24).splitlines(keepends=True)
        printed = stdout.read(1 << 24), b"".join(line for line in lines if b"../libkmod/" not in line)
    if not is_ours and any(text in printed[1] for text in _OUT_OF_MEMORY):
        status = -1
    return Outcome(status, *printed, made_files(directory))


def _limit_memory() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


class Tally:
    """What was compared so far."""

    def __init__(self) -> None:
        self.compared = self.different = self.crashes = 0

    def compare(self, what: str, theirs: Outcome, our: Outcome, description: str = "") -> None:
        """Count one pair of runs, and print what differs."""
        if theirs.is_crash or _NOT_ASCII in our.stderr:
            self.crashes += 1
            if our.status not in (0, 1) or b"Traceback" in our.stderr:
                self.different += 1
                print(
                    f"{what}: kmod crashes, ours ends with {our.status}\n{our.stderr.decode(errors='replace')[-500:]}"
                )
            return
        self.compared += 1
        differences = theirs.differences(our)
        if differences:
            self.different += 1
            print(f"DIFFERENT: {what}: {', '.join(differences)}")
            for name, outcome in (("kmod", theirs), ("ours", our)):
                print(f"  {name}: status {outcome.status}\n{outcome.stderr.decode(errors='replace')[:1500]}")
            if description:
                print(description)


def compare_kernel(label: str, tally: Tally) -> None:
    """All modules of one kernel's package; raises NotAvailable."""
    packages = KernelPackages(KERNELS[label])
    modules = packages.modules
    with tempfile.TemporaryDirectory() as root:
        directory = Path(root) / "lib/modules" / modules.name
        directory.mkdir(parents=True)
        for name in _INPUTS:
            if (modules / name).exists():  # since 7.x Debian's package of modules has no modules.order
                (directory / name).symlink_to(modules / name)
        count = sum(1 for _ in (modules / "kernel").rglob("*.ko*"))
        symvers = packages.headers / "Module.symvers"
        words = ["-w", "-e", "-E", str(symvers), "-b", root, modules.name]
        theirs = run(words, directory, is_ours=False)
        our = run_over(words, directory, is_ours=True)
        tally.compare(f"{label}: {count} modules", theirs, our)
        written = (directory / "modules.dep").stat().st_ino
        tally.compare(f"{label}, nothing changed", theirs, run_over(words, directory, is_ours=True))
        if (directory / "modules.dep").stat().st_ino != written:
            tally.different += 1
            print(f"{label}: files were written anew though nothing changed")
        if any((modules / "kernel").rglob("*.ko")):  # to uncompress all once more would take long
            words = ["-n", "-v", "-b", root, modules.name]
            theirs = run(words, directory, is_ours=False)
            tally.compare(f"{label}: -n -v", theirs, run(words, directory, is_ours=True))


def compare_cases(tally: Tally) -> None:
    """The cases of the hermetic tests."""
    for case in CASES:
        if case.name in OWN:
            continue
        with tempfile.TemporaryDirectory() as root:
            words = write_case(case, Path(root))[1:]
            directory = Path(root) / "lib/modules" / RELEASE
            tally.compare(case.name, run(words, directory, is_ours=False), run(words, directory, is_ours=True))


def compare_random(seed: int, tally: Tally) -> None:
    """One random tree."""
    with tempfile.TemporaryDirectory() as root:
        description, words = random_tree(random.Random(seed), root)
        directory = write_tree(description, Path(root))
        words += ["-b", root, RELEASE]
        theirs = run(words, directory, is_ours=False)
        tally.compare(f"seed {seed}: {' '.join(words)}", theirs, run(words, directory, is_ours=True), description)


def compare_damaged(seed: int, tally: Tally) -> None:
    """One random tree, in whose modules some bytes are changed."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as root:
        description, _ = random_tree(chance, root)
        directory = write_tree(description, Path(root))
        for path in sorted(directory.rglob("*.ko")):
            if path.is_file():
                path.write_bytes(damaged(chance, path.read_bytes()))
        words = ["-b", root, RELEASE]
        theirs = run(words, directory, is_ours=False)
        tally.compare(f"damaged, seed {seed}", theirs, run(words, directory, is_ours=True), description)


def damaged(chance: random.Random, data: bytes) -> bytes:
    """A file with a few bytes changed, mostly in its headers."""
    changed = bytearray(data)
    for _ in range(chance.randint(0, 3) if changed else 0):
        near_end = len(changed) - chance.randrange(min(len(changed), 700)) - 1
        place = chance.choice((chance.randrange(min(64, len(changed))), chance.randrange(len(changed)), near_end))
        changed[place] = chance.choice((0, 1, 255, chance.randrange(256)))
    return bytes(changed)


def write_cases() -> None:
    """Write kmod's answers, or ours where it has none, into the cases of the hermetic tests."""
    for case in CASES:
        with tempfile.TemporaryDirectory() as root:
            words = write_case(case, Path(root))[1:]
            outcome = run(words, Path(root) / "lib/modules" / RELEASE, is_ours=case.name in OWN)
            texts = {
                "stdout": outcome.stdout.decode(errors="surrogateescape").replace(root, "ROOT"),
                "stderr": outcome.stderr.decode(errors="surrogateescape").replace(root, "ROOT"),
                "status": f"{outcome.status}\n" if outcome.status else "",
                "made": as_text(outcome.files).replace(root, "ROOT"),
            }
            for name, text in texts.items():
                path = case / name
                path.unlink(missing_ok=True)
                if text:
                    path.write_text(text, errors="surrogateescape")


def main() -> int:
    """Compare; 0 if all is the same."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kernel", action="append", choices=tuple(KERNELS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--trees", type=int, default=160)
    parser.add_argument("--write-cases", action="store_true")
    arguments = parser.parse_args()
    if arguments.write_cases:
        write_cases()
        return 0
    tally = Tally()
    for label in _KERNELS if arguments.kernel is None else arguments.kernel:
        start = time.monotonic()
        try:
            compare_kernel(label, tally)
        except NotAvailable as reason:
            print(f"NOT RUN: {label}: {reason}")
            continue
        print(f"{label}: {time.monotonic() - start:.0f} s", flush=True)
    compare_cases(tally)
    for number in range(arguments.trees):
        compare_random(arguments.seed + number, tally)
        if number % 2:
            compare_damaged(arguments.seed + number, tally)
    print(
        f"{tally.compared} runs of depmod compared, {tally.crashes} in which kmod crashed, "
        f"{tally.different} differences"
    )
    return 1 if tally.different else 0


if __name__ == "__main__":
    sys.exit(main())
