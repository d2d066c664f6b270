# SPDX-License-Identifier: GPL-2.0-or-later
"""The symbols of a module: those that it uses, their versions, licences and name spaces; those that it exports.

The kernel goes through the symbol table, logs every symbol that it cannot give, and fails with the error of the
last one.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from modpost_py.elf_constants import EM_386, EM_X86_64, SHN_COMMON, SHN_UNDEF, STB_WEAK
from modpost_py.errors import ObjectFileError
from modpost_py.kmod.errors import ModuleFileError
from modpost_py.kmod.kernel_facts import Offer
from modpost_py.kmod.load_rules_findings import (
    Findings,
    LoadCase,
    Need,
    Provided,
    Reason,
    Remark,
    Taint,
    Unknown,
)
from modpost_py.kmod.load_rules_releases import REFUSING_MISSING_VERSIONS
from modpost_py.kmod.symvers_from_image_modules import LAYOUT_SYMBOL, own_exports
from modpost_py.near_names import near_names
from modpost_py.object_file import ObjectFile

_MODULE_NAMESPACE = "module:"
_REBUILD = "build it with the headers of this kernel"
_FORCE = "CONFIG_MODULE_FORCE_LOAD"
_ENTRY = 64
_MOST_SEARCHES = 50


class Versions:
    """The CRCs that a module wants, as the kernel looks them up: by name, the first entry of a name counts."""

    def __init__(self, case: LoadCase) -> None:
        self.is_extended = False
        self.crcs: dict[str, int] | None = None
        extended = _extended(case) if case.dialect.reads_extended_versions else None
        if extended is not None:
            self.is_extended, self.crcs = True, extended
            return
        table = case.section_bytes("__versions")
        if table is not None and case.module is not None:
            self.crcs = _basic(table, case.module.prefix, case.module.bits // 8)


def _basic(table: bytes, prefix: str, word: int) -> dict[str, int]:
    entries = struct.iter_unpack(f"{prefix}{'IQ'[word == 8]}{_ENTRY - word}s", table[: len(table) // _ENTRY * _ENTRY])
    crcs: dict[str, int] = {}
    for crc, name in entries:
        crcs.setdefault(name.split(b"\0", 1)[0].decode("utf-8", "surrogateescape"), crc)
    return crcs


def _extended(case: LoadCase) -> dict[str, int] | None:
    if case.section_bytes("__version_ext_crcs") is None or case.module is None:
        return None
    crcs: dict[str, int] = {}
    try:
        for name, crc in case.module.extended_versions():
            crcs.setdefault(name, crc)
    except ModuleFileError:
        return crcs  # the ELF rule refuses it
    return crcs


# --- before anything else: is this a module of this kernel? ---------------------------------


def layout_rule(case: LoadCase) -> Findings:
    """The CRC of ``module_layout`` stands for the structures that the kernel and a module share."""
    if case.module is None or case.kernel.checks_versions is False:
        return
    offer = case.kernel.offers.get(LAYOUT_SYMBOL)
    if offer is None and case.kernel.checks_versions is None:
        return
    yield from _version(case, Versions(case), LAYOUT_SYMBOL, offer, "ENOEXEC")


def export_versions_rule(case: LoadCase) -> Findings:
    """Exports need CRCs of their own where the kernel has symbol versions."""
    if case.module is None or not case.kernel.checks_versions:
        return
    for table, crcs in (("__ksymtab", "__kcrctab"), ("__ksymtab_gpl", "__kcrctab_gpl")):
        if case.section_bytes(table) and case.section_bytes(crcs) is None:
            yield from forced(case, "no versions for exported symbols", "its exports have no CRCs")
            return


def forced(case: LoadCase, what: str, text: str) -> Findings:
    """What only a kernel that lets itself be forced loads, with the taint F."""
    setting = case.kernel.config("MODULE_FORCE_LOAD")
    if setting == "n":
        why = f"{text}, and the kernel does not let itself be forced ({_FORCE})"
        yield Reason("force-disabled", "ENOEXEC", why, advice=_REBUILD)
    elif setting is None:
        yield Unknown("force-disabled", f"whether the kernel lets itself be forced ({_FORCE}): {text}")
    elif "F" not in case.taints:
        yield Taint("F", f"forced: {text}", f"{case.name}: {what}: kernel tainted.")


# --- the symbols that it uses ---------------------------------------------------------------


def symbols_rule(case: LoadCase) -> Findings:
    """Every undefined symbol in the order of the symbol table."""
    module = case.object_file
    if module is None:
        return
    versions = Versions(case)
    resolution = _Resolution(case, versions)
    try:
        for index in range(1, module.symbols.count):
            section = module.symbols.raw_section[index]
            if section == SHN_COMMON and not module.symbols.name(index).startswith("__gnu_lto"):
                yield _common_symbol(case, _name(module, index))
            elif section == SHN_UNDEF:
                is_weak = module.symbols.binding(index) == STB_WEAK
                yield from resolution.findings(_name(module, index), is_weak)
    except ObjectFileError as error:
        yield Reason("damaged", "ENOEXEC", f"its symbol table is damaged: {error.what}")


def _name(module: ObjectFile, index: int) -> str:
    return module.symbols.name(index).encode("latin-1").decode("utf-8", "surrogateescape")


def _common_symbol(case: LoadCase, symbol: str) -> Reason:
    line = f"{case.name}: please compile with -fno-common"
    text = f"{symbol} is a common symbol (a variable without initializer, in no section)"
    return Reason("common-symbol", "ENOEXEC", text, symbol, log_line=line, advice="compile with -fno-common")


class _Resolution:
    """Finding who gives each symbol; remembers what the kernel remembers from symbol to symbol."""

    def __init__(self, case: LoadCase, versions: Versions) -> None:
        self.case = case
        self.versions = versions
        self.imports = case.module.values("import_ns") if case.module is not None else []
        self.uses_gpl_only = False

    def findings(self, symbol: str, is_weak: bool) -> Findings:
        """What becomes of one undefined symbol."""
        case = self.case
        offer, provider = self._offered(symbol)
        if offer is None:
            if not is_weak and not _is_ignored(case, symbol):
                yield from _missing(case, symbol)
            return
        case.used.append(offer)
        is_gpl = offer.gpl_only
        if "P" in case.taints and is_gpl is not False:
            if not is_weak:
                yield from _gpl_only(case, offer)
            return
        self.uses_gpl_only |= bool(is_gpl)
        if provider is not None and provider.is_proprietary:
            refused = list(self._inherited(offer))
            yield from refused
            if any(isinstance(finding, Reason) for finding in refused):
                return
        refusal = False
        for finding in (*_version(case, self.versions, symbol, offer, "EINVAL"), *self._namespace(offer)):
            if isinstance(finding, Reason) and refusal:
                continue  # the kernel stops at the first of a symbol
            refusal |= isinstance(finding, Reason)
            yield finding
        if not offer.is_in_vmlinux:
            yield Need(offer.module_name, symbol)

    def _offered(self, symbol: str) -> tuple[Offer | None, Provided | None]:
        """Who offers a symbol: vmlinux, a module that is loaded, one that can be loaded."""
        case = self.case
        offer = case.kernel.offers.get(symbol)
        if offer is not None and offer.is_in_vmlinux:
            return offer, None
        provided = case.provided.get(symbol)
        if provided is not None:
            return provided.offer, provided
        if offer is not None and (not case.circumstances.as_insmod or offer.module_name in case.loaded):
            return offer, None
        return None, None

    def _inherited(self, offer: Offer) -> Findings:
        """A proprietary module's symbols make the module that uses them proprietary, or are refused."""
        case = self.case
        name, symbol, owner = case.name, offer.symbol, offer.module_name
        if self.uses_gpl_only:
            line = (
                f"{name}: module using GPL-only symbols uses symbols {symbol} from proprietary module {owner}."
            )
            text = f"it uses GPL-only symbols, and {symbol} of the proprietary module {owner}"
            yield Reason("gpl-only", "ENOENT", text, symbol, owner, line)
        elif "P" not in case.taints:
            what = f"symbols {symbol}" if case.dialect.names_inherited_symbol else "symbols"
            line = f"{name}: module uses {what} from proprietary module {owner}, inheriting taint."
            yield Taint("P", f"proprietary: it uses {symbol} of the proprietary module {owner}", line)

    def _namespace(self, offer: Offer) -> Findings:
        case, namespace = self.case, offer.namespace
        if namespace is None:
            if not self.imports:
                yield Unknown("name-space", f"the name space of {offer.symbol}", offer.symbol)
            return
        if not namespace or namespace in self.imports or _is_for_module(namespace, case.name):
            return
        line = f"{case.name}: module uses symbol ({offer.symbol}) from namespace {namespace}, but does not import it."
        text = f"{offer.symbol} is in the name space {namespace}, which it does not import"
        if case.kernel.config("MODULE_ALLOW_MISSING_NAMESPACE_IMPORTS") == "y":
            yield Remark("name-space", text + "; this kernel lets that pass", offer.symbol, line)
            return
        advice = f'add MODULE_IMPORT_NS("{namespace}") (before 6.13 without the quotes) and build it again'
        if namespace.startswith(_MODULE_NAMESPACE):
            advice = f"only {namespace.removeprefix(_MODULE_NAMESPACE)} may use it; use another symbol"
        yield Reason("name-space", "EINVAL", text, offer.symbol, offer.module_name, line, advice)


def _is_for_module(namespace: str, module: str) -> bool:
    """Whether ``module:a,b*`` names a module: exactly, or its beginning before a ``*``; dashes are underscores."""
    if not namespace.startswith(_MODULE_NAMESPACE):
        return False
    name = module.replace("-", "_")
    for pattern in namespace.removeprefix(_MODULE_NAMESPACE).split(","):
        wanted = pattern.replace("-", "_")
        if name == wanted or (wanted.endswith("*") and name.startswith(wanted[:-1])):
            return True
    return False


def _is_ignored(case: LoadCase, symbol: str) -> bool:
    """Assemblers leave this one, which nothing refers to."""
    machine = case.module.machine if case.module is not None else 0
    return symbol == "_GLOBAL_OFFSET_TABLE_" and machine in (EM_386, EM_X86_64)


def _missing(case: LoadCase, symbol: str) -> Findings:
    kernel = case.kernel
    in_tree = kernel.offers.get(symbol)
    if in_tree is not None:
        text = f"{symbol} is exported by {in_tree.module}, which is not loaded"
        advice = f"load {in_tree.module_name} first, or use modprobe"
        line = f"{case.name}: Unknown symbol {symbol} (err -2)"
        yield Reason("missing-symbol", "ENOENT", text, symbol, in_tree.module_name, line, advice)
    elif kernel.knows_vmlinux and kernel.knows_modules:
        yield _nobody_has(case, symbol)
    elif kernel.offers or kernel.knows_vmlinux:
        who = "a module of the kernel" if kernel.knows_vmlinux else "the kernel itself"
        yield Unknown("missing-symbol", f"whether {who} exports {symbol}", symbol)
    else:
        yield Unknown("missing-symbol", f"whether anything exports {symbol}", symbol)


def _nobody_has(case: LoadCase, symbol: str) -> Reason:
    near = _near(case, symbol)
    text = f"{symbol} is exported neither by the kernel nor by one of its modules"
    shown = [f"{name} ({case.kernel.offers[name].module})" for name in near]
    text += f"; alike: {', '.join(shown)}" if near else ""
    advice = "load the module that has it first, or find what replaced it in this kernel"
    line = f"{case.name}: Unknown symbol {symbol} (err -2)"
    return Reason("missing-symbol", "ENOENT", text, symbol, log_line=line, advice=advice, near=tuple(near))


def _near(case: LoadCase, symbol: str) -> list[str]:
    # Each search goes through all exports; who lacks hundreds of symbols has another kernel, not misspelt names
    known = case.kernel.near.get(symbol)
    if known is None and len(case.kernel.near) < _MOST_SEARCHES:
        known = case.kernel.near[symbol] = near_names(symbol, case.kernel.offers)
    return known or []


def _gpl_only(case: LoadCase, offer: Offer) -> Findings:
    if offer.gpl_only is None:
        yield Unknown("gpl-only", f"whether {offer.symbol} is for GPL-compatible modules only", offer.symbol)
        return
    line = f"{case.name}: Unknown symbol {offer.symbol} (err -2)"
    text = f"{offer.symbol} is for GPL-compatible modules only"
    advice = "only a module with a GPL-compatible MODULE_LICENSE gets it"
    yield Reason("gpl-only", "ENOENT", text, offer.symbol, offer.module_name, line, advice)


def _version(case: LoadCase, versions: Versions, symbol: str, offer: Offer | None, error: str) -> Findings:
    """The CRC of one symbol."""
    kernel = case.kernel
    if kernel.checks_versions is False:
        return
    if versions.crcs is None:
        yield from forced(case, symbol, "it has no symbol versions")
        return
    wanted = versions.crcs.get(symbol)
    crc = offer.crc if offer is not None else None
    if wanted is None:
        yield from _missing_version(case, versions, symbol, offer, error)
    elif crc is None:
        yield Unknown("crc", f"the kernel's CRC of {symbol}", symbol)
    elif wanted != crc:
        line = f"{case.name}: disagrees about version of symbol {symbol}"
        text = f"{symbol} has the CRC 0x{crc:08x} in the kernel, the module was built for 0x{wanted:08x}"
        provider = offer.module_name if offer is not None else ""
        yield Reason("crc", error, text, symbol, provider, line, _REBUILD)


def _missing_version(
    case: LoadCase, versions: Versions, symbol: str, offer: Offer | None, error: str
) -> Findings:
    """There are CRCs, but none for this symbol: some distributions refuse that."""
    table = "no extended symbol version" if versions.is_extended else "no symbol version"
    line = f"{case.name}: {table} for {symbol}"
    text = f"it has no CRC for {symbol}"
    distribution = case.kernel.distribution
    if distribution in REFUSING_MISSING_VERSIONS:
        provider = offer.module_name if offer is not None else ""
        yield Reason("crc", error, text + ", and this kernel wants one", symbol, provider, line, _REBUILD)
        return
    yield Remark("crc", text, symbol, line)
    if distribution is None:
        yield Unknown("crc", f"whether the kernel refuses that {symbol} has no CRC (Debian's do)", symbol)


# --- the symbols that it exports ------------------------------------------------------------


def duplicates_rule(case: LoadCase) -> Findings:
    """No export of the kernel or of a loaded module may be exported again."""
    if case.module is None:
        return
    for offer in _exports(case):
        other = case.kernel.offers.get(offer.symbol)
        owner = None
        if other is not None and other.is_in_vmlinux:
            owner = "kernel"
        elif offer.symbol in case.provided:
            owner = case.provided[offer.symbol].offer.module_name
        if owner is not None and owner != case.name:
            line = f"{case.name}: exports duplicate symbol {offer.symbol} (owned by {owner})"
            text = f"it exports {offer.symbol}, which {owner} exports too"
            yield Reason("duplicate-export", "ENOEXEC", text, offer.symbol, owner, line, "rename one of the two")


def _exports(case: LoadCase) -> Iterable[Offer]:
    try:
        return own_exports(case.module, case.name) if case.module is not None else []
    except ModuleFileError:
        return []
