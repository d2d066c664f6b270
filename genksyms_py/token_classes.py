# SPDX-License-Identifier: GPL-2.0-or-later
"""Coarse tokens of preprocessed C and their classes, one letter each.

The fast path never looks at single characters and rarely at single tokens: one regular
expression cuts text into coarse tokens, in which whatever the grammar treats as one
thing (an attribute, a bracket, a function body, an initialiser) already *is* one token.
A token's class is a letter; the letters of a declaration in a row are its *shape*:

    static inline u32 twice(const u32 *value) { return *value + *value; }
    c      n      T   I    (q     T   *I    ) G                             -> "cnTI(qT*I)G"

Everything that decides how a declaration parses is in its shape, so that whatever was
found out about a shape holds for all declarations that have it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

from genksyms_py.dialects import Dialect
from genksyms_py.reserved_words import VECTOR_TYPES, reserved_words

# Classes of single words and punctuation; punctuation is its own class.
TYPEDEF = "y"
EXTERN = "x"
INLINE = "n"
STORAGE = "c"
QUALIFIER = "q"
RESTRICT = "r"
TYPE_WORD = "b"
EXTENSION = "X"
EXPORT = "e"
TYPEOF = "o"
TYPE_NAME = "T"
IDENTIFIER = "I"
DOTS = "."
# Classes of coarse tokens.
ATTRIBUTE = "A"  # __attribute__((...)), or several
ASM = "M"  # asm volatile ("...")
STATIC_ASSERT = "V"  # _Static_assert(...)
COMPOUND_REFERENCE = "R"  # struct page
COMPOUND_OPEN = "Z"  # struct page {
ANONYMOUS_OPEN = "z"  # struct {
ENUM_OPEN = "W"  # enum zone_type {
ANONYMOUS_ENUM_OPEN = "w"  # enum {
COMPOUND_KEYWORD = "S"  # a struct, union or enum that neither a tag nor a brace follows
BODY = "G"  # { ... } that is no compound's body
TYPEOF_PHRASE = "O"  # typeof(*...), whose first token is no word
BRACKET = "B"  # [ ... ]
INITIALISER = "E"  # = ...
WIDTH = "F"  # : ...
COMPOUND = "C"  # a whole compound definition, once folded (see declaration_shapes)
OPEN = "!"  # the beginning of something that does not end within the text
OTHER = "?"  # anything a regular declaration does not contain

#: Classes by the terminals of the reserved words; what is missing here begins no regular declaration.
_WORD_CLASSES = {
    "typedef": TYPEDEF,
    "EXTERN": EXTERN,
    "INLINE": INLINE,
    "STORAGE": STORAGE,
    "QUALIFIER": QUALIFIER,
    "RESTRICT": RESTRICT,
    "TYPE_WORD": TYPE_WORD,
    "__extension__": EXTENSION,
    "EXPORT": EXPORT,
    "TYPEOF": TYPEOF,
    "STRUCT": COMPOUND_KEYWORD,
    "ENUM": COMPOUND_KEYWORD,
}
_OPENS = {
    ("struct", True): COMPOUND_OPEN,
    ("union", True): COMPOUND_OPEN,
    ("enum", True): ENUM_OPEN,
    ("struct", False): ANONYMOUS_OPEN,
    ("union", False): ANONYMOUS_OPEN,
    ("enum", False): ANONYMOUS_ENUM_OPEN,
}
_PHRASE_STARTS = {"{": BODY, "[": BRACKET, "=": INITIALISER, ":": WIDTH, '"': OPEN, "'": OPEN}
_SELF_CLASSES = frozenset("*(),;}")
_IDENTIFIER_START = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_$")

# White space, as the lexer has it (not \s, which knows bytes >= 0x80).
SPACE = r"[ \t\n\r\f\v]"
_STRING = r'"(?:[^"\\\n]++|\\.)*+"'
_CHARACTER = r"'(?:[^'\\\n]++|\\.)*+'"


def _nested(opening: str, closing: str, plain: str, depth: int) -> str:
    """A balanced group: ``opening (plain | strings | the group itself)* closing``, ``depth`` levels deep."""
    inner = rf"[^{plain}\"']++|{_STRING}|{_CHARACTER}"
    pattern = rf"{opening}(?:{inner})*+{closing}"
    for _ in range(depth):
        pattern = rf"{opening}(?:{inner}|{pattern})*+{closing}"
    return pattern


# A phrase counts only its own kind of bracket; an expression counts all three kinds alike.
# What is nested deeper than an expression looks falls apart, beginning with an OPEN token.
_IDENTIFIER = r"[A-Za-z_$][\w$]*+"
_COMPOUND = r"(?:struct|union|enum)(?![\w$])"
_NO_ATTRIBUTE = r"(?!__attribute(?:__)?(?![\w$]))"


# Levels of parentheses, braces, brackets and mixed nesting that the expressions look into.
# Compiling takes time by the level, and hardly any text needs the deep ones.
_SHALLOW = (9, 12, 3, 8)
_DEEP = (48, 32, 5, 48)


def coarse_tokens(*, deep: bool = False) -> re.Pattern[str]:
    """The expression whose ``findall`` gives the coarse tokens of marker-free text.

    ``deep``: for text in which the other one left an :data:`OPEN` token.
    """
    return _coarse_tokens(_DEEP if deep else _SHALLOW)


@cache
def _coarse_tokens(levels: tuple[int, int, int, int]) -> re.Pattern[str]:
    parentheses = _nested(r"\(", r"\)", "()", levels[0])
    braces = _nested(r"\{", r"\}", "{}", levels[1])
    brackets = _nested(r"\[", r"\]", r"\[\]", levels[2])
    any_nesting = _nested(r"[(\[{]", r"[)\]}]", r"\[\](){}", levels[3])
    expression = rf"(?:[^\[\](){{}}\"',;]++|{_STRING}|{_CHARACTER}|{any_nesting})*+(?=[,;}}])"
    attribute = rf"__attribute(?:__)?{SPACE}*+{parentheses}"
    return re.compile(
        # Most tokens are words that begin nothing in particular, or punctuation: these come first.
        rf"[b-df-rv-zA-Z$][\w$]*+"
        rf"|[*(),;}}]"
        rf"|{_COMPOUND}{SPACE}*+(?:{_NO_ATTRIBUTE}{_IDENTIFIER}{SPACE}*+\{{?|\{{)"
        rf"|{attribute}(?:{SPACE}*+{attribute})*+"
        rf"|(?:asm|__asm__|__asm)(?:{SPACE}++(?:volatile|__volatile__|goto|inline))*+{SPACE}*+{parentheses}"
        rf"|_Static_assert{SPACE}*+{parentheses}"
        rf"|(?:__)?typeof(?:__)?(?:_unqual(?:__)?)?{SPACE}*+(?=\({SPACE}*+[^A-Za-z_$ \t\n\r\f\v]){parentheses}"
        rf"|{_IDENTIFIER}"
        rf"|{braces}"
        rf"|{brackets}"
        rf"|(?:=(?!=)|:){expression}"
        rf"|\.\.\."
        rf"|[^ \t\n\r\f\v]",
        re.ASCII,
    )


class TokenClasses:
    """Class letters of coarse tokens; computes and keeps those it has not met.

    One object serves one translation unit: names that have become typedefs are entered
    as :data:`TYPE_NAME` by whoever declares them.  ``shared`` is the part that no
    declaration changes.
    """

    __slots__ = ("_dialect", "_letters", "_words")

    def __init__(self, dialect: Dialect) -> None:
        self._letters = dict(_shared_classes(dialect))
        self._dialect = dialect
        self._words = reserved_words(dialect)

    def letters(self, tokens: list[str]) -> str:
        """The classes of ``tokens`` in a row."""
        letters = self._letters
        unknown = set(tokens).difference(letters)
        if unknown:
            words = [word for word in filter(str.isidentifier, unknown) if word.isascii()]
            letters.update(dict.fromkeys(words, IDENTIFIER))
            if len(words) < len(unknown):
                for token in unknown.difference(words):
                    letters[token] = self._class_of(token, token[0])
        return "".join(map(letters.__getitem__, tokens))

    def enter_typedefs(self, names: Iterable[str]) -> None:
        """From now on ``names`` are typedefs."""
        self._letters.update(dict.fromkeys(names, TYPE_NAME))

    def is_typedef(self, name: str) -> bool:
        """Whether a name has been entered as a typedef."""
        return self._letters.get(name) == TYPE_NAME

    def _class_of(self, token: str, first: str) -> str:
        if first in _PHRASE_STARTS:
            return _PHRASE_STARTS[first] if len(token) > 1 else OPEN
        if first not in _IDENTIFIER_START:
            return OTHER
        if token[-1] == ")":
            return self._phrase_class(token)
        if token[-1] == "{" or " " in token or not token.replace("$", "_").isidentifier():
            return self._compound_class(token)
        return IDENTIFIER

    def _phrase_class(self, token: str) -> str:
        if token.startswith("__attribute"):
            return ATTRIBUTE
        if token.startswith("_Static_assert"):
            return STATIC_ASSERT if self._dialect.has_static_assert else OTHER
        if "typeof" in token[:8]:
            return TYPEOF_PHRASE if self._words.get(token[: token.index("(")].strip()) == "TYPEOF" else OTHER
        return ASM

    def _compound_class(self, token: str) -> str:
        words = token.rstrip("{").split()
        if words[-1] in self._words and len(words) > 1:
            return OTHER
        if token[-1] == "{":
            return _OPENS[words[0], len(words) > 1]
        return COMPOUND_REFERENCE if len(words) > 1 else OTHER


@cache
def _shared_classes(dialect: Dialect) -> dict[str, str]:
    classes = {word: _WORD_CLASSES.get(category, OTHER) for word, category in reserved_words(dialect).items()}
    classes.update({character: character for character in _SELF_CLASSES})
    classes["..."] = DOTS
    if dialect.grammar == "B":
        classes.update(dict.fromkeys(VECTOR_TYPES, OTHER))
    return classes
