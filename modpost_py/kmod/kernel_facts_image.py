# SPDX-License-Identifier: GPL-2.0-or-later
"""The facts that a kernel image tells: vmlinux, vmlinuz, a flat Image."""

from __future__ import annotations

import re

from modpost_py.elf_constants import EM_AARCH64
from modpost_py.elf_image import ElfImage
from modpost_py.errors import ObjectFileError
from modpost_py.kmod.errors import KmodError
from modpost_py.kmod.kernel_facts import KernelFacts, Machine, Offer
from modpost_py.kmod.kernel_facts_keys import keys_in
from modpost_py.kmod.symvers_from_image import image_exports
from modpost_py.kmod.symvers_from_image_flat import flat_image_exports
from modpost_py.kmod.symvers_from_image_unpacking import image_bytes

_ARM64_MARK = (0x38, b"ARMd")
# linux_banner: "Linux version RELEASE (who built it) (compiler) ..."; the template in /proc/version has %s
_BANNER = re.compile(rb"Linux version (\d+\.[\w.+~-]+) \(([^\n)]*)")
_DEBIAN = b"debian-kernel@lists.debian.org"
# The words of a version magic behind the release; most kernels have "mod_unload" or "SMP"
_VERMAGIC_WORDS = rb" (?:SMP |preempt |preempt_rt |mod_unload |modversions )+[ -~]*\0"
_LARGEST_VERMAGIC = 256


def facts_of_image(path: str) -> KernelFacts:
    """The facts of a kernel image; raises :class:`KmodError` for what is none, and :class:`FileError`."""
    facts = KernelFacts(paths=(path,))
    data = image_bytes(path)
    image, offers = image_contents(path, data)
    facts.offers = {offer.symbol: offer for offer in offers}
    facts.knows_vmlinux = True
    facts.keys = keys_in(data)
    if image is not None:
        facts.machine = Machine(image.machine, image.bits, image.byteorder)
    elif data[_ARM64_MARK[0] :].startswith(_ARM64_MARK[1]):
        facts.machine = Machine(EM_AARCH64, 64, "little")
    banner = _BANNER.search(data)
    if banner:
        facts.release = banner[1].decode("ascii")
        facts.distribution = "debian" if banner[2] == _DEBIAN else ""
        vermagic = re.search(re.escape(banner[1]) + _VERMAGIC_WORDS, data)
        if vermagic and len(vermagic[0]) <= _LARGEST_VERMAGIC:
            facts.vermagic = vermagic[0][:-1].decode("ascii")
    return facts


def image_contents(path: str, data: bytes | None = None) -> tuple[ElfImage | None, list[Offer]]:
    """The ELF image in a file, if it is one, and its exports.

    Raises :class:`KmodError` for an image without exports, or damaged, and :class:`FileError`.
    """
    data = image_bytes(path) if data is None else data
    image = None
    try:
        if data.startswith(b"\x7fELF"):
            image = ElfImage(path, data)
            offers = image_exports(image)
        else:
            offers = []
    except ObjectFileError as error:
        raise KmodError(f"{path}: {error.what}") from None
    offers = offers or flat_image_exports(data, path)
    if not offers:
        raise KmodError(f"{path}: no table of exported symbols in it; is it a kernel image with modules enabled?")
    return image, offers
