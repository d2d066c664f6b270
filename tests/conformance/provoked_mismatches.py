# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's modules with their read-only data renamed to init data: thousands of mismatches of real code.

    python -m tests.conformance.provoked_mismatches [--modules N] [--seed S] [--architecture A]...

A shipped module has no mismatch.  In copies, ``.rodata`` becomes ``.init.r`` wherever the name stands, so that every
reference from code to constants is one, with the symbols, addends and relocation types that compilers make: RELA of
64 bits in both byte orders, REL of 32-bit ARM.  Every C modpost reads all of them; stderr and exit status must be
the same.  Device tables are renamed away, since a modpost takes its host's pointers for the target's.
"""

from __future__ import annotations

import argparse
import lzma
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from modpost_py.cli import parse
from modpost_py.dialects import Dialect, dialect_of
from modpost_py.messages import Diagnostic, printed
from modpost_py.whole_run import Run
from tests.conformance.debian import NotAvailable
from tests.conformance.kernels import KERNELS, KernelPackages

# Architecture -> word size and byte order in the names of the C programs
_ARCHITECTURES = {"amd64": (64, "lsb"), "arm64": (64, "lsb"), "s390x": (64, "msb"), "armhf": (32, "lsb")}
_RENAMED = ((b".rodata", b".init.r"), (b"__mod_", b"__mxd_"))
_LARGEST = 400_000  # bytes of a module; larger ones would only repeat what the others have
_SOURCE_OF_MODULES = "6.1"


def _copy(module: Path, directory: Path) -> str | None:
    content = module.read_bytes()
    if module.suffix == ".xz":
        content = lzma.decompress(content)
    if len(content) > _LARGEST:
        return None
    for old, new in _RENAMED:
        content = content.replace(old, new)
    name = module.name.partition(".ko")[0]
    (directory / f"{name}.o").write_bytes(content)
    (directory / f"{name}.mod").write_bytes(b"")
    return name


def _our_run(directory: Path, dialect: Dialect, letters: str) -> tuple[str, int]:
    texts: list[str] = []

    def take(diagnostic: Diagnostic) -> None:
        texts.append(printed(diagnostic, dialect))

    options = parse([f"-{letters}", "-T", "list"], dialect)
    before = Path.cwd()
    os.chdir(directory)
    try:
        status = Run(options, dialect, take).execute().exit_status
    finally:
        os.chdir(before)
    return "".join(texts), status


def _compare(program: Path, version: str, architecture: str, directory: Path, letters: str) -> bool:
    """Compare one run, print the result; whether both are the same."""
    words = [str(program), f"-{letters}", "-T", "list"]
    run = subprocess.run(words, cwd=directory, capture_output=True, timeout=600)
    theirs = (run.stderr.decode("latin-1"), run.returncode)
    ours = _our_run(directory, dialect_of(version), letters)
    mismatches = theirs[0].lower().count("section mismatch in reference")
    verdict = "equal" if ours == theirs else "DIFFERENT"
    print(
        f"{architecture} modules, modpost {version} -{letters}: {mismatches} mismatches, "
        f"{theirs[0].count(chr(10))} lines, {verdict}",
        flush=True,
    )
    if ours != theirs:
        pairs = zip(ours[0].split("\n"), theirs[0].split("\n"), strict=False)
        differing = [(our, their) for our, their in pairs if our != their]
        for our, their in differing[:1]:
            print(f"    ours {our!r}\n    C    {their!r}", flush=True)
    return ours == theirs


def _compare_architecture(architecture: str, count: int, seed: int) -> tuple[int, int]:
    """Returns how many runs were compared and how many of them differ."""
    bits, byte_order = _ARCHITECTURES[architecture]
    modules = sorted(KernelPackages(KERNELS[_SOURCE_OF_MODULES], architecture).modules.rglob("*.ko*"))
    chosen = random.Random(seed).sample(modules, min(count, len(modules)))
    compared = differences = 0
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch)
        names = dict.fromkeys(name for module in chosen if (name := _copy(module, directory)) is not None)
        (directory / "list").write_text("".join(f"{name}.o\n" for name in names))
        for label, kernel in KERNELS.items():
            try:
                packages = KernelPackages(kernel)
                program = packages.modpost(byte_order, bits)
            except NotAvailable as error:
                print(f"NOT RUN: {label}: {error}", flush=True)
                continue
            for letters in ("w", "wW"):
                if set(letters) <= set(dialect_of(packages.version).option_letters):
                    compared += 1
                    differences += not _compare(program, packages.version, architecture, directory, letters)
    return compared, differences


def main() -> int:
    """Compare all architectures; exit status 1 if anything differs or nothing could be compared."""
    parser = argparse.ArgumentParser(description="Provoked section mismatches: the C modposts against ours.")
    parser.add_argument("--modules", type=int, default=150, help="modules of each architecture")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--architecture", action="append", choices=sorted(_ARCHITECTURES), help="only this one")
    arguments = parser.parse_args()
    compared = differences = 0
    for architecture in arguments.architecture or _ARCHITECTURES:
        try:
            runs, different = _compare_architecture(architecture, arguments.modules, arguments.seed)
        except NotAvailable as error:
            print(f"NOT RUN: {architecture}: {error}", flush=True)
            continue
        compared, differences = compared + runs, differences + different
    print(f"{compared} runs compared, {differences} differ")
    return 1 if differences or not compared else 0


if __name__ == "__main__":
    sys.exit(main())
