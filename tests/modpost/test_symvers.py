# SPDX-License-Identifier: GPL-2.0-or-later
"""Symbol dumps: what is read, and the orders in which they are written."""

from __future__ import annotations

from pathlib import Path

import pytest

from modpost_py.symvers import DumpLine, parsed_lines
from tests.modpost.module_writer import ExportSpec, ModuleSpec
from tests.modpost.running import ALL, SINCE_6_1, run_modules

MODULES = {"5.10": "", "6.1": "", "6.12": "-M", "7.2": "-M", "7.3": "-M"}


@pytest.mark.parametrize(
    ("field", "crc"),
    [
        ("0x12345678", 0x12345678),
        ("0X1f", 0x1F),
        ("12", 0x12),
        ("", 0),
        (" \t0x5".replace("\t", "\v"), 5),
        ("-1", 0xFFFFFFFF),
        ("+7", 7),
        ("0x123456789", 0x23456789),
        ("f" * 40, 0xFFFFFFFF),
        ("-" + "f" * 40, 0xFFFFFFFF),
    ],
)
def test_crc_field(field: str, crc: int) -> None:
    """Check that the CRC is read as strtoul(3) reads it, and cut to 32 bits."""
    line = f"{field}\tprintk\tvmlinux\tEXPORT_SYMBOL\t"
    assert list(parsed_lines(line)) == [DumpLine("printk", "vmlinux", crc, "EXPORT_SYMBOL", "")]


@pytest.mark.parametrize("field", ["0x", "zz", "0x12 ", " ", "-", "0x1_2", "\u0661"])
def test_bad_crc_field(field: str) -> None:
    """Check that a field that is no number, or more than one, ends the reading."""
    assert list(parsed_lines(f"{field}\tprintk\tvmlinux\tEXPORT_SYMBOL\t\n1\ta\tb\tEXPORT_SYMBOL\t\n")) == [None]


def test_lines() -> None:
    """Check that the name space is all after the fourth tab and that the last line needs no newline."""
    text = "1\ta\tb\tEXPORT_SYMBOL_GPL\tNS\twith tab\n2\tc\td/e\tother\t"
    assert list(parsed_lines(text)) == [
        DumpLine("a", "b", 1, "EXPORT_SYMBOL_GPL", "NS\twith tab"),
        DumpLine("c", "d/e", 2, "other", ""),
    ]


NAMES = ["printk", "kmalloc", "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"]


def _dumped(dialect: str, tmp_path: Path, modules: list[ModuleSpec], files: dict[str, str], options: str) -> list[str]:
    run_modules(tmp_path, dialect, modules, f"{MODULES[dialect]} -w -o out {options}", files)
    return [line.split("\t")[1] for line in (tmp_path / "out").read_text().splitlines()]


def test_hash_order(tmp_path: Path) -> None:
    """Check the order of 5.10's dump: that of its hash table, whatever the order of discovery."""
    modules = [ModuleSpec("foo", exports=[ExportSpec(name) for name in NAMES])]
    forwards = _dumped("5.10", tmp_path, modules, {}, "")
    backwards = _dumped("5.10", tmp_path, [ModuleSpec("foo", exports=[ExportSpec(n) for n in NAMES[::-1]])], {}, "")
    assert forwards == backwards == sorted(NAMES, key=_bucket)


def _bucket(name: str) -> int:
    """The hash as the description puts it, step by step."""
    value = (0x238F13AF * len(name)) & 0xFFFFFFFF
    for index, character in enumerate(name):
        value = (value + (ord(character) << ((5 * index) % 24))) & 0xFFFFFFFF
    return ((1103515243 * value + 12345) & 0xFFFFFFFF) % 1024


def test_newest_first_in_a_bucket(tmp_path: Path) -> None:
    """Check that names of one bucket come newest first in 5.10."""
    buckets: dict[int, list[str]] = {}
    for number in range(4000):
        buckets.setdefault(_bucket(f"symbol_{number}"), []).append(f"symbol_{number}")
    bucket = next(names for names in buckets.values() if len(names) > 2)
    modules = [ModuleSpec("foo", exports=[ExportSpec(name) for name in bucket])]
    assert _dumped("5.10", tmp_path, modules, {}, "") == bucket[::-1]


@pytest.mark.parametrize("dialect", SINCE_6_1)
def test_module_order(dialect: str, tmp_path: Path) -> None:
    """Check that since 6.1 modules come in the order given and exports in that of their discovery, without dumps."""
    modules = [
        ModuleSpec("second", exports=[ExportSpec("b"), ExportSpec("a")], export_order=[1, 0]),
        ModuleSpec("first", exports=[ExportSpec("d"), ExportSpec("c")]),
    ]
    found = _dumped(dialect, tmp_path, modules, {"dump": "0x1\tprintk\tvmlinux\tEXPORT_SYMBOL\t\n"}, "-i dump")
    assert found == (["b", "a", "d", "c"] if dialect == "6.1" else ["a", "b", "d", "c"])


@pytest.mark.parametrize("dialect", ALL)
def test_dump_without_exports_is_written_empty(dialect: str, tmp_path: Path) -> None:
    """Check that the dump is written even if there is nothing to say."""
    outcome = run_modules(tmp_path, dialect, [], "-o out")
    assert outcome.files == {"out": ""}


@pytest.mark.parametrize("dialect", ALL)
def test_later_dump_counts(dialect: str, tmp_path: Path) -> None:
    """Check that of two external modules with one export in two dumps the last counts, with its CRC."""
    files = {
        "one": "0x1\tmodule_layout\tvmlinux\tEXPORT_SYMBOL\t\n0x1\tshared\ta\tEXPORT_SYMBOL\t\n",
        "two": "0x2\tshared\tb\tEXPORT_SYMBOL\t\n",
    }
    user = ModuleSpec("user", undefined=["shared"])
    options = f"{MODULES[dialect]} -e -m {'-b' if dialect.startswith('7') else ''} -i one -i two"
    outcome = run_modules(tmp_path, dialect, [user], options, files)
    assert (outcome.status, outcome.stderr) == (0, "")
    text = outcome.files["user.mod.c"]
    crc = "0x00000002" if dialect.startswith("7") else "     0x2"
    assert f'\t{{ {crc}, "shared" }},\n' in text and 'MODULE_INFO(depends, "b");' in text


@pytest.mark.parametrize(("dialect", "depends"), [("6.12", "m"), ("7.2", "m,m")])
def test_equal_modules_in_two_dumps(dialect: str, depends: str, tmp_path: Path) -> None:
    """Check that 7.x takes equal module names in two dumps for two modules."""
    files = {
        "one": "0x1\ta\tx/m\tEXPORT_SYMBOL\t\n",
        "two": "0x1\tb\tx/m\tEXPORT_SYMBOL\t\n",
    }
    user = ModuleSpec("user", undefined=["a", "b"])
    outcome = run_modules(tmp_path, dialect, [user], "-M -e -i one -i two", files)
    assert f'MODULE_INFO(depends, "{depends}");' in outcome.files["user.mod.c"]
