# SPDX-License-Identifier: GPL-2.0-or-later
"""Random builds: the files, stderr and exit status of the C modpost against ours.

    python -m tests.conformance.fuzz_modpost [--runs N] [--seed S] [--kernel LABEL] [--keep DIRECTORY]

A build is a directory with a few modules (sometimes vmlinux), their ``.mod`` and ``.cmd`` files, symbol
dumps, sources, and a random command line.  Symbols, exports, name spaces, licences, CRCs and options
are drawn from small pools so that they meet.  Runs in which the C program crashes are counted, not compared.
"""

from __future__ import annotations

import argparse
import io
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from genksyms_py.gnu_getopt import OptionError
from modpost_py.cli import parse
from modpost_py.dialects import Dialect, dialect_of
from modpost_py.messages import Diagnostic, printed
from modpost_py.whole_run import Run
from tests.conformance.debian import NotAvailable
from tests.conformance.kernels import KERNELS, KernelPackages
from tests.modpost.elf_writer import (
    EM_386,
    EM_PPC,
    EM_PPC64,
    EM_S390,
    EM_SPARC,
    EM_SPARCV9,
    EM_X86_64,
    STB_GLOBAL,
    STB_LOCAL,
    STB_WEAK,
)
from tests.modpost.module_writer import ExportSpec, ModuleSpec, write_files

_NAMES = [
    "printk", "kmalloc", "foo", "foo_open", "bar", "bar.7", "foo_bar.7", "baz.123", "baz.isra.0", "x.9y",
    "q.1.constprop.0",
    ".dot", "dot", ".dot.7", "..7", "a..7",
    "module_layout", "init_module", "cleanup_module", "__this_module", "_GLOBAL_OFFSET_TABLE_",
    "__start_table", "__stop_table", "_restgpr0_14", "_restgpr_14", "_savefpr_1", ".TOC.", "__s390_indirect_jump_r1",
    "__gnu_lto_v1", "a", "b", "c", "d", "e", "f", "g", "h",
    "n" * 54, "n" * 55, "n" * 56, "n" * 59, "n" * 60, "l" * 300, "caf\xe9",
]  # fmt: skip
_NAMESPACES = ["", "", "", "", "NS", "USB", "module:foo", "module:foo,ba*", "module:*", "module:", "module:x*,,foo"]
_LICENSES = ["GPL", "GPL", "GPL", "GPL v2", "Dual MIT/GPL", "Proprietary", "GPLv3", ""]
_MODULE_NAMES = [
    "foo",
    "bar",
    "drivers/foo",
    "drivers/staging/st",
    "tools/testing/tt",
    "./baz",
    "m" * 55,
    "m" * 59,
    "foo-bar",
]
_KSYMTAB_SECTIONS = [None] * 12 + [
    "___ksymtab_unused+x", "___ksymtab_unused_gpl+x", "___ksymtab_gpl_future+x", "__ksymtab", "___ksymtab_gpl", ".data",
]  # fmt: skip
_DUMP_KINDS = ["EXPORT_SYMBOL"] * 6 + ["EXPORT_SYMBOL_GPL"] * 4 + [
    "EXPORT_UNUSED_SYMBOL", "EXPORT_UNUSED_SYMBOL_GPL", "EXPORT_SYMBOL_GPL_FUTURE", "unknown", "",
]  # fmt: skip
_CRC_FIELDS = ["0x00000000", "0x12345678", "0xdeadbeef", "12", "", " 0x5", "-1", "+7", "0xfffffffffffffffff", "ABC"]
_BAD_CRC_FIELDS = ["0x", "zz", "0x12 ", " ", "-"]
_SOURCES = [
    "int main(void) { return 0; }\n",
    '/* comment */ int x = "a b\\"c /* no */"; // line comment\nint y = 1; /*/ z;\n',
    'char *s = "\\\\"; char q = \'"\'; x\n"unterminated',
    "a\\\nb /* open",
    "",
    '""x"y"/**/z/ *\t\v\f\r\n"tab\tkept"',
]
_MACHINES = {
    (64, "little"): (EM_X86_64, EM_X86_64, EM_PPC64),
    (32, "little"): (EM_386,),
    (64, "big"): (EM_S390, EM_PPC64, EM_SPARCV9),
    (32, "big"): (EM_PPC, EM_SPARC),
}
_MODVERSION_LETTERS = {"5.10": "m", "6.1": "m", "6.12": "mMtW", "7.2": "mMtWxb", "7.3": "mMtWxb"}


@dataclass
class Build:
    """One random build: files by path, arguments, and what stands on stdin."""

    files: dict[str, bytes] = field(default_factory=dict)
    arguments: list[str] = field(default_factory=list)
    stdin: bytes = b""


class Outcome(NamedTuple):
    """What a run leaves behind."""

    status: int
    stderr: bytes
    files: dict[str, bytes]


# Names that no version ignores or takes for another one; of these a tame build exports each once.
_TAME_NAMES = [name for name in _NAMES if "." not in name and not name.startswith("_") and name != "init_module"]
_NEVER_EXPORTED = ("cleanup_module", "module_layout")


def _names(rng: random.Random, most: int, pool: list[str] = _NAMES) -> list[str]:
    return rng.sample(pool, rng.randrange(min(most, len(pool)) + 1))


def _export(rng: random.Random, name: str, tame: bool) -> ExportSpec:
    return ExportSpec(
        name,
        license=rng.choice(["", "", "GPL"]) if tame or rng.random() < 0.97 else "BSD",
        namespace=rng.choice(_NAMESPACES),
        crc=rng.choice([None, 0, 1, 0xABCD, rng.getrandbits(32), rng.getrandbits(32)]),
        is_function=rng.random() < 0.6,
        is_defined=tame or rng.random() < 0.95,
        bind=STB_GLOBAL if tame else rng.choice([STB_GLOBAL] * 8 + [STB_WEAK, STB_LOCAL]),
        section=rng.choice([".text"] * 5 + [".data", ".init.text", ".exit.text"]),
        crc_form=rng.choice(["absolute", "stored"]),
        ksymtab_section=None if tame else rng.choice(_KSYMTAB_SECTIONS),
    )


def _modinfo(rng: random.Random) -> list[str]:
    entries = [f"license={text}" for text in rng.choices(_LICENSES, k=rng.choice([0, 1, 1, 1, 1, 2]))]
    entries += [f"import_ns={name}" for name in rng.sample(["NS", "USB", "module:foo", "", "NS"], rng.randrange(3))]
    entries += rng.sample(["version=1.0", "description=x", "author=me", "license", "versions=2"], rng.randrange(5))
    rng.shuffle(entries)
    return entries


def _module(rng: random.Random, name: str, target: tuple[int, str], tame: bool, exportable: list[str]) -> ModuleSpec:
    exported = [_export(rng, export, tame) for export in _names(rng, 5, exportable)]
    if tame:
        exportable[:] = [symbol for symbol in exportable if symbol not in {export.name for export in exported}]
    if not tame and exported and rng.random() < 0.05:
        exported.append(_export(rng, exported[0].name, tame))
    order = list(range(len(exported)))
    rng.shuffle(order)
    own = {export.name for export in exported} if tame else set()
    return ModuleSpec(
        name,
        exports=exported,
        undefined=[symbol for symbol in _names(rng, 8) if symbol not in own],
        weak=[symbol for symbol in _names(rng, 2) if symbol not in own],
        modinfo=["license=GPL", "description=x"] if tame else _modinfo(rng),
        defined=rng.sample(["init_module", "cleanup_module", "local.12", "init_module.3"], rng.randrange(4)),
        no_trim=_names(rng, 2) if rng.random() < 0.3 else (),
        bits=target[0],
        byteorder=target[1],
        machine=rng.choice(_MACHINES[target]),
        export_order=order,
    )


def _dump(rng: random.Random, unused: list[str] | None) -> bytes:
    """A dump; where ``unused`` are given, it is a good one with these names, which are then used up."""
    lines = []
    tame = unused is not None
    names = _names(rng, 20, _NAMES if unused is None else unused)
    if unused is not None:
        unused[:] = [name for name in unused if name not in names]
    for name in names:
        kind = rng.choice(_DUMP_KINDS[:10] if tame else _DUMP_KINDS)
        crc = rng.choice(_CRC_FIELDS) if tame or rng.random() < 0.99 else rng.choice(_BAD_CRC_FIELDS)
        module = rng.choice(["vmlinux", "vmlinux", "drivers/foo", "other", "dir/other"])
        line = f"{crc}\t{name}\t{module}\t{kind}\t{rng.choice(_NAMESPACES)}"
        if not tame and rng.random() < 0.01:
            line = rng.choice(["", line[:-1].rpartition("\t")[0], line + "\tmore"])
        lines.append(line + "\n")
    text = "".join(lines)
    return (text.removesuffix("\n") if rng.random() < 0.1 else text).encode("latin-1")


def _wild_cmd_file(rng: random.Random, module: ModuleSpec) -> str:
    lines = [f"cmd_{module.name}.o := gcc\n"]
    for export in module.exports:
        crc = rng.choice(["0x12345678", "0X1f", "077", "12", "0", "0x", "x", "0x123456789abcdef01", "09", " 1", "5 "])
        lines.append(rng.choice([f"#SYMVER {export.name} {crc}\n"] * 6 + [f"#SYMVER {export.name}\n", "#SYMVER", "\n"]))
    return "".join(lines)


def _sources(rng: random.Random, module: ModuleSpec) -> dict[str, bytes]:
    """Sources, headers and a ``.cmd`` file as fixdep writes it, now and then with something odd in it."""
    directory, _, base = module.name.rpartition("/")
    directory = directory + "/" if directory else ""
    files = {f"{directory}{base}.c": rng.choice(_SOURCES), f"{directory}{base}.h": rng.choice(_SOURCES)}
    files["include/other.h"] = "never digested"
    dependencies = [f"{directory}{base}.h", "include/other.h", f"  {directory}{base}.h", "nowhere.h"]
    lines = [f"  {path} \\" for path in rng.sample(dependencies, rng.randrange(4))]
    source = f"source_{module.name}.o := {directory}{base}.c"
    if rng.random() < 0.05:
        source = rng.choice(["source_nothing", "source_x := missing.c", ""])
    crcs = [f"#SYMVER {export.name} 0x{export.crc or 0:08x}" for export in module.exports]
    text = "\n".join(["cmd_x := gcc", "", source, "", f"deps_{module.name}.o := \\", *lines, "", "x: y", *crcs, ""])
    files[f"{directory}.{base}.o.cmd"] = text
    return {path: text.encode("latin-1") for path, text in files.items()}


def random_build(rng: random.Random, dialect: Dialect, target: tuple[int, str]) -> Build:
    """One build; two in five are *tame*: nothing in them is an error, so that all files are written."""
    tame = rng.random() < 0.4
    build = Build()
    names = rng.sample([*_MODULE_NAMES[:6], "foo-bar"] if tame else _MODULE_NAMES, rng.randrange(1, 5))
    if rng.random() < 0.4:
        names.insert(rng.randrange(len(names) + 1), "vmlinux")
    paths = []
    exportable = [name for name in _TAME_NAMES if name not in _NEVER_EXPORTED] if tame else list(_NAMES)
    for name in names:
        module = _module(rng, name, target, tame, exportable)
        build.files.update(module.files(dialect.name))
        if rng.random() < 0.4:
            build.files.update(_sources(rng, module))
        if rng.random() < 0.1:
            directory, _, base = name.rpartition("/")
            build.files[f"{directory}/.{base}.o.cmd" if directory else f".{base}.o.cmd"] = _wild_cmd_file(
                rng, module
            ).encode("latin-1")
        paths.append(f"{name}.o")
    _damage(rng, build, paths, tame)
    _choose_arguments(rng, build, paths, dialect, exportable if tame else None)
    return build


def _damage(rng: random.Random, build: Build, paths: list[str], tame: bool) -> None:
    """Now and then: a file less, an object that is none, a path that leads nowhere or is no object's, one twice."""
    if tame:
        return
    if rng.random() < 0.03:
        build.files.pop(rng.choice(sorted(build.files)))
    for content in (b"", b"\x7fELF short", b"#!/bin/sh\n" * 20):
        if rng.random() < 0.03:
            build.files[paths[0]] = content
    for path in ("missing.o", "", "odd.ko", paths[0]):
        if rng.random() < 0.03:
            build.files.setdefault("odd.ko", build.files.get(paths[0], b""))
            paths.append(path)


def _choose_arguments(
    rng: random.Random, build: Build, paths: list[str], dialect: Dialect, unused: list[str] | None
) -> None:
    tame = unused is not None
    letters = [letter for letter in "eanwEN" if rng.random() < 0.35]
    letters += [
        letter for letter in _MODVERSION_LETTERS[dialect.name] if rng.random() < (0.75 if letter in "mM" else 0.4)
    ]
    if tame:
        letters = sorted({*letters, "e", "w", "N"} - {"E"})
    arguments = [f"-{letter}" for letter in letters]
    for number in range(rng.choice([0, 1, 1, 2])):
        build.files[f"dump{number}"] = _dump(rng, unused)
        arguments += ["-i", f"dump{number}"]
    if not tame and rng.random() < 0.02:
        arguments += ["-i", "missing-dump"]
    for chance, words in (
        (0.8, ["-o", "Module.symvers"]),
        (0.3, ["-d", "nsdeps"]),
        (0.01, ["-Z"]),
        (0.01, ["-o", "no/such/dir"]),
    ):
        if rng.random() < chance and (not tame or chance > 0.1):
            arguments += words
    if "u" in dialect.option_letters and rng.random() < 0.4:
        build.files["keep"] = "\n".join(_names(rng, 5)).encode("latin-1")
        arguments += ["-u", "keep"]
    listed = rng.randrange(len(paths) + 1) if rng.random() < 0.5 else len(paths)
    operands, listing = paths[:listed], "".join(f"{path}\n" for path in paths[listed:]).encode("latin-1")
    if listing or rng.random() < 0.1:
        if dialect.list_may_be_stdin and rng.random() < 0.5:
            build.stdin = listing
            arguments += ["-T", "-"]
        else:
            build.files["objects"] = listing
            arguments += ["-T", "objects"]
    place = rng.randrange(len(arguments) + 1) if not arguments or rng.random() < 0.2 else 0
    while place and arguments[place - 1] in ("-i", "-o", "-d", "-u", "-T"):
        place -= 1
    build.arguments = arguments[:place] + operands + arguments[place:]


# --- running ------------------------------------------------------------------------------


def _snapshot(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file()
    }


def run_c(program: Path, build: Build, directory: Path) -> Outcome:
    """Run the C program in a fresh directory."""
    write_files(directory, build.files)
    done = subprocess.run(
        [str(program), *[os.fsdecode(word.encode("latin-1")) for word in build.arguments]],
        cwd=directory,
        input=build.stdin,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        timeout=20,
        check=False,
    )
    return Outcome(done.returncode, done.stderr.replace(str(program).encode(), b"modpost"), _snapshot(directory))


def run_ours(dialect: Dialect, build: Build, directory: Path) -> Outcome:
    """The same with the library, in this process."""
    write_files(directory, build.files)
    found: list[Diagnostic] = []
    before, stdin = Path.cwd(), sys.stdin
    os.chdir(directory)
    sys.stdin = io.TextIOWrapper(io.BytesIO(build.stdin))
    try:
        options = parse([os.fsdecode(word.encode("latin-1")) for word in build.arguments], dialect)
        status = Run(options, dialect, found.append).execute().exit_status
        stderr = "".join(printed(diagnostic, dialect) for diagnostic in found).encode("latin-1")
    except OptionError as error:
        status, stderr = 1, f"modpost: {error}\n".encode()
    finally:
        os.chdir(before)
        sys.stdin = stdin
    return Outcome(status, stderr, _snapshot(directory))


def _difference(theirs: Outcome, ours: Outcome) -> str | None:
    if theirs.stderr != ours.stderr:
        return f"stderr\n--- C\n{theirs.stderr.decode('latin-1')}\n--- ours\n{ours.stderr.decode('latin-1')}"
    if theirs.status != ours.status:
        return f"exit status {theirs.status} != {ours.status}"
    for path in sorted({*theirs.files, *ours.files}):
        if theirs.files.get(path) != ours.files.get(path):
            their_file, our_file = theirs.files.get(path), ours.files.get(path)
            return f"{path}\n--- C\n{their_file!r}\n--- ours\n{our_file!r}"
    return None


def compare(program: Path, dialect: Dialect, build: Build, directory: Path) -> tuple[str, str | None]:
    """Run both; returns a word for the statistics and, where they differ, how."""
    theirs = run_c(program, build, directory / "c")
    ours = run_ours(dialect, build, directory / "ours")
    if theirs.status < 0:
        return "crashed", None
    found = _difference(theirs, ours)
    return ("differ" if found else f"status {theirs.status}"), found


def programs(label: str | None) -> Iterator[tuple[str, Dialect, tuple[int, str], Path]]:
    """Every C program that can be had: kernel, dialect, target, path."""
    for name, kernel in KERNELS.items():
        if label not in (None, name):
            continue
        packages = KernelPackages(kernel)
        for order, byteorder in (("lsb", "little"), ("msb", "big")):
            for bits in (64, 32):
                try:
                    program = packages.modpost(order, bits)
                    yield name, dialect_of(packages.version), (bits, byteorder), program
                except NotAvailable as reason:
                    print(f"NOT RUN: modpost of {name}, {bits} bits, {byteorder}: {reason}")


def main() -> int:
    """Compare; the exit status is 1 where something differs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=200, help="builds per program")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kernel", choices=tuple(KERNELS))
    parser.add_argument("--keep", type=Path, help="where to keep the builds that differ")
    parser.add_argument("--show", type=int, default=3, help="how many differences to print per program")
    arguments = parser.parse_args()
    failed = False
    for label, dialect, target, program in programs(arguments.kernel):
        counts: Counter[str] = Counter()
        shown = 0
        for number in range(arguments.runs):
            seed = f"{arguments.seed}-{number}-{dialect.name}-{target}"
            build = random_build(random.Random(seed), dialect, target)
            with tempfile.TemporaryDirectory() as directory:
                word, found = compare(program, dialect, build, Path(directory))
                counts[word] += 1
                if found and shown < arguments.show:
                    shown += 1
                    print(f"=== {label} {target} seed {seed}: {' '.join(build.arguments)}\n{found}")
                if found and arguments.keep:
                    shutil.copytree(directory, arguments.keep / seed, dirs_exist_ok=True)
        failed |= counts["differ"] > 0
        print(f"{label} ({dialect.name}) {target[0]} {target[1]}: {dict(counts)}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
