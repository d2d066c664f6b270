# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's kernels as the conformance tests use them: which exist, and where their parts lie.

A kernel's exact version moves with every security update, so only releases and the
upstream series are named here; the rest is followed through the packages' dependencies
(image metapackage -> image -> modules; headers metapackage -> headers -> common headers, kbuild).
"""

from __future__ import annotations

import functools
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.conformance.debian import Archive, NotAvailable, Package, cache_directory, make_directory_once

# Debian's kernel flavour where its name is not the architecture's.
_FLAVOURS = {"armhf": "armmp"}
_HOST_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "s390x": "s390x", "armv7l": "armhf"}


@dataclass(frozen=True, slots=True)
class Kernel:
    """One kernel of one Debian release.

    ``label`` is for reports; ``version_pattern`` matches the package versions wanted (it keeps
    backports out, or picks them).
    """

    label: str
    suite: str
    version_pattern: str


#: Oldest first.  The series of sid moves; it is 7.2 or later.
KERNELS: dict[str, Kernel] = {
    kernel.label: kernel
    for kernel in (
        Kernel("5.10", "bullseye", r"5\.10\..*"),
        Kernel("6.1", "bookworm", r"6\.1\..*"),
        Kernel("6.12", "trixie", r"6\.12\..*"),
        Kernel("7.x", "sid", r"[7-9]\..*"),
        Kernel("7.x-backports", "trixie", r"[7-9]\..*"),
    )
}


class KernelPackages:
    """The packages of one kernel for one architecture; every property raises NotAvailable where there is none.

    Directories are those that the packages would install: ``headers`` is
    ``.../usr/src/linux-headers-RELEASE``, with Module.symvers, .config and the generated headers.
    """

    def __init__(self, kernel: Kernel, architecture: str = "amd64") -> None:
        self.kernel = kernel
        self.architecture = architecture
        self.archive = Archive(kernel.suite, architecture)

    @functools.cached_property
    def _headers_package(self) -> Package:
        meta = self.archive.find(f"linux-headers-{self._flavour}", self.kernel.version_pattern)
        return self._exactly(meta.depended(rf"linux-headers-\d.*-{self._flavour}"), meta.version)

    @property
    def release(self) -> str:
        """The kernel release, such as ``6.1.0-37-amd64``."""
        return self._headers_package.name.removeprefix("linux-headers-")

    @property
    def version(self) -> str:
        """The Debian version of the packages."""
        return self._headers_package.version

    @functools.cached_property
    def headers(self) -> Path:
        """The headers of the flavour: generated headers, Module.symvers, .config."""
        package = self._headers_package
        return self.archive.unpack(package) / "usr/src" / package.name

    @functools.cached_property
    def common_headers(self) -> Path:
        """The headers that all flavours share."""
        name = self._headers_package.depended(r"linux-headers-\d.*-common")
        return self.archive.unpack(self._exactly(name, self.version)) / "usr/src" / name

    @functools.cached_property
    def _image_package(self) -> Package:
        meta = self.archive.find(f"linux-image-{self._flavour}", self.kernel.version_pattern)
        return self._exactly(meta.depended(rf"linux-image-\d.*-{self._flavour}"), meta.version)

    @functools.cached_property
    def modules(self) -> Path:
        """The directory ``lib/modules/RELEASE`` of the image, modules as shipped (perhaps compressed)."""
        image = self._image_package
        # Since 7.x the image package is empty and depends on one that holds the modules.
        if "linux-modules-" in image.depends:
            image = self._exactly(image.depended(r"linux-modules-\d.*"), image.version)
        return _only(self.archive.unpack(image), "lib/modules/*", "usr/lib/modules/*")

    @functools.cached_property
    def kernel_image(self) -> Path:
        """The kernel as a boot loader takes it (vmlinuz), of the release that :attr:`headers` are for."""
        image = self._image_package
        # Since 7.x the image package is empty and depends on one that holds the kernel.
        if "linux-binary-" in image.depends:
            image = self._exactly(image.depended(r"linux-binary-\d.*"), image.version)
        found = _only(self.archive.unpack(image), "boot/vmlinuz-*", "usr/lib/modules/*/vmlinuz")
        release = found.parent.name if found.name == "vmlinuz" else found.name.removeprefix("vmlinuz-")
        if release != self.release:
            raise NotAvailable(f"the image is of {release}, the headers are for {self.release}")
        return found

    @functools.cached_property
    def source_package(self) -> Package:
        """The package with the source of exactly this version."""
        series = re.match(r"\d+\.\d+", self.version)
        assert series is not None
        return self._exactly(f"linux-source-{series[0]}", self.version)

    @functools.cached_property
    def source_archive(self) -> Path:
        """The compressed tar file of the kernel source."""
        return _only(self.archive.unpack(self.source_package), "usr/src/linux-source-*.tar.*")

    def tool(self, path: str) -> Path:
        """A program of linux-kbuild that runs on this machine, e.g. ``scripts/genksyms/genksyms``.

        The kernel's own architecture plays no part: kbuild's tools are for the machine that builds.
        Where the machine's C library is too old, the result is a launcher that uses the release's.
        """
        host = _HOST_ARCHITECTURES.get(os.uname().machine)
        if host is None:
            raise NotAvailable(f"Debian has no {os.uname().machine} kernel tools")
        archive = Archive(self.kernel.suite, host)
        kbuild = archive.find(r"linux-kbuild-\d.*", self.kernel.version_pattern)
        tool = _only(archive.unpack(kbuild), "usr/lib/linux-kbuild-*") / path
        if not tool.is_file():
            raise NotAvailable(f"{kbuild.name} has no {path}")
        return tool if _runs_here(tool) else with_own_libc(archive, tool, kbuild)

    @functools.cached_property
    def genksyms(self) -> Path:
        """The C genksyms of this kernel."""
        return self.tool("scripts/genksyms/genksyms")

    @functools.cache  # noqa: B019 (the object lives as long as the run)
    def modpost(self, byte_order: str = "lsb", word_size: int = 64) -> Path:
        """The C modpost of this kernel for objects of one byte order (``lsb``, ``msb``) and word size (32, 64)."""
        return self.tool(f"scripts/mod/modpost.real-{byte_order}-{word_size}")

    @property
    def _flavour(self) -> str:
        return _FLAVOURS.get(self.architecture, self.architecture)

    def _exactly(self, name: str, version: str) -> Package:
        return self.archive.find(re.escape(name), re.escape(version))


def _only(directory: Path, *patterns: str) -> Path:
    for pattern in patterns:
        found = sorted(directory.glob(pattern))
        if found:
            return found[0]
    raise NotAvailable(f"{directory.name} holds no {patterns[0]}")


@functools.cache
def _runs_here(tool: Path) -> bool:
    result = subprocess.run([tool], stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    return b"GLIBC_" not in result.stderr


def with_own_libc(archive: Archive, tool: Path, kbuild: Package) -> Path:
    """A launcher that starts a tool with the C library of its own release, its name kept for messages."""
    libc = archive.unpack("libc6")
    loader = next(path for path in sorted(libc.rglob("ld-linux*.so.*")) if path.is_file())
    library = next(libc.rglob("libc.so.6")).parent

    def write(directory: Path) -> None:
        launcher = directory / tool.name
        words = [str(loader), "--library-path", str(library)]
        launcher.write_text(f'#!/bin/sh\nexec {shlex.join(words)} --argv0 "$0" {shlex.quote(str(tool))} "$@"\n')
        launcher.chmod(0o755)

    name = f"{kbuild.name}_{kbuild.version}_{libc.name}"
    return make_directory_once(cache_directory("launchers") / name / tool.name, write) / tool.name


def main(arguments: Sequence[str] | None = None) -> int:
    """Print where the parts of kernels lie: ``kernels LABEL ARCHITECTURE [PART...]``."""
    label, architecture, *parts = sys.argv[1:] if arguments is None else arguments
    packages = KernelPackages(KERNELS[label], architecture)
    for part in parts or ("release", "headers", "genksyms"):
        try:
            print(f"{part}\t{getattr(packages, part)}", flush=True)
        except NotAvailable as error:
            print(f"{part}\tnot available: {error}", flush=True)
    for byte_order in ("lsb", "msb"):
        for word_size in (32, 64):
            try:
                print(f"modpost-{byte_order}-{word_size}\t{packages.modpost(byte_order, word_size)}", flush=True)
            except NotAvailable as error:
                print(f"modpost-{byte_order}-{word_size}\tnot available: {error}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
