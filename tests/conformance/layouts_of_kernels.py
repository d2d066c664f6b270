# SPDX-License-Identifier: GPL-2.0-or-later
"""Structs of two kernels that the layout comparison takes for the same: the compiler must lay them out the same.

    python -m tests.conformance.layouts_of_kernels

A unit that includes much of include/linux is made into symtypes with the headers and the genksyms of each kernel.
Every struct and union that both know is compared twice: with all that it reaches, and with what it consists of only
(what is behind its pointers is made unknown, or few would be the same in two kernels).  Then the unit is compiled with
both kernels' headers: size, alignment and the offset of every member that has a name must agree for each type that was
accepted though its text is another.
"""

from __future__ import annotations

import struct
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from modpost_py.kbuild.layout_comparison import compare_layouts
from modpost_py.kbuild.layout_symtypes import SymtypesSet
from modpost_py.kbuild.layout_types import Array, Attributed, Compound, Reference, Type, spelled
from modpost_py.object_file import ObjectFile
from tests.conformance.debian import NotAvailable
from tests.conformance.kernels import KERNELS, KernelPackages
from tests.conformance.module_builds import BuildFailure, ModuleKit

_PAIRS = (("5.10", "6.1"), ("6.1", "6.12"))

_HEADERS = """
    module netdevice skbuff etherdevice fs blkdev usb pci i2c spi/spi platform_device tty serial_core input
    hid mmc/host regmap clk-provider workqueue sched/signal mm rtnetlink if_vlan phy crypto cdev ethtool hwmon
    iio/iio rtc leds gpio/driver thermal power_supply watchdog acpi firmware dmaengine videodev2 nfs_fs sunrpc/clnt
"""
_TYPES = """
    net_device sk_buff file gendisk usb_device pci_dev i2c_adapter spi_device platform_device tty_struct uart_port
    input_dev hid_device mmc_host regmap_config clk_hw work_struct signal_struct mm_struct rtnl_link_ops phy_device
    cdev ethtool_ops iio_dev rtc_device led_classdev gpio_chip thermal_zone_device power_supply watchdog_device
    acpi_device firmware dma_device v4l2_format nfs_server rpc_clnt
"""

_UNIT = (
    "// SPDX-License-Identifier: GPL-2.0\n"
    + "".join(f"#include <linux/{name}.h>\n" for name in _HEADERS.split())
    + 'MODULE_LICENSE("GPL");\n'
    + "".join(
        f"void probe_{name}(struct {name} *);\nvoid probe_{name}(struct {name} *x) {{}}\n"
        f"EXPORT_SYMBOL_GPL(probe_{name});\n"
        for name in _TYPES.split()
    )
)


class Kernel(NamedTuple):
    """One kernel's headers, a directory for builds, and the symtypes of the unit."""

    label: str
    kit: ModuleKit
    directory: Path
    symtypes: SymtypesSet


def kernel(label: str, directory: Path) -> Kernel:
    """Build the symtypes of the unit; raises NotAvailable, BuildFailure."""
    kit = ModuleKit(KernelPackages(KERNELS[label], "amd64"), directory / f"headers-{label}")
    place = directory / label
    kit.build_sources(place, {"Kbuild": "obj-m := unit.o\n", "unit.c": _UNIT}, ["unit.symtypes"])
    text = (place / "unit.symtypes").read_text(encoding="latin-1")
    tags = [line.split(" ", 1)[0] for line in text.splitlines() if line.startswith(("s#", "u#"))]
    # Each type for itself
    text += "".join(f"only_{tag} void only_{tag} ( {tag} * )\n" for tag in tags)
    return Kernel(label, kit, place, SymtypesSet.of_text(text, label))


def layouts(kernel: Kernel, tags: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Size, alignment and the offsets of the named members of each type, from the compiler."""
    lines = [_UNIT]
    for number, tag in enumerate(tags):
        name = spelled(tag)
        offsets = "".join(f", __builtin_offsetof({name}, {member})" for member in _members(kernel.symtypes, tag))
        values = f"sizeof({name}), __alignof__({name}){offsets}"
        lines.append(
            f"extern const unsigned long layout_{number}[];\nconst unsigned long layout_{number}[] = {{ {values} }};\n"
        )
    kernel.kit.build_sources(
        kernel.directory, {"Kbuild": "obj-m := layout.o\n", "layout.c": "".join(lines)}, ["layout.o"]
    )
    symbols = ObjectFile.read(kernel.directory / "layout.o").symbols
    found = {}
    for index in range(symbols.count):
        name = symbols.name(index)
        if name.startswith("layout_"):
            data = symbols.data(index)
            found[tags[int(name.removeprefix("layout_"))]] = struct.unpack(f"<{len(data) // 8}Q", data)
    return found


def _members(symtypes: SymtypesSet, tag: str) -> Iterator[str]:
    """The members of a type that have an offset and a name, those of anonymous members included."""
    (line,) = symtypes.definitions(tag, symtypes.files[0])
    pending = [symtypes.type(line, tag)]
    while pending:
        compound = pending.pop(0)
        if not isinstance(compound, Compound):
            continue
        for member in compound.members or ():
            if member.name is None:
                pending.append(member.type)
            elif member.width is None:
                yield member.name.removeprefix("t#").removeprefix("E#")


def whole_text(symtypes: SymtypesSet, tag: str) -> SymtypesSet:
    """The symtypes as they are: a type with all that it reaches."""
    return symtypes


def by_value(symtypes: SymtypesSet, tag: str) -> SymtypesSet:
    """The symtypes in which only the structs and unions are known that a type consists of."""
    (file,) = symtypes.files
    known: set[str] = set()
    pending: list[Type] = [Reference(tag)]
    while pending:
        match pending.pop():
            case Reference(symref) if symref in file.lines and symref not in known:
                known.add(symref)
                pending.append(symtypes.type(file.lines[symref], symref))
            case Array(element):
                pending.append(element)
            case Attributed(inner):
                pending.append(inner)
            case Compound(_, members):
                pending += [member.type for member in members or ()]
    lines = [line for symref, line in file.lines.items() if symref in known or symref[:2] in ("t#", "e#", "E#")]
    return SymtypesSet.of_text("\n".join([file.lines[f"only_{tag}"], *lines]), symtypes.path)


class Count(NamedTuple):
    """How many types were compared, how many accepted as they are, in spite of another text, and wrongly."""

    compared: int
    identical: int
    accepted: int
    wrong: int


def compare(old: Kernel, new: Kernel, part: Callable[[SymtypesSet, str], SymtypesSet]) -> Count:
    """Compare the types of two kernels; prints those that are laid out otherwise."""
    both = [name for name in old.symtypes.files[0].lines if name.startswith("only_")]
    tags = [name.removeprefix("only_") for name in both if name in new.symtypes.files[0].lines]
    identical, accepted = 0, []
    for tag in tags:
        first, second = part(old.symtypes, tag), part(new.symtypes, tag)
        verdict = compare_layouts(first, second, f"only_{tag}")
        identical += verdict.same and not verdict.reasons
        # What one side knows as UNKNOWN only, the compiler does not know either
        if verdict.same and verdict.reasons and _is_known(first, tag) and _is_known(second, tag):
            accepted.append(tag)
    before, after = layouts(old, accepted), layouts(new, accepted)
    wrong = [tag for tag in accepted if before[tag] != after[tag]]
    for tag in wrong:
        print(f"    {spelled(tag)}: {before[tag]}, {after[tag]}"[:300])
    return Count(len(tags), identical, len(accepted), len(wrong))


def _is_known(symtypes: SymtypesSet, tag: str) -> bool:
    return bool(symtypes.definitions(tag, symtypes.files[0]))


def main() -> int:
    """Compare; the exit status is 1 where an accepted type is laid out otherwise."""
    accepted = wrong = 0
    with tempfile.TemporaryDirectory() as name:
        made: dict[str, Kernel] = {}
        for pair in _PAIRS:
            try:
                for label in pair:
                    if label not in made:
                        made[label] = kernel(label, Path(name))
                for what, part in (("with all they reach", whole_text), ("by value", by_value)):
                    count = compare(made[pair[0]], made[pair[1]], part)
                    print(
                        f"{pair[0]} and {pair[1]}: {count.compared} types {what}: {count.identical} identical texts, "
                        f"{count.accepted} accepted in spite of another text, {count.wrong} of them wrongly",
                        flush=True,
                    )
                    accepted, wrong = accepted + count.accepted, wrong + count.wrong
            except NotAvailable as reason:
                print(f"NOT RUN: {pair[0]} and {pair[1]}: {reason}", flush=True)
            except BuildFailure as reason:
                wrong += 1
                print(f"{pair[0]} and {pair[1]}: {reason}", flush=True)
    print(f"{accepted} types accepted in spite of another text, {wrong} differences")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
