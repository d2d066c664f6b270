# SPDX-License-Identifier: GPL-2.0-or-later
"""The lexical ground of genksyms: one regular expression for tokens, and where in which file a token stands.

Tokens are those of old C: ``!=``, ``++`` and ``<<=`` fall apart, an integer takes one suffix (``1ULL`` is ``1UL`` and
``L``), a string may run over newlines.  Lines that begin with ``#`` in column 0 may stand anywhere; one of the form
``# NUMBER "FILE" ...`` is a line marker.  The file of the first marker is *the source file*.
"""

from __future__ import annotations

import re
from bisect import bisect_right

from genksyms_py.messages import NO_FILE, Location

# The groups of TOKEN; none matches at the end of the text, nor at the newline before a "#" line that has no newline.
STRING, WORD, HASH_LINE, OTHER = 1, 2, 3, 4

# Explicit classes: \s and \w would match some characters beyond ASCII.
_BLANK = r"[ \t\f\v\r]"
# A backslash before a newline makes a string impossible; a newline alone does not.
_QUOTED = r"""(?:"(?:[^"\\]|\\[^\n])*+"|'(?:[^'\\]|\\[^\n])*+')"""
_HASH_LINE = r"(?:\A|\n)\#[^\n]*+(?=\n)"
_INTEGER = r"(?:0[Xx][0-9A-Fa-f]+|0[0-7]*|[1-9][0-9]*)(?:[Uu][Ll]|[Ll][Uu]|[UuLl])?"
_EXPONENT = r"[Ee][+-]?[0-9]+"

#: Skips white space, then matches one token, "#" line or the end: it matches everywhere, so that nothing is left out.
TOKEN = re.compile(
    rf"""
    {_BLANK}*+ (?: \n(?!\#) {_BLANK}*+ )*+
    (?:
      ( L?{_QUOTED} )
    | ( [A-Za-z_$][A-Za-z0-9_$]*+ )
    | ( {_HASH_LINE} )
    | ( [;,(){{}}\[\]]
      | (?: [0-9]*\.[0-9]+ | [0-9]+\. ) (?:{_EXPONENT})? [FfLl]?
      | [0-9]+ {_EXPONENT} [FfLl]?
      | {_INTEGER}
      | \.\.\.
      | [~%^&*+=|<>/-]= | && | \|\| | -> | << | >>
      | [^\n]
      )
    | \n
    | \Z
    )
    """,
    re.VERBOSE,
)

# What matters for finding the end of a block: braces and NUL, and quotes and "#" lines, which may hide braces.
_BLOCK_PART = re.compile(
    rf"""
    [^{{}}"'\n\0]*+ (?: \n(?!\#) [^{{}}"'\n\0]*+ )*+
    (?: ( [{{}}\0] | {_QUOTED} | ["'] | \n\#(?![^\n]*\n) ) | ( {_HASH_LINE} ) )
    """,
    re.VERBOSE,
)

# Newlines are not counted again over a longer distance.
_FAR = 1 << 14

# line marker = "#", blanks, integer, blanks, quote, name, quote, anything
_MARKER = re.compile(rf'\n?#[ \t]+(?={_INTEGER}[ \t]+"[^"\n]+")([0-9]+)[^"]*"([^"\n]+)"')


class Lines:
    """Which line of which file a position of the text is: what the line markers passed so far say.

    ``start`` is the place of the text's beginning.  ``in_source`` tells whether the file now is the source file; it is
    False before the first marker.
    """

    __slots__ = ("_anchors", "_locations", "_source_file", "_text", "in_source")

    def __init__(self, text: str, start: Location | None = None, source_file: str | None = None) -> None:
        start = start or Location(NO_FILE, 1)
        self.in_source = start.file == source_file
        self._text = text
        self._source_file = source_file
        # Positions whose place is known, in ascending order; from each on, newlines count.
        self._anchors = [0]
        self._locations = [start]

    def pass_hash_line(self, match: re.Match[str], group: int = HASH_LINE) -> bool:
        """Take note of a ``#`` line; return whether it switched between source file and header."""
        marker = _MARKER.match(match[group])
        if marker is None:
            return False
        file = marker[2]
        if self._source_file is None:
            self._source_file = file
        # The marker gives the number of the line after it, so its own newline does not count.
        self._anchor(match.end() + 1, Location(file, _decimal(marker[1])))
        was_in_source, self.in_source = self.in_source, file == self._source_file
        return was_in_source != self.in_source

    def pass_string(self, match: re.Match[str], group: int = STRING) -> None:
        """Take note of a string token: the newlines inside are not counted."""
        if "\n" in match[group]:
            self._anchor(match.end(), self.at(match.start(group)))

    def at(self, position: int) -> Location:
        """File and line of a position that has been passed."""
        index = bisect_right(self._anchors, position) - 1
        begin = self._anchors[index]
        file, line = self._locations[index]
        location = Location(file, line + self._text.count("\n", begin, position))
        if position - begin > _FAR and index == len(self._anchors) - 1:
            self._anchor(position, location)
        return location

    def _anchor(self, position: int, location: Location) -> None:
        self._anchors.append(position)
        self._locations.append(location)

    def column(self, position: int) -> int:
        """The column of a position in its line of the text, from 1."""
        return position - self._text.rfind("\n", 0, position)


def _decimal(digits: str) -> int:
    """A line number as C's ``atoi`` reads it, overflow included."""
    value = min(int(digits[-20:]) if len(digits.lstrip("0")) < 20 else 2**63 - 1, 2**63 - 1)
    return (value + 2**31) % 2**32 - 2**31


def skip_block(text: str, position: int, lines: Lines) -> tuple[int, bool]:
    """Pass over the block whose ``{`` is at ``position``.

    Return the position of the ``}`` that closes it and True; or, if the input ends before, that end and False.

    Equal to reading token by token, since nothing but braces, strings, ``#`` lines and NUL matters inside a block.
    """
    depth = 0
    for match in _BLOCK_PART.finditer(text, position):
        part = match[1]
        if part == "{":
            depth += 1
        elif part == "}":
            depth -= 1
            if not depth:
                return match.start(1), True
        elif part is None:
            lines.pass_hash_line(match, 2)
        elif part == "\0":
            return match.start(1), False
        else:
            lines.pass_string(match, 1)
    return len(text), False
