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
