# SPDX-License-Identifier: GPL-2.0-or-later
"""Finding device tables in an object, and the checks of their size and terminator."""

from __future__ import annotations

import pytest

from modpost_py.device_layouts import Target
from modpost_py.device_tables import Alias, TableSymbol, aliases, aliases_of_table, table_symbol
from modpost_py.dialects import dialect_of
from modpost_py.errors import FatalError, ObjectFileError
from modpost_py.messages import Diagnostic, Reporter
from modpost_py.object_file import ObjectFile
from tests.modpost.device_entries import TARGETS, table
from tests.modpost.elf_writer import (
    SHN_ABS,
    SHT_INIT_ARRAY,
    SHT_NOBITS,
    SHT_PROGBITS,
    STB_LOCAL,
    STT_NOTYPE,
    STT_OBJECT,
    ElfWriter,
)

LITTLE_64 = TARGETS[0]

# --------------------------------------------------------------------------------------- symbol names


@pytest.mark.parametrize(
    ("symbol", "expected"),
    [
        ("__mod_pci__foo_ids_device_table", TableSymbol("pci", "foo_ids")),
        ("__mod_pnp_card__ids_device_table", TableSymbol("pnp_card", "ids")),
        ("__mod_of__a__b_device_table", TableSymbol("of", "a__b")),
        ("__mod_of___ids_device_table", TableSymbol("of", "_ids")),
        ("__mod_of___device_table", TableSymbol("of", "")),
        ("__mod_pci_device_table", None),
        ("__mod_pci__foo_ids", None),
        ("__mod_pci__foo_device_tables", None),
    ],
)
@pytest.mark.parametrize("name", ["5.10", "6.1", "6.12"])
def test_symbols_that_begin_with_the_type(name: str, symbol: str, expected: TableSymbol | None) -> None:
    """Check how the names of symbols are read up to 6.12."""
    assert table_symbol(symbol, dialect_of(name)) == expected


@pytest.mark.parametrize(
    ("symbol", "expected"),
    [
        ("__mod_device_table__kmod_foo__pci__ids", TableSymbol("pci", "ids", "foo")),
        ("__mod_device_table__17__kmod_snd_foo__pnp_card__ids", TableSymbol("pnp_card", "ids", "snd_foo")),
        ("__mod_device_table__kmod_foo__of__a__b", TableSymbol("of", "a__b", "foo")),
        # a module name with "__" in it cannot be told from a type
        ("__mod_device_table__kmod_foo__bar__pci__ids", TableSymbol("bar", "pci__ids", "foo")),
        ("__mod_device_table__kmod_foo__pci", None),
        ("__mod_device_table__kmod_foo", None),
        ("__mod_device_table__pci__ids", None),
        ("__mod_pci__ids_device_table", None),
    ],
)
@pytest.mark.parametrize("name", ["7.2", "7.3"])
def test_symbols_that_begin_with_the_module(name: str, symbol: str, expected: TableSymbol | None) -> None:
    """Check how the names of symbols are read in 7.x."""
    assert table_symbol(symbol, dialect_of(name)) == expected


# ------------------------------------------------------------------------------- size and terminator


def _convert(
    device_type: str, dialect_name: str, data: bytes, target: Target = LITTLE_64
) -> tuple[list[str] | None, list[tuple[str, str]]]:
    """The aliases (``None`` if the run ended) and the messages as (severity, text)."""
    found: list[Diagnostic] = []
    dialect = dialect_of(dialect_name)
    reporter = Reporter(dialect, found.append, module="drivers/foo", path="drivers/foo.o")
    texts: list[str] | None
    try:
        texts = aliases_of_table(data, TableSymbol(device_type, "foo_ids"), target, dialect, reporter)
    except FatalError:
        texts = None
    return texts, [(diagnostic.severity, diagnostic.text) for diagnostic in found]


@pytest.mark.parametrize("name", ["5.10", "6.1", "6.12"])
@pytest.mark.parametrize("size", [0, 5, 15])
def test_wrong_size_ends_the_run(name: str, size: int) -> None:
    """Check the message for a table that is no whole number of entries, up to 6.12."""
    text = (
        "drivers/foo: sizeof(struct virtio_device_id)=8 is not a modulo of the size of section "
        f"__mod_virtio__<identifier>_device_table={size}.\n"
        "Fix definition of struct virtio_device_id in mod_devicetable.h\n"
    )
    assert _convert("virtio", name, bytes(size)) == (None, [("fatal", text)])


@pytest.mark.parametrize("name", ["7.2", "7.3"])
@pytest.mark.parametrize("size", [0, 5, 15])
def test_wrong_size_is_an_error(name: str, size: int) -> None:
    """Check the message for a table that is no whole number of entries, in 7.x."""
    text = "drivers/foo: type mismatch between foo_ids[] and MODULE_DEVICE_TABLE(virtio, ...)\n"
    assert _convert("virtio", name, bytes(size)) == ([], [("error", text)])


@pytest.mark.parametrize("name", ["5.10", "6.1", "6.12"])
def test_missing_terminator_ends_the_run(name: str) -> None:
    """Check the messages for a table whose last entry is not zero, up to 6.12."""
    data = bytes(8) + b"\0\1\x7f\0\0\0\0\xff"
    assert _convert("virtio", name, data) == (
        None,
        [
            (
                "plain",
                "drivers/foo: struct virtio_device_id is 8 bytes.  The last of 2 is:\n"
                "0x00 0x01 0x7f 0x00 0x00 0x00 0x00 0xff \n",
            ),
            ("fatal", "drivers/foo: struct virtio_device_id is not terminated with a NULL entry!\n"),
        ],
    )


@pytest.mark.parametrize("name", ["7.2", "7.3"])
def test_missing_terminator_is_an_error(name: str) -> None:
    """Check the message for a table whose last entry is not zero, in 7.x."""
    text = "drivers/foo: foo_ids[] is not terminated with a NULL entry\n"
    assert _convert("virtio", name, bytes(8) + b"\1" * 8) == ([], [("error", text)])


def test_pnp_cards_are_called_pnp_up_to_6_12() -> None:
    """Check that messages about a table of PnP cards name the PnP structure, but in 7.x the type."""
    text = (
        "drivers/foo: sizeof(struct pnp_device_id)=76 is not a modulo of the size of section "
        "__mod_pnp__<identifier>_device_table=80.\nFix definition of struct pnp_device_id in mod_devicetable.h\n"
    )
    target = Target(32, "big")
    assert _convert("pnp_card", "6.12", bytes(80), target) == (None, [("fatal", text)])
    text = "drivers/foo: type mismatch between foo_ids[] and MODULE_DEVICE_TABLE(pnp_card, ...)\n"
    assert _convert("pnp_card", "7.2", bytes(80), target) == ([], [("error", text)])


def test_table_with_terminator_only() -> None:
    """Check that a table with no entry but its terminator has no aliases."""
    assert _convert("virtio", "6.12", bytes(8)) == ([], [])


# -------------------------------------------------------------------------------------------- objects


def _aliases_of(writer: ElfWriter, dialect_name: str) -> list[Alias]:
    """All aliases of an object, as a run collects them."""
    object_file = ObjectFile("foo.o", writer.bytes())
    found: list[Diagnostic] = []
    dialect = dialect_of(dialect_name)
    reporter = Reporter(dialect, found.append, module="foo", path="foo.o")
    names = [object_file.symbols.name(symbol) for symbol in range(object_file.symbols.count)]
    entries = [
        alias
        for symbol, name in enumerate(names)
        if name.startswith("__mod_")
        for alias in aliases(object_file, symbol, name, dialect, reporter)
    ]
    assert found == []
    return entries


@pytest.mark.parametrize("target", TARGETS)
def test_tables_of_an_object(target: Target) -> None:
    """Check that the tables of an object of each class and byte order are found where their symbols say."""
    i2c = table("i2c", "6.1", target, [{"name": "lm75"}, {"name": "tmp102"}])
    pci = table("pci", "6.1", target, [{"vendor": 0x8086, "device": 0x10D3, "subvendor": 1, "subdevice": 2}])
    writer = ElfWriter(target.bits, target.byteorder)
    data = writer.section(".rodata", data=b"\xff" * 8 + i2c + pci + b"\xff" * 8)
    writer.symbol("__mod_i2c__a_device_table", data, 8, len(i2c), bind=STB_LOCAL, type=STT_OBJECT)
    writer.symbol("__mod_pci__b_device_table", data, 8 + len(i2c), len(pci), type=STT_OBJECT)
    assert _aliases_of(writer, "6.1") == [
        Alias("i2c:lm75"),
        Alias("i2c:tmp102"),
        Alias("pci:v00008086d000010D3sv00000001sd00000002bc*sc*i*"),
    ]


def test_aliases_of_7_carry_the_module() -> None:
    """Check that aliases of 7.x tell the module that the symbol of their table names."""
    virtio = table("virtio", "7.3", LITTLE_64, [{"device": 1, "vendor": 2}])
    writer = ElfWriter()
    data = writer.section(".rodata", data=virtio)
    writer.symbol("__mod_device_table__kmod_virtio_net__virtio__ids", data, 0, 16, type=STT_OBJECT)
    assert _aliases_of(writer, "7.3") == [Alias("virtio:d00000001v00000002*", "virtio_net")]


@pytest.mark.parametrize("section_type", [SHT_NOBITS, SHT_INIT_ARRAY])
def test_tables_without_bytes_are_zeros(section_type: int) -> None:
    """Check that a table in a section whose type has the bit of NOBITS is taken for zeros, whatever lies there."""
    writer = ElfWriter()
    data = writer.section(".bss", type=section_type, data=b"\1" * 24)
    writer.symbol("__mod_virtio__ids_device_table", data, 0, 24, type=STT_OBJECT)
    assert _aliases_of(writer, "6.12") == [Alias("virtio:d00000000v00000000*")] * 2


def test_symbols_that_are_no_tables() -> None:
    """Check that symbols of other types, undefined and absolute ones, and unknown types are passed over."""
    writer = ElfWriter()
    data = writer.section(".rodata", data=bytes(16))
    writer.symbol("__mod_virtio__a_device_table", data, 0, 16, type=STT_NOTYPE)
    writer.symbol("__mod_virtio__b_device_table", 0, 0, 16, type=STT_OBJECT)
    writer.symbol("__mod_virtio__c_device_table", SHN_ABS, 0, 16, type=STT_OBJECT)
    writer.symbol("__mod_virtio__d_device_tables", data, 0, 16, type=STT_OBJECT)
    writer.symbol("__mod_tifm__e_device_table", data, 0, 3, type=STT_OBJECT)
    writer.symbol("__mod_virtio__f_device_table", 200, 0, 16, type=STT_OBJECT)
    # the object has a null section, this one, and three of the writer's own
    writer.symbol("__mod_virtio__g_device_table", 5, 0, 16, type=STT_OBJECT)
    assert _aliases_of(writer, "6.12") == []


@pytest.mark.parametrize(("value", "size"), [(8, 16), (1 << 40, 8), (0, 1 << 62)])
def test_tables_outside_their_section(value: int, size: int) -> None:
    """Check that a table that does not lie in its section is refused in one line."""
    writer = ElfWriter()
    data = writer.section(".rodata", data=bytes(16))
    writer.symbol("__mod_virtio__ids_device_table", data, value, size, type=STT_OBJECT)
    with pytest.raises(ObjectFileError) as error:
        _aliases_of(writer, "6.12")
    assert str(error.value) == "foo.o: symbol 1 (__mod_virtio__ids_device_table) lies outside its section"


def test_absurd_table_of_zeros() -> None:
    """Check that a table without bytes whose symbol has an absurd size costs no memory."""
    writer = ElfWriter()
    data = writer.section(".bss", type=SHT_NOBITS, sh_size=1 << 50)
    writer.symbol("__mod_virtio__ids_device_table", data, 0, 1 << 50, type=STT_OBJECT)
    with pytest.raises(ObjectFileError) as error:
        _aliases_of(writer, "6.12")
    assert str(error.value) == "foo.o: symbol 1 (__mod_virtio__ids_device_table) has 1125899906842624 bytes of zeros"


def test_tables_of_unknown_types_are_not_read() -> None:
    """Check that a table of an unknown type is not even read, since it need not lie in its section."""
    writer = ElfWriter()
    data = writer.section(".rodata", type=SHT_PROGBITS, data=bytes(16))
    writer.symbol("__mod_tifm__ids_device_table", data, 1 << 40, 1 << 50, type=STT_OBJECT)
    assert _aliases_of(writer, "6.12") == []
