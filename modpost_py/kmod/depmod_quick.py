# SPDX-License-Identifier: GPL-2.0-or-later
"""``depmod -A``: whether any module is newer than the database, which is then written anew."""

from __future__ import annotations

import os
import stat

from modpost_py.kmod.depmod_messages import DEBUG, ERROR, Report
from modpost_py.kmod.depmod_search import is_module_file

# Links to the headers
_EXCLUDED = ("build", "source")

# The file descriptor that kmod has for the modules directory; each below has the next
_FIRST_DESCRIPTOR = 3


def is_database_newer(directory: str, report: Report) -> bool:
    """Whether ``modules.dep`` is not older than any module below ``directory``, in whole seconds, as kmod.

    The configuration plays no part.  What cannot be looked at is reported and passed over; without ``modules.dep``,
    or without the directory, there is no database.
    """
    try:
        os.listdir(directory)
    except OSError as error:
        report(ERROR, f"could not open directory {directory}: {error.strerror}")
        return False
    try:
        written = int(os.stat(f"{directory}/modules.dep").st_mtime_ns // 10**9)
    except OSError as error:
        report(ERROR, f"could not fstatat({directory}, modules.dep): {error.strerror}")
        return False
    return _is_older_than(directory, written, report)


def _is_older_than(start: str, written: int, report: Report) -> bool:
    """Whether no module below ``start`` was changed after the second ``written`` (since the epoch)."""
    seen: set[tuple[int, int]] = set()
    waiting = [(start, 0)]
    while waiting:
        directory, depth = waiting.pop()
        try:
            names = [entry.name for entry in os.scandir(directory)]
        except OSError as error:
            name = os.path.basename(directory)
            report(ERROR, f"openat({_FIRST_DESCRIPTOR + depth - 1}, {name}, O_RDONLY): {error.strerror}")
            continue
        for name in names:
            if name in _EXCLUDED:
                continue
            path = f"{directory}/{name}"
            try:
                status = os.stat(path)
            except OSError as error:
                report(ERROR, f"fstatat({_FIRST_DESCRIPTOR + depth}, {name}): {error.strerror}")
                continue
            if stat.S_ISDIR(status.st_mode):
                identity = (status.st_dev, status.st_ino)
                if identity not in seen:
                    seen.add(identity)
                    waiting.append((path, depth + 1))
            elif not stat.S_ISREG(status.st_mode):
                report(ERROR, f"unsupported file type {directory}/: {stat.S_IFMT(status.st_mode):o}")
            elif is_module_file(name) and status.st_mtime_ns // 10**9 > written:
                report(DEBUG, f"{path} is newer than modules.dep")
                return False
    return True
