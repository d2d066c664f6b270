# SPDX-License-Identifier: GPL-2.0-or-later
"""The emitted sources: ``MODULE.mod.c`` and ``.vmlinux.export.c``.

A source is a sequence of blocks; each dialect has its own (:data:`MODULE_LAYOUTS`).  A block adds
to the text what applies to the module, most of them beginning with an empty line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from modpost_py.core_messages import EXPORT_WITHOUT_CRC, SYMBOL_TOO_LONG, SYMBOL_WITHOUT_CRC
from modpost_py.cross_reference import name_length_limit
from modpost_py.messages import Reporter
from modpost_py.module_facts import ModuleFacts
from modpost_py.modules import Export, Module
from modpost_py.object_reading import alias_line
from modpost_py.options import Options
from modpost_py.text_buffer import TextBuffer


class SourceRequest:
    """What the blocks of one source are made from."""

    __slots__ = ("facts", "module", "options", "reporter", "text")

    def __init__(self, module: Module, facts: ModuleFacts, options: Options, reporter: Reporter) -> None:
        self.module = module
        self.facts = facts
        self.options = options
        self.reporter = reporter
        self.text = TextBuffer(reporter)

    def kept_exports(self) -> Iterable[Export]:
        """The exports of the module less those that trimming drops."""
        exports = self.module.exports
        return [export for export in exports if export.is_used] if self.options.trims_unused_exports else exports


Block = Callable[[SourceRequest], None]


def module_source(request: SourceRequest) -> bytes:
    """The text of ``MODULE.mod.c``; reports symbols without CRC and names that are too long."""
    for block in MODULE_LAYOUTS[request.reporter.dialect.name]:
        block(request)
    return request.text.bytes()


def vmlinux_source(request: SourceRequest) -> bytes:
    """The text of ``.vmlinux.export.c``."""
    for block in VMLINUX_LAYOUTS[request.reporter.dialect.name]:
        block(request)
    return request.text.bytes()


# --- blocks of fixed text -----------------------------------------------------------------

_HEADER_5_10 = """\
#include <linux/module.h>
#define INCLUDE_VERMAGIC
#include <linux/build-salt.h>
#include <linux/vermagic.h>
#include <linux/compiler.h>

BUILD_SALT;

MODULE_INFO(vermagic, VERMAGIC_STRING);
MODULE_INFO(name, KBUILD_MODNAME);
"""
_HEADER_6_1 = """\
#include <linux/module.h>
#define INCLUDE_VERMAGIC
#include <linux/build-salt.h>
#include <linux/elfnote-lto.h>
#include <linux/export-internal.h>
#include <linux/vermagic.h>
#include <linux/compiler.h>

BUILD_SALT;
BUILD_LTO_INFO;

MODULE_INFO(vermagic, VERMAGIC_STRING);
MODULE_INFO(name, KBUILD_MODNAME);
"""
_HEADER_6_12 = """\
#include <linux/module.h>
#include <linux/export-internal.h>
#include <linux/compiler.h>

MODULE_INFO(name, KBUILD_MODNAME);
"""
_RETPOLINE = """
#ifdef CONFIG_RETPOLINE
MODULE_INFO(retpoline, "Y");
#endif
"""
_EXPORT_HEADER = "#include <linux/export-internal.h>\n"
_NO_PREFIX = """\
#include <linux/module.h>
#undef __MODULE_INFO_PREFIX
#define __MODULE_INFO_PREFIX
"""


def _fixed(text: str) -> Block:
    return lambda request: request.text.add_fixed(text)


def _this_module(request: SourceRequest) -> None:
    init = "\t.init = init_module,\n" if request.facts.has_init else ""
    cleanup = "#ifdef CONFIG_MODULE_UNLOAD\n\t.exit = cleanup_module,\n#endif\n" if request.facts.has_cleanup else ""
    request.text.add_fixed(
        '\n__visible struct module __this_module\n__section(".gnu.linkonce.this_module") = {\n'
        f"\t.name = KBUILD_MODNAME,\n{init}{cleanup}\t.arch = MODULE_ARCH_INIT,\n}};\n"
    )


def _in_tree(request: SourceRequest) -> None:
    if not request.options.is_external:
        request.text.add_fixed('\nMODULE_INFO(intree, "Y");\n')


def _marked(directory: str, tag: str) -> Block:
    """A block that marks the modules whose name starts with ``directory``."""

    def block(request: SourceRequest) -> None:
        if request.module.name.startswith(directory):
            request.text.add_fixed(f'\nMODULE_INFO({tag}, "Y");\n')

    return block


# --- exports ------------------------------------------------------------------------------

_GPL_SUFFIX = {True: "_gpl", False: ""}
_SYMBOL_TYPE = {True: "FUNC", False: "DATA"}
_GPL_FLAG = {True: 1, False: 0}


def _ksymtab_with_license(export: Export) -> tuple[str, ...]:
    type_, suffix = _SYMBOL_TYPE[export.is_function], _GPL_SUFFIX[export.is_gpl_only]
    return (f'KSYMTAB_{type_}({export.name}, "{suffix}", "{export.namespace}");\n',)


def _ksymtab_and_flags(export: Export) -> tuple[str, ...]:
    return (
        f'KSYMTAB_{_SYMBOL_TYPE[export.is_function]}({export.name}, "{export.namespace}");\n',
        f"SYMBOL_FLAGS({export.name}, 0x{_GPL_FLAG[export.is_gpl_only]:02x});\n",
    )


def _crc_with_license(export: Export) -> str:
    return f'SYMBOL_CRC({export.name}, 0x{export.crc or 0:08x}, "{_GPL_SUFFIX[export.is_gpl_only]}");\n'


def _crc(export: Export) -> str:
    return f"SYMBOL_CRC({export.name}, 0x{export.crc or 0:08x});\n"


def _ksymtab(lines: Callable[[Export], tuple[str, ...]]) -> Block:
    def block(request: SourceRequest) -> None:
        request.text.add_fixed("\n")
        for export in request.kept_exports():
            for line in lines(export):
                request.text.add(line)

    return block


def _symbol_crcs(line: Callable[[Export], str]) -> Block:
    def block(request: SourceRequest) -> None:
        if not request.options.modversions:
            return
        request.text.add_fixed("\n")
        for export in request.kept_exports():
            if export.crc is None:
                suffix = "" if request.module.is_vmlinux else ".ko"
                request.reporter.report(EXPORT_WITHOUT_CRC, symbol=export.name, suffix=suffix)
            request.text.add(line(export))

    return block


# --- versions of used symbols -------------------------------------------------------------


def _padded_hex(crc: int) -> str:
    """Eight characters wide, ``0x`` included, without leading zeros; a zero has no ``0x``."""
    return f"{crc:#8x}" if crc else "       0"


def _full_hex(crc: int) -> str:
    return f"0x{crc:08x}"


def _versioned(request: SourceRequest) -> Iterable[tuple[str, int]]:
    """Name and CRC of every used symbol that has one, in the order of use."""
    for name, export in request.module.uses:
        if export is None:
            continue
        if export.crc is None:
            request.reporter.report(SYMBOL_WITHOUT_CRC, symbol=name)
        else:
            yield name, export.crc


def _versions(wanted: Callable[[Options], bool], form: Callable[[int], str]) -> Block:
    def block(request: SourceRequest) -> None:
        if not wanted(request.options):
            return
        add, limit = request.text.add, name_length_limit(request.facts)
        add('\nstatic const struct modversion_info ____versions[]\n__used __section("__versions") = {\n')
        for name, crc in _versioned(request):
            if len(name) < limit:
                add(f'\t{{ {form(crc)}, "{name}" }},\n')
            elif not request.options.extended_versions:
                request.reporter.report(SYMBOL_TOO_LONG, symbol=name)
                break
        add("};\n")

    return block


def _extended_versions(request: SourceRequest) -> None:
    if not request.options.extended_versions:
        return
    add = request.text.add
    add('\nstatic const u32 ____version_ext_crcs[]\n__used __section("__version_ext_crcs") = {\n')
    names = []
    for name, crc in _versioned(request):
        add(f"\t{_full_hex(crc)},\n")
        names.append(name)
    add("};\n")
    add('static const char ____version_ext_names[]\n__used __section("__version_ext_names") =\n')
    for name in names:
        add(f'\t"{name}\\0"\n')
    add(";\n")


# --- what the module depends on, what it is for, what it was made from ---------------------


def _depends(request: SourceRequest) -> None:
    owners: dict[int, Module] = {}
    for _, export in request.module.uses:
        if export is not None and not export.module.is_vmlinux:
            owners.setdefault(id(export.module), export.module)
    request.text.add_fixed('\nMODULE_INFO(depends, "')
    for number, owner in enumerate(owners.values()):
        request.text.add(f",{owner.basename}" if number else owner.basename)
    request.text.add_fixed('");\n')


def _aliases(request: SourceRequest) -> None:
    request.text.add_fixed("\n")
    for alias in request.facts.aliases:
        request.text.add(alias_line(alias.text))


def _builtin_aliases(request: SourceRequest) -> None:
    request.text.add_fixed(_NO_PREFIX)
    for alias in request.facts.aliases:
        request.text.add(f'MODULE_INFO({alias.tag}.alias, "{alias.text}");\n')


def _source_version(request: SourceRequest) -> None:
    if request.facts.source_version is not None:
        request.text.add(f'\nMODULE_INFO(srcversion, "{request.facts.source_version}");\n')


# --- layouts ------------------------------------------------------------------------------

_STAGING = _marked("drivers/staging", "staging")
_TEST = _marked("tools/testing", "test")
_WITH_MODVERSIONS = _versions(lambda options: options.modversions, _padded_hex)
_WITH_BASIC_VERSIONS = _versions(lambda options: options.basic_versions, _full_hex)

_LAYOUT_7_X: tuple[Block, ...] = (
    _fixed(_HEADER_6_12),
    _this_module,
    _in_tree,
    _STAGING,
    _TEST,
    _ksymtab(_ksymtab_and_flags),
    _symbol_crcs(_crc),
    _WITH_BASIC_VERSIONS,
    _extended_versions,
    _depends,
    _aliases,
    _source_version,
)
MODULE_LAYOUTS: dict[str, tuple[Block, ...]] = {
    "5.10": (
        _fixed(_HEADER_5_10),
        _this_module,
        _in_tree,
        _fixed(_RETPOLINE),
        _STAGING,
        _WITH_MODVERSIONS,
        _depends,
        _aliases,
        _source_version,
    ),
    "6.1": (
        _fixed(_HEADER_6_1),
        _this_module,
        _in_tree,
        _fixed(_RETPOLINE),
        _STAGING,
        _TEST,
        _symbol_crcs(_crc_with_license),
        _WITH_MODVERSIONS,
        _depends,
        _aliases,
        _source_version,
    ),
    "6.12": (
        _fixed(_HEADER_6_12),
        _this_module,
        _in_tree,
        _STAGING,
        _TEST,
        _ksymtab(_ksymtab_with_license),
        _symbol_crcs(_crc_with_license),
        _WITH_MODVERSIONS,
        _depends,
        _aliases,
        _source_version,
    ),
    "7.2": _LAYOUT_7_X,
    "7.3": _LAYOUT_7_X,
}

_VMLINUX_7_X: tuple[Block, ...] = (
    _fixed(_EXPORT_HEADER),
    _ksymtab(_ksymtab_and_flags),
    _symbol_crcs(_crc),
    _builtin_aliases,
)
VMLINUX_LAYOUTS: dict[str, tuple[Block, ...]] = {
    "6.1": (_fixed(_EXPORT_HEADER), _symbol_crcs(_crc_with_license)),
    "6.12": (_fixed(_EXPORT_HEADER), _ksymtab(_ksymtab_with_license), _symbol_crcs(_crc_with_license)),
    "7.2": _VMLINUX_7_X,
    "7.3": _VMLINUX_7_X,
}
