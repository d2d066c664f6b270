# SPDX-License-Identifier: GPL-2.0-or-later
"""The modalias of every device type, as a table (notation: ``modpost_py.alias_notation``)."""

from __future__ import annotations

from typing import NamedTuple

from modpost_py.alias_identifiers import AMBA, ISHTP, MDIO, MEI, TEE, VMBUS, WMI, WMI_CHECKED, X86CPU
from modpost_py.alias_input import INPUT, INPUT_BOUNDED
from modpost_py.alias_notation import (
    UNLESS_ONES,
    UNLESS_ZERO,
    AnyRule,
    Flag,
    Hex,
    Rule,
    Text,
    Unless,
)
from modpost_py.alias_pci import CDX, PCI, PCI_WITHOUT_OVERRIDE
from modpost_py.alias_platform_firmware import (
    ACPI,
    ACPI_HOST_ORDER,
    DMI,
    DMI_BOUNDED,
    ISAPNP,
    OF,
    PNP,
    PNP_CARD,
    PNP_CARD_REPEATING,
)
from modpost_py.alias_usb import USB


class AliasRule(NamedTuple):
    """A row of the table: a device type, the first dialect that names its devices so, and the rule."""

    device_type: str
    since: str
    rule: AnyRule


def _rows(*rows: tuple[str, str, AnyRule]) -> tuple[AliasRule, ...]:
    return tuple(AliasRule(*row) for row in rows)


ALIAS_RULES: tuple[AliasRule, ...] = _rows(
    ("usb", "5.10", USB),
    ("of", "5.10", OF),
    ("pnp", "5.10", PNP),
    ("pnp_card", "5.10", PNP_CARD),
    ("pnp_card", "7.2", PNP_CARD_REPEATING),
    (
        "hid", "5.10",
        Rule((
            "hid:",
            Hex("b", "bus", Unless(0xFFFF)),
            Hex("g", "group", UNLESS_ZERO),
            Hex("v", "vendor", UNLESS_ONES),
            Hex("p", "product", UNLESS_ONES),
        )),
    ),
    (
        "ieee1394", "5.10",
        Rule((
            "ieee1394:",
            Hex("ven", "vendor_id", Flag(1)),
            Hex("mo", "model_id", Flag(2)),
            Hex("sp", "specifier_id", Flag(4)),
            Hex("ver", "version", Flag(8)),
        ), star=True),
    ),
    ("pci", "5.10", PCI_WITHOUT_OVERRIDE),
    ("pci", "6.1", PCI),
    (
        "ccw", "5.10",
        Rule((
            "ccw:",
            Hex("t", "cu_type", Flag(1)),
            Hex("m", "cu_model", Flag(2)),
            Hex("dt", "dev_type", Flag(4)),
            Hex("dm", "dev_model", Flag(8)),
        ), star=True),
    ),
    ("ap", "5.10", Rule(("ap:", Hex("t", "dev_type"), "*"))),
    ("css", "5.10", Rule(("css:", Hex("t", "type", conversion="%01X")))),
    (
        "serio", "5.10",
        Rule((
            "serio:",
            Hex("ty", "type", UNLESS_ONES),
            Hex("pr", "proto", UNLESS_ONES),
            Hex("id", "id", UNLESS_ONES),
            Hex("ex", "extra", UNLESS_ONES),
        ), star=True),
    ),
    ("acpi", "5.10", ACPI_HOST_ORDER),
    ("acpi", "6.12", ACPI),
    (
        "pcmcia", "5.10",
        Rule((
            "pcmcia:",
            Hex("m", "manf_id", Flag(0x1)),
            Hex("c", "card_id", Flag(0x2)),
            Hex("f", "func_id", Flag(0x4)),
            Hex("fn", "function", Flag(0x8)),
            Hex("pfn", "device_no", Flag(0x100)),
            Hex("pa", "prod_id_hash0", Flag(0x10)),
            Hex("pb", "prod_id_hash1", Flag(0x20)),
            Hex("pc", "prod_id_hash2", Flag(0x40)),
            Hex("pd", "prod_id_hash3", Flag(0x80)),
        ), star=True),
    ),
    (
        "vio", "5.10",
        Rule((
            "vio:",
            Text("T", "type", star_if_empty=True),
            Text("S", "compat", star_if_empty=True),
        ), star=True, underlined=True),
    ),
    ("input", "5.10", INPUT),
    ("input", "7.2", INPUT_BOUNDED),
    ("eisa", "5.10", Rule(("eisa:", Text("s", "sig"), "*"))),
    (
        "parisc", "5.10",
        Rule((
            "parisc:",
            Hex("t", "hw_type", UNLESS_ONES),
            Hex("hv", "hversion", UNLESS_ONES),
            Hex("rev", "hversion_rev", UNLESS_ONES),
            Hex("sv", "sversion", UNLESS_ONES),
        ), star=True),
    ),
    (
        "sdio", "5.10",
        Rule((
            "sdio:",
            Hex("c", "class", UNLESS_ONES),
            Hex("v", "vendor", UNLESS_ONES),
            Hex("d", "device", UNLESS_ONES),
        ), star=True),
    ),
    (
        "ssb", "5.10",
        Rule((
            "ssb:",
            Hex("v", "vendor", UNLESS_ONES),
            Hex("id", "coreid", UNLESS_ONES),
            Hex("rev", "revision", UNLESS_ONES),
        ), star=True),
    ),
    (
        "bcma", "5.10",
        Rule((
            "bcma:",
            Hex("m", "manuf", UNLESS_ONES),
            Hex("id", "id", UNLESS_ONES),
            Hex("rev", "rev", UNLESS_ONES),
            Hex("cl", "class", UNLESS_ONES),
        ), star=True),
    ),
    (
        "virtio", "5.10",
        Rule((
            "virtio:",
            Hex("d", "device", UNLESS_ONES),
            Hex("v", "vendor", UNLESS_ONES),
        ), star=True),
    ),
    ("vmbus", "5.10", VMBUS),
    ("rpmsg", "5.10", Rule(("rpmsg:", Text("", "name")))),
    ("i2c", "5.10", Rule(("i2c:", Text("", "name")))),
    (
        "i3c", "5.10",
        Rule((
            "i3c:",
            Hex("dcr", "dcr", Flag(1)),
            Hex("manuf", "manuf_id", Flag(2)),
            Hex("part", "part_id", Flag(4)),
            Hex("ext", "extra_info", Flag(8)),
        )),
    ),
    (
        "slim", "6.12",
        Rule(("slim:", Hex("", "manf_id", conversion="%x"), Hex(":", "prod_code", conversion="%x"), ":*")),
    ),
    ("spi", "5.10", Rule(("spi:", Text("", "name")))),
    ("dmi", "5.10", DMI),
    ("dmi", "7.2", DMI_BOUNDED),
    ("platform", "5.10", Rule(("platform:", Text("", "name")))),
    ("mdio", "5.10", MDIO),
    ("zorro", "5.10", Rule(("zorro:", Hex("i", "id", UNLESS_ONES)))),
    ("isapnp", "5.10", ISAPNP),
    (
        "ipack", "5.10",
        Rule((
            "ipack:",
            Hex("f", "format", UNLESS_ONES),
            Hex("v", "vendor", UNLESS_ONES),
            Hex("d", "device", UNLESS_ONES),
        ), star=True),
    ),
    ("amba", "5.10", AMBA),
    ("mipscdmm", "5.10", Rule(("mipscdmm:", Hex("t", "type"), "*"))),
    ("x86cpu", "5.10", X86CPU),
    ("cpu", "5.10", Rule(("cpu:type:*:feature:*", Hex("", "feature"), "*"))),
    ("mei", "5.10", MEI),
    (
        "rapidio", "5.10",
        Rule((
            "rapidio:",
            Hex("v", "vid", UNLESS_ONES),
            Hex("d", "did", UNLESS_ONES),
            Hex("av", "asm_vid", UNLESS_ONES),
            Hex("ad", "asm_did", UNLESS_ONES),
        ), star=True),
    ),
    (
        "ulpi", "5.10",
        Rule(("ulpi:", Hex("v", "vendor", conversion="%04x"), Hex("p", "product", conversion="%04x"))),
    ),
    (
        "hdaudio", "5.10",
        Rule((
            "hdaudio:",
            Hex("v", "vendor_id", UNLESS_ZERO),
            Hex("r", "rev_id", UNLESS_ZERO),
            Hex("a", "api_version", UNLESS_ZERO),
        ), star=True),
    ),
    (
        "sdw", "5.10",
        Rule((
            "sdw:",
            Hex("m", "mfg_id", UNLESS_ZERO),
            Hex("p", "part_id", UNLESS_ZERO),
            Hex("v", "sdw_version", UNLESS_ZERO),
            Hex("c", "class_id", UNLESS_ZERO),
        ), star=True),
    ),
    # the vendor has 16 bits, but eight digits
    ("fslmc", "5.10", Rule(("fsl-mc:", Hex("v", "vendor", conversion="%08X"), Text("d", "obj_type")))),
    (
        "tbsvc", "5.10",
        Rule((
            "tbsvc:",
            Text("k", "protocol_key", condition=Flag(1)),
            Hex("p", "protocol_id", Flag(2)),
            Hex("v", "protocol_version", Flag(4)),
            Hex("r", "protocol_revision", Flag(8)),
        ), star=True),
    ),
    ("typec", "5.10", Rule(("typec:", Hex("id", "svid"), Hex("m", "mode", Unless(7))))),
    ("typec", "7.2", Rule(("typec:", Hex("id", "svid")))),
    ("tee", "5.10", TEE),
    ("wmi", "5.10", WMI),
    ("wmi", "7.2", WMI_CHECKED),
    ("mhi", "5.10", Rule(("mhi:", Text("", "chan")))),
    ("mhi_ep", "6.1", Rule(("mhi_ep:", Text("", "chan")))),
    ("auxiliary", "6.1", Rule(("auxiliary:", Text("", "name")))),
    (
        "ssam", "6.1",
        Rule((
            "ssam:",
            Hex("d", "domain"),
            Hex("c", "category"),
            Hex("t", "target", Flag(1)),
            Hex("i", "instance", Flag(2)),
            Hex("f", "function", Flag(4)),
        )),
    ),
    ("dfl", "6.1", Rule(("dfl:", Hex("t", "type"), Hex("f", "feature_id")), star=True)),
    ("ishtp", "6.1", ISHTP),
    ("cdx", "6.12", CDX),
    ("vchiq", "6.12", Rule(("vchiq:", Text("", "name")))),
    ("coreboot", "6.12", Rule(("coreboot:", Hex("t", "tag")))),
    ("mcb", "7.2", Rule(("mcb:16z", Hex("", "device", conversion="%03d")))),
)  # fmt: skip
