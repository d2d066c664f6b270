# SPDX-License-Identifier: GPL-2.0-or-later
"""What a kernel's configuration implies: its machine and its version magic, as data.

The version magic (``include/linux/vermagic.h``) is a row of words, each with a blank behind it but for the last two::

    RELEASE [ "SMP" ] [ "preempt" | "preempt_rt" ] [ "mod_unload" ] [ "modversions" ]
    [ ARCHITECTURE ] [ "RANDSTRUCT_" seed ]
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from modpost_py.elf_constants import (
    EM_386,
    EM_AARCH64,
    EM_ARM,
    EM_LOONGARCH,
    EM_MIPS,
    EM_PARISC,
    EM_PPC,
    EM_PPC64,
    EM_RISCV,
    EM_S390,
    EM_SPARC,
    EM_SPARCV9,
    EM_X86_64,
)
from modpost_py.kmod.kernel_facts import Machine

Configuration = Mapping[str, str]

# CONFIG_NAME=value, or "# CONFIG_NAME is not set"
_SETTING = re.compile(r"^CONFIG_(\w+)=(.*)$", re.MULTILINE)
_CONFIG_FILE = re.compile(r"\A(?:#[^\n]*\n|\n)*(?:CONFIG_\w+=|# CONFIG_\w+ is not set)")
# The third line of a .config: "# Linux/x86 6.1.0 Kernel Configuration"
_CONFIG_RELEASE = re.compile(r"^# Linux/\w+ (\S+) Kernel Configuration$", re.MULTILINE)


def is_configuration(text: str) -> bool:
    """Whether a text is a .config (``config-RELEASE``) or an auto.conf."""
    return _CONFIG_FILE.match(text) is not None


def configuration_of(text: str) -> dict[str, str]:
    """The options that a .config or auto.conf sets: name without ``CONFIG_`` -> value without quotes."""
    return {name: value.strip('"') for name, value in _SETTING.findall(text) if value != "n"}


def release_in(text: str) -> str | None:
    """The kernel version that a .config was made for (without a distribution's suffix), if it says."""
    found = _CONFIG_RELEASE.search(text)
    return found[1] if found else None


def distribution_of(release: str | None, configuration: Configuration) -> str:
    """Whose kernel it is: ``debian`` where Debian's packages left their marks, else empty."""
    is_debian = "Debian" in configuration.get("CC_VERSION_TEXT", "")
    # Debian builds each kernel with its release as salt; who builds one on Debian does not
    return "debian" if is_debian and release and configuration.get("BUILD_SALT") == release else ""


class _Architecture(NamedTuple):
    """Machines of an architecture: 32 and 64 bit; which option tells the word size and the rarer byte order."""

    option: str
    machine_32: int | None
    machine_64: int | None
    usual_order: str
    other_order_option: str


#: The first whose option is set decides; 64BIT tells the word size where both are possible.
_ARCHITECTURES = (
    _Architecture("X86", EM_386, EM_X86_64, "little", ""),
    _Architecture("ARM64", None, EM_AARCH64, "little", "CPU_BIG_ENDIAN"),
    _Architecture("ARM", EM_ARM, None, "little", "CPU_BIG_ENDIAN"),
    _Architecture("RISCV", EM_RISCV, EM_RISCV, "little", ""),
    _Architecture("S390", EM_S390, EM_S390, "big", ""),
    _Architecture("PPC", EM_PPC, EM_PPC64, "big", "CPU_LITTLE_ENDIAN"),
    _Architecture("LOONGARCH", EM_LOONGARCH, EM_LOONGARCH, "little", ""),
    _Architecture("MIPS", EM_MIPS, EM_MIPS, "big", "CPU_LITTLE_ENDIAN"),
    _Architecture("SPARC", EM_SPARC, EM_SPARCV9, "big", ""),
    _Architecture("PARISC", EM_PARISC, EM_PARISC, "big", ""),
)
_OTHER = {"little": "big", "big": "little"}


def machine_of(configuration: Configuration) -> Machine | None:
    """The machine that a configuration is for; ``None`` for architectures that are not in the table."""
    for architecture in _ARCHITECTURES:
        if configuration.get(architecture.option) != "y":
            continue
        is_64 = architecture.machine_32 is None or configuration.get("64BIT") == "y"
        number = architecture.machine_64 if is_64 else architecture.machine_32
        is_other = configuration.get(architecture.other_order_option) == "y"
        order = _OTHER[architecture.usual_order] if is_other else architecture.usual_order
        return None if number is None else Machine(number, 64 if is_64 else 32, order)
    return None


#: What the version magic of any architecture says: the first option of a group that is set gives the word.
_COMMON_WORDS = (
    (("SMP", "SMP "),),
    (("PREEMPT_RT", "preempt_rt "), ("PREEMPT_BUILD", "preempt "), ("PREEMPT", "preempt ")),
    (("MODULE_UNLOAD", "mod_unload "),),
    (("MODVERSIONS", "modversions "),),
)
_X86_FAMILIES = (
    ("M486SX", "486SX "), ("M486", "486 "), ("M586", "586 "), ("M586TSC", "586TSC "), ("M586MMX", "586MMX "),
    ("MATOM", "ATOM "), ("M686", "686 "), ("MPENTIUMII", "PENTIUMII "), ("MPENTIUMIII", "PENTIUMIII "),
    ("MPENTIUMM", "PENTIUMM "), ("MPENTIUM4", "PENTIUM4 "), ("MK6", "K6 "), ("MK7", "K7 "), ("MK8", "K8 "),
    ("MELAN", "ELAN "), ("MCRUSOE", "CRUSOE "), ("MEFFICEON", "EFFICEON "), ("MCYRIXIII", "CYRIXIII "),
    ("MVIAC3_2", "VIAC3-2 "), ("MVIAC7", "VIAC7 "), ("MGEODEGX1", "GEODEGX1 "), ("MGEODE_LX", "GEODE "),
)  # fmt: skip
_ARM_VERSIONS = (
    ("CPU_32v7M", "ARMv7M "), ("CPU_32v7", "ARMv7 "), ("CPU_32v6", "ARMv6 "), ("CPU_32v5", "ARMv5 "),
    ("CPU_32v4T", "ARMv4 "), ("CPU_32v4", "ARMv4 "), ("CPU_32v3", "ARMv3 "),
)  # fmt: skip
#: MODULE_ARCH_VERMAGIC (``arch/*/include/asm/vermagic.h``) by the option of the architecture.
_ARCHITECTURE_WORDS: tuple[tuple[str, tuple[tuple[tuple[str, str], ...], ...]], ...] = (
    ("X86_64", ()),
    ("X86_32", (_X86_FAMILIES,)),
    ("ARM64", ((("ARM64", "aarch64"),),)),
    ("RISCV", ((("RISCV", "riscv"),),)),
    ("S390", ()),
    ("ARM", (_ARM_VERSIONS, (("THUMB2_KERNEL", "thumb2 "),), (("ARM_PATCH_PHYS_VIRT", "p2v8 "),))),
    (
        "PPC",
        (
            (
                ("ARCH_USING_PATCHABLE_FUNCTION_ENTRY", "patchable-function-entry "),
                ("MPROFILE_KERNEL", "mprofile-kernel "),
            ),
            (("RELOCATABLE", "relocatable "),),
        ),
    ),
    ("LOONGARCH", ((("LOONGARCH", "LOONGARCH "),), (("64BIT", "64BIT "), ("32BIT", "32BIT ")))),
)  # fmt: skip
# Either puts the seed of the structure layouts into the version magic.
_RANDOM_LAYOUT = ("RANDSTRUCT", "GCC_PLUGIN_RANDSTRUCT")


def vermagic_of(release: str, configuration: Configuration) -> str | None:
    """The version magic of a kernel; ``None`` where the table does not tell (architecture, random layouts)."""
    if any(configuration.get(option) == "y" for option in _RANDOM_LAYOUT):
        return None
    for option, groups in _ARCHITECTURE_WORDS:
        if configuration.get(option) == "y":
            return f"{release} " + "".join(_word(group, configuration) for group in (*_COMMON_WORDS, *groups))
    return None


def _word(group: tuple[tuple[str, str], ...], configuration: Configuration) -> str:
    return next((word for option, word in group if configuration.get(option) == "y"), "")
