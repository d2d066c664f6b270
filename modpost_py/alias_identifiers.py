# SPDX-License-Identifier: GPL-2.0-or-later
"""The aliases of devices that are known by an identifier with a form of its own: UUIDs and masked numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from modpost_py.alias_notation import Entry, TableRule
from modpost_py.device_layouts import Target
from modpost_py.device_messages import AMBA_BITS_OUTSIDE_MASK, WMI_INVALID_CHARACTER, WMI_INVALID_ID
from modpost_py.messages import Reporter

# ---------------------------------------------------------------------------------------------- UUIDs


def _grouped(digits: str) -> str:
    """32 digits as 8-4-4-4-12."""
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _guid(raw: bytes) -> str:
    """A UUID whose first three groups stand in little-endian order, in lower case."""
    return _grouped((raw[3::-1] + raw[5:3:-1] + raw[7:5:-1] + raw[8:]).hex())


def _mei(entries: Iterable[Entry], target: Target, reporter: Reporter) -> Iterator[str]:
    for name, uuid, version in entries:
        yield f"mei:{name or '*'}:{_guid(uuid)}:{'*' if version == 0xFF else f'{version:02X}'}:*"


def _ishtp(entries: Iterable[Entry], target: Target, reporter: Reporter) -> Iterator[str]:
    for (guid,) in entries:
        yield f"ishtp:{{{_guid(guid).upper()}}}"


def _tee(entries: Iterable[Entry], target: Target, reporter: Reporter) -> Iterator[str]:
    for (uuid,) in entries:
        yield f"tee:{_grouped(uuid.hex())}*"


def _vmbus(entries: Iterable[Entry], target: Target, reporter: Reporter) -> Iterator[str]:
    for (guid,) in entries:
        yield f"vmbus:{guid.hex()}"


MEI = TableRule(("mei:{name}:{uuid:8x-4x-4x-4x-12x}:{version:2}:*",), ("name", "uuid", "version"), _mei)
ISHTP = TableRule(("ishtp:{{guid:8-4-4-4-12}}",), ("guid",), _ishtp)
TEE = TableRule(("tee:{uuid:8x-4x-4x-4x-12x}*",), ("uuid",), _tee)
VMBUS = TableRule(("vmbus:{guid:32x}",), ("guid",), _vmbus)

# ------------------------------------------------------------------------------------------------ WMI

_GUID_LENGTH = 36
_HYPHENS = frozenset((8, 13, 18, 23))
_HEX_DIGITS = frozenset("0123456789abcdefABCDEF")


def _wmi_guids(entries: Iterable[Entry], target: Target, reporter: Reporter) -> Iterator[str]:
    """The texts that have the length of a GUID; the others are warned about."""
    for (text,) in entries:
        if len(text) == _GUID_LENGTH:
            yield text
        else:
            reporter.report(WMI_INVALID_ID, guid=text)


def _wmi(entries: Iterable[Entry], target: Target, reporter: Reporter) -> Iterator[str]:
    for guid in _wmi_guids(entries, target, reporter):
        yield f"wmi:{guid}"


def _wmi_checked(entries: Iterable[Entry], target: Target, reporter: Reporter) -> Iterator[str]:
    for guid in _wmi_guids(entries, target, reporter):
        wrong = [
            character
            for at, character in enumerate(guid)
            if (character != "-" if at in _HYPHENS else character not in _HEX_DIGITS)
        ]
        if wrong:
            reporter.report(WMI_INVALID_CHARACTER, character=wrong[0], guid=guid)
        else:
            yield f"wmi:{guid.upper()}"


_WMI_FORMS = ("wmi:{guid_string}",)
WMI = TableRule(_WMI_FORMS, ("guid_string",), _wmi)
WMI_CHECKED = TableRule(_WMI_FORMS, ("guid_string",), _wmi_checked)

# ------------------------------------------------------------------------------------- masked numbers


def _mdio(entries: Iterable[Entry], target: Target, reporter: Reporter) -> Iterator[str]:
    """All 32 bits of the PHY's id, the highest first; ``?`` for those that the mask leaves open."""
    for identifier, mask in entries:
        yield "mdio:" + "".join(
            ("1" if identifier >> bit & 1 else "0") if mask >> bit & 1 else "?" for bit in range(31, -1, -1)
        )


def _amba_digit(nibble: int, mask: int) -> str:
    """A pattern for the digits that are ``nibble`` under ``mask``."""
    if mask == 0:
        return "?"
    if mask == 0xF:
        return f"{nibble:X}"
    return "[" + "".join(f"{digit:X}" for digit in range(16) if digit & mask == nibble) + "]"


def _amba(entries: Iterable[Entry], target: Target, reporter: Reporter) -> Iterator[str]:
    for identifier, mask in entries:
        if identifier & mask != identifier:
            reporter.report(AMBA_BITS_OUTSIDE_MASK, id=identifier, mask=mask)
        yield "amba:d" + "".join(
            _amba_digit(identifier >> shift & 0xF, mask >> shift & 0xF) for shift in range(28, -4, -4)
        )


def _x86cpu(entries: Iterable[Entry], target: Target, reporter: Reporter) -> Iterator[str]:
    for vendor, family, model, feature in entries:
        ven = "*" if vendor == 0xFFFF else f"{vendor:04X}"
        fam = f"{family:04X}" if family else "*"
        mod = f"{model:04X}" if model else "*"
        yield f"cpu:type:x86,ven{ven}fam{fam}mod{mod}:feature:*" + (f"{feature:04X}*" if feature else "")


MDIO = TableRule(("mdio:{phy_id, 32 binary digits}",), ("phy_id", "phy_id_mask"), _mdio)
AMBA = TableRule(("amba:d{id, 8 digits or sets of digits}",), ("id", "mask"), _amba)
X86CPU = TableRule(
    ("cpu:type:x86,ven{vendor:4}fam{family:4}mod{model:4}:feature:*[{feature:4}*]",),
    ("vendor", "family", "model", "feature"),
    _x86cpu,
)
