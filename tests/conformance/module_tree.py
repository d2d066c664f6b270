# SPDX-License-Identifier: GPL-2.0-or-later
"""The modules of a Debian kernel laid out as modpost's input: an ``.o``, with an empty ``.mod``, for each."""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from modpost_py.object_file import ObjectFile
from tests.conformance.debian import Archive, NotAvailable, cache_directory, make_directory_once
from tests.conformance.kernels import KERNELS, KernelPackages, with_own_libc

#: What a build with symbol versions gives modpost in each dialect.
MODVERSIONS_OPTIONS: dict[str, tuple[str, ...]] = {
    "5.10": ("-m",),
    "6.1": ("-m",),
    "6.12": ("-M", "-m"),
    "7.2": ("-M", "-m", "-b", "-x"),
    "7.3": ("-M", "-m", "-b", "-x"),
}

_LIST = "list"
_SYMVERS = "Module.symvers"


class ModuleTree(NamedTuple):
    """A directory with all modules of a kernel, the list of their objects, and the kernel's Module.symvers."""

    directory: Path
    packages: KernelPackages
    objects: Sequence[str]
    bits: int
    byteorder: str

    @property
    def modpost(self) -> Path:
        """The C modpost for these objects; that of i386 for 32 bits, since it takes its host's pointers for theirs."""
        order = "lsb" if self.byteorder == "little" else "msb"
        if self.bits == 64:
            return self.packages.modpost(order, 64)
        kernel = self.packages.kernel
        archive = Archive(kernel.suite, "i386")
        kbuild = archive.find(r"linux-kbuild-\d.*", kernel.version_pattern)
        tool = next(archive.unpack(kbuild).glob(f"usr/lib/linux-kbuild-*/scripts/mod/modpost.real-{order}-32"))
        return with_own_libc(archive, tool, kbuild)

    def arguments(self, options: Sequence[str], dump: str) -> list[str]:
        """The command line of an external build of all modules."""
        return [*options, "-e", "-i", _SYMVERS, "-o", dump, "-T", _LIST]

    def remove_sources(self) -> None:
        """Remove what a run wrote beside the objects."""
        for path in self.directory.rglob("*.mod.c"):
            path.unlink()

    def sources(self) -> dict[str, bytes]:
        """What a run wrote beside the objects, by path."""
        return {str(path.relative_to(self.directory)): path.read_bytes() for path in self.directory.rglob("*.mod.c")}


def module_tree(kernel: str, architecture: str) -> ModuleTree:
    """The tree of one kernel, made on the first call; raises NotAvailable."""
    packages = KernelPackages(KERNELS[kernel], architecture)
    modules, headers = packages.modules, packages.headers
    directory = make_directory_once(
        cache_directory("module-trees") / f"{modules.name}_{packages.version}_{architecture}".replace("~", "-"),
        lambda target: _fill(target, modules, headers),
    )
    objects = (directory / _LIST).read_text().splitlines()
    if not objects:
        raise NotAvailable(f"no modules in {modules}")
    first = ObjectFile.read(directory / objects[0])
    return ModuleTree(directory, packages, objects, first.bits, first.byteorder)


def _fill(target: Path, modules: Path, headers: Path) -> None:
    objects = []
    for module in sorted([*modules.rglob("*.ko"), *modules.rglob("*.ko.xz")]):
        stem = str(module.relative_to(modules)).partition(".ko")[0]
        placed = target / f"{stem}.o"
        placed.parent.mkdir(parents=True, exist_ok=True)
        if module.suffix == ".xz":
            placed.write_bytes(lzma.decompress(module.read_bytes()))
        else:
            placed.symlink_to(module)
        (target / f"{stem}.mod").touch()
        objects.append(f"{stem}.o\n")
    (target / _LIST).write_text("".join(objects))
    (target / _SYMVERS).write_text(with_crcs((headers / "Module.symvers").read_text()))


def with_crcs(symvers: str) -> str:
    """A dump of a kernel without symbol versions (Debian's 7.x) as if it had them: CRCs made of the names."""
    lines = [line.split("\t") for line in symvers.splitlines()]
    if any(int(line[0], 16) for line in lines):
        return symvers
    lines.append(["", "module_layout", "vmlinux", "EXPORT_SYMBOL", ""])
    return "".join(f"0x{zlib.crc32(line[1].encode()):08x}\t" + "\t".join(line[1:]) + "\n" for line in lines)
