# SPDX-License-Identifier: GPL-2.0-or-later
"""Give a built module the symbol versions of another kernel, without compiling it again.

A module carries the CRC of each symbol that it uses; the kernel refuses it where one of them is not its own.  Keeping
the CRCs outside the code, so that a module can be *stamped* with those of another kernel, is what the scheme of today
was proposed for (1997).  It is as dangerous as it sounds: the code stays compiled for the old types.  So a changed CRC
is taken over only if someone vouches for that symbol, or the symtypes of both kernels prove that the change cannot
matter (:mod:`modpost_py.kbuild.layout_comparison`).

The sections that say what a module was built against::

    __versions           64 bytes a symbol: CRC in a word of the machine, name, NULs
    __version_ext_crcs   4 bytes a symbol: CRC           ) since 6.14, in the same order,
    __version_ext_names  the names, each ended by a NUL  ) for names of any length
    .modinfo             ..., depends=MODULE,MODULE,..., vermagic=RELEASE WORD...
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from modpost_py.cross_reference import MODULE_NAMESPACE_PREFIX, names_module
from modpost_py.dialects import DIALECTS
from modpost_py.elf_constants import (
    EM_SPARC,
    EM_SPARCV9,
    ET_REL,
    SHN_UNDEF,
    STB_GLOBAL,
    STB_WEAK,
    STT_SPARC_REGISTER,
)
from modpost_py.elf_image import ElfImage
from modpost_py.exports import GPL, UNUSED_GPL
from modpost_py.ignored_symbols import ignored_symbols
from modpost_py.kbuild.elf_rewriting import with_section_contents
from modpost_py.kbuild.errors import KbuildError
from modpost_py.kbuild.layout_comparison import LayoutVerdict
from modpost_py.kbuild.restamp_modinfo import with_value
from modpost_py.kmod.compression import is_compressed, open_module
from modpost_py.kmod.module_file import ModuleFile
from modpost_py.kmod.signature import MARKER
from modpost_py.modinfo import is_gpl_compatible
from modpost_py.symvers import DumpLine, parsed_lines
from modpost_py.text_files import read_text

VERSIONS, EXTENDED_CRCS, EXTENDED_NAMES, MODINFO = "__versions", "__version_ext_crcs", "__version_ext_names", ".modinfo"
THIS_MODULE = ".gnu.linkonce.this_module"
_VERSION_SIZE = 64
_SIGNATURE_TRAILER = 12
_GPL_ONLY = frozenset((GPL, UNUSED_GPL))


class VersionChange(NamedTuple):
    """One symbol whose CRC is another in the new kernel; ``allowed`` says why it may change, or ``None``."""

    symbol: str
    old: int
    new: int
    allowed: str | None


class Stamp(NamedTuple):
    """What to give to a module, and on whose word.

    ``accepted`` are symbols or patterns of them (``* ? [...]``) whose change is vouched for; ``compare`` tells whether
    a symbol's layout is the same in both kernels.  ``vermagic`` is the new text, or ``None`` to keep the old one.
    """

    exports: Mapping[str, DumpLine]
    accepted: Sequence[str] = ()
    compare: Callable[[str], LayoutVerdict] | None = None
    with_depends: bool = False
    vermagic: str | None = None
    drops_signature: bool = False


class Restamping(NamedTuple):
    """What restamping one module comes to.

    ``refusals`` say why it may not be done, a reason each; without any, ``data`` is the new module, else the old one.
    ``total`` counts the versioned symbols, ``modinfo`` has tag, old and new value of what changes there, and ``notes``
    are worth knowing and refuse nothing.  ``is_changed`` tells whether ``data`` is not what the file has.
    """

    path: str
    changes: tuple[VersionChange, ...]
    total: int
    modinfo: tuple[tuple[str, str, str], ...]
    refusals: tuple[str, ...]
    notes: tuple[str, ...]
    is_changed: bool
    data: bytes


def read_exports(paths: Iterable[str | os.PathLike[str]]) -> dict[str, DumpLine]:
    """The exports of symbol dumps (Module.symvers) by name; of two of one name the later one counts, as in modpost.

    Raises FileError, and KbuildError for a line that is none or a kernel without symbol versions.
    """
    exports: dict[str, DumpLine] = {}
    for path in paths:
        name = os.fspath(path)
        text = read_text(os.fsencode(name).decode("latin-1")).encode("latin-1").decode("utf-8", "surrogateescape")
        number = 0
        for number, line in enumerate(parsed_lines(text), 1):
            if line is None:
                raise KbuildError(f"{name}:{number}: no line of a symbol dump (CRC, symbol, module, kind, name space)")
            exports[line.symbol] = line
        if not number:
            raise KbuildError(f"{name}: it is empty")
    if not any(line.crc for line in exports.values()):
        raise KbuildError(f"{', '.join(map(str, paths))}: all CRCs are 0: a kernel without CONFIG_MODVERSIONS")
    return exports


def read_module(path: str) -> ModuleFile:
    """A module that can be restamped; raises KmodError, FileError, and KbuildError for what is no such module."""
    descriptor, _ = open_module(path)
    try:
        start = os.pread(descriptor, 16, 0)
    finally:
        os.close(descriptor)
    if is_compressed(start):
        raise KbuildError(f"{path}: it is compressed; unpack it first (unxz, unzstd or gunzip)")
    module = ModuleFile.read(path)
    if module.type != ET_REL:
        raise KbuildError(f"{path}: not a module (not a relocatable object)")
    if module.section_header(THIS_MODULE) is None:
        raise KbuildError(f"{path}: an object that is not a module yet; modpost and the linker make one of it (.ko)")
    if module.section_header(VERSIONS) is None and module.section_header(EXTENDED_CRCS) is None:
        raise KbuildError(f"{path}: it has no {VERSIONS}: built without CONFIG_MODVERSIONS, so there is none to change")
    return module


def restamp(module: ModuleFile, stamp: Stamp) -> Restamping:
    """Work out a module's new stamp; raises KmodError for a damaged one."""
    versions = _versions(module)
    uses = _uses(module, versions)
    changes = tuple(_changes(versions, stamp))
    modinfo = tuple(_modinfo_changes(module, uses, stamp))
    refusals = [*_refused_changes(changes, stamp), *_refused_symbols(module, versions, uses, stamp.exports)]
    is_signed = module.tail(len(MARKER)) == MARKER
    if is_signed and (changes or modinfo) and not stamp.drops_signature:
        refusals.append("it is signed, and a change makes the signature invalid; --drop-signature removes it")
    is_changed = not refusals and bool(changes or modinfo or (is_signed and stamp.drops_signature))
    data = _rewritten(module, changes, modinfo, is_signed) if is_changed else module.data
    notes = tuple(_notes(module, uses, stamp, bool(changes)))
    return Restamping(module.path, changes, len(versions), modinfo, tuple(refusals), notes, is_changed, data)


# --- what the module says -----------------------------------------------------------------------


def _versions(module: ModuleFile) -> dict[str, int]:
    """The CRCs that a module carries, in the order of use: from the tables of any length where it has them."""
    versions = dict(module.extended_versions()) if module.section_header(EXTENDED_CRCS) is not None else {}
    for name, crc in module.versions():
        if versions.setdefault(name, crc) != crc:
            raise KbuildError(f"{module.path}: {VERSIONS} and {EXTENDED_CRCS} differ about {name}")
    return versions


def _uses(module: ModuleFile, versions: Mapping[str, int]) -> dict[str, bool]:
    """The symbols that a module needs from others, in modpost's order, and whether they are weak."""
    uses = dict.fromkeys(versions, False)
    symbols = module.symbols
    supplied = [ignored_symbols(module.machine, dialect) for dialect in DIALECTS]
    for index, section in enumerate(symbols.section):
        if index and section == SHN_UNDEF and symbols.binding(index) in (STB_GLOBAL, STB_WEAK):
            if module.machine in (EM_SPARC, EM_SPARCV9) and symbols.type(index) == STT_SPARC_REGISTER:
                continue
            name = symbols.name(index).encode("latin-1").decode("utf-8", "surrogateescape")
            if name and not any(name in ignored.names or name.startswith(ignored.prefixes) for ignored in supplied):
                uses[name] = symbols.binding(index) == STB_WEAK
    return uses


def _export_of(symbol: str, exports: Mapping[str, DumpLine]) -> DumpLine | None:
    """The export that satisfies a symbol; a leading dot of its name (64-bit PowerPC) does not count."""
    return exports.get(symbol[1:] if symbol[:1] == "." else symbol)


# --- what changes -------------------------------------------------------------------------------


def _changes(versions: Mapping[str, int], stamp: Stamp) -> Iterable[VersionChange]:
    for symbol, old in versions.items():
        export = _export_of(symbol, stamp.exports)
        if export is not None and export.crc != old:
            yield VersionChange(symbol, old, export.crc, _allowed(symbol, stamp))


def _allowed(symbol: str, stamp: Stamp) -> str | None:
    """Why a symbol's CRC may change, the stronger reason first; ``None`` if nothing allows it."""
    if stamp.compare is not None:
        verdict = stamp.compare(symbol)
        if verdict.same:
            more = f", and {len(verdict.reasons) - 1} more" if len(verdict.reasons) > 1 else ""
            return f"same layout ({_behind(symbol, verdict.reasons[0])}{more})" if verdict.reasons else "same layout"
    pattern = next((pattern for pattern in stamp.accepted if fnmatchcase(symbol, pattern)), None)
    return None if pattern is None else f"accepted ({pattern})"


def _behind(symbol: str, reason: str) -> str:
    """A reason less the symbol that it begins with."""
    return reason.removeprefix(symbol).lstrip(",: ")


def _modinfo_changes(module: ModuleFile, uses: Iterable[str], stamp: Stamp) -> Iterable[tuple[str, str, str]]:
    wanted = {"depends": _depends(uses, stamp.exports) if stamp.with_depends else None, "vermagic": stamp.vermagic}
    for tag, value in wanted.items():
        old = module.value(tag)
        if value is not None and value != old:
            yield tag, old or "", value


def _depends(uses: Iterable[str], exports: Mapping[str, DumpLine]) -> str:
    """The modules that export what a module uses, as modpost lists them: in the order of first use."""
    found = (_export_of(symbol, exports) for symbol in uses)
    owners = dict.fromkeys(export.module for export in found if export is not None and export.module != "vmlinux")
    return ",".join(owner.rsplit("/", 1)[-1] for owner in owners)


# --- what is refused ----------------------------------------------------------------------------


def _refused_changes(changes: Iterable[VersionChange], stamp: Stamp) -> Iterable[str]:
    for change in changes:
        if change.allowed is None:
            text = f"{change.symbol}: its CRC was 0x{change.old:08x}, is 0x{change.new:08x}"
            if stamp.compare is None:
                yield f"{text}: nothing tells that this is harmless"
            else:
                yield f"{text}: not the same layout: {_behind(change.symbol, stamp.compare(change.symbol).reasons[0])}"


def _refused_symbols(
    module: ModuleFile, versions: Mapping[str, int], uses: Mapping[str, bool], exports: Mapping[str, DumpLine]
) -> Iterable[str]:
    """What the new kernel would refuse whatever the CRCs are, so that nobody can accept it."""
    is_compatible = is_gpl_compatible(module.values("license"))
    imported = frozenset(module.values("import_ns"))
    name = module.value("name") or os.path.basename(module.path).partition(".")[0]
    for symbol, is_weak in uses.items():
        export = _export_of(symbol, exports)
        if export is None:
            if not is_weak:
                yield f"{symbol}: the new kernel does not export it (if another module does, give its dump too)"
            continue
        if symbol not in versions:
            yield f"{symbol}: the new kernel exports it, but the module has no version of it"
        if not is_compatible and export.kind in _GPL_ONLY:
            yield f"{symbol}: only for GPL modules in the new kernel, and this one is not"
        namespace = export.namespace
        if namespace and namespace not in imported and not _is_open_to(namespace, name):
            yield f"{symbol}: in the name space {namespace} in the new kernel, which the module does not import"


def _is_open_to(namespace: str, module: str) -> bool:
    patterns = namespace.removeprefix(MODULE_NAMESPACE_PREFIX)
    return patterns != namespace and names_module(patterns.replace("-", "_"), module.replace("-", "_"))


def _notes(module: ModuleFile, uses: Iterable[str], stamp: Stamp, has_other_versions: bool) -> Iterable[str]:
    depends = _depends(uses, stamp.exports)
    if not stamp.with_depends and depends != (module.value("depends") or ""):
        yield f"depends is '{module.value('depends') or ''}', would be '{depends}' (--depends)"
    if has_other_versions and module.section_header(".BTF") is not None:
        yield "its .BTF was made for the old kernel; if the new one refuses it, remove it: objcopy -R .BTF"


# --- the new file -------------------------------------------------------------------------------


def _rewritten(
    module: ModuleFile, changes: Iterable[VersionChange], modinfo: Iterable[tuple[str, str, str]], is_signed: bool
) -> bytes:
    image = ElfImage(module.path, _without_signature(module) if is_signed else module.data)
    crcs = {change.symbol: change.new for change in changes}
    contents: dict[int, bytes] = {}
    for name, rewrite in ((VERSIONS, _new_versions), (EXTENDED_CRCS, _new_extended_crcs)):
        if module.section_header(name) is not None and crcs:
            contents[_only_section(image, name)] = rewrite(module, crcs)
    text = module.section_bytes(MODINFO) or b""
    for tag, _, value in modinfo:
        text = with_value(text, tag, value)
    if modinfo:
        contents[_only_section(image, MODINFO)] = text
    return with_section_contents(image, contents)


def _only_section(image: ElfImage, name: str) -> int:
    indices = [index for index, section in enumerate(image.sections) if section.name == name]
    if len(indices) != 1:
        raise KbuildError(f"{image.path}: it has {len(indices)} sections {name}")
    return indices[0]


def _new_versions(module: ModuleFile, crcs: Mapping[str, int]) -> bytes:
    table = bytearray(module.section_bytes(VERSIONS) or b"")
    word = module.prefix + ("Q" if module.bits == 64 else "I")
    for number, (name, _) in enumerate(module.versions()):
        if name in crcs:
            struct.pack_into(word, table, number * _VERSION_SIZE, crcs[name])
    return bytes(table)


def _new_extended_crcs(module: ModuleFile, crcs: Mapping[str, int]) -> bytes:
    values = [crcs.get(name, crc) for name, crc in module.extended_versions()]
    return struct.pack(f"{module.prefix}{len(values)}I", *values)


# signed module = module signature "name" "key id" trailer MARKER; lengths in the trailer (kmod/signature.py)
def _without_signature(module: ModuleFile) -> bytes:
    trailer = module.tail(_SIGNATURE_TRAILER + len(MARKER))
    length = trailer[3] + trailer[4] + int.from_bytes(trailer[8:12], "big") + len(trailer)
    if length > module.size:
        raise KbuildError(f"{module.path}: its signature is damaged")
    return module.data[: module.size - length]
