# SPDX-License-Identifier: GPL-2.0-or-later
"""What each place tells about a kernel."""

from __future__ import annotations

import gzip
import os
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from modpost_py.elf_constants import EM_386, EM_AARCH64, EM_ARM, EM_PPC64, EM_S390
from modpost_py.kmod.kernel_facts import KernelFacts, Machine, Offer
from modpost_py.kmod.kernel_facts_configuration import machine_of, vermagic_of
from modpost_py.kmod.modcheck_closest import places_in
from tests.kmod import made_up_kernels as kernels
from tests.kmod.loadable_modules import VERMAGIC, Exported, Loadable

X86_64 = Machine(62, 64, "little")
OFFERS = {
    symbol: Offer(symbol, module, crc, kind.endswith("GPL"), namespace)
    for symbol, (crc, module, kind, namespace) in kernels.EXPORTS.items()
}


def told(facts: KernelFacts) -> dict[str, Any]:
    """What a place told: all facts but the paths and the configuration."""
    left_out = ("paths", "configuration", "near", "directory", "modules")
    values = {field.name: getattr(facts, field.name) for field in fields(facts) if field.name not in left_out}
    return {name: value for name, value in values.items() if value not in (None, False, {})}


def test_headers(tmp_path: Path) -> None:
    """Check what a headers directory tells."""
    assert told(KernelFacts.read([kernels.headers(tmp_path)])) == {
        "release": "6.1.0-test", "vermagic": VERMAGIC, "machine": X86_64, "offers": OFFERS, "knows_vmlinux": True,
        "knows_modules": True, "distribution": "",
    }  # fmt: skip


def test_modules(tmp_path: Path) -> None:
    """Check what a modules directory tells: by its modules, and by what they import."""
    directory = tmp_path / "6.1.0-test"
    directory.mkdir()
    assert told(KernelFacts.read([kernels.modules_directory(directory)])) == {
        "release": "6.1.0-test", "vermagic": VERMAGIC, "machine": X86_64, "module_struct_size": 896,
        "signers": frozenset(), "knows_modules": True,
        "offers": {
            "led_register": OFFERS["led_register"],
            "module_layout": Offer("module_layout", "vmlinux", 0x10000001, None, ""),
            "printk": Offer("printk", "vmlinux", 0x10000002, None, ""),
        },
    }  # fmt: skip


def test_what_lies_beside_modules(tmp_path: Path) -> None:
    """Check that headers, a packed dump, the configuration and the image beside modules are read."""
    headers = kernels.headers(tmp_path / "headers")
    for name in ("build", "dump", "image"):
        kernels.modules_directory(tmp_path / name)
    os.symlink(headers, tmp_path / "build/build")
    (tmp_path / "dump/symvers.gz").write_bytes(gzip.compress(kernels.symvers().encode()))
    (tmp_path / "dump/config").write_text((tmp_path / "headers/include/config/auto.conf").read_text())
    (tmp_path / "image/vmlinuz").write_bytes(kernels.bzimage(kernels.packed(kernels.vmlinux([Exported("printk", 7)]))))
    for name in ("build", "dump"):
        facts = KernelFacts.read([tmp_path / name])
        assert (facts.offers, facts.config("LIVEPATCH"), facts.knows_vmlinux) == (OFFERS, "y", True), name
    facts = KernelFacts.read([tmp_path / "image"])
    assert (facts.offers["printk"].crc, facts.knows_vmlinux, facts.release) == (7, True, "6.1.0-test")


def test_other_places(tmp_path: Path) -> None:
    """Check what a dump, a configuration and a build directory tell."""
    (tmp_path / "Module.symvers").write_text(kernels.symvers())
    text = "".join(f"CONFIG_{name}={value}\n" for name, value in kernels.CONFIGURATION.items())
    (tmp_path / "config-6.1.0-test").write_text("# CONFIG_OTHER is not set\n" + text)
    dump = {"offers": OFFERS, "knows_vmlinux": True, "knows_modules": True}
    assert told(KernelFacts.read([tmp_path / "Module.symvers"])) == dump
    assert told(KernelFacts.read([tmp_path])) == dump
    configuration = KernelFacts.read([tmp_path / "config-6.1.0-test"])
    assert told(configuration) == {
        "release": "6.1.0-test", "vermagic": VERMAGIC, "machine": X86_64, "distribution": "",
    }  # fmt: skip
    assert (configuration.config("OTHER"), configuration.config("SMP")) == ("n", "y")


def test_the_first_place_decides(tmp_path: Path) -> None:
    """Check that what two places know is what the first one says, and that gaps are filled."""
    (tmp_path / "first").write_text("0x1\tprintk\tvmlinux\tEXPORT_SYMBOL\t\n")
    (tmp_path / "second").write_text("0x2\tprintk\tvmlinux\tEXPORT_SYMBOL\t\n0x3\tother\tvmlinux\tEXPORT_SYMBOL\t\n")
    facts = KernelFacts.read([tmp_path / "first", tmp_path / "second"])
    assert {name: offer.crc for name, offer in facts.offers.items()} == {"printk": 1, "other": 3}


def test_who_checks_versions(tmp_path: Path) -> None:
    """Check that the configuration, the version magic or the CRCs tell whether versions are checked."""
    plain, versioned = Offer("f", "vmlinux", 0, False, ""), Offer("f", "vmlinux", 1, False, "")
    for facts, expected in (
        (KernelFacts(), None),
        (KernelFacts(configuration={"MODVERSIONS": "y"}), True),
        (KernelFacts(configuration={}, vermagic="6.1 modversions "), False),
        (KernelFacts(vermagic="6.1 SMP modversions "), True),
        (KernelFacts(vermagic="6.1 SMP "), False),
        (KernelFacts(offers={"f": versioned}), True),
        (KernelFacts(offers={"f": plain}), False),
        (KernelFacts(offers={"f": plain._replace(crc=None)}), None),
    ):
        assert facts.checks_versions is expected, facts


def test_old_dumps(tmp_path: Path) -> None:
    """Check that dumps of four columns are read."""
    (tmp_path / "dump").write_text("0x1\tprintk\tvmlinux\tEXPORT_SYMBOL_GPL\n")
    assert KernelFacts.read([tmp_path / "dump"]).offers == {"printk": Offer("printk", "vmlinux", 1, True, "")}


@pytest.mark.parametrize(
    ("options", "machine", "vermagic"),
    [
        ("X86 X86_32 MPENTIUM4 SMP", Machine(EM_386, 32, "little"), "6.1 SMP PENTIUM4 "),
        ("ARM64 64BIT SMP PREEMPT PREEMPT_BUILD MODULE_UNLOAD", Machine(EM_AARCH64, 64, "little"),
         "6.1 SMP preempt mod_unload aarch64"),
        ("ARM64 64BIT CPU_BIG_ENDIAN", Machine(EM_AARCH64, 64, "big"), "6.1 aarch64"),
        ("ARM CPU_32v7 SMP MODULE_UNLOAD MODVERSIONS ARM_PATCH_PHYS_VIRT THUMB2_KERNEL", Machine(EM_ARM, 32, "little"),
         "6.1 SMP mod_unload modversions ARMv7 thumb2 p2v8 "),
        ("S390 64BIT SMP PREEMPT_RT PREEMPT_BUILD", Machine(EM_S390, 64, "big"), "6.1 SMP preempt_rt "),
        ("PPC 64BIT CPU_LITTLE_ENDIAN MPROFILE_KERNEL", Machine(EM_PPC64, 64, "little"), "6.1 mprofile-kernel "),
        ("X86 X86_64 64BIT RANDSTRUCT", X86_64, None),
        ("XTENSA", None, None),
    ],
)  # fmt: skip
def test_configurations(options: str, machine: Machine | None, vermagic: str | None) -> None:
    """Check that a configuration gives the machine and the version magic that the kernel's headers would."""
    configuration = dict.fromkeys(options.split(), "y")
    assert (machine_of(configuration), vermagic_of("6.1", configuration)) == (machine, vermagic)


def test_modules_that_disagree(tmp_path: Path) -> None:
    """Check that modules that disagree with each other tell nothing."""
    kernels.modules_directory(tmp_path, [("fs/fat.ko", Loadable("fat", vermagic="5.0 "))])
    facts = KernelFacts.read([tmp_path])
    assert (facts.vermagic, facts.module_struct_size, facts.signers) == (None, None, None)


def test_places_in(tmp_path: Path) -> None:
    """Check that a directory of kernels stands for each of them, and a kernel for itself."""
    kernels.headers(tmp_path / "b")
    (tmp_path / "a.symvers").write_text(kernels.symvers())
    (tmp_path / "notes.txt").write_text("nothing\n")
    assert places_in(str(tmp_path)) == [str(tmp_path / "a.symvers"), str(tmp_path / "b")]
    assert places_in(str(tmp_path / "b")) == [str(tmp_path / "b")]
    assert places_in(str(tmp_path / "absent")) == [str(tmp_path / "absent")]
