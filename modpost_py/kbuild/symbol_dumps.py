# SPDX-License-Identifier: GPL-2.0-or-later
"""Symbol versions of other modules that changed since modpost last read them.

Kbuild of 6.1 and later (not of 5.10) does not run modpost again when a dump named in KBUILD_EXTRA_SYMBOLS changed: a
module keeps the CRCs that the exporting module had when it was first built, and does not load.
What modpost read stands in the command that kbuild saved::

    cmd_/path/Module.symvers := ... modpost -m -o ... -e -i Module.symvers -i /other/Module.symvers -T -
    savedcmd_Module.symvers :=  ...

When a dump of these is newer, the saved command is removed: kbuild then takes it for changed, and runs modpost.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

SAVED_COMMAND = ".Module.symvers.cmd"

_DUMP_OPTION = re.compile(r"\s-i\s*(\S+)")


def forget_stale_run(output: Path, directory: Path) -> list[str]:
    """Have modpost run in ``output`` at the next build if a dump changed since the last; returns those dumps.

    ``output`` holds the module's Module.symvers; relative paths are relative to ``directory``, where modpost runs
    (until 6.12 that of the kernel, since then ``output``).
    """
    saved = output / SAVED_COMMAND
    try:
        text = saved.read_text(encoding="utf-8", errors="surrogateescape")
        last_run = saved.stat().st_mtime_ns
    except OSError:
        return []
    changed = [name for name in _DUMP_OPTION.findall(text) if _modified(directory / name) > last_run]
    if changed:
        with suppress(OSError):
            os.unlink(saved)
    return changed


def _modified(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
