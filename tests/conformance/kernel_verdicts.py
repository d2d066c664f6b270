# SPDX-License-Identifier: GPL-2.0-or-later
"""What modcheck says about modules with a defect, beside what Debian's kernels say that are asked to load them.

    python -m tests.conformance.kernel_verdicts [KERNEL:ARCHITECTURE...]     (default: 6.1:amd64 and four more)

The modules of :mod:`tests.conformance.verdict_cases` are built through kbuild by our programs and changed.  A booted
kernel is given each; a case is equal if modcheck says the same of loading or refusing, the error number, the message
in the kernel's log, and the taint letters of the loaded module.  Kernels that are named get all cases; by default the
first gets all, the others those without words on the kernel's command line.
"""

from __future__ import annotations

import argparse
import errno
import lzma
import os
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from modpost_py.kmod.kernel_facts import KernelFacts
from modpost_py.kmod.modcheck import Circumstances, judge
from modpost_py.kmod.module_file import ModuleFile
from tests.conformance.boot import BootFailure, boot, emulator_for, kernel_and_architecture
from tests.conformance.debian import NotAvailable
from tests.conformance.kernels import KERNELS, KernelPackages
from tests.conformance.module_builds import BuildFailure, ModuleKit
from tests.conformance.verdict_cases import BUILD_ARGUMENTS, CASES, SHIPPED, SOURCES, Case, derived

_DEFAULT = ("6.1:amd64", "6.1:arm64", "6.12:amd64", "7.x:amd64", "5.10:amd64")
#: Whose refusals the table of cases states.
_STATED = "6.1:amd64"
#: The command lines with which the other kernels are booted.
_SHORT = ("",)

# Asks the kernel about the files /cases/$1.ko, whose module is called $2, after loading /loaded/NAME.ko for each of $3.
_SCRIPT_HEAD = """\
judge() {
	for name in $3; do load-module /loaded/$name.ko > /dev/null; done
	dmesg -c > /dev/null
	echo "case $1"
	cat /proc/sys/kernel/tainted
	echo "errno $(load-module /cases/$1.ko)"
	echo "taints $(cat /sys/module/$2/taint 2> /dev/null)"
	dmesg -c | sed 's/^\\[[^]]*\\] /log /'
	rmmod $2 2> /dev/null
	for name in $3; do rmmod verdict_${name%%-*} 2> /dev/null; done
}
"""

#: What the log says of a refusal -> its reason, in modcheck's words; the first that matches counts.
_REASONS: tuple[tuple[str, str], ...] = (
    (r"Invalid architecture in ELF header", "machine"),
    (r"Invalid ELF header type", "byte-order"),
    # 5.10 has one message for all of them.
    (r"Invalid ELF|invalid ELF", "damaged"),
    (r"section size must match the kernel's built struct module", "struct-module"),
    (r"version magic '.*' should be", "vermagic"),
    (r"disagrees about version of symbol|no symbol version for", "crc"),
    (r"from namespace \S+, but does not import it", "name-space"),
    (r"Unknown symbol", "missing-symbol"),
    (r"Loading of unsigned module is rejected|unsigned module loading is restricted", "unsigned"),
    (r"is blacklisted", "blacklisted"),
)
#: What a kernel's log does not tell apart, its words and the true reason: a symbol for GPL modules only from one that
#: lacks; on 5.10 the ways in which a file is no module for it.
_NOT_TOLD = {("missing-symbol", "gpl-only"), ("damaged", "machine"), ("damaged", "byte-order")}
#: The reason where the log says nothing.
_SILENT = {"EEXIST": "already-loaded", "EBADMSG": "signature", "EINVAL": "damaged", "ENOEXEC": "livepatch"}

#: The bits in /proc/sys/kernel/tainted of the letters that modules set (Documentation/admin-guide/tainted-kernels.rst).
_TAINT_BITS = {"P": 0, "F": 1, "C": 10, "O": 12, "E": 13, "K": 15, "N": 18}


class Verdict(NamedTuple):
    """An answer: why the module is refused (empty: it loads), the error's name, its taint letters, the log.

    ``taints_before`` are those that the kernel had.
    """

    refusal: str
    error: str
    taints: str
    log: tuple[str, ...]
    taints_before: str = ""

    def __str__(self) -> str:
        return f"refused: {self.refusal}, {self.error}" if self.error else f"loads, {self.taints or 'no taint'}"


class Subject(NamedTuple):
    """A kernel and the cases that it is asked about, with their modules and those that are loaded before."""

    name: str
    packages: KernelPackages
    modules: Mapping[str, bytes]
    cases: Sequence[tuple[Case, bytes]]


def prepare(name: str, directory: Path) -> Subject:
    """Build the modules for ``KERNEL:ARCHITECTURE`` in a directory; raises NotAvailable, BuildFailure."""
    label, _, architecture = name.partition(":")
    emulator_for(architecture)
    packages = KernelPackages(KERNELS[label], architecture)
    kit = ModuleKit(packages, directory / "tree")
    sources = directory / "modules"
    with kit.our_programs():
        kit.build_sources(sources, SOURCES, BUILD_ARGUMENTS)
    modules = {path.stem.removeprefix("verdict_"): path.read_bytes() for path in sources.glob("*.ko")}
    modules[SHIPPED] = shipped_module(packages, SHIPPED)
    modules = derived(modules)
    return Subject(name, packages, modules, list(_changed(name, modules)))


def _changed(name: str, modules: Mapping[str, bytes]) -> Iterator[tuple[Case, bytes]]:
    for case in CASES:
        try:
            yield case, case.module_bytes(modules)
        except ValueError as error:
            # Such as the mark of a mitigation that an architecture does not have.
            print(f"{name}: left out: {case.name} ({error})", flush=True)


def shipped_module(packages: KernelPackages, name: str) -> bytes:
    """A module of the distribution's, uncompressed; raises NotAvailable."""
    for path in packages.modules.rglob(f"{name}.ko*"):
        data = path.read_bytes()
        return lzma.decompress(data) if path.suffix == ".xz" else data
    raise NotAvailable(f"{packages.release} has no {name}")


def ask_kernel(subject: Subject, command_line: str) -> Iterator[tuple[Case, Verdict]]:
    """Boot the kernel and have it judge the cases of one command line; raises NotAvailable, BootFailure."""
    asked = [(case, data) for case, data in subject.cases if case.command_line == command_line]
    files = {f"loaded/{name}.ko": data for name, data in subject.modules.items()}
    calls = []
    for number, (case, data) in enumerate(asked):
        files[f"cases/{number}.ko"] = data
        calls.append(f"judge {number} {_kernel_name(case.module)} '{' '.join(case.loaded)}'\n")
    script = _SCRIPT_HEAD + "".join(calls)
    console = boot(subject.packages.kernel_image, files, script, subject.packages.architecture, command_line)
    answers = dict(_answers(console))
    if len(answers) != len(asked):
        raise BootFailure(f"{len(answers)} answers to {len(asked)} questions:\n{console}")
    for number, (case, _) in enumerate(asked):
        yield case, answers[number]


def _kernel_name(module: str) -> str:
    return SHIPPED.replace("-", "_") if module == SHIPPED else f"verdict_{module}"


def _answers(console: str) -> Iterator[tuple[int, Verdict]]:
    for text in re.split(r"^case ", console, flags=re.MULTILINE)[1:]:
        number, before, error, taints, *log = text.splitlines()
        value = int(error.removeprefix("errno "))
        # The kernel names the program that asked; modcheck speaks of insmod.
        lines = tuple(line.removeprefix("log ").replace(" load-module: ", " insmod: ") for line in log)
        name = errno.errorcode[value] if value else ""
        refusal = _reason(name, lines) if value else ""
        letters = "" if value else taints.removeprefix("taints").strip()
        yield int(number), Verdict(refusal, name, letters, lines, _letters(int(before)))


def _letters(tainted: int) -> str:
    return "".join(letter for letter, bit in _TAINT_BITS.items() if tainted >> bit & 1)


def _reason(error: str, log: Iterable[str]) -> str:
    text = "\n".join(log)
    return next((reason for pattern, reason in _REASONS if re.search(pattern, text)), _SILENT.get(error, "?"))


def ask_modcheck(subject: Subject, kernel: KernelFacts, case: Case, data: bytes, taints_before: str) -> Verdict:
    """What modcheck predicts for insmod; in ``log`` every line that it expects of a kernel with these taints."""
    loaded = [_module_file(name, subject.modules[name]) for name in case.loaded]
    circumstances = Circumstances(command_line=case.command_line, as_insmod=True)
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, f"{_kernel_name(case.module)}.ko")
        Path(path).write_bytes(data)
        verdict = judge(path, kernel, circumstances, loaded=loaded)
    # At the first reason the kernel stops; of a taint it speaks the first time only.
    said = [reason.log_line for reason in verdict.reasons[:1]]
    if verdict.loads:
        said += [taint.log_line for taint in verdict.taint_details if taint.letter not in taints_before]
        said += [remark.log_line for remark in verdict.remarks]
    log = tuple(line for line in said if line is not None)
    refusal = verdict.reasons[0].kind if verdict.reasons else ""
    return Verdict(refusal, verdict.errno or "", verdict.taints if verdict.loads else "", log, taints_before)


def _module_file(name: str, data: bytes) -> ModuleFile:
    return ModuleFile(f"{_kernel_name(name)}.ko", data)


def differences(case: Case, kernel: Verdict, predicted: Verdict, stated: bool) -> Iterator[str]:
    """What of a prediction is not what the kernel did, one line each."""
    if stated and not _same_reason(kernel.refusal, case.refusal):
        yield f"the table of cases says {case.refusal or 'loads'!r}: {kernel}"
    if kernel.error != predicted.error:
        yield "another error"
    if kernel.taints != predicted.taints:
        yield f"other taints: {predicted.taints!r} for {kernel.taints!r}"
    if not _same_reason(kernel.refusal, predicted.refusal):
        yield f"another reason: {predicted.refusal!r} for {kernel.refusal!r}"
    for line in predicted.log:
        if line not in kernel.log:
            yield f"not in the kernel's log: {line}"


def _same_reason(kernel: str, other: str) -> bool:
    return kernel == other or (kernel, other) in _NOT_TOLD


def compare(name: str, command_lines: Sequence[str] | None) -> tuple[int, int]:
    """Judge all cases on one kernel, or those of some command lines; returns how many, and how many differ."""
    count = failed = 0
    with tempfile.TemporaryDirectory(prefix="verdicts-") as directory:
        subject = prepare(name, Path(directory))
        print(f"{name}:", flush=True)
        data_of = {case.name: data for case, data in subject.cases}
        facts = KernelFacts.read([str(subject.packages.headers), str(subject.packages.modules)])
        for command_line in dict.fromkeys(case.command_line for case, _ in subject.cases):
            if command_lines is not None and command_line not in command_lines:
                continue
            for case, kernel in ask_kernel(subject, command_line):
                predicted = ask_modcheck(subject, facts, case, data_of[case.name], kernel.taints_before)
                found = list(differences(case, kernel, predicted, name == _STATED))
                print(f"  {'DIFFERS' if found else 'equal  '}  {case.name:32} {kernel}", flush=True)
                if found:
                    _print_difference(found, kernel, predicted)
                count, failed = count + 1, failed + bool(found)
    return count, failed


def _print_difference(found: Iterable[str], kernel: Verdict, predicted: Verdict) -> None:
    for line in found:
        print(f"      {line}")
    print(f"      modcheck: {predicted}")
    for line in kernel.log:
        print(f"      log: {line}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare; exit status 1 for any difference."""
    parser = argparse.ArgumentParser(prog="tests.conformance.kernel_verdicts", description=__doc__.splitlines()[0])
    parser.add_argument("kernels", nargs="*", type=kernel_and_architecture, metavar="KERNEL:ARCHITECTURE")
    parsed = parser.parse_args(arguments)
    count = failed = 0
    for number, name in enumerate(parsed.kernels or _DEFAULT):
        try:
            some, different = compare(name, _SHORT if number and not parsed.kernels else None)
        except NotAvailable as error:
            print(f"NOT RUN: verdicts of {name}: {error}", flush=True)
        except (BuildFailure, BootFailure) as error:
            print(f"{name}: {error}", flush=True)
            failed += 1
        else:
            count, failed = count + some, failed + different
    print(f"{count} verdicts, {failed} differences")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
