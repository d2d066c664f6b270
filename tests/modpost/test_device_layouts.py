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


# offset and size of each member: name@offset:size; a second number is that of 32 bit words
MEMBERS = [
    ("usb", "5.10",
     "match_flags@0:2 idVendor@2:2 idProduct@4:2 bcdDevice_lo@6:2 bcdDevice_hi@8:2 bDeviceClass@10:1 "
     "bDeviceSubClass@11:1 bDeviceProtocol@12:1 bInterfaceClass@13:1 bInterfaceSubClass@14:1 "
     "bInterfaceProtocol@15:1 bInterfaceNumber@16:1 driver_info@24/20:8/4"),
    ("hid", "5.10",
     "bus@0:2 group@2:2 vendor@4:4 product@8:4 driver_data@16/12:8/4"),
    ("ieee1394", "5.10",
     "match_flags@0:4 vendor_id@4:4 model_id@8:4 specifier_id@12:4 version@16:4 driver_data@24/20:8/4"),
    ("pci", "5.10",
     "vendor@0:4 device@4:4 subvendor@8:4 subdevice@12:4 class@16:4 class_mask@20:4 driver_data@24:8/4"),
    ("pci", "6.1",
     "vendor@0:4 device@4:4 subvendor@8:4 subdevice@12:4 class@16:4 class_mask@20:4 driver_data@24:8/4 "
     "override_only@32/28:4"),
    ("ccw", "5.10",
     "match_flags@0:2 cu_type@2:2 dev_type@4:2 cu_model@6:1 dev_model@7:1 driver_info@8:8/4"),
    ("ap", "5.10",
     "match_flags@0:2 dev_type@2:1 driver_info@8/4:8/4"),
    ("ap", "7.3",
     "match_flags@0:2 dev_type@2:1"),
    ("css", "5.10",
     "match_flags@0:1 type@1:1 driver_data@8/4:8/4"),
    ("serio", "5.10",
     "type@0:1 extra@1:1 id@2:1 proto@3:1"),
    ("acpi", "5.10",
     "id@0:9 driver_data@16/12:8/4 cls@24/16:4 cls_msk@28/20:4"),
    ("acpi", "6.1",
     "id@0:16 driver_data@16:8/4 cls@24/20:4 cls_msk@28/24:4"),
    ("pnp", "5.10",
     "id@0:8 driver_data@8:8/4"),
    ("pnp_card", "5.10",
     "id@0:8 driver_data@8:8/4 devs@16/12:64"),
    ("pcmcia", "5.10",
     "match_flags@0:2 manf_id@2:2 card_id@4:2 func_id@6:1 function@7:1 device_no@8:1 prod_id_hash0@12:4 "
     "prod_id_hash1@16:4 prod_id_hash2@20:4 prod_id_hash3@24:4 prod_id0@32/28:8/4 prod_id1@40/32:8/4 "
     "prod_id2@48/36:8/4 prod_id3@56/40:8/4 driver_info@64/44:8/4 cisfile@72/48:8/4"),
    ("of", "5.10",
     "name@0:32 type@32:32 compatible@64:128 data@192:8/4"),
    ("vio", "5.10",
     "type@0:32 compat@32:32"),
    ("input", "5.10",
     "flags@0:8/4 bustype@8/4:2 vendor@10/6:2 product@12/8:2 version@14/10:2 evbit@16/12:8/4 "
     "keybit@24/16:96 relbit@120/112:8/4 absbit@128/116:8 mscbit@136/124:8/4 ledbit@144/128:8/4 "
     "sndbit@152/132:8/4 ffbit@160/136:16 swbit@176/152:8/4 propbit@184/156:8/4 driver_info@192/160:8/4"),
    ("eisa", "5.10",
     "sig@0:8 driver_data@8:8/4"),
    ("parisc", "5.10",
     "hw_type@0:1 hversion_rev@1:1 hversion@2:2 sversion@4:4"),
    ("sdio", "5.10",
     "class@0:1 vendor@2:2 device@4:2 driver_data@8:8/4"),
    ("ssb", "5.10",
     "vendor@0:2 coreid@2:2 revision@4:1"),
    ("bcma", "5.10",
     "manuf@0:2 id@2:2 rev@4:1 class@5:1"),
    ("virtio", "5.10",
     "device@0:4 vendor@4:4"),
    ("vmbus", "5.10",
     "guid@0:16 driver_data@16:8/4"),
    ("rpmsg", "5.10",
     "name@0:32"),
    ("rpmsg", "6.1",
     "name@0:32 driver_data@32:8/4"),
    ("i2c", "5.10",
     "name@0:20 driver_data@24/20:8/4"),
    ("i3c", "5.10",
     "match_flags@0:1 dcr@1:1 manuf_id@2:2 part_id@4:2 extra_info@6:2 data@8:8/4"),
    ("slim", "6.12",
     "manf_id@0:2 prod_code@2:2 dev_index@4:2 instance@6:2 driver_data@8:8/4"),
    ("spi", "5.10",
     "name@0:32 driver_data@32:8/4"),
    ("dmi", "5.10",
     "callback@0:8/4 ident@8/4:8/4 matches@16/8:320 driver_data@336/328:8/4"),
    ("platform", "5.10",
     "name@0:20 driver_data@24/20:8/4"),
    ("platform", "7.2",
     "name@0:24 driver_data@24:8/4"),
    ("mdio", "5.10",
     "phy_id@0:4 phy_id_mask@4:4"),
    ("zorro", "5.10",
     "id@0:4 driver_data@8/4:8/4"),
    ("isapnp", "5.10",
     "card_vendor@0:2 card_device@2:2 vendor@4:2 function@6:2 driver_data@8:8/4"),
    ("ipack", "5.10",
     "format@0:1 vendor@4:4 device@8:4"),
    ("amba", "5.10",
     "id@0:4 mask@4:4 data@8:8/4"),
    ("mipscdmm", "5.10",
     "type@0:1"),
    ("x86cpu", "5.10",
     "vendor@0:2 family@2:2 model@4:2 steppings@6:2 feature@8:2 driver_data@16/12:8/4"),
    ("x86cpu", "7.2",
     "vendor@0:2 family@2:2 model@4:2 steppings@6:2 feature@8:2 flags@10:2 type@12:1 driver_data@16:8/4"),
    ("cpu", "5.10",
     "feature@0:2"),
    ("mei", "5.10",
     "name@0:32 uuid@32:16 version@48:1 driver_info@56/52:8/4"),
    ("rapidio", "5.10",
     "did@0:2 vid@2:2 asm_did@4:2 asm_vid@6:2"),
    ("ulpi", "5.10",
     "vendor@0:2 product@2:2 driver_data@8/4:8/4"),
    ("hdaudio", "5.10",
     "vendor_id@0:4 rev_id@4:4 api_version@8:1 name@16/12:8/4 driver_data@24/16:8/4"),
    ("sdw", "5.10",
     "mfg_id@0:2 part_id@2:2 sdw_version@4:1 class_id@5:1 driver_data@8:8/4"),
    ("fslmc", "5.10",
     "vendor@0:2 obj_type@2:16"),
    ("tbsvc", "5.10",
     "match_flags@0:4 protocol_key@4:9 protocol_id@16:4 protocol_version@20:4 protocol_revision@24:4 "
     "driver_data@32/28:8/4"),
    ("typec", "5.10",
     "svid@0:2 mode@2:1 driver_data@8/4:8/4"),
    ("typec", "7.2",
     "svid@0:2 driver_data@8/4:8/4"),
    ("tee", "5.10",
     "uuid@0:16"),
    ("wmi", "5.10",
     "guid_string@0:37 context@40:8/4"),
    ("mhi", "5.10",
     "chan@0:32 driver_data@32:8/4"),
    ("mhi_ep", "6.1",
     "chan@0:32 driver_data@32:8/4"),
    ("auxiliary", "6.1",
     "name@0:32 driver_data@32:8/4"),
    ("auxiliary", "7.2",
     "name@0:40 driver_data@40:8/4"),
    ("ssam", "6.1",
     "match_flags@0:1 domain@1:1 category@2:1 target@3:1 instance@4:1 function@5:1 driver_data@8:8/4"),
    ("dfl", "6.1",
     "type@0:2 feature_id@2:2 driver_data@8/4:8/4"),
    ("ishtp", "6.1",
     "guid@0:16 driver_data@16:8/4"),
    ("cdx", "6.12",
     "vendor@0:2 device@2:2 subvendor@4:2 subdevice@6:2 class@8:4 class_mask@12:4 override_only@16:4"),
    ("vchiq", "6.12",
     "name@0:32"),
    ("coreboot", "6.12",
     "tag@0:4 driver_data@8/4:8/4"),
    ("mcb", "7.2",
     "device@0:2 driver_data@8/4:8/4"),
]  # fmt: skip


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


def test_members() -> None:
    """Check the offset and the size of every member of every structure, for both word sizes."""

    def both(first: int, second: int) -> str:
        return f"{first}" if first == second else f"{first}/{second}"

    found = []
    for row in DEVICE_STRUCTURES:
        of_64, of_32 = (layout_of(row, Target(bits, "little")).members for bits in (64, 32))
        members = [
            f"{name}@{both(of_64[name].offset, of_32[name].offset)}:{both(of_64[name].size, of_32[name].size)}"
            for name in of_64
        ]
        found.append((row.device_type, row.since, " ".join(members)))
    assert found == MEMBERS


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
