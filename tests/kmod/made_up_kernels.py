# SPDX-License-Identifier: GPL-2.0-or-later
"""A made-up kernel 6.1.0-test: its headers directory, its modules directory, images of it."""

from __future__ import annotations

import lzma
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.kmod.loadable_modules import Exported, Loadable
from tests.modpost.elf_writer import EM_X86_64, ElfWriter

RELEASE = "6.1.0-test"

#: symbol -> CRC, module, kind, name space
EXPORTS = {
    "module_layout": (0x10000001, "vmlinux", "EXPORT_SYMBOL", ""),
    "printk": (0x10000002, "vmlinux", "EXPORT_SYMBOL", ""),
    "gpl_function": (0x10000003, "vmlinux", "EXPORT_SYMBOL_GPL", ""),
    "spaced": (0x10000004, "vmlinux", "EXPORT_SYMBOL", "SPACE"),
    "for_kvm": (0x10000005, "vmlinux", "EXPORT_SYMBOL_GPL", "module:kvm,kvm-amd*"),
    "led_register": (0x10000006, "drivers/leds/led-core", "EXPORT_SYMBOL_GPL", ""),
}
CONFIGURATION = {
    "X86": "y", "X86_64": "y", "64BIT": "y", "SMP": "y", "MODULE_UNLOAD": "y", "MODVERSIONS": "y", "MODULES": "y",
    "MODULE_SIG": "y", "RETPOLINE": "y", "LIVEPATCH": "y", "STRICT_MODULE_RWX": "y", "SECURITY_LOCKDOWN_LSM": "y",
}  # fmt: skip


def symvers(exports: Mapping[str, tuple[int, str, str, str]] = EXPORTS) -> str:
    """The text of a Module.symvers."""
    return "".join(
        f"0x{crc:08x}\t{symbol}\t{module}\t{kind}\t{namespace}\n"
        for symbol, (crc, module, kind, namespace) in exports.items()
    )


def headers(directory: Path, release: str = RELEASE, exports: Mapping[str, tuple[int, str, str, str]] = EXPORTS,
            **options: str | None) -> str:  # fmt: skip
    """Write a headers directory; ``options`` change the configuration (``None`` leaves one out)."""
    configuration = {**CONFIGURATION, **options}
    lines = [
        f"CONFIG_{name}={value if value in ('y', 'm') else repr(value).replace(chr(39), chr(34))}\n"
        for name, value in configuration.items()
        if value is not None
    ]
    files = {
        "Makefile": "# kbuild\n",
        "include/config/auto.conf": "".join(lines),
        "include/generated/utsrelease.h": f'#define UTS_RELEASE "{release}"\n',
        "Module.symvers": symvers(exports),
    }
    for name, text in files.items():
        target = directory / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    return str(directory)


#: The module of the modules directory: it exports led_register.
LED_CORE = Loadable(
    "led_core",
    undefined=["printk"],
    versions={"module_layout": 0x10000001, "printk": 0x10000002},
    exports=[Exported("led_register", 0x10000006, is_gpl=True)],
)


def modules_directory(directory: Path, modules: Sequence[tuple[str, Loadable]] = ()) -> str:
    """Write a modules directory with led-core.ko and ``modules`` (path below kernel/, module)."""
    for path, module in [("drivers/leds/led-core.ko", LED_CORE), *modules]:
        module.write(directory / "kernel", path)
    (directory / "modules.order").write_text("kernel/drivers/leds/led-core.ko\n")
    return str(directory)


def vmlinux(
    exports: Sequence[Exported], *, bits: int = 64, byteorder: str = "little", form: str = "prel32",
    flags: bool = False, version: str = "Linux version 6.1.0-test (somebody@somewhere) (gcc) #1 SMP",
) -> bytes:  # fmt: skip
    """A stripped vmlinux: sections without symbols; ``form`` is ``prel32``, ``pointers`` or ``short`` (up to 5.3)."""
    order = "<" if byteorder == "little" else ">"
    tables = {"": [e for e in exports if flags or not e.is_gpl]}
    tables["_gpl"] = [e for e in exports if e not in tables[""]]
    base = 0x80000000 if bits == 32 else 0xFFFFFFFF80000000
    strings = b"".join(e.name.encode() + b"\0" + e.namespace.encode() + b"\0" for e in exports)
    strings_at = base + 0x100000
    elf = ElfWriter(bits, byteorder, EM_X86_64, e_type=2)
    elf.with_symbol_table = False
    address = base
    for suffix, listed in tables.items():
        data = b""
        for export in listed:
            name = strings_at + strings.index(export.name.encode() + b"\0" + export.namespace.encode() + b"\0")
            namespace = name + len(export.name) + 1
            data += _entry(address + len(data), base, name, namespace, form, bits, order)
        elf.section(f"__ksymtab{suffix}", data=data, sh_addr=address)
        address += 0x10000
        if listed and listed[0].crc is not None:
            crcs = b"".join((e.crc or 0).to_bytes(4, byteorder) for e in listed)  # type: ignore[arg-type]
            elf.section(f"__kcrctab{suffix}", data=crcs, sh_addr=address)
            address += 0x10000
    if flags:
        elf.section("__kflagstab", data=bytes(int(e.is_gpl) for e in exports), sh_addr=address)
    elf.section("__ksymtab_strings", data=strings, sh_addr=strings_at)
    magic = b"6.1.0-test SMP mod_unload modversions \0"
    elf.section(".rodata", data=version.encode() + b"\0" + magic, sh_addr=base + 0x200000)
    return elf.bytes()


def _entry(place: int, value: int, name: int, namespace: int, form: str, bits: int, order: str) -> bytes:
    little = "little" if order == "<" else "big"
    if form == "prel32":
        fields = [value - place, name - place - 4, namespace - place - 8]
        return b"".join((field & 0xFFFFFFFF).to_bytes(4, little) for field in fields)  # type: ignore[arg-type]
    fields = [value, name] if form == "short" else [value, name, namespace]
    return b"".join(field.to_bytes(bits // 8, little) for field in fields)  # type: ignore[arg-type]


def bzimage(payload: bytes) -> bytes:
    """A bzImage around a packed kernel: one sector more, the payload 16 bytes behind."""
    head = bytearray(1024)
    head[0x1F1] = 1
    head[0x202:0x206] = b"HdrS"
    head[0x248:0x24C] = (16).to_bytes(4, "little")
    head[0x24C:0x250] = len(payload).to_bytes(4, "little")
    return bytes(head) + bytes(16) + payload + bytes(64)


def packed(image: bytes) -> bytes:
    """A kernel as Debian packs it."""
    return lzma.compress(image, lzma.FORMAT_XZ, lzma.CHECK_CRC32)
