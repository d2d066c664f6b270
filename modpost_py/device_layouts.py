# SPDX-License-Identifier: GPL-2.0-or-later
"""The structures of the kernel's device tables (``struct pci_device_id`` and so on), as data.

A device table is an array of such structures; a driver's object holds its bytes as the
target's compiler laid them out.  Offsets are therefore not written down here but computed,
from the members and the target's rule of alignment, for both word sizes.

Members are written in the order of the structure::

    member = name ":" type
    type   = "u8" | "u16" | "u32" | "word" | "char[N]" | "texts[N]" | "bytes[N]" | "bits[N]"

``word`` is a ``kernel_ulong_t`` or a pointer.  ``char[N]`` is text that ends at its first NUL;
``texts[N]`` is several such texts at fixed places.  ``bytes[N]`` is raw bytes; ``bits[N]`` is a
bit map of at least N bits in words of the target.  Members that nobody reads are named too, since
they take room.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple, Protocol, TypeVar

from modpost_py.dialects import DIALECTS

_EM_68K = 4


class Target(NamedTuple):
    """What a compiler's layout of a structure depends on.

    ``bits`` is 32 or 64, ``byteorder`` ``"little"`` or ``"big"``;
    ``max_alignment`` is the greatest alignment, in bytes, that the target's ABI gives to any member.
    """

    bits: int
    byteorder: str
    max_alignment: int = 8


def target_of(bits: int, byteorder: str, machine: int) -> Target:
    """The target of an object file; ``machine`` is its ELF ``e_machine``.

    All targets of the kernel align these members naturally, but for m68k, which aligns nothing to
    more than 2 bytes.
    """
    return Target(bits, byteorder, 2 if machine == _EM_68K else 8)


class DeviceStructure(NamedTuple):
    """A row of the table: a device type, its structure, the first dialect that has it so, and the members."""

    device_type: str
    name: str
    since: str
    members: str


def _rows(*rows: tuple[str, str, str, str]) -> tuple[DeviceStructure, ...]:
    return tuple(DeviceStructure(*row) for row in rows)


# type, structure, first dialect with these members, members.  Of several rows of one type the last
# that a dialect has reached counts; a type without a row that old does not exist there.
DEVICE_STRUCTURES: tuple[DeviceStructure, ...] = _rows(
    (
        "usb", "usb_device_id", "5.10",
        "match_flags:u16 idVendor:u16 idProduct:u16 bcdDevice_lo:u16 bcdDevice_hi:u16 bDeviceClass:u8 "
        "bDeviceSubClass:u8 bDeviceProtocol:u8 bInterfaceClass:u8 bInterfaceSubClass:u8 bInterfaceProtocol:u8 "
        "bInterfaceNumber:u8 driver_info:word",
    ),
    ("hid", "hid_device_id", "5.10", "bus:u16 group:u16 vendor:u32 product:u32 driver_data:word"),
    (
        "ieee1394", "ieee1394_device_id", "5.10",
        "match_flags:u32 vendor_id:u32 model_id:u32 specifier_id:u32 version:u32 driver_data:word",
    ),
    (
        "pci", "pci_device_id", "5.10",
        "vendor:u32 device:u32 subvendor:u32 subdevice:u32 class:u32 class_mask:u32 driver_data:word",
    ),
    (
        "pci", "pci_device_id", "6.1",
        "vendor:u32 device:u32 subvendor:u32 subdevice:u32 class:u32 class_mask:u32 driver_data:word "
        "override_only:u32",
    ),
    (
        "ccw", "ccw_device_id", "5.10",
        "match_flags:u16 cu_type:u16 dev_type:u16 cu_model:u8 dev_model:u8 driver_info:word",
    ),
    ("ap", "ap_device_id", "5.10", "match_flags:u16 dev_type:u8 driver_info:word"),
    ("ap", "ap_device_id", "7.3", "match_flags:u16 dev_type:u8"),
    ("css", "css_device_id", "5.10", "match_flags:u8 type:u8 driver_data:word"),
    ("serio", "serio_device_id", "5.10", "type:u8 extra:u8 id:u8 proto:u8"),
    ("acpi", "acpi_device_id", "5.10", "id:char[9] driver_data:word cls:u32 cls_msk:u32"),
    ("acpi", "acpi_device_id", "6.1", "id:char[16] driver_data:word cls:u32 cls_msk:u32"),
    ("pnp", "pnp_device_id", "5.10", "id:char[8] driver_data:word"),
    ("pnp_card", "pnp_card_device_id", "5.10", "id:char[8] driver_data:word devs:texts[64]"),
    (
        "pcmcia", "pcmcia_device_id", "5.10",
        "match_flags:u16 manf_id:u16 card_id:u16 func_id:u8 function:u8 device_no:u8 prod_id_hash0:u32 "
        "prod_id_hash1:u32 prod_id_hash2:u32 prod_id_hash3:u32 prod_id0:word prod_id1:word prod_id2:word "
        "prod_id3:word driver_info:word cisfile:word",
    ),
    ("of", "of_device_id", "5.10", "name:char[32] type:char[32] compatible:char[128] data:word"),
    ("vio", "vio_device_id", "5.10", "type:char[32] compat:char[32]"),
    (
        "input", "input_device_id", "5.10",
        "flags:word bustype:u16 vendor:u16 product:u16 version:u16 evbit:bits[32] keybit:bits[768] relbit:bits[16] "
        "absbit:bits[64] mscbit:bits[8] ledbit:bits[16] sndbit:bits[8] ffbit:bits[128] swbit:bits[18] "
        "propbit:bits[32] driver_info:word",
    ),
    ("eisa", "eisa_device_id", "5.10", "sig:char[8] driver_data:word"),
    ("parisc", "parisc_device_id", "5.10", "hw_type:u8 hversion_rev:u8 hversion:u16 sversion:u32"),
    ("sdio", "sdio_device_id", "5.10", "class:u8 vendor:u16 device:u16 driver_data:word"),
    ("ssb", "ssb_device_id", "5.10", "vendor:u16 coreid:u16 revision:u8"),
    ("bcma", "bcma_device_id", "5.10", "manuf:u16 id:u16 rev:u8 class:u8"),
    ("virtio", "virtio_device_id", "5.10", "device:u32 vendor:u32"),
    ("vmbus", "hv_vmbus_device_id", "5.10", "guid:bytes[16] driver_data:word"),
    ("rpmsg", "rpmsg_device_id", "5.10", "name:char[32]"),
    ("rpmsg", "rpmsg_device_id", "6.1", "name:char[32] driver_data:word"),
    ("i2c", "i2c_device_id", "5.10", "name:char[20] driver_data:word"),
    ("i3c", "i3c_device_id", "5.10", "match_flags:u8 dcr:u8 manuf_id:u16 part_id:u16 extra_info:u16 data:word"),
    ("slim", "slim_device_id", "6.12", "manf_id:u16 prod_code:u16 dev_index:u16 instance:u16 driver_data:word"),
    ("spi", "spi_device_id", "5.10", "name:char[32] driver_data:word"),
    ("dmi", "dmi_system_id", "5.10", "callback:word ident:word matches:texts[320] driver_data:word"),
    ("platform", "platform_device_id", "5.10", "name:char[20] driver_data:word"),
    ("platform", "platform_device_id", "7.2", "name:char[24] driver_data:word"),
    ("mdio", "mdio_device_id", "5.10", "phy_id:u32 phy_id_mask:u32"),
    ("zorro", "zorro_device_id", "5.10", "id:u32 driver_data:word"),
    ("isapnp", "isapnp_device_id", "5.10", "card_vendor:u16 card_device:u16 vendor:u16 function:u16 driver_data:word"),
    ("ipack", "ipack_device_id", "5.10", "format:u8 vendor:u32 device:u32"),
    ("amba", "amba_id", "5.10", "id:u32 mask:u32 data:word"),
    ("mipscdmm", "mips_cdmm_device_id", "5.10", "type:u8"),
    ("x86cpu", "x86_cpu_id", "5.10", "vendor:u16 family:u16 model:u16 steppings:u16 feature:u16 driver_data:word"),
    (
        "x86cpu", "x86_cpu_id", "7.2",
        "vendor:u16 family:u16 model:u16 steppings:u16 feature:u16 flags:u16 type:u8 driver_data:word",
    ),
    ("cpu", "cpu_feature", "5.10", "feature:u16"),
    ("mei", "mei_cl_device_id", "5.10", "name:char[32] uuid:bytes[16] version:u8 driver_info:word"),
    ("rapidio", "rio_device_id", "5.10", "did:u16 vid:u16 asm_did:u16 asm_vid:u16"),
    ("ulpi", "ulpi_device_id", "5.10", "vendor:u16 product:u16 driver_data:word"),
    ("hdaudio", "hda_device_id", "5.10", "vendor_id:u32 rev_id:u32 api_version:u8 name:word driver_data:word"),
    ("sdw", "sdw_device_id", "5.10", "mfg_id:u16 part_id:u16 sdw_version:u8 class_id:u8 driver_data:word"),
    ("fslmc", "fsl_mc_device_id", "5.10", "vendor:u16 obj_type:char[16]"),
    (
        "tbsvc", "tb_service_id", "5.10",
        "match_flags:u32 protocol_key:char[9] protocol_id:u32 protocol_version:u32 protocol_revision:u32 "
        "driver_data:word",
    ),
    ("typec", "typec_device_id", "5.10", "svid:u16 mode:u8 driver_data:word"),
    ("typec", "typec_device_id", "7.2", "svid:u16 driver_data:word"),
    ("tee", "tee_client_device_id", "5.10", "uuid:bytes[16]"),
    ("wmi", "wmi_device_id", "5.10", "guid_string:char[37] context:word"),
    ("mhi", "mhi_device_id", "5.10", "chan:char[32] driver_data:word"),
    ("mhi_ep", "mhi_device_id", "6.1", "chan:char[32] driver_data:word"),
    ("auxiliary", "auxiliary_device_id", "6.1", "name:char[32] driver_data:word"),
    ("auxiliary", "auxiliary_device_id", "7.2", "name:char[40] driver_data:word"),
    (
        "ssam", "ssam_device_id", "6.1",
        "match_flags:u8 domain:u8 category:u8 target:u8 instance:u8 function:u8 driver_data:word",
    ),
    ("dfl", "dfl_device_id", "6.1", "type:u16 feature_id:u16 driver_data:word"),
    ("ishtp", "ishtp_device_id", "6.1", "guid:bytes[16] driver_data:word"),
    (
        "cdx", "cdx_device_id", "6.12",
        "vendor:u16 device:u16 subvendor:u16 subdevice:u16 class:u32 class_mask:u32 override_only:u32",
    ),
    ("vchiq", "vchiq_device_id", "6.12", "name:char[32]"),
    ("coreboot", "coreboot_device_id", "6.12", "tag:u32 driver_data:word"),
    ("mcb", "mcb_device_id", "7.2", "device:u16 driver_data:word"),
)  # fmt: skip


class Member(NamedTuple):
    """A member with its place: ``offset`` and ``size`` in bytes; ``kind`` is the type word of its declaration."""

    name: str
    kind: str
    offset: int
    size: int


class DeviceLayout(NamedTuple):
    """A device structure as a target lays it out; ``size`` in bytes, ``members`` by name."""

    name: str
    target: Target
    size: int
    members: Mapping[str, Member]


_INTEGER_SIZES = {"u8": 1, "u16": 2, "u32": 4}


def _size_and_alignment(kind: str, count: int, target: Target) -> tuple[int, int]:
    """Size in bytes and natural alignment of one member."""
    word = target.bits // 8
    match kind:
        case "word":
            return word, word
        case "char" | "texts" | "bytes":
            return count, 1
        case "bits":
            return -(-count // target.bits) * word, word
        case _:
            return _INTEGER_SIZES[kind], _INTEGER_SIZES[kind]


def layout_of(structure: DeviceStructure, target: Target) -> DeviceLayout:
    """Lay a structure out as the target's compiler does: each member aligned, the whole padded to its alignment."""
    end = 0
    structure_alignment = 1
    members = {}
    for declaration in structure.members.split():
        name, _, type_ = declaration.partition(":")
        kind, _, count = type_.rstrip("]").partition("[")
        try:
            size, natural = _size_and_alignment(kind, int(count or 0), target)
        except (KeyError, ValueError):
            raise ValueError(f"struct {structure.name}: bad member {declaration!r}") from None
        alignment = min(natural, target.max_alignment)
        structure_alignment = max(structure_alignment, alignment)
        offset = -(-end // alignment) * alignment
        members[name] = Member(name, kind, offset, size)
        end = offset + size
    total = -(-end // structure_alignment) * structure_alignment
    return DeviceLayout(structure.name, target, total, MappingProxyType(members))


class _Row(Protocol):
    @property
    def device_type(self) -> str: ...

    @property
    def since(self) -> str: ...


_R = TypeVar("_R", bound=_Row)


def in_force(rows: Iterable[_R], dialect_name: str) -> dict[str, _R]:
    """Of a table whose rows hold from a dialect on, oldest first, the rows for a dialect by device type."""
    names = [dialect.name for dialect in DIALECTS]
    reached = names[: names.index(dialect_name) + 1]
    return {row.device_type: row for row in rows if row.since in reached}
