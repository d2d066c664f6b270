# SPDX-License-Identifier: GPL-2.0-or-later
"""Random sections, symbols and relocations: the diagnostics and exit status of the C modpost against ours.

    python -m tests.conformance.fuzz_section_mismatch [--runs N] [--seed S] [--kernel LABEL] [--keep DIRECTORY]

Each run gives a few random objects to both; stderr must be the same to the byte, as must the exit status.  All word
sizes and byte orders are tried, with the machines that have them; REL and RELA on every machine.  With ``--keep`` the
objects of the runs that differ are stored.

Not compared: Thumb branches of REL objects in 5.10 and 6.1, whose addend is an address inside the running C program;
places outside the file and symbol numbers outside the table, where the C program reads whatever lies there.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from modpost_py.addends import R_ARM_THM_CALL, R_ARM_THM_JUMP19, R_ARM_THM_JUMP24
from modpost_py.cli import parse
from modpost_py.dialects import Dialect, dialect_of
from modpost_py.messages import Diagnostic, printed
from modpost_py.whole_run import Run
from tests.conformance.debian import NotAvailable
from tests.conformance.kernels import KERNELS, KernelPackages
from tests.modpost.elf_writer import (
    EM_386,
    EM_AARCH64,
    EM_ARM,
    EM_LOONGARCH,
    EM_MIPS,
    EM_PARISC,
    EM_PPC,
    EM_PPC64,
    EM_RISCV,
    EM_S390,
    EM_SPARCV9,
    EM_X86_64,
    ET_EXEC,
    ET_REL,
    SHF_ALLOC,
    SHF_EXECINSTR,
    SHF_WRITE,
    SHN_ABS,
    SHN_COMMON,
    SHN_UNDEF,
    SHT_NOBITS,
    SHT_NOTE,
    SHT_PROGBITS,
    STB_GLOBAL,
    STB_LOCAL,
    STB_WEAK,
    STT_FILE,
    STT_FUNC,
    STT_NOTYPE,
    STT_OBJECT,
    STT_SECTION,
    ElfWriter,
    Relocation,
)

_MACHINES = {
    (64, "little"): (EM_X86_64, EM_AARCH64, EM_RISCV, EM_LOONGARCH, EM_PPC64, EM_MIPS, EM_386, EM_ARM),
    (32, "little"): (EM_386, EM_386, EM_ARM, EM_ARM, EM_MIPS, EM_RISCV, EM_X86_64, EM_LOONGARCH),
    (64, "big"): (EM_S390, EM_PPC64, EM_MIPS, EM_SPARCV9, EM_PARISC),
    (32, "big"): (EM_ARM, EM_ARM, EM_MIPS, EM_PPC, EM_S390, EM_PARISC),
}
_RELOCATION_TYPES = {
    EM_386: (1, 1, 2, 2, 3, 20),
    EM_ARM: (1, 2, 2, 3, 10, 28, 29, 30, 40, 42, 43, 44, 47, 48, 51),
    EM_MIPS: (2, 2, 4, 5, 6, 6, 3, 18),
    EM_RISCV: (2, 39, 39, 18),
    EM_LOONGARCH: (2, 50, 55, 55, 100, 102),
}
_HAVE_REL = (EM_386, EM_ARM, EM_MIPS)
_THUMB_BRANCHES = (R_ARM_THM_CALL, R_ARM_THM_JUMP19, R_ARM_THM_JUMP24)
_WITHOUT_THUMB_BRANCHES = ("5.10", "6.1")

# Section and symbol names of every class and close to them; repeated ones are more frequent.
_SECTION_NAMES = """
    .text .text .text .text .text.unlikely .text.hot .text.x.y .sched.text .kprobes.text .cpuidle.text .noinstr.text
    .ltext .ltext.x .ref.text .head.text .head.text.x .head.texts .spinlock.text .fixup .entry.text .exception.text
    .coldtext .softirqentry.text .irqentry.text .init.text .init.text .init.text .init.text .init.data .init.data
    .init.rodata .init.setup .init. .init .initcall .exit.text .exit.text .exit.text .exit.data .exit. .exitcall.exit
    .meminit.text .meminit.data .meminit.rodata .memexit.text .memexit.data .data .data .data .data .data.rel
    .data.rel .data.x .rodata .altinstr_replacement .pci_fixup_early .pci_fixup_header .pci_fixup_final
    .pci_fixup_enable .pci_fixup_resume .pci_fixup_resume_early .pci_fixup_suspend .pci_fixup ___ksymtab+a
    ___ksymtab_gpl+b ___ksymtab __ksymtab .debug_info .debug .zdebug .comment .comment.x .BTF .discard.x .discard
    .GCC.command.line .mdebug.abi32 .pdr .stabstr .notes .got.plt .toc1 .xt.prop .xt.props .xt.lit .arcextmap.x
    .gnu.linkonce.arcext.x .cmem_x .fmt_slot1 .gnu.lto_x .cranges .llvm.call-graph-profile __llvm_covfun __llvm_covmap
    .klp.symid .llvm .export_symbol other
"""
_SECTIONS = ["", *_SECTION_NAMES.split()]
_EXCEPTION_SECTIONS = ["__ex_table", "__ex_table", ".altinstr_replacement", ".fixup"]
_SYMBOL_NAMES = """
    a b f probe x_driver driver y_drivers b_template c_timer d_sht e_ops f_ops.llvm.12 f_ops.llvm.x g_probe h_probe_one
    i_console j_consoles __param __param_x __param_ops_y f.constprop.0 f.constprop. .constprop.1 g.constprop.1.x .L5
    .L L0 L0x L1 $ $a $d $t $x $a.1 $d.foo $b $tt $ab __init_begin _sinittext _einittext __init_end
    reference___initcall reference___initcall_foo1 foo.123 foo.1.x bar.12x init_module cleanup_module module.isra.0
"""
_NAMES = ["", "", "", *_SYMBOL_NAMES.split()]


class Program(NamedTuple):
    """A C modpost and the objects it takes."""

    dialect: Dialect
    version: str
    path: Path
    bits: int
    byteorder: str


class Case(NamedTuple):
    """One run: the letters of its options and its objects."""

    letters: str
    objects: list[bytes]


# ------------------------------------------------------------------------------------ random objects


class _RandomObject:
    """One object: sections with symbols, then relocation sections for some of them."""

    def __init__(self, rng: random.Random, program: Program) -> None:
        self.rng = rng
        self.program = program
        self.machine = rng.choice(_MACHINES[program.bits, program.byteorder])
        executable = program.dialect.name == "5.10" and rng.random() < 0.1
        self.elf = ElfWriter(program.bits, program.byteorder, self.machine, ET_EXEC if executable else ET_REL)
        self.address = 0x1000 if executable else 0
        self.types = self._relocation_types()
        self.sections: list[tuple[int, int, bool]] = []
        self.symbols: list[int] = []
        self.nameless: list[int] = []

    def _relocation_types(self) -> list[int]:
        types = _RELOCATION_TYPES.get(self.machine, (1, 2, 10, 39, 55, 100))
        excluded = _THUMB_BRANCHES if self.program.dialect.name in _WITHOUT_THUMB_BRANCHES else ()
        return [number for number in types if number not in excluded]

    def content(self) -> bytes:
        rng = self.rng
        self.elf.section(".modinfo", data=b"license=GPL\0description=random\0")
        names = rng.choices(_SECTIONS, k=rng.randrange(2, 14))
        if rng.random() < 0.25:
            names += rng.sample(_EXCEPTION_SECTIONS, 2)
        rng.shuffle(names)
        for name in names:
            self._add_section(name)
        for _ in range(rng.randrange(3, 40)):
            self._add_symbol()
        for section, size, has_content in self.sections:
            for _ in range(rng.choice((0, 1, 1, 1, 2))):
                self._add_relocations(section, size, has_content)
        return self.elf.bytes()

    def _add_section(self, name: str) -> None:
        rng = self.rng
        flags = SHF_ALLOC if rng.random() < 0.93 else 0
        flags |= rng.choice((0, SHF_EXECINSTR if "text" in name or rng.random() < 0.3 else 0, SHF_WRITE))
        kind = rng.choices((SHT_PROGBITS, SHT_NOBITS, SHT_NOTE), (18, 1, 1))[0]
        if kind == SHT_NOBITS and name.startswith(("___ksymtab", ".export_symbol")):
            kind = SHT_PROGBITS
        size = 4 * rng.randrange(1, 60)
        data = b"".join(self._word() for _ in range(size // 4))
        index = self.elf.section(name, kind, flags, data, sh_addr=self.address)
        self.sections.append((index, size, kind != SHT_NOBITS))
        if rng.random() < 0.7:
            self.nameless.append(self.elf.section_symbol(index))

    def _word(self) -> bytes:
        rng = self.rng
        value = rng.choice((rng.randrange(-40, 260), rng.randrange(-40, 260), rng.getrandbits(32), rng.getrandbits(12)))
        return struct.pack("<I" if self.program.byteorder == "little" else ">I", value & 0xFFFFFFFF)

    def _value(self) -> int:
        rng = self.rng
        if rng.random() < 0.03:
            return rng.choice((0xFFFFFFFF, 0x80000000, 0x80000010, 1 << 40, (1 << 64) - 4, (1 << 32) + 8))
        return self.address + rng.choice((0, 4, rng.randrange(240), rng.randrange(240), 8 * rng.randrange(30)))

    def _add_symbol(self) -> None:
        rng = self.rng
        section = rng.choice(self.sections)[0]
        extended = rng.random() < 0.02
        bind = rng.choice((STB_LOCAL, STB_LOCAL, STB_GLOBAL, STB_WEAK))
        kind = rng.choice((STT_NOTYPE, STT_OBJECT, STT_OBJECT, STT_FUNC, STT_FUNC, STT_SECTION, STT_FILE))
        if rng.random() < 0.06:
            section, extended = rng.choice((SHN_UNDEF, SHN_ABS, SHN_COMMON, 0xFF00, 0xFFFE)), False
            bind = rng.choice((STB_LOCAL, STB_WEAK))
        name = rng.choice(_NAMES)
        symbol = self.elf.symbol(name, section, self._value(), 4, bind, kind, extended=extended)
        (self.symbols if name else self.nameless).append(symbol)

    def _add_relocations(self, section: int, size: int, has_content: bool) -> None:
        rng = self.rng
        rela = not has_content or self.machine not in _HAVE_REL or rng.random() < 0.3
        if self.machine not in _HAVE_REL and rng.random() < 0.01 and has_content:
            rela = False
        entries = [self._relocation(size, rela) for _ in range(rng.choice((0, 1, 2, 5, 15)))]
        if rng.random() < 0.3:
            entries.sort()
        if rng.random() < 0.02:
            self.elf.relocations(section, entries, rela, sh_info=0 if not rela else rng.choice((0, 5000)))
        else:
            self.elf.relocations(section, entries, rela)

    def _relocation(self, size: int, rela: bool) -> Relocation:
        rng = self.rng
        offset = rng.choice((0, 4, 4 * rng.randrange(size // 4), rng.randrange(size - 3)))
        if rela and rng.random() < 0.03:
            offset = rng.choice((10000, 0xFFFFFFFF, 1 << 35))
        addend = rng.choice((0, -4, rng.randrange(-30, 260), rng.randrange(-30, 260), self._value()))
        symbol = rng.choice(self.nameless if self.nameless and rng.random() < 0.5 else self.symbols or self.nameless)
        kind = rng.choice(self.types) if rng.random() < 0.9 else rng.randrange(128)
        if kind not in self.types and kind in _THUMB_BRANCHES:
            kind = 0
        return self.address + offset, symbol, kind, addend


def _case(rng: random.Random, program: Program) -> Case:
    letters = "w" + "".join(
        letter for letter, share in (("W", 0.3), ("E", 0.5), ("M", 0.1)) if rng.random() < share
    )  # fmt: skip
    letters = "".join(letter for letter in letters if letter in program.dialect.option_letters)
    return Case(letters, [_RandomObject(rng, program).content() for _ in range(rng.choice((1, 1, 2, 5)))])


# --------------------------------------------------------------------------------------- comparison


class Result(NamedTuple):
    """What a run told."""

    stderr: str
    exit_status: int


def _c_run(program: Program, case: Case, directory: Path) -> Result:
    words = [str(program.path), f"-{case.letters}", "-T", "list"]
    run = subprocess.run(words, cwd=directory, capture_output=True, timeout=60)
    return Result(run.stderr.decode("latin-1"), run.returncode)


def _our_run(program: Program, case: Case, directory: Path) -> Result:
    texts: list[str] = []

    def take(diagnostic: Diagnostic) -> None:
        texts.append(printed(diagnostic, program.dialect))

    options = parse([f"-{case.letters}", "-T", "list"], program.dialect)
    before = Path.cwd()
    os.chdir(directory)
    try:
        status = Run(options, program.dialect, take).execute().exit_status
    finally:
        os.chdir(before)
    return Result("".join(texts), status)


def _store(case: Case, directory: Path) -> None:
    directory.mkdir(parents=True)
    for number, content in enumerate(case.objects):
        (directory / f"random{number}.o").write_bytes(content)
        (directory / f"random{number}.mod").write_bytes(b"")
    (directory / "list").write_text("".join(f"random{number}.o\n" for number in range(len(case.objects))))


def _difference(ours: Result, theirs: Result) -> str | None:
    if ours == theirs:
        return None
    our_lines, their_lines = ours.stderr.split("\n"), theirs.stderr.split("\n")
    for our_line, their_line in zip(our_lines, their_lines, strict=False):
        if our_line != their_line:
            return f"ours {our_line!r}\n         C    {their_line!r}"
    return (
        f"ours {len(our_lines)} lines, status {ours.exit_status};"
        f" C {len(their_lines)} lines, status {theirs.exit_status}"
    )


def _compare(program: Program, runs: int, seed: int, keep: Path | None) -> int:
    """Compare, print what was compared and what differs; returns the number of runs that differ."""
    rng = random.Random(f"{seed} {program.dialect.name} {program.bits} {program.byteorder}")
    counts: Counter[str] = Counter()
    differences: list[str] = []
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(runs):
            case = _case(rng, program)
            here = Path(scratch, str(number))
            _store(case, here)
            theirs = _c_run(program, case, here)
            ours = _our_run(program, case, here)
            counts["objects"] += len(case.objects)
            counts["mismatches"] += theirs.stderr.lower().count("section mismatch in")
            counts["fatal"] += theirs.stderr.count("references\nsection") + theirs.stderr.count("Please add code")
            found = _difference(ours, theirs)
            if found is not None:
                differences.append(f"run {number} (-{case.letters}): {found}")
                if keep is not None:
                    name = f"{program.dialect.name}-{program.bits}-{program.byteorder}-{seed}-{number}"
                    shutil.copytree(here, keep / name, dirs_exist_ok=True)
            shutil.rmtree(here)
    print(
        f"{program.version} {program.bits} bit {program.byteorder}: {runs} runs, "
        + ", ".join(f"{count} {what}" for what, count in counts.items())
        + f", {len(differences)} runs differ",
        flush=True,
    )
    for difference in differences[:5]:
        print(f"    {difference}", flush=True)
    return len(differences)


def _programs(label: str) -> Iterator[Program]:
    packages = KernelPackages(KERNELS[label])
    for bits in (64, 32):
        for name, byteorder in (("lsb", "little"), ("msb", "big")):
            path = packages.modpost(name, bits)
            yield Program(dialect_of(packages.version), packages.version, path, bits, byteorder)


def main() -> int:
    """Compare all programs that are to be had; exit status 1 if anything differs or nothing could be compared."""
    parser = argparse.ArgumentParser(description="Random sections and relocations: the C modpost against ours.")
    parser.add_argument("--runs", type=int, default=200, help="runs of each program, of one to five objects")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kernel", action="append", choices=sorted(KERNELS), help="only this one (repeatable)")
    parser.add_argument("--keep", type=Path, help="where to store the objects of runs that differ")
    arguments = parser.parse_args()
    compared = differences = 0
    for label in arguments.kernel or KERNELS:
        try:
            for program in _programs(label):
                differences += _compare(program, arguments.runs, arguments.seed, arguments.keep)
                compared += 1
        except NotAvailable as error:
            print(f"NOT RUN: {label}: {error}", flush=True)
    print(f"{compared} programs compared, {differences} runs differ")
    return 1 if differences or not compared else 0


if __name__ == "__main__":
    sys.exit(main())
