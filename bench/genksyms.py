# SPDX-License-Identifier: GPL-2.0-or-later
"""Measures genksyms-py against the C genksyms, side by side on one core.

    python bench/genksyms.py [--files DIRECTORY] [--genksyms PROGRAM] [--rounds N] [--take N]

DIRECTORY holds preprocessed files (``*.i``) of a kernel 6.1; PROGRAM is that kernel's C genksyms.
Without them the corpus and the program of the conformance tests are taken.

All figures are CPU seconds (user and system) of the child processes, as the kernel accounts them.
The two programs take turns, so that a busy machine slows both, and medians are compared.  Every
result is compared with the C program's: a wrong one ends the run with exit status 1, and so does
a figure that misses its must.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import genksyms_py  # noqa: E402
from tests.conformance.debian import NotAvailable  # noqa: E402
from tests.conformance.kernel_units import unit_set  # noqa: E402
from tests.conformance.kernels import KERNELS, KernelPackages  # noqa: E402

ARCHIVE = ROOT.parent / "shared" / "tu" / "6.1-amd64.tar.zst"
FILES = 240
KERNEL = "6.1"
EXPANSION_FILE = "net/core/dev.i"
EXPANSION_ROUNDS = 5
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
_MARKER = re.compile(rb"__GENKSYMS_EXPORT_SYMBOL\([^)]*\);")


class WrongResultError(Exception):
    """genksyms-py printed something else than the C program; the text says where."""


@dataclass(frozen=True)
class Usage:
    """What one process used: CPU seconds, and resident memory at its peak in bytes."""

    cpu: float
    peak: int


@dataclass(frozen=True)
class Row:
    """One line of the report; ``figure``, ``must`` and ``aim`` in ``unit``, the lower the better."""

    work: str
    c: str
    ours: str
    figure: float
    must: float
    aim: float
    unit: str

    @property
    def verdict(self) -> str:
        """Which of the two targets is reached."""
        if self.figure <= self.aim:
            return "aim reached"
        return "must reached" if self.figure <= self.must else "MUST MISSED"


@dataclass
class Corpus:
    """The files to work on, below ``root``, and the programs to run on them."""

    root: Path
    names: list[str]
    genksyms: str
    outputs: Path
    c_lines: dict[str, bytes] = field(default_factory=dict)
    """What the C program printed for each file."""

    def run_c(self, name: str) -> Usage:
        """One run of the C program, with -T; its output is kept in ``c_lines``."""
        symtypes = self.outputs / "c" / Path(name).with_suffix(".symtypes")
        symtypes.parent.mkdir(parents=True, exist_ok=True)
        usage, self.c_lines[name] = run([self.genksyms, "-T", str(symtypes)], self.root / name)
        return usage

    def symtypes_differ(self, name: str, directory: str) -> bool:
        """Whether the ``-T`` file written below ``directory`` is another than the C program's."""
        written, expected = (
            (self.outputs / place / Path(name).with_suffix(".symtypes")).read_bytes() for place in (directory, "c")
        )
        return written != expected


def run(command: Sequence[str], stdin: Path) -> tuple[Usage, bytes]:
    """Run a program on a file; returns what it used and what it printed."""
    with stdin.open("rb") as source, tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdin=source, stdout=output, env=ENVIRONMENT)
        _pid, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise WrongResultError(f"{command[0]} on {stdin}: exit status {process.returncode}")
        output.seek(0)
        return Usage(usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024), output.read()


def our_program(*options: str) -> list[str]:
    """The command line of our program."""
    return [sys.executable, "-m", "genksyms_py", "--kernel", KERNEL, *options]


def measure_batch(corpus: Corpus, rounds: int) -> Iterator[Row]:
    """All files in one process, against a process of the C program for each."""
    listing = corpus.outputs / "files"
    listing.write_text("".join(f"{name}\n" for name in corpus.names))
    command = our_program("--batch", "-j", "1", "--root", str(corpus.root), "--files-from", str(listing))
    command += ["--symtypes-dir", str(corpus.outputs / "batch")]
    c_times, our_usages = [], []
    for number in range(rounds):
        progress(f"batch, round {number + 1} of {rounds}")
        c_times.append(sum(corpus.run_c(name).cpu for name in corpus.names))
        usage, printed = run(command, Path(os.devnull))
        our_usages.append(usage)
        check_batch(corpus, printed)
    c = statistics.median(c_times)
    ours = statistics.median(usage.cpu for usage in our_usages)
    peak = max(usage.peak for usage in our_usages)
    files = f"batch, {len(corpus.names)} files"
    yield Row(files, f"{c:.2f} s", f"{ours:.2f} s", ours / c, 0.5, 0.25, "x")
    yield Row(f"{files}: peak memory", "", f"{peak / 1e6:.0f} MB", peak / 1e6, 1000, 300, "MB")


def check_batch(corpus: Corpus, printed: bytes) -> None:
    """Compare the batch's lines and ``-T`` files with the C program's."""
    expected = []
    for name in corpus.names:
        for line in corpus.c_lines[name].decode().splitlines():
            _symver, symbol, crc = line.split()
            expected.append(f"{name}\t{symbol}\t{crc}")
    if printed.decode().splitlines() != expected:
        raise WrongResultError("the batch's CRCs are not those of the C program")
    for name in corpus.names:
        if corpus.symtypes_differ(name, "batch"):
            raise WrongResultError(f"{name}: the batch's -T file is not that of the C program")


def measure_single_files(corpus: Corpus) -> Iterator[Row]:
    """One file, one process, cold; the median over the files."""
    c_times, our_times = [], []
    for number, name in enumerate(corpus.names):
        progress(f"one file a process, {number + 1} of {len(corpus.names)}")
        symtypes = corpus.outputs / "single" / Path(name).with_suffix(".symtypes")
        symtypes.parent.mkdir(parents=True, exist_ok=True)
        c_times.append(corpus.run_c(name).cpu)
        usage, printed = run(our_program("-T", str(symtypes)), corpus.root / name)
        our_times.append(usage.cpu)
        if printed != corpus.c_lines[name] or corpus.symtypes_differ(name, "single"):
            raise WrongResultError(f"{name}: the output is not that of the C program")
    ratio = statistics.median(ours / c for ours, c in zip(our_times, c_times, strict=True))
    c, ours = statistics.median(c_times), statistics.median(our_times)
    yield Row("one file, one process, median", f"{c * 1e3:.0f} ms", f"{ours * 1e3:.0f} ms", ratio, 4, 2, "x")


def measure_expansion(corpus: Corpus) -> Iterator[Row]:
    """The expansion alone: a file with its exports less the same file without, all else being known."""
    name = EXPANSION_FILE if EXPANSION_FILE in corpus.names else max(corpus.names, key=lambda n: len(corpus.c_lines[n]))
    source = (corpus.root / name).read_bytes()
    bare = corpus.outputs / "without-exports.i"
    bare.write_bytes(_MARKER.sub(b"", source))
    c_times = []
    for number in range(EXPANSION_ROUNDS):
        progress(f"expansion of {name}, round {number + 1} of {EXPANSION_ROUNDS}")
        with_exports, printed = run([corpus.genksyms], corpus.root / name)
        without, _nothing = run([corpus.genksyms], bare)
        c_times.append(with_exports.cpu - without.cpu)
    command = [sys.executable, __file__, "--expansion", str(corpus.root / name), str(bare)]
    _usage, answer = run(command, Path(os.devnull))
    ours, lines = json.loads(answer)
    if lines.encode() != printed:
        raise WrongResultError(f"{name}: the CRCs are not those of the C program")
    # A small file's expansion drowns in the difference of two measured times.
    c = max(statistics.median(c_times), 1e-6)
    work = f"expansion of {name} ({len(printed.splitlines())} exports)"
    yield Row(work, f"{c * 1e3:.0f} ms", f"{ours * 1e3:.0f} ms", ours / c, 1, 0.2, "x")


def expansion_seconds(path: Path, bare: Path) -> tuple[float, str]:
    """Our CPU seconds for the expansion, median of some rounds, and the lines that the C program would print."""
    gc.disable()
    versioner = genksyms_py.Versioner(genksyms_py.dialect_of(KERNEL))
    source, bare_source = path.read_bytes(), bare.read_bytes()
    versions = versioner.unit_versions(source).versions
    times = []
    for _ in range(EXPANSION_ROUNDS + 1):
        start = time.process_time()
        versioner.unit_versions(bare_source)
        middle = time.process_time()
        versioner.unit_versions(source)
        times.append((time.process_time() - middle) - (middle - start))
    # The first round made the pieces without markers known.
    return statistics.median(times[1:]), "".join(f"#SYMVER {v.name} 0x{v.crc:08x}\n" for v in versions)


def report(rows: Sequence[Row]) -> None:
    """Print the table."""
    lines: list[tuple[str, ...]] = [("work", "genksyms", "genksyms-py", "figure", "must", "aim", "")]
    for row in rows:
        digits = 0 if row.unit == "MB" else 2
        figures = (f"{value:.{digits}f} {row.unit}" for value in (row.figure, row.must, row.aim))
        lines.append((row.work, row.c, row.ours, *figures, row.verdict))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        first, *middle, last = (cell.rjust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join((first.strip().ljust(widths[0]), *middle, last.strip())).rstrip())


def progress(text: str) -> None:
    """Tell a waiting person how far things are."""
    if sys.stderr.isatty():
        print(f"\r{text:<60}\r", end="", file=sys.stderr, flush=True)


def find_corpus(arguments: argparse.Namespace, directory: Path) -> Corpus:
    """The files and the program that were named, else those of the conformance tests."""
    genksyms = arguments.genksyms or str(KernelPackages(KERNELS[KERNEL], "amd64").genksyms)
    root = arguments.files
    if root is None:
        progress("unpacking the files")
        root = directory / "files"
        root.mkdir()
        unpack_files(root)
    names = sorted(str(path.relative_to(root)) for path in root.rglob("*.i"))
    if not names:
        raise NotAvailable(f"{root}: no .i files")
    return Corpus(root, names[: arguments.take], genksyms, directory)


def unpack_files(target: Path) -> None:
    """The archive of preprocessed files beside the repository, if there is one, else files made for the tests."""
    if ARCHIVE.is_file():
        unpacked = subprocess.run(["zstd", "-dcq", "--long=27", str(ARCHIVE)], check=True, stdout=subprocess.PIPE)
        subprocess.run(["tar", "-x", "-C", str(target)], input=unpacked.stdout, check=True)
    else:
        unit_set(KernelPackages(KERNELS[KERNEL], "amd64"), FILES).unpack(target)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="genksyms-py against the C genksyms: CPU time on one core, and memory")
    parser.add_argument("--files", type=Path, metavar="DIRECTORY", help="preprocessed files of a kernel 6.1")
    parser.add_argument("--genksyms", metavar="PROGRAM", help="the C genksyms of a kernel 6.1")
    parser.add_argument("--rounds", type=int, default=3, help="times that the batch is run (default 3)")
    parser.add_argument("--take", type=int, metavar="N", help="only the first N files (for a quick look)")
    parser.add_argument("--expansion", nargs=2, type=Path, help=argparse.SUPPRESS)
    parsed = parser.parse_args(arguments)
    if parsed.expansion:
        print(json.dumps(expansion_seconds(*parsed.expansion)))
        return 0
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory(prefix="bench-genksyms-") as outputs:
        try:
            corpus = find_corpus(parsed, Path(outputs))
            rows = [*measure_batch(corpus, parsed.rounds), *measure_single_files(corpus), *measure_expansion(corpus)]
        except WrongResultError as error:
            print(f"bench: wrong result: {error}", file=sys.stderr)
            return 1
        except NotAvailable as error:
            print(f"bench: NOT RUN: {error}", file=sys.stderr)
            return 2
    report(rows)
    return 1 if any(row.figure > row.must for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
