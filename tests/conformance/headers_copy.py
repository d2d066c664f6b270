# SPDX-License-Identifier: GPL-2.0-or-later
"""A private headers tree that modules can be built against, joined from Debian's packages.

Debian's headers of a flavour include those of all flavours by an absolute path and take
their programs through a link to ``/usr/lib``; so an unpacked package alone builds nothing.
:func:`usable_headers` lays the parts out under a directory of its own where these paths hold.
Headers are links into the cache; Makefiles, Module.symvers and programs are copies.
"""

from __future__ import annotations

import functools
import os
import shlex
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.conformance.debian import Archive, NotAvailable, Package
from tests.conformance.kernel_build import ARCHITECTURES
from tests.conformance.kernels import KernelPackages

_COPIED = ("Makefile", ".kernelvariables", ".config", "Module.symvers")


def usable_headers(packages: KernelPackages, target: Path, kbuild_architecture: str = "amd64") -> Path:
    """Make the tree in ``target`` (which must be empty or absent); returns the KDIR in it.

    The programs are those of the linux-kbuild package for ``kbuild_architecture`` as they are,
    foreign ones included; where only this machine's C library is too old for one, a launcher that
    starts it with its own release's stands in its place.  Raises NotAvailable.
    """
    target = target.resolve()
    sources = target / "usr/src"
    kbuild_package = _kbuild_package(packages, kbuild_architecture)
    kbuild = target / "usr/lib" / kbuild_package.name
    _copy_kbuild(packages, kbuild_package, kbuild_architecture, kbuild)
    for part in (packages.common_headers, packages.headers):
        _link_tree(part, sources / part.name)
        for name in ("scripts", "tools"):
            (sources / part.name / name).symlink_to(kbuild / name)
    headers = sources / packages.headers.name
    makefile = headers / "Makefile"
    makefile.write_text(makefile.read_text().replace("/usr/src/", f"{sources}/"))
    return headers


def build_variables(packages: KernelPackages) -> list[str]:
    """The make variables with which this machine compiles for the packages' kernel; raises NotAvailable.

    The compiler is the one that the kernel asks for, or the newest gcc there is; what the configuration
    expects of a newer compiler, or of a program that is not here, is switched off.
    """
    architecture = ARCHITECTURES[packages.architecture]
    native = architecture.cross_compile.split("-")[0] == os.uname().machine
    prefix = "" if native else architecture.cross_compile
    compiler = next((name for name in _compilers(packages, prefix) if shutil.which(name)), None)
    if compiler is None:
        raise NotAvailable(f"{prefix}gcc is not installed")
    cross = [] if native else [f"ARCH={architecture.name}", f"CROSS_COMPILE={prefix}"]
    return [*cross, f"CC={compiler}", *_switched_off(packages, compiler)]


#: An option of the configuration -> the program and its arguments that must succeed for it to serve.
_REQUIREMENTS = {
    "CONFIG_CC_HAS_MIN_FUNCTION_ALIGNMENT": ("{compiler}", "-fmin-function-alignment=8", "-E", "-xc", "/dev/null"),
    "CONFIG_DEBUG_INFO_BTF_MODULES": ("pahole", "--version"),
}


def _switched_off(packages: KernelPackages, compiler: str) -> Iterator[str]:
    configured = (packages.headers / ".config").read_text()
    for option, words in _REQUIREMENTS.items():
        if f"\n{option}=y\n" in configured and not _succeeds(word.format(compiler=compiler) for word in words):
            yield f"{option}="


def _succeeds(words: Iterable[str]) -> bool:
    try:
        return subprocess.run([*words], stdin=subprocess.DEVNULL, capture_output=True, timeout=60).returncode == 0
    except OSError:
        return False


def _compilers(packages: KernelPackages, prefix: str) -> Iterator[str]:
    for line in (packages.headers / ".kernelvariables").read_text().splitlines():
        if line.startswith("CC ="):
            yield prefix + line.rpartition(")")[2]
    yield from (f"{prefix}gcc-{version}" for version in range(16, 9, -1))
    yield f"{prefix}gcc"


def _kbuild_package(packages: KernelPackages, architecture: str) -> Package:
    name = packages._headers_package.depended(r"linux-kbuild-\d.*")
    return Archive(packages.kernel.suite, architecture).find(name.replace("+", r"\+"), packages.kernel.version_pattern)


def _link_tree(part: Path, directory: Path) -> None:
    directory.mkdir(parents=True)
    for entry in part.iterdir():
        if entry.name in _COPIED:
            shutil.copy(entry, directory / entry.name)
        elif entry.name not in ("scripts", "tools"):
            (directory / entry.name).symlink_to(entry)


def _copy_kbuild(packages: KernelPackages, package: Package, architecture: str, kbuild: Path) -> None:
    archive = Archive(packages.kernel.suite, architecture)
    original = archive.unpack(package) / "usr/lib" / package.name
    shutil.copytree(original, kbuild)
    for program in _programs(original):
        if _needs_newer_libc(program):
            copy = kbuild / program.relative_to(original)
            copy.write_text(_launcher(archive, program))


def _programs(directory: Path) -> Iterator[Path]:
    for path in directory.rglob("*"):
        if path.is_file() and os.access(path, os.X_OK):
            with open(path, "rb") as file:
                if file.read(4) == b"\x7fELF":
                    yield path


@functools.cache
def _needs_newer_libc(program: Path) -> bool:
    """Whether the program is for this machine, but for a newer C library than it has."""
    try:
        result = subprocess.run([program], stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    except OSError:
        return False
    return b"GLIBC_" in result.stderr


def _launcher(archive: Archive, program: Path) -> str:
    # The name that it was called by stays: Debian's wrappers find their real programs by it.
    libc = archive.unpack("libc6")
    loader = next(path for path in sorted(libc.rglob("ld-linux*.so.*")) if path.is_file())
    library = next(libc.rglob("libc.so.6")).parent
    words = shlex.join([str(loader), "--library-path", str(library)])
    return f'#!/bin/sh\nexec {words} --argv0 "$0" {shlex.quote(str(program))} "$@"\n'
