# SPDX-License-Identifier: GPL-2.0-or-later
"""Which modules the running kernel has, as ``/sys/module`` tells it.

===============================  ==================================================================================
``/sys/module/NAME/initstate``   ``live``, ``coming`` or ``going``, and a newline
``/sys/module/NAME``             alone: the kernel has it, and its state is not to be seen yet (or it is built in)
``/sys/module/NAME/refcnt``      how many users it has, in decimal
``/sys/module/NAME/holders/``    one entry for each module that uses it
===============================  ==================================================================================
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable

from modpost_py.kmod.modprobe_messages import Complaint

LIVE, COMING, GOING = "live", "coming", "going"

_STATES = {f"{state}\n": state for state in (LIVE, COMING, GOING)}
_NUMBER = re.compile(r"[ \t\n\v\f\r]*([+-]?[0-9]+)[ \t\n\v\f\r]")


class LoadedModules:
    """The modules of the kernel whose ``/sys`` lies below ``root``; names are normalised.

    What cannot be understood goes to ``report`` and counts as not there.
    """

    def __init__(self, root: str = "/", report: Callable[[Complaint], None] = lambda complaint: None) -> None:
        self._directory = os.path.join(root, "sys/module")
        self._report = report

    def state(self, name: str) -> str | None:
        """:data:`LIVE`, :data:`COMING` or :data:`GOING`; None for a module that the kernel does not have."""
        path = f"{self._directory}/{name}/initstate"
        try:
            text = _read(path)
        except OSError:
            return COMING if "\0" not in name and os.path.isdir(f"{self._directory}/{name}") else None
        except ValueError:
            return None
        if text not in _STATES:
            self._report(Complaint("unknown state", path=self._shown(path), text=text))
        return _STATES.get(text)

    def reference_count(self, name: str) -> int | None:
        """How many users the module has; None where that cannot be read."""
        path = f"{self._directory}/{name}/refcnt"
        try:
            text = _read(path)
        except (OSError, ValueError):
            return None
        number = _NUMBER.match(text)
        if number is None:
            self._report(Complaint("no number", path=self._shown(path), text=os.strerror(errno.EINVAL)))
            return None
        return _as_int(int(number[1]))

    def holders(self, name: str) -> list[str]:
        """The names of the modules that use this one; a directory that cannot be read is reported."""
        path = f"{self._directory}/{name}/holders"
        try:
            return [entry for entry in os.listdir(path) if not entry.startswith(".")]
        except (OSError, ValueError) as error:
            reason = os.strerror(getattr(error, "errno", errno.EINVAL))
            self._report(Complaint("no holders", path=self._shown(path), reason=reason))
            return []

    def _shown(self, path: str) -> str:
        """The path as it is on the kernel's own machine."""
        return "/sys/module" + path.removeprefix(self._directory)


def _as_int(number: int) -> int:
    """What strtol(3) makes of a number, in an int: kmod's reading of one that does not fit."""
    number = max(min(number, 2**63 - 1), -(2**63))
    return (number + 2**31) % 2**32 - 2**31


def _read(path: str) -> str:
    with open(path, "rb") as stream:
        return stream.read(64).decode("utf-8", "surrogateescape")
