# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's modules restamped for a kernel of other CRCs and other owners: they must say what the C modpost would write.

    python -m tests.conformance.restamped_modules [--kernel LABEL] [--architecture ARCH] [--every N]

A made-up kernel is Debian's with half of its CRCs changed and some exports moved into modules.  For each module:

* with the kernel's own Module.symvers nothing changes, to the byte;
* with the made-up one, what is refused is exactly what changed;
* with everything accepted, the versions and ``depends`` are those of the ``.mod.c`` that the C modpost writes for it;
* every section but those that tell versions is as before, header and contents, at its old place;
* back on the first kernel, the versions are the shipped ones.

Then the kernel itself is asked: it refuses a module that was restamped for another, and takes it again when that was
undone, though its .modinfo lies at the end of the file by then.
"""

from __future__ import annotations

import argparse
import lzma
import re
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from modpost_py.dialects import dialect_of
from modpost_py.elf_image import ElfImage
from modpost_py.kbuild.restamp import MODINFO, VERSIONS, Restamping, Stamp, read_exports, read_module, restamp
from modpost_py.kmod.module_file import ModuleFile
from modpost_py.symvers import DumpLine
from tests.conformance.boot import BootFailure, boot, emulator_for
from tests.conformance.debian import NotAvailable
from tests.conformance.kernels import KERNELS, KernelPackages
from tests.conformance.module_tree import MODVERSIONS_OPTIONS

#: Kernel, architecture, and that one module of so many is taken.
_CASES = (("5.10", "amd64", 40), ("6.1", "amd64", 15), ("6.1", "arm64", 50), ("6.12", "amd64", 60))
_DUMP = "altered.symvers"
_VERMAGIC = "6.66.6-restamped-for-a-kernel-of-another-and-longer-name SMP preempt mod_unload modversions "

# With symbol versions the kernel compares all but the release.
_FITTING_VERMAGIC = "6.1-restamped-there-and-back-again-to-make-this-longer SMP preempt mod_unload modversions "
_BOOTED = ("6.1", "amd64", "drivers/net/dummy.ko")
# busybox tries both system calls, so that the kernel says it twice
_SCRIPT = """
dmesg -c > /dev/null
insmod /away.ko 2> /dev/null || echo refused
dmesg -c | sed 's/^[^]]*] //' | uniq
insmod /back.ko && echo loaded
cut -d ' ' -f 1 /proc/modules
"""
_ANSWER = ["refused", "dummy: disagrees about version of symbol module_layout", "loaded", "dummy"]

_VERSION = re.compile(r"^\t\{ +(0x[0-9a-f]+|0), \"(.*)\" \},$", re.MULTILINE)
_DEPENDS = re.compile(r'^MODULE_INFO\(depends, "(.*)"\);$', re.MULTILINE)


def restamped(module: Path, dump: Path, vermagic: str | None = None) -> bytes:
    """A module for the kernel of a dump, every change accepted, unsigned: for a boot that tries it."""
    return _accepted(module, read_exports([dump]), vermagic).data


def _accepted(module: Path, exports: Mapping[str, DumpLine], vermagic: str | None = None) -> Restamping:
    stamp = Stamp(exports, ["*"], with_depends=True, vermagic=vermagic, drops_signature=True)
    return restamp(read_module(str(module)), stamp)


def altered_symvers(text: str) -> str:
    """A dump with every other CRC changed, and every eighth export of vmlinux moved into a module."""
    lines = []
    for line in text.splitlines(keepends=True):
        crc, symbol, module, *rest = line.split("\t")
        digest = zlib.crc32(symbol.encode())
        if digest & 1:
            crc = f"0x{int(crc, 16) ^ digest:08x}"
        if digest & 0x70 == 0x70 and module == "vmlinux":
            module = f"drivers/moved/moved-{digest >> 30}"
        lines.append("\t".join((crc, symbol, module, *rest)))
    return "".join(lines)


class Expected(NamedTuple):
    """What the C modpost writes for a module."""

    versions: dict[str, int]
    depends: list[str]


def expected(packages: KernelPackages, module: Path, directory: Path) -> Expected:
    """The versions and the depends of the ``.mod.c`` that the C modpost writes, given the module as an object."""
    placed = directory / "module.o"
    placed.unlink(missing_ok=True)
    placed.symlink_to(module)
    (directory / "module.mod").touch()
    options = MODVERSIONS_OPTIONS[dialect_of(packages.version).name]
    command = [str(packages.modpost()), *options, "-e", "-w", "-N", "-i", _DUMP, "-o", "out.symvers", placed.name]
    done = subprocess.run(command, cwd=directory, capture_output=True, check=False)
    source = directory / "module.mod.c"
    if done.returncode or not source.exists():
        raise NotAvailable(f"modpost failed: {done.stderr.decode()[:200]}")
    text = source.read_text()
    source.unlink()
    depends = _DEPENDS.search(text)
    assert depends is not None
    return Expected({name: int(crc, 16) for crc, name in _VERSION.findall(text)}, depends[1].split(","))


def differences(packages: KernelPackages, file: ModuleFile, directory: Path, dumps: _Dumps) -> Iterator[str]:
    """What is not as it should be for one module."""
    module = Path(file.path)
    shipped = dict(file.versions())
    untouched = restamp(file, Stamp(dumps.shipped))
    if untouched.is_changed or untouched.refusals or untouched.data != module.read_bytes():
        yield f"changed by its own kernel's dump: {untouched.refusals[:3]}"
    changed = {name for name, crc in shipped.items() if dumps.altered[name].crc != crc}
    refused = {reason.partition(":")[0] for reason in restamp(file, Stamp(dumps.altered)).refusals}
    if refused - {"it is signed, and a change makes the signature invalid; --drop-signature removes it"} != changed:
        yield f"refused {sorted(refused)[:5]}, changed {sorted(changed)[:5]}"
    made = _accepted(module, dumps.altered, _VERMAGIC)
    if made.refusals:
        yield f"refused: {made.refusals[:3]}"
        return
    yield from _unlike_modpost(made, expected(packages, module, directory))
    yield from _damaged_sections(file, made)
    (directory / "back.ko").write_bytes(made.data)
    back = ModuleFile("back.ko", _accepted(directory / "back.ko", dumps.shipped).data)
    if dict(back.versions()) != shipped or back.value("depends") != file.value("depends"):
        yield "not the shipped versions when restamped back"


def _unlike_modpost(made: Restamping, wanted: Expected) -> Iterator[str]:
    file = ModuleFile(made.path, made.data)
    if dict(file.versions()) != wanted.versions:
        different = set(file.versions()) ^ set(wanted.versions.items())
        yield f"versions unlike modpost's: {sorted(different)[:4]}"
    # modpost saw the symbols in the order of the finished module, not of its object
    if sorted((file.value("depends") or "").split(",")) != sorted(wanted.depends):
        yield f"depends is {file.value('depends')}, modpost says {','.join(wanted.depends)}"
    if file.value("vermagic") != _VERMAGIC:
        yield f"vermagic is {file.value('vermagic')}"


def _damaged_sections(file: ModuleFile, made: Restamping) -> Iterator[str]:
    old, new = ElfImage("old", file.data), ElfImage("new", made.data)
    for index, (before, after) in enumerate(zip(old.sections, new.sections, strict=True)):
        if before.name == MODINFO:
            same = before._replace(offset=0, size=0) == after._replace(offset=0, size=0)
        else:
            same = before == after and (
                before.name == VERSIONS or bytes(old.section_data(index)) == bytes(new.section_data(index))
            )
        if not same:
            yield f"section {before.name} changed"
    entries, others = ([*each.modinfo()] for each in (file, ModuleFile(made.path, made.data)))
    kept = [entry for entry in entries if not entry.startswith(("depends=", "vermagic="))]
    if [entry for entry in others if not entry.startswith(("depends=", "vermagic="))] != kept:
        yield "other entries of .modinfo changed"


class _Dumps(NamedTuple):
    shipped: Mapping[str, DumpLine]
    altered: Mapping[str, DumpLine]


def compare(kernel: str, architecture: str, every: int) -> tuple[int, int]:
    """Restamp some modules of one kernel; how many, and how many differed."""
    packages = KernelPackages(KERNELS[kernel], architecture)
    modules = sorted(path for path in packages.modules.rglob("*.ko*") if path.name.endswith((".ko", ".ko.xz")))
    different = versions = 0
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        dump = packages.headers / "Module.symvers"
        (directory / _DUMP).write_text(altered_symvers(dump.read_text()))
        dumps = _Dumps(read_exports([dump]), read_exports([directory / _DUMP]))
        for module in modules[::every]:
            file = read_module(str(_unpacked(module, directory)))
            found = list(differences(packages, file, directory, dumps))
            versions += sum(dumps.altered[name].crc != crc for name, crc in file.versions())
            different += bool(found)
            for line in found:
                print(f"    {kernel} {architecture} {module.name}: {line}"[:400], flush=True)
    count, which = len(modules[::every]), f"{kernel} {architecture} ({packages.version})"
    print(f"{which}: {count} modules, {versions} versions changed, {different} modules differ", flush=True)
    return count, different


def _unpacked(module: Path, directory: Path) -> Path:
    """The module, uncompressed; the packages' files are not touched."""
    if module.suffix != ".xz":
        return module
    target = directory / "unpacked.ko"
    target.write_bytes(lzma.decompress(module.read_bytes()))
    return target


def kernel_agrees() -> bool:
    """Whether the kernel refuses a module restamped for another kernel, and loads it when it is restamped back.

    Raises NotAvailable and BootFailure.
    """
    emulator_for(_BOOTED[1])
    packages = KernelPackages(KERNELS[_BOOTED[0]], _BOOTED[1])
    with tempfile.TemporaryDirectory() as name:
        dump, away = Path(name) / _DUMP, Path(name) / "away.ko"
        dump.write_text(altered_symvers((packages.headers / "Module.symvers").read_text()))
        away.write_bytes(restamped(packages.modules / "kernel" / _BOOTED[2], dump))
        back = restamped(away, packages.headers / "Module.symvers", _FITTING_VERMAGIC)
        answer = boot(packages.kernel_image, {"away.ko": away, "back.ko": back}, _SCRIPT).splitlines()
    print(f"{_BOOTED[0]} {_BOOTED[1]} booted: {'; '.join(answer)}", flush=True)
    return answer == _ANSWER


def main() -> int:
    """Compare; the exit status is 1 where something differs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kernel", choices=tuple(KERNELS))
    parser.add_argument("--architecture")
    parser.add_argument("--every", type=int, help="take one module of so many")
    arguments = parser.parse_args()
    modules = different = 0
    for kernel, architecture, every in _CASES:
        if arguments.kernel in (None, kernel) and arguments.architecture in (None, architecture):
            try:
                count, found = compare(kernel, architecture, arguments.every or every)
                modules, different = modules + count, different + found
            except NotAvailable as reason:
                print(f"NOT RUN: {kernel} {architecture}: {reason}", flush=True)
    if (arguments.kernel or _BOOTED[0], arguments.architecture or _BOOTED[1]) == _BOOTED[:2]:
        try:
            different += not kernel_agrees()
        except NotAvailable as reason:
            print(f"NOT RUN: boot: {reason}", flush=True)
        except BootFailure as reason:
            different += 1
            print(f"boot: {reason}", flush=True)
    print(f"{modules} modules restamped, {different} differences")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
