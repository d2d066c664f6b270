# SPDX-License-Identifier: GPL-2.0-or-later
"""The shapes of declarations that genksyms reads without an error, as regular expressions.

A shape is the row of class letters of a declaration (see :mod:`genksyms_py.token_classes`).
What matches here is *regular*: genksyms' own grammar accepts it, it ends exactly where
the shape ends, no state of lexer or parser survives it, and what it declares can be read
off.  Everything else goes to the exact parser, whether it is a real error, a rare form or
nested deeper than these expressions look.  So a form that is missing here costs time, one
that is here wrongly costs exactness: when in doubt, it is left out.

Shapes are checked from the inside out.  An innermost compound body is matched member by
member and folded to ``C``; an innermost pair of parentheses is folded to one of

    P  a parameter list             (T*I,bI)
    N  a declarator with its name   (*I)
    U  a declarator without name    (*)
    J  a name alone                 (I)
    t  a typeof of a type or name   o(T*)
    K  a parameter list that grammar A keeps as raw text, harmlessly (bIA)

Whatever was found out about a shape is kept: kernels have few shapes.
"""

from __future__ import annotations

import re
from enum import Enum
from functools import cache
from typing import Literal

from genksyms_py.dialects import Dialect

# Rules over class letters; where A and B differ in nothing else, the narrower rule serves both.
#
#   mod        = [xncqrA]; inside parentheses and bodies [cqrA]
#   specs      = mod* type (type | mod)*                           A; type = [bTRCtO]
#              | mod* ( b (b | mod)* | [TRCtO] mod* )              B
#   ptr        = ( "*" [qrA]* )*
#   param      = specs ptr [ I B* [P] | B+ | (U | N) B* [P] ]      B: param A*
#   params     = [ "." | param ("," param)* ["," "."] ]
#   nested     = "*" [qr]* ptr ( I | N ) B* [P]                    an attribute right after "(" is an error in A
#   unnamed    = "*" [qr]* ptr ( U B* [P] | B* )
#   init       = ptr ( I | J | N ) ( B | P )* [M] A* [E]
#   plain      = ptr I B* [M] A* [E]                               no second declarator may hold specifiers
#   simple     = [X] [y] specs [ init | plain ("," plain)+ ] ";"
#   function   = specs ptr ( I | J | N ) ( B | P )* G
#   member     = ";" | specs [ mdecl ("," mdecl)* ] ";"
#   mdecl      = [I] F | ptr ( I | J | N ) B* [P] A*               F is the width of a bit-field
#   enumerators= I [E] ("," I [E])* [","]
#
# "t" is the folded typeof(name) or typeof(type); since the remembered specifier of the
# latter is the typeof word alone, it may not stand before several declarators.
_POINTERS = r"(?:\*[qrA]*+)*+"


class _Rules:
    """The expressions of one grammar, each for ``fullmatch`` on a shape without parentheses."""

    def __init__(self, grammar: Literal["A", "B"]) -> None:
        specifiers = _specifiers(grammar, "[xncqrA]")
        inner_specifiers = _specifiers(grammar, "[cqrA]")
        named = rf"{_POINTERS}[IJN](?:B|P)*+"
        plain = rf"{_POINTERS}IB*+M?A*+E?"
        member_declarator = rf"(?:I?F|{_POINTERS}[IJN]B*+P?A*+)"
        parameter = rf"{inner_specifiers}{_POINTERS}(?:[IUN]B*+P?|B++)?"
        parameter_end = "A*+" if grammar == "B" else ""
        self.simple = re.compile(rf"(?:X?y)?{specifiers}(?:{named}M?A*+E?|{plain}(?:,{plain})++)?;")
        self.function = re.compile(rf"{specifiers}{named}G")
        self.member = re.compile(rf"{inner_specifiers}(?:{member_declarator}(?:,{member_declarator})*+)?;|;")
        self.parameters = re.compile(rf"(?:\.|{parameter}{parameter_end}(?:,{parameter}{parameter_end})*+(?:,\.)?)?")
        # A: an attribute after a parameter's name makes all of the list raw text, up to the
        # first ")".  What follows the attribute must therefore have no parentheses.
        self.raw_parameters = re.compile(
            rf"(?:{parameter},)*+{parameter}A[cqrbTRIBA*,.]*+" if grammar == "A" else _NOTHING
        )
        self.raw_prototype = re.compile(rf"{specifiers}{_POINTERS}IK(?:G|A*+;)")
        # A: an attribute right after the keyword of a compound is an error at once; what
        # follows is skipped up to the ";".  With the tag in between, the brace is one phrase.
        self.lost = re.compile(r"[yxncqbr]*+SA++I(?:G[IAB*,]*+)?;" if grammar == "A" else _NOTHING)


_NOTHING = "(?!)"
_TYPEOF_LIST = re.compile(r"[^,]*t[^,]*,.*")
# typeof(type): one parameter without a name.
_TYPEOF_TYPE = re.compile(r"[cqrA]*+[bTR][bcqrA]*+(?:\*[qrA]*+)*+B*+")
_ENUMERATORS = re.compile(r"IE?(?:,IE?)*+,?")
_NESTED_NAMED = re.compile(rf"\*[qr]*+{_POINTERS}[IN]B*+P?")
_NESTED_UNNAMED = re.compile(rf"\*[qr]*+{_POINTERS}(?:UB*+P?|B*+)")
_INNERMOST_PARENTHESES = re.compile(r"(o?)\(([^()]*+)\)")


def _specifiers(grammar: Literal["A", "B"], modifiers: str) -> str:
    """A: any row of types; a typedef's name behind a type is one more type.  B: one type."""
    if grammar == "A":
        return rf"{modifiers}*+[bTRCtO](?:[bTRCtO]|{modifiers})*+"
    return rf"{modifiers}*+(?:b(?:b|{modifiers})*+|[TRCtO]{modifiers}*+)"


@cache
def _rules(grammar: Literal["A", "B"]) -> _Rules:
    return _Rules(grammar)


class Verdict(Enum):
    """What a regular declaration is; see :meth:`Shapes.verdict`."""

    SIMPLE = "declarators or a compound, with ';'"
    FUNCTION = "a function with its body"
    RAW_PROTOTYPE = "a function whose parameter list is kept as raw text"
    EXPORT = "an export marker"
    NOTHING = "declares nothing and leaves no trace"
    LOST = "an error that loses exactly this declaration"
    IRREGULAR = "for the exact parser"


class Shapes:
    """Judges shapes for one grammar, and remembers its judgements."""

    def __init__(self, grammar: Literal["A", "B"]) -> None:
        self.grammar = grammar
        self._rules = _rules(grammar)
        #: Shapes that declare one name and no typedef: the name's index.  For the caller to fill.
        self.single_name: dict[str, int] = {}
        self._folded_parentheses: dict[tuple[str, str], str] = {}
        self._verdicts: dict[str, Verdict] = {";": Verdict.NOTHING, "M;": Verdict.NOTHING, "V;": Verdict.NOTHING}
        self._bodies: dict[tuple[str, str], bool] = {}
        self._members: dict[str, bool] = {";": True}

    def verdict(self, shape: str) -> Verdict:
        """The verdict on a declaration's shape, compounds' bodies folded to ``C``."""
        found = self._verdicts.get(shape)
        if found is None:
            found = self._verdicts[shape] = self._judge(shape)
        return found

    def body_is_regular(self, opening: str, inner: str) -> bool:
        """Whether the innermost body ``opening inner }`` is regular; ``opening`` is one of ``ZzWw``."""
        found = self._bodies.get((opening, inner))
        if found is None:
            if opening in "Ww":
                found = _ENUMERATORS.fullmatch(inner) is not None
            else:
                found = (not inner or inner[-1] == ";") and all(
                    self._member_is_regular(member + ";") for member in inner[:-1].split(";")
                )
            self._bodies[opening, inner] = found
        return found

    def _member_is_regular(self, shape: str) -> bool:
        found = self._members.get(shape)
        if found is None:
            found = self._members[shape] = self._rules.member.fullmatch(self._without_parentheses(shape)) is not None
        return found

    def _judge(self, shape: str) -> Verdict:
        flat = self._without_parentheses(shape)
        if self._rules.simple.fullmatch(flat):
            return Verdict.IRREGULAR if _TYPEOF_LIST.fullmatch(flat) else Verdict.SIMPLE
        if self._rules.function.fullmatch(flat):
            return Verdict.FUNCTION
        if shape == "e(I);":
            return Verdict.EXPORT
        if self._rules.raw_prototype.fullmatch(flat):
            return Verdict.RAW_PROTOTYPE
        if self._rules.lost.fullmatch(shape):
            return Verdict.LOST
        return Verdict.IRREGULAR

    def _without_parentheses(self, shape: str) -> str:
        """Fold parentheses from the inside out; what cannot be folded stays and matches nothing."""
        while "(" in shape:
            folded = _INNERMOST_PARENTHESES.sub(self._fold, shape)
            if folded == shape or "!" in folded:
                return "!"
            shape = folded
        return shape

    def _fold(self, match: re.Match[str]) -> str:
        key = (match[1], match[2])
        letter = self._folded_parentheses.get(key)
        if letter is None:
            letter = self._folded_parentheses[key] = self._fold_anew(*key)
        return letter

    def _fold_anew(self, typeof: str, inner: str) -> str:
        if typeof:
            return "t" if inner == "I" or _TYPEOF_TYPE.fullmatch(inner) else "!"
        if inner == "I":
            return "J"
        if self._rules.parameters.fullmatch(inner):
            return "P"
        if _NESTED_NAMED.fullmatch(inner):
            return "N"
        if _NESTED_UNNAMED.fullmatch(inner):
            return "U"
        if self._rules.raw_parameters.fullmatch(inner):
            return "K"
        return "!"


@cache
def shapes_of(dialect: Dialect) -> Shapes:
    """The judge of a dialect's grammar; one a process, so that its memory serves every unit."""
    return Shapes(dialect.grammar)


def _body(depth: int) -> str:
    pattern = r"[ZzWw][^ZzWw}!]*+\}"
    for _ in range(depth):
        pattern = rf"[ZzWw](?:[^ZzWw}}!]++|{pattern})*+\}}"
    return pattern


_NAME_ENDS = r"(?=[;,)BFEAMG(])"
# A typedef's name right behind the asterisks of a type is a plain name; in B also right
# behind the type itself.  (In a typedef it is a second declaration, left to the exact parser.)
_BEHIND_ASTERISKS = rf"(?<=[bTRC]\*)T{_NAME_ENDS}|(?<=[bTRC]\*\*)T{_NAME_ENDS}"
_BEHIND_TYPE = rf"|(?<=[bT])T{_NAME_ENDS}"
#: By grammar: where class ``T`` stands for a name, and so is to be read as ``I``.
SHADOWING_NAMES = {"A": re.compile(_BEHIND_ASTERISKS), "B": re.compile(_BEHIND_ASTERISKS + _BEHIND_TYPE)}
#: What a shape must contain to have one.
SHADOWING_PAIRS = {"A": ("*T",), "B": ("*T", "TT", "bT")}
#: From an opening brace of a compound to its closing one, no other compound's in between.
INNERMOST_BODY = re.compile(r"([ZzWw])([^ZzWw}]*+)\}")
#: One declaration: up to the first ``;`` or function body outside every compound's body.
#: With a compound's bare keyword in it, a brace phrase need not be a function body.
ONE_DECLARATION = re.compile(rf"(?:[^;GSZzWw}}!]++|{_body(6)})*+(?:[;G]|S(?:[^;ZzWw}}!]++|{_body(6)})*+;)")
