# SPDX-License-Identifier: GPL-2.0-or-later
"""The aliases of every device type, worked out by hand, for both word sizes and byte orders."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from modpost_py.alias_rules import ALIAS_RULES
from modpost_py.alias_usb import release_patterns
from modpost_py.device_layouts import Target, in_force
from modpost_py.device_tables import TableSymbol, aliases_of_table
from modpost_py.dialects import DIALECTS, dialect_of
from modpost_py.errors import FatalError
from modpost_py.messages import Diagnostic, Reporter
from tests.modpost.device_alias_cases import ALL, CASES, PARTS, SINCE_6_1, SINCE_6_12, SINCE_7, UP_TO_6_12, Part
from tests.modpost.device_entries import TARGETS, Entry, bit_map, table


def convert(
    device_type: str, dialect_name: str, target: Target, data: bytes
) -> tuple[list[str], list[tuple[str, str]]]:
    """The aliases of a table and the messages as (severity, text)."""
    found: list[Diagnostic] = []
    dialect = dialect_of(dialect_name)
    reporter = Reporter(dialect, found.append, module="drivers/foo", path="drivers/foo.o")
    try:
        aliases = aliases_of_table(data, TableSymbol(device_type, "ids"), target, dialect, reporter)
    except FatalError:
        aliases = []
    return aliases, [(diagnostic.severity, diagnostic.text) for diagnostic in found]


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: f"{target.bits}-{target.byteorder}")
@pytest.mark.parametrize(("device_type", "dialects", "entries", "expected"), CASES)
def test_aliases(
    device_type: str, dialects: tuple[str, ...], entries: list[Entry], expected: list[str], target: Target
) -> None:
    """Check that the entries of each type become the aliases that its rule says, in every dialect that has it."""
    for name in dialects:
        found = convert(device_type, name, target, table(device_type, name, target, entries))
        assert found == (expected, [])


@pytest.mark.parametrize(("device_type", "prefix", "suffix", "parts"), PARTS)
def test_open_members(device_type: str, prefix: str, suffix: str, parts: list[Part]) -> None:
    """Check for each member alone that it is written where it is meant, and is a wildcard where it is open."""
    target = TARGETS[0]
    for meant in range(len(parts) + 1):
        entry: dict[str, int] = {}
        for number, (_, member, value, _, flag, open_value) in enumerate(parts):
            entry[member] = open_value if flag is None and number != meant else value
            if flag is not None and number == meant:
                entry["match_flags"] = flag
        texts = [part[0] + (part[3] if number == meant else "*") for number, part in enumerate(parts)]
        alias = prefix + "".join(texts)
        if suffix and not alias.endswith("*"):
            alias += suffix
        for name in (dialect.name for dialect in DIALECTS if device_type in in_force(ALIAS_RULES, dialect.name)):
            found = convert(device_type, name, target, table(device_type, name, target, [entry]))
            assert found == ([alias], [])


def test_every_type_has_a_case() -> None:
    """Check that no device type of any dialect is left out of the cases of this file."""
    covered = {(device_type, name) for device_type, dialects, _, _ in CASES for name in dialects}
    assert covered == {(name, dialect.name) for dialect in DIALECTS for name in in_force(ALIAS_RULES, dialect.name)}


def test_number_of_types() -> None:
    """Check that each dialect knows as many types as its modpost."""
    counts = {dialect.name: len(in_force(ALIAS_RULES, dialect.name)) for dialect in DIALECTS}
    assert counts == {"5.10": 47, "6.1": 52, "6.12": 56, "7.2": 57, "7.3": 57}


@pytest.mark.parametrize("name", ["tifm", "memstick", "spmi", "", "PCI"])
def test_unknown_types_have_no_aliases(name: str) -> None:
    """Check that a table of a type without aliases is passed over, whatever its size."""
    assert convert(name, "6.12", TARGETS[0], b"12345") == ([], [])


def test_types_of_later_kernels_are_unknown() -> None:
    """Check that a type is passed over in dialects that are older than it."""
    target = TARGETS[0]
    data = table("mcb", "7.2", target, [{"device": 1}])
    assert convert("mcb", "6.12", target, data) == ([], [])
    assert convert("mcb", "7.2", target, data) == (["mcb:16z001"], [])


# ------------------------------------------------------------------------------------------------ ACPI


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    ("mask", "expected"),
    [(0xFFFFFF, "acpi*:010601:*"), (0xFFFF00, "acpi*:0106??:*"), (0, "acpi*:??????:*"), (0x010000, "acpi*:01????:*")],
)
def test_acpi_class(target: Target, mask: int, expected: str) -> None:
    """Check that an ACPI entry without id is known by its class, byte by byte where the mask asks for it."""
    data = table("acpi", "6.12", target, [{"cls": 0x010601, "cls_msk": mask}])
    assert convert("acpi", "6.12", target, data) == ([expected], [])


@pytest.mark.parametrize("name", ["5.10", "6.1"])
def test_acpi_class_in_host_order(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Check that older kernels read an ACPI class in the byte order of the host instead of the target's."""
    for host, target_order, expected in (
        ("little", "little", "acpi*:010601:*"),
        ("big", "big", "acpi*:010601:*"),
        ("little", "big", "acpi*:060100:*"),
        ("big", "little", "acpi*:060100:*"),
    ):
        monkeypatch.setattr("sys.byteorder", host)
        target = Target(64, target_order)
        data = table("acpi", name, target, [{"cls": 0x00010601, "cls_msk": 0xFFFFFFFF}])
        assert convert("acpi", name, target, data) == ([expected], [])


# ------------------------------------------------------------------------------------------------ texts


@pytest.mark.parametrize("target", TARGETS)
def test_text_without_nul_runs_on(target: Target) -> None:
    """Check that a text that fills its member goes on into the member that follows, as C's strings do."""
    entries: list[Entry] = [{"name": "x" * 32, "driver_data": b"tail\0"}] if target.bits == 64 else []
    entries += [{"name": "y" * 32, "driver_data": b"abc\0"}]
    expected = ["spi:" + "x" * 32 + "tail"] if target.bits == 64 else []
    data = table("spi", "6.1", target, entries)
    assert convert("spi", "6.1", target, data) == ([*expected, "spi:" + "y" * 32 + "abc"], [])


def test_text_runs_on_into_the_next_entry() -> None:
    """Check that a text whose entry has no NUL at all goes on into the next entry."""
    target = TARGETS[0]
    data = table("vio", "6.1", target, [{"type": "t", "compat": "c" * 32}, {"type": "next"}])
    assert convert("vio", "6.1", target, data) == (["vio:TtS" + "c" * 32 + "next*", "vio:TnextS*"], [])


def test_pnp_id_without_nul() -> None:
    """Check that only the ACPI alias cuts a PnP id of eight characters that no NUL ends."""
    target = TARGETS[0]
    data = table("pnp", "6.1", target, [{"id": "abcdefgh", "driver_data": b"ij\0"}])
    assert convert("pnp", "6.1", target, data) == (["pnp:dabcdefghij*", "acpi*:ABCDEFGH:*"], [])


@pytest.mark.parametrize("target", TARGETS)
def test_last_device_of_a_pnp_card_without_nul(target: Target) -> None:
    """Check that a card has eight devices at most, though the last one's id runs on into the next card."""
    data = table("pnp_card", "7.2", target, [{"devs": "a\0\0\0\0\0\0\0" * 7 + "ABCDEFGH"}, {"id": "next"}])
    expected = ["pnp:da*", "acpi*:A:*"] * 7 + ["pnp:dABCDEFGHnext*", "acpi*:ABCDEFGH:*"]
    assert convert("pnp_card", "7.2", target, data) == (expected, [])


def test_bytes_beyond_ascii() -> None:
    """Check that bytes beyond ASCII pass through a text unchanged, and are no white space."""
    target = TARGETS[0]
    data = table("of", "6.1", target, [{"name": "\xa0\xff\x85 \v"}])
    assert convert("of", "6.1", target, data) == (["of:N\xa0\xff\x85__T*", "of:N\xa0\xff\x85__T*C*"], [])


# ------------------------------------------------------------------------------------------------- USB


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 0xFFFFFFFF, ("*",)),
        (0x0100, 0x0100, ("0100",)),
        (0, 0x9999, ("*",)),
        (0x0110, 0x0115, ("011[0-5]",)),
        (0x0100, 0x0199, ("01*",)),
        (0x0000, 0x0106, ("010[0-6]", "00*")),
        (0x1234, 0x1239, ("123[4-9]",)),
        (0x0104, 0x9999, ("010[4-9]", "01[1-9]*", "0[2-9]*", "[1-9]*")),
        (0x0001, 0x0000, ()),
        # a digit that is a letter: hexadecimal, whose ranges need a class of two parts
        (0x0000, 0xFFFF, ("*",)),
        (0x001A, 0x001F, ("001[A-F]",)),
        (0x0008, 0x000C, ("000[8-9A-C]",)),
        (0x0009, 0x000A, ("000[9A]",)),
        (0x000B, 0x001A, ("000[B-F]", "001[0-9A]")),
        (0x0A00, 0x0A05, ("0A0[0-5]",)),
        (0x00A0, 0x00AA, ("00A[0-9A]",)),
        (0xA000, 0xA00E, ("A00[0-9A-E]",)),
        (0x0900, 0x0A00, ("0A00", "09*")),
        # no upper end: the digits stay decimal
        (0x0100, 0xFFFFFFFF, ("0[1-9]*", "[1-9]*")),
        (0x9999, 0xFFFFFFFF, ("9999", "*")),
        # a letter in the first digit of the upper end only: decimal, the letter counting as 9
        (0x0000, 0xA123, ("A12[0-3]", "91[0-1]*", "90*", "[0-8]*")),
        # exactly ten releases: the last digit is missing, with no wildcard in its place
        (0x0110, 0x0119, ("011",)),
    ],
)
def test_usb_releases(low: int, high: int, expected: tuple[str, ...]) -> None:
    """Check the patterns of ranges of USB device releases."""
    assert release_patterns(low, high) == expected


def test_usb_release_flags() -> None:
    """Check that each end of a range of releases is only heeded where its flag says so."""
    target = TARGETS[0]
    entry: Entry = {"bDeviceClass": 9, "bcdDevice_lo": 0x0100, "bcdDevice_hi": 0x0299}
    expected = {0x0: ["*"], 0x4: ["0[1-9]*", "[1-9]*"], 0x8: ["0[0-2]*"], 0xC: ["0[1-2]*"]}
    for flags, patterns in expected.items():
        aliases = [f"usb:v*p*d{pattern}dc*dsc*dp*ic*isc*ip*in*" for pattern in patterns]
        data = table("usb", "6.12", target, [{**entry, "match_flags": flags}])
        assert convert("usb", "6.12", target, data) == (aliases, [])
    data = table("usb", "6.12", target, [{**entry, "match_flags": 1}, {**entry, "match_flags": 2}])
    expected_aliases = ["usb:v0000p*d*dc*dsc*dp*ic*isc*ip*in*", "usb:v*p0000d*dc*dsc*dp*ic*isc*ip*in*"]
    assert convert("usb", "6.12", target, data) == (expected_aliases, [])


def test_usb_entries_that_identify_something() -> None:
    """Check that one number of vendor, product, device class and interface class is enough for an alias."""
    target = TARGETS[0]
    members = ("idVendor", "idProduct", "bDeviceClass", "bInterfaceClass")
    for member in members:
        data = table("usb", "6.12", target, [{member: 1}])
        assert convert("usb", "6.12", target, data) == (["usb:v*p*d*dc*dsc*dp*ic*isc*ip*in*"], [])
    others: Entry = {"bDeviceSubClass": 1, "bDeviceProtocol": 1, "bInterfaceSubClass": 1, "bInterfaceProtocol": 1}
    assert convert("usb", "6.12", target, table("usb", "6.12", target, [others, {"bInterfaceNumber": 1}])) == ([], [])


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 9999), st.integers(0, 9999), st.data())
def test_usb_release_patterns_match_the_range(first: int, second: int, data: st.DataObject) -> None:
    """Check that a decimal release matches the patterns of a range if and only if it lies in the range."""
    low, high = sorted((first, second))
    assume(low % 10 or high != low + 9)  # its pattern lacks the wildcard
    patterns = release_patterns(int(f"{low:04d}", 16), int(f"{high:04d}", 16))
    edges = st.sampled_from([low, high, max(low - 1, 0), min(high + 1, 9999)])
    for release in data.draw(st.lists(st.one_of(edges, st.integers(0, 9999)), min_size=20, max_size=20)):
        matches = any(fnmatchcase(f"{release:04d}", pattern) for pattern in patterns)
        assert matches == (low <= release <= high)


# ----------------------------------------------------------------------------------------------- input


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("target", TARGETS)
def test_input(target: Target, name: str) -> None:
    """Check that an input alias lists the set bits of the maps that the flags name, up to the last."""
    last_switch = 0x11 if name in SINCE_7 else 0x10
    maps = {
        "evbit": (0, 1, 0x1F), "keybit": (0x70, 0x71, 0x110, 0x2FF), "relbit": (0, 0xF, 0x10),
        "absbit": (0, 0x20, 0x3F), "mscbit": (0, 7, 8), "ledbit": (0, 0xF, 0x10), "sndbit": (0, 7, 8),
        "ffbit": (0, 0x7F), "swbit": (0, last_switch, last_switch + 1, 0x12),
    }  # fmt: skip
    sizes = {"keybit": 96, "absbit": 8, "ffbit": 16}
    entry: dict[str, int | str | bytes] = {
        member: bit_map(bits, sizes.get(member, target.bits // 8), target) for member, bits in maps.items()
    }
    numbers = {"bustype": 3, "vendor": 0x46D, "product": 0xC52B, "version": 0x111}
    entries = [{**entry, **numbers, "flags": 0x1FFF}, {**entry, "flags": 0x20}, {**entry, **numbers, "flags": 0x9}]
    expected = [
        "input:b0003v046DpC52Be0111-e*0,*1,*1F,*k*71,*110,*2FF,*r*0,*F,*a*0,*20,*3F,*m*0,*7,*l*0,*F,*s*0,*7,*"
        f"f*0,*7F,*w*0,*{last_switch:X},*",
        "input:b*v*p*e*-e*k*71,*110,*2FF,*r*a*m*l*s*f*w*",
        "input:b0003v*p*e0111-e*k*r*a*m*l*s*f*w*",
    ]
    assert convert("input", name, target, table("input", name, target, entries)) == (expected, [])


def test_input_overflow() -> None:
    """Check that 7.x ends the run for an input alias of more than 255 characters, and that 6.12 does not."""
    target = TARGETS[0]
    # "b*v*p*e*" and nine separators take 27 characters; each key takes 5
    keys = {count: bit_map(range(0x100, 0x100 + count), 96, target) for count in (45, 46)}
    fits = "input:b*v*p*e*-e*k*" + "".join(f"{key:X},*" for key in range(0x100, 0x100 + 45)) + "r*a*m*l*s*f*w*"
    for name in SINCE_7:
        data = {count: table("input", name, target, [{"flags": 0x20, "keybit": keys[count]}]) for count in keys}
        assert convert("input", name, target, data[45]) == ([fits], [])
        text = "alias buffer (256) overflow on append (need 2, have 1)\n"
        assert convert("input", name, target, data[46]) == ([], [("fatal", text)])
    found, messages = convert(
        "input", "6.12", target, table("input", "6.12", target, [{"flags": 0x20, "keybit": keys[46]}])
    )
    assert ([len(alias) for alias in found], messages) == ([263], [])


# ------------------------------------------------------------------------------------------------- DMI


def _matches(*matches: tuple[int, str]) -> bytes:
    return b"".join(bytes((slot,)) + text.encode("latin-1").ljust(79, b"\0") for slot, text in matches)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("target", TARGETS)
def test_dmi(target: Target, name: str) -> None:
    """Check the order of DMI fields, the characters that are left out, and the fields that no alias has."""
    entries: list[Entry] = [
        {"matches": _matches((13, "Board"), (6, "Dell Inc."), (0x80 | 7, "X:!1~\x7f\xe4"), (6, "two"))},
        {"matches": _matches((9, "serial"), (0, "unused"), (20, ""), (1, "LENOVO"))},
        {"matches": bytes(320), "driver_data": 1},
    ]
    expected = ["dmi*:svn*DellInc.*:svn*two*:pn*X!1~*:rvn*Board*:", "dmi*:bvn*LENOVO*:cvr**:", "dmi*:"]
    assert convert("dmi", name, target, table("dmi", name, target, entries)) == (expected, [])


def test_all_dmi_fields() -> None:
    """Check the name of each DMI field in an alias."""
    target = TARGETS[0]
    slots = ((1, 2, 3, 4), (5, 6, 7, 8), (13, 14, 15), (18, 19, 20))
    entries: list[Entry] = [{"matches": _matches(*((slot, str(slot)) for slot in group))} for group in slots]
    expected = [
        "dmi*:bvn*1*:bvr*2*:bd*3*:br*4*:",
        "dmi*:efr*5*:svn*6*:pn*7*:pvr*8*:",
        "dmi*:rvn*13*:rn*14*:rvr*15*:",
        "dmi*:cvn*18*:ct*19*:cvr*20*:",
    ]
    assert convert("dmi", "6.12", target, table("dmi", "6.12", target, entries)) == (expected, [])


def test_dmi_overflow() -> None:
    """Check that 7.x ends the run for a DMI alias whose fields take more than 255 characters."""
    target = TARGETS[0]
    for last, text in (
        ("", None),
        ("d", "alias buffer (256) overflow on append (need 1, have 1)\n"),
        ("dd", "dmi_ascii_filter: alias buffer overflow\n"),
    ):
        matches = _matches((1, "a" * 78), (2, "b" * 78), (3, "c" * 76), (8, last))
        alias = f"dmi*:bvn*{'a' * 78}*:bvr*{'b' * 78}*:bd*{'c' * 76}*:pvr*{last}*:"
        for name in ALL:
            expected: tuple[list[str], list[tuple[str, str]]] = ([alias], [])
            if name in SINCE_7 and text is not None:
                expected = ([], [("fatal", text)])
            assert convert("dmi", name, target, table("dmi", name, target, [{"matches": matches}])) == expected


# ------------------------------------------------------------------------------------------- warnings


@pytest.mark.parametrize("target", TARGETS)
def test_pci_warnings(target: Target) -> None:
    """Check that PCI entries with a mask or an override that no alias can express are warned about and skipped."""
    good: Entry = {"vendor": 1, "device": 2}
    alias = "pci:v00000001d00000002sv00000000sd00000000bc*sc*i*"
    masked: Entry = {"vendor": 1, "class_mask": 0x00F0FF}
    for name in ALL:
        found = convert("pci", name, target, table("pci", name, target, [masked, good]))
        assert found == ([alias], [("warning", "Can't handle masks in drivers/foo:F0FF\n")])
    for name in SINCE_6_1:
        data = table("pci", name, target, [{"vendor": 1, "override_only": 0x2A}, good])
        assert convert("pci", name, target, data) == (
            [alias],
            [("warning", "Unknown PCI driver_override alias 0000002A\n")],
        )


def test_cdx_warning() -> None:
    """Check that a CDX entry with an unknown override is warned about and skipped."""
    target = TARGETS[0]
    for name in SINCE_6_12:
        data = table("cdx", name, target, [{"override_only": 2}, {"vendor": 1}])
        assert convert("cdx", name, target, data) == (
            ["cdx:v0001d0000sv0000sd0000c*"],
            [("warning", "Unknown CDX driver_override alias 00000002\n")],
        )


def test_wmi_warnings() -> None:
    """Check that WMI identifiers of a wrong length are refused everywhere, and wrong characters since 7.x."""
    target = TARGETS[0]
    entries: list[Entry] = [{"guid_string": "short"}, {"guid_string": "0590122x-D566-11D1-B2F0-00A0C906291y"}]
    short = ("warning", "Invalid WMI device id 'wmi:short' in 'drivers/foo'\n")
    for name in UP_TO_6_12:
        data = table("wmi", name, target, entries)
        assert convert("wmi", name, target, data) == (["wmi:0590122x-D566-11D1-B2F0-00A0C906291y"], [short])
    wrong = "Invalid character x inside WMI GUID string '0590122x-D566-11D1-B2F0-00A0C906291y' in 'drivers/foo'\n"
    for name in SINCE_7:
        data = table("wmi", name, target, entries)
        assert convert("wmi", name, target, data) == ([], [short, ("warning", wrong)])
    hyphen: list[Entry] = [{"guid_string": "05901221-D566-11D1-B2F0000A0C9062910"}]
    wrong = "Invalid character 0 inside WMI GUID string '05901221-D566-11D1-B2F0000A0C9062910' in 'drivers/foo'\n"
    assert convert("wmi", "7.3", target, table("wmi", "7.3", target, hyphen)) == ([], [("warning", wrong)])


def test_amba_mask() -> None:
    """Check that an AMBA id with bits outside its mask ends the run."""
    text = (
        "drivers/foo: Masked-off bit(s) of AMBA device ID are non-zero: id=0x00041011, mask=0x0000FFFF.  "
        "Please fix this driver.\n"
    )
    for name in ALL:
        for target in TARGETS:
            data = table("amba", name, target, [{"id": 0x41011, "mask": 0xFFFF}])
            assert convert("amba", name, target, data) == ([], [("fatal", text)])
