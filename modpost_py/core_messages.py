# SPDX-License-Identifier: GPL-2.0-or-later
"""The catalogue of messages, except those of section mismatches and of device tables.

Each message lists its wordings: the first dialect that has it, its severity, its text.
A wording holds until the next one.
"""

from __future__ import annotations

from modpost_py.messages import Message

# --- reading an object --------------------------------------------------------------------

NOT_RELOCATABLE = Message("not-relocatable", ("6.1", "fatal", "{path}: not relocatable object."))
UNKNOWN_BYTE_ORDER = Message("unknown-byte-order", ("5.10", "fatal", "target endian is unknown\n"))
SECTION_HEADERS_OUTSIDE = Message(
    "section-headers-outside",
    ("5.10", "fatal", "section header offset={offset} in file '{path}' is bigger than filesize={size}\n"),
)
TRUNCATED_SECTION = Message(
    "truncated-section",
    ("5.10", "fatal", "{path} is truncated. sechdrs[i].sh_offset={offset} > sizeof(*hrd)={header_size}\n"),
)
NOBITS_MODINFO = Message("nobits-modinfo", ("5.10", "fatal", "{path} has NOBITS .modinfo\n"))
NO_SYMTAB = Message("no-symtab", ("5.10", "fatal", "{path} has no symtab?\n"))
BAD_SYMTAB_SHNDX_LINK = Message(
    "bad-symtab-shndx", ("5.10", "fatal", "{path}: SYMTAB_SHNDX has bad sh_link: {link}!={table}\n")
)
BAD_FILE_NAME = Message("bad-file-name", ("6.1", "error", "{path}: filename must be suffixed with .o\n"))
IGNORED_FILE = Message("ignored-file", ("5.10", "plain", "{path}: {reason} (ignored)\n"))
NO_OBJECT_LIST = Message("no-object-list", ("5.10", "fatal", "Can't open filenames file {list}: {reason}"))

MISSING_LICENSE = Message(
    "missing-license",
    ("5.10", "warning", "missing MODULE_LICENSE() in {path}\n"),
    ("6.1", "error", "missing MODULE_LICENSE() in {path}\n"),
    ("7.3", "error", "{M}missing MODULE_LICENSE()\n"),
)
MISSING_DESCRIPTION = Message(
    "missing-description",
    ("6.12", "warning", "missing MODULE_DESCRIPTION() in {path}\n"),
    ("7.3", "warning", "{M}missing MODULE_DESCRIPTION()\n"),
)
EXPLICIT_MODULE_NAMESPACE = Message(
    "explicit-module-namespace",
    ("7.2", "error", '{module}: explicitly importing namespace "{namespace}" is not allowed.\n'),
    ("7.3", "error", "{M}explicitly importing namespace '{namespace}' is not allowed.\n"),
)
COMMON_SYMBOL = Message(
    "common-symbol",
    ("5.10", "warning", '"{symbol}" [{module}] is COMMON symbol\n'),
    ("7.3", "warning", "{M}'{symbol}' is COMMON symbol\n"),
)

# --- exports ------------------------------------------------------------------------------

EXPORTED_TWICE = Message(
    "exported-twice",
    ("5.10", "warning", "{module}: '{symbol}' exported twice. Previous export was in {previous}{suffix}\n"),
    ("6.1", "error", "{module}: '{symbol}' exported twice. Previous export was in {previous}{suffix}\n"),
    ("7.3", "error", "{M}symbol '{symbol}' exported twice. Previous export was in {previous}{suffix}\n"),
)
UNKNOWN_NAMESPACE_SYMBOL = Message(
    "unknown-namespace-symbol", ("5.10", "error", "Could not update namespace({namespace}) for symbol {symbol}\n")
)
STRANGE_EXPORT_LABEL = Message(
    "strange-export-label",
    ("6.12", "error", "{module}: .export_symbol section contains strange symbol '{label}'\n"),
    ("7.3", "error", "{M}.export_symbol section contains strange symbol '{label}'\n"),
)
LOCAL_EXPORT = Message(
    "local-export",
    ("6.12", "error", "{module}: local symbol '{symbol}' was exported\n"),
    ("7.3", "error", "{M}local symbol '{symbol}' was exported\n"),
)
STRANGE_EXPORT_REFERENCE = Message(
    "strange-export-reference",
    (
        "6.12",
        "error",
        "{module}: .export_symbol section references '{symbol}', but it does not seem to be an export symbol\n",
    ),
    (
        "7.3",
        "error",
        "{M}.export_symbol section references '{symbol}', but it does not seem to be an export symbol\n",
    ),
)
UNKNOWN_EXPORT_LICENSE = Message(
    "unknown-export-license",
    ("6.12", "error", "{module}: unknown license '{license}' was specified for '{symbol}'\n"),
    ("7.3", "error", "{M}unknown license '{license}' was specified for '{symbol}'\n"),
)
INIT_SYMBOL_EXPORTED = Message(
    "init-symbol-exported",
    (
        "6.12",
        "warning",
        "{module}: {symbol}: EXPORT_SYMBOL used for init symbol. Remove __init or EXPORT_SYMBOL.\n",
    ),
    (
        "7.3",
        "warning",
        "{M}EXPORT_SYMBOL used for init symbol '{symbol}'. Remove __init or EXPORT_SYMBOL.\n",
    ),
)
EXIT_SYMBOL_EXPORTED = Message(
    "exit-symbol-exported",
    (
        "6.12",
        "warning",
        "{module}: {symbol}: EXPORT_SYMBOL used for exit symbol. Remove __exit or EXPORT_SYMBOL.\n",
    ),
    (
        "7.3",
        "warning",
        "{M}EXPORT_SYMBOL used for exit symbol '{symbol}'. Remove __exit or EXPORT_SYMBOL.\n",
    ),
)
STATIC_EXPORT = Message("static-export", ("5.10", "warning", '"{symbol}" [{module}] is a static {export}\n'))

# --- symbol versions ----------------------------------------------------------------------

_VERSION_FAILED = (
    'EXPORT symbol "{symbol}" [{module}{suffix}] version generation failed, symbol will not be versioned.\n'
)
EXPORT_WITHOUT_CRC = Message(
    "export-without-crc",
    ("5.10", "warning", _VERSION_FAILED),
    ("6.1", "warning", _VERSION_FAILED + 'Is "{symbol}" prototyped in <asm/asm-prototypes.h>?\n'),
    (
        "7.3",
        "warning",
        "{M}EXPORT symbol '{symbol}' version generation failed, symbol will not be versioned.\n"
        "Is '{symbol}' prototyped in <asm/asm-prototypes.h>?\n",
    ),
)
SYMBOL_WITHOUT_CRC = Message(
    "symbol-without-crc",
    ("5.10", "warning", '"{symbol}" [{module}.ko] has no CRC!\n'),
    ("7.3", "warning", "{M}symbol '{symbol}' has no CRC!\n"),
)
SYMBOL_TOO_LONG = Message(
    "symbol-too-long",
    ("5.10", "error", 'too long symbol "{symbol}" [{module}.ko]\n'),
    ("7.3", "error", "{M}too long symbol '{symbol}'\n"),
)
PATH_TOO_LONG = Message("path-too-long", ("6.1", "error", "{file}: too long path was truncated\n"))

# --- source versions ----------------------------------------------------------------------

MALFORMED_SOURCE_LINE = Message("malformed-source-line", ("5.10", "warning", "malformed line: {line}\n"))
NO_OBJECTS_IN_MOD = Message("no-objects-in-mod", ("5.10", "warning", "bad ending versions file for {path}\n"))

# --- symbol dumps -------------------------------------------------------------------------

DUMP_PARSE_ERROR = Message("dump-parse-error", ("5.10", "fatal", "parse error in symbol dump file\n"))
DUMP_UNKNOWN_LICENSE = Message("dump-unknown-license", ("6.1", "error", "{symbol}: unknown license {license}. skip"))

# --- cross reference ----------------------------------------------------------------------

NO_VMLINUX = Message(
    "no-vmlinux",
    ("5.10", "warning", "Symbol info of vmlinux is missing. Unresolved symbol check will be entirely skipped.\n"),
)
MODULE_NAME_TOO_LONG = Message(
    "module-name-too-long",
    ("5.10", "error", "module name is too long [{module}.ko]\n"),
    ("7.3", "error", "{M}module name is too long\n"),
)
UNDEFINED_SYMBOL = Message(
    "undefined-symbol",
    ("5.10", "error", '"{symbol}" [{module}.ko] undefined!\n'),
    ("7.3", "error", "{M}symbol '{symbol}' undefined!\n"),
)
EXPORTED_WITHOUT_DEFINITION = Message(
    "exported-without-definition",
    ("6.1", "error", '"{symbol}" [{module}.ko] was exported without definition\n'),
    ("7.3", "error", "{M}symbol '{symbol}' was exported without definition\n"),
)
NAMESPACE_NOT_IMPORTED = Message(
    "namespace-not-imported",
    (
        "5.10",
        "error",
        "module {name} uses symbol {symbol} from namespace {namespace}, but does not import it.\n",
    ),
    (
        "7.3",
        "error",
        "{M}module uses symbol '{symbol}' from namespace '{namespace}', but does not import it.\n",
    ),
)
GPL_ONLY_SYMBOL = Message(
    "gpl-only-symbol",
    ("5.10", "fatal", "GPL-incompatible module {name}.ko uses GPL-only symbol '{symbol}'\n"),
    ("6.1", "error", "GPL-incompatible module {name}.ko uses GPL-only symbol '{symbol}'\n"),
    ("7.3", "error", "{M}GPL-incompatible module uses GPL-only symbol '{symbol}'\n"),
)
UNUSED_GPL_ONLY_SYMBOL = Message(
    "unused-gpl-only-symbol",
    ("5.10", "fatal", "GPL-incompatible module {name}.ko uses GPL-only symbol marked UNUSED '{symbol}'\n"),
)
FUTURE_GPL_ONLY_SYMBOL = Message(
    "future-gpl-only-symbol",
    ("5.10", "warning", "GPL-incompatible module {name}.ko uses future GPL-only symbol '{symbol}'\n"),
)
UNUSED_SYMBOL = Message("unused-symbol", ("5.10", "warning", "module {name}.ko uses symbol '{symbol}' marked UNUSED\n"))
TOO_MANY_UNDEFINED = Message(
    "too-many-undefined",
    ("6.1", "warning", "suppressed {count} unresolved symbol warnings because there were too many)\n"),
)

# --- the end of a run ---------------------------------------------------------------------

OUTPUT_TRUNCATED = Message(
    "output-truncated",
    ("6.1", "fatal", "buf_printf output truncated for string {start}: {needed} bytes needed, {available} available\n"),
)
SECTION_MISMATCHES = Message(
    "section-mismatches",
    (
        "5.10",
        "fatal",
        "Section mismatches detected.\nSet CONFIG_SECTION_MISMATCH_WARN_ONLY=y to allow them.\n",
    ),
    (
        "6.1",
        "error",
        "Section mismatches detected.\nSet CONFIG_SECTION_MISMATCH_WARN_ONLY=y to allow them.\n",
    ),
)
