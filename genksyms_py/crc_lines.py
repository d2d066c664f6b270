# SPDX-License-Identifier: GPL-2.0-or-later
"""The lines in which the releases of genksyms print a symbol's CRC.

================  ====================================================================
form              line(s)
================  ====================================================================
symver            ``#SYMVER name 0x1b7d4074``
linker-script     ``__crc_name = 0x1b7d4074;``, relative: ``SECTIONS { .rodata ... }``
ver               ``#define __ver_name<TAB>1b7d4074`` and
                  ``#define name<TAB>_set_ver(name)``, the 2.4 form
================  ====================================================================
"""

from __future__ import annotations

from collections.abc import Iterable

from genksyms_py.dialects import Dialect

_FORMS = {
    "symver": "#SYMVER {name} 0x{crc:08x}\n",
    "linker-script": "__crc_{name} = 0x{crc:08x};\n",
    "relative": "SECTIONS {{ .rodata : ALIGN(4) {{ __crc_{name} = .; LONG(0x{crc:08x}); }} }}\n",
    "ver": "#define __ver_{name}\t{prefix}{crc:08x}\n#define {name}\t_set_ver({name})\n",
}


def crc_line(dialect: Dialect, name: str, crc: int, *, relative: bool = False, prefix: str = "") -> str:
    """What ``dialect``'s genksyms prints for one export.

    ``relative`` is option ``-R`` of 5.10; ``prefix`` is what 2.4's ``-p`` puts before the CRC
    (``smp_`` for kernels with several processors).
    """
    form = "relative" if relative else dialect.output
    return _FORMS[form].format(name=name, crc=crc, prefix=prefix)


def modversions_header(ver_files: Iterable[str]) -> str:
    """The ``linux/modversions.h`` of 2.4: includes each ``.ver`` file, after ``linux/modsetver.h``.

    A module compiled with ``-include linux/modversions.h`` then refers to ``bar_R1b7d4074``
    where its source calls ``bar``.
    """
    lines = [
        "#ifndef _LINUX_MODVERSIONS_H",
        "#define _LINUX_MODVERSIONS_H",
        "#include <linux/modsetver.h>",
        *(f"#include <{name}>" for name in ver_files),
        "#endif",
    ]
    return "\n".join(lines) + "\n"
