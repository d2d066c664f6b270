# SPDX-License-Identifier: GPL-2.0-or-later
"""Random device tables: the aliases and messages of the C modpost against ours.

    python -m tests.conformance.fuzz_device_tables [--objects N] [--seed S] [--kernel LABEL]

Each object holds some tables of random types with random entries.  One C run converts all
objects; its MODULE_ALIAS lines and its stderr must be ours.  Tables that are damaged, which
mostly ends the C run, get a run of their own.

A modpost takes its host's pointers for the target's, so that types with pointers are compared
where the two have one size only; Debian's i386 programs, run with i386's C library, do that for
32 bits.  PCI entries with an unknown driver override are not compared in 7.x, where the C tool
prints an uninitialised buffer.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path
from typing import NamedTuple

from modpost_py.device_layouts import DEVICE_STRUCTURES, DeviceLayout, Member, Target, in_force, layout_of
from modpost_py.device_tables import TABLE_PREFIX, aliases
from modpost_py.dialects import Dialect, dialect_of
from modpost_py.errors import FatalError
from modpost_py.messages import Diagnostic, Reporter
from modpost_py.object_file import ObjectFile
from tests.conformance.debian import Archive, NotAvailable
from tests.conformance.kernels import KERNELS, KernelPackages, with_own_libc
from tests.modpost.elf_writer import EM_386, EM_S390, EM_X86_64, SHT_NOBITS, STB_LOCAL, STT_OBJECT, ElfWriter

_EM_PPC = 20
_MACHINES = {(64, "little"): EM_X86_64, (32, "little"): EM_386, (64, "big"): EM_S390, (32, "big"): _EM_PPC}
_MODINFO = b"license=GPL\0description=random\0"

# Types whose structures hold pointers; kernel_ulong_t members are no pointers.
_POINTERS = {"of", "pcmcia", "i3c", "dmi", "amba", "hdaudio", "wmi"}
_WITH_POINTERS = {
    "5.10": _POINTERS,
    "6.1": _POINTERS,
    "6.12": _POINTERS,
    "7.2": _POINTERS | {"ieee1394"},
    "7.3": _POINTERS | {"ieee1394", "zorro"},
}
_CHARACTERS = "abcdefgABCDEFG0123456789_-,:*" * 3 + ' \t\n\v\f\r"\\%?[]{}~\x01\x7f\x80\xa0\xe4\xff'
_HEX_DIGITS = "0123456789abcdefABCDEF"


class Variant(NamedTuple):
    """A C program to compare with, the bits of its host, and the objects that it takes."""

    dialect: Dialect
    version: str
    program: Path
    host_bits: int
    target: Target

    def types(self) -> list[str]:
        """The device types that this program converts in a defined way."""
        return _types(self.dialect.name, self.host_bits == self.target.bits)


@cache
def _types(dialect_name: str, with_pointers: bool) -> list[str]:
    excluded = set() if with_pointers else _WITH_POINTERS[dialect_name]
    return sorted(set(in_force(DEVICE_STRUCTURES, dialect_name)) - excluded)


# ------------------------------------------------------------------------------------ random members


def _number(rng: random.Random, size: int) -> int:
    ones = (1 << (8 * size)) - 1
    value = rng.choice((0, 1, ones, ones - 1, rng.randrange(16), rng.getrandbits(8), rng.getrandbits(16)))
    return (rng.getrandbits(8 * size) if rng.random() < 0.4 else value) & ones


def _text(rng: random.Random, size: int) -> bytes:
    kind = rng.random()
    if kind < 0.15:
        return bytes(size)
    length = size if kind > 0.97 else rng.randrange(1, min(size, 20))
    plain = rng.random() < 0.6
    characters = [rng.choice(_CHARACTERS[:29] if plain else _CHARACTERS) for _ in range(length)]
    return "".join(characters).encode("latin-1").ljust(size, b"\0")


def _bits(rng: random.Random, member: Member, target: Target) -> bytes:
    bits = 0
    for _ in range(rng.choice((0, 0, 1, 2, 3))):
        bits |= 1 << rng.choice(
            (rng.randrange(8 * member.size), rng.randrange(min(32, 8 * member.size)), 7, 15, 16, 17)
        )
    word = target.bits // 8
    words = [bits >> shift & ((1 << target.bits) - 1) for shift in range(0, 8 * member.size, target.bits)]
    return b"".join(value.to_bytes(word, target.byteorder) for value in words)  # type: ignore[arg-type]


def _matches(rng: random.Random) -> bytes:
    matches = b""
    for _ in range(4):
        slot = rng.choice((0, rng.randrange(24), rng.randrange(24))) | rng.choice((0, 0x80))
        matches += bytes((slot,)) + _text(rng, 79)
    return matches


def _devs(rng: random.Random) -> bytes:
    pool = ["PNPb006", "CTL0001", "CTL0002", "ESS1868", "@@@0", "ctl0001", "", "EIGHTchr"]
    identifiers = [rng.choice(pool) for _ in range(rng.randrange(9))]
    return b"".join(name.encode().ljust(8, b"\0") for name in identifiers).ljust(64, b"\0")


def _guid_string(rng: random.Random, size: int) -> bytes:
    if rng.random() < 0.2:
        return _text(rng, size)
    characters = ["-" if at in (8, 13, 18, 23) else rng.choice(_HEX_DIGITS) for at in range(36)]
    if rng.random() < 0.3:
        characters[rng.randrange(36)] = rng.choice(_CHARACTERS)
    return "".join(characters).encode("latin-1").ljust(size, b"\0")


def _pnp_id(rng: random.Random, size: int) -> bytes:
    return "".join(rng.choice("abcxyzABCXYZ0123") for _ in range(rng.randrange(size))).encode().ljust(size, b"\0")


def _special(rng: random.Random, variant: Variant, device_type: str, member: Member) -> int | bytes | None:
    """A value for members where arbitrary ones would seldom be of interest, or would have no defined result."""
    match device_type, member.name:
        case "pci", "class_mask" if rng.random() < 0.9:
            return rng.choice((0, 0xFF)) << 16 | rng.choice((0, 0xFF)) << 8 | rng.choice((0, 0xFF))
        case (("pci" | "cdx"), "override_only"):
            undefined = device_type == "pci" and variant.dialect.name.startswith("7")
            return rng.choice((0, 1)) if undefined or rng.random() < 0.8 else _number(rng, 4)
        case "cdx", "class_mask":
            return rng.choice((0xFFFFFF, 0, 0xFF0000))
        case (("usb" | "pcmcia"), "match_flags"):
            return rng.getrandbits(12)
        case "usb", ("bcdDevice_lo" | "bcdDevice_hi") if rng.random() < 0.5:
            return int("".join(rng.choice("0123456789") for _ in range(rng.randrange(1, 5))), 16)
        case "input", "flags":
            return rng.getrandbits(13)
        case "amba", "id":
            return 0
        case "dmi", "matches":
            return _matches(rng)
        case "pnp_card", "devs":
            return _devs(rng)
        case "wmi", "guid_string":
            return _guid_string(rng, member.size)
        case "pnp", "id":
            return _pnp_id(rng, member.size)
        case "typec", "mode":
            return rng.choice((0, 1, 6, 7, 8, 255))
    return None


def _entry(rng: random.Random, variant: Variant, device_type: str, layout: DeviceLayout) -> bytearray:
    entry = bytearray(rng.randbytes(layout.size) if rng.random() < 0.5 else layout.size)
    order = variant.target.byteorder
    for member in layout.members.values():
        value = _special(rng, variant, device_type, member)
        if value is None and member.kind == "char":
            value = _text(rng, member.size)
        elif value is None and member.kind in ("bytes", "texts"):
            value = rng.randbytes(member.size)
        elif value is None and member.kind == "bits":
            value = _bits(rng, member, variant.target)
        elif value is None:
            value = _number(rng, member.size)
        raw = value if isinstance(value, bytes) else value.to_bytes(member.size, order)  # type: ignore[arg-type]
        entry[member.offset : member.offset + member.size] = raw
    if device_type == "amba":
        mask = layout.members["mask"]
        masked = rng.getrandbits(32) & int.from_bytes(entry[mask.offset : mask.offset + 4], order)  # type: ignore[arg-type]
        entry[0:4] = masked.to_bytes(4, order)  # type: ignore[arg-type]
    return entry


@cache
def _layout(dialect_name: str, device_type: str, target: Target) -> DeviceLayout:
    return layout_of(in_force(DEVICE_STRUCTURES, dialect_name)[device_type], target)


def _table(rng: random.Random, variant: Variant, device_type: str) -> bytes:
    layout = _layout(variant.dialect.name, device_type, variant.target)
    entries = [_entry(rng, variant, device_type, layout) for _ in range(rng.randrange(1, 7))]
    if rng.random() < 0.2:
        entries.append(rng.choice(entries))
    return b"".join(entries) + bytes(layout.size)


# ------------------------------------------------------------------------------------------- objects


def _symbol_name(rng: random.Random, variant: Variant, device_type: str, number: int) -> str:
    if variant.dialect.name.startswith("7"):
        module = rng.choice(("snd_foo", "foo", "a_b"))
        name = rng.choice((f"table_{number}", f"t{number}__ids", f"__ids{number}"))
        prefix = rng.choice(("__mod_device_table__", "__mod_device_table__", "__mod_device_table__12__"))
        return f"{prefix}kmod_{module}__{device_type}__{name}"
    return f"__mod_{device_type}__{rng.choice(('ids', 'a__b', ''))}{number}_device_table"


def _object(rng: random.Random, variant: Variant, tables: list[tuple[str, bytes]]) -> bytes:
    target = variant.target
    writer = ElfWriter(target.bits, target.byteorder, _MACHINES[target.bits, target.byteorder])
    writer.section(".modinfo", data=_MODINFO)
    data = writer.section(".rodata", data=b"".join(table for _, table in tables))
    zeros = writer.section(".bss", type=SHT_NOBITS, data=bytes(1024))
    at = 0
    for number, (device_type, table) in enumerate(tables):
        name = _symbol_name(rng, variant, device_type, number)
        zero_table = not any(table)
        section, value = (zeros, 0) if zero_table else (data, at)
        writer.symbol(name, section, value, len(table), bind=STB_LOCAL, type=STT_OBJECT)
        at += len(table)
    return writer.bytes()


def _good_object(rng: random.Random, variant: Variant) -> bytes:
    types = [rng.choice(variant.types()) for _ in range(rng.randrange(1, 9))]
    tables = [(device_type, _table(rng, variant, device_type)) for device_type in types]
    if rng.random() < 0.1:
        tables.append((rng.choice(("apr", "spmi", "pci_epf", "PCI", "")), rng.randbytes(50)))
    if rng.random() < 0.2:
        device_type = rng.choice(variant.types())
        size = _layout(variant.dialect.name, device_type, variant.target).size
        if device_type != "wmi":  # each entry would be warned about
            tables.append((device_type, bytes(min(size * rng.randrange(1, 4), 1024 // size * size))))
    return _object(rng, variant, tables)


def _damaged_object(rng: random.Random, variant: Variant) -> bytes:
    device_type = rng.choice(variant.types())
    table = _table(rng, variant, device_type)
    layout = _layout(variant.dialect.name, device_type, variant.target)
    match rng.randrange(5):
        case 0:
            table = table + bytes(1) if layout.size > 1 else table[:-1] + b"\1"
        case 1:
            table = table[: rng.randrange(layout.size)]
        case 2:
            table = table[: -rng.randrange(1, layout.size + 1)]
        case 3:
            table = table[: -layout.size] + rng.randbytes(layout.size)
        case _ if "amba" in variant.types():
            device_type, table = "amba", rng.randbytes(variant.target.bits // 4) + bytes(variant.target.bits // 4)
    others = [(name, _table(rng, variant, name)) for name in rng.sample(variant.types(), 2)]
    return _object(rng, variant, [others[0], (device_type, table), others[1]])


# --------------------------------------------------------------------------------------- comparison

_PREFIXES = {"warning": "WARNING: modpost: ", "error": "ERROR: modpost: ", "plain": ""}
_FATAL_PREFIXES = {"5.10": "FATAL: modpost: ", "6.1": "FATAL: modpost: "}
_PIECE = 500


class Result(NamedTuple):
    """The MODULE_ALIAS lines of each object that was written, and stderr."""

    aliases: list[str | None]
    stderr: str


def _stderr_text(diagnostic: Diagnostic, dialect: Dialect) -> str:
    if diagnostic.severity == "fatal":
        return _FATAL_PREFIXES.get(dialect.name, "ERROR: modpost: ") + diagnostic.text
    return _PREFIXES[diagnostic.severity] + diagnostic.text


def _ours(variant: Variant, names: list[str], objects: list[bytes]) -> Result:
    """What the C run should give, as far as device tables decide about it."""
    dialect = variant.dialect
    found: list[Diagnostic] = []
    texts: list[str | None] = []
    for name, data in zip(names, objects, strict=True):
        object_file = ObjectFile(f"{name}.o", data)
        reporter = Reporter(dialect, found.append, module=name, path=f"{name}.o")
        lines: list[str] = []
        try:
            for symbol in range(object_file.symbols.count):
                symbol_name = object_file.symbols.name(symbol)
                if symbol_name.startswith(TABLE_PREFIX):
                    entries = aliases(object_file, symbol, symbol_name, dialect, reporter)
                    lines += [f'MODULE_ALIAS("{alias.text}");\n' for alias in entries]
        except FatalError:
            break
        if variant.dialect.name.startswith("7"):
            lines = list(dict.fromkeys(lines))
        texts.append("".join(line if len(line) < _PIECE else _padded(line) for line in lines))
    failed = any(diagnostic.severity in ("error", "fatal") for diagnostic in found)
    stderr = "".join(_stderr_text(diagnostic, dialect) for diagnostic in found)
    return Result([None] * len(names) if failed else texts, stderr)


def _padded(line: str) -> str:
    return line[: _PIECE - 1] + "\0" * (len(line) - _PIECE + 1)


def _c_run(variant: Variant, names: list[str], objects: list[bytes]) -> Result:
    with tempfile.TemporaryDirectory() as directory:
        for name, data in zip(names, objects, strict=True):
            Path(directory, f"{name}.o").write_bytes(data)
            Path(directory, f"{name}.mod").write_bytes(b"")
        Path(directory, "list").write_text("".join(f"{name}.o\n" for name in names))
        run = subprocess.run(
            [variant.program, "-T", "list", "-o", "out"], cwd=directory, capture_output=True, timeout=300
        )
        texts = [_alias_lines(Path(directory, f"{name}.mod.c")) for name in names]
    stderr = run.stderr.decode("latin-1")
    vmlinux = "WARNING: modpost: Symbol info of vmlinux is missing. Unresolved symbol check will be entirely skipped.\n"
    return Result(texts, stderr.removesuffix(vmlinux) + (f"killed by {-run.returncode}" if run.returncode < 0 else ""))


def _alias_lines(path: Path) -> str | None:
    try:
        text = path.read_bytes().decode("latin-1")
    except FileNotFoundError:
        return None
    return text.partition('\nMODULE_INFO(depends, "");\n\n')[2]


def _differences(variant: Variant, names: list[str], objects: list[bytes]) -> Iterator[str]:
    ours, theirs = _ours(variant, names, objects), _c_run(variant, names, objects)
    for name, our, their in zip(names, ours.aliases, theirs.aliases, strict=True):
        if our != their:
            yield f"{name}: " + _first_difference(our, their)
    if ours.stderr != theirs.stderr:
        yield "stderr: " + _first_difference(ours.stderr, theirs.stderr)


def _first_difference(our: str | None, their: str | None) -> str:
    if our is None or their is None:
        return f"ours {our!r}, C {their!r}"
    our_lines, their_lines = our.split("\n"), their.split("\n")
    for our_line, their_line in zip(our_lines, their_lines, strict=False):
        if our_line != their_line:
            return f"ours {our_line!r}, C {their_line!r}"
    return f"ours has {len(our_lines)} lines, C {len(their_lines)}"


def _variants(label: str) -> Iterator[Variant]:
    packages = KernelPackages(KERNELS[label])
    dialect = dialect_of(packages.version)
    for bits in (64, 32):
        for name, byteorder in (("lsb", "little"), ("msb", "big")):
            yield Variant(dialect, packages.version, packages.modpost(name, bits), 64, Target(bits, byteorder))


def _variants_of_i386(label: str) -> Iterator[Variant]:
    kernel = KERNELS[label]
    archive = Archive(kernel.suite, "i386")
    kbuild = archive.find(r"linux-kbuild-\d.*", kernel.version_pattern)
    dialect = dialect_of(kbuild.version)
    for name, byteorder in (("lsb", "little"), ("msb", "big")):
        tool = next(archive.unpack(kbuild).glob(f"usr/lib/linux-kbuild-*/scripts/mod/modpost.real-{name}-32"))
        program = with_own_libc(archive, tool, kbuild)
        yield Variant(dialect, kbuild.version, program, 32, Target(32, byteorder))


def _compare(variant: Variant, objects: int, seed: int) -> int:
    """Compare, print what was compared and what differs; returns the number of differences."""
    rng = random.Random(f"{seed} {variant.dialect.name} {variant.host_bits} {variant.target}")
    good = [_good_object(rng, variant) for _ in range(objects)]
    names = [f"good{number}" for number in range(objects)]
    differences = list(_differences(variant, names, good))
    damaged = max(1, objects // 10)
    for number in range(damaged):
        differences += _differences(variant, [f"damaged{number}"], [_damaged_object(rng, variant)])
    target = variant.target
    lines = sum((text or "").count("\n") for text in _ours(variant, names, good).aliases)
    print(
        f"{variant.version} ({variant.host_bits} bit host) {target.bits} bit {target.byteorder}: "
        f"{objects} objects, {lines} aliases, "
        f"{damaged} damaged objects, {len(differences)} differences",
        flush=True,
    )
    for difference in differences[:10]:
        print(f"    {difference}", flush=True)
    return len(differences)


def main() -> int:
    """Compare all programs that are to be had; exit status 1 if anything differs or nothing could be compared."""
    parser = argparse.ArgumentParser(description="Random device tables: the C modpost against ours.")
    parser.add_argument("--objects", type=int, default=300, help="objects for each program")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kernel", action="append", choices=sorted(KERNELS), help="only this one (repeatable)")
    arguments = parser.parse_args()
    compared = differences = 0
    for label, variants in product(arguments.kernel or KERNELS, (_variants, _variants_of_i386)):
        try:
            for variant in variants(label):
                differences += _compare(variant, arguments.objects, arguments.seed)
                compared += 1
        except NotAvailable as error:
            print(f"NOT RUN: {label} {variants.__name__}: {error}", flush=True)
    print(f"{compared} programs compared, {differences} differences")
    return 1 if differences or not compared else 0


if __name__ == "__main__":
    sys.exit(main())
