# SPDX-License-Identifier: GPL-2.0-or-later
"""The aliases of PCI and CDX devices: numbers, a masked class, and devices only for a driver override."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from modpost_py.alias_notation import Entry, TableRule
from modpost_py.device_layouts import Target
from modpost_py.device_messages import CDX_UNKNOWN_OVERRIDE, PCI_CLASS_MASK, PCI_UNKNOWN_OVERRIDE
from modpost_py.messages import Reporter

_ANY_PCI = 0xFFFFFFFF
_ANY_CDX = 0xFFFF
# override_only -> prefix; 1 means that only vfio may bind the device, and only when told to
_PCI_PREFIXES = {0: "pci:", 1: "vfio_pci:"}
_CDX_PREFIXES = {0: "cdx:", 1: "vfio_cdx:"}

# "bc", "sc" and "i" are the bytes of the class
_PCI_FORM = "pci:v{vendor:8}d{device:8}sv{subvendor:8}sd{subdevice:8}bc{class:2}sc{class:2}i{class:2}[*]"
_CDX_FORM = "cdx:v{vendor:4}d{device:4}sv{subvendor:4}sd{subdevice:4}c{class:8}"

_PCI_MEMBERS = ("vendor", "device", "subvendor", "subdevice", "class", "class_mask")
_CDX_MEMBERS = ("vendor", "device", "subvendor", "subdevice", "class", "class_mask")


def _pci_class(class_: int, mask: int) -> str | None:
    """``bc`` class ``sc`` subclass ``i`` interface, each two digits or ``*``; ``None`` for a partly masked byte."""
    text = ""
    for separator, shift in (("bc", 16), ("sc", 8), ("i", 0)):
        byte_mask = mask >> shift & 0xFF
        if byte_mask not in (0, 0xFF):
            return None
        text += f"{separator}{class_ >> shift & 0xFF:02X}" if byte_mask else f"{separator}*"
    return text if text.endswith("*") else text + "*"


def _pci_alias(prefix: str, entry: Entry, target: Target, reporter: Reporter) -> Iterator[str]:
    vendor, device, subvendor, subdevice, class_, mask = entry
    class_text = _pci_class(class_, mask)
    if class_text is None:
        reporter.report(PCI_CLASS_MASK, mask=mask)
        return
    v = "*" if vendor == _ANY_PCI else f"{vendor:08X}"
    d = "*" if device == _ANY_PCI else f"{device:08X}"
    sv = "*" if subvendor == _ANY_PCI else f"{subvendor:08X}"
    sd = "*" if subdevice == _ANY_PCI else f"{subdevice:08X}"
    yield f"{prefix}v{v}d{d}sv{sv}sd{sd}{class_text}"


def _pci_without_override(entries: Iterable[Entry], target: Target, reporter: Reporter) -> Iterator[str]:
    for entry in entries:
        yield from _pci_alias("pci:", entry, target, reporter)


def _pci(entries: Iterable[Entry], target: Target, reporter: Reporter) -> Iterator[str]:
    for *entry, override in entries:
        prefix = _PCI_PREFIXES.get(override)
        if prefix is None:
            reporter.report(PCI_UNKNOWN_OVERRIDE, override=override)
        else:
            yield from _pci_alias(prefix, tuple(entry), target, reporter)


def _cdx(entries: Iterable[Entry], target: Target, reporter: Reporter) -> Iterator[str]:
    for *numbers, class_, mask, override in entries:
        prefix = _CDX_PREFIXES.get(override)
        if prefix is None:
            reporter.report(CDX_UNKNOWN_OVERRIDE, override=override)
            continue
        v, d, sv, sd = ("*" if number == _ANY_CDX else f"{number:04X}" for number in numbers)
        yield f"{prefix}v{v}d{d}sv{sv}sd{sd}c" + (f"{class_:08X}" if mask == 0xFFFFFF else "*")


PCI_WITHOUT_OVERRIDE = TableRule((_PCI_FORM,), _PCI_MEMBERS, _pci_without_override)
PCI = TableRule((_PCI_FORM, f"vfio_{_PCI_FORM}"), (*_PCI_MEMBERS, "override_only"), _pci)
CDX = TableRule((_CDX_FORM, f"vfio_{_CDX_FORM}"), (*_CDX_MEMBERS, "override_only"), _cdx)
