# SPDX-License-Identifier: GPL-2.0-or-later
"""The sizes and offsets of the structures of device tables, against known numbers and against compilers."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from modpost_py.device_layouts import DEVICE_STRUCTURES, DeviceStructure, Target, in_force, layout_of, target_of
from modpost_py.dialects import DIALECTS
from modpost_py.object_file import ObjectFile

_EM_68K, _EM_X86_64 = 4, 62

# size in bytes with 64 bit and 32 bit words, of the oldest dialect that has the type
SIZES = {
    "usb": (32, 24), "hid": (24, 16), "ieee1394": (32, 24), "pci": (32, 28), "ccw": (16, 12), "ap": (16, 8),
    "css": (16, 8), "serio": (4, 4), "acpi": (32, 24), "pnp": (16, 12), "pnp_card": (80, 76), "pcmcia": (80, 52),
    "of": (200, 196), "vio": (64, 64), "input": (200, 164), "eisa": (16, 12), "parisc": (8, 8), "sdio": (16, 12),
    "ssb": (6, 6), "bcma": (6, 6), "virtio": (8, 8), "vmbus": (24, 20), "rpmsg": (32, 32), "i2c": (32, 24),
    "i3c": (16, 12), "spi": (40, 36), "dmi": (344, 332), "platform": (32, 24), "mdio": (8, 8), "zorro": (16, 8),
    "isapnp": (16, 12), "ipack": (12, 12), "amba": (16, 12), "mipscdmm": (1, 1), "x86cpu": (24, 16), "cpu": (2, 2),
    "mei": (64, 56), "rapidio": (8, 8), "ulpi": (16, 8), "hdaudio": (32, 20), "sdw": (16, 12), "fslmc": (18, 18),
    "tbsvc": (40, 32), "typec": (16, 8), "tee": (16, 16), "wmi": (48, 44), "mhi": (40, 36), "mhi_ep": (40, 36),
    "auxiliary": (40, 36), "ssam": (16, 12), "dfl": (16, 8), "ishtp": (24, 20), "slim": (16, 12), "cdx": (20, 20),
    "vchiq": (32, 32), "coreboot": (16, 8), "mcb": (16, 8),
}  # fmt: skip
# the same for structures that changed, since a dialect
CHANGED_SIZES = {
    "6.1": {"pci": (40, 32), "acpi": (32, 28), "rpmsg": (40, 36)},
    "7.2": {"platform": (32, 28), "x86cpu": (24, 20), "auxiliary": (48, 44)},
    "7.3": {"ap": (4, 4)},
}


def test_sizes() -> None:
    """Check the size of every structure in every dialect, for both word sizes."""
    expected: dict[str, tuple[int, int]] = {}
    for dialect in DIALECTS:
        rows = in_force(DEVICE_STRUCTURES, dialect.name)
        expected = {name: expected.get(name, SIZES[name]) for name in rows} | CHANGED_SIZES.get(dialect.name, {})
        sizes = {
            name: (layout_of(row, Target(64, "little")).size, layout_of(row, Target(32, "big")).size)
            for name, row in rows.items()
        }
        assert sizes == expected


def test_m68k_aligns_to_two_bytes() -> None:
    """Check that an m68k object's structures have no more than one byte of padding at a place."""
    target = target_of(32, "big", _EM_68K)
    rows = in_force(DEVICE_STRUCTURES, "6.12")
    sizes = {name: layout_of(rows[name], target).size for name in ("zorro", "ipack", "sdio", "acpi", "usb", "mipscdmm")}
    assert sizes == {"zorro": 8, "ipack": 10, "sdio": 10, "acpi": 28, "usb": 22, "mipscdmm": 1}
    offsets = {member.name: member.offset for member in layout_of(rows["ipack"], target).members.values()}
    assert offsets == {"format": 0, "vendor": 2, "device": 6}


def test_other_machines_align_naturally() -> None:
    """Check that the alignment of a member is its size on other machines."""
    assert target_of(64, "little", _EM_X86_64) == Target(64, "little", 8)
    row = in_force(DEVICE_STRUCTURES, "6.12")["usb"]
    offsets = [member.offset for member in layout_of(row, Target(64, "little")).members.values()]
    assert offsets == [0, 2, 4, 6, 8, 10, 11, 12, 13, 14, 15, 16, 24]


def test_malformed_declaration() -> None:
    """Check that a mistake in the table of structures does not go unnoticed."""
    row = DeviceStructure("x", "x_device_id", "5.10", "a:u8 b:u64")
    with pytest.raises(ValueError, match="struct x_device_id: bad member 'b:u64'"):
        layout_of(row, Target(64, "little"))


# ---------------------------------------------------------------------------------------- compilers

_C_TYPES = {"u8": "unsigned char", "u16": "unsigned short", "u32": "unsigned int", "word": "unsigned long"}


def _c_declaration(member: str) -> str:
    name, _, kind = member.partition(":")
    kind, _, count = kind.partition("[")
    count = count.rstrip("]")
    if kind == "bits":
        return f"unsigned long m_{name}[({count} + 8 * sizeof(long) - 1) / (8 * sizeof(long))];"
    return f"{_C_TYPES[kind]} m_{name};" if not count else f"char m_{name}[{count}];"


def _c_source() -> str:
    """A table of the sizes and offsets of all structures, in the order of their rows."""
    structures, numbers = [], []
    for number, row in enumerate(DEVICE_STRUCTURES):
        members = row.members.split()
        structures.append(f"struct s{number} {{ {' '.join(_c_declaration(member) for member in members)} }};")
        numbers.append(f"sizeof(struct s{number}),")
        numbers += [f"__builtin_offsetof(struct s{number}, m_{member.partition(':')[0]})," for member in members]
    return "\n".join([*structures, "const unsigned int numbers[] = {", *numbers, "};\n"])


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc")
@pytest.mark.parametrize("bits", [64, 32])
def test_layouts_as_gcc_has_them(tmp_path: Path, bits: int) -> None:
    """Check the size of every structure and the offset of every member against gcc's layout."""
    source, output = tmp_path / "layouts.c", tmp_path / "layouts.o"
    source.write_text(_c_source())
    run = subprocess.run(["gcc", f"-m{bits}", "-c", "-o", output, source], capture_output=True, text=True)
    if run.returncode:
        pytest.skip(f"gcc cannot compile for {bits} bits")
    object_file = ObjectFile.read(output)
    symbols = object_file.symbols
    numbers = next(symbol for symbol in range(symbols.count) if symbols.name(symbol) == "numbers")
    data = symbols.data(numbers)
    compiled = list(struct.unpack(f"{object_file.prefix}{len(data) // 4}I", data))
    ours = []
    for row in DEVICE_STRUCTURES:
        layout = layout_of(row, target_of(object_file.bits, object_file.byteorder, object_file.machine))
        ours += [layout.size, *(member.offset for member in layout.members.values())]
    assert object_file.bits == bits
    assert ours == compiled
