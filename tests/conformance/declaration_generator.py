# SPDX-License-Identifier: GPL-2.0-or-later
"""Random translation units for comparing two implementations of genksyms.

Names come from small pools that the kinds share, so that a name is often a typedef, an enum constant, a tag and a
variable in turn.  Line markers switch between headers and the source file anywhere, even inside declarations, export
markers stand between declarations and at the end, and about half of the units are damaged by token mutation.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

Tokens = list[str]

_TYPEDEFS = ("u8", "u32", "t", "fn_t", "list_t")
_TAGS = ("A", "B", "S", "u32", "E")
_VARIABLES = ("x", "y", "z", "f", "g", "dev", "u8")
_CONSTANTS = ("E0", "E1", "E2", "RED", "x")
_NAMES = ("a", "b", "c", "next", "RED", "E0", "u32", "A", "x")
_TYPE_WORDS = ("int", "char", "unsigned", "long", "void", "_Bool", "short", "double", "__int128", "int8x16_t")
_QUALIFIERS = ("const", "volatile", "__const__", "__seg_gs")
_STORAGE = ("static", "extern", "register", "inline", "__inline__", "auto")
_RESTRICT = ("restrict", "__restrict")
_EXPRESSIONS = (
    ("3",), ("0x10UL",), ("1ULL", "<<", "3"), ("E0", "+", "1"), ("sizeof", "(", "u32", ")"), ("(", "int", ")", "E1"),
    ("'a'",), ('"s t"',), ("{", "1", ",", "2", "}"), ("RED",), ("sizeof", "(", "struct", "A", ")"), ("-", "1"),
    ("a", "?", "b", ":", "c"), ("(", "(", "3", ")", ")"), (".5e3f",), ("08",), ("1", "...", "3"), ("L'x'",),
)  # fmt: skip
_ATTRIBUTES = (
    ("__attribute__", "(", "(", "packed", ")", ")"),
    ("__attribute__", "(", "(", "aligned", "(", "8", ")", ")", ")"),
    ("__attribute", "(", "(", "section", "(", '".x y"', ")", ",", "RED", ")", ")"),
)
_ASMS = (("asm", "(", '"x"', ")"), ("__asm__", "volatile", "(", '"a" "b"', ")"))
_BLOCKS = (
    ("{", "}"),
    ("{", "return", "0", ";", "}"),
    ("{", "if", "(", "a", ")", "{", "b", "=", '"}"', ";", "}", "}"),
    ("{", "int", "u32", ";", "struct", "A", "{", "int", "a", ";", "}", ";", "c", "(", "'}'", ")", ";", "}"),
)
_DAMAGE = (
    ";", ",", "(", ")", "{", "}", "[", "]", "=", ":", "*", "...", "3", "int", "u32", "x", "struct", "union", "enum",
    "typedef", "extern", "static", "const", "restrict", "typeof", "typeof_unqual", "__attribute__", "asm", "inline",
    "__extension__", "_Static_assert", "__GENKSYMS_EXPORT_SYMBOL", "A", "RED", "E0", '"str"', "'", '"', "!", "==",
    "\\", "\x00", "\x80", "$d", "\n# 5 \"x.h\"\n", "\n# 7 \"x.c\"\n", "\n#pragma x\n", "_Alignas", "__thread", "#",
    "int8x8_t", "EXPORT_SYMBOL", "->", "/=", "1..2", '"a\nb"', "'\n'", '"\\\n"', "=", ":", "{", "}", "(", ")",
)  # fmt: skip
_BYTES = (*"\"'\\\n\n#.0189eExXuUlL_$(){}[]=:;,*&-><|+ \t\f\v\r\0\x7f\x80\xa0\xff", "\n#", "\n# 3 ", "\\\n")


class DeclarationGenerator:
    """Makes units; the same seed gives the same ones."""

    def __init__(self, seed: int | str, declarations: int = 14) -> None:
        self._random = random.Random(seed)
        self._declarations = declarations

    def maybe_damaged_tokens(self) -> Tokens:
        """The tokens of one unit, damaged or not; :func:`text_of` makes the unit."""
        tokens = self.tokens()
        if self._chance(0.5):
            self.damage(tokens)
        return tokens

    def tokens(self) -> Tokens:
        """An undamaged unit; line markers are tokens that begin and end with a newline."""
        tokens: Tokens = []
        if self._chance(0.9):
            tokens += ['\n# 1 "x.c"\n', '\n# 1 "x.h" 1\n']
        tokens += self.declarations()
        tokens += self.exports()
        for _ in range(self._random.randint(0, 2)):
            tokens.insert(self._random.randrange(len(tokens)), self._marker())
        return tokens

    def declarations(self) -> Tokens:
        """Declarations, with export markers and line markers between some."""
        tokens: Tokens = []
        for _ in range(self._random.randint(1, self._declarations)):
            tokens += self._declaration()
            if self._chance(0.2):
                tokens += self._export()
            if self._chance(0.15):
                tokens.append(self._marker())
        return tokens

    def exports(self) -> Tokens:
        """Some export markers."""
        return [token for _ in range(self._random.randint(1, 6)) for token in self._export()]

    # ---- choices

    def _chance(self, probability: float) -> bool:
        return self._random.random() < probability

    def _pick(self, words: Sequence[str]) -> str:
        return self._random.choice(words)

    def _phrase(self, phrases: Sequence[Sequence[str]]) -> Tokens:
        return list(self._random.choice(phrases))

    def _one_of(self, *choices: tuple[float, Callable[[], Tokens]]) -> Tokens:
        weights = [weight for weight, _ in choices]
        return self._random.choices([make for _, make in choices], weights)[0]()

    def _maybe(self, probability: float, make: Callable[[], Tokens]) -> Tokens:
        return make() if self._chance(probability) else []

    # ---- file level

    def _marker(self) -> str:
        file = self._pick(("x.c", "x.h", "x.h", "y.h"))
        return self._pick((f'\n# {self._random.randint(1, 90)} "{file}" 2\n', "\n#pragma once\n", '\n#line 5 "x.c"\n'))

    def _export(self) -> Tokens:
        name = self._pick(_VARIABLES + _CONSTANTS) if self._chance(0.95) else self._pick(_TYPEDEFS)
        return ["__GENKSYMS_EXPORT_SYMBOL", "(", name, ")", ";"]

    def _declaration(self) -> Tokens:
        return self._one_of(
            (4, self._typedef),
            (7, self._variables),
            (5, self._function_declaration),
            (2, self._function),
            (4, self._compound_declaration),
            (4, self._enum_declaration),
            (0.4, lambda: [";"]),
            (0.3, lambda: [*self._phrase(_ASMS), ";"]),
            (0.3, lambda: ["_Static_assert", "(", "E0", "==", "1", ",", '"x"', ")", ";"]),
            (0.2, lambda: ["EXPORT_SYMBOL", "(", "x", ")", ";"]),
        )

    def _typedef(self) -> Tokens:
        name = self._pick(_TYPEDEFS) if self._chance(0.9) else self._pick(_NAMES)
        extension = ["__extension__"] if self._chance(0.1) else []
        rest = self._maybe(0.1, lambda: [",", "*", self._pick(_TYPEDEFS)])
        return [*extension, "typedef", *self._specifiers(2), *self._declarator(name, 2), *rest, ";"]

    def _variables(self) -> Tokens:
        tokens = [*self._specifiers(2), *self._init(self._pick(_VARIABLES))]
        while self._chance(0.15):
            tokens += [",", *self._maybe(0.2, self._attribute), *self._simple_init(self._pick(_VARIABLES))]
        return [*tokens, ";"]

    def _function_declaration(self) -> Tokens:
        return [*self._specifiers(1), *self._function_declarator(), *self._maybe(0.2, self._attribute), ";"]

    def _function(self) -> Tokens:
        return [*self._specifiers(1), *self._function_declarator(), *self._phrase(_BLOCKS)]

    def _function_declarator(self) -> Tokens:
        return [*self._maybe(0.2, lambda: ["*"]), self._pick(_VARIABLES), "(", *self._parameters(2), ")"]

    def _compound_declaration(self) -> Tokens:
        return [*self._compound(3), *self._maybe(0.3, self._attribute), *self._maybe(0.4, self._variable_name), ";"]

    def _enum_declaration(self) -> Tokens:
        return [*self._enum(), *self._maybe(0.4, self._variable_name), ";"]

    def _variable_name(self) -> Tokens:
        return [self._pick(_VARIABLES)]

    def _init(self, name: str) -> Tokens:
        return [*self._declarator(name, 2), *self._init_end()]

    def _simple_init(self, name: str) -> Tokens:
        return [*self._maybe(0.4, lambda: ["*"]), name, *self._maybe(0.3, self._brackets), *self._init_end()]

    def _init_end(self) -> Tokens:
        return [
            *self._maybe(0.08, lambda: self._phrase(_ASMS)),
            *self._maybe(0.15, self._attribute),
            *self._maybe(0.25, lambda: ["=", *self._phrase(_EXPRESSIONS)]),
        ]

    # ---- specifiers

    def _specifiers(self, depth: int) -> Tokens:
        tokens: Tokens = []
        while self._chance(0.3):
            tokens += self._modifier()
        tokens += self._type(depth)
        while self._chance(0.25):
            tokens += self._modifier()
        return tokens if self._chance(0.97) else []

    def _modifier(self) -> Tokens:
        return self._one_of(
            (3, lambda: [self._pick(_STORAGE)]),
            (3, lambda: [self._pick(_QUALIFIERS)]),
            (1, self._attribute),
            (0.5, lambda: [self._pick(_RESTRICT)]),
            (1, lambda: [self._pick(_TYPE_WORDS)]),
        )

    def _type(self, depth: int) -> Tokens:
        return self._one_of(
            (6, lambda: [self._pick(_TYPE_WORDS)]),
            (5, lambda: [self._pick(_TYPEDEFS)]),
            (4, lambda: [self._pick(("struct", "union")), *self._maybe(0.05, self._attribute), self._pick(_TAGS)]),
            (1, lambda: ["enum", self._pick(_TAGS)]),
            (1.5 if depth > 0 else 0, lambda: self._compound(depth - 1)),
            (0.7 if depth > 0 else 0, self._enum),
            (0.8, lambda: self._typeof(depth)),
        )

    def _typeof(self, depth: int) -> Tokens:
        word = self._pick(("typeof", "__typeof__", "typeof_unqual"))
        return self._one_of(
            (2, lambda: [word, "(", self._pick(_NAMES + _VARIABLES), ")"]),
            (2, lambda: [word, "(", *self._parameter(depth - 1), ")"]),
            (1, lambda: [word, "(", "*", self._pick(_NAMES), ")"]),
            (0.5, lambda: [word, "(", "(", self._pick(_TYPEDEFS), ")", "0", ")"]),
        )

    def _compound(self, depth: int) -> Tokens:
        tag = [self._pick(_TAGS)] if self._chance(0.75) else []
        tokens = [self._pick(("struct", "union")), *self._maybe(0.08, self._attribute), *tag, "{"]
        for _ in range(self._random.randint(0, 4)):
            tokens += self._member(depth)
        return [*tokens, "}"]

    def _member(self, depth: int) -> Tokens:
        if self._chance(0.03):
            return self._one_of(
                (1, lambda: [";"]),
                (1, lambda: ["_Static_assert", "(", "1", ",", '"m"', ")", ";"]),
                (1, lambda: ["int", "a", "=", "3", ";"]),
            )
        tokens = self._specifiers(depth)
        tokens += self._maybe(0.93, lambda: self._member_declarator(depth))
        while self._chance(0.1):
            tokens += [",", *self._maybe(0.1, self._attribute), *self._member_declarator(depth)]
        return [*tokens, ";"]

    def _member_declarator(self, depth: int) -> Tokens:
        return self._one_of(
            (1, lambda: [*self._maybe(0.8, lambda: [self._pick(_NAMES)]), ":", *self._phrase(_EXPRESSIONS)]),
            (6, lambda: [*self._declarator(self._pick(_NAMES), depth), *self._maybe(0.1, self._attribute)]),
        )

    def _enum(self) -> Tokens:
        tokens = ["enum", *self._maybe(0.7, lambda: [self._pick(_TAGS)]), "{"]
        for index in range(self._random.randint(1, 3)):
            tokens += [","] if index else []
            tokens += [self._pick(_CONSTANTS), *self._maybe(0.3, lambda: ["=", *self._phrase(_EXPRESSIONS)])]
        return [*tokens, *self._maybe(0.2, lambda: [","]), "}"]

    def _attribute(self) -> Tokens:
        return self._phrase(_ATTRIBUTES)

    # ---- declarators; an empty name makes an abstract one

    def _declarator(self, name: str, depth: int) -> Tokens:
        tokens = [name] if name else []
        if self._chance(0.12):
            inner = self._maybe(0.8, lambda: ["*"]) + self._maybe(0.1, self._attribute) + tokens
            tokens = ["(", *inner, ")"]
            if self._chance(0.6) and depth > 0:
                tokens += ["(", *self._parameters(depth - 1), ")"]
        while self._chance(0.2):
            tokens += self._brackets()
        while self._chance(0.25):
            qualifier = self._maybe(0.2, lambda: [self._pick(_QUALIFIERS + _RESTRICT)])
            tokens = ["*", *qualifier, *self._maybe(0.05, self._attribute), *tokens]
        return tokens

    def _brackets(self) -> Tokens:
        return ["[", *self._maybe(0.8, lambda: self._phrase(_EXPRESSIONS)), "]"]

    def _parameters(self, depth: int) -> Tokens:
        if self._chance(0.1):
            return self._one_of((1, list), (1, lambda: ["..."]), (1, lambda: ["void"]), (1, self._variable_name))
        tokens = self._parameter(depth)
        while self._chance(0.4):
            tokens += [",", *self._parameter(depth)]
        return tokens + self._maybe(0.1, lambda: [",", "..."])

    def _parameter(self, depth: int) -> Tokens:
        name = self._pick(_NAMES + _TYPEDEFS) if self._chance(0.6) else ""
        return [*self._specifiers(depth - 1), *self._declarator(name, depth), *self._maybe(0.05, self._attribute)]

    # ---- damage

    def damage(self, tokens: Tokens) -> None:
        """Delete, insert, replace, exchange or repeat tokens, or insert a byte, mostly one to four times."""
        for _ in range(self._random.choice((1, 1, 2, 2, 3, 4, 8, 15))):
            place = self._random.randrange(len(tokens))
            match self._random.randrange(6):
                case 0:
                    del tokens[place : place + self._random.randint(1, 2)]
                case 1:
                    tokens.insert(place, self._pick(_DAMAGE))
                case 2:
                    tokens[place] = self._pick(_DAMAGE)
                case 3:
                    other = self._random.randrange(len(tokens))
                    tokens[place], tokens[other] = tokens[other], tokens[place]
                case 4:
                    cut = self._random.randint(0, len(tokens[place]))
                    tokens[place] = tokens[place][:cut] + self._pick(_BYTES) + tokens[place][cut:]
                case _:
                    end = place + self._random.randint(1, 6)
                    tokens[place:place] = tokens[place:end]
            if not tokens:
                tokens.append(";")


class HeaderLibrary:
    """Units that share headers, as a kernel's do: what a header means differs with what stands before it.

    Such units try an implementation that remembers headers from unit to unit.
    """

    def __init__(self, seed: str, headers: int = 40) -> None:
        self._seed = seed
        self._headers = [self._header(number) for number in range(headers)]

    def _header(self, number: int) -> Tokens:
        generator = DeclarationGenerator(f"{self._seed}/header/{number}", declarations=5)
        tokens = [token for token in generator.declarations() if not token.startswith("\n")]
        if number % 4 == 3:
            generator.damage(tokens)
        return [f'\n# 1 "h{number}.h" 1\n', *tokens]

    def unit(self, number: int) -> Tokens:
        """The tokens of one unit: some headers, a few declarations of its own, exports."""
        choose = random.Random(f"{self._seed}/unit/{number}")
        tokens = ['\n# 1 "x.c"\n']
        for header in choose.sample(self._headers, choose.randint(1, 8)):
            tokens += header
            if choose.random() < 0.3:
                tokens += [f'\n# {choose.randint(2, 50)} "x.c" 2\n', *self._own(f"{number}/{len(tokens)}")]
        return [*tokens, '\n# 60 "x.c" 2\n', *self._own(str(number))]

    def _own(self, name: str) -> Tokens:
        generator = DeclarationGenerator(f"{self._seed}/own/{name}", declarations=4)
        return [*generator.declarations(), *generator.exports()]


def text_of(tokens: Sequence[str]) -> bytes:
    """The unit that the tokens make: a newline after some of them, so that messages have line numbers."""
    parts = [token if token.startswith("\n") else token + ("\n" if token in ";{}" else " ") for token in tokens]
    return "".join(parts).replace("\n\n#", "\n#").lstrip("\n").encode("latin-1")
