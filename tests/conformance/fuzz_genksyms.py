# SPDX-License-Identifier: GPL-2.0-or-later
"""Random units through the C genksyms and through ours: stdout, -T file, messages and exit status must be equal.

Units on which the C tool runs for ever or out of memory are left out and counted.  A difference is reduced to a few
tokens before it is shown.
"""

from __future__ import annotations

import argparse
import difflib
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from genksyms_py.cli import main as command
from genksyms_py.crc_lines import crc_line
from genksyms_py.dialects import Dialect, dialect_of
from genksyms_py.versions import Versioner
from tests.conformance.debian import NotAvailable
from tests.conformance.declaration_generator import DeclarationGenerator, HeaderLibrary, Tokens, text_of
from tests.conformance.kernels import KERNELS, KernelPackages
from tests.conformance.plain_genksyms import Outcome, Request, Run, plain_run

_REFERENCE_WORDS = (
    "int", "t#u32", "s#A", "e#E", "E#E0", "E#RED", "u#B", "override", "extern", '"a', 'b"', "x#y", "{", "", "", "RED",
    "E0", "x", "u8", "\t", "##", "t#", "#", "y" * 255, "y" * 256, '"' + "y" * 254, "\0", "a\0b",
)  # fmt: skip

#: Neither messages nor anything else that calls for the exact engine.
QUIET = Request(warnings=False)

_CPU_SECONDS = 2
_MEMORY = 400 * 2**20


class Loops(Exception):  # noqa: N818 (a property of the input)
    """The C tool came to no end, or crashed."""


def c_run(genksyms: Path) -> Run:
    """The C tool as a function; it raises :class:`Loops`."""

    def run(source: bytes, request: Request) -> Outcome:
        with tempfile.TemporaryDirectory() as directory:
            types, reference = Path(directory, "types"), Path(directory, "reference")
            options = _options(request, {"types": types, "reference": reference})
            result = subprocess.run([genksyms, *options], input=source, capture_output=True, preexec_fn=_limit)
            if result.returncode < 0 or b"out of memory" in result.stderr:
                raise Loops
            texts = (result.stdout, types.read_bytes(), result.stderr)
            return Outcome(*(text.decode("latin-1") for text in texts), result.returncode)

    return run


def _options(request: Request, files: dict[str, Path]) -> list[str | Path]:
    options: list[str | Path] = ["-T", files["types"]]
    options += ["-w"] * request.warnings + ["-p"] * request.preserve
    options += ["-d"] * request.debug + ["-D"] * request.dump
    if request.reference is not None:
        files["reference"].write_text(request.reference, "latin-1", newline="")
        options += ["-r", files["reference"]]
    return options


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))


def command_run(dialect: Dialect) -> Run:
    """The command ``genksyms-py``, in a process of its own each time but without a new interpreter."""

    def run(source: bytes, request: Request) -> Outcome:
        with tempfile.TemporaryDirectory() as directory:
            files = {name: Path(directory, name) for name in ("types", "reference", "stdin", "stdout", "stderr")}
            files["stdin"].write_bytes(source)
            status = _forked(["--kernel", dialect.name, *_options(request, files)], files)
            types = files["types"].read_text("latin-1") if files["types"].exists() else ""
            stdout, stderr = (files[name].read_bytes().decode("latin-1") for name in ("stdout", "stderr"))
            # The C tool does not say the place in the reference.
            stderr = re.sub(r"(?m)^\S+: (Token too long|Unknown type .*)$", r"\1", stderr)
            return Outcome(stdout, types, stderr, status)

    return run


def _forked(arguments: Sequence[str | Path], files: dict[str, Path]) -> int:
    process = os.fork()
    if not process:
        for descriptor, (name, mode) in enumerate((("stdin", "rb"), ("stdout", "wb"), ("stderr", "wb"))):
            with open(files[name], mode) as file:
                os.dup2(file.fileno(), descriptor)
        sys.stdout = open(1, "w", encoding="latin-1", newline="", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", encoding="latin-1", newline="", closefd=False)  # noqa: SIM115
        command([str(argument) for argument in arguments])
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def batch_run(dialect: Dialect) -> Run:
    """The Python API, one object for all units, which remembers declarations from unit to unit; no messages."""
    versioner = Versioner(dialect, wants_symtypes=True)

    def run(source: bytes, request: Request) -> Outcome:
        assert request == QUIET
        unit = versioner.unit_versions(source)
        lines = (crc_line(dialect, version.name, version.crc) for version in unit.versions)
        return Outcome("".join(lines), unit.symtypes_text(), "", 0)

    return run


class Case(NamedTuple):
    """One comparison to be made."""

    tokens: Tokens
    request: Request


class Report:
    """What was compared and what differed."""

    def __init__(self) -> None:
        self.compared = 0
        self.left_out = 0
        self.differences: list[str] = []


def differs(case: Case, c_tool: Run, ours: Run) -> str:
    """What differs between the tools, as text; empty if nothing.  Raises :class:`Loops`."""
    source = text_of(case.tokens)
    expected = c_tool(source, case.request)
    found = ours(source, case.request)
    if found == expected:
        return ""
    lines: list[str] = []
    for name, left, right in zip(Outcome._fields, expected, found, strict=True):
        if left != right:
            diff = difflib.unified_diff(f"{left}".splitlines(), f"{right}".splitlines(), "C", "ours", n=0, lineterm="")
            lines += [f"{name}:", *diff]
    return "\n".join(lines)


def reduce_case(case: Case, is_bad: Callable[[Case], bool]) -> Case:
    """Leave out tokens as long as the case stays bad."""
    tokens = list(case.tokens)
    size = max(len(tokens) // 2, 1)
    while True:
        place = 0
        was_shortened = False
        while place < len(tokens):
            shorter = tokens[:place] + tokens[place + size :]
            if is_bad(case._replace(tokens=shorter)):
                tokens = shorter
                was_shortened = True
            else:
                place += size
        if size > 1:
            size //= 2
        elif not was_shortened:
            return case._replace(tokens=tokens)


def compare(cases: Iterator[Case], c_tool: Run, ours: Run, most_differences: int = 5) -> Report:
    """Compare the tools on all cases; stop after some differences."""
    report = Report()

    def is_bad(case: Case) -> bool:
        try:
            return bool(differs(case, c_tool, ours))
        except Loops:
            return False

    for case in cases:
        try:
            difference = differs(case, c_tool, ours)
        except Loops:
            report.left_out += 1
            continue
        report.compared += 1
        if difference:
            reduced = reduce_case(case, is_bad)
            source = text_of(reduced.tokens)
            report.differences.append(
                f"{source.decode('latin-1')}\n{source!r}\n{reduced.request}\n{differs(reduced, c_tool, ours)}"
            )
            if len(report.differences) >= most_differences:
                break
    return report


def plain_cases(seed: str, count: int) -> Iterator[Case]:
    """Units with ``-w``; every second one with ``-d``, which tells all definitions, exported or not, some ``-D``."""
    for number in range(count):
        generator = DeclarationGenerator(f"{seed}/{number}")
        yield Case(generator.maybe_damaged_tokens(), Request(debug=number % 2 == 1, dump=number % 10 == 2))


def quiet_cases(seed: str, count: int) -> Iterator[Case]:
    """Units without messages: the same as :func:`plain_cases` and as many that share headers."""
    library = HeaderLibrary(seed)
    for number in range(count):
        yield Case(DeclarationGenerator(f"{seed}/{number}").maybe_damaged_tokens(), QUIET)
        yield Case(library.unit(number), QUIET)


def reference_cases(seed: str, count: int, c_tool: Run) -> Iterator[Case]:
    """Units compared with the types of themselves or of a damaged twin (``-r``), half of them with ``-p``."""
    for number in range(count):
        generator = DeclarationGenerator(f"{seed}/reference/{number}")
        tokens = generator.tokens()
        try:
            types = c_tool(text_of(tokens), Request()).symtypes
        except Loops:
            continue
        if number % 3:
            generator.damage(tokens)
        reference = "".join(damaged_lines(types.splitlines(keepends=True), random.Random(f"{seed}/{number}")))
        yield Case(tokens, Request(preserve=number % 2 == 1, reference=reference, debug=number % 8 == 5))


def damaged_lines(lines: list[str], choose: random.Random) -> Iterator[str]:
    """Lines of a symtypes file: some lost, repeated, overridden, made extern or unknown, or with other tokens."""
    for line in lines:
        words = line.removesuffix("\n").split(" ")
        match choose.randrange(12):
            case 0:
                continue
            case 1:
                yield line
            case 2:
                words.insert(0, "override")
            case 3:
                words.insert(1, "extern")
            case 4 if words[0][:2] in ("s#", "u#", "e#"):
                kind = {"s": "struct", "u": "union", "e": "enum"}[words[0][0]]
                words[1:] = [kind, words[0][2:], "{", "UNKNOWN", "}", ""]
            case 5 | 6:
                words.insert(choose.randrange(len(words)), choose.choice(_REFERENCE_WORDS))
            case 7:
                words[choose.randrange(len(words))] = choose.choice(_REFERENCE_WORDS)
            case 8:
                words = ["override", *words, choose.choice(_REFERENCE_WORDS), ""]
        yield " ".join(words) + choose.choice(("\n",) * 20 + ("",))


def main() -> int:
    """Compare with each kernel's C tool; exit status 1 if anything differs or nothing could be compared."""
    parser = argparse.ArgumentParser(description="Random declarations: the C genksyms against ours.")
    parser.add_argument("--units", type=int, default=1000, help="units for each kernel")
    parser.add_argument("--seed", default="0")
    parser.add_argument("--kernel", action="append", choices=sorted(KERNELS), help="only this one (repeatable)")
    parser.add_argument("--only", action="append", choices=["engine", "command", "batch"], help="(repeatable)")
    arguments = parser.parse_args()
    compared = differences = 0
    for label in arguments.kernel or KERNELS:
        try:
            c_tool = c_run(KernelPackages(KERNELS[label]).genksyms)
        except NotAvailable as error:
            print(f"NOT RUN: {label}: {error}", flush=True)
            continue
        dialect = dialect_of(label if label[0] != "7" else "7.2")
        for name, ours, cases in _comparisons(arguments.seed, arguments.units, dialect, c_tool):
            if arguments.only and name.split()[0] not in arguments.only:
                continue
            report = compare(cases, c_tool, ours)
            compared += report.compared
            differences += len(report.differences)
            print(
                f"{label}, {name}: {report.compared} units compared, {report.left_out} left out (no end, or a crash, "
                f"in C), {len(report.differences)} differences",
                flush=True,
            )
            for difference in report.differences:
                print(f"{difference}\n", flush=True)
    return 1 if differences or not compared else 0


def _comparisons(seed: str, count: int, dialect: Dialect, c_tool: Run) -> Iterator[tuple[str, Run, Iterator[Case]]]:
    """What is compared with what: the exact engine alone, the command, and the API over many units."""
    yield "engine", plain_run(dialect), plain_cases(seed, count)
    yield "engine with a reference", plain_run(dialect), reference_cases(seed, count // 2, c_tool)
    yield "command", command_run(dialect), plain_cases(f"{seed}/command", count // 2)
    yield "command with a reference", command_run(dialect), reference_cases(f"{seed}/command", count // 4, c_tool)
    yield "batch", batch_run(dialect), quiet_cases(f"{seed}/batch", count)


if __name__ == "__main__":
    sys.exit(main())
