# SPDX-License-Identifier: GPL-2.0-or-later
"""Translation units of Debian's kernels, preprocessed as the kernel build does it for genksyms.

``python -m tests.conformance.kernel_units LABEL ARCHITECTURE COUNT`` prints the directory
with the units (``path/file.i.zst``) in the cache; the list of them is its ``units.tsv``.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.conformance.debian import NotAvailable, cache_directory, make_directory_once
from tests.conformance.kernel_build import KernelBuild, sources_in_use
from tests.conformance.kernels import KERNELS, KernelPackages

# Raise when the choice of files or the flags change, so that cached sets are made anew.
_GENERATION = 2
_PREPROCESS_TIMEOUT_SECONDS = 60
_JOBS = 2

_EXPORT = re.compile(r"^\s*EXPORT_[A-Z_]*SYMBOL[A-Z_]*\(\s*(\w+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Export:
    """A line of Module.symvers: the CRC, and the exporting module's path without suffix (``vmlinux`` if built in)."""

    crc: int
    module: str


def read_symvers(path: Path) -> dict[str, Export]:
    """The exports of a kernel by symbol, from ``CRC<TAB>symbol<TAB>module<TAB>...`` lines."""
    exports = {}
    for line in path.read_text().splitlines():
        crc, symbol, module, *_ = line.split("\t")
        exports[symbol] = Export(int(crc, 16), module)
    return exports


@dataclass(frozen=True, slots=True)
class UnitSet:
    """Preprocessed units of one kernel: ``paths`` like ``net/core/dev.i``, each stored as ``directory/path.zst``."""

    name: str
    directory: Path
    paths: tuple[str, ...]
    exports: dict[str, Export]

    def unpack(self, target: Path) -> None:
        """Write the uncompressed units below a directory."""
        for path in self.paths:
            (target / path).parent.mkdir(parents=True, exist_ok=True)
        compressed = [str(self.directory / f"{path}.zst") for path in self.paths]
        for packed, path in zip(compressed, self.paths, strict=True):
            subprocess.run(["zstd", "-dqf", packed, "-o", str(target / path)], check=True, stdin=subprocess.DEVNULL)


def unit_set(packages: KernelPackages, count: int, excluded: Collection[str] = ()) -> UnitSet:
    """``count`` units of a kernel, from every top directory; made once, then taken from the cache.

    ``excluded`` are unit paths that must not be among them.  Raises NotAvailable.
    """
    key = hashlib.sha256("\n".join([str(_GENERATION), str(count), *sorted(excluded)]).encode()).hexdigest()[:8]
    name = f"{packages.release}_{packages.version}_{packages.architecture}_{key}"
    exports = read_symvers(packages.headers / "Module.symvers")
    directory = make_directory_once(
        cache_directory("units") / name,
        lambda target: _make_units(KernelBuild(packages), exports, count, excluded, target),
    )
    paths = tuple((directory / "units.tsv").read_text().split())
    return UnitSet(f"{packages.kernel.label} {packages.architecture}", directory, paths, exports)


def _make_units(
    build: KernelBuild, exports: dict[str, Export], count: int, excluded: Collection[str], target: Path
) -> None:
    """Preprocess files in order of choice until ``count`` have succeeded."""
    made: list[str] = []
    failures: list[str] = []
    choice = _choice(build, exports, count, excluded)
    with sources_in_use(), ThreadPoolExecutor(_JOBS) as pool:
        while len(made) < count:
            batch = [found for _, found in zip(range(count - len(made)), choice, strict=False)]
            if not batch:
                break
            results = pool.map(lambda chosen: _preprocess(build, chosen[0], chosen[1], target), batch)
            for path, message in results:
                if message:
                    failures.append(f"{path}\t{message}\n")
                else:
                    made.append(path)
    made += _preprocess_assembly_exports(build, exports, target)
    (target / "failures.tsv").write_text("".join(failures))
    if len(made) < count * 3 // 4:
        raise NotAvailable(f"only {len(made)} of {count} files could be preprocessed; last: {failures[-1:]}")
    (target / "units.tsv").write_text("".join(f"{path}\n" for path in sorted(made)))


def _choice(
    build: KernelBuild, exports: dict[str, Export], count: int, excluded: Collection[str]
) -> Iterator[tuple[str, str | None]]:
    """Source files with exports and their module, best spread first: ``("net/core/dev.c", None)``.

    Each top directory gets turns in proportion to a root of the number of its files, so
    that small ones are there and drivers do not crowd out the rest.
    """
    by_top: dict[str, list[str]] = defaultdict(list)
    for path in _exporting_files(build):
        if f"{path.removesuffix('.c')}.i" not in excluded:
            by_top[path.split("/")[0]].append(path)
    queue = []
    for paths in by_top.values():
        step = len(paths) ** -0.65
        queue += [((turn + 1) * step, path) for turn, path in enumerate(_spread(paths))]
    for _, path in sorted(queue):
        directory, _, file = path.rpartition("/")
        if file.removesuffix(".c") + ".o" not in build.rules(directory).objects:
            continue
        names = set(_EXPORT.findall((build.source / path).read_text(encoding="latin-1")))
        modules = [exports[name].module for name in sorted(names) if name in exports]
        if modules:
            yield path, None if modules[0] == "vmlinux" else modules[0].rpartition("/")[2]


def _exporting_files(build: KernelBuild) -> list[str]:
    """C files of the source that export something, other architectures' left out."""
    tops = sorted(path.name for path in build.source.iterdir() if path.is_dir() and path.name not in _NOT_KERNEL)
    places = [f"arch/{build.architecture.name}" if top == "arch" else top for top in tops]
    command = ["grep", "-rlE", "--include=*.c", r"^\s*EXPORT_[A-Z_]*SYMBOL", *places]
    result = subprocess.run(command, cwd=build.source, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return sorted(result.stdout.splitlines())


_NOT_KERNEL = frozenset({"LICENSES", "include", "rust", "samples", "scripts", "usr"})


def _spread(paths: Sequence[str]) -> list[str]:
    """The files of one top directory, its subdirectories taking turns, in an order that looks random but is fixed."""
    groups: dict[str, list[str]] = defaultdict(list)
    for path in sorted(paths, key=_scatter):
        groups["/".join(path.split("/")[1:-1][:1])].append(path)
    turns = [(turn, _scatter(group), path) for group, each in groups.items() for turn, path in enumerate(each)]
    return [path for _, _, path in sorted(turns)]


def _scatter(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _preprocess(build: KernelBuild, path: str, module: str | None, target: Path) -> tuple[str, str]:
    """Write one compressed unit; gives its path and the compiler's complaint (empty: none)."""
    unit = f"{path.removesuffix('.c')}.i"
    return unit, _write_unit(build, build.call(path, module), "", target / unit)


def _write_unit(build: KernelBuild, call: Sequence[str], source: str, plain: Path) -> str:
    """Run the preprocessor and compress what it writes; the complaint, or an empty text."""
    plain.parent.mkdir(parents=True, exist_ok=True)
    try:
        with open(plain, "wb") as output:
            result = subprocess.run(
                call, cwd=build.source, input=source.encode(), stdout=output, stderr=subprocess.PIPE,
                timeout=_PREPROCESS_TIMEOUT_SECONDS,
            )  # fmt: skip
        errors = [line for line in result.stderr.decode("latin-1").splitlines() if "error" in line]
        if result.returncode != 0:
            return (errors or ["failed without a message"])[0]
        compress = ["zstd", "-q", "-3", "-f", str(plain), "-o", f"{plain}.zst"]
        subprocess.run(compress, check=True, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return f"not done after {_PREPROCESS_TIMEOUT_SECONDS} s"
    finally:
        plain.unlink(missing_ok=True)
    return ""


def _preprocess_assembly_exports(build: KernelBuild, exports: dict[str, Export], target: Path) -> list[str]:
    """The unit for what assembly files export: kbuild makes C of their exports and of asm-prototypes.h."""
    arch = f"arch/{build.architecture.name}"
    if not (build.source / arch / "include/asm/asm-prototypes.h").is_file():
        return []
    texts = [path.read_text(encoding="latin-1") for path in sorted((build.source / arch).rglob("*.S"))]
    names = sorted({name for text in texts for name in _EXPORT.findall(text) if name in exports})
    lines = [f"#include <{name}.h>" for name in ("linux/kernel", "linux/string", "asm/asm-prototypes")]
    source = "\n".join([*lines, *(f"EXPORT_SYMBOL({name});" for name in names), ""])
    unit = f"{arch}/assembly-exports.i"
    call = [*build.call(f"{arch}/assembly-exports.c", None)[:-1], "-x", "c", "-"]
    return [] if not names or _write_unit(build, call, source, target / unit) else [unit]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line: make a set, print where it is."""
    parser = argparse.ArgumentParser(prog="tests.conformance.kernel_units", description=__doc__.splitlines()[0])
    parser.add_argument("label", choices=KERNELS)
    parser.add_argument("architecture")
    parser.add_argument("count", type=int)
    parser.add_argument("--exclude", type=Path, metavar="LIST", help="file whose first column are units to leave out")
    parsed = parser.parse_args(arguments)
    excluded = {line.split("\t")[0] for line in parsed.exclude.read_text().splitlines()} if parsed.exclude else set()
    try:
        print(unit_set(KernelPackages(KERNELS[parsed.label], parsed.architecture), parsed.count, excluded).directory)
    except NotAvailable as error:
        print(f"not available: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
