# SPDX-License-Identifier: GPL-2.0-or-later
"""Module parameters on the kernel's command line: ``module.parameter=value``.

Grammar, as kmod 30 reads ``/proc/cmdline``; what does not fit is for somebody else and passed over::

    command line = words, divided by white space that is outside of double quotes
    word         = MODULE "." PARAMETER [ "=" value ]
                 | '"' MODULE "." PARAMETER "=" value        # as boot loaders pass 'a.b="x y"'; it means the same
    value        = { character | '"' }                       # white space only between quotes
    MODULE       = { character but '"' "." "=" }
    PARAMETER    = { character but '"' "." "=" }

A command line ends at a NUL, at the latest after 4095 bytes; a word in which a quote is not closed is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_LONGEST = 4095

_WORD = re.compile(r'\s*((?:[^\s"]+|"[^"]*")*)', re.ASCII)
_PARAMETER = re.compile(r'(")?([^".=\s]*)\.([^".=\s]*)(?:(=)(.*))?', re.ASCII | re.DOTALL)


class ModuleParameter(NamedTuple):
    """``text`` is ``parameter`` or ``parameter=value``, quotes included; ``module`` is spelt as it was given."""

    module: str
    text: str


def module_parameters(command_line: bytes) -> Iterator[ModuleParameter]:
    """The module parameters on a command line, in their order."""
    text = command_line[:_LONGEST].partition(b"\0")[0].decode("utf-8", "surrogateescape")
    for word in _words(text):
        match = _PARAMETER.fullmatch(word)
        if match is None:
            continue
        quote, module, parameter, equals, value = match.groups(default="")
        yield ModuleParameter(module, f"{parameter}{equals}{quote}{value}")


def _words(text: str) -> Iterator[str]:
    """The words up to one in which a quote is not closed."""
    position = 0
    while position < len(text):
        match = _WORD.match(text, position)
        assert match is not None  # the expression matches the empty text
        position = match.end()
        if text[position : position + 1] == '"':
            return
        yield match[1]
