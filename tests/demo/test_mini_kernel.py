# SPDX-License-Identifier: GPL-2.0-or-later
"""The miniature kernel of samples/, built with genksyms-py and modpost-py."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "samples" / "mini-kernel"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", "LC_ALL": "C"}

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ("gcc", "ld", "make"))), reason="gcc, ld and make build the miniature kernel"
)


def make(build: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the sample's Makefile with the programs of this environment, built into ``build``."""
    return subprocess.run(
        [
            "make", "-C", str(SAMPLE), f"O={build}", f"PYTHON={sys.executable}",
            f"GENKSYMS={sys.executable} -m genksyms_py", f"MODPOST={sys.executable} -m modpost_py", *arguments,
        ],
        capture_output=True, text=True, check=False, env=ENVIRONMENT,
    )  # fmt: skip


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The build directory and what ``make show`` printed."""
    build = tmp_path_factory.mktemp("kernel")
    result = make(build, "-s", "show")
    assert (result.returncode, result.stderr) == (0, ""), result.stdout + result.stderr
    return build, result.stdout


def section(text: str, title: str) -> list[str]:
    """The rows of the report below a title and its column headings."""
    _before, _title, rest = text.partition(f"\n{title}\n")
    return [line.strip() for line in rest.split("\n\n")[1].splitlines()]


def test_symvers_lists_all_exports(report: tuple[Path, str]) -> None:
    """Check that Module.symvers has every export with the CRC of the C genksyms, its owner and its licence."""
    build, _text = report
    assert (build / "Module.symvers").read_text().splitlines() == [
        "0x1fd1aed6\tmodule_layout\tvmlinux\tEXPORT_SYMBOL\t",
        "0xea147363\tprintk\tvmlinux\tEXPORT_SYMBOL\t",
        "0xbab31fd5\tdevice_name\tvmlinux\tEXPORT_SYMBOL\t",
        "0xbd1aff53\tusb_register\tvmlinux\tEXPORT_SYMBOL_GPL\t",
        "0xbbd8e408\tusb_deregister\tvmlinux\tEXPORT_SYMBOL_GPL\t",
        "0x5d4a0cd9\tled_register\tmodules/led_core\tEXPORT_SYMBOL_GPL\t",
        "0x25baa41b\tled_unregister\tmodules/led_core\tEXPORT_SYMBOL_GPL\t",
        "0x6e4724f3\tled_set_all\tmodules/led_core\tEXPORT_SYMBOL\t",
    ]


def test_only_symbols_that_reach_the_changed_type_change(report: tuple[Path, str]) -> None:
    """Check that another type of one member of struct device changes exactly the CRCs of what reaches it."""
    rows = section(report[1], "Change one member of one type")[1:]
    kept = {row.split()[0] for row in rows if row.endswith("the same")}
    assert len(rows) == 8
    assert kept == {"module_layout", "printk", "led_set_all"}


def test_old_modules_are_refused(report: tuple[Path, str]) -> None:
    """Check that the changed kernel refuses the modules that use a changed symbol and loads the other one."""
    assert section(report[1], "Load the old modules into the new kernel") == [
        "led_core: disagrees about version of symbol device_name",
        "led_usb: disagrees about version of symbol led_register",
        "led_pulse: loads (nothing that it uses has changed)",
    ]


def test_nothing_is_built_twice(report: tuple[Path, str]) -> None:
    """Check that a second make finds everything up to date."""
    build, _text = report
    result = make(build)
    assert result.returncode == 0
    assert not [line for line in result.stdout.splitlines() if line.startswith("  ")]


def test_altered_crc_is_noticed(report: tuple[Path, str], tmp_path: Path) -> None:
    """Check that the report fails when a module carries another CRC than genksyms computed."""
    build = tmp_path / "build"
    shutil.copytree(report[0], build)
    module = build / "modules" / "led_pulse.ko"
    crc = (0x6E4724F3).to_bytes(4, sys.byteorder)
    contents = module.read_bytes()
    assert contents.count(crc) == 1
    module.write_bytes(contents.replace(crc, bytes(4)))
    command = [sys.executable, "show.py", str(build), str(build / "changed" / "build")]
    result = subprocess.run(command, cwd=SAMPLE, capture_output=True, text=True, check=False, env=ENVIRONMENT)
    assert result.returncode == 1
    assert "The CRCs in the .ko files and in vmlinux are not those that genksyms computed." in result.stdout


@pytest.mark.parametrize(
    ("compiler", "linker", "machine"),
    [
        ("gcc -m32", "ld -m elf_i386", "x86_64"),
        ("aarch64-linux-gnu-gcc", "aarch64-linux-gnu-ld", ""),
        ("s390x-linux-gnu-gcc", "s390x-linux-gnu-ld", ""),
    ],
)
def test_other_architectures(
    report: tuple[Path, str], tmp_path: Path, compiler: str, linker: str, machine: str
) -> None:
    """Check that another word size or byte order gives the same report."""
    if shutil.which(compiler.split()[0]) is None or os.uname().machine != (machine or os.uname().machine):
        pytest.skip(f"no {compiler} here")
    result = make(tmp_path, "-s", "show", f"CC={compiler}", f"LD={linker}")
    assert (result.returncode, result.stderr) == (0, ""), result.stdout + result.stderr
    assert sorted(result.stdout.splitlines()) == sorted(report[1].splitlines())
