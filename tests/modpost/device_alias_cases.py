# SPDX-License-Identifier: GPL-2.0-or-later
"""Device table entries of every type with the aliases that they become, worked out by hand."""

from __future__ import annotations

from tests.modpost.device_entries import Entry

ALL = ("5.10", "6.1", "6.12", "7.2", "7.3")
UP_TO_6_12 = ALL[:3]
SINCE_6_1 = ALL[1:]
SINCE_6_12 = ALL[2:]
SINCE_7 = ALL[3:]

GUID = bytes.fromhex("00112233445566778899aabbccddeeff")
GUID_TEXT = "05901221-D566-11D1-B2F0-00A0C9062910"

# device type, dialects, entries, aliases
CASES: list[tuple[str, tuple[str, ...], list[Entry], list[str]]] = [
    (
        "usb",
        ALL,
        [{"match_flags": 3, "idVendor": 0x46D, "idProduct": 0xC52B}],
        ["usb:v046DpC52Bd*dc*dsc*dp*ic*isc*ip*in*"],
    ),
    (
        "usb",
        ALL,
        [
            {
                "match_flags": 0x7F0,
                "bDeviceClass": 0xEF,
                "bDeviceSubClass": 2,
                "bDeviceProtocol": 1,
                "bInterfaceClass": 14,
                "bInterfaceSubClass": 3,
                "bInterfaceProtocol": 0,
                "bInterfaceNumber": 5,
            }
        ],
        ["usb:v*p*d*dcEFdsc02dp01ic0Eisc03ip00in05*"],
    ),
    (
        "usb",
        ALL,
        [{"match_flags": 0xF, "idVendor": 0x54C, "idProduct": 0x2E, "bcdDevice_lo": 0x100, "bcdDevice_hi": 0x299}],
        ["usb:v054Cp002Ed0[1-2]*dc*dsc*dp*ic*isc*ip*in*"],
    ),
    # nothing that identifies a device: no alias
    ("usb", ALL, [{"match_flags": 2, "idVendor": 0, "idProduct": 0}], []),
    (
        "of",
        ALL,
        [
            {"compatible": "foo,bar"},
            {"name": "cpu", "type": "a b"},
            {"type": "serial", "compatible": "x"},
            {"name": "\tz"},
        ],
        [
            "of:N*T*Cfoo,bar",
            "of:N*T*Cfoo,barC*",
            "of:NcpuTa_b",
            "of:NcpuTa_bC*",
            "of:N*Tserial*Cx",
            "of:N*Tserial*CxC*",
            "of:N_zT*",
            "of:N_zT*C*",
        ],
    ),
    ("pnp", ALL, [{"id": "PNP0c0f"}], ["pnp:dPNP0c0f*", "acpi*:PNP0C0F:*"]),
    (
        "pnp_card",
        UP_TO_6_12,
        [{"devs": "CTL0001\0CTL0001\0CTL2011"}, {"devs": "CTL2011\0xyz0000\0\0\0\0\0\0\0\0\0NEVER"}],
        [
            "pnp:dCTL0001*",
            "acpi*:CTL0001:*",
            "pnp:dCTL0001*",
            "acpi*:CTL0001:*",
            "pnp:dCTL2011*",
            "acpi*:CTL2011:*",
            "pnp:dxyz0000*",
            "acpi*:XYZ0000:*",
        ],
    ),
    (
        # eight devices fill the member
        "pnp_card",
        ALL,
        [{"devs": "a\0\0\0\0\0\0\0b\0\0\0\0\0\0\0c\0\0\0\0\0\0\0d\0\0\0\0\0\0\0" * 2}, {"id": "next"}],
        ["pnp:da*", "acpi*:A:*", "pnp:db*", "acpi*:B:*", "pnp:dc*", "acpi*:C:*", "pnp:dd*", "acpi*:D:*"] * 2,
    ),
    (
        "pnp_card",
        SINCE_7,
        [{"devs": "CTL0001\0CTL2011"}, {"devs": "CTL2011"}],
        ["pnp:dCTL0001*", "acpi*:CTL0001:*", "pnp:dCTL2011*", "acpi*:CTL2011:*", "pnp:dCTL2011*", "acpi*:CTL2011:*"],
    ),
    (
        "hid",
        ALL,
        [
            {"bus": 3, "group": 1, "vendor": 0x46D, "product": 0xC52B},
            {"bus": 0xFFFF, "vendor": 0xFFFFFFFF, "product": 0xFFFFFFFF},
        ],
        ["hid:b0003g0001v0000046Dp0000C52B", "hid:b*g*v*p*"],
    ),
    (
        "ieee1394",
        ALL,
        [
            {"match_flags": 0xC, "vendor_id": 1, "specifier_id": 0xA02D, "version": 0x10001},
            {"match_flags": 3, "vendor_id": 1, "model_id": 2},
        ],
        ["ieee1394:ven*mo*sp0000A02Dver00010001*", "ieee1394:ven00000001mo00000002sp*ver*"],
    ),
    (
        "pci",
        ALL,
        [
            {"vendor": 0x8086, "device": 0x10D3, "subvendor": 0xFFFFFFFF, "subdevice": 0xFFFFFFFF},
            {
                "vendor": 0xFFFFFFFF,
                "device": 0xFFFFFFFF,
                "subvendor": 1,
                "subdevice": 0,
                "class": 0x0C0330,
                "class_mask": 0xFFFFFF,
            },
            {"vendor": 1, "device": 2, "class": 0x40300, "class_mask": 0xFFFF00},
        ],
        [
            "pci:v00008086d000010D3sv*sd*bc*sc*i*",
            "pci:v*d*sv00000001sd00000000bc0Csc03i30*",
            "pci:v00000001d00000002sv00000000sd00000000bc04sc03i*",
        ],
    ),
    (
        "pci",
        SINCE_6_1,
        [{"vendor": 1, "device": 2, "override_only": 1}],
        ["vfio_pci:v00000001d00000002sv00000000sd00000000bc*sc*i*"],
    ),
    (
        "ccw",
        ALL,
        [
            {"match_flags": 0xF, "cu_type": 0x3990, "cu_model": 0xE9, "dev_type": 0x3390, "dev_model": 0xA},
            {"match_flags": 1, "cu_type": 0x3088},
        ],
        ["ccw:t3990mE9dt3390dm0A*", "ccw:t3088m*dt*dm*"],
    ),
    ("ap", ALL, [{"dev_type": 0xB}], ["ap:t0B*"]),
    ("css", ALL, [{"match_flags": 1, "type": 3}, {"type": 0x1F}], ["css:t3", "css:t1F"]),
    (
        "serio",
        ALL,
        [{"type": 2, "proto": 0x2C, "id": 0xFF, "extra": 0xFF}, {"type": 0xFF, "proto": 1, "id": 2, "extra": 3}],
        ["serio:ty02pr2Cid*ex*", "serio:ty*pr01id02ex03*"],
    ),
    ("acpi", ALL, [{"id": "PNP0A08"}, {"id": "low0", "cls": 1, "cls_msk": 0xFF}], ["acpi*:PNP0A08:*", "acpi*:low0:*"]),
    (
        "pcmcia",
        ALL,
        [
            {"match_flags": 0x3, "manf_id": 0x149, "card_id": 0xC1AB},
            {
                "match_flags": 0x1FC,
                "func_id": 6,
                "function": 1,
                "device_no": 2,
                "prod_id_hash0": 0x11,
                "prod_id_hash1": 0x22,
                "prod_id_hash2": 0x33,
                "prod_id_hash3": 0xB4585A1A,
            },
        ],
        ["pcmcia:m0149cC1ABf*fn*pfn*pa*pb*pc*pd*", "pcmcia:m*c*f06fn01pfn02pa00000011pb00000022pc00000033pdB4585A1A*"],
    ),
    (
        "vio",
        ALL,
        [{"type": "network", "compat": "IBM,l lan"}, {"type": "vty"}, {"compat": "x"}],
        ["vio:TnetworkSIBM,l_lan*", "vio:TvtyS*", "vio:T*Sx*"],
    ),
    ("eisa", ALL, [{"sig": "DEC4220"}], ["eisa:sDEC4220*"]),
    (
        "parisc",
        ALL,
        [
            {"hw_type": 0xFF, "hversion": 0xFFFF, "hversion_rev": 0xFF, "sversion": 0xFFFFFFFF},
            {"hw_type": 0xA, "hversion": 1, "hversion_rev": 2, "sversion": 0x8C},
        ],
        ["parisc:t*hv*rev*sv*", "parisc:t0Ahv0001rev02sv0000008C*"],
    ),
    ("sdio", ALL, [{"class": 7, "vendor": 0x2D0, "device": 0xFFFF}], ["sdio:c07v02D0d*"]),
    (
        "ssb",
        ALL,
        [{"vendor": 0x4243, "coreid": 0x812, "revision": 0xFF}, {"vendor": 0xFFFF, "coreid": 1, "revision": 5}],
        ["ssb:v4243id0812rev*", "ssb:v*id0001rev05*"],
    ),
    ("bcma", ALL, [{"manuf": 0x4BF, "id": 0x812, "rev": 0x17, "class": 0xFF}], ["bcma:m04BFid0812rev17cl*"]),
    (
        "virtio",
        ALL,
        [{"device": 1, "vendor": 0xFFFFFFFF}, {"device": 0xFFFFFFFF, "vendor": 2}],
        ["virtio:d00000001v*", "virtio:d*v00000002*"],
    ),
    ("vmbus", ALL, [{"guid": GUID}], ["vmbus:00112233445566778899aabbccddeeff"]),
    ("rpmsg", ALL, [{"name": "rpmsg_chrdev"}], ["rpmsg:rpmsg_chrdev"]),
    ("i2c", ALL, [{"name": "lm75"}, {"name": ""}], ["i2c:lm75", "i2c:"]),
    (
        "i3c",
        ALL,
        [{"match_flags": 1, "dcr": 0x63}, {"match_flags": 0xE, "manuf_id": 0x104, "part_id": 0x6A, "extra_info": 1}],
        ["i3c:dcr63manuf*part*ext*", "i3c:dcr*manuf0104part006Aext0001"],
    ),
    ("slim", SINCE_6_12, [{"manf_id": 0x217, "prod_code": 0x250}], ["slim:217:250:*"]),
    ("spi", ALL, [{"name": "ads7846"}], ["spi:ads7846"]),
    ("platform", ALL, [{"name": "iTCO_wdt"}], ["platform:iTCO_wdt"]),
    ("mdio", ALL, [{"phy_id": 0x0141_0CC0, "phy_id_mask": 0xFFFF_FFF0}], ["mdio:0000000101000001000011001100????"]),
    ("zorro", ALL, [{"id": 0x0202_1234}, {"id": 0xFFFFFFFF}], ["zorro:i02021234", "zorro:i*"]),
    # the vendor code is "CTL" packed in 5 bits a letter: 3 << 10 | 20 << 5 | 12, its bytes swapped
    ("isapnp", ALL, [{"vendor": 0x8C0E, "function": 0x3412}], ["pnp:dCTL1234*"]),
    (
        "ipack",
        ALL,
        [{"format": 1, "vendor": 0xF0, "device": 0xFFFFFFFF}, {"format": 0xFF, "vendor": 0, "device": 0}],
        ["ipack:f01v000000F0d*", "ipack:f*v00000000d00000000*"],
    ),
    (
        "amba",
        ALL,
        [{"id": 0x0004_1011, "mask": 0x000F_FFFF}, {"id": 0x2, "mask": 0xE}],
        ["amba:d???41011", "amba:d???????[23]"],
    ),
    ("mipscdmm", ALL, [{"type": 0xFD}], ["mipscdmm:tFD*"]),
    (
        "x86cpu",
        ALL,
        [{"vendor": 0, "family": 6, "model": 0x9E}, {"vendor": 0xFFFF, "feature": 0x99}],
        ["cpu:type:x86,ven0000fam0006mod009E:feature:*", "cpu:type:x86,ven*fam*mod*:feature:*0099*"],
    ),
    ("cpu", ALL, [{"feature": 7}], ["cpu:type:*:feature:*0007*"]),
    (
        "mei",
        ALL,
        [{"name": "iwlmei", "uuid": GUID, "version": 0xFF}, {"uuid": GUID, "version": 1}],
        ["mei:iwlmei:33221100-5544-7766-8899-aabbccddeeff:*:*", "mei:*:33221100-5544-7766-8899-aabbccddeeff:01:*"],
    ),
    (
        "rapidio",
        ALL,
        [{"did": 0x80AB, "vid": 0x38, "asm_did": 0xFFFF, "asm_vid": 0xFFFF}, {"asm_did": 1, "asm_vid": 2}],
        ["rapidio:v0038d80ABav*ad*", "rapidio:v0000d0000av0002ad0001*"],
    ),
    ("ulpi", ALL, [{"vendor": 0x451, "product": 0x150A}], ["ulpi:v0451p150a"]),
    (
        "hdaudio",
        ALL,
        [{"vendor_id": 0x10EC0255, "api_version": 1}, {"rev_id": 0x100002}],
        ["hdaudio:v10EC0255r*a01*", "hdaudio:v*r00100002a*"],
    ),
    (
        "sdw",
        ALL,
        [{"mfg_id": 0x25D, "part_id": 0x711, "sdw_version": 3, "class_id": 1}, {"mfg_id": 1}],
        ["sdw:m025Dp0711v03c01*", "sdw:m0001p*v*c*"],
    ),
    ("fslmc", ALL, [{"vendor": 0x1957, "obj_type": "dpni"}], ["fsl-mc:v00001957ddpni"]),
    (
        "tbsvc",
        ALL,
        [
            {"match_flags": 3, "protocol_key": "network", "protocol_id": 1},
            {"match_flags": 0xC, "protocol_version": 2, "protocol_revision": 3},
            {"match_flags": 1, "protocol_key": "k", "protocol_id": 9, "protocol_version": 9, "protocol_revision": 9},
        ],
        ["tbsvc:knetworkp00000001v*r*", "tbsvc:k*p*v00000002r00000003*", "tbsvc:kkp*v*r*"],
    ),
    (
        "typec",
        UP_TO_6_12,
        [{"svid": 0xFF01, "mode": 1}, {"svid": 0x8087, "mode": 7}],
        ["typec:idFF01m01", "typec:id8087m*"],
    ),
    ("typec", SINCE_7, [{"svid": 0xFF01}], ["typec:idFF01"]),
    ("tee", ALL, [{"uuid": GUID}], ["tee:00112233-4455-6677-8899-aabbccddeeff*"]),
    (
        "wmi",
        UP_TO_6_12,
        [{"guid_string": "05901221-d566-11D1-B2F0-00A0C9062910"}, {"guid_string": GUID_TEXT}],
        ["wmi:05901221-d566-11D1-B2F0-00A0C9062910", f"wmi:{GUID_TEXT}"],
    ),
    ("wmi", SINCE_7, [{"guid_string": "05901221-d566-11D1-B2F0-00A0C9062910"}], [f"wmi:{GUID_TEXT}"]),
    ("mhi", ALL, [{"chan": "IPCR"}], ["mhi:IPCR"]),
    ("mhi_ep", SINCE_6_1, [{"chan": "IP_SW0"}], ["mhi_ep:IP_SW0"]),
    ("auxiliary", SINCE_6_1, [{"name": "mlx5_core.eth"}], ["auxiliary:mlx5_core.eth"]),
    (
        "ssam",
        SINCE_6_1,
        [
            {"match_flags": 5, "domain": 1, "category": 2, "target": 3, "instance": 4, "function": 5},
            {"match_flags": 2, "domain": 1, "category": 2, "target": 3, "instance": 4, "function": 5},
        ],
        ["ssam:d01c02t03i*f05", "ssam:d01c02t*i04f*"],
    ),
    ("dfl", SINCE_6_1, [{"type": 0, "feature_id": 0x11}], ["dfl:t0000f0011*"]),
    ("ishtp", SINCE_6_1, [{"guid": GUID}], ["ishtp:{33221100-5544-7766-8899-AABBCCDDEEFF}"]),
    (
        "cdx",
        SINCE_6_12,
        [
            {
                "vendor": 0x10EE,
                "device": 0xFFFF,
                "subvendor": 0xFFFF,
                "subdevice": 1,
                "class": 0x0C0330,
                "class_mask": 0xFFFFFF,
            },
            {
                "vendor": 0xFFFF,
                "device": 2,
                "subvendor": 3,
                "subdevice": 0xFFFF,
                "class_mask": 0xFF,
                "override_only": 1,
            },
        ],
        ["cdx:v10EEd*sv*sd0001c000C0330", "vfio_cdx:v*d0002sv0003sd*c*"],
    ),
    ("vchiq", SINCE_6_12, [{"name": "bcm2835-camera"}], ["vchiq:bcm2835-camera"]),
    ("coreboot", SINCE_6_12, [{"tag": 0x25}], ["coreboot:t00000025"]),
    (
        "input",
        ALL,
        [{"flags": 0x13, "bustype": 3, "vendor": 0x46D, "evbit": 3}],
        ["input:b0003v046Dp*e*-e*0,*1,*k*r*a*m*l*s*f*w*"],
    ),
    (
        "dmi",
        ALL,
        [{"matches": "\x06Dell Inc.".ljust(80, "\0") + "\x07XPS 13"}],
        ["dmi*:svn*DellInc.*:pn*XPS13*:"],
    ),
    ("mcb", SINCE_7, [{"device": 0x1C}, {"device": 1234}], ["mcb:16z028", "mcb:16z1234"]),
]

#: separator, member, value, its text, flag that makes it meant (or None), value that leaves it open
Part = tuple[str, str, int, str, int | None, int]


def _flagged(*parts: tuple[str, str, int, str, int]) -> list[Part]:
    return [(*part, 0) for part in parts]


def _unless(*parts: tuple[str, str, int, str, int]) -> list[Part]:
    return [(separator, member, value, text, None, open_value) for separator, member, value, text, open_value in parts]


FF, FFFF, FFFFFFFF = 0xFF, 0xFFFF, 0xFFFFFFFF

# device type, prefix, what is added unless there is a "*", the parts that may be open
PARTS: list[tuple[str, str, str, list[Part]]] = [
    ("hid", "hid:", "", _unless(
        ("b", "bus", 3, "0003", FFFF), ("g", "group", 1, "0001", 0), ("v", "vendor", 0, "00000000", FFFFFFFF),
        ("p", "product", FFFF, "0000FFFF", FFFFFFFF))),
    ("ieee1394", "ieee1394:", "*", _flagged(
        ("ven", "vendor_id", 1, "00000001", 1), ("mo", "model_id", 2, "00000002", 2),
        ("sp", "specifier_id", 3, "00000003", 4), ("ver", "version", 0xABCDEF01, "ABCDEF01", 8))),
    ("ccw", "ccw:", "*", _flagged(
        ("t", "cu_type", 1, "0001", 1), ("m", "cu_model", 2, "02", 2), ("dt", "dev_type", 3, "0003", 4),
        ("dm", "dev_model", 4, "04", 8))),
    ("serio", "serio:", "*", _unless(
        ("ty", "type", 0, "00", FF), ("pr", "proto", 0, "00", FF), ("id", "id", 0, "00", FF),
        ("ex", "extra", 0, "00", FF))),
    ("pcmcia", "pcmcia:", "*", _flagged(
        ("m", "manf_id", 1, "0001", 0x1), ("c", "card_id", 2, "0002", 0x2), ("f", "func_id", 3, "03", 0x4),
        ("fn", "function", 4, "04", 0x8), ("pfn", "device_no", 5, "05", 0x100),
        ("pa", "prod_id_hash0", 6, "00000006", 0x10), ("pb", "prod_id_hash1", 7, "00000007", 0x20),
        ("pc", "prod_id_hash2", 8, "00000008", 0x40), ("pd", "prod_id_hash3", 9, "00000009", 0x80))),
    ("parisc", "parisc:", "*", _unless(
        ("t", "hw_type", 0, "00", FF), ("hv", "hversion", 0, "0000", FFFF), ("rev", "hversion_rev", 0, "00", FF),
        ("sv", "sversion", 0, "00000000", FFFFFFFF))),
    ("sdio", "sdio:", "*", _unless(
        ("c", "class", 0, "00", FF), ("v", "vendor", 0, "0000", FFFF), ("d", "device", 0, "0000", FFFF))),
    ("ssb", "ssb:", "*", _unless(
        ("v", "vendor", 0, "0000", FFFF), ("id", "coreid", 0, "0000", FFFF), ("rev", "revision", 0, "00", FF))),
    ("bcma", "bcma:", "*", _unless(
        ("m", "manuf", 0, "0000", FFFF), ("id", "id", 0, "0000", FFFF), ("rev", "rev", 0, "00", FF),
        ("cl", "class", 0, "00", FF))),
    ("virtio", "virtio:", "*", _unless(
        ("d", "device", 0, "00000000", FFFFFFFF), ("v", "vendor", 0, "00000000", FFFFFFFF))),
    ("i3c", "i3c:", "", _flagged(
        ("dcr", "dcr", 1, "01", 1), ("manuf", "manuf_id", 2, "0002", 2), ("part", "part_id", 3, "0003", 4),
        ("ext", "extra_info", 4, "0004", 8))),
    ("zorro", "zorro:", "", _unless(("i", "id", 0, "00000000", FFFFFFFF))),
    ("ipack", "ipack:", "*", _unless(
        ("f", "format", 0, "00", FF), ("v", "vendor", 0, "00000000", FFFFFFFF),
        ("d", "device", 0, "00000000", FFFFFFFF))),
    ("rapidio", "rapidio:", "*", _unless(
        ("v", "vid", 0, "0000", FFFF), ("d", "did", 0, "0000", FFFF), ("av", "asm_vid", 0, "0000", FFFF),
        ("ad", "asm_did", 0, "0000", FFFF))),
    ("hdaudio", "hdaudio:", "*", _unless(
        ("v", "vendor_id", FFFFFFFF, "FFFFFFFF", 0), ("r", "rev_id", 1, "00000001", 0),
        ("a", "api_version", 1, "01", 0))),
    ("sdw", "sdw:", "*", _unless(
        ("m", "mfg_id", FFFF, "FFFF", 0), ("p", "part_id", 1, "0001", 0), ("v", "sdw_version", 1, "01", 0),
        ("c", "class_id", FF, "FF", 0))),
    ("ssam", "ssam:d00c00", "", _flagged(
        ("t", "target", 1, "01", 1), ("i", "instance", 2, "02", 2), ("f", "function", 3, "03", 4))),
    ("tbsvc", "tbsvc:k*", "*", _flagged(
        ("p", "protocol_id", 1, "00000001", 2), ("v", "protocol_version", 2, "00000002", 4),
        ("r", "protocol_revision", 3, "00000003", 8))),
    ("cdx", "cdx:", "", _unless(
        ("v", "vendor", 0, "0000", FFFF), ("d", "device", 0, "0000", FFFF), ("sv", "subvendor", 0, "0000", FFFF),
        ("sd", "subdevice", 0, "0000", FFFF), ("c", "class_mask", 0xFFFFFF, "00000000", 0))),
    ("pci", "pci:", "*", _unless(
        ("v", "vendor", 0, "00000000", FFFFFFFF), ("d", "device", 0, "00000000", FFFFFFFF),
        ("sv", "subvendor", 0, "00000000", FFFFFFFF), ("sd", "subdevice", 0, "00000000", FFFFFFFF),
        ("bc*sc*i", "class_mask", 0xFF, "00", 0))),
    ("usb", "usb:v*p*d*", "*", _flagged(
        ("dc", "bDeviceClass", 9, "09", 0x10), ("dsc", "bDeviceSubClass", 1, "01", 0x20),
        ("dp", "bDeviceProtocol", 2, "02", 0x40), ("ic", "bInterfaceClass", 3, "03", 0x80),
        ("isc", "bInterfaceSubClass", 4, "04", 0x100), ("ip", "bInterfaceProtocol", 5, "05", 0x200),
        ("in", "bInterfaceNumber", 6, "06", 0x400))),
]  # fmt: skip
