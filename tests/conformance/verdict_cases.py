# SPDX-License-Identifier: GPL-2.0-or-later
"""Modules with one defect each (or none), and what is asked of a kernel and of modcheck about them.

All are made from a few small modules that kbuild builds, and one that the distribution ships and signed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from tests.conformance import module_alterations as alter
from tests.modpost.elf_writer import EM_386, EM_AARCH64, EM_S390, EM_X86_64, SHF_ALLOC, SHF_EXECINSTR, ElfWriter

# A text in .modinfo that cases replace; long enough for all of them.
PLACEHOLDER = "verdict=to be replaced"

_HEAD = """\
// SPDX-License-Identifier: GPL-2.0-or-later
#include <linux/init.h>
#include <linux/jiffies.h>
#include <linux/module.h>
"""

_GOOD = """\
{head}
static unsigned long since;
module_param(since, ulong, 0444);

static int __init verdict_init(void)
{{
	pr_info("verdict: %s loaded, %u ms\\n", KBUILD_MODNAME, jiffies_to_msecs(since));
	return 0;
}}

static void __exit verdict_exit(void)
{{
}}

module_init(verdict_init);
module_exit(verdict_exit);
MODULE_DESCRIPTION("a module for kernels to judge");
MODULE_LICENSE("{license}");
MODULE_INFO(verdict, "to be replaced");
"""

_EXPORTER = f"""\
{_HEAD}
int verdict_shared(int value);

int verdict_shared(int value)
{{
	return value + 1;
}}
EXPORT_SYMBOL(verdict_shared);
MODULE_DESCRIPTION("a module that exports a symbol");
MODULE_LICENSE("GPL");
"""

_CALLER = """\
{head}{include}
{declaration}

static int __init verdict_init(void)
{{
	{call};
	return 0;
}}

static void __exit verdict_exit(void)
{{
}}

module_init(verdict_init);
module_exit(verdict_exit);
MODULE_DESCRIPTION("a module that calls {name}");
MODULE_LICENSE("GPL");
{more}
"""


def _caller(name: str, call: str, include: str = "", declaration: str = "", more: str = "") -> str:
    return _CALLER.format(
        head=_HEAD, name=name, call=call, include=f"#include <{include}>\n" if include else "",
        declaration=declaration, more=more,
    )  # fmt: skip


# Names of name spaces are strings since 6.13.
_IMPORT = """\
#include <linux/version.h>
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
MODULE_IMPORT_NS("DMA_BUF");
#else
MODULE_IMPORT_NS(DMA_BUF);
#endif"""

_BUILT = ("good", "proprietary", "exporter", "user", "gpl", "space", "missing")

#: File name -> text: what kbuild builds for the cases.
SOURCES: Mapping[str, str] = {
    "Kbuild": "".join(f"obj-m += verdict_{name}.o\n" for name in _BUILT),
    "verdict_good.c": _GOOD.format(head=_HEAD, license="GPL"),
    "verdict_proprietary.c": _GOOD.format(head=_HEAD, license="Proprietary"),
    "verdict_exporter.c": _EXPORTER,
    "verdict_user.c": _caller(
        "verdict_shared", 'pr_info("verdict: %d\\n", verdict_shared(41))', declaration="int verdict_shared(int value);"
    ),
    "verdict_gpl.c": _caller("ktime_get", 'pr_info("verdict: %lld\\n", ktime_get())', include="linux/ktime.h"),
    # What counts is that it refers to the symbol: the call is never reached.
    "verdict_space.c": _caller(
        "dma_buf_put", "if (THIS_MODULE->state == MODULE_STATE_GOING) dma_buf_put(NULL)",
        include="linux/dma-buf.h", more=_IMPORT,
    ),
    "verdict_missing.c": _caller(
        "verdict_nowhere", "verdict_nowhere()", declaration="void verdict_nowhere(void);"
    ),
}  # fmt: skip

#: The undefined symbol of verdict_missing is a warning with this.
BUILD_ARGUMENTS = ("KBUILD_MODPOST_WARN=1",)

#: Without any defect; needs nothing but the kernel proper.
SHIPPED = "crc-itu-t"


class Case(NamedTuple):
    """One question: would this kernel load ``change(module)`` with ``command_line`` after ``loaded``?

    ``module`` and ``loaded`` are names of built modules (``good`` for verdict_good), of :func:`derived` ones, or
    :data:`SHIPPED`.  ``refusal`` is the reason for which 6.1 refuses it on amd64, empty where it loads it.
    """

    name: str
    module: str
    change: Callable[[bytes], bytes] | None = None
    refusal: str = ""
    command_line: str = ""
    loaded: tuple[str, ...] = ()

    def module_bytes(self, modules: Mapping[str, bytes]) -> bytes:
        """The module; raises ValueError where it has nothing of what the case changes."""
        original = modules[self.module]
        if self.change is None:
            return original
        changed = self.change(original)
        if changed == original:
            raise ValueError(f"{self.name}: nothing was changed")
        return changed


def _modinfo(old: str, new: str) -> Callable[[bytes], bytes]:
    return lambda data: alter.replace_modinfo(data, old, new)


def _vermagic(change: Callable[[str], str]) -> Callable[[bytes], bytes]:
    def changed(data: bytes) -> bytes:
        old = alter.modinfo_value(data, "vermagic")
        return alter.replace_modinfo(data, f"vermagic={old}", f"vermagic={change(old)}")

    return changed


def _other_release(vermagic: str) -> str:
    return ("5" if vermagic[0] != "5" else "4") + vermagic[1:]


def _no_vermagic(data: bytes) -> bytes:
    return alter.replace_modinfo(data, f"vermagic={alter.modinfo_value(data, 'vermagic')}", "vermagix=")


def _no_versions(data: bytes) -> bytes:
    return alter.rename_section(data, "__versions")


def _other_machine(data: bytes) -> bytes:
    own = int.from_bytes(data[18:20], "little")
    return alter.with_machine(data, EM_X86_64 if own == EM_AARCH64 else EM_AARCH64)


def _object_for(bits: int, byteorder: str, machine: int) -> Callable[[bytes], bytes]:
    def written(_: bytes) -> bytes:
        elf = ElfWriter(bits, byteorder, machine)
        elf.section(".text", flags=SHF_ALLOC | SHF_EXECINSTR, data=bytes(16))
        elf.section(".modinfo", flags=SHF_ALLOC, data=b"license=GPL\0name=verdict_good\0")
        return elf.bytes()

    return written


def derived(modules: Mapping[str, bytes]) -> dict[str, bytes]:
    """The modules with those added that are made from them and that other cases have loaded."""
    proprietary = alter.replace_modinfo(modules["exporter"], "license=GPL", "license=BSD")
    return {**modules, "exporter-proprietary": proprietary}


_CRC = "jiffies_to_msecs"
_LAYOUT = "module_layout"
_ENFORCE = "module.sig_enforce=1"
_BLACKLIST = "module_blacklist=other,verdict_good"

#: In the order in which a kernel is asked; those with one command line share a boot.
CASES: tuple[Case, ...] = (
    Case("shipped", SHIPPED),
    Case("good", "good"),
    # What only leaves a mark
    Case("proprietary", "proprietary"),
    Case("staging", "good", _modinfo(PLACEHOLDER, "staging=Y")),
    Case("test", "good", _modinfo(PLACEHOLDER, "test=Y")),
    Case("in-tree, unsigned", "good", _modinfo(PLACEHOLDER, "intree=Y")),
    Case("no retpoline", "good", _modinfo("retpoline=Y", "retpolinx=Y")),
    # The file
    Case("machine", "good", _other_machine, "machine"),
    Case("32 bits", "good", _object_for(32, "little", EM_386), "machine"),
    Case("big-endian", "good", _object_for(64, "big", EM_S390), "byte-order"),
    Case("class byte alone", "good", lambda data: alter.with_class(data, 1)),
    Case("byte order byte alone", "good", lambda data: alter.with_byte_order(data, 2)),
    Case("cut off", "good", lambda data: data[: len(data) // 2], "damaged"),
    Case("empty", "good", lambda data: b"", "damaged"),
    Case("no ELF", "good", lambda data: b"#!/bin/sh\n" + data[10:], "damaged"),
    Case("size of struct module", "good", lambda data: alter.shorten_section(data, ".gnu.linkonce.this_module", 8)),
    # vermagic
    Case("other release", "good", _vermagic(_other_release)),
    Case("other release, no versions", "good", lambda data: _no_versions(_vermagic(_other_release)(data)), "vermagic"),
    Case("vermagic lacks a word", "good", _vermagic(lambda text: text.replace(" SMP", "")), "vermagic"),
    Case("vermagic has another word", "user", _vermagic(lambda text: text.replace("unload", "unhold")), "vermagic"),
    Case("no vermagic", "good", _no_vermagic),
    # Versions and symbols
    Case("CRC", "good", lambda data: alter.alter_crc(data, _CRC), "crc"),
    Case("CRC of module_layout", "good", lambda data: alter.alter_crc(data, _LAYOUT), "crc"),
    Case("version lacks", "good", lambda data: alter.forget_version(data, _CRC), "crc"),
    Case("version of module_layout lacks", "good", lambda data: alter.forget_version(data, _LAYOUT), "crc"),
    Case("no versions", "good", _no_versions),
    Case("symbol lacks", "missing", refusal="missing-symbol"),
    Case("GPL", "gpl"),
    Case("GPL-only symbol", "gpl", _modinfo("license=GPL", "license=BSD"), "gpl-only"),
    Case("name space", "space"),
    Case("name space not imported", "space", _modinfo("import_ns=DMA_BUF", "import_nt=DMA_BUF"), "name-space"),
    # Other modules
    Case("user", "user", loaded=("exporter",)),
    Case("user alone", "user", refusal="missing-symbol"),
    Case("user, CRC", "user", lambda data: alter.alter_crc(data, "verdict_shared"), "crc", loaded=("exporter",)),
    Case("user of a proprietary module", "user", loaded=("exporter-proprietary",)),
    Case("loaded already", "good", refusal="already-loaded", loaded=("good",)),
    # Signatures
    Case("signature cut off", SHIPPED, alter.without_signature),
    Case("signature damaged", SHIPPED, alter.with_damaged_signature, "signature"),
    Case("signature too long", SHIPPED, alter.with_overlong_signature, "signature"),
    # A kernel keeps its mark for good, so it comes last.
    Case("livepatch", "good", _modinfo(PLACEHOLDER, "livepatch=Y")),
    Case("enforced: shipped", SHIPPED, command_line=_ENFORCE),
    Case("enforced: unsigned", "good", None, "unsigned", _ENFORCE),
    Case("enforced: signature cut off", SHIPPED, alter.without_signature, "unsigned", _ENFORCE),
    Case("enforced: signature damaged", SHIPPED, alter.with_damaged_signature, "signature", _ENFORCE),
    Case("blacklisted", "good", None, "blacklisted", _BLACKLIST),
    Case("blacklisted: another", "proprietary", None, "", _BLACKLIST),
    Case("lockdown", "good", None, "unsigned", "lockdown=integrity"),
)
