# SPDX-License-Identifier: GPL-2.0-or-later
"""Finding out what a path is (headers, modules, a dump, an image...) and reading the facts that it tells."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable, Iterable
from pathlib import Path

from modpost_py.errors import FileError, ModpostError
from modpost_py.kmod.errors import KmodError
from modpost_py.kmod.kernel_facts import KernelFacts, Offer
from modpost_py.kmod.kernel_facts_configuration import (
    configuration_of,
    distribution_of,
    is_configuration,
    machine_of,
    release_in,
    vermagic_of,
)

# Enough to tell texts and images from each other.
_BEGINNING = 4096
_ELF = b"\x7fELF"
# Magic numbers of what a kernel image may be, or be packed in: gzip, xz, zstd, bzip2, lz4
_PACKED = (b"\x1f\x8b\x08", b"\xfd7zXZ\0", b"(\xb5/\xfd", b"BZh", b"\x02!L\x18")
_BZIMAGE = (0x202, b"HdrS")
_ARM64_IMAGE = (0x38, b"ARMd")
_EFI_IMAGE = b"MZ"
_DUMP_LINE = re.compile(rb"0x[0-9a-fA-F]{1,8}\t\S+\t\S+\t")
_MAP_LINE = re.compile(rb"\s*[0-9a-fA-F]{8,16} [A-Za-z?] \S")

_WHAT_IT_MAY_BE = (
    "a headers directory, a modules directory (/lib/modules/RELEASE), a Module.symvers, a vmlinux, a vmlinuz, "
    "a System.map or a config-RELEASE"
)


def facts_at(path: str) -> KernelFacts:
    """The facts that one place tells; raises :class:`KmodError` for what is none and :class:`FileError`."""
    try:
        status = os.stat(path)
    except OSError as error:
        raise FileError(path, error.errno or errno.EIO) from None
    except ValueError:
        raise FileError(path, errno.ENOENT) from None
    if stat.S_ISDIR(status.st_mode):
        return _facts_of_directory(path)
    return _reader_of(path)(path)


def tells_of_kernel(path: str) -> bool:
    """Whether :func:`facts_at` would know what a path is."""
    from modpost_py.kmod.kernel_facts_modules import is_modules_directory

    if os.path.isdir(path):
        marks = ("include/config/auto.conf", "Module.symvers")
        return is_modules_directory(path) or any(os.path.isfile(os.path.join(path, mark)) for mark in marks)
    try:
        _reader_of(path)
    except ModpostError:
        return False
    return True


def _facts_of_directory(path: str) -> KernelFacts:
    from modpost_py.kmod.kernel_facts_modules import facts_of_modules_directory, is_modules_directory

    if os.path.isfile(os.path.join(path, "include/config/auto.conf")):
        return facts_of_headers(path)
    if is_modules_directory(path):
        return facts_of_modules_directory(path)
    # A directory where a kernel was built, of which more is not known
    dump = os.path.join(path, "Module.symvers")
    if os.path.isfile(dump):
        return facts_of_dump(dump)
    raise KmodError(f"{path}: tells nothing of a kernel; expected {_WHAT_IT_MAY_BE}")


def _reader_of(path: str) -> Callable[[str], KernelFacts]:
    beginning = _beginning_of(path)
    text = beginning.decode("latin-1")
    if beginning.startswith(_PACKED) and "symvers" in os.path.basename(path):
        return facts_of_dump
    if beginning.startswith((_ELF, *_PACKED, _EFI_IMAGE)) or _has_image_mark(beginning):
        from modpost_py.kmod.kernel_facts_image import facts_of_image

        return facts_of_image
    if _DUMP_LINE.match(beginning):
        return facts_of_dump
    if _MAP_LINE.match(beginning):
        return facts_of_system_map
    if is_configuration(text):
        return facts_of_configuration
    if not beginning:
        raise KmodError(f"{path}: it is empty")
    raise KmodError(f"{path}: not known what this is; expected {_WHAT_IT_MAY_BE}")


def is_system_map(path: str) -> bool:
    """Whether a file begins as a System.map does; raises :class:`FileError`."""
    return _MAP_LINE.match(_beginning_of(path)) is not None


def _has_image_mark(beginning: bytes) -> bool:
    return any(beginning[offset : offset + len(mark)] == mark for offset, mark in (_BZIMAGE, _ARM64_IMAGE))


def _beginning_of(path: str) -> bytes:
    try:
        with open(path, "rb") as stream:
            return stream.read(_BEGINNING)
    except OSError as error:
        raise FileError(path, error.errno or errno.EIO) from None


def facts_of_headers(path: str) -> KernelFacts:
    """The facts of a directory that modules are built against; raises :class:`KbuildError` where it is incomplete."""
    from modpost_py.kbuild.headers_tree import HeadersTree

    tree = HeadersTree.at(path)
    facts = _configured(path, tree.release, tree.configuration)
    if tree.module_symvers is not None:
        _add_dump(facts, str(tree.module_symvers))
    return facts


def facts_of_configuration(path: str, release: str | None = None) -> KernelFacts:
    """The facts of a ``config-RELEASE``: ``release``, else that of the file's name, else the one in its first lines."""
    text = _text(path)
    name = os.path.basename(path)
    if release is None and name.startswith("config-"):
        release = name.removeprefix("config-")
    facts = _configured(path, release, configuration_of(text))
    facts.release = release or release_in(text)
    return facts


def _configured(path: str, release: str | None, configuration: dict[str, str]) -> KernelFacts:
    return KernelFacts(
        paths=(path,),
        release=release,
        vermagic=vermagic_of(release, configuration) if release else None,
        machine=machine_of(configuration),
        configuration=configuration,
        distribution=distribution_of(release, configuration),
    )


def facts_of_dump(path: str) -> KernelFacts:
    """The facts of a Module.symvers."""
    facts = KernelFacts(paths=(path,))
    _add_dump(facts, path)
    return facts


def _add_dump(facts: KernelFacts, path: str) -> None:
    for offer in dump_offers(path):
        facts.offers.setdefault(offer.symbol, offer)
    facts.knows_vmlinux = any(offer.is_in_vmlinux for offer in facts.offers.values())
    facts.knows_modules = True


def dump_offers(path: str) -> Iterable[Offer]:
    """The exports in a Module.symvers, name spaces from its fifth column.

    Up to 5.3 dumps had four columns, and name spaces stood in other places for a while.  Raises
    :class:`KmodError` for a line that is none, and :class:`FileError`.
    """
    text = _text(path)
    for number, line in enumerate(text.splitlines(), 1):
        fields = line.split("\t")
        if len(fields) < 4 or not fields[1]:
            raise KmodError(f"{path}:{number}: no line of a symbol dump (CRC, symbol, module, kind of export)")
        try:
            crc = int(fields[0] or "0", 16)
        except ValueError:
            raise KmodError(f"{path}:{number}: '{fields[0]}' is no CRC") from None
        namespace = fields[4] if len(fields) > 4 else ""
        yield Offer(fields[1], fields[2].removesuffix(".o"), crc, "GPL" in fields[3], namespace)


def _text(path: str) -> str:
    """A text file, perhaps packed as Fedora and SUSE pack their dumps."""
    from modpost_py.kmod.compression import uncompressed

    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise FileError(path, error.errno or errno.EIO) from None
    if data.startswith(_PACKED):
        data = uncompressed(path, data)
    return data.decode("utf-8", "surrogateescape")


def facts_of_system_map(path: str) -> KernelFacts:
    """The facts of a System.map; the release is that of the file's name."""
    from modpost_py.kmod.symvers_from_image import system_map_exports

    name = os.path.basename(path)
    release = name.removeprefix("System.map-") if name.startswith("System.map-") else None
    offers = {offer.symbol: offer for offer in system_map_exports(path)}
    return KernelFacts(paths=(path,), release=release, offers=offers, knows_vmlinux=bool(offers))
