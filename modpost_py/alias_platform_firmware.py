# SPDX-License-Identifier: GPL-2.0-or-later
"""The aliases of devices that firmware describes: device tree, ACPI, PnP and DMI."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

from modpost_py.alias_notation import Entry, TableRule, underline
from modpost_py.alias_text import BoundedAlias
from modpost_py.device_layouts import Target
from modpost_py.messages import Reporter

# ----------------------------------------------------------------------------------------- device tree


def _of(entries: Iterable[Entry], target: Target, reporter: Reporter) -> Iterator[str]:
    """``of:N`` name ``T`` type [``C`` compatible]; each also with a ``C*`` for further compatibles."""
    for name, type_, compatible in entries:
        alias = f"of:N{name or '*'}T{type_ or '*'}"
        if compatible:
            alias += f"{'*' if type_ else ''}C{compatible}"
        alias = underline(alias)
        yield alias
        yield alias + "C*"


OF = TableRule(
    ("of:N{name}T{type}[C{compatible}]", "of:N{name}T{type}[C{compatible}]C*"), ("name", "type", "compatible"), _of
)

# ------------------------------------------------------------------------------------------------- PnP

_DEVS = 8
_ID_SIZE = 8


def _upper(text: str) -> str:
    """ASCII upper case, as C's ``toupper`` gives; other characters stay."""
    return text.encode("latin-1").upper().decode("latin-1")


def _pnp_aliases(identifier: str) -> tuple[str, str]:
    # an id without NUL runs on into what follows; only its upper case copy is cut
    return f"pnp:d{identifier}*", f"acpi*:{_upper(identifier[:_ID_SIZE])}:*"


def _pnp(entries: Iterable[Entry], target: Target, reporter: Reporter) -> Iterator[str]:
    for (identifier,) in entries:
        yield from _pnp_aliases(identifier)


def _devices_of_card(devs: str) -> list[str]:
    """The device ids of a card, up to the first empty one."""
    identifiers = []
    for at in range(0, _DEVS * _ID_SIZE, _ID_SIZE):
        identifier = devs[at:].partition("\0")[0]
        if not identifier:
            break
        identifiers.append(identifier)
    return identifiers


def _pnp_card(entries: Iterable[Entry], target: Target, reporter: Reporter) -> Iterator[str]:
    named_by_earlier_cards: set[str] = set()
    for (devs,) in entries:
        identifiers = _devices_of_card(devs)
        for identifier in identifiers:
            if identifier not in named_by_earlier_cards:
                yield from _pnp_aliases(identifier)
        named_by_earlier_cards.update(identifiers)


def _pnp_card_repeating(entries: Iterable[Entry], target: Target, reporter: Reporter) -> Iterator[str]:
    for (devs,) in entries:
        for identifier in _devices_of_card(devs):
            yield from _pnp_aliases(identifier)


_CARD_FORMS = ("pnp:d{devs}*", "acpi*:{DEVS}:*")
PNP = TableRule(("pnp:d{id}*", "acpi*:{ID}:*"), ("id",), _pnp)
PNP_CARD = TableRule(_CARD_FORMS, ("devs",), _pnp_card)
PNP_CARD_REPEATING = TableRule(_CARD_FORMS, ("devs",), _pnp_card_repeating)


def _isapnp(entries: Iterable[Entry], target: Target, reporter: Reporter) -> Iterator[str]:
    """``pnp:d``, the three letters that are packed in the vendor, and the function's nibbles in the bus's order."""
    for vendor, function in entries:
        packed = (vendor >> 2 & 0x3F, (vendor & 3) << 3 | (vendor >> 13 & 7), vendor >> 8 & 0x1F)
        letters = "".join(chr(ord("A") - 1 + letter) for letter in packed)
        nibbles = "".join(f"{function >> shift & 0xF:x}" for shift in (4, 0, 12, 8))
        yield f"pnp:d{letters}{nibbles}*"


ISAPNP = TableRule(("pnp:d{vendor}{function:4x}*",), ("vendor", "function"), _isapnp)

# ------------------------------------------------------------------------------------------------ ACPI


def _byte_swapped(number: int) -> int:
    return int.from_bytes(number.to_bytes(4, "little"), "big")


def _acpi_class(class_: int, mask: int) -> str:
    """Base class, subclass and interface; ``??`` for each that the mask leaves open."""
    return "".join(f"{class_ >> shift & 0xFF:02x}" if mask >> shift & 0xFF else "??" for shift in (16, 8, 0))


def _acpi(entries: Iterable[Entry], target: Target, reporter: Reporter) -> Iterator[str]:
    for identifier, class_, mask in entries:
        yield f"acpi*:{identifier or _acpi_class(class_, mask)}:*"


def _acpi_host_order(entries: Iterable[Entry], target: Target, reporter: Reporter) -> Iterator[str]:
    """Class and mask are read in the byte order of the host, a fault that shows in tables of the other order."""
    if target.byteorder == sys.byteorder:
        return _acpi(entries, target, reporter)
    swapped = ((identifier, _byte_swapped(class_), _byte_swapped(mask)) for identifier, class_, mask in entries)
    return _acpi(swapped, target, reporter)


_ACPI_FORMS = ("acpi*:{id}:*", "acpi*:{cls:6x}:*")
ACPI = TableRule(_ACPI_FORMS, ("id", "cls", "cls_msk"), _acpi)
ACPI_HOST_ORDER = TableRule(_ACPI_FORMS, ("id", "cls", "cls_msk"), _acpi_host_order)

# ------------------------------------------------------------------------------------------------- DMI

# separator in the alias, number of the DMI field; in the order of the alias
_DMI_FIELDS = (
    ("bvn", 1),
    ("bvr", 2),
    ("bd", 3),
    ("br", 4),
    ("efr", 5),
    ("svn", 6),
    ("pn", 7),
    ("pvr", 8),
    ("rvn", 13),
    ("rn", 14),
    ("rvr", 15),
    ("cvn", 18),
    ("ct", 19),
    ("cvr", 20),
)

# match = slot:7 exact_match:1, the text of 79 bytes; a structure has four
_MATCHES = 4
_MATCH_SIZE = 80


def _dmi_matches(matches: str) -> dict[int, list[str]]:
    """The texts of the used matches by field number, without the characters that an alias cannot hold."""
    found: dict[int, list[str]] = {}
    for at in range(0, _MATCHES * _MATCH_SIZE, _MATCH_SIZE):
        field = ord(matches[at]) & 0x7F
        if field:
            text = matches[at + 1 :].partition("\0")[0]
            allowed = (character for character in text if "!" <= character <= "~" and character != ":")
            found.setdefault(field, []).append("".join(allowed))
    return found


def _dmi(entries: Iterable[Entry], target: Target, reporter: Reporter) -> Iterator[str]:
    for (matches,) in entries:
        texts = _dmi_matches(matches)
        parts = [f":{separator}*{text}*" for separator, field in _DMI_FIELDS for text in texts.get(field, ())]
        yield f"dmi*{''.join(parts)}:"


def _dmi_bounded(entries: Iterable[Entry], target: Target, reporter: Reporter) -> Iterator[str]:
    for (matches,) in entries:
        texts = _dmi_matches(matches)
        alias = BoundedAlias(reporter)
        for separator, field in _DMI_FIELDS:
            for text in texts.get(field, ()):
                alias.append(f":{separator}*")
                alias.append_filtered(text)
                alias.append("*")
        yield f"dmi*{alias.text}:"


_DMI_FORMS = ("dmi*" + "".join(f":{separator}*{{{separator}}}*" for separator, _ in _DMI_FIELDS) + ":",)
DMI = TableRule(_DMI_FORMS, ("matches",), _dmi)
DMI_BOUNDED = TableRule(_DMI_FORMS, ("matches",), _dmi_bounded)
