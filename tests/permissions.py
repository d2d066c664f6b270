# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether permissions stop this process; they do not stop root, unless it has given up the capabilities for that."""

from __future__ import annotations

import tempfile
from pathlib import Path

#: What starts a command that permissions stop, root's too.
WITHOUT_PRIVILEGES = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")


def _are_ignored() -> bool:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "closed")
        path.touch(mode=0)
        try:
            path.read_bytes()
        except PermissionError:
            return False
    return True


ARE_IGNORED = _are_ignored()
