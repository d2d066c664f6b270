# SPDX-License-Identifier: GPL-2.0-or-later
"""The aliases of USB devices.

An entry may name a range of device releases (``bcdDevice_lo`` to ``bcdDevice_hi``).  A modalias has no
ranges but over one digit, so that a range becomes several aliases::

    alias   = "usb:" "v" number "p" number "d" release "dc" ... "in" number [ "*" ]
    release = digit* [ "[" digit "-" digit "]" | digit ] [ "*" ]        at most four digits
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

from modpost_py.alias_notation import Entry, TableRule
from modpost_py.device_layouts import Target
from modpost_py.messages import Reporter

_VENDOR, _PRODUCT, _RELEASE_LOW, _RELEASE_HIGH = 0x1, 0x2, 0x4, 0x8

# separator, flag that makes the member count; in the order of the members
_CLASS_PARTS = (
    ("dc", 0x10),
    ("dsc", 0x20),
    ("dp", 0x40),
    ("ic", 0x80),
    ("isc", 0x100),
    ("ip", 0x200),
    ("in", 0x400),
)
_MEMBERS = (
    "match_flags", "idVendor", "idProduct", "bcdDevice_lo", "bcdDevice_hi", "bDeviceClass", "bDeviceSubClass",
    "bDeviceProtocol", "bInterfaceClass", "bInterfaceSubClass", "bInterfaceProtocol", "bInterfaceNumber",
)  # fmt: skip

_FORMS = (
    "usb:v{idVendor:4}p{idProduct:4}d{bcdDevice:4}dc{bDeviceClass:2}dsc{bDeviceSubClass:2}dp{bDeviceProtocol:2}"
    "ic{bInterfaceClass:2}isc{bInterfaceSubClass:2}ip{bInterfaceProtocol:2}in{bInterfaceNumber:2}[*]",
)

_HIGHEST_RELEASE = 0xFFFFFFFF


def _highest_digit(low: int, high: int) -> int:
    """9 for a range of binary coded decimals, 15 where a digit is a letter."""
    capped = min(high, 0x9999)
    has_letter = any(low >> shift & 0xF > 9 or capped >> shift & 0xF > 9 for shift in (0, 4, 8, 12))
    return 15 if has_letter else 9


def _stepped(release: int, step: int, highest_digit: int) -> int:
    """The release ``step`` (1 or -1) away; decimal ones have four digits, in which a letter counts as 9."""
    if highest_digit > 9:
        return release + step
    value = 0
    for shift in (12, 8, 4, 0):
        value = value * 10 + min(release >> shift & 0xF, 9)
    return int(f"{value + step:04d}", 16)


def _digit_range(first: int, last: int, highest_digit: int) -> str:
    """One digit, ``[first-last]``, or nothing where any digit will do."""
    if first == last:
        return f"{first:X}"
    if first == 0 and last >= highest_digit:
        return ""
    if first > 9 or last < 10:
        return f"[{first:X}-{last:X}]"
    # glob patterns know no range across "9" and "A"
    decimal = f"[{first:X}-9" if first < 9 else f"[{first:X}"
    return decimal + (f"A-{last:X}]" if last > 10 else f"{last:X}]")


@lru_cache(maxsize=4096)
def release_patterns(low: int, high: int) -> tuple[str, ...]:
    """The patterns that together match the releases from ``low`` to ``high``, most significant digits last."""
    highest = _highest_digit(low, high)
    patterns = []
    digits = 3  # that stand before the digit under consideration
    while low <= high:
        first, last = low & 0xF, min(high & 0xF, highest)
        low, high = low >> 4, high >> 4
        if low == high or digits == 0:
            patterns.append(_pattern(low, digits, first, last, highest))
            break
        if first > 0:
            patterns.append(_pattern(low, digits, first, highest, highest))
            low = _stepped(low, 1, highest)
        if last < highest:
            patterns.append(_pattern(high, digits, 0, last, highest))
            high = _stepped(high, -1, highest)
        digits -= 1
    return tuple(patterns)


def _pattern(prefix: int, digits: int, first: int, last: int, highest_digit: int) -> str:
    leading = f"{prefix:0{digits}X}" if digits else ""
    return leading + _digit_range(first, last, highest_digit) + ("*" if digits < 3 else "")


def _usb(entries: Iterable[Entry], target: Target, reporter: Reporter) -> Iterator[str]:
    for flags, vendor, product, low, high, *classes in entries:
        device_class, interface_class = classes[0], classes[3]
        if not vendor | product | device_class | interface_class:
            continue
        head = "usb:v" + (f"{vendor:04X}" if flags & _VENDOR else "*")
        head += "p" + (f"{product:04X}" if flags & _PRODUCT else "*") + "d"
        tail = "".join(
            [
                f"{separator}{value:02X}" if flags & flag else f"{separator}*"
                for (separator, flag), value in zip(_CLASS_PARTS, classes, strict=True)
            ]
        )
        if not tail.endswith("*"):
            tail += "*"
        for pattern in release_patterns(
            low if flags & _RELEASE_LOW else 0, high if flags & _RELEASE_HIGH else _HIGHEST_RELEASE
        ):
            yield head + pattern + tail


USB = TableRule(_FORMS, _MEMBERS, _usb)
