# SPDX-License-Identifier: GPL-2.0-or-later
"""``--explain``: for each kind of diagnostic, why it came and what to do about it.

Explanations are made from the finished run: what the diagnostic names, who exports what, which
dumps were read, and what lies near the module.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator

from modpost_py.cross_reference import MODULE_NAMESPACE_PREFIX
from modpost_py.dialects import Dialect
from modpost_py.errors import ModpostError
from modpost_py.messages import Diagnostic
from modpost_py.modinfo import GPL_COMPATIBLE_LICENSES
from modpost_py.modules import Export, Module
from modpost_py.near_names import near_names
from modpost_py.object_reading import MODULE_LAYOUT
from modpost_py.options import Options
from modpost_py.symvers import parsed_lines
from modpost_py.text_files import read_text, to_path
from modpost_py.whole_run import RunResult

_DUMP_NAME = "Module.symvers"
# How far up from the module dumps of its neighbours are looked for, and how many directories in all
_LEVELS_UP = 2
_MOST_DIRECTORIES = 400


class Explainer:
    """What explanations draw on."""

    def __init__(self, result: RunResult, options: Options, dialect: Dialect) -> None:
        self.result = result
        self.options = options
        self.dialect = dialect
        self._modules = {module.name: module for module in result.modules}
        self._nearby: dict[str, list[tuple[str, set[str]]]] = {}

    def module(self, diagnostic: Diagnostic) -> Module | None:
        """The module that a diagnostic is about."""
        return self._modules.get(diagnostic.module or "")

    def export(self, diagnostic: Diagnostic) -> Export | None:
        """The export that a diagnostic is about."""
        return self.result.exports.find(str(diagnostic.values.get("symbol", "")))

    def knows_the_kernel(self) -> bool:
        """Whether the kernel's own exports were read."""
        return any(module.is_vmlinux for module in self.result.modules)

    def dumps_with(self, symbol: str, module: str) -> list[str]:
        """Dumps near a module that were not read and that list ``symbol``."""
        directory = module.rpartition("/")[0] or "."
        if directory not in self._nearby:
            self._nearby[directory] = list(self._unread_dumps(directory))
        return [path for path, symbols in self._nearby[directory] if symbol in symbols]

    def _unread_dumps(self, directory: str) -> Iterator[tuple[str, set[str]]]:
        read = {_real(path) for path in (*self.options.dumps, *filter(None, [self.options.dump]))}
        for path in _dumps_near(directory):
            if _real(path) in read:
                continue
            read.add(_real(path))
            try:
                yield path, {line.symbol for line in parsed_lines(read_text(path)) if line is not None}
            except ModpostError:
                continue


def _real(path: str) -> bytes:
    return os.path.realpath(to_path(path))


def _dumps_near(directory: str) -> Iterator[str]:
    """``Module.symvers`` in a directory, its parents, and the directories beside them."""
    places = [directory]
    for _ in range(_LEVELS_UP):
        places.append(os.path.join(places[-1], ".."))
    looked_at = 0
    for place in places:
        for name in ("", *_subdirectories(place)):
            looked_at += 1
            path = os.path.normpath(os.path.join(place, name, _DUMP_NAME))
            if looked_at <= _MOST_DIRECTORIES and os.path.isfile(to_path(path)):
                yield path


def _subdirectories(place: str) -> list[str]:
    try:
        with os.scandir(to_path(place)) as entries:
            return sorted(entry.name.decode("latin-1") for entry in entries if entry.is_dir(follow_symlinks=False))
    except OSError:
        return []


# --- one function per rule: lines of text -------------------------------------------------


def _undefined(diagnostic: Diagnostic, explainer: Explainer) -> Iterator[str]:
    symbol = str(diagnostic.values["symbol"])
    if not explainer.knows_the_kernel():
        dumps = ", ".join(explainer.options.dumps)
        yield (
            f"the kernel's exports are unknown: no symbol of vmlinux is in {dumps}"
            if dumps
            else ("the kernel's exports are unknown: no symbol dump was read")
        )
        yield "build the kernel (make modules does, make modules_prepare does not) or give -i KDIR/Module.symvers"
    if symbol == MODULE_LAYOUT:
        yield "every kernel with CONFIG_MODVERSIONS exports it: a dump without it is of a kernel that has none,"
        yield "or was cut short"
        return
    found = explainer.dumps_with(symbol, diagnostic.module or "")
    for path in found:
        yield f"{path} has it, and was not read: add KBUILD_EXTRA_SYMBOLS={os.path.abspath(path)}"
    near = near_names(symbol, explainer.result.exports.by_name)
    if near:
        yield f"misspelt? near names: {', '.join(_described(explainer, name) for name in near)}"
    if not found:
        yield "if another external module exports it, build that first and add KBUILD_EXTRA_SYMBOLS=ITS/Module.symvers"
        yield "if this kernel has it at all, it is not exported, or its CONFIG option is off, or it was trimmed"
        yield "(CONFIG_TRIM_UNUSED_KSYMS)"


def _described(explainer: Explainer, name: str) -> str:
    export = explainer.result.exports.by_name[name]
    return f"{name} ({export.module.name}, {export.kind})"


def _without_definition(diagnostic: Diagnostic, explainer: Explainer) -> Iterator[str]:
    symbol = diagnostic.values["symbol"]
    yield f"EXPORT_SYMBOL({symbol}) stands in this module, but nothing in it defines {symbol}"
    yield "define it, add the object that does to the module, or remove the export"


def _namespace(diagnostic: Diagnostic, explainer: Explainer) -> Iterator[str]:
    namespace = str(diagnostic.values["namespace"])
    export = explainer.export(diagnostic)
    owner = export.module.name if export is not None else "its module"
    if explainer.dialect.module_namespaces and namespace.startswith(MODULE_NAMESPACE_PREFIX):
        yield f"{owner} exports it for these modules only: {namespace.removeprefix(MODULE_NAMESPACE_PREFIX)}"
        yield "such a name space cannot be imported; use another interface, or add the module to the export"
        return
    quoted = f'"{namespace}"' if explainer.dialect.quotes_imported_namespaces else namespace
    yield f"{owner} exports it in the name space {namespace}"
    yield f"add to the module's source: MODULE_IMPORT_NS({quoted});"


def _gpl_only(diagnostic: Diagnostic, explainer: Explainer) -> Iterator[str]:
    module, export = explainer.module(diagnostic), explainer.export(diagnostic)
    if module is not None and module.facts is not None:
        bad = [license for license in module.facts.licenses if license not in GPL_COMPATIBLE_LICENSES]
        declared = ", ".join(f'MODULE_LICENSE("{license}")' for license in bad)
        yield f"the module says {declared}, which is not GPL-compatible"
    if export is not None:
        yield f"{export.module.name} exports the symbol with {export.kind}"
    known = ", ".join(f'"{license}"' for license in sorted(GPL_COMPATIBLE_LICENSES))
    yield f"GPL-compatible licences are {known}: declare one if it is true, or do without the symbol"


def _exported_twice(diagnostic: Diagnostic, explainer: Explainer) -> Iterator[str]:
    previous = str(diagnostic.values["previous"])
    if previous == "vmlinux":
        yield "the kernel itself exports it: the driver may be built in already, or the name is taken"
    elif previous == diagnostic.module:
        yield "the module exports it twice: in two of its objects, or it is listed twice"
    else:
        yield f"{previous} and {diagnostic.module} both export it, so that only one of them could be loaded"
    yield "rename the symbol, or remove one of the exports"


def _no_crc_of_export(diagnostic: Diagnostic, explainer: Explainer) -> Iterator[str]:
    symbol = diagnostic.values["symbol"]
    yield f"genksyms gave no CRC for {symbol}: no line '#SYMVER {symbol} 0x...' in the module's .cmd files"
    yield "of C code: its declaration was not seen at the EXPORT_SYMBOL, or genksyms stopped before it (genksyms-py -w)"
    yield "of assembly: declare it in <asm/asm-prototypes.h>"


def _no_crc_of_used(diagnostic: Diagnostic, explainer: Explainer) -> Iterator[str]:
    export = explainer.export(diagnostic)
    owner = export.module.name if export is not None else "another module"
    yield f"{owner} exports it without a CRC; the module will not be checked for it when it is loaded"
    yield f"look for the warning 'version generation failed' where {owner} was built"


def _missing_license(diagnostic: Diagnostic, explainer: Explainer) -> Iterator[str]:
    yield 'add to one of its sources: MODULE_LICENSE("GPL");'


def _missing_description(diagnostic: Diagnostic, explainer: Explainer) -> Iterator[str]:
    yield 'add to one of its sources: MODULE_DESCRIPTION("...");'


def _name_too_long(diagnostic: Diagnostic, explainer: Explainer) -> Iterator[str]:
    yield "a module's name is stored in 56 bytes (60 on 32-bit machines), its NUL included: rename the module"


def _section_mismatch(diagnostic: Diagnostic, explainer: Explainer) -> Iterator[str]:
    yield "code and data marked __init are freed once the module is loaded, __exit is not there in built-in code:"
    yield "what stays must not refer to them; mark the user likewise, or remove the mark from what it uses"


def _unusable_file(diagnostic: Diagnostic, explainer: Explainer) -> Iterator[str]:
    path = diagnostic.text.partition(":")[0]
    if path.endswith((".mod", ".cmd")):
        yield "kbuild writes it beside the objects; it is missing where objects were made or moved by hand"
    elif path.endswith(_DUMP_NAME):
        yield "a kernel tree has it after make, a headers package ships it; make modules_prepare does not make it"


def _damaged(diagnostic: Diagnostic, explainer: Explainer) -> Iterator[str]:
    """What the headers say, read leniently: the wrong file is likelier than a broken one."""
    found = _elf_header(diagnostic.path or "")
    if found is not None:
        yield f"the file is {found}; modpost takes the relocatable object of a module ({diagnostic.path}),"
        yield "complete, as the linker wrote it: build it again"


def _elf_header(path: str) -> str | None:
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile

    try:
        with open(to_path(path), "rb") as stream:
            image = ELFFile(stream)
            order = "little" if image.little_endian else "big"
            return f"{image['e_type']} for {image['e_machine']}, {image.elfclass} bits, {order}-endian"
    except (OSError, ELFError, ValueError, ArithmeticError, LookupError):
        return None


def _dump_parse_error(diagnostic: Diagnostic, explainer: Explainer) -> Iterator[str]:
    yield f"a line of {diagnostic.values.get('file')} has not the form CRC, symbol, module, kind, name space, with tabs"
    yield "between them; dumps of kernels before 5.8 had other columns"


_EXPLANATIONS: dict[str, Callable[[Diagnostic, Explainer], Iterator[str]]] = {
    "undefined-symbol": _undefined,
    "exported-without-definition": _without_definition,
    "namespace-not-imported": _namespace,
    "gpl-only-symbol": _gpl_only,
    "unused-gpl-only-symbol": _gpl_only,
    "future-gpl-only-symbol": _gpl_only,
    "exported-twice": _exported_twice,
    "export-without-crc": _no_crc_of_export,
    "symbol-without-crc": _no_crc_of_used,
    "missing-license": _missing_license,
    "missing-description": _missing_description,
    "module-name-too-long": _name_too_long,
    "section-mismatch": _section_mismatch,
    "unusable-file": _unusable_file,
    "not-relocatable": _damaged,
    "section-headers-outside": _damaged,
    "truncated-section": _damaged,
    "no-symtab": _damaged,
    "damaged-object": _damaged,
    "dump-parse-error": _dump_parse_error,
}


def explained(result: RunResult, options: Options, dialect: Dialect) -> list[tuple[Diagnostic, list[str]]]:
    """The diagnostics of a run that have an explanation, each with its lines."""
    explainer = Explainer(result, options, dialect)
    found = []
    for diagnostic in result.diagnostics:
        explain = _EXPLANATIONS.get(diagnostic.rule)
        lines = list(explain(diagnostic, explainer)) if explain is not None else []
        if lines:
            found.append((diagnostic, lines))
    return found


def explanation_text(explanations: Iterable[tuple[Diagnostic, list[str]]]) -> str:
    """The explanations as text; one that several diagnostics share is given once, after the last of them."""
    grouped: dict[tuple[str, ...], list[Diagnostic]] = {}
    for diagnostic, lines in explanations:
        grouped.setdefault(tuple(lines), []).append(diagnostic)
    blocks = []
    for lines_, diagnostics in grouped.items():
        heads = "".join(f"explain: {diagnostic.text.partition(chr(10))[0]}\n" for diagnostic in diagnostics)
        blocks.append(heads + "".join(f"    {line}\n" for line in lines_))
    return "".join(blocks)
