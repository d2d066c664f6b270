# SPDX-License-Identifier: GPL-2.0-or-later
"""pycparser as the C front end: which role every name of a declaration plays.

A shape (see :mod:`genksyms_py.token_classes`) is written out as plain C, one line a
shape, every identifier with a name of its own.  pycparser parses the lines, and its tree
tells which of these names are declared and which are only names of parameters.  Each
shape is parsed once; all declarations of the same shape share the answer.

Only pycparser's documented interface is used: ``CParser().parse`` and the node classes.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Iterable, Iterator

from pycparser import CParser, c_ast
from pycparser.c_parser import ParseError

#: Role letters: a declared name, a parameter's name, anything that is no name.
DECLARED = "n"
PARAMETER = "p"
NO_NAME = "."

# What stands for a class letter in the C text that pycparser reads.  Attributes and asm
# are not C and decide nothing here; a typeof with its parentheses is a type like any other.
_C_TEXT = {
    "y": "typedef",
    "X": "",
    "x": "extern",
    "n": "inline",
    "c": "",  # C allows it in fewer places than genksyms does
    "q": "const",
    "r": "restrict",
    "A": "",
    "M": "",
    "B": "[1]",
    "E": "= 0",
    "F": ": 1",
    "G": "{}",
    ".": "...",
    "*": "*",
    "(": "(",
    ")": ")",
    ",": ",",
    ";": ";",
}
# A row of types is one type to pycparser, and a typeof with its parentheses a type like any
# other.  Modifiers between types move behind them, which C allows.
_TYPE_TEXT = {"b": "int", "T": "type", "R": "struct tag", "C": "struct tag", "o": "int", "O": "int"}
_TYPEOF = r"o\([^()]*+(?:\([^()]*+\)[^()]*+)*+\)"
_TYPES_OR_LETTER = re.compile(rf"(?:[bTRCO]|{_TYPEOF})(?:[qrAxnc]*+(?:[bTRCO]|{_TYPEOF}))*+|.", re.DOTALL)
_TYPEOF_NAMES = re.compile(_TYPEOF)
_PRELUDE = "typedef int type;\n"
_NAME = re.compile(r"v(\d+)_(\d+)")


class FrontEnd:
    """Roles of the names in shapes; remembers every shape it has parsed."""

    def __init__(self) -> None:
        self._declarations: dict[str, str] = {}
        self._members: dict[str, str] = {}

    def declaration_roles(self, shape: str) -> str:
        """Role letters, as many as ``shape`` has class letters, of a declaration at file scope.

        ``shape`` ends with ``;`` or ``G``.  Raises :class:`ParseError` where pycparser and
        the shape do not agree.
        """
        roles = self._declarations.get(shape)
        if roles is None:
            self._parse([shape], [])
            roles = self._declarations[shape]
        return roles

    def member_roles(self, shapes: Iterable[str]) -> list[str]:
        """The same for members of a struct or union; what is new is parsed in one go."""
        shapes = list(shapes)
        unknown = list(dict.fromkeys(shape for shape in shapes if shape not in self._members))
        if unknown:
            self._parse([], unknown)
        return [self._members[shape] for shape in shapes]

    def _parse(self, declarations: list[str], members: list[str]) -> None:
        lines = [_c_line(number, shape) for number, shape in enumerate(declarations + members)]
        for index in range(len(declarations), len(lines)):
            lines[index] = f"struct {{ {lines[index]} }};"
        # The trees of a few lines die at once; a collection would only look at the caller's data.
        enabled = gc.isenabled()
        gc.disable()
        try:
            tree = CParser().parse(_PRELUDE + "\n".join(lines))
        finally:
            if enabled:
                gc.enable()
        roles = [[NO_NAME] * len(shape) for shape in declarations + members]
        for name, role in _names(tree):
            match = _NAME.fullmatch(name)
            if match is not None:
                roles[int(match[1])][int(match[2])] = role
        self._keep(self._declarations, declarations, roles)
        self._keep(self._members, members, roles[len(declarations) :])

    @staticmethod
    def _keep(memory: dict[str, str], shapes: list[str], roles: list[list[str]]) -> None:
        for shape, letters in zip(shapes, roles, strict=False):
            plain = _TYPEOF_NAMES.sub(lambda match: "o" * len(match[0]), shape)
            unnamed = [index for index, letter in enumerate(plain) if letter == "I" and letters[index] == NO_NAME]
            if unnamed:
                raise ParseError(f"no role for a name of the shape {shape}")
            memory[shape] = "".join(letters)


def _c_line(number: int, shape: str) -> str:
    """C text of a shape; the identifier at index i of shape n is ``vn_i``."""
    words = []
    for match in _TYPES_OR_LETTER.finditer(shape):
        text = match[0]
        if text == "I":
            words.append(f"v{number}_{match.start()}")
        elif text[0] in _TYPE_TEXT:
            words.append(_TYPE_TEXT[text[0]])
        else:
            words.append(_C_TEXT[text])
    return " ".join(words)


def _names(tree: c_ast.FileAST) -> Iterator[tuple[str, str]]:
    """Every name of the tree with its role."""
    for node in tree.ext:
        if isinstance(node, c_ast.FuncDef):
            node = node.decl
        if isinstance(node, c_ast.Decl) and node.name is None and isinstance(node.type, c_ast.Struct):
            for member in node.type.decls or ():
                yield from _declared(member)
        else:
            yield from _declared(node)


def _declared(node: c_ast.Node) -> Iterator[tuple[str, str]]:
    name = getattr(node, "name", None)
    if name:
        yield name, DECLARED
    yield from _parameters(getattr(node, "type", None))


def _parameters(node: c_ast.Node | None) -> Iterator[tuple[str, str]]:
    """The names of all parameters below a type, however deep."""
    while node is not None:
        if isinstance(node, c_ast.FuncDecl) and node.args is not None:
            for parameter in node.args.params:
                name = getattr(parameter, "name", None)
                if name:
                    yield name, PARAMETER
                yield from _parameters(getattr(parameter, "type", None))
        node = getattr(node, "type", None)
