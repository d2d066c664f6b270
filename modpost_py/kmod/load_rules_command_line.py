# SPDX-License-Identifier: GPL-2.0-or-later
"""Parameters of the kernel itself on its command line, as ``kernel/params.c`` reads it.

::

    command line = { blank } { NAME [ "=" value ] }     up to "--", behind which init's words begin
    value        = any characters, blanks only inside double quotes; quotes around it are dropped

In names a dash and an underscore are the same.
"""

from __future__ import annotations

import re

_WORD = re.compile(r'(?:[^\s"]|"[^"]*"?)+')
# What kstrtobool takes for true
_TRUE = re.compile(r"[yYtT1]|[oO][nN]")


def value_of(command_line: str, name: str) -> str | None:
    """The value of a parameter, of the last one where there are several; ``None`` where it is not given."""
    found = None
    for word in _WORD.findall(command_line):
        if word == "--":
            break
        key, equals, value = word.strip('"').partition("=")
        if key.replace("-", "_") == name.replace("-", "_"):
            found = value.strip('"') if equals else ""
    return found


def is_set(command_line: str, name: str) -> bool:
    """Whether a switch is on: given without a value, or with a true one."""
    value = value_of(command_line, name)
    return value is not None and (value == "" or _TRUE.match(value) is not None)
