# SPDX-License-Identifier: GPL-2.0-or-later
"""genksyms-py against the C genksyms on preprocessed kernel files.

    python -m tests.conformance.genksyms_units LABEL ARCHITECTURE COUNT
    python -m tests.conformance.genksyms_units recorded

The first makes COUNT units of a Debian kernel and compares, for each, the CRC lines and the
symtypes file of a batch run with those of the kernel's own genksyms; for every fourth unit the
command for one file is run too, and its standard output, messages, symtypes file and exit status
are compared.  The second compares with the recorded results of 240 units that lie beside the
repository, where they do.

Exit status 1 and the first differences if anything differs.  What cannot be compared is
said in lines that begin with ``NOT RUN:``.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, cycle
from pathlib import Path

from tests.conformance.debian import NotAvailable
from tests.conformance.kernel_units import Export, UnitSet, unit_set
from tests.conformance.kernels import KERNELS, KernelPackages

_RECORDED = Path(__file__).absolute().parents[2].parent / "shared" / "tu"
_RECORDED_KERNEL = "6.1"
_JOBS = 2
_C_TIMEOUT_SECONDS = 120
_BATCH_TIMEOUT_SECONDS = 900
# Every so many units the command for one file is compared too; every second time with -w.
_SINGLE_STEP = 4
_SHOWN_DIFFERENCES = 10

# "#SYMVER name 0x12345678" or, up to 5.18, "__crc_name = 0x12345678;"
_CRC_LINE = re.compile(r"(?:#SYMVER |__crc_)(\S+) (?:= )?(0x[0-9a-f]{8});?")

#: Symbol and CRC in the order of the exports in the file.
Versions = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of a genksyms left: both streams, the exit status, the symtypes file (None: none written)."""

    stdout: bytes
    stderr: bytes
    status: int
    symtypes: bytes | None


def run_genksyms(command: Sequence[str | Path], unit: Path, *options: str) -> Run:
    """Run a genksyms, C or ours, on one unit with an empty reference and ``-T``."""
    with tempfile.TemporaryDirectory() as directory:
        types = Path(directory) / "types"
        with open(unit, "rb") as source:
            done = subprocess.run(
                [*command, *options, "-r", "/dev/null", "-T", str(types)],
                stdin=source, capture_output=True, timeout=_C_TIMEOUT_SECONDS,
            )  # fmt: skip
        return Run(done.stdout, done.stderr, done.returncode, types.read_bytes() if types.exists() else None)


def versions_of(stdout: bytes) -> Versions:
    """Symbols and CRCs from the C tool's standard output."""
    return _CRC_LINE.findall(stdout.decode("latin-1"))


@dataclass(frozen=True, slots=True)
class Batch:
    """What a batch run of ours gave: versions by unit, its messages, where the symtypes files are."""

    versions: dict[str, Versions]
    stderr: str
    status: int
    symtypes: Path

    def symtypes_of(self, unit: str) -> bytes | None:
        """The symtypes file of a unit, or None if there is none."""
        path = self.symtypes / f"{unit.removesuffix('.i')}.symtypes"
        return path.read_bytes() if path.exists() else None


def run_batch(kernel: str, root: Path, units: Sequence[str], output: Path) -> Batch:
    """Run genksyms-py over many units below ``root``."""
    (output / "units").write_text("".join(f"{unit}\n" for unit in units))
    done = subprocess.run(
        [
            sys.executable, "-m", "genksyms_py", "--batch", "-j", str(_JOBS), "--kernel", kernel,
            "--root", str(root), "--symtypes-dir", str(output / "symtypes"), "--files-from", str(output / "units"),
        ],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=_BATCH_TIMEOUT_SECONDS,
    )  # fmt: skip
    versions: dict[str, Versions] = {}
    for line in done.stdout.decode("latin-1").splitlines():
        unit, symbol, crc = line.split("\t")
        versions.setdefault(unit, []).append((symbol, crc))
    return Batch(versions, done.stderr.decode("latin-1"), done.returncode, output / "symtypes")


def compare_kernel(units: UnitSet, packages: KernelPackages, report: list[str]) -> Iterator[str]:
    """Differences between ours and the C tool on a set; what was compared is added to ``report``."""
    genksyms = packages.genksyms
    with tempfile.TemporaryDirectory() as temporary:
        root, output = Path(temporary) / "units", Path(temporary) / "ours"
        output.mkdir()
        units.unpack(root)
        with ThreadPoolExecutor(_JOBS) as pool:
            runs = dict(
                zip(units.paths, pool.map(lambda unit: run_genksyms([genksyms], root / unit), units.paths), strict=True)
            )
        expected = {unit: versions_of(run.stdout) for unit, run in runs.items()}
        print(f"{units.name} ({packages.version}): {_shipped(expected, units.exports)}", flush=True)
        batch = run_batch(packages.release, root, units.paths, output)
        yield from _batch_differences(batch, expected, {unit: run.symtypes for unit, run in runs.items()})
        singles = units.paths[::_SINGLE_STEP]
        with ThreadPoolExecutor(_JOBS) as pool:
            found = pool.map(
                lambda unit, options: list(_single_differences(packages, root / unit, unit, options)),
                singles, cycle(((), ("-w",))),
            )  # fmt: skip
            yield from chain.from_iterable(found)
    report.append(
        f"{units.name}: {len(units.paths)} units, {sum(map(len, expected.values()))} CRCs, "
        f"{len(runs)} symtypes files, {len(singles)} single runs"
    )


def _batch_differences(
    batch: Batch, expected: dict[str, Versions], symtypes: dict[str, bytes | None]
) -> Iterator[str]:
    if batch.status != 0:
        yield f"batch run: exit status {batch.status}: {batch.stderr.strip()[-500:]}"
    for unit, versions in expected.items():
        yield from _version_differences(unit, batch.versions.get(unit, []), versions)
        yield from _line_differences(f"{unit}, symtypes", batch.symtypes_of(unit), symtypes[unit])
    for unit in batch.versions.keys() - expected.keys():
        yield f"{unit}: CRCs for a unit that was not asked for"


def _version_differences(unit: str, ours: Versions, theirs: Versions) -> Iterator[str]:
    if ours == theirs:
        return
    our_names, their_names = ([name for name, _ in versions] for versions in (ours, theirs))
    if our_names != their_names:
        yield f"{unit}: exports differ: ours {len(our_names)}, C {len(their_names)}; " + _first_difference(
            our_names, their_names
        )
    wanted = dict(theirs)
    for name, crc in ours:
        if name in wanted and wanted[name] != crc:
            yield f"{unit}: {name}: ours {crc}, C {wanted[name]}"


def _single_differences(packages: KernelPackages, path: Path, unit: str, options: Sequence[str]) -> Iterator[str]:
    """The command for one file: everything it leaves is compared."""
    theirs = run_genksyms([packages.genksyms], path, *options)
    ours = run_genksyms([sys.executable, "-m", "genksyms_py", "--kernel", packages.release], path, *options)
    for what in ("stdout", "stderr", "symtypes"):
        yield from _line_differences(f"{unit}, single run, {what}", getattr(ours, what), getattr(theirs, what))
    if ours.status != theirs.status:
        yield f"{unit}, single run: exit status: ours {ours.status}, C {theirs.status}"


def _line_differences(what: str, ours: bytes | None, theirs: bytes | None) -> Iterator[str]:
    if ours == theirs:
        return
    if ours is None or theirs is None:
        yield f"{what}: {'ours is missing' if ours is None else 'C wrote none'}"
    else:
        yield f"{what}: " + _first_difference(
            ours.decode("latin-1").splitlines(), theirs.decode("latin-1").splitlines()
        )


def _first_difference(ours: Sequence[str], theirs: Sequence[str]) -> str:
    for number, (our, their) in enumerate(zip(ours, theirs, strict=False), 1):
        if our != their:
            start = next((at for at, (a, b) in enumerate(zip(our, their, strict=False)) if a != b), 0)
            start = max(0, start - 60)
            return f"line {number}: ours ...{our[start : start + 160]!r}, C ...{their[start : start + 160]!r}"
    return f"ours has {len(ours)} lines, C {len(theirs)}"


def _shipped(expected: dict[str, Versions], exports: dict[str, Export]) -> str:
    """How far the C tool's CRCs on our units are those that the distribution ships."""
    if not any(export.crc for export in exports.values()):
        return "this kernel is shipped without CRCs"
    computed = [(unit, *version) for unit, versions in expected.items() for version in versions]
    known = [version for version in computed if version[1] in exports]
    others = [f"{unit}:{name}" for unit, name, crc in known if int(crc, 16) != exports[name].crc]
    text = f"{len(known) - len(others)} of {len(known)} CRCs of the C tool are those in Module.symvers"
    return f"{text}; not {', '.join(others[:10])}" if others else text


def compare_recorded(directory: Path, report: list[str]) -> Iterator[str]:
    """Differences between ours and recorded results: CRCs in a table, symtypes files in an archive."""
    expected: dict[str, Versions] = {}
    for line in (directory / "6.1-amd64.expected.tsv").read_text().splitlines():
        unit, symbol, crc = line.split("\t")[:3]
        expected.setdefault(unit, []).append((symbol, crc))
    with tempfile.TemporaryDirectory() as temporary:
        root, output, recorded = (Path(temporary) / name for name in ("units", "ours", "recorded"))
        for archive, target in (("6.1-amd64.tar.zst", root), ("6.1-amd64.symtypes.tar.zst", recorded)):
            target.mkdir()
            command = ["tar", "-C", str(target), "-I", "zstd -d --long=27", "-xf", str(directory / archive)]
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        output.mkdir()
        units = sorted(str(path.relative_to(root)) for path in root.rglob("*.i"))
        symtypes = {
            unit: path.read_bytes() if (path := recorded / f"{unit.removesuffix('.i')}.symtypes").exists() else None
            for unit in units
        }
        batch = run_batch(_RECORDED_KERNEL, root, units, output)
        yield from _batch_differences(batch, {unit: expected.get(unit, []) for unit in units}, symtypes)
        yield from (f"{unit}: recorded, but not in the archive" for unit in expected.keys() - set(units))
    report.append(
        f"recorded: {len(units)} units, {sum(map(len, expected.values()))} CRCs, {len(symtypes)} symtypes files"
    )


def _excluded() -> set[str]:
    """The units that development could see; those compared here are others."""
    table = _RECORDED / "6.1-amd64.expected.tsv"
    return {line.split("\t")[0] for line in table.read_text().splitlines()} if table.is_file() else set()


def _differences(parsed: argparse.Namespace, report: list[str]) -> Iterator[str]:
    if shutil.which("zstd") is None:
        raise NotAvailable("zstd is not installed")
    if parsed.what == "recorded":
        if not (_RECORDED / "6.1-amd64.tar.zst").is_file():
            raise NotAvailable("the recorded units do not lie beside this repository")
        yield from compare_recorded(_RECORDED, report)
    else:
        packages = KernelPackages(KERNELS[parsed.what], parsed.architecture)
        excluded = _excluded() if (parsed.what, parsed.architecture) == (_RECORDED_KERNEL, "amd64") else set()
        yield from compare_kernel(unit_set(packages, parsed.count, excluded), packages, report)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="tests.conformance.genksyms_units", description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["recorded", *KERNELS])
    parser.add_argument("architecture", nargs="?", default="amd64")
    parser.add_argument("count", nargs="?", type=int, default=40)
    parsed = parser.parse_args(arguments)
    count = 0
    report: list[str] = []
    try:
        for count, difference in enumerate(_differences(parsed, report), 1):
            if count <= _SHOWN_DIFFERENCES:
                print(f"DIFFERENCE: {difference}", flush=True)
    except NotAvailable as error:
        print(f"NOT RUN: genksyms {parsed.what} {parsed.architecture}: {error}", flush=True)
    print("; ".join([*report, f"{count} differences"]), flush=True)
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
