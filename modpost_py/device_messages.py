# SPDX-License-Identifier: GPL-2.0-or-later
"""The catalogue of messages about device tables."""

from __future__ import annotations

from modpost_py.messages import Message

# --- the table as a whole -----------------------------------------------------------------
# ``structure`` is the structure's name less ``_device_id``, which is the device type but for PnP cards.

TABLE_SIZE = Message(
    "device-table-size",
    (
        "5.10",
        "fatal",
        "{module}: sizeof(struct {structure}_device_id)={entry_size} is not a modulo of the size of section "
        "__mod_{structure}__<identifier>_device_table={size}.\n"
        "Fix definition of struct {structure}_device_id in mod_devicetable.h\n",
    ),
    ("7.2", "error", "{module}: type mismatch between {table}[] and MODULE_DEVICE_TABLE({device_type}, ...)\n"),
)
LAST_ENTRY = Message(
    "device-table-last-entry",
    (
        "5.10",
        "plain",
        "{module}: struct {structure}_device_id is {entry_size} bytes.  The last of {count} is:\n{bytes}\n",
    ),
)
NOT_TERMINATED = Message(
    "device-table-not-terminated",
    ("5.10", "fatal", "{module}: struct {structure}_device_id is not terminated with a NULL entry!\n"),
    ("7.2", "error", "{module}: {table}[] is not terminated with a NULL entry\n"),
)

# --- single entries -----------------------------------------------------------------------

PCI_UNKNOWN_OVERRIDE = Message(
    "pci-driver-override", ("6.1", "warning", "Unknown PCI driver_override alias {override:08X}\n")
)
PCI_CLASS_MASK = Message("pci-class-mask", ("5.10", "warning", "Can't handle masks in {module}:{mask:04X}\n"))
CDX_UNKNOWN_OVERRIDE = Message(
    "cdx-driver-override", ("6.12", "warning", "Unknown CDX driver_override alias {override:08X}\n")
)
WMI_INVALID_ID = Message("wmi-guid", ("5.10", "warning", "Invalid WMI device id 'wmi:{guid}' in '{module}'\n"))
WMI_INVALID_CHARACTER = Message(
    "wmi-guid-character",
    ("7.2", "warning", "Invalid character {character} inside WMI GUID string '{guid}' in '{module}'\n"),
)
AMBA_BITS_OUTSIDE_MASK = Message(
    "amba-mask",
    (
        "5.10",
        "fatal",
        "{module}: Masked-off bit(s) of AMBA device ID are non-zero: id=0x{id:08X}, mask=0x{mask:08X}.  "
        "Please fix this driver.\n",
    ),
)
ALIAS_OVERFLOW = Message(
    "alias-overflow", ("7.2", "fatal", "alias buffer ({size}) overflow on append (need {need}, have {have})\n")
)
DMI_OVERFLOW = Message("alias-overflow", ("7.2", "fatal", "dmi_ascii_filter: alias buffer overflow\n"))
