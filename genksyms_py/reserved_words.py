# SPDX-License-Identifier: GPL-2.0-or-later
"""The reserved words of genksyms, by the terminal of the grammar that they become.

What C reserves and this table lacks is an identifier for genksyms: ``sizeof``, ``_Alignas``, ``_Noreturn``,
``_Atomic``, ``__thread``, ``__auto_type``, ``static_assert`` and so on.
"""

from __future__ import annotations

import functools

from genksyms_py.dialects import Dialect

_ALWAYS = {
    "EXPORT": "__GENKSYMS_EXPORT_SYMBOL",
    "ASM": "asm __asm __asm__",
    "ATTRIBUTE": "__attribute __attribute__",
    "TYPEOF": "typeof __typeof __typeof__",
    "QUALIFIER": "const __const __const__ volatile __volatile __volatile__",
    "RESTRICT": "restrict __restrict __restrict__",
    "__extension__": "__extension__",
    "STORAGE": "auto register static",
    "EXTERN": "extern",
    "INLINE": "inline __inline __inline__",
    "TYPE_WORD": "char double float int long short signed __signed __signed__ unsigned void _Bool __builtin_va_list "
    "__int128 __int128_t __uint128_t",
    "STRUCT": "struct union",
    "ENUM": "enum",
    "typedef": "typedef",
}

_SINCE_6_1 = {"STATIC_ASSERT": "_Static_assert"}

_GRAMMAR_B = {
    "TYPEOF": "typeof_unqual __typeof_unqual __typeof_unqual__",
    "QUALIFIER": "__seg_gs __seg_fs",
}

_2_4_MARKERS = {
    "EXPORT": "EXPORT_SYMBOL EXPORT_SYMBOL_GPL EXPORT_SYMBOL_NOVERS",
}

#: Vector types such as ``int8x8_t``: words of grammar B that are types, but no identifiers even to ``typeof``.
VECTOR_TYPES = frozenset(
    f"{sign}int{bits}x{count}_t" for sign in ("", "u") for bits in (8, 16, 32, 64) for count in (1, 2, 4, 8, 16)
)

#: What a phrase or a specifier of these words begins.
COMPOUND_KINDS = {"struct": "s", "union": "u", "enum": "e"}


@functools.cache
def reserved_words(dialect: Dialect) -> dict[str, str]:
    """Each reserved word of ``dialect`` with its terminal; vector types (grammar B) are not among them."""
    tables = [_ALWAYS]
    if dialect.has_static_assert:
        tables.append(_SINCE_6_1)
    if dialect.grammar == "B":
        tables.append(_GRAMMAR_B)
    if dialect.export_macros_are_markers:
        tables.append(_2_4_MARKERS)
    return {word: terminal for table in tables for terminal, words in table.items() for word in words.split()}
